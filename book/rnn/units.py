# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What single units follow
#
# Four hundred numbers are all that the small network of {doc}`text_generation` keeps of *Sherlock Holmes* while it
# reads. Does one of them, by itself, say something that you could put into words: that a word begins, that a line is
# nearly full? And how do you find out without fooling yourself, with four hundred to choose from?
#
# Here the network reads a page from the end of the book, which it was not trained on. The curve below each line is the
# output $h$ of one unit after each character. A bar marks where it is beyond a threshold; whose thresholds, you see
# below.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from itertools import combinations

from helpers import display, exercises, parameters, records, verify
from helpers.rnn import text, units

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import ks_2samp

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
record = records.load("units", "sherlock")["metrics"]
followed, reach = record["followed"], record["reach"]
WORDS = {
    "line": "35 or more into the line",
    "quotation": "inside a quotation",
    "sentence": "60 or more into the sentence",
    "word": "4 letters or more into a word",
    "capital": "in a word with a capital",
    "vowel": "a vowel was read",
}


# %% tags=["hide-input"]
def read_page():  # → the page, and h [N, 400] after each of its characters
    state, about = records.load_weights("text_sherlock_small")
    network = text.TextGenerationModel(**about["network"])
    network.load_state_dict(state)
    characters = text.Vocabulary(about["characters"]).encode(record["excerpt"])
    with torch.no_grad():
        h, _ = network.lstm(network.embedding(characters[:, None]))
    return record["excerpt"][record["lead"] :], h[record["lead"] :, 0].numpy()


page, h = read_page()
SHOWN = {
    f"{followed[name]['unit']} ({name})": name
    for name in ("line", "vowel", "capital", "word")
}


def draw_page(shown, width=42, rows=7):
    start = page.index("\n") + 1
    told = followed[SHOWN[shown]]
    fig, ax = plt.subplots(figsize=(4.2, 3.7))
    for row in range(rows):
        part = slice(start + row * width, start + (row + 1) * width)
        values, base = h[part, told["unit"]], -2.0 * row
        x = np.arange(len(values)) + 0.5
        curve = {"step": "mid", "color": display.COLORS[0], "lw": 0}
        ax.fill_between(x, base - 0.65, base - 0.65 + values * 0.3, **curve)
        yes = told["sign"] * values > told["sign"] * told["threshold"]
        for place in np.flatnonzero(np.diff(yes, prepend=False) & yes):
            stretch = np.argmin(np.append(yes[place:], False))
            bar = {"marker": "", "ls": "-", "lw": 2.5, "color": display.COLORS[1]}
            ax.plot([place, place + stretch], [base - 0.18] * 2, **bar)
        for place, character in enumerate(page[part].replace("\n", "↵")):
            if character != " ":
                ax.text(place + 0.5, base, character, fontsize=10, ha="center")
    ax.set(xlim=(0, width), ylim=(-2 * rows + 0.9, 1))
    ax.axis("off")
    return fig


display.slider(
    draw_page,
    list(SHOWN),
    label="unit",
    alt=lambda shown: (
        f"Seven rows of text from the book, with the output of unit {shown} as a "
        f"curve "
        "below each, and bars under the characters where it is beyond its threshold: "
        + {
            "line": "it rises from the end of one line of the book towards the next.",
            "vowel": "mostly under vowels.",
            "capital": "mostly under words with a capital.",
            "word": "mostly towards the ends of words.",
        }[SHOWN[shown]]
    ),
    caption="Four units, each with what it tells best among six things that were asked "
    "about. ↵ ends a line of the book.",
)

# %% [markdown]
# ## Six characters, by hand
#
# A unit has the outputs 0.9, 0.2, 0.7, 0.1, 0.4, 0.3 after six characters; a vowel had been read at the first, third
# and fifth. Say *vowel* where the output is above 0.5: of three vowels two are told (0.9 and 0.7), of three others all
# three. The score is the mean of the two parts, $(\frac23 + 1)/2 = 0.83$. At a threshold of 0.35 all three vowels are
# told and no other: the score is 1.
#
# Why the mean of two parts and not the share of right answers? One character in fourteen or so stands in a word with a
# capital. Who always says no is right nearly always, and has the score $(0 + 1)/2 = 0.5$.
#
# ## The best threshold
#
# Let $F_{\text{yes}}(\theta)$ be the part of the places with the label whose output is at most $\theta$, and
# $F_{\text{no}}(\theta)$ that of the others. Saying yes above $\theta$ tells $1 - F_{\text{yes}}$ of the ones and
# $F_{\text{no}}$ of the others, so it scores $\frac12 (1 + F_{\text{no}} - F_{\text{yes}})$; saying yes below scores
# $\frac12 (1 + F_{\text{yes}} - F_{\text{no}})$. Take the better of the two, at the best place:
#
# $$
# \max_{\theta, \pm} \text{score}
# = \tfrac12 \Big( 1 + \max_\theta \big| F_{\text{no}}(\theta) - F_{\text{yes}}(\theta) \big| \Big) .
# $$ (eq-rnn-unit-score)
#
# The largest gap between two empirical distributions has a name, the statistic of Kolmogorov and Smirnov. One sort of
# the outputs gives it: walk up, add one over the number of others at each of those, take one over the number of
# labelled ones off at each of these.


# %%
def best_score(values, labels):  # [N], [N] → from 1/2 to 1
    order = np.argsort(values)
    steps = np.where(labels, -1 / labels.sum(), 1 / (~labels).sum())[order]
    gap = np.cumsum(steps)  # F_no − F_yes at each value
    ends = np.append(np.diff(values[order]) > 0, True)  # not between equal values
    return (1 + np.abs(gap[ends]).max()) / 2


values = np.array([0.9, 0.2, 0.7, 0.1, 0.4, 0.3])
print(f"{best_score(values, np.array([1, 0, 1, 0, 1, 0], bool)):.2f}")


# %% tags=["hide-input"]
def draw_six():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    for i, (name, few) in enumerate((("no", values[1::2]), ("yes", values[::2]))):
        theta = np.append(0, np.sort(few))
        share = np.arange(4) / 3
        style = {"color": display.COLORS[i], "ls": ("-", "--")[i]}
        label = rf"$F_\mathrm{{{name}}}$"
        ax.step([*theta, 1], [*share, 1], where="post", marker="", label=label, **style)
        ax.plot(theta[1:], share[1:], marker="os"[i], ls="", color=style["color"])
    for theta, below in ((0.35, 0), (0.5, 1 / 3)):
        arrow = {"arrowstyle": "<->", "color": display.INK}
        ax.annotate("", (theta, 1), (theta, below), arrowprops=arrow)
    ax.set(xlabel=r"$\theta$", ylabel="share at most $θ$", ylim=(-0.05, 1.1))
    ax.legend(frameon=False, loc="lower right")
    return fig


display.show(
    draw_six(),
    alt="Two staircases over the threshold. That of the characters that are no vowels "
    "is at 1 from 0.3 on; that of the vowels rises at 0.4, 0.7 and 0.9. Arrows show "
    "the gap between them: all of the height at 0.35, two thirds of it at 0.5.",
    caption="The six characters from above. The gap between the two is largest where "
    "the best threshold is; at 0.5 it is two thirds, and the score 0.83.",
)


# %% tags=["check"]
def cases():
    for n, kinds in ((6, 6), (50, 5), (300, 300), (300, 20)):
        values = rng.integers(kinds, size=n) + 0.5 * rng.random(kinds)[0]
        labels = np.append(rng.random(n - 2) < 0.3, [True, False])
        gap = ks_2samp(values[labels], values[~labels]).statistic
        yield best_score(values, labels), (1 + gap) / 2
        tried = [
            np.mean([(values > t)[labels].mean(), (values <= t)[~labels].mean()])
            for t in values
        ]
        yield best_score(values, labels), max(*tried, *(1 - np.array(tried)))
        yield (
            best_score(values, labels),
            units.thresholds(values[:, None], labels)[2][0],
        )


verify.equal("eq-rnn-unit-score", cases(), atol=1e-12, against="SciPy; all thresholds")

# %% [markdown]
# ## The best of four hundred
#
# Score four hundred units and keep the best one. How good must its score be to mean anything? Let $S_u$ be the score of
# unit $u$ on the characters you happened to take. Each $S_u$ is at most the maximum, so its mean is at most the mean of
# the maximum, for every $u$:
#
# $$
# \mathbb{E} \max_u S_u \;\ge\; \max_u \mathbb{E} S_u ,
# $$ (eq-rnn-best-of-many)
#
# and the difference can be all there is. Below, units that know nothing (random numbers, with neighbours that go
# together, as outputs do) are scored on 2,000 places, and the winner once more on 2,000 others.


# %%
def know_nothing(
    count, n, generator
):  # → [n, count], each a chain: correlation 0.95 between neighbours
    values = generator.standard_normal((n, count))
    for i in range(1, n):
        values[i] = 0.95 * values[i - 1] + np.sqrt(1 - 0.95**2) * values[i]
    return values


def winners(counts, n=2000):  # → scores where chosen, scores elsewhere
    generator = np.random.default_rng(seed)
    values = know_nothing(max(counts), 2 * n, generator)
    labels = know_nothing(1, 2 * n, generator)[:, 0] > 0
    threshold, sign, chosen = units.thresholds(values[:n], labels[:n])
    elsewhere = units.scores(values[n:], labels[n:], threshold, sign)
    best = [chosen[:count].argmax() for count in counts]
    return chosen[best], elsewhere[best]


# %% tags=["hide-input"]
def draw_winners():
    counts = [1, 3, 10, 30, 100, 400]
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    chosen, elsewhere = winners(counts)
    ax.plot(counts, chosen, label="where it was chosen")
    ax.plot(counts, elsewhere, label="elsewhere")
    ax.axhline(0.5, color=display.INK, ls=":")
    ax.set(
        xscale="log",
        xlabel="units to choose from",
        ylabel="score of the best",
        ylim=(0.35, 0.85),
    )
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.legend()
    return fig


display.show(
    draw_winners(),
    alt="Score of the best of 1 to 400 random units. Where it was chosen the score "
    "rises with their number; elsewhere it stays around one half.",
    caption="None of these units knows anything. One draw.",
)


# %% tags=["check"]
def holds():
    values = rng.standard_normal((6, 5))
    for label in (1, 2, 3):  # all ways to label so many of six places
        chosen = []
        for places in combinations(range(6), label):
            labels = np.isin(np.arange(6), places)
            chosen.append([best_score(column, labels) for column in values.T])
        chosen = np.array(chosen)  # [labellings, units]
        yield chosen.max(1).mean() > chosen.mean(0).max()


verify.holds("eq-rnn-best-of-many", all(holds()), against="all labellings", cases=3)

# %% [markdown]
# So a unit is chosen on one part of the held-out text and scored on another: here the blocks of 1,000 characters are
# taken in turns. Two controls go the whole way, choosing included: a network of the same shape that was *never
# trained*, and the trained one with labels that are *shifted* along the text by a random distance, twenty times. What
# *all units together* tell, by logistic regression, says how much there was to tell.
#
# ## What was found


# %% tags=["hide-input"]
def span(values):
    return f"{min(values):.2f} – {max(values):.2f}"


def draw_found():
    fig, ax = plt.subplots(figsize=(4.2, 3.6))
    names = list(WORDS)
    kinds = {
        "best unit": [followed[name]["score"] for name in names],
        "never trained": [followed[name]["untrained_score"] for name in names],
        "shifted (mean)": [np.mean(followed[name]["shifted_scores"]) for name in names],
        "all together": [followed[name]["together"] for name in names],
    }
    for marker, color, (kind, found) in zip(
        "osx|", display.COLORS, kinds.items(), strict=False
    ):
        style = {"ls": "", "marker": marker, "ms": 9 if marker == "|" else 6}
        ax.plot(found, range(len(names)), color=color, label=kind, **style)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="score where nothing was chosen", xlim=(0.45, 1.02))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


display.show(
    draw_found(),
    alt="Scores for six things. Line: the best unit and all together at 0.71, "
    "untrained 0.57. Quotation: 0.61, all together the same. Sentence 0.62. Word: the "
    "best unit 0.77, that of the untrained network a little better, all together "
    "nearly 1. Capital: 0.75 against 0.68. Vowel: 0.86 against 0.68.",
    caption="The best of 400 units, chosen elsewhere in the text, beside its controls.",
)
display.table(
    {
        "whether": WORDS[name],
        "unit": told["unit"],
        "chosen at": f"{told['chosen']:.2f}",
        "score": f"{told['score']:.2f}",
        "never trained": f"{told['untrained_score']:.2f}",
        "shifted": span(told["shifted_scores"]),
        "together": f"{told['together']:.2f}",
    }
    for name, told in ((name, followed[name]) for name in WORDS)
)

# %% [markdown]
# - **Line.** One unit stands out, and it tells as much as all units together; its rivals are far behind, as you see
#   below. It is no clean counter: its output rises along the line with much scatter.
# - **Quotation.** The best is *the same unit*. A blank line ends every quotation, and at line ends and blank lines, the
#   points at 0 below, its output is high. So it tells a little of quotations by following lines. Its score fell by 0.1
#   where nothing was chosen, one of twenty shifted labels came close to it, and all units together tell no more. This
#   network follows no quotations.
# - **Word.** Here the network that was never trained has a better unit. Any state with some memory says how long ago a
#   space was read. All units together know nearly everything, and no single one does.
# - **Capital, vowel.** The trained network's best unit is better than that of the other one. But the letter has just
#   been read, and for what comes next it matters.


# %% tags=["hide-input"]
def draw_line():
    told = followed["line"]
    figures, axes = display.panels((3.3, 2.9), (3.3, 2.9))
    axes[0].plot(told["all_chosen"], told["all_scores"], ls="", ms=3)
    unit = told["unit"]
    spot = told["chosen"], told["score"]
    axes[0].annotate(
        f"unit {unit}",
        spot,
        (-6, 0),
        textcoords="offset points",
        ha="right",
        va="center",
    )
    axes[0].set(
        xlabel="score where chosen", ylabel="score elsewhere", title="line: 400 units"
    )
    column = np.array([i - page.rfind("\n", 0, i) - 1 for i in range(len(page))])
    whole = column[page.index("\n") + 1 :]
    axes[1].plot(whole, h[-len(whole) :, unit], ls="", marker="o", ms=2)
    axes[1].axhline(told["threshold"], color=display.INK, ls=":")
    axes[1].axvline(34.5, color=display.INK, lw=0.8)
    axes[1].set(
        xlabel="characters into the line",
        ylabel=f"$h$ of unit {unit}",
        title="on the page above",
    )
    return figures


display.show(
    draw_line(),
    alt="Left, scores of 400 units for the line, where chosen and elsewhere: a cloud "
    "near 0.5 in both, and one point far off, at 0.7 in both. Right, the output of "
    "that unit against the place in the line, on one page: low at the beginning of "
    "lines, and rising, with much scatter.",
    caption="One unit of 400 follows the line. Dotted is its threshold, the upright "
    "line is where the label begins.",
)

# %% [markdown]
# All of this is one network, one book and one way of cutting it. Another seed would have another unit for the line, or
# two, or none; these records do not say.
#
# (how-far-back)=
#
# ## How far back it reads
#
# That unit needs more than 30 characters of the past, and no gradient crossed the start of a window. Does the *network*
# use what lies further back? At some two thousand places of the held-out text it read 100 characters from somewhere
# else in the book, then the last $n$ true characters before the place, and was asked for the next.


# %% tags=["hide-input"]
def draw_reach():
    kept, added = np.array(reach["kept"]), np.array(reach["added_bits"])
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    for ax, first in zip(axes, (0, 2), strict=True):
        ax.errorbar(
            kept[first:], added[first:], reach["added_bits_error"][first:], capsize=2
        )
        ax.axvline(30, color=display.INK, ls=":")
        ax.axhline(0, color=display.INK, lw=0.8)
        ax.set(xlabel="true characters kept, $n$", ylabel="added bits")
    axes[1].set(title="the same from 10 on")
    return figures


display.show(
    draw_reach(),
    alt="Bits added, against n, with the same in a closer look from 10 on. It falls "
    "from several bits at n = 0 steeply, and is small from 20 on.",
    caption="What a character costs more than after 240 true ones. Dotted: the windows "
    "of training. Bars: standard errors of the paired differences.",
)
display.table(
    {
        "true characters": n,
        "added bits": f"{added:.3f} ± {error:.3f}".replace("-", "−"),
    }
    for n, added, error in zip(
        reach["kept"], reach["added_bits"], reach["added_bits_error"], strict=True
    )
)

# %% [markdown]
# Ten true characters are nearly all that it goes by. But with 30 it still pays a little more than with 240, by three
# standard errors; with 40 no difference is left that these places would show. So the network does depend on what lies
# before the window that its gradients saw, and not far, and it gains a hundredth of a bit. (It may be that the true
# past helps, or that the false one misleads: for *whether* it reaches there, that is the same.) The assignment is right
# about gradients, and nearly right about what comes of it.

# %% [markdown]
# ## What was shown
#
# - One threshold on one unit is scored by the largest gap between two distributions, {eq}`eq-rnn-unit-score`. The best
#   of many is too good where it was chosen, {eq}`eq-rnn-best-of-many`: score it elsewhere, and give controls the same
#   choice.
# - One unit of the small network follows how far the line has come, as well as all 400 together. None follows
#   quotations. How long a word has been, a unit of an untrained network tells as well.
#
# ## Exercises

# %% [markdown]
# :::{exercise} The score of a unit
# :label: ex-rnn-unit-threshold
# Write `best_threshold(values, labels)` for arrays [N] of numbers and bools: the largest score that one threshold can
# get, if the unit may say yes *above* it only. Both kinds of labels occur; values may be equal to one another. A
# threshold below all values is allowed.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-unit-threshold
# :class: dropdown
# :::
# The largest signed gap $F_{\text{no}} - F_{\text{yes}}$, or 0, which a threshold below all values gives.


# %% tags=["solution"]
def best_threshold(values, labels):
    scores = [0.5]
    for threshold in values:
        yes = values > threshold
        scores.append((yes[labels].mean() + (~yes[~labels]).mean()) / 2)
    return max(scores)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/units/best_threshold", best_threshold)

# %% [markdown]
# :::{exercise} A unit for blank lines?
# :label: ex-rnn-unit-confound
# The unit for the line was also the best for quotations. Which control would show that it does not follow quotations:
# what would you hold fixed, and what would you expect?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-unit-confound
# :class: dropdown
# :::
# Hold the place in the line fixed: compare only places, say, 20 characters into a line, inside of quotations and
# outside. If the unit follows the line alone its score falls to that of shifted labels there; if it follows
# quotations as well, it stays above. The shifted labels do not show this, because a shift breaks both at once.
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`karpathy2015visualizing` find cells that follow quotations, line ends and brackets, in larger networks, and
#   colour text by them.
# - {cite:t}`radford2017sentiment` find one unit of 4,096 that follows whether a review is friendly.
