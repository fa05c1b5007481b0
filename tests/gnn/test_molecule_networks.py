"""The oracles of the exercises on molecules as graphs."""

from functools import partial

import torch
from torch_geometric import nn as pyg

from helpers.gnn.molecule_models import pool
from oracles import tried


class SmallGNN(torch.nn.Module):
    def __init__(self, how="sum", kinds=True, places=False, squeeze=True, unused=False):
        super().__init__()
        self.embedding, self.head = torch.nn.Linear(5, 32), torch.nn.Linear(32, 1)
        self.layers = torch.nn.ModuleList(pyg.RGCNConv(32, 32, num_relations=4) for _ in range(2))
        self.counting = pyg.MFConv(32, 32, max_degree=4)
        self.unused = torch.nn.Linear(2, 2) if unused else None
        self.how, self.kinds, self.places, self.squeeze = how, kinds, places, squeeze

    def forward(self, x, edge_index, bond, owner, size):
        h = self.embedding(x)
        if self.places:
            h = h + torch.arange(len(h))[:, None] / 10
        for layer in self.layers:
            h = h + layer(h.relu(), edge_index, bond if self.kinds else 0 * bond)
        h = h + self.counting(h.relu(), edge_index)
        out = self.head(pool(h, owner, size, self.how))
        return out.squeeze(1) if self.squeeze else out


def test_a_gnn_is_invariant_sums_and_sees_the_kinds_of_bonds():
    tried(
        "gnn/molecule_networks/build_gnn",
        SmallGNN,
        (lambda: SmallGNN(squeeze=False), "where (14,) is expected"),
        (lambda: SmallGNN(places=True), "when the atoms of a molecule are numbered anew"),
        (lambda: SmallGNN(how="mean"), "pool by a sum"),
        (lambda: SmallGNN(how="max"), "pool by a sum"),
        (lambda: SmallGNN(kinds=False), "does not see the kinds of bonds"),
        (lambda: SmallGNN(unused=True), "no gradient reaches unused.weight"),
    )


def test_a_relational_layer_takes_a_mean_for_each_kind_of_bond_and_the_atom_itself():
    def relational(x, edge_index, bond, W, W_0, least=1, itself=1, mean=True, apart=True, turned=False):
        out = itself * x @ W_0
        for r in range(len(W)):
            source, target = edge_index.flip(0)[:, bond == r] if turned else edge_index[:, bond == r]
            total = torch.zeros_like(x).index_add(0, target, x[source])
            count = torch.bincount(target if apart else edge_index[1], minlength=len(x)).clamp(min=least)[:, None]
            out = out + (total / count if mean else total) @ W[r]
        return out

    def by_atom(x, edge_index, bond, W, W_0):
        rows = []
        for i in range(len(x)):
            heard = [(edge_index[1] == i) & (bond == r) for r in range(len(W))]
            means = [x[edge_index[0, h]].mean(0) @ M for h, M in zip(heard, W, strict=True) if h.any()]
            rows.append(x[i] @ W_0 + sum(means, torch.zeros_like(x[i] @ W_0)))
        return torch.stack(rows)

    tried(
        "gnn/molecule_networks/relational",
        relational,
        (partial(relational, mean=False), "a mean over"),
        (partial(relational, apart=False), "the neighbours of each kind"),
        (partial(relational, least=0), "nothing for a kind that an atom does not have"),
        (partial(relational, itself=0), "x W_0"),
        (partial(relational, turned=True), "edge_index[1] hears"),
        (by_atom, "a loop in it over the nodes. Loop over the kinds of bonds"),
    )
