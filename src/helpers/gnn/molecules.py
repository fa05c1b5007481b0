"""QM9 as graphs: small organic molecules, their atoms and bonds, and the energy that holds them together.

The data stand as flat tensors and pointers, so that a batch is index arithmetic. Elements are one-hot in the order of
``ELEMENTS``, bonds in that of ``BONDS``, hydrogens are explicit, each bond is two directed edges, and energies are in
eV. Source of the data: ``helpers.data.qm9``.
"""

import contextlib
import copy
import hashlib
import io
import json
import warnings
from dataclasses import dataclass
from importlib import metadata

import numpy as np
import torch
from rdkit import Chem, rdBase
from safetensors import torch as safetensors
from torch_geometric.data import Data

from helpers import data, files

ELEMENTS = ("H", "C", "N", "O", "F")
BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
MAX_ATOMS, MAX_DEGREE = 29, 4  # of a molecule of QM9, and of an atom in it
ATOM_ENERGY = (-0.500273, -37.846772, -54.583861, -75.064579, -99.718730)  # Hartree, in the order of ELEMENTS
HARTREE = 27.211386246  # eV

CACHE_FORMAT = 1  # raise it when what the cache holds, or means, changes
TENSORS = ("element", "edge_index", "bond", "atom_ptr", "edge_ptr", "y")
SEED = 0  # of the sample that load(limit) draws


class MoleculeError(ValueError):
    """A SMILES that stands for no molecule of the five elements and four bonds; the message says why."""


@dataclass
class Molecules:
    """M molecules with A atoms and E directed edges in all, one after the other.

    ``element`` uint8 [A] indexes ``ELEMENTS`` and ``bond`` uint8 [E] indexes ``BONDS``; ``edge_index`` int16 [2, E]
    counts the atoms of each molecule from 0. Molecule m has the atoms ``atom_ptr[m]:atom_ptr[m + 1]`` and the edges
    ``edge_ptr[m]:edge_ptr[m + 1]``. ``y`` float64 [M] is the atomization energy at 0 K in eV, NaN where it is unknown.
    ``disagreeing`` names the molecules whose graph has not the composition that the data set states.
    """

    element: torch.Tensor
    edge_index: torch.Tensor
    bond: torch.Tensor
    atom_ptr: torch.Tensor
    edge_ptr: torch.Tensor
    y: torch.Tensor
    smiles: list[str]
    disagreeing: tuple[str, ...] = ()

    def __len__(self):
        return len(self.smiles)

    @property
    def num_atoms(self):
        """How many atoms each molecule has: int64 [M]."""
        return self.atom_ptr.diff()

    @property
    def composition(self):
        """How many atoms of each element a molecule has: int64 [M, 5]."""
        owner = torch.arange(len(self)).repeat_interleave(self.atom_ptr.diff())
        counts = torch.bincount(owner * len(ELEMENTS) + self.element, minlength=len(self) * len(ELEMENTS))
        return counts.view(len(self), len(ELEMENTS))

    def batch(self, index):
        """Return the molecules ``index`` (B integers) as one graph of N atoms and E edges.

        A PyG ``Data`` with ``x`` [N, 5], ``edge_index`` [2, E], ``edge_attr`` [E, 4], ``y`` [B] (eV), ``batch`` [N]
        and ``ptr`` [B + 1]: what PyG's ``DataLoader`` makes of the same molecules.
        """
        index = torch.as_tensor(index)
        whole = index.numel() == 0 or not (index.is_floating_point() or index.dtype == torch.bool)
        if index.ndim != 1 or not whole or (len(index) and not 0 <= index.min() <= index.max() < len(self)):
            raise IndexError(f"expected integers from 0 to {len(self) - 1} (of a mask: mask.nonzero().squeeze(1))")
        index = index.long()
        atoms, owner, ptr = ranges(self.atom_ptr, index)
        edges, edge_owner, _ = ranges(self.edge_ptr, index)
        return Data(
            x=torch.eye(len(ELEMENTS)).index_select(0, self.element.index_select(0, atoms).int()),
            edge_index=self.edge_index.index_select(1, edges) + ptr.index_select(0, edge_owner),
            edge_attr=torch.eye(len(BONDS)).index_select(0, self.bond.index_select(0, edges).int()),
            y=self.y[index].float(),
            batch=owner,
            ptr=ptr,
        )


def ranges(pointer, index):
    """Lay the ranges ``pointer[i]:pointer[i + 1]``, i in ``index``, end to end.

    Returns the positions that they cover [N], the range that each comes from [N], and where each begins [B + 1].
    """
    start = pointer[index]
    length = pointer[index + 1] - start
    ptr = torch.nn.functional.pad(length.cumsum(0), (1, 0))
    owner = torch.arange(len(index)).repeat_interleave(length)
    return torch.arange(len(owner)) + (start - ptr[:-1]).index_select(0, owner), owner, ptr


def load(limit=None):
    """Return QM9 as ``Molecules``: all 130,831, or ``limit`` at random (the first are the smallest), always the same.

    The whole set takes RDKit a while, so it is kept in ``data_root()/cache``; a file there that is damaged or may not
    be read is reported by a warning and made anew.
    """
    if limit is not None:
        table = data.qm9()
        if not 1 <= limit <= len(table):
            raise ValueError(f"limit must be from 1 to {len(table):,}, not {limit}")
        return _from_table(table.iloc[np.sort(np.random.RandomState(SEED).permutation(len(table))[:limit])])
    path = cache_path()
    molecules = _read_cache(path)
    if molecules is None:
        molecules = _from_table(data.qm9())
        _write_cache(path, molecules)
    return molecules


def from_smiles(smiles):
    """Return the molecule of a SMILES, or those of a list of them, as ``Molecules`` with unknown energy.

    Raises ``MoleculeError`` with RDKit's reason for an invalid SMILES, by name for an element or a bond that QM9 does
    not have, and for an ion: the molecules of QM9 are neutral. Charges of single atoms, isotopes and the arrangement in
    space are no part of the graph, and are left out of it.
    """
    smiles = [smiles] if isinstance(smiles, str) else list(smiles)
    index_of_bond = {getattr(Chem.BondType, name): index for index, name in enumerate(BONDS)}
    index_of_element = {Chem.Atom(name).GetAtomicNum(): index for index, name in enumerate(ELEMENTS)}
    elements, ends, bonds, atom_ptr, edge_ptr = [], [], [], [0], [0]
    with _rdkit_log() as log:
        for text in smiles:
            if text.split() != [text]:  # RDKit would take what follows a space for the molecule's name
                raise MoleculeError(f"{text!r} is no SMILES: it has a space in it, or no atoms")
            molecule = Chem.MolFromSmiles(text)
            if molecule is None:
                reason = log.getvalue().partition("\n")[0].partition("] ")[2]  # "[22:05:23] the reason", and more
                raise MoleculeError(f"{text!r} is no molecule: {reason}")
            log.seek(log.truncate(0))  # it may have been warned of a molecule that was none the worse
            if charge := Chem.GetFormalCharge(molecule):
                raise MoleculeError(f"{text!r} is an ion of charge {charge:+d}, and the molecules of QM9 have none")
            atoms = molecule.GetNumAtoms()
            try:
                elements += [index_of_element[atom.GetAtomicNum()] for atom in molecule.GetAtoms()]
                for bond in molecule.GetBonds():
                    i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
                    ends += (i, j, j, i)
                    bonds += 2 * (index_of_bond[bond.GetBondType()],)
            except KeyError:
                raise MoleculeError(_refusal(text, molecule)) from None
            # The hydrogens that RDKit only counts, where and in the order in which its slower AddHs puts them.
            for i, hydrogens in enumerate([atom.GetTotalNumHs() for atom in molecule.GetAtoms()]):
                for _ in range(hydrogens):
                    elements.append(0)
                    ends += (i, atoms, atoms, i)
                    bonds += (0, 0)
                    atoms += 1
            atom_ptr.append(len(elements))
            edge_ptr.append(len(bonds))
    return Molecules(
        element=torch.tensor(elements, dtype=torch.uint8),
        edge_index=torch.tensor(ends, dtype=torch.int16).view(-1, 2).T.contiguous(),
        bond=torch.tensor(bonds, dtype=torch.uint8),
        atom_ptr=torch.tensor(atom_ptr),
        edge_ptr=torch.tensor(edge_ptr),
        y=torch.full((len(smiles),), torch.nan, dtype=torch.float64),
        smiles=smiles,
    )


def _refusal(smiles, molecule):
    elements = sorted({atom.GetSymbol() for atom in molecule.GetAtoms()} - set(ELEMENTS))
    bonds = sorted({bond.GetBondType().name for bond in molecule.GetBonds()} - set(BONDS))
    has, allowed = ("element", ELEMENTS) if elements else ("bond", BONDS)
    return f"{smiles!r} has the {has} {', '.join(elements or bonds)}, and QM9 only {', '.join(allowed)}"


@contextlib.contextmanager
def _rdkit_log():
    """Keep RDKit's messages off the terminal, and in the text buffer that this yields."""
    log = io.StringIO()
    rdBase.LogToPythonStderr()
    try:
        with contextlib.redirect_stderr(log):
            yield log
    finally:
        rdBase.LogToCppStreams()  # RDKit's default


def _from_table(table):
    """Build ``Molecules`` from rows of the raw table, in their order."""
    molecules = from_smiles(table.SMILES)
    stated = torch.tensor([json.loads(counts) for counts in table.Stoichiometry])  # [M, 5], in the order of ELEMENTS
    total = torch.tensor(table.InternalEnergy_0K_au.to_numpy())
    molecules.y = HARTREE * (total - stated.double() @ torch.tensor(ATOM_ENERGY, dtype=torch.float64))
    molecules.disagreeing = tuple(table.XYZ_file[(molecules.composition != stated).any(1).numpy()])
    return molecules


def cache_path():
    """Return where ``load`` keeps the whole set: the name holds all that its content depends on."""
    versions = "-".join(f"{name}{metadata.version(name)}" for name in ("qm9pack", "rdkit"))
    return data.data_root() / "cache" / f"molecules-format{CACHE_FORMAT}-{versions}.bin"


def _write_cache(path, molecules):
    """Write a SHA-256 digest and then safetensors, as one file that is there whole or not at all."""
    tensors = {name: getattr(molecules, name) for name in TENSORS}
    names = {"smiles": json.dumps(molecules.smiles), "disagreeing": json.dumps(molecules.disagreeing)}
    content = safetensors.save(tensors, names)
    try:
        files.write(path, hashlib.sha256(content).digest() + content)
    except OSError as error:
        warnings.warn(f"the molecules cannot be kept for the next time in {path}: {error.strerror}", stacklevel=3)


def _read_cache(path):
    """Return the molecules of a cache file; None when there is none, and with a warning when it is of no use."""
    try:
        stored = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        stored = b""
    if hashlib.sha256(stored[32:]).digest() != stored[:32]:
        warnings.warn(f"{path} is damaged or may not be read; the molecules are built anew", stacklevel=3)
        return None
    header = json.loads(stored[40 : 40 + int.from_bytes(stored[32:40], "little")])  # safetensors' own, with our names
    names = {name: json.loads(text) for name, text in header["__metadata__"].items()}
    return Molecules(**safetensors.load(stored[32:]), smiles=names["smiles"], disagreeing=tuple(names["disagreeing"]))


def split(n, seed):
    """Split the indices of n molecules at random into training, validation and test set: three int64 tensors.

    All of QM9 gives 100,000, 10,000 and the remaining 20,831; fewer molecules are split in the same proportions.
    Raises ValueError for fewer than 14.
    """
    if n < 14:
        raise ValueError(f"{n} molecules are too few to split: one of the sets would be empty")
    order = torch.from_numpy(np.random.RandomState(seed).permutation(n))
    return order.tensor_split([n * 100_000 // 130_831, n * 110_000 // 130_831])


@dataclass(frozen=True)
class Standardizer:
    """The z-score of energies: to zero mean and unit variance over the molecules it was made from."""

    mean: float
    std: float

    @classmethod
    def of(cls, y):
        """Take mean and standard deviation from ``y`` (eV): the training split's, for what a model may know.

        Raises ValueError when ``y`` is no tensor of finite floating-point numbers, of which two differ.
        """
        if not (y.is_floating_point() and len(y) and y.isfinite().all() and y.min() < y.max()):
            raise ValueError("the z-score needs finite energies of which two differ: those of the training split")
        return cls(y.mean().item(), y.std(correction=0).item())

    def standardize(self, y):
        return (y - self.mean) / self.std

    def restore(self, z):
        return z * self.std + self.mean


def fit_composition(composition, y):
    """Fit ``y`` [n] as a linear function of ``composition`` [n, 5] by least squares: five slopes and an intercept."""
    return torch.linalg.lstsq(_with_ones(composition), y.double()[:, None]).solution[:, 0]


def composition_baseline(molecules, train):
    """Predict all energies (float64 [M], eV) from the composition alone, fitted to the molecules ``train``.

    The order of the atoms cannot matter to it: its error is what every network must beat.
    """
    return _with_ones(molecules.composition) @ fit_composition(molecules.composition[train], molecules.y[train])


def _with_ones(composition):
    return torch.nn.functional.pad(composition.double(), (0, 1), value=1.0)


def permute_atoms(batch, generator):
    """Return the molecules of ``batch``, which stays as it is, with the atoms of each in a random order, edges too."""
    order = torch.randperm(batch.num_nodes, generator=generator).to(batch.x.device)
    order = order[batch.batch[order].argsort(stable=True)]  # shuffled, and each molecule's atoms together again
    new_label = order.argsort()
    permuted = copy.copy(batch)
    permuted.x = batch.x[order]
    permuted.edge_index = new_label[batch.edge_index]
    return permuted
