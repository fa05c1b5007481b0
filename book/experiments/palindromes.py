# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Experiment: palindromes
#
# A network reads the digits of a palindrome one after the other, all but the last, and is to tell the last: it must
# remember the first. How many digits may lie between? This notebook trains a vanilla RNN or an LSTM on palindromes of
# one length, from several random starts, and then asks, after each digit that it has read, whether the first one can
# still be told from its state.
#
# The protocol is that of the 2019 report, questions 1.3 and 1.6, or one that differs from it in how the digits enter
# and in how the weights start. {doc}`/rnn/palindromes` compares the runs. Here is first what came of each, and below
# that, cell by cell, how.

# %% tags=["parameters"]
profile = "smoke"
seed = 0
seeds = 1  # how many, from `seed` on
run = "smoke"
cell = "lstm"
length = 5  # digits to read, of a palindrome of one digit more
digits_as = "numbers"  # 0 to 9 as they are, or "one_hot"
recurrent_start = "glorot"  # of the weights from state to state, or "orthogonal"
forget_bias = 0.0  # of the LSTM, at the start
hidden = 128  # units
batch_size = 128
steps = 300
learning_rate = 1e-3
clip = 10.0  # of the gradient's global norm
device = "auto"  # a GPU where there is one
deterministic = False  # on a GPU, the same sums in the same order
export = False  # keep the weights of the best seed for other pages

# %% tags=["set-up"]
from helpers import (
    devices,
    display,
    experiments,
    files,
    parameters,
    records,
    runs,
    training,
)
from helpers.rnn import palindromes

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

settings = parameters.check(
    globals(),
    profile=("smoke", "full"),
    seed=range(2**31),
    seeds=range(1, 101),
    run=str,
    cell=("rnn", "lstm"),
    length=range(1, 1001),
    digits_as=("numbers", "one_hot"),
    recurrent_start=("glorot", "orthogonal"),
    forget_bias=parameters.Between(-10, 10),
    hidden=range(1, 4097),
    batch_size=range(1, 10_001),
    steps=range(1, 1_000_001),
    learning_rate=parameters.Between(1e-6, 1.0),
    clip=parameters.Between(1e-6, 1e6),
    device=("auto", "cpu", "cuda"),
    deterministic=bool,
    export=bool,
)
display.use_book_style()
this_run = runs.Run("palindromes", settings)
device, _ = devices.choose(device, "float32", deterministic)

# %% [markdown]
# ## What the full runs gave
#
# `make rerun EXPERIMENT=palindromes` runs this notebook in full, once for every set of parameters in
# `book/experiments/palindromes.yaml`, and writes a record of each. These are the records. A full run of yours with the
# same parameters should come near them; on a processor of the same kind it gives the same numbers.

# %% tags=["hide-input", "nbval-ignore-output"]
full = records.load("palindromes") if profile == "smoke" else {}


def draw_full_runs():
    figures, (ax,) = display.panels((4.2, 2.8))
    styles = zip(display.COLORS, ("-", "--", ":", "-."), strict=False)
    names = ("lstm_20", "rnn_20", "improved_lstm_20", "improved_rnn_20")
    shown = [name for name in names if name in full]
    for name, (color, style) in zip(shown, styles, strict=False):
        curves = full[name]["curves"]
        line = {"color": color, "linestyle": style, "marker": "", "label": name}
        for steps, accuracy in zip(
            curves["step"], curves["validation_accuracy"], strict=True
        ):
            ax.plot(steps, accuracy, lw=1.2, **line)
            line.pop("label", None)
    ax.set(xlabel="step", ylabel="validation accuracy", ylim=(-0.02, 1.02))
    ax.legend()
    return figures


if full:
    display.show(
        draw_full_runs(),
        alt="The validation accuracy of the full runs with 20 digits over their "
        "steps, a line for each seed.",
        caption="Twenty digits, a line for each seed: some end where others began.",
    )
    display.table(
        {
            "run": name,
            "seeds": len(values["steps"]),
            "right in the test": experiments.spread(values["test_accuracy"]),
            "steps": experiments.spread(values["steps"]),
        }
        for name, values in experiments.groups("palindromes").items()
        if values["steps"]
    )

# %% [markdown]
# ## A rehearsal
#
# From here on you see the notebook at work, on five digits and for a few hundred steps.
#
# ### Palindromes
#
# At every step the network sees palindromes that were drawn just then. Two sets stay the same, whatever the seed:
# 10,000 palindromes to validate with, which may end a training, and 10,000 to test with, which decide nothing. Of short
# palindromes there are so few (1,000 of six digits) that both sets hold what was trained on; from 16 digits on
# there are 100 million, and they hardly do.


# %%
def draw(number, *key):
    """Palindromes that depend on `key` alone."""
    state = int(np.random.SeedSequence(key).generate_state(1)[0])
    return palindromes.sample(length, number, torch.Generator().manual_seed(state))


VALIDATION, TEST = (
    training.to_device(draw(10_000, key, length), device) for key in (0, 1)
)
for each in VALIDATION[0].T[:3].tolist():
    print(*each, "?")


# %% [markdown]
# ### Network
#
# The output layer sees the last state alone. PyTorch adds two biases for every unit, which always have the same
# gradient, so that RMSprop would move their sum twice as far: one of them stays at zero.


# %%
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM}[cell]
        self.recurrent = kind(10 if digits_as == "one_hot" else 1, hidden)
        self.output = nn.Linear(hidden, 10)
        self.recurrent.bias_hh_l0.requires_grad_(False)

    @torch.no_grad()
    def start(self):
        for bias in (
            self.recurrent.bias_ih_l0,
            self.recurrent.bias_hh_l0,
            self.output.bias,
        ):
            bias.zero_()
        gates = 4 if cell == "lstm" else 1  # each has a matrix of its own
        for W_x in self.recurrent.weight_ih_l0.chunk(gates):
            nn.init.xavier_uniform_(W_x)
        for W_h in self.recurrent.weight_hh_l0.chunk(gates):
            if recurrent_start == "orthogonal":
                nn.init.orthogonal_(W_h)
            else:
                nn.init.xavier_uniform_(W_h)
        nn.init.xavier_uniform_(self.output.weight)
        if cell == "lstm":
            self.recurrent.bias_ih_l0.chunk(4)[1].fill_(
                forget_bias
            )  # input, forget, ...

    def enter(self, digits):
        if digits_as == "one_hot":
            return F.one_hot(digits, 10).float()  # [T, B, 10]
        return digits.float()[..., None]  # [T, B, 1]

    def forward(self, digits):
        h, _ = self.recurrent(self.enter(digits))  # [T, B, H]
        return self.output(h[-1])  # [B, 10]


# %% [markdown]
# ### Training
#
# RMSprop at a constant rate minimises the cross-entropy. A training ends early once all palindromes of the validation
# were told right at three validations in a row, which span 500 steps.


# %%
def loss(network, batch):
    digits, target = batch
    return F.cross_entropy(network(digits), target)


def score(network, palindromes):
    """Accuracy and mean cross-entropy."""
    digits, target = palindromes
    logits = torch.cat([network(part) for part in digits.split(1000, dim=1)])
    return {
        "accuracy": (logits.argmax(1) == target).double().mean().item(),
        "loss": F.cross_entropy(logits, target).item(),
    }


def validate(network):
    return {
        f"validation_{name}": value
        for name, value in score(network, VALIDATION).items()
    }


def solved(curves):
    return curves["validation_accuracy"][-3:] == [1.0] * 3


def train(part):
    training.seed_everything(part.seed)
    network = Network()
    network.start()
    network.to(device)
    at_start = {f"{name}_at_start": told for name, told in probe(network).items()}
    trained = training.fit(
        part,
        network,
        loss,
        lambda step: draw(batch_size, 2, part.seed, step),
        torch.optim.RMSprop(network.parameters(), lr=learning_rate),
        steps=steps,
        validate=validate,
        validate_every=250,
        stop=solved,
        schedule=training.constant,
        clip=clip,
        precision="float32",
        log_every=250,
    )
    return network, trained, at_start


# %% [markdown]
# ### Where the first digit is kept
#
# After each digit read, least squares (with a little ridge) fit the first digit, one-hot, to the state, on half of the
# validation palindromes. On the other half the largest of its ten outputs is the digit that the state tells. An RNN's
# state is $h$; that of an LSTM is $h$ and the cell $c$, each probed by itself. A probe that fails shows that the digit
# is not there to be read linearly, and not that it is forgotten: what is folded away now may be unfolded later.
# The network before its first step is probed as well: what it tells is no merit of the training.


# %%
def told_by(state, digit):
    """How often least squares on half of `state` [B, H] tell the rest's `digit` [B]."""
    ones = torch.ones(len(state), 1, dtype=torch.float64, device=state.device)
    fitted, scored = torch.cat([state.double(), ones], dim=1).chunk(2)
    fitted_digit, scored_digit = digit.chunk(2)
    ridge = 1e-6 * len(fitted) * torch.eye(fitted.shape[1]).to(fitted)
    one_hot = F.one_hot(fitted_digit, 10).double()
    W = torch.linalg.solve(fitted.T @ fitted + ridge, fitted.T @ one_hot)
    return ((scored @ W).argmax(1) == scored_digit).double().mean().item()


@torch.no_grad()
def probe(network):
    """For h, and for c if there is one: how often it tells the first digit, by step."""
    digits, _ = VALIDATION
    told = {"told_by_h": [], "told_by_c": []} if cell == "lstm" else {"told_by_h": []}
    state = None
    for x in network.enter(digits).split(1):
        _, state = network.recurrent(x, state)
        parts = state if cell == "lstm" else (state,)
        for accuracies, part in zip(told.values(), parts, strict=True):
            accuracies.append(told_by(part[0], digits[0]))
    return told


# %% [markdown]
# ### Seeds
#
# One after the other. The weights of each stay in the run's folder.

# %% tags=["nbval-ignore-output"]
metrics, all_trained, networks = [], [], []
for part in this_run.parts:
    network, trained, at_start = train(part)
    curves = trained.curves
    reached = [
        step
        for step, accuracy in zip(
            curves["step"], curves["validation_accuracy"], strict=True
        )
        if accuracy >= 0.99
    ]
    with torch.no_grad():
        test = score(network, TEST)
    metrics.append(
        {
            "validation_accuracy": curves["validation_accuracy"][-1],
            "test_accuracy": test["accuracy"],
            "test_loss": test["loss"],
            "steps": trained.steps,
            "step_to_99": reached[0] if reached else None,
        }
        | probe(network)
        | at_start
    )
    all_trained.append(trained)
    networks.append(network)
    records.save_weights("model", network, part.settings, root=part.folder)
    print(
        f"seed {part.seed}: {trained.steps:6,} steps, {test['accuracy']:.4f} of the "
        "test"
    )
if export:
    best = max(range(seeds), key=lambda index: metrics[index]["validation_accuracy"])
    about = this_run.parts[best].settings
    root = this_run.results / "weights"
    records.save_weights(f"palindromes_{run}", networks[best], about, root=root)


# %% tags=["hide-input"]
def draw_seeds():
    figures, axes = display.panels((3.4, 2.8), (3.4, 2.8))
    for scores, trained in zip(metrics, all_trained, strict=True):
        axes[0].plot(trained.curves["step"], trained.curves["validation_accuracy"])
        axes[1].plot(range(1, length + 1), scores["told_by_h"])
    axes[0].set(xlabel="step", ylabel="accuracy", ylim=(-0.02, 1.02))
    axes[0].set_title("last digit, validation")
    axes[1].set(xlabel="digits read", ylim=(-0.02, 1.02))
    axes[1].set_title("first digit, read from $h$")
    return figures


display.show(
    draw_seeds(),
    alt="For each seed: the accuracy in validation over the steps, and that of reading "
    "the first digit from the state.",
    caption="Whether a seed gets the last digit right, and how long its state "
    "remembers the first one.",
)

# %% [markdown]
# ### Record
#
# With several seeds, each metric and each curve is a list with one entry for each of them. A run of the list, in full,
# writes to the book's `records/`; any other, with parameters of yours, to the same folder under `build/`.

# %%
several = seeds > 1
path = this_run.record(
    metrics if several else metrics[0], all_trained if several else all_trained[0]
)
print(f"written {path.relative_to(files.PROJECT)}")
