"""The oracles of the exercises on static and dynamic attention."""

import math
from functools import partial

import torch
from torch_geometric.utils import softmax

from oracles import tried


def test_gatv2_bends_before_the_vector_and_each_node_hears_itself():
    def gatv2(edge_index, H, W_dst, W_src, a, inside=True, itself=True, messages=None):
        loops = torch.arange(len(H)).expand(2, -1)[:, : len(H) * itself]
        source, target = torch.cat([edge_index, loops], dim=1)
        pairs, bend = (H @ W_dst)[target] + (H @ W_src)[source], torch.nn.LeakyReLU(0.2)
        e = bend(pairs) @ a if inside else bend(pairs @ a)
        Z = H @ (W_src if messages is None else messages(W_dst, W_src))
        alpha = softmax(e, target, num_nodes=len(H))
        return torch.zeros_like(Z).index_add(0, target, alpha[:, None] * Z[source])

    def by_matrix(edge_index, H, W_dst, W_src, a):
        A = torch.eye(len(H), dtype=H.dtype).index_put((edge_index[1], edge_index[0]), H.new_ones(()), accumulate=True)
        e = torch.nn.functional.leaky_relu((H @ W_dst)[:, None] + H @ W_src, 0.2) @ a  # [N, N]
        return (e.masked_fill(A == 0, -math.inf).softmax(dim=1)) @ H @ W_src

    tried(
        "gnn/dynamic_attention/gatv2_by_edge",
        gatv2,
        (partial(gatv2, inside=False), "LeakyReLU (slope 0.2) comes before a"),
        (partial(gatv2, itself=False), "the node itself counts, too"),
        (partial(gatv2, messages=lambda W_dst, W_src: W_dst), "the second for its source and for the messages"),
        (lambda edge_index, *rest: gatv2(edge_index.flip(0), *rest), "row 0 of edge_index sends"),
        (lambda edges, H, W_dst, W_src, a: gatv2(edges, H, W_src, W_dst, a), "for the target of an edge"),
        (by_matrix, "an n × n array on the way. Scores belong to edges"),
    )


def test_dot_products_are_scaled_by_the_width_of_queries_not_values():
    def attention(Q, K, V, A, width=4, itself=True):
        hears = A + itself * torch.eye(len(A)) > 0
        return (Q @ K.T / math.sqrt(width)).masked_fill(~hears, -math.inf).softmax(dim=1).nan_to_num() @ V

    tried(
        "gnn/dynamic_attention/dot_product_attention",
        attention,
        (lambda Q, K, V, A: attention(Q, K, V, A, V.shape[1]), "d is the width of Q"),
        (partial(attention, width=1), "d is the width of Q"),
        (partial(attention, itself=False), "and over i"),
        (lambda Q, K, V, A: attention(Q, K, V, A.T), "Row i attends over the j with A[i, j] = 1"),
    )
