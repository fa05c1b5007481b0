"""Two models of a molecule's energy: an MLP on padded molecules, which sees an order of atoms, and a GNN, which cannot.

Both take a batch of ``helpers.gnn.molecules.Molecules`` and return one number per molecule, [B]: the z-scored energy.
The GNN also takes one whose hydrogens are folded into other atoms (``helpers.gnn.folding``).
"""

import torch
from torch import nn
from torch.nn.functional import embedding_bag
from torch_geometric.utils import to_dense_adj

from helpers.gnn.molecules import BONDS, ELEMENTS, MAX_ATOMS, MAX_DEGREE

NORMS = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d, None: lambda hidden: nn.Identity()}
REDUCTIONS = {"sum": "sum", "mean": "mean", "max": "amax"}  # the poolings, and torch's names for them
NUM_ELEMENTS, NUM_BONDS = len(ELEMENTS), len(BONDS)
NUM_INPUTS = MAX_ATOMS * NUM_ELEMENTS + MAX_ATOMS**2 * NUM_BONDS  # 3,509


class SparseMatrix:
    """A constant matrix S [rows, columns] given by its entries; the product ``S @ x`` is differentiable in x.

    Row i of the product is the weighted sum of some rows of x, which ``embedding_bag`` takes in less than half the time
    of torch's sparse product; the gradient is the product with Sᵀ, another such sum.
    """

    def __init__(self, row, column, size, value=None):
        """Entries ``value`` [n], or ones, at ``row`` and ``column`` int64 [n]; those of one place are added up."""
        self.rows = _bags(row, column, size[0], value)
        self.columns = _bags(column, row, size[1], value)

    def __matmul__(self, x):
        return _Product.apply(x, self)


def _bags(row, column, rows, value):
    order = row.argsort(stable=True)
    offsets = torch.nn.functional.pad(row.bincount(minlength=rows).cumsum(0), (1, 0))[:-1]
    return column[order], offsets, None if value is None else value[order]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, matrix):
        ctx.matrix = matrix
        return _sums(x, *matrix.rows)

    @staticmethod
    def backward(ctx, gradient):
        return _sums(gradient.contiguous(), *ctx.matrix.columns), None


def _sums(x, index, offsets, weight):
    return embedding_bag(
        index, x, offsets, mode="sum", per_sample_weights=None if weight is None else weight.to(x.dtype)
    )


class FromComposition(nn.Module):
    """A network that corrects a linear function of the numbers of atoms, if it has such a ``composition`` at all.

    Its ``head`` ends with a linear layer of one output, the correction.
    """

    def start_from(self, coefficients):
        """Start as the linear function of the composition with these ``coefficients`` [6], its intercept the last.

        Energies are nearly linear in the numbers of atoms, which all grow together; gradient descent is slow to tell
        them apart, and least squares (``helpers.gnn.molecules.fit_composition``) does it at once.
        Raises ValueError for other coefficients, and for a network without the composition.
        """
        if self.composition is None:
            raise ValueError("this network was made with composition=False, and has no linear function to start from")
        wanted = isinstance(coefficients, torch.Tensor) and coefficients.is_floating_point()
        if not (wanted and coefficients.shape == (NUM_ELEMENTS + 1,) and coefficients.isfinite().all()):
            raise ValueError(
                f"start_from takes what fit_composition returns: a tensor of {NUM_ELEMENTS + 1} finite numbers"
            )
        with torch.no_grad():
            self.composition.weight.copy_(coefficients[None, :-1])
            self.composition.bias.copy_(coefficients[-1:])
            self.head[-1].weight.zero_()
            self.head[-1].bias.zero_()

    def corrected(self, z, batch):
        """The corrections ``z`` [B, 1], added to the function of the composition where there is one: [B]."""
        if self.composition is not None:
            z = z + self.composition(pool(batch.x, batch.batch, len(batch.y), "sum"))
        return z.squeeze(1)


class MoleculeMLP(FromComposition):
    """An MLP on molecules padded to 29 atoms: 29·5 inputs for their elements and 29²·4 for their bonds.

    ``layers`` hidden layers of ``hidden`` units with ReLU. Of the 3,509 inputs some 50 are not zero, so that the first
    product is a sum of as many columns of the weight. With ``composition`` it corrects a linear function of the numbers
    of atoms, as the GNN does. Raises ValueError for sizes below 1, and for a molecule of more than 29 atoms.
    """

    def __init__(self, hidden=1024, layers=3, composition=False):
        super().__init__()
        _check_sizes(hidden=hidden, layers=layers)
        self.first = nn.Linear(NUM_INPUTS, hidden)
        # The same weight laid out column after column: no copy is made for taking the columns.
        self.first.weight = nn.Parameter(self.first.weight.detach().T.contiguous().T)
        hidden_layers = [module for _ in range(layers - 1) for module in (nn.ReLU(), nn.Linear(hidden, hidden))]
        self.head = nn.Sequential(*hidden_layers, nn.ReLU(), nn.Linear(hidden, 1))
        self.composition = nn.Linear(NUM_ELEMENTS, 1) if composition else None

    def forward(self, batch):
        x = SparseMatrix(*padded_inputs(batch), (len(batch.y), NUM_INPUTS))
        return self.corrected(self.head(x @ self.first.weight.T + self.first.bias), batch)


def padded_inputs(batch):
    """Return where the inputs [B, 3509] of the MLP are one: molecule int64 [N + E] and input int64 [N + E]."""
    largest = batch.ptr.diff().max()
    if largest > MAX_ATOMS:
        raise ValueError(f"the MLP takes molecules of up to {MAX_ATOMS} atoms, and this one has {largest}")
    if batch.x.max() > 1:
        raise ValueError("the MLP takes each atom in a place of its own, and here hydrogens are folded into others")
    place = torch.arange(batch.num_nodes, device=batch.x.device) - batch.ptr[batch.batch]
    i, j = batch.edge_index
    atom_input = place * NUM_ELEMENTS + batch.x.argmax(1)
    bond_input = (place[i] * MAX_ATOMS + place[j]) * NUM_BONDS + batch.edge_attr.argmax(1)
    return torch.cat([batch.batch, batch.batch[i]]), torch.cat([atom_input, MAX_ATOMS * NUM_ELEMENTS + bond_input])


class Bonds:
    """What the layers of a GNN need to know of a batch's N atoms and E directed edges, worked out once a batch.

    The layers want atoms of the same degree side by side: x[``order``] are the atoms so sorted, and everything here
    counts in that order. A "pair" is an atom and one type of bond that it has; the P pairs stand sorted by type.
    """

    def __init__(self, batch):
        N = batch.num_nodes
        degree = batch.edge_index[1].bincount(minlength=N).clamp(max=MAX_DEGREE)
        self.order = degree.argsort(stable=True)
        self.atoms_of_degree = degree.bincount(minlength=MAX_DEGREE + 1).tolist()
        source, target = self.order.argsort()[batch.edge_index]
        self.neighbours = SparseMatrix(target, source, (N, N))

        pairs, pair, edges = (batch.edge_attr.argmax(1) * N + target).unique(return_inverse=True, return_counts=True)
        P = len(pairs)
        self.pairs_of_type = (pairs // N).bincount(minlength=NUM_BONDS).tolist()
        self.mean_by_type = SparseMatrix(pair, source, (P, N), 1 / edges[pair].double())
        self.sum_of_types = SparseMatrix(pairs % N, torch.arange(P, device=pairs.device), (N, P))


class RelationalConvolution(nn.Module):
    """x'_i = W_root x_i + b + Σ_r W_r mean_{j ∈ N_r(i)} x_j: a weight for each type r of bond.

    Equal to PyG's ``RGCNConv``, names of the parameters included (Schlichtkrull et al., 2018, equation 2).
    """

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(NUM_BONDS, in_channels, out_channels))
        self.root = nn.Parameter(torch.empty(in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        for weight in (*self.weight, self.root):
            nn.init.xavier_uniform_(weight.data)

    def forward(self, x, bonds):
        means = (bonds.mean_by_type @ x).split(bonds.pairs_of_type)
        by_type = torch.cat([mean @ weight for mean, weight in zip(means, self.weight.unbind(), strict=True)])
        return torch.addmm(self.bias, x, self.root) + bonds.sum_of_types @ by_type


class DegreeConvolution(nn.Module):
    """x'_i = W_own x_i + W_near Σ_{j ∈ N(i)} x_j + b, three of their own for each number of atoms that i is bound to.

    Equal to PyG's ``MFConv`` with ``max_degree=4``, names of the parameters included (Duvenaud et al., 2015).
    """

    def __init__(self, in_channels, out_channels):
        super().__init__()
        degrees = range(MAX_DEGREE + 1)
        self.lins_l = nn.ModuleList(nn.Linear(in_channels, out_channels) for _ in degrees)
        self.lins_r = nn.ModuleList(nn.Linear(in_channels, out_channels, bias=False) for _ in degrees)

    def forward(self, x, bonds):
        sums = (bonds.neighbours @ x).split(bonds.atoms_of_degree)
        parts = zip(self.lins_l, sums, self.lins_r, x.split(bonds.atoms_of_degree), strict=True)
        return torch.cat([left(total) + right(own) for left, total, right, own in parts])


class MoleculeGNN(FromComposition):
    """An embedding, ``blocks`` times ReLU, relational convolution, ReLU, degree convolution; pooling; a small head.

    A molecule's atoms are pooled by "sum", "mean" or "max". With ``residual`` each block adds to its input; ``norm`` is
    "layer", "batch" or None, in front of each block and of the pooling. With ``walks`` above 0 each atom starts with
    what it ``returns`` for so many lengths, which tells of rings. With ``composition`` the network corrects a linear
    function of the numbers of atoms; ``start_from`` sets that function, and the correction starts at zero.
    Raises ValueError for sizes below 1, another pooling or another norm.
    """

    def __init__(self, hidden=64, blocks=6, pooling="sum", residual=True, norm="batch", composition=True, walks=0):
        super().__init__()
        _check_sizes(hidden=hidden, blocks=blocks)
        make_norm = _one_of("norm", norm, NORMS)
        _one_of("pooling", pooling, REDUCTIONS)
        self.embedding = nn.Linear(NUM_ELEMENTS, hidden)
        self.norms = nn.ModuleList(make_norm(hidden) for _ in range(blocks + 1))
        self.relational = nn.ModuleList(RelationalConvolution(hidden, hidden) for _ in range(blocks))
        self.by_degree = nn.ModuleList(DegreeConvolution(hidden, hidden) for _ in range(blocks))
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.composition = nn.Linear(NUM_ELEMENTS, 1) if composition else None
        self.walks = nn.Linear(walks, hidden, bias=False) if walks else None
        self.residual, self.pooling = residual, pooling

    def forward(self, batch):
        bonds, B = Bonds(batch), len(batch.y)
        h = self.embedding(batch.x[bonds.order])
        if self.walks is not None:
            h = h + self.walks(returns(batch, self.walks.in_features)[bonds.order])
        for norm, relational, by_degree in zip(self.norms, self.relational, self.by_degree, strict=False):
            update = by_degree(relational(norm(h).relu(), bonds).relu(), bonds)
            h = h + update if self.residual else update
        z = self.head(pool(self.norms[-1](h), batch.batch[bonds.order], B, self.pooling))
        return self.corrected(z, batch)


def returns(batch, walks):
    """The chance that a random walk is back at its atom after 2, 3, ..., ``walks`` + 1 steps: [N, walks].

    The walk takes each bond of the atom where it is with the same chance, whatever its kind; without a bond the chance
    is zero. In three steps it can come back around a ring of three atoms only: the chances tell the rings that an atom
    is in, which no atom hears from its neighbours ("random walk positional encoding", Dwivedi et al., 2022).
    """
    bound = to_dense_adj(batch.edge_index, batch.batch, batch_size=len(batch.y)).to(batch.x.dtype)  # [B, n, n]
    step = bound / bound.sum(dim=2, keepdim=True).clamp(min=1)
    walk, chances = step, []
    for _ in range(walks):
        walk = walk @ step
        chances.append(walk.diagonal(dim1=1, dim2=2))  # [B, n]
    place = torch.arange(batch.num_nodes, device=batch.x.device) - batch.ptr[batch.batch]
    return torch.stack(chances, dim=2)[batch.batch, place]


def pool(h, owner, size, how):
    """Sum, mean or maximum of the rows of ``h`` [N, H] that belong to each of ``size`` molecules: [size, H].

    ``how`` is "sum", "mean" or "max", else this is a ValueError; a molecule without rows gets zeros.
    """
    out = h.new_zeros(size, h.shape[1])
    reduce = _one_of("pooling", how, REDUCTIONS)
    return out.scatter_reduce(0, owner[:, None].expand_as(h), h, reduce, include_self=False)


def _one_of(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
    return choices[value]


def _check_sizes(**sizes):
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, not {size!r}")
