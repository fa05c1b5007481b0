"""Oracles that check the reader's solutions, one module a chapter: each by a route of its own, never a copy of ours."""

from helpers.gnn.exercises.attention import (
    attend,
    dot_product_attention,
    edge_softmax,
    edge_softmax_gradient,
    hydrogen_share,
)
from helpers.gnn.exercises.circulant import (
    fast_product,
    inverse_filter,
    is_circulant,
    kernel_gradient,
    laplacian_filter,
    real_modes,
    ring_adjacency,
    ring_layer,
    shift_kernel,
    torus_product,
    true_convolution,
)
from helpers.gnn.exercises.combining import next_frame, sweep, typed_messages
from helpers.gnn.exercises.message_passing import edge_norm, k_hop, layer_jacobian, mean_aggregation, neighbour_counts
from helpers.gnn.exercises.molecules import atomwise, fit, padded_input, permute, relational, sum_pool, z_scored
