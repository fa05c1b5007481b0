"""Oracles of the exercises of Part III: each checks the reader's solution by a route of its own."""

import itertools

import networkx as nx
import numpy as np
import torch
from torch_geometric.nn import GATConv, RGCNConv, SimpleConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm as pyg_gcn_norm
from torch_geometric.utils import softmax, to_dense_adj

from helpers.exercises import ExerciseFailed, expect
from helpers.gnn.exercises_molecules import *  # noqa: F403
from helpers.gnn.layers import gcn_norm

# --- message_passing ---

ADDING = "and out[target] += … adds only once to a node that stands in target often: index_add adds them all"


def _graphs():
    """Random undirected graphs as (edge list [2, E], number of nodes): sparse, dense, without edges."""
    for num_nodes, probability, seed in ((6, 0.4, 0), (9, 0.15, 1), (12, 0.5, 2), (3, 0.0, 3)):
        graph = nx.gnp_random_graph(num_nodes, probability, seed=seed).to_directed()
        yield torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T, num_nodes


def edge_norm(candidate):
    """The weights of Â on an edge list, against ``gcn_norm`` of PyG."""
    for edge_index, num_nodes in _graphs():
        _, desired = pyg_gcn_norm(edge_index, num_nodes=num_nodes, dtype=torch.get_default_dtype())
        says = "First the E edges in their order, then the loops of nodes 0 to N − 1; the degrees are those of A + I"
        expect(candidate, args=(edge_index, num_nodes), desired=desired, atol=1e-6, says=says)


def k_hop(candidate):
    """The nodes within k hops, against breadth-first search in networkx."""
    for edge_index, num_nodes in _graphs():
        graph = nx.Graph(edge_index.T.tolist())
        graph.add_nodes_from(range(num_nodes))
        for node, k in itertools.product(range(num_nodes), range(5)):
            desired = torch.zeros(num_nodes, dtype=torch.bool)
            desired[list(nx.single_source_shortest_path_length(graph, node, cutoff=k))] = True
            says = "With k = 0 only the node itself is within reach, and it stays so; the result is boolean"
            expect(candidate, args=(edge_index, num_nodes, node, k), desired=desired, says=says)


def mean_aggregation(candidate):
    """The mean over a node and its neighbours, against PyG's ``SimpleConv``."""
    oracle = SimpleConv(aggr="mean", combine_root="self_loop")
    for edge_index, num_nodes in _graphs():
        x = torch.randn(num_nodes, 3, generator=torch.Generator().manual_seed(num_nodes))
        says = f"The node itself is one of those that are averaged; {ADDING}"
        expect(candidate, args=(x, edge_index), desired=oracle(x, edge_index), atol=1e-6, says=says)


def neighbour_counts(candidate):
    """How many neighbours of each kind a node has, against counting them one by one."""
    for edge_index, num_nodes in _graphs():
        kind = torch.randint(3, (num_nodes,), generator=torch.Generator().manual_seed(num_nodes))
        desired = torch.zeros(num_nodes, 3)
        for source, target in edge_index.T.tolist():
            desired[target, kind[source]] += 1
        one_hot = torch.eye(3)[kind]  # of the default dtype, like what a reader makes with torch.zeros
        says = f"A sum over the neighbours, and the node itself is not one of them; {ADDING}"
        expect(candidate, args=(one_hot, edge_index), desired=desired, says=says)


def layer_jacobian(candidate):
    """The Jacobian of tanh(Â H W), against autograd."""
    generator = torch.Generator().manual_seed(0)
    for edge_index, num_nodes in _graphs():
        A_hat = gcn_norm(to_dense_adj(edge_index, max_num_nodes=num_nodes)[0].double())
        H = torch.randn(num_nodes, 3, dtype=torch.float64, generator=generator)
        W = torch.randn(3, 2, dtype=torch.float64, generator=generator)
        desired = torch.autograd.functional.jacobian(lambda h: torch.tanh(A_hat @ h @ W), H)  # noqa: B023
        says = "Entry [i, c, j, b] is the derivative of output c of node i with respect to input b of node j"
        expect(candidate, args=(A_hat, H, W), desired=desired, atol=1e-12, says=says)


# --- circulant ---


def ring_adjacency(candidate):
    """The adjacency matrix [n, n] of the ring, against the cycle graph of networkx, rings of 1 and 2 nodes included."""
    for n in (6, 3, 2, 1, 9):
        hint = "Node i is joined to i + 1 and to i - 1, and the ring closes."
        if n < 3:
            hint = "On a ring of 2 both neighbours are one node; on a ring of 1 it is the node itself."
        expect(candidate, (n,), nx.to_numpy_array(nx.cycle_graph(n)), says=hint)


def ring_layer(candidate):
    """The ring layer with a matrix a direction, against a circular convolution of torch."""
    generator = np.random.default_rng(0)
    for n, in_channels, out_channels in ((6, 1, 1), (5, 2, 3), (4, 3, 2)):
        H = generator.standard_normal((n, in_channels))
        taps = generator.standard_normal((3, in_channels, out_channels))  # W_{-1}, W_0, W_1
        padded = torch.from_numpy(np.concatenate([H[-1:], H, H[:1]]).T)[None]  # [1, in_channels, n + 2]
        desired = torch.nn.functional.conv1d(padded, torch.from_numpy(taps.transpose(2, 1, 0).copy()))[0].T
        hint = "W_plus multiplies the features of node i + 1."
        expect(candidate, (H, *taps), desired, atol=1e-12, says=hint)


def true_convolution(candidate):
    """The convolution on the ring, against the product of polynomials (``numpy.convolve``) with z^n replaced by 1."""
    generator = np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        theta, x = generator.standard_normal((2, n))
        product = np.append(np.convolve(theta, x), 0.0)  # [2n], powers 0 to 2n - 1
        expect(candidate, (theta, x), product[:n] + product[n:], atol=1e-12, says="The sum is over theta[j] x[i - j].")


def shift_kernel(candidate):
    """The kernel [n] whose layer moves a signal by m places, against the rows of a rolled identity."""
    for n, m in ((6, 1), (6, 0), (6, 4), (5, -1), (5, 12), (4, -9), (1, 3)):
        expect(candidate, (n, m), np.roll(np.eye(n), m, axis=1)[0], says="C(theta) x must have the entries x[i + m].")


def fast_product(candidate):
    """C(theta) x by FFT, against rolled copies of x; the last case is out of reach of the dense product."""
    generator = np.random.default_rng(0)
    for imaginary in (0, 1j):
        hint = "Entry 0 is the sum of theta[j] x[j]: is the right factor conjugated, and does each root of n cancel?"
        if imaginary:
            hint = "For a complex theta the eigenvalues are not the conjugates of its DFT."
        for n in (5, 8, 15, 1):
            theta, x = generator.standard_normal((2, n)) + imaginary * generator.standard_normal((2, n))
            expect(candidate, (theta, x), _rolled_sum(theta, x), atol=1e-12, says=hint)
    theta, x = np.zeros(2**20), generator.standard_normal(2**20)
    theta[[0, 1, 77]] = 0.5, -1.0, 2.0
    expect(candidate, (theta, x), _rolled_sum(theta, x), atol=1e-9)


def _rolled_sum(theta, x):
    return sum((theta[j] * np.roll(x, -j) for j in np.flatnonzero(theta)), np.zeros_like(x))


def is_circulant(candidate):
    """Whether a matrix is circulant, on matrices that are (sums of rolled identities) or are so but for one entry."""
    generator = np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        M = sum(weight * np.roll(np.eye(n), j, axis=1) for j, weight in enumerate(generator.standard_normal(n)))
        expect(candidate, (M,), True, says="This one is circulant.")
        expect(candidate, (M @ M,), True, says="This one is circulant up to rounding: compare with a tolerance.")
        if n > 1:
            broken = M.copy()
            broken[-1, 0] += 0.1
            expect(candidate, (broken,), False, says="Its last row differs from the first one's shift in one entry.")
    toeplitz = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    expect(candidate, (toeplitz,), False, says="Its diagonals are constant, and do not wrap around.")


def kernel_gradient(candidate):
    """The gradient of a loss with respect to the shared kernel [n], against autograd through torch's convolution."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 7):
        x, dL_dy = generator.standard_normal((2, n))
        theta = torch.zeros(n, dtype=torch.float64, requires_grad=True)
        wrapped = torch.from_numpy(np.concatenate([x, x[:-1]]))[None, None]  # so that window i is x_i, …, x_{i+n-1}
        y = torch.nn.functional.conv1d(wrapped, theta[None, None])[0, 0]
        y.backward(torch.from_numpy(dL_dy))
        hint = "theta[j] stands in every row of C: its gradient is a sum over the rows."
        expect(candidate, (x, dL_dy), theta.grad, atol=1e-12, says=hint)


def inverse_filter(candidate):
    """The signal x [n] with C(theta) x = y, against a dense linear solve."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 7, 10):
        theta, y = generator.standard_normal((2, n))
        theta[0] += n  # far from a zero eigenvalue
        C = sum(weight * np.roll(np.eye(n), j, axis=1) for j, weight in enumerate(theta))
        hint = "Divide by the eigenvalues; np.fft.fft(theta) holds their conjugates."
        expect(candidate, (theta, y), np.linalg.solve(C, y), atol=1e-12, says=hint)


def laplacian_filter(candidate):
    """A Chebyshev filter on any graph, against the eigendecomposition of its Laplacian."""
    generator = np.random.default_rng(0)
    for graph in (nx.cycle_graph(8), nx.star_graph(4), nx.path_graph(6)):
        L = nx.laplacian_matrix(graph).toarray().astype(float)
        eigenvalue, U = np.linalg.eigh(L)
        for count in (1, 2, 5):
            c, x = generator.standard_normal(count), generator.standard_normal(len(L))
            desired = U @ (np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, c) * (U.T @ x))
            hint = f"c has length {count}; T_j is the Chebyshev polynomial, not the power j."
            expect(candidate, (c, L, x), desired, rtol=1e-9, atol=1e-9, says=hint)


def real_modes(candidate):
    """An orthogonal matrix of common eigenvectors of the ring's Laplacian and its reflection, by their definitions."""
    for n in (3, 4, 7, 8):
        Q = candidate(n)
        if not (isinstance(Q, np.ndarray) and Q.shape == (n, n) and np.isrealobj(Q)):
            raise ExerciseFailed(f"real_modes({n}) must be a real array of shape ({n}, {n})")
        if not np.allclose(Q.T @ Q, np.eye(n), atol=1e-12):
            raise ExerciseFailed(f"the columns of real_modes({n}) are not orthonormal: Q.T @ Q is not the identity")
        reflection = np.eye(n)[-np.arange(n) % n]
        for name, M in (("the Laplacian", nx.laplacian_matrix(nx.cycle_graph(n)).toarray()), ("J", reflection)):
            turned = Q.T @ M @ Q
            if not np.allclose(turned, np.diag(np.diag(turned)), atol=1e-12):
                raise ExerciseFailed(f"not every column of real_modes({n}) is an eigenvector of {name}")


def torus_product(candidate):
    """The cross-correlation of an image with a kernel of its own size, wrapped both ways, against torch."""
    generator = np.random.default_rng(0)
    for shape in ((1, 1), (3, 4), (5, 5), (6, 2)):
        kernel, image = generator.standard_normal((2, *shape))
        wrapped = torch.from_numpy(np.pad(image, ((0, shape[0] - 1), (0, shape[1] - 1)), mode="wrap"))
        desired = torch.nn.functional.conv2d(wrapped[None, None], torch.from_numpy(kernel)[None, None])[0, 0]
        hint = "Entry [0, 0] is the sum of kernel[a, b] image[a, b]: is the right factor conjugated?"
        expect(candidate, (kernel, image), desired, atol=1e-12, says=hint)


# --- attention ---


def attend(candidate):
    """The attention of each node of a graph, before σ, against PyG's ``GATConv``."""
    for edge_index, num_nodes in _graphs():
        with torch.random.fork_rng():  # the reader's own random numbers stay as they are
            oracle, H = GATConv(3, 2, bias=False).double(), torch.randn(num_nodes, 3, dtype=torch.float64)
        W, a = oracle.lin.weight.detach().T, torch.cat([oracle.att_dst, oracle.att_src], dim=2).detach().flatten()
        for i, desired in enumerate(oracle(H, edge_index).detach()):
            args = i, edge_index[0, edge_index[1] == i].tolist(), H, W, a
            expect(candidate, args, desired, atol=1e-12, says="Node i hears itself, too; LeakyReLU has the slope 0.2.")


def _scored_edges():
    """Random scores [E] and coefficients by PyG, targets [E] and the number of nodes; some scores are huge."""
    generator = torch.Generator().manual_seed(0)
    for num_nodes, num_edges, scale in ((1, 3, 1), (5, 12, 1), (4, 20, 2000), (9, 8, 1)):
        scores = scale * torch.randn(num_edges, dtype=torch.float64, generator=generator)
        target = torch.randint(num_nodes, (num_edges,), generator=generator)
        yield scores, softmax(scores.requires_grad_(), target, num_nodes=num_nodes), target, num_nodes


def edge_softmax(candidate):
    """The softmax over the edges of a target, against PyG's."""
    for scores, alpha, target, num_nodes in _scored_edges():
        expect(candidate, (scores.detach(), target, num_nodes), alpha, atol=1e-12, says="Take off the largest first.")


def edge_softmax_gradient(candidate):
    """The gradient of the scores from that of the coefficients, against autograd through PyG's softmax."""
    for scores, alpha, target, num_nodes in _scored_edges():
        (desired,) = torch.autograd.grad(alpha, scores, scores.cos())
        expect(candidate, (alpha.detach(), scores.detach().cos(), target, num_nodes), desired, atol=1e-12)


def hydrogen_share(candidate):
    """The sum of n equal coefficients beside another one, against the softmax of all scores."""
    for n, e_C, e_H in ((4, 0.0, 0.0), (2, 1.5, -0.5), (1, -2.0, 1.0), (100, 3.0, 0.5)):
        expect(candidate, (n, e_C, e_H), torch.tensor([e_C] + [e_H] * n).softmax(dim=0)[1:].sum(), atol=1e-5)


def dot_product_attention(candidate):
    """Attention by scaled dot products over a directed graph, against torch's with a mask."""
    for edge_index, num_nodes in _graphs():
        Q, K, V = torch.randn(3, num_nodes, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(num_nodes))
        A = to_dense_adj(edge_index[:, ::2], max_num_nodes=num_nodes)[0].double()
        desired = torch.nn.functional.scaled_dot_product_attention(Q, K, V, (A + torch.eye(num_nodes)).bool())
        expect(candidate, (Q, K, V, A), desired, atol=1e-12, says="Row i attends over j with A[i, j] = 1, and over i.")


# --- combining ---


def sweep(candidate):
    """A recurrent network on directed graphs without cycles, against N rounds with a dense adjacency matrix."""
    generator = np.random.default_rng(0)
    for nodes, probability in ((1, 0.0), (6, 0.5), (12, 0.3), (9, 0.0)):
        order = generator.permutation(nodes)
        A = np.triu(generator.random((nodes, nodes)) < probability, 1)[order][:, order]  # acyclic, in no order
        X, W_hx, W_hh, b_h = (generator.normal(size=s) for s in ((nodes, 2), (3, 2), (3, 3), 3))
        desired = np.zeros((nodes, 3))
        for _ in range(nodes):
            desired = np.tanh(X @ W_hx.T + A.T @ desired @ W_hh.T + b_h)
        args = [torch.from_numpy(a) for a in (X, np.argwhere(A).T.copy(), W_hx, W_hh, b_h)]
        expect(candidate, args, desired, atol=1e-12, says="A node is updated when all that point to it are.")


def typed_messages(candidate):
    """Messages by type and direction, against ``RGCNConv`` with a relation for each of both."""
    generator = torch.Generator().manual_seed(0)
    for N, E, R, d in ((1, 0, 1, 2), (5, 8, 2, 3), (9, 30, 4, 2)):
        edge_index, edge_type = (torch.randint(*s, generator=generator) for s in ((N, (2, E)), (R, (E,))))
        H, *Theta = (torch.randn(*s, d, generator=generator).double() for s in ((N,), (R, d), (R, d)))
        oracle = RGCNConv(d, d, 2 * R, aggr="add", root_weight=False, bias=False)
        oracle.weight.data = torch.cat(Theta)
        edges_and_types = torch.cat([edge_index, edge_index.flip(0)], 1), torch.cat([edge_type, edge_type + R])
        desired = oracle(H, *edges_and_types).detach()
        expect(candidate, (H, edge_index, edge_type, *Theta), desired, atol=1e-12, says="Each edge sends both ways.")


def next_frame(candidate):
    """The next positions of a net, against powers of the matrix that moves positions and velocities."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 9):
        L, (kappa, rho, gamma) = nx.laplacian_matrix(nx.path_graph(n)).toarray() * 1.0, generator.uniform(0, 0.3, 3)
        pull, keep = -kappa * L - rho * np.eye(n), (1 - gamma) * np.eye(n)
        F, state = np.block([[np.eye(n) + pull, keep], [pull, keep]]), generator.normal(size=2 * n)
        before, now, after = (torch.from_numpy((np.linalg.matrix_power(F, k) @ state)[:n]) for k in range(3))
        expect(candidate, (now, before, torch.from_numpy(L), kappa, rho, gamma), after, atol=1e-12)
