# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Experiment: text
#
# A network reads a book, character by character, and is to tell the next one. This notebook trains an LSTM on one book,
# scores it on the book's last twentieth, which it has not read, and lets it write.
#
# {doc}`/rnn/text_generation` and {doc}`/rnn/books` compare the runs. First what came of them, and below that, cell by
# cell, how.

# %% tags=["parameters"]
profile = "smoke"
seed = 0
run = "smoke"
book = "bible"  # or "sherlock", "communist_manifesto", "grimm"
hidden = 32  # units of a layer
layers = 1
embedding = 16
window = 30  # characters that the gradient goes back through
carry = False  # the state along the text; else each window starts from a state of zero
batch_size = 32
steps = 200
learning_rate = 1e-2  # the highest
schedule = "cosine"  # or "constant"
warmup = 0.02  # the part of the steps in which the rate rises
clip = 5.0  # of the gradient's global norm
precision = "auto"  # bfloat16 where the device multiplies it, else float32; or float16
device = "auto"  # a GPU where there is one
deterministic = False  # on a GPU, the same sums in the same order
export = True  # keep the weights for other pages, in half precision

# %% tags=["set-up"]
import copy
import json
import math

from helpers import data, devices, display, files, parameters, records, runs, training
from helpers.rnn import text

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

settings = parameters.check(
    globals(),
    profile=("smoke", "full"),
    seed=range(2**31),
    run=str,
    book=data.BOOKS,
    hidden=range(1, 4097),
    layers=range(1, 9),
    embedding=range(1, 4097),
    window=range(1, 1001),
    carry=bool,
    batch_size=range(1, 10_001),
    steps=range(1, 1_000_001),
    learning_rate=parameters.Between(1e-6, 1.0),
    schedule=("cosine", "constant"),
    warmup=parameters.Between(0, 1),
    clip=parameters.Between(1e-6, 1e6),
    precision=("auto", *devices.PRECISIONS),
    device=("auto", "cpu", "cuda"),
    deterministic=bool,
    export=bool,
)
display.use_book_style()
this_run = runs.Run("text", settings)
device, precision = devices.choose(device, precision, deterministic)
training.seed_everything(seed)

# %% [markdown]
# ## What the full runs gave
#
# `make rerun EXPERIMENT=text` runs this notebook in full, once for every set of parameters in
# `book/experiments/text.yaml`, and writes a record of each. These are the records.

# %% tags=["hide-input", "nbval-ignore-output"]
made = any((records.ROOT / "text").glob("*.json"))
full = records.load("text") if made and profile == "smoke" else {}


def draw_full_runs():
    figures, axes = display.panels((3.4, 2.8), (3.4, 2.8))
    for name in data.BOOKS:
        if name in full:
            curves = full[name]["curves"]
            line = {"marker": "", "label": name.replace("_", " ")}
            axes[0].plot(curves["step"], curves["train_nats"], **line)
            axes[1].plot(curves["step"], curves["held_out_bits"], **line)
    axes[0].set(xlabel="step", ylabel="nats per character", title="read in training")
    axes[1].set(xlabel="step", ylabel="bits per character", title="held out")
    axes[0].legend()
    return figures


if full:
    display.show(
        draw_full_runs(),
        alt="What a character costs the networks of the four books over the steps, in "
        "windows of training and in the text held out: in training all fall; held out, "
        "that of the Bible falls, and those of the smaller books soon rise again.",
        caption="One layer of 1,024 units: known by heart is not understood.",
    )
    display.table(
        {
            "run": name,
            "training (nats)": f"{record['metrics']['train_nats']:.3f}",
            "held out (bits)": f"{record['metrics']['held_out_bits']:.3f}",
            "at best": f"{min(record['curves']['held_out_bits']):.3f}",
            "by counts": f"{min(record['metrics']['context_bits']):.3f}",
        }
        for name, record in full.items()
    )

# %% [markdown]
# ## A rehearsal
#
# From here on you see the notebook at work, on the first book of the Bible, with a small network and in a few seconds.
#
# ### The book
#
# The last twentieth is held out. The vocabulary is that of the whole book: what can be printed is no secret.

# %%
pages = data.book(book)
if profile == "smoke":
    pages = pages[:200_000]
if len(pages) < 40 * window:
    raise data.DataError(f"{book} has {len(pages)} characters: too few for this window")
vocabulary = text.Vocabulary(pages)
characters = vocabulary.encode(pages)
cut = len(characters) - len(characters) // 20
read, held_out = characters[:cut], characters[cut:]
print(f"{len(read):,} characters to read, {len(held_out):,} held out,")
print(f"{len(vocabulary)} different ones")

# %% [markdown]
# ### Batches
#
# A sample is a window of the book and, as its target, the same window one character on: the network is asked for the
# next character at every place and is told the true one before the next (teacher forcing). Windows start anywhere. With
# `carry` the book is cut into as many strands as a batch has samples, each step reads on where the one before stopped,
# and the state goes along; at the end of the strands the next pass begins, a few characters later and from zero.


# %%
strand = (cut - 1) // batch_size
windows_in_strand = (strand - 1) // window
if carry and not windows_in_strand:
    raise data.DataError(f"{book} is too short to be cut into {batch_size} strands")


def make_batch(step):
    if step in (0, steps // 3):
        keep_samples(step)
    if carry:
        passed, part = divmod(step, windows_in_strand)
        late = np.random.default_rng((seed, passed)).integers(strand % window + 1)
        start = torch.arange(batch_size) * strand + part * window + int(late)
    else:
        part = None
        start = np.random.default_rng((seed, step)).integers(
            cut - window, size=batch_size
        )
        start = torch.from_numpy(start)
    place = start + torch.arange(window + 1)[:, None]  # [T + 1, B]
    taken = read[place]
    # The state is multiplied by the last of these: 0 where a pass begins.
    return taken[:-1], taken[1:], torch.tensor(float(part != 0))


def cost(scores, target):
    """Of each character [T, B], in nats, of the scores [T, B, V]."""
    return F.cross_entropy(
        scores.float().flatten(0, 1), target.flatten(), reduction="none"
    ).view(target.shape)


def loss(network, batch, state=None):
    x, target, _ = batch
    scores, _ = network(x)
    return cost(scores, target).mean()


def carried_loss(network, batch, state):
    x, target, keep = batch
    scores, state = network(x, tuple(part * keep for part in state))
    return cost(scores, target).mean(), tuple(part.float() for part in state)


# %% [markdown]
# ### Network

# %%
shape = {
    "vocabulary_size": len(vocabulary),
    "embedding_size": embedding,
    "hidden_size": hidden,
    "num_layers": layers,
}
network = text.TextGenerationModel(**shape).to(device)
num_parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
print(f"{num_parameters:,} parameters")

# %% [markdown]
# ### Samples
#
# Before the first step, after a third of them and at the end the network writes 200 characters after each of five
# others: the likeliest ones, and drawn at three temperatures. All draws use the same random numbers.

# %%
LENGTH, TEMPERATURES = 200, (0.0, 0.5, 1.0, 2.0)
capitals = sorted(set(pages) & set("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), key=pages.count)
STARTS = sorted(capitals[-5:])  # the five most frequent


def write():
    return {
        start: {
            f"{temperature:g}": text.generate(
                network,
                vocabulary,
                LENGTH,
                start,
                temperature,
                text.Mulberry32(seed + number),
            )
            for temperature in TEMPERATURES
        }
        for number, start in enumerate(STARTS)
    }


def keep_samples(step):
    """Write what the network writes now, to the run's folder, where it stays."""
    path = this_run.folder / f"samples_{step}.json"
    files.write(path, json.dumps(write()))


# %% [markdown]
# ### Training
#
# Adam at a rate that rises in a line and falls along half a cosine. Now and then the network is scored on 1,024 windows
# of what it trains on, each from a state of zero, and on the text held out, with the state carried along: that text is
# cut into parts, read side by side, and before each of them stand 256 characters that only make its state.

# %%
seen_start = np.random.default_rng(seed=2**31).integers(cut - window, size=1024)
seen_place = torch.from_numpy(seen_start) + torch.arange(window + 1)[:, None]
seen = read[seen_place].to(device)  # [T + 1, 1024]

LEAD = 256
part_length = max(1000, math.ceil(len(held_out) / 64))
begin = torch.arange(cut - 1, len(characters) - 1, part_length)
# One column for each part [LEAD + L + 1, P]; where the book has ended, its last
# character, which is not scored.
place = begin + torch.arange(-LEAD, part_length + 1)[:, None]
is_told = (place[LEAD + 1 :] < len(characters)).to(device)
in_parts = characters[place.clamp(0, len(characters) - 1)].to(device)


@torch.no_grad()
def read_on(network, text):
    """Of each character of the parts but the first [L, P]: cost, and whether the
    likeliest one was right."""
    costs, right, state = [], [], None
    for start in range(0, len(text) - 1, 250):  # so that the scores need little memory
        x, target = text[start:][:250][: len(text) - 1 - start], text[start + 1 :][:250]
        with devices.autocast(device, precision):
            scores, state = network(x, state)
        costs.append(cost(scores, target))
        right.append(scores.argmax(2) == target)
    return torch.cat(costs), torch.cat(right)


def bits_held_out(network):
    costs, right = read_on(network, in_parts)
    bits = costs[LEAD:].T[is_told.T] / math.log(2)  # in the order of the text
    return bits.double().cpu().numpy(), right[LEAD:][is_told].double().mean().item()


def validate(network):
    costs, right = read_on(network, seen)
    bits, accuracy = bits_held_out(network)
    return {
        "train_nats": costs.mean().item(),
        "train_accuracy": right.double().mean().item(),
        "held_out_bits": bits.mean(),
        "held_out_accuracy": accuracy,
    }


zero = torch.zeros(layers, batch_size, hidden, device=device)
optimizer = torch.optim.Adam(
    [p for p in network.parameters() if p.requires_grad], lr=learning_rate, fused=True
)
trained = training.fit(
    this_run,
    network,
    carried_loss if carry else loss,
    make_batch,
    optimizer,
    steps=steps,
    validate=validate,
    validate_every=max(1, steps // 20),
    carry=(zero, zero) if carry else None,
    schedule=getattr(training, schedule),
    warmup=round(warmup * steps),
    clip=clip,
    precision=precision,
    log_every=100,
)


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_curves(curves):
    figures, axes = display.panels((3.4, 2.8), (3.4, 2.8))
    bits = [nats / math.log(2) for nats in curves["train_nats"]]
    axes[0].plot(curves["step"], bits, label="read in training")
    axes[0].plot(curves["step"], curves["held_out_bits"], label="held out")
    axes[0].set(xlabel="step", ylabel="bits per character")
    axes[0].legend()
    axes[1].plot(curves["step"], curves["train_accuracy"], label="read in training")
    axes[1].plot(curves["step"], curves["held_out_accuracy"], label="held out")
    axes[1].set(xlabel="step", ylabel="accuracy")
    return figures


display.show(
    draw_curves(trained.curves),
    alt="Over the steps of this run: bits per character and accuracy, in training and "
    "held out.",
    caption="What a character costs, and how often the likeliest one is right.",
)

# %% [markdown]
# ### Test
#
# The cost of the text held out, with the state carried. Costs of neighbours go together: the standard error is that of
# the means of blocks of 100 characters.
#
# Then the same text in pieces of 240 characters, each from a state of zero: what does the $k$-th character after
# such a start cost, and does it pay to have read more than one window of training?
#
# Beside it stands what counts of the training text alone give, in contexts of 0 to 7 characters.

# %%
BLOCK, PIECE = 100, 240


def mean_and_error(values):
    """The mean, and its standard error, of rows of values that are independent."""
    return values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))


bits, held_out_accuracy = bits_held_out(network)
blocks = bits[: len(bits) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(1)
_, error = mean_and_error(blocks)

count = (len(held_out) - 1) // PIECE
pieces = held_out[torch.arange(count) * PIECE + torch.arange(PIECE + 1)[:, None]]
costs = [read_on(network, part)[0] for part in pieces.to(device).split(500, dim=1)]
by_place = torch.cat(costs, dim=1).T.double().cpu().numpy() / math.log(2)
place_mean, place_error = mean_and_error(by_place)

context_bits = text.context_bits(read, held_out, 7, len(vocabulary)).mean(1)
print(f"held out: {bits.mean():.3f} ± {error:.3f} bits per character")
print(f"by counts: {context_bits.min():.3f}")


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_places():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    smooth = np.convolve(place_mean, np.ones(10) / 10, "valid")  # [PIECE - 9]
    ax.plot(np.arange(len(smooth)) + 5.5, smooth, marker="")
    ax.axvline(window, color="gray", linestyle=":")
    ax.set(xlabel="characters read since the start", ylabel="bits per character")
    return fig


display.show(
    draw_places(),
    alt="Bits per character against the number read since a state of zero, with a line "
    "at the length of a window.",
    caption="What a character costs after so many others: means over ten neighbouring "
    "places. The dotted line ends a window of training.",
)

# %% [markdown]
# ### What it writes

# %% tags=["nbval-ignore-output"]
stages = {
    name: json.loads((this_run.folder / f"samples_{step}.json").read_text())
    for name, step in (("start", 0), ("third", steps // 3))
}
stages["end"] = write()
for temperature in TEMPERATURES:
    print(f"at temperature {temperature:g}:")
    print(repr(STARTS[0] + stages["end"][STARTS[0]][f"{temperature:g}"][:60]))

# %% [markdown]
# ### Weights
#
# They stay in the run's folder. Those that other pages use are kept beside the record as well, in half precision.

# %%
about = {
    "network": shape,
    "characters": vocabulary.characters,
    "book": book,
    "run": run,
}
about |= {"held_out_bits": bits.mean()}
records.save_weights("model", network, about, root=this_run.folder)
if export:
    root = this_run.results / "weights"
    records.save_weights(f"text_{run}", copy.deepcopy(network).half(), about, root=root)

# %% [markdown]
# ### Record
#
# A run of the list, in full, writes to the book's `records/` and `weights/`; any other, with parameters of yours, to
# the same folders under `build/`.

# %%
metrics = {name: trained.curves[name][-1] for name in ("train_nats", "train_accuracy")}
metrics |= {"held_out_bits": bits.mean(), "held_out_bits_error": error}
metrics |= {"held_out_accuracy": held_out_accuracy}
metrics |= {"bits_by_place": np.round(place_mean, 4).tolist()}
metrics |= {"bits_by_place_error": np.round(place_error, 4).tolist()}
metrics |= {"context_bits": context_bits.tolist(), "samples": stages}
metrics |= {"num_parameters": num_parameters, "num_characters": len(vocabulary)}
metrics |= {"num_read": len(read), "num_held_out": len(held_out)}
metrics |= {"computed_in": precision}
checksum = {book: data.checksum(data.book_path(book))}
path = this_run.record(metrics, trained, data=checksum)
print(f"written {path.relative_to(files.PROJECT)}")
