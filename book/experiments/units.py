# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Experiment: single units
#
# What does one unit of a trained network follow in a text? This notebook lets the small network of
# {doc}`/experiments/text` read the part of a book that it was not trained on, and asks of every unit how well a
# threshold on it alone tells what stands in the text. {doc}`/rnn/units` says what comes of it.
#
# The record below is that of the full run, on *Sherlock Holmes*; the cells after it rehearse the same on the end of the
# King James Bible, which ships with the book, and which the network has never read at all.

# %% tags=["parameters"]
profile = "smoke"
seed = 0
run = "smoke"
book = "bible"  # or "sherlock", which the network was trained on

# %% tags=["set-up"]
import time

from helpers import data, display, files, parameters, records, runs
from helpers.rnn import text, units

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

settings = parameters.check(
    globals(),
    profile=("smoke", "full"),
    seed=range(2**31),
    run=str,
    book=data.BOOKS,
)
display.use_book_style()
this_run = runs.Run("units", settings)
begun = time.perf_counter()

# %% [markdown]
# ## What the full runs gave
#
# `make rerun EXPERIMENT=units` makes this record. A score is the mean of two parts: of the places where the thing is
# there, how many the unit tells, and of the others, how many it tells. So 0.5 is what guessing gives.

# %% tags=["hide-input", "nbval-ignore-output"]
made = profile == "smoke" and records.path_of("units", "sherlock").exists()


def draw_full_run(followed):
    figures, (ax,) = display.panels((4.2, 2.6))
    places = np.arange(len(followed))
    kinds = (
        ("score", "best unit", "o"),
        ("untrained_score", "of an untrained network", "s"),
    )
    for key, label, marker in kinds:
        scores = [told[key] for told in followed.values()]
        ax.plot(scores, places, linestyle="", marker=marker, label=label)
    ax.axvline(0.5, color=display.INK, lw=0.9, ls=":")
    ax.set(yticks=places, yticklabels=list(followed), xlabel="score elsewhere")
    ax.invert_yaxis()
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.3), ncols=2)
    return figures


if made:
    display.show(
        draw_full_run(records.load("units", "sherlock")["metrics"]["followed"]),
        alt="Scores, where nothing was chosen, of the best unit for each thing that "
        "was asked about, and of the best unit of a network that was never trained.",
        caption="Dotted is what guessing gives.",
    )
    display.table(
        {
            "followed": name,
            "best unit": told["unit"],
            "where chosen": f"{told['chosen']:.3f}",
            "elsewhere": f"{told['score']:.3f}",
            "untrained": f"{told['untrained_score']:.3f}",
            "shifted": f"{np.mean(told['shifted_scores']):.3f}",
        }
        for name, told in records.load("units", "sherlock")["metrics"][
            "followed"
        ].items()
    )

# %% [markdown]
# ## A rehearsal
#
# ### Reading
#
# The last twentieth of the book is read in one go. The 256 characters before it only make the state.

# %%
LEAD, BLOCK = 256, 1000
pages = data.book(book)
cut = len(pages) - len(pages) // 20
if profile == "smoke":
    pages = pages[: cut + 6 * BLOCK]
state, about = records.load_weights("text_sherlock_small")
vocabulary = text.Vocabulary(about["characters"])
trained = text.TextGenerationModel(**about["network"])
trained.load_state_dict(state)
torch.manual_seed(seed)
untrained = text.TextGenerationModel(**about["network"])


@torch.no_grad()
def read(network):  # → h [N, H], after each character of the held-out part
    characters = vocabulary.encode(pages[cut - LEAD :])
    h, _ = network.lstm(network.embedding(characters[:, None]))
    return h[LEAD:, 0].numpy()


h, h_untrained = read(trained), read(untrained)
labels = {name: told[cut:] for name, told in units.features(pages).items()}
print(f"{len(h):,} characters, {h.shape[1]} units")

# %% [markdown]
# ### Choosing and scoring
#
# The text is cut into blocks of 1,000 characters. Unit, threshold and sign are chosen on every second block, and scored
# on those between. Two controls go the same way: a network with the weights that it was made with, and labels that are
# shifted along the text, so that they no longer belong to it and hang together as before. Beside them stands what all
# units can tell together, by logistic regression.

# %%
SHIFTS = 20 if profile == "full" else 2
first = np.arange(len(h)) // BLOCK % 2 == 0
rng = np.random.default_rng(seed)


def choose(h, label):
    """The best unit of the first blocks; thresholds and scores of all."""
    threshold, sign, chosen = units.thresholds(h[first], label[first])
    score = units.scores(h[~first], label[~first], threshold, sign)
    return int(chosen.argmax()), threshold, sign, chosen, score


def together(h, label):
    scaler = StandardScaler().fit(h[first])
    model = LogisticRegression(class_weight="balanced", C=0.1, max_iter=1000)
    model.fit(scaler.transform(h[first]), label[first])
    yes = model.predict(scaler.transform(h[~first]))
    return (yes[label[~first]].mean() + (~yes[~label[~first]]).mean()) / 2


def follow(label):
    unit, threshold, sign, chosen, score = choose(h, label)
    other, _, _, by_chance, elsewhere = choose(h_untrained, label)
    shifted = []
    for shift in rng.integers(BLOCK, len(h) - BLOCK, size=SHIFTS):
        best, _, _, _, found = choose(h, np.roll(label, shift))
        shifted.append(round(float(found[best]), 4))
    return {
        "unit": unit,
        "threshold": round(float(threshold[unit]), 4),
        "sign": int(sign[unit]),
        "chosen": round(float(chosen[unit]), 4),
        "score": round(float(score[unit]), 4),
        "untrained_chosen": round(float(by_chance[other]), 4),
        "untrained_score": round(float(elsewhere[other]), 4),
        "shifted_scores": shifted,
        "together": round(float(together(h, label)), 4),
        "part": round(float(label[~first].mean()), 4),
        "all_chosen": np.round(chosen, 3).tolist(),
        "all_scores": np.round(score, 3).tolist(),
    }


def varies(label):
    return all(0 < part.sum() < len(part) for part in (label[first], label[~first]))


followed = {name: follow(label) for name, label in labels.items() if varies(label)}
for name, told in followed.items():
    print(f"{name:10} {told['chosen']:.3f}, elsewhere {told['score']:.3f}")

# %% tags=["hide-input", "nbval-ignore-output"]
display.show(
    draw_full_run(followed),
    alt="Scores of this run's best unit for each thing that was asked about, where "
    "nothing was chosen, and of the best unit of a network that was never trained.",
    caption="What this run found. Dotted is what guessing gives.",
)

# %% [markdown]
# ### How far back
#
# The network was trained on windows of 30 characters, its state carried from each to the next, so that no gradient
# crossed a window's start. Does it use what lies further back? At many places it reads 100 characters from elsewhere in
# the book, then the true last characters before the place, few or many, and is asked for the next.

# %%
OTHER, KEPT, FURTHEST = 100, (0, 3, 10, 20, 30, 40, 60, 120), 240
told = vocabulary.encode(pages[cut:])
place = np.arange(FURTHEST, len(told), 14 if profile == "full" else 100)
elsewhere = (place + rng.integers(1000, len(told) - 1000, len(place))) % (
    len(told) - OTHER
)


@torch.no_grad()
def cost_after(kept):  # → bits [places]
    before = np.concatenate(
        [
            elsewhere + np.arange(OTHER)[:, None],
            place + np.arange(-kept, 0)[:, None],
        ]
    )
    scores = [
        trained.output(trained.lstm(trained.embedding(told[part]))[0][-1])
        for part in np.array_split(before, max(1, len(place) // 250), axis=1)
    ]
    target = told[place]
    return torch.nn.functional.cross_entropy(
        torch.cat(scores), target, reduction="none"
    ).numpy() / np.log(2)


furthest = cost_after(FURTHEST)
added = {kept: cost_after(kept) - furthest for kept in KEPT}
reach = {
    "kept": list(KEPT),
    "added_bits": [round(float(d.mean()), 4) for d in added.values()],
    "added_bits_error": [
        round(float(d.std(ddof=1) / np.sqrt(len(d))), 4) for d in added.values()
    ],
    "num_places": len(place),
    "bits": round(float(furthest.mean()), 4),
    "furthest": FURTHEST,
}
for kept, more, error in zip(
    KEPT, reach["added_bits"], reach["added_bits_error"], strict=True
):
    print(f"{kept:4} true characters: {more:+.3f} ± {error:.3f} bits")

# %% [markdown]
# ### Record
#
# With the scores goes one block of the text in which something is said, among those that nothing was chosen on, and
# what stands before it.

# %%
marks = [
    pages[cut + start :][:BLOCK].count('"')
    for start in range(BLOCK, len(h) - BLOCK, 2 * BLOCK)
]
start = cut + BLOCK + 2 * BLOCK * int(np.argmax(marks))
metrics = {
    "followed": followed,
    "reach": reach,
    "num_told": len(h),
    "excerpt": pages[start - LEAD : start + BLOCK],
    "lead": LEAD,
}
weights = records.WEIGHTS / "text_sherlock_small.safetensors"
path = records.save(
    "units",
    run,
    parameters=this_run.settings,
    metrics=metrics,
    seconds=time.perf_counter() - begun,
    data={book: data.checksum(data.book_path(book)), "weights": data.checksum(weights)},
    packages=["scikit-learn"],
    root=this_run.results / "records",
)
print(f"written {path.relative_to(files.PROJECT)}")
