# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Experiment: the energy of a molecule
#
# How much energy holds a molecule together, told from its atoms and bonds alone? This notebook trains one network on
# that question and scores it, once on the test molecules as they come and once with their atoms in another order.
# {doc}`/gnn/molecules` and {doc}`/gnn/molecule_networks` say what the models are and compare the runs; here is what
# each of them did, and below that, cell by cell, how.

# %% tags=["parameters"]
profile = "smoke"
seed = 0
run = "smoke"
model = "gnn"  # "mlp", or "mlp_composition": the MLP that starts from numbers of atoms
hydrogens = "nodes"  # of the GNN's graphs, or "folded" into the atoms that carry them
hidden = 64  # units per layer
layers = 3  # of the MLP
blocks = 2  # of the GNN
pooling = "sum"  # of the GNN, from atoms to molecule
residual = True  # of the GNN: each block adds to what it gets
norm = "batch"  # of the GNN, before each block
composition = True  # of the GNN: it starts from least squares on the numbers of atoms
walks = 0  # of the GNN: its atoms know how likely so many random walks come back
augment = False  # permute the atoms of every molecule anew, each time it is trained on
train_max_atoms = 29  # larger molecules are left out of training and scored apart
epochs = 2
batch_size = 128
learning_rate = 3e-3
schedule = "cosine"
device = "auto"  # a GPU where there is one
deterministic = False  # on a GPU, the same sums in the same order
weights = "qm9_gnn"  # the name under which other pages find them, or None

# %% tags=["set-up"]
import hashlib

from helpers import devices, display, files, parameters, records, runs, training
from helpers.gnn import folding, molecules
from helpers.gnn.molecule_models import MoleculeGNN, MoleculeMLP

import torch

settings = parameters.check(
    globals(),
    profile=("smoke", "full"),
    seed=range(2**31),
    run=str,
    model=("gnn", "mlp", "mlp_composition"),
    hydrogens=("nodes", "folded"),
    hidden=range(1, 4097),
    layers=range(1, 33),
    blocks=range(1, 33),
    pooling=("sum", "mean", "max"),
    residual=bool,
    norm=("layer", "batch", None),
    composition=bool,
    walks=range(33),
    augment=bool,
    train_max_atoms=range(9, 30),
    epochs=range(1, 1001),
    batch_size=range(1, 10_001),
    learning_rate=parameters.Between(1e-6, 1.0),
    schedule=("cosine", "constant"),
    device=("auto", "cpu", "cuda"),
    deterministic=bool,
    weights=("qm9_gnn", "qm9_folded", None),
)
display.use_book_style()
this_run = runs.Run("qm9", settings)
device, _ = devices.choose(device, "float32", deterministic)
training.seed_everything(seed)

# %% [markdown]
# ## What the full runs gave
#
# `make rerun EXPERIMENT=qm9` runs this notebook in full, on 130,831 molecules, once for every set of parameters in
# `book/experiments/qm9.yaml`, and writes a record of each. These are the records. A full run of yours with the same
# parameters should come near them; on a processor of the same kind, with as many threads, it gives the same numbers.

# %% tags=["hide-input", "nbval-ignore-output"]
full = records.load("qm9") if profile == "smoke" else {}


def draw_full_runs():
    figures, (ax,) = display.panels((4.2, 2.8))
    kinds = ("gnn", "mlp", "mlp_permuted", "folded", "mlp_composition")
    styles = ("-", "--", ":", "-.", (0, (6, 1)))
    for kind, color, style in zip(kinds, display.COLORS, styles, strict=False):
        for name, made in full.items():
            if name.rpartition("_")[0] == kind:
                errors = made["curves"]["validation_mae_mev"]
                label = kind.replace("_", ", ") if name.endswith("_0") else None
                line = {"color": color, "linestyle": style, "marker": ""}
                ax.plot(range(1, len(errors) + 1), errors, label=label, **line)
    ax.set(xlabel="epoch", ylabel="validation error (meV)", yscale="log")
    ax.figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figures


if full:
    display.show(
        draw_full_runs(),
        alt="The validation error of the full runs over their epochs, on a "
        "logarithmic axis: that of the graph networks with folded hydrogens, "
        "dash-dotted, ends lowest; that of the others, solid, above it; that of the "
        "MLPs, dashed, at more than twice as much; that of the MLPs which start from the "
        "composition, in long dashes, between these; that of the MLP that was trained on "
        "permuted atoms, dotted, highest by far.",
        caption="The graph networks end lowest, those with folded hydrogens after twice "
        "as many epochs; the MLP that is shown the atoms in ever new orders (one seed) "
        "ends highest. Batches and rates differ too.",
    )
    display.table(
        {
            "run": name,
            "error (meV)": f"{made['metrics']['test_mae_mev']:.1f}",
            "atoms permuted": f"{made['metrics']['test_permuted_mae_mev']:.1f}",
            "epochs": made["parameters"]["epochs"],
            "minutes": f"{made['provenance']['seconds'] / 60:.0f}",
            "threads": made["provenance"]["threads"],
        }
        for name, made in full.items()
    )

# %% [markdown]
# ## A rehearsal
#
# From here on you see the notebook at work, on 2,000 molecules and in a few seconds: enough to see every line work, and
# too little to learn much.
#
# ### Molecules
#
# The split is the same for every run, whatever its seed, so that runs differ by their training alone and no model
# is ever trained on a molecule that another one is tested on. The networks see energies as z-scores, with the mean and
# the standard deviation of the training split.

# %%
qm9 = molecules.load(limit=2_000 if profile == "smoke" else None)
train, validation, test = molecules.split(len(qm9), seed=0)
large = qm9.num_atoms > train_max_atoms
larger = large.nonzero().squeeze(1)
train, validation, test = (index[~large[index]] for index in (train, validation, test))
z_score = molecules.Standardizer.of(qm9.y[train])
graphs = folding.fold(qm9) if hydrogens == "folded" else qm9
print(f"{len(train):,} molecules to train on, {len(validation):,} to validate,")
print(f"{len(test):,} to test, {len(larger):,} larger than any of these")


# %% [markdown]
# An epoch takes every molecule of the training split once, in batches. With `augment`, each time that a molecule is
# taken its atoms are numbered anew.


# %%
def make_batch(index):
    batch = graphs.batch(train[index])
    return molecules.permute_atoms(batch, generator=None) if augment else batch


def loss(network, batch):
    return torch.nn.functional.mse_loss(network(batch), z_score.standardize(batch.y))


# %% [markdown]
# ### Network

# %%
if model == "gnn":
    names = ("hidden", "blocks", "pooling", "residual", "norm", "composition", "walks")
    architecture = {name: settings[name] for name in names}
    network = MoleculeGNN(**architecture)
else:
    starts = model == "mlp_composition"
    architecture = {"hidden": hidden, "layers": layers, "composition": starts}
    network = MoleculeMLP(**architecture)
if network.composition is not None:
    z = z_score.standardize(qm9.y[train])
    network.start_from(molecules.fit_composition(qm9.composition[train], z))
network = network.to(device)
num_parameters = sum(p.numel() for p in network.parameters())
print(f"{model}: {num_parameters:,} parameters")


# %% [markdown]
# ### Training
#
# After each epoch the network is scored on the validation molecules: by the mean of $z^2$, the squared error of the
# z-scored energy, and by the mean absolute error in meV. The optimiser is Adam, its steps as long as the schedule says.


# %%
@torch.no_grad()
def predict(network, index, permute_with=None):
    """Energies (eV) of the molecules `index`; with a generator, atoms shuffled."""
    predicted = []
    for part in index.split(1000):
        batch = graphs.batch(part)
        if permute_with is not None:
            batch = molecules.permute_atoms(batch, permute_with)
        predicted.append(network(batch.to(device)).double().cpu())
    return z_score.restore(torch.cat(predicted))


def score(predicted, index):
    """Mean z²; in meV the mean absolute error, its median, the root mean square."""
    error = predicted - qm9.y[index]
    return {
        "z2": (error / z_score.std).square().mean().item(),
        "mae_mev": 1000 * error.abs().mean().item(),
        "median_mev": 1000 * error.abs().median().item(),
        "rmse_mev": 1000 * error.square().mean().sqrt().item(),
    }


def validate(network):
    scores = score(predict(network, validation), validation)
    return {f"validation_{measure}": value for measure, value in scores.items()}


optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
batches = training.Epochs(make_batch, len(train), batch_size, seed)
steps = epochs * len(batches)
trained = training.fit(
    this_run,
    network,
    loss,
    batches,
    optimizer,
    steps=steps,
    validate=validate,
    validate_every=len(batches),
    schedule=getattr(training, schedule),
    warmup=steps // 10,
    clip=1.0,
    precision="float32",  # one part in 2,000 is more than bfloat16 can tell
)


# %% tags=["hide-input"]
def draw_curves(curves):
    figures, axes = display.panels((3.4, 2.8), (3.4, 2.8))
    counted = [step / len(batches) for step in curves["step"]]
    axes[0].plot(counted, curves["train_loss"], label="training")
    axes[0].plot(counted, curves["validation_z2"], label="validation")
    axes[0].set(xlabel="epoch", ylabel="mean $z^2$", yscale="log")
    axes[0].legend()
    axes[1].plot(counted, curves["validation_mae_mev"])
    axes[1].set(xlabel="epoch", ylabel="validation error (meV)")
    for ax in axes:
        ax.xaxis.get_major_locator().set_params(integer=True)
    return figures


alt = (
    "Over the epochs of this run: z squared in training and validation, and the error "
    "in meV."
)
caption = (
    "Training scores the molecules that are learned from; validation others, which "
    "tell what was understood."
)
display.show(draw_curves(trained.curves), alt=alt, caption=caption)

# %% [markdown]
# ### Test
#
# The weights are those of the last epoch, chosen before anything was seen of the test molecules. These are scored as
# they come, and with the atoms of each in a random order: the energies to be predicted stay what they are. The number
# to beat is that of least squares on the composition, which knows how many atoms of each element there are and no bond.

# %% tags=["nbval-ignore-output"]
scored = torch.cat([test, larger])  # `larger` is empty where training left out no size
predicted = predict(network, scored)
permuted = predict(network, test, permute_with=torch.Generator().manual_seed(0))
least_squares = molecules.composition_baseline(qm9, train)
sets = {
    "test": score(predicted[: len(test)], test),
    "test_permuted": score(permuted, test),
    "train": score(predict(network, train), train),
    "composition": score(least_squares[test], test),
}
if len(larger):
    sets["larger"] = score(predicted[len(test) :], larger)
    sets["larger_composition"] = score(least_squares[larger], larger)
for name, scores in sets.items():
    print(f"{name:18} z² {scores['z2']:.5f}   error {scores['mae_mev']:7.1f} meV")

by_size = {}
for n in qm9.num_atoms[scored].unique().tolist():
    chosen = qm9.num_atoms[scored] == n
    by_size[n] = score(predicted[chosen], scored[chosen])["mae_mev"]

# %% [markdown]
# ### Weights
#
# The weights stay in the run's folder. Those that other pages use are kept beside the record as well, with what it
# takes to build the network again and to turn its z-scores into energies.

# %%
about = {"architecture": architecture, "run": run}
about |= {"mean": z_score.mean, "std": z_score.std}
records.save_weights("model", network, about, root=this_run.folder)
if weights:
    root = this_run.results / "weights"
    records.save_weights(weights, network, about, root=root)

# %% [markdown]
# ### Record
#
# A run of the list, in full, writes to the book's `records/` and `weights/`; any other, with parameters of yours, to
# the same folders under `build/`.

# %%
metrics = {"mae_mev_by_num_atoms": by_size, "num_parameters": num_parameters}
metrics |= {"num_train": len(train), "num_test": len(test), "num_larger": len(larger)}
for name, scores in sets.items():
    metrics |= {f"{name}_{measure}": value for measure, value in scores.items()}
checksum = hashlib.sha256()
for name in ("element", "edge_index", "bond", "atom_ptr", "y"):
    checksum.update(getattr(qm9, name).numpy().tobytes())
path = this_run.record(
    metrics,
    trained,
    data={"molecules": checksum.hexdigest()},
    packages=("torch-geometric", "rdkit", "qm9pack"),
)
print(f"written {path.relative_to(files.PROJECT)}")
