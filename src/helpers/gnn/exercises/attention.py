"""Oracles of the exercises on attention."""

import torch
from torch_geometric.nn import GATConv
from torch_geometric.utils import softmax

from helpers.exercises import expect
from helpers.gnn.exercises.message_passing import ADDING, graphs


def attend(candidate):
    """The attention of each node of a graph, before σ, against PyG's ``GATConv``."""
    for edge_index, num_nodes in graphs():
        oracle, H = GATConv(3, 2, bias=False).double(), torch.randn(num_nodes, 3, dtype=torch.float64)
        W, a = oracle.lin.weight.detach().T, torch.cat([oracle.att_dst, oracle.att_src], dim=2).detach().flatten()
        for i, desired in enumerate(oracle(H, edge_index).detach()):
            args = i, edge_index[0, edge_index[1] == i].tolist(), H, W, a
            says = "Node i hears itself, too; the first half of a is for i; LeakyReLU has the slope 0.2 below zero"
            says += "; one softmax over the scores, then the sum of shares times messages W^T h"
            expect(candidate, args, desired, atol=1e-12, says=says)


def _scored_edges():
    """Random scores [E] and coefficients by PyG, targets [E] and the number of nodes; some scores are far from zero."""
    generator = torch.Generator().manual_seed(0)
    for num_nodes, num_edges, scale, centre in ((1, 3, 1, 0), (5, 12, 1, 0), (4, 20, 2000, 0), (9, 8, 1, -2000)):
        scores = centre + scale * torch.randn(num_edges, dtype=torch.float64, generator=generator)
        target = torch.randint(num_nodes, (num_edges,), generator=generator)
        yield scores, softmax(scores.requires_grad_(), target, num_nodes=num_nodes), target, num_nodes


def edge_softmax(candidate):
    """The softmax over the edges of a target, against PyG's."""
    for scores, alpha, target, num_nodes in _scored_edges():
        says = "One softmax per target: take off the largest of its scores first, even if all are below zero"
        expect(candidate, (scores.detach(), target, num_nodes), alpha, atol=1e-12, says=says)


def edge_softmax_gradient(candidate):
    """The gradient of the scores from that of the coefficients, against autograd through PyG's softmax."""
    for scores, alpha, target, num_nodes in _scored_edges():
        (desired,) = torch.autograd.grad(alpha, scores, scores.cos())
        args = alpha.detach(), scores.detach().cos(), target, num_nodes
        says = "The sum over k runs over the edges of one target, each g weighted with its alpha; the alpha of the edge"
        expect(candidate, args, desired, atol=1e-12, says=f"{says} stands in front once more; {ADDING}")


def hydrogen_share(candidate):
    """The sum of n equal coefficients beside another one, against the softmax of all scores."""
    for n, e_C, e_H in ((4, 0.0, 0.0), (2, 1.5, -0.5), (1, -2.0, 1.0), (100, 3.0, 0.5)):
        desired = torch.tensor([e_C] + [e_H] * n).softmax(dim=0)[1:].sum()
        says = "The softmax is over n + 1 scores, the carbon's own too; all n hydrogens count, more the higher e_H is"
        expect(candidate, (n, e_C, e_H), desired, atol=1e-5, says=says)
