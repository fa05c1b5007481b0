# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where a network keeps a digit
#
# A network of {doc}`palindromes` reads twenty digits and always tells the first one. Another fails at the same length
# and is right in about a fifth of the cases. What does the first one do to hold a digit? What is it that the second
# one still knows? And why do some never learn to remember, while others learn it and lose it again?
#
# Begin with three that are always right at the length they were trained for, and try them at all others: two plain
# networks of the experiment, by the protocol of 2019, and an LSTM that is trained here for a few seconds, with the
# three changes that help.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import copy
import math
from itertools import product

from helpers import display, exercises, parameters, records, verify
from helpers.rnn import palindromes

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
torch.manual_seed(seed)

RECORDS = records.load("palindromes")
CELLS = {"rnn": "RNN", "lstm": "LSTM"}
CHANGES = {
    "protocol": {},
    "one-hot": {"one_hot": True},
    "orthogonal": {"orthogonal": True},
    "forget bias": {"forget_bias": 1.0},
    "all": {"one_hot": True, "orthogonal": True, "forget_bias": 1.0},
}


# %% tags=["hide-input"]
def network(cell, one_hot=False, orthogonal=False, forget_bias=0.0, H=128):
    recurrent = {"rnn": nn.RNN, "lstm": nn.LSTM}[cell](10 if one_hot else 1, H)
    output = nn.Linear(H, 10)
    for bias in (recurrent.bias_ih_l0, recurrent.bias_hh_l0, output.bias):
        nn.init.zeros_(bias)
    gates = 4 if cell == "lstm" else 1  # each has matrices of its own
    for W in recurrent.weight_ih_l0.data.chunk(gates):
        nn.init.xavier_uniform_(W)
    for W in recurrent.weight_hh_l0.data.chunk(gates):
        nn.init.orthogonal_(W) if orthogonal else nn.init.xavier_uniform_(W)
    nn.init.xavier_uniform_(output.weight)
    if cell == "lstm":
        recurrent.bias_ih_l0.data.chunk(4)[1].fill_(forget_bias)
    recurrent.bias_hh_l0.requires_grad_(False)  # one bias is enough
    return nn.ModuleList([recurrent, output])


def states(both, digits):  # [T, B] → h [T, B, H]
    one_hot = both[0].input_size == 10
    x = F.one_hot(digits, 10).float() if one_hot else digits.float()[..., None]
    return both[0](x)[0]


def rmsprop(both, rate):
    weights = [weight for weight in both.parameters() if weight.requires_grad]
    return torch.optim.RMSprop(weights, lr=rate)


def train(both, optimizer, T, steps, stream):  # new palindromes at each step
    for _ in range(steps):
        digits, target = palindromes.sample(T, 128, stream)
        optimizer.zero_grad()
        F.cross_entropy(both[1](states(both, digits)[-1]), target).backward()
        nn.utils.clip_grad_norm_(both.parameters(), 10.0)
        optimizer.step()


@torch.no_grad()
def accuracy(both, T, number=300):
    digits, target = palindromes.sample(T, number, torch.Generator().manual_seed(seed))
    answers = both[1](states(both, digits)[-1]).argmax(dim=1)
    return (answers == target).float().mean().item()


def kept(name):  # a network that solved its length in the experiment
    state, about = records.load_weights(f"palindromes_{name}")
    both = network(about["cell"], about["digits_as"] == "one_hot")
    both.load_state_dict(
        {
            key.replace("recurrent", "0").replace("output", "1"): weight
            for key, weight in state.items()
        }
    )
    return both


plain_19, plain_20 = kept("rnn_19"), kept("rnn_20")
lstm_20 = network("lstm", **CHANGES["all"])
stream = torch.Generator().manual_seed(seed)
train(lstm_20, rmsprop(lstm_20, rate=1e-3), 20, 250, stream)  # takes seconds


# %% tags=["hide-input"]
LENGTHS = range(2, 57)
beyond = {
    "RNN, trained on 19": [accuracy(plain_19, T) for T in LENGTHS],
    "RNN, trained on 20": [accuracy(plain_20, T) for T in LENGTHS],
    "LSTM, trained on 20": [accuracy(lstm_20, T) for T in LENGTHS],
}


# %% tags=["hide-input"]
def draw_beyond():
    fig, axes = plt.subplots(3, 1, figsize=(4.2, 3.9), sharex=True)
    for ax, (name, told), color in zip(
        axes, beyond.items(), display.COLORS, strict=False
    ):
        ax.bar(LENGTHS, told, color=color, width=0.7)
        ax.axvline(int(name[-2:]), color=display.INK, ls=":", lw=1, marker="")
        ax.set(title=name, ylim=(0, 1.05), xlim=(1, 57), ylabel="right")
        ax.set(yticks=(0, 0.5, 1), xticks=range(6, 57, 7))
    axes[-1].set(xlabel="digits read")
    return fig


def say_beyond():
    for name, told in beyond.items():
        good = [T for T, share in zip(LENGTHS, told, strict=True) if share > 0.9]
        yield f"{name}: above 0.9 at {', '.join(map(str, good)) or 'none'}."


display.show(
    draw_beyond(),
    alt=f"Share of right answers at lengths from 2 to 56. {' '.join(say_beyond())}",
    caption="Three networks, each trained at one length (dotted). The plain ones are "
    "right at about every seventh length, and worse than chance at most others. The "
    "LSTM is right at all lengths around its own.",
)
for T in (18, 55):
    share = beyond["RNN, trained on 20"][LENGTHS.index(T)]
    display.glue(f"rnn-remembering-at-{T}", f"{share:.2f}")

# %% [markdown]
# Chance would be 0.1. The network that is perfect at twenty digits has {glue:text}`rnn-remembering-at-18` at eighteen:
# so far below chance it knows something, or it would be right at times. And at 55 digits, for which it has never been
# trained, it has {glue:text}`rnn-remembering-at-55`.
#
# ## A digit as the phase of a clock
#
# Look at one of its units while it reads.


# %%
first_digits, _ = palindromes.sample(20, 2000, torch.Generator().manual_seed(seed))
with torch.no_grad():
    h = states(plain_20, first_digits)  # [T, B, H]
starts = [first_digits[0] == k for k in range(10)]
means = torch.stack([h[:, start].mean(dim=1) for start in starts], dim=1)  # [T, 10, H]
spread = torch.stack([h[:, start].var(dim=1) for start in starts], dim=1).mean(dim=1)
unit = (means.var(dim=1) / (spread + 1e-3))[10:].mean(dim=0).argmax().item()
print(f"unit {unit} tells first digits apart best, over the last ten steps")


# %% tags=["hide-input"]
def draw_unit():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    for k in (0, 3, 6, 9):
        ax.plot(range(1, 21), means[:, k, unit], label=f"first digit {k}")
    ax.set(xlabel="digits read", ylabel=f"unit {unit}", ylim=(-1.1, 1.1))
    ax.set(xticks=(1, 6, 13, 20))
    ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


display.show(
    draw_unit(),
    alt="Mean value of a unit over 20 steps, for palindromes that begin with 0, 3, 6 "
    "and 9. After the first steps they are four waves of one shape, between −1 and 1, "
    "with a period of seven steps, one behind the other.",
    caption="A unit of the plain network for 20 digits: means over palindromes with "
    "the same first digit. It holds no value. It swings whatever the digit was, and "
    "the digit says when.",
)

# %% [markdown]
# The unit keeps no number. It goes through the same wave for every digit, one behind the other. Now take all 128 units,
# in the plane in which the ten means move most during the last eight steps. And look at $W_{hh}$. Its largest
# eigenvalues are a pair $\lambda, \bar\lambda$, and a vector in their plane turns by the angle of $\lambda$ at each
# step. (It also grows; the $\tanh$ keeps it in bounds.)

# %%
late = means[12:].reshape(-1, 128)
plane = torch.linalg.svd(late - late.mean(dim=0)).Vh[:2].T  # [H, 2]
ten, cloud = (means - late.mean(dim=0)) @ plane, (h - late.mean(dim=0)) @ plane


def steps_per_turn(W):  # of its largest eigenvalue
    eigenvalues = torch.linalg.eigvals(W.detach())
    largest = eigenvalues[eigenvalues.abs().argmax()]
    return (2 * math.pi / largest.angle().abs()).item()


for T, both in ((19, plain_19), (20, plain_20)):
    turn = steps_per_turn(both[0].weight_hh_l0)
    print(f"the network for {T}: one turn in {turn:.2f} steps, so", end=" ")
    print(f"{7 / turn:.2f} turns in seven")


# %% tags=["hide-input"]
def draw_clock(t, shown=100):
    figures, (ax,) = display.panels((3.6, 3.6))
    dots = {"color": display.COLORS[1], "ms": 2.5}
    ax.plot(*cloud[t - 1, :shown].T, ".", **dots)
    ax.plot(*ten[t - 1].T, color=display.COLORS[0], marker="", lw=1, ls="-")
    for k, place in enumerate(ten[t - 1]):
        word = {"ha": "center", "va": "center", "weight": "bold"}
        ax.text(*(1.2 * place), str(k), **word)
    reach = 1.35 * cloud[12:, :shown].abs().max().item()
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(title=f"{t} digits read")
    ax.axis("off")
    return figures


def say_clock(t):
    x, y = ten[t - 1, 0]
    clock = round((90 - math.degrees(math.atan2(y, x))) / 30) % 12 or 12
    return (
        f"The states after {t} digits in a plane: they lie on a ring, and the means "
        "for the first digits 0 to 9 follow one another around it, with a gap between "
        "9 and "
        f"0. The 0 stands where {clock} is on a clock."
    )


display.slider(
    draw_clock,
    range(12, 21),
    label="digits read",
    alt=say_clock,
    caption="States of the network for 20 digits; numbers stand at the means for each "
    "first digit. They lie around a ring in their order. At each step it turns by a "
    "seventh, so after seven steps it is where it was.",
    start=20,
)

# %% [markdown]
# The state is a *clock*. The first digit sets it, each step turns it by a seventh of a round, and what is read in
# between hardly disturbs it. The output layer reads the time at step 20. If so, a step more or less should change the
# answers in one way: each digit is taken for one that is further along the ring.


# %%
@torch.no_grad()
def answers(both, T):  # the most frequent one to each first digit
    digits, _ = palindromes.sample(T, 2000, torch.Generator().manual_seed(seed))
    told = both[1](states(both, digits)[-1]).argmax(dim=1)
    return [told[digits[0] == k].mode().values.item() for k in range(10)]


print("first digit", *range(10))
for T in (18, 19, 20, 21, 22, 27):
    print(f"T = {T}:   ", *answers(plain_20, T))

# %% [markdown]
# At 21 the answers are two ahead, at 19 two behind: a seventh of a round is two digits. The ten digits so take up ten
# fourteenths of the ring, and what falls into the gap is taken for 0 or 9. At 27 all is right again.
#
# So *to be right at $T$* and *to remember for $T$ steps* are two things. This network forgets nothing at eighteen
# digits. The one for 19 turns twice in seven steps, and drifts, as the picture at the top shows. The LSTM does not
# turn: it shows the digit at any time around the length that it knows. These are two plain networks and one LSTM, one
# start each; the weights of others were not kept. And it is no reason for odd or even to matter: a period of seven
# knows neither.

# %% [markdown]
# ## A part of a digit, by hand
#
# Now to those that fail. Many of them sit at 0.2 for thousands of steps. Why 0.2?
#
# Let a network know whether the first digit is below 5, and no more. It guesses one of five, so it is right in 2 of 10
# cases; its loss is $\ln 5 = 1.61$. Let another one know a 0 when it has seen one, and confuse the rest. It is right
# about all zeros, $\frac{1}{10}$, and about the others once in nine, $\frac{9}{10} \cdot \frac19$: in 2 of 10 cases
# again. But its loss is $\frac{9}{10} \ln 9 = 1.98$.
#
# In general, let it tell apart $r$ groups of digits, of sizes $n_1 + \dots + n_r = 10$, and nothing within a group.
# Within group $i$ all $n_i$ digits are as likely, whatever else was read {eq}`eq-rnn-covered`. One answer is right in
# $1/n_i$ of the cases, and the group comes up in $n_i/10$: each group brings $\frac{1}{10}$. Its loss is the mean of
# $-\ln \hat y_k$ over its digits. The mean of logarithms is at most the logarithm of the mean, and the mean of the
# $\hat y_k$ is at most $1/n_i$; so the loss is at least $\ln n_i$, and $\hat y_k = 1/n_i$ reaches it. Together,
#
# $$
# \text{best accuracy} = \frac{r}{10} , \qquad \text{least loss} = \sum_{i=1}^{r} \frac{n_i}{10} \ln n_i .
# $$ (eq-rnn-groups)
#
# The accuracy counts the groups, and the loss tells their sizes.


# %%
def best(sizes):  # of the groups → accuracy, loss
    return len(sizes) / 10, sum(n / 10 * math.log(n) for n in sizes)


for sizes in ((10,), (5, 5), (8, 2), (9, 1), (8, 1, 1)):
    share, loss = best(sizes)
    words = " + ".join(map(str, sizes))
    print(f"groups of {words}: right {share:.1f}, loss {loss:.2f}")


# %% tags=["hide-input"]
def draw_two_parts():
    figures, axes = display.panels((2.6, 2.9), (2.6, 2.9))
    for ax, sizes in zip(axes, ((5, 5), (1, 9)), strict=True):
        group = np.repeat(range(2), sizes)
        for digit, answer in product(range(10), repeat=2):
            if group[digit] == group[answer]:
                size = 10 / math.sqrt(sizes[group[digit]])  # areas as probabilities
                ax.plot(answer, digit, "o", ms=size, color=display.COLORS[0])
        ax.set(xlim=(-0.5, 9.5), ylim=(9.5, -0.5), aspect="equal", xlabel="answer")
        ax.set(ylabel="first digit", xticks=range(10), yticks=range(10))
        ax.set(title=f"{sizes[0]} + {sizes[1]}, loss {best(sizes)[1]:.2f}")
        ax.grid(False)
    return figures


display.show(
    draw_two_parts(),
    alt="Two tables of first digits against answers, darker where an answer is "
    "likelier. Left, two blocks of five by five, all of one shade. Right, one dark "
    "field for the 0, and a pale block of nine by nine.",
    caption="The best probabilities with two groups of digits. Both networks are right "
    "in a fifth of all cases; their losses differ.",
)


# %% tags=["check"]
def cases():
    for sizes in ((10,), (9, 1), (5, 5), (7, 3), (5, 4, 1), (6, 2, 2)):
        group = np.repeat(range(len(sizes)), sizes)  # of each digit
        p = torch.zeros(len(sizes), 10, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([p], max_iter=500, tolerance_grad=1e-10)

        def loss(p=p, group=group, solver=solver):
            solver.zero_grad()
            value = F.cross_entropy(p[group], torch.arange(10))
            value.backward()
            return value

        solver.step(loss)
        guesses = product(range(10), repeat=len(sizes))  # one for each group
        right = max(np.mean(np.array(g)[group] == range(10)) for g in guesses)
        yield best(sizes), [right, loss().item()]


verify.equal(
    "eq-rnn-groups", cases(), atol=1e-4, against="all answers, and minimisation"
)

# %% [markdown]
# If this is what failed networks do, accuracy and loss must fit together. The records hold both at every validation.
# Below are those at which a failed plain network rested, that is, its loss changed by less than 0.02 since the one
# before.


# %%
def partitions(n, largest=10):  # all ways to write n as a sum, the largest first
    if n == 0:
        yield ()
    for first in range(min(n, largest), 0, -1):
        for rest in partitions(n - first, first):
            yield (first, *rest)


def at_rest(record):  # loss and accuracy of its failed seeds
    curves = record["curves"]
    for number, end in enumerate(palindromes.outcomes(record)):
        loss, told = (
            np.array(curves[f"validation_{name}"][number])
            for name in ("loss", "accuracy")
        )
        rests = np.abs(np.diff(loss)) < 0.02
        if end != "solved":
            yield from zip(loss[1:][rests], told[1:][rests], strict=True)


protocol = {T: RECORDS[f"rnn_{T:02}"] for T in range(5, 21) if f"rnn_{T:02}" in RECORDS}
resting = np.array([point for record in protocol.values() for point in at_rest(record)])
allowed = np.array([best(sizes)[::-1] for sizes in partitions(10)])  # loss, accuracy
above = resting[resting[:, 1] > 0.15]
near = np.abs(above[:, None] - allowed).max(axis=2).min(axis=1) < 0.02
print(f"{len(resting)} validations at rest, {len(above)} of them above chance;")
print(f"{near.mean():.0%} of these lie within 0.02 of groups, in accuracy and loss")
random = rng.uniform((1.0, 0.15), (2.2, 0.5), (10_000, 2))
by_chance = np.abs(random[:, None] - allowed).max(axis=2).min(axis=1) < 0.02
print(f"({by_chance.mean():.0%} of points thrown at random do)")


# %% tags=["hide-input"]
def draw_groups():
    figures, (ax,) = display.panels((4.2, 3.1))
    few = np.array([best(sizes)[::-1] for sizes in partitions(10) if len(sizes) < 5])
    squares = {"ms": 8, "mfc": "none", "color": display.COLORS[1]}
    ax.plot(*few.T, "s", label="groups", **squares)
    dots = {"ms": 2.5, "color": display.COLORS[0]}
    ax.plot(*np.unique(resting.round(2), axis=0).T, "o", label="at rest", **dots)
    for sizes in ((10,), (9, 1), (8, 2), (7, 3), (5, 5)):
        (share, loss), low = best(sizes), sizes in ((8, 2), (5, 5))
        word = {"ha": "center", "va": "top" if low else "bottom"}
        text = "+".join(map(str, sizes))
        ax.text(loss, share + (-0.02 if low else 0.02), text, **word)
    ax.set(xlabel="loss", ylabel="right", xlim=(1.05, 2.45), ylim=(0, 0.5))
    ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


display.show(
    draw_groups(),
    alt="Accuracy against loss. Squares mark what groups of digits allow: one at "
    "chance, five at accuracy 0.2 with losses from 1.61 to 1.98, more at 0.3 and 0.4. "
    "The points of failed networks gather in the squares at 0.1 and 0.2.",
    caption="Where failed plain networks rest. Most gather where a network stands that "
    "tells two groups of digits apart: one digit from nine, two from eight, three from "
    "seven.",
)

# %% [markdown]
# A network at 0.2 does not forget now and then. It keeps *one distinction*, and keeps it every time; how large the two
# groups are can be read off its loss. (Not which digits they are: those weights were not kept.) For a network that
# keeps a digit as a phase, this is what remains when neighbours on the ring fall together. That last step is a guess.

# %% [markdown]
# :::{exercise} Which groups
# :label: ex-rnn-remembering-groups
# A network has a certain accuracy and loss over many palindromes. Write `group_sizes(accuracy, loss)`: the sizes of the
# groups that it tells apart, as a tuple, the largest first. The accuracy, to the nearest tenth, says how many they are;
# of those take the sizes whose least loss is nearest.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-remembering-groups
# :class: dropdown
# :::
# By {eq}`eq-rnn-groups` there are ten times the accuracy groups. Of all ways to write 10 as such a sum, take the
# nearest.


# %% tags=["solution"]
def group_sizes(accuracy, loss):
    fitting = [s for s in partitions(10) if len(s) == round(10 * accuracy)]
    return min(fitting, key=lambda s: abs(best(s)[1] - loss))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/remembering/group_sizes", group_sizes)

# %% [markdown]
# ## Never found
#
# Before training, how much does the loss depend on the first of twenty digits? Here is the gradient with respect to
# each of them, in networks at their start: by the protocol of 2019, with each of the three changes, and with all.


# %%
def gradient_by_step(both, T=20):  # mean norm of ∂L/∂x(t) [T]
    digits, target = palindromes.sample(T, 256, torch.Generator().manual_seed(seed))
    one_hot = both[0].input_size == 10
    x = F.one_hot(digits, 10).float() if one_hot else digits.float()[..., None]
    p = both[1](both[0](x.requires_grad_())[0][-1])
    F.cross_entropy(p, target, reduction="sum").backward()
    return x.grad.norm(dim=2).mean(dim=1).numpy()


kinds = [(cell, change) for cell in CELLS for change in CHANGES]
kinds.remove(("rnn", "forget bias"))  # it has no such gate
at_start = {
    (cell, change): np.stack(
        [gradient_by_step(network(cell, **CHANGES[change])) for _ in range(5)]
    )
    for cell, change in kinds
}


# %% tags=["hide-input"]
def draw_at_start():
    figures, axes = display.panels((3.4, 3.0), (3.4, 3.0))
    for ax, (cell, name) in zip(axes, CELLS.items(), strict=True):
        for change in CHANGES:
            if (cell, change) in at_start:
                middle = np.median(at_start[cell, change], axis=0)
                ax.plot(range(1, 21), middle, label=change, markevery=3)
        ax.set(yscale="log", ylim=(1e-5, 1), xlabel="$t$", title=name)
        ax.set(ylabel="gradient by $x^{(t)}$", xticks=(1, 5, 10, 15, 20))
        ax.minorticks_off()
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


def say_at_start():
    for (cell, change), sizes in at_start.items():
        if change in ("protocol", "all"):
            first, last = np.median(sizes, axis=0)[[0, -1]]
            yield f"{CELLS[cell]}, {change}: {first:.0e} at digit 1, {last:.0e} at 20."


display.show(
    draw_at_start(),
    alt="Size of the gradient with respect to each of 20 digits, on a logarithmic "
    "axis: "
    f"it falls from the last digit to the first. {' '.join(say_at_start())}",
    caption="Before training, medians of five starts. By the protocol, hardly anything "
    "reaches the first digit; with all changes, a hundred times as much and more.",
)
for (cell, change), sizes in at_start.items():
    if change in ("protocol", "all"):
        name = f"rnn-remembering-{cell}-{change}"
        display.glue(name, f"{np.median(sizes[:, 0]):.1g}")

# %% [markdown]
# The gradients vanish, as in {doc}`vanishing`. By the protocol the first digit gets, in the median,
# {glue:text}`rnn-remembering-rnn-protocol` in five RNNs and {glue:text}`rnn-remembering-lstm-protocol` in five LSTMs,
# with all changes {glue:text}`rnn-remembering-rnn-all` and {glue:text}`rnn-remembering-lstm-all`. An LSTM's forget
# gates start half closed when their bias is zero, $f = \operatorname{sigm}(0) = \frac12$; it can hold a number only
# once it has learned to open them. (The two inputs differ, one number or ten, so compare the slopes as well as the
# heights.) It is no more than a hint: by the protocol little reaches the first digit of an RNN, too, and most RNNs
# learn. Of the single changes the picture says which lets the first digit be heard; the table in {doc}`palindromes`
# says which of them helped.
#
# What then happens on the plateau? The records hold a *probe* {cite}`alain2016probes`: after each digit, how often
# least squares tell the first one from $h^{(t)}$, before the training and after it.


# %% tags=["hide-input"]
def probes(cell, ends, T=20):  # told by h after training [seeds, T]
    record = RECORDS[f"{cell}_{T}"]
    came_to = zip(
        palindromes.outcomes(record), record["metrics"]["told_by_h"], strict=True
    )
    return np.array([told for end, told in came_to if end in ends])


def before(cell, T=20):
    return np.array(RECORDS[f"{cell}_{T}"]["metrics"]["told_by_h_at_start"])


def draw_probes(T=20):
    figures, axes = display.panels((3.4, 3.0), (3.4, 3.0))
    for ax, (cell, name) in zip(axes, CELLS.items(), strict=True):
        groups = {
            "solved": (probes(cell, ("solved",)), display.COLORS[0], "-"),
            "failed": (probes(cell, ("lost", "never found")), display.COLORS[1], "--"),
            "before": (before(cell), display.INK, ":"),
        }
        for label, (told, color, style) in groups.items():
            if len(told):
                band = {"color": color, "alpha": 0.15, "lw": 0}
                ax.fill_between(range(1, T + 1), told.min(0), told.max(0), **band)
                look = {"color": color, "ls": style, "marker": ""}
                label = f"{label} ({len(told)})"
                ax.plot(range(1, T + 1), np.median(told, 0), label=label, **look)
        ax.set(title=f"{name}, $T = {T}$", xlabel="digits read", ylim=(0, 1.05))
        ax.set(ylabel="first digit told", xticks=(1, 5, 10, 15, 20))
        ax.figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figures


display.show(
    draw_probes(),
    alt="How often a probe tells the first digit, after each digit read. For networks "
    "that solved the length nearly always. For untrained ones it falls slowly. For "
    "failed LSTMs it falls to chance within eight digits, far below the untrained "
    "ones.",
    caption="Medians of the seeds (their number in brackets), with the range shaded. "
    "Chance is 0.1.",
)
failed = [
    n
    for n, end in enumerate(palindromes.outcomes(RECORDS["lstm_20"]))
    if end != "solved"
]
for name, told in (
    ("before", before("lstm")[failed, 7]),
    ("after", probes("lstm", ("lost", "never found"))[:, 7]),
):
    display.glue(f"rnn-remembering-probe-{name}", f"{np.median(told):.2f}")

# %% [markdown]
# Look at the LSTMs that failed. After eight digits their untrained states told the first one, in the
# median, in
# {glue:text}`rnn-remembering-probe-before` of the cases, their trained ones in
# {glue:text}`rnn-remembering-probe-after`. *Training took away what random weights keep by themselves.* (A linear probe
# that fails does not prove that nothing is there. But the answers of these networks are at chance, too.)

# %% [markdown]
# ## Found and lost
#
# Why would a network lose what it has, while its loss is low and its gradients are small? RMSprop keeps a mean of the
# squared gradients $g$ of each weight $w$, $v \leftarrow 0.99\, v + 0.01\, g^2$, and moves $w$ by $-\eta\, g / \sqrt
# v$. (A tiny number is added to the root.) Since $v \ge 0.01\, g^2$,
#
# $$
# \big| \Delta w \big| \le \eta\, \frac{|g|}{\sqrt{0.01\, g^2}} = 10\, \eta .
# $$ (eq-rnn-longest-step)
#
# A step may be this long after quiet times, when $v$ has nearly vanished, and in all weights at once. How long $g$
# is does not matter; so clipping, which makes all gradients smaller by one factor, leaves the bound as it is. Small
# gradients do not mean small steps.


# %%
def longest_step(rate, kept=0.99):
    return rate / math.sqrt(1 - kept)


def longest_taken(gradients, rate):  # by RMSprop, for one weight
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer, places = torch.optim.RMSprop([weight], lr=rate), [0.0]
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        places.append(weight.item())
    return np.abs(np.diff(places)).max()


for last in (10.0, 0.1):
    taken = longest_taken(1000 * [1e-6] + [last], rate=1e-3)
    print(f"after 1,000 gradients of 1e-6, one of {last:g}: a step of {taken:.4f}")


# %% tags=["check"]
def within():
    for rate in (1e-3, 0.1):
        for size in (1e-3, 1.0, 1e3):
            gradients = size * np.exp(2 * rng.standard_normal(300))
            gradients *= rng.choice([-1.0, 1.0], 300)
            yield longest_taken(gradients, rate) <= longest_step(rate) * (1 + 1e-9)
        # tight: after quiet times nothing less would do
        tight = longest_taken(50 * [1e-9] + [1.0], rate)
        yield 0.999 * longest_step(rate) < tight <= longest_step(rate)


told = list(within())
verify.holds(
    "eq-rnn-longest-step", all(told), against="torch.optim.RMSprop", cases=len(told)
)

# %% [markdown]
# Is a step of this size enough to lose a digit? Train the two plain networks on, from their solution, at the rate of
# the protocol and at a tenth of it. (The optimiser's means were not kept with the weights. Here they come from 200
# batches during which the weights stand still.)


# %%
def train_on(both, T, rates, steps=100):
    both, stream = copy.deepcopy(both), torch.Generator().manual_seed(seed)
    optimizer = rmsprop(both, rate=0.0)
    train(both, optimizer, T, 150, stream)
    at_first = copy.deepcopy((both.state_dict(), optimizer.state_dict()))
    for rate in rates:
        both.load_state_dict(at_first[0])
        optimizer.load_state_dict(copy.deepcopy(at_first[1]))
        optimizer.param_groups[0]["lr"] = rate
        told = [accuracy(both, T)]
        for _ in range(steps // 10):
            train(both, optimizer, T, 10, stream)
            told.append(accuracy(both, T))
        yield told


RATES = (1e-3, 1e-4)
trained_on = {
    (T, rate): told
    for T, both in ((19, plain_19), (20, plain_20))
    for rate, told in zip(RATES, train_on(both, T, RATES), strict=True)
}


# %% tags=["hide-input"]
def draw_trained_on():
    figures, (ax,) = display.panels((4.2, 2.9))
    for (T, rate), told in trained_on.items():
        look = {"marker": "o" if T == 19 else "s", "ls": "--" if rate > 5e-4 else "-"}
        look["color"] = display.COLORS[rate > 5e-4]
        label = f"$T = {T}$, rate {rate:g}"
        ax.plot(range(0, 101, 10), told, label=label, **look)
    ax.set(xlabel="further steps", ylabel="right", ylim=(0, 1.05))
    ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


def say_trained_on():
    for (T, rate), told in trained_on.items():
        yield f"T = {T}, rate {rate:g}: from {told[0]:.2f} down to {min(told):.2f}."


display.show(
    draw_trained_on(),
    alt="Share of right answers over 100 further steps of training. "
    + " ".join(say_trained_on()),
    caption="Two solved networks, trained on. What the rate of the protocol throws "
    "away, a tenth of it keeps.",
)

# %% [markdown]
# The solution of these two networks is narrow, and the steps of the protocol are wider. At a tenth of the rate the same
# weights stay as good as they were. This is a demonstration on two networks and not the history of those that fell: at
# what steps they did, and with which gradients, the records do not hold. It says that a constant rate of $10^{-3}$
# *can* do it. It also says what the early end of our trainings hides. A network that counts as solved was right for 500
# steps, and nobody knows about the next 500.

# %% [markdown]
# ## What was shown
#
# - Two plain networks keep a digit as the phase of a clock with a period of seven steps; right at $T$, they are
#   wrong at $T + 1$. An LSTM with all changes holds it instead.
# - Accuracy and loss of a network tell which groups of digits it can tell apart, {eq}`eq-rnn-groups`. Failed plain
#   networks at 0.2 keep one distinction.
# - By the protocol next to no gradient reaches the first of twenty digits at the start, and the LSTMs that stay on the
#   plateau lose even what random weights had kept. It is not for want of room.
# - Clipping does not bound the step of RMSprop, {eq}`eq-rnn-longest-step`. At the rate of the protocol two solved
#   networks are lost within a hundred steps, at a tenth of it they are not.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} A memory by hand
# :label: ex-rnn-remembering-by-hand
# Without training, give an LSTM of 11 cells weights with which it remembers the first digit, one-hot, over any number
# of steps. Write `remember()`, which returns $W_x$ [44, 10], $W_h$ [44, 11] and $b$ [44], stacked as $i, f, g, o$; the
# largest of the first ten $h^{(T)}$ is to be that of the first digit. *Hint: let the eleventh cell know that something
# has been read.* What does this say about the LSTMs that failed?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-remembering-by-hand
# :class: dropdown
# :::
# Forget and output gates are open, by a large bias. The eleventh cell adds 1 at each step, so its $h$ is 0 before the
# first digit and at least $\tanh 1 = 0.76$ after it. The input gates of the other ten are open by a bias of 20, and
# closed by a weight of $-60$ from the eleventh. Their candidates are the digit.
#
# So the LSTMs did not fail for want of room: 11 cells would do, and there were 128. Weights that remember exist, and
# training did not find them.


# %% tags=["solution"]
def remember():
    W_x, W_h, b = torch.zeros(44, 10), torch.zeros(44, 11), torch.zeros(44)
    (i, f, g, o), memory = torch.arange(44).view(4, 11), slice(10)
    b[i], b[f], b[o] = 20.0, 40.0, 40.0
    W_h[i[memory], 10] = -60.0  # closed once something has been read
    W_x[g[memory]] = 20 * torch.eye(10)
    b[g[10]] = 20.0
    return W_x, W_h, b


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/remembering/remember", remember)

# %% [markdown]
# :::{exercise} Keep what was found
# :label: ex-rnn-remembering-keep
# Name three things that you could do so that a network is not lost again once it has found the answer. Which of
# them is in the experiment already, and what does it change in the comparison with the report?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-remembering-keep
# :class: dropdown
# :::
# Lower the rate as training goes on; the last figure shows what a tenth of it does. Stop when a validation says that it
# is found, or keep the best weights seen so far. Or make the longest step shorter, as by a shorter memory of $v$: with
# 0.9 in place of 0.99 the bound {eq}`eq-rnn-longest-step` is $\eta / \sqrt{0.1} = 3.2\, \eta$. The experiment stops
# early. So its seeds count as solved when they have once been right for 500 steps, while the report's runs had to stay
# right to the end: under that rule our plain networks would look no better, and perhaps worse.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`alain2016probes` on linear probes, and what they do not say.
# - {cite:t}`hochreiter1997long` on holding a number where a plain network must turn or squeeze it.
# - {cite:t}`arjovsky2016unitary` keep the matrix from state to state unitary all through training.
