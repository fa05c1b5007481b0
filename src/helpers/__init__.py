"""What the notebooks of *Shared Weights* import: one folder a part, and a few modules that all parts share."""
