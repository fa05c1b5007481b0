"""What a trained network says of molecules: its weights from ``weights/``, and energies in eV."""

import torch

from helpers import records
from helpers.gnn.molecule_models import MoleculeGNN
from helpers.gnn.molecules import Standardizer


def trained(name):
    """A network with the weights that are kept as ``name``, ready to be asked, and what restores its z-scores.

    The second is a ``Standardizer``. Raises ``helpers.records.RecordError`` where there are no such weights.
    """
    weights, about = records.load_weights(name)
    network = MoleculeGNN(**about["architecture"]).eval()
    network.load_state_dict(weights)
    return network, Standardizer(about["mean"], about["std"])


@torch.no_grad()
def energies(of, graphs):
    """The energies (eV) that ``of``, a network with its ``Standardizer``, says of ``graphs``, a ``Molecules``: [M]."""
    network, z_score = of
    parts = torch.arange(len(graphs)).split(1000)
    z = torch.cat([network(graphs.batch(part)) for part in parts])
    return z_score.restore(z.double())
