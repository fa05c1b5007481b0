"""What the notebooks of *Shared Weights* import: one folder a part, and a few modules that all parts share."""

import warnings

# PyG calls what this warns of as it is imported, and a page is no place for it.
warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")
