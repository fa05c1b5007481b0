# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What comes next
#
# A network reads a book, one character at a time, and at every place it is asked for the next one. How well can it
# answer, how much of that has it merely learned by heart, and what does it write when you let it go on by itself?
#
# Here a small network that was trained on *The Adventures of Sherlock Holmes* reads a sentence that is not in that
# book. After each character it gives a probability to each of the 77 that it knows.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math
from collections import Counter

from helpers import data, display, exercises, parameters, records, training, verify
from helpers.rnn import text

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
training.seed_everything(seed)
rng = np.random.default_rng(seed)
runs = records.load("text")
BOOKS = {
    "communist_manifesto": "Manifesto",
    "grimm": "Grimm",
    "sherlock": "Sherlock",
    "bible": "Bible",
}


# %% tags=["hide-input"]
def small_network():  # the network that was trained on Sherlock Holmes, its vocabulary
    state, about = records.load_weights("text_sherlock_small")
    network = text.TextGenerationModel(**about["network"])
    network.load_state_dict(state)
    return network.requires_grad_(False), text.Vocabulary(about["characters"])


def seen(characters):  # as it can be printed
    return characters.replace("\n", "↵").replace(" ", "␣")


sherlock, letters = small_network()
SENTENCE = "The old man shut the door."


def draw_next(read):
    scores, _ = sherlock(letters.encode(read)[:, None])
    y_hat = torch.softmax(scores[-1, 0], dim=0).numpy()  # [K]
    best = np.argsort(-y_hat)[:6]
    true = SENTENCE[len(read)]
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    names = [seen(letters.characters[k]) for k in best]
    ax.barh(range(6), y_hat[best], color=display.COLORS[0])
    for place, k in enumerate(best):
        is_true = " ◀ in truth" if letters.characters[k] == true else ""
        ax.text(y_hat[k] + 0.02, place, f"{y_hat[k]:.2f}{is_true}", va="center")
    p = y_hat[letters.encode(true).item()]
    ax.set(xlim=(0, 1.5), xticks=(0, 0.25, 0.5, 0.75, 1), title=f"{read} …")
    ax.spines["bottom"].set_bounds(0, 1)  # to the right of it there are only words
    ax.set_xlabel("probability", x=1 / 3)
    ax.set_yticks(range(6), names)
    ax.set_ylim(5.6, -0.6)
    ax.text(
        1.48,
        5,
        f"in truth {seen(true)}\n{-np.log2(p):.1f} bits",
        ha="right",
        va="center",
    )
    return fig


display.slider(
    draw_next,
    [SENTENCE[:n] for n in range(9, 20)],
    label="read so far",
    alt=lambda read: (
        f"After “{read}”, the six likeliest next characters as bars. In truth comes "
        f"“{seen(SENTENCE[len(read)])}”."
    ),
    caption="Inside of a word the network is often sure, where a word begins it is "
    "not. ␣ is a space.",
    start=SENTENCE[:18],
)

# %% [markdown]
# ## Three characters, by hand
#
# Take a vocabulary of three, $a$, $b$ and $n$, and the text *ban*. At its start some network gives them the
# probabilities $(0.25, 0.5, 0.25)$; after *b* it says $(0.8, 0.1, 0.1)$; after *ba* $(0.1, 0.4, 0.5)$. The true ones
# got 0.5, 0.8 and 0.5. What the network must pay for a place is minus the logarithm of that:
#
# - in *nats*, $-\ln 0.5 = 0.69$, $-\ln 0.8 = 0.22$, $0.69$; the mean is 0.54;
# - in *bits*, $-\log_2 0.5 = 1$, $-\log_2 0.8 = 0.32$, $1$; the mean is 0.77, which is $0.54 / \ln 2$.
#
# All three together have the probability $0.5 \cdot 0.8 \cdot 0.5 = 0.2$, and $-\log_2 0.2 = 2.32 = 1 + 0.32 + 1$:
# costs add up because probabilities multiply. Whoever guesses pays $\log_2 3 = 1.58$ bits a character.

# %%
y_hat = torch.tensor([[0.25, 0.5, 0.25], [0.8, 0.1, 0.1], [0.1, 0.4, 0.5]])  # [T, K]
target = torch.tensor([1, 0, 2])  # b, a, n
nats = -torch.log(y_hat[range(3), target])
print("nats", [f"{n:.2f}" for n in nats.tolist()], f"mean {nats.mean():.2f}")
bits = nats / math.log(2)
print("bits", [f"{b:.2f}" for b in bits.tolist()], f"mean {bits.mean():.2f}")
print(f"perplexity {nats.mean().exp():.2f}")


# %% tags=["hide-input"]
def draw_costs():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    q = np.linspace(0.03, 1, 98)
    ax.plot(q, -np.log2(q), marker="")
    marks = (("b and n", 0.5, "o"), ("a", 0.8, "s"), ("a guess", 1 / 3, "D"))
    for (name, p, marker), color in zip(marks, display.COLORS[1:], strict=False):
        ax.plot(p, -np.log2(p), color=color, marker=marker, ms=7, ls="")
        ax.text(p + 0.03, -np.log2(p) + 0.15, f"{name}: {-np.log2(p):.2f} bits")
    ax.set(xlabel="probability of the true character", ylabel="cost (bits)")
    ax.set(xlim=(0, 1.15), ylim=(0, 5), xticks=(0, 0.25, 0.5, 0.75, 1))
    return fig


display.show(
    draw_costs(),
    alt="Minus the binary logarithm of the probability: from 5 bits at 0.03 it falls "
    "steeply, then ever more slowly, to 0 bits at 1. Marked: a guess among three, b "
    "and n, and a.",
    caption="What a place costs. Each halving of the true character's probability adds "
    "one bit; a sure answer that is wrong has no upper limit.",
)

# %% [markdown]
# ## The loss
#
# In general, let $y^{(t)} \in \{0, 1\}^K$ be the character at place $t$, one-hot, and $\hat y^{(t)}$ the probabilities
# that the network gives after having read $y^{(0)}, \dots, y^{(t-1)}$. The loss of a window of $T$ characters is the
# mean cross-entropy (equations 16 and 17 of the assignment):
#
# $$
# L = -\frac1T \sum_{t=1}^T \sum_{k=1}^K y_k^{(t)} \ln \hat y_k^{(t)} .
# $$ (def-rnn-text-loss)
#
# $L$ is in nats, and $L / \ln 2$ are *bits per character*, because $\log_2 u = \ln u / \ln 2$. Write $q^{(t)}$ for the
# probability that the true character got. Then $e^L$, the *perplexity*, is the inverse of the geometric mean of the
# $q^{(t)}$:
#
# $$
# e^{L} = 2^{L / \ln 2} = \Big( \prod_{t=1}^T q^{(t)} \Big)^{-1/T} .
# $$ (eq-rnn-perplexity)
#
# A network that always chooses evenly between $m$ characters, the true one among them, has perplexity $m$. The book
# gives bits for text that was held out, and nats where the two sources do.


# %%
def text_loss(scores, target):  # [T, K], [T] → nats
    return -torch.log_softmax(scores, dim=1)[range(len(target)), target].mean()


# %% tags=["check"]
def cases():
    for T, K in ((1, 3), (7, 5), (30, 78)):
        scores, target = torch.randn(T, K).double(), torch.randint(K, (T,))
        L = text_loss(scores, target)
        weights = scores.exp().numpy()
        q = weights[range(T), target] / weights.sum(1)
        yield L.exp(), np.prod(q) ** (-1 / T)
        yield 2 ** (L / math.log(2)), np.prod(q) ** (-1 / T)


verify.equal("eq-rnn-perplexity", cases(), rtol=1e-10, against="the product of the q")

# %% [markdown]
# ## A character as a vector
#
# The numbers of the characters have no meaning as numbers. So each gets a row of a matrix
# $W_e \in \mathbb{R}^{K \times E}$, its {term}`embedding`, and the LSTM of {doc}`lstm` reads that row. To look up row
# $k$ is the same as to multiply by the one-hot vector of $k$, and then the gradient needs no rule of its own. With
# $\delta_x^{(t)} = \partial L / \partial x^{(t)}$,
#
# $$
# x^{(t)} = W_e^\top y^{(t-1)} , \qquad
# \frac{\partial L}{\partial W_e} = \sum_{t=1}^T y^{(t-1)}\, \delta_x^{(t)\top} .
# $$ (eq-rnn-embedding)
#
# Row by row: $\partial L / \partial W_{e,k}$ is the sum of $\delta_x^{(t)}$ over the places where $k$ was read, and
# zero for a character that the batch does not contain. Adam moves such a row all the same, by what it remembers.


# %%
def embed(W_e, characters):  # [K, E], [T] → [T, E]
    return F.one_hot(characters, len(W_e)).to(W_e) @ W_e


def dL_dW_e(delta_x, characters, K):  # [T, E], [T] → [K, E]
    return F.one_hot(characters, K).to(delta_x).T @ delta_x


# %% tags=["hide-input"]
def draw_rows(sentence="The good wife "):
    network, vocabulary = small_network()
    characters = vocabulary.encode(sentence + "w")
    W_e = network.embedding.weight.requires_grad_()
    scores, _ = network(characters[:-1, None])
    text_loss(scores[:, 0], characters[1:]).backward()
    row = W_e.grad.norm(dim=1)
    shown = vocabulary.encode("\n Tabcdefghijklmnopqrstuvwxyz").tolist()
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    ax.bar(range(len(shown)), row[shown], color=display.COLORS[0])
    ax.set_xticks(range(len(shown)), map(seen, vocabulary.decode(shown)))
    ax.set(ylabel="length of gradient")
    return fig


display.show(
    draw_rows(),
    alt="Bars for the rows of the embedding: space, T, d, e, f, g, h, i, o and w, "
    "which are in the sentence, have a gradient; all others have none.",
    caption="The gradient of W_e after the network has read “The good wife ”: only "
    "rows of characters that were read have one.",
)


# %% tags=["check"]
def cases():
    for T, K, E in ((1, 2, 1), (6, 9, 4), (30, 78, 16)):
        layer, characters = torch.nn.Embedding(K, E).double(), torch.randint(K, (T,))
        x, delta_x = layer(characters), torch.randn(T, E).double()
        x.backward(delta_x)
        yield embed(layer.weight.detach(), characters), x
        yield dL_dW_e(delta_x, characters, K), layer.weight.grad


verify.equal("eq-rnn-embedding", cases(), atol=1e-12, against="nn.Embedding, autograd")

# %% [markdown]
# ## Teacher forcing
#
# {eq}`eq-rnn-embedding` hides a decision. The input of step $t$ is $y^{(t-1)}$, the *true* character, whatever the
# network has said: {term}`teacher forcing`. While it writes there is no truth, and it reads what it wrote itself.
#
# Truth has two merits. All inputs of a window are known in advance, so the embeddings, the products with $W_x$ and the
# output layer are one matrix product each for all $T$ steps; only the products with $W_h$ must wait for one another.
# And an error costs its own place alone. The price: in training the network never reads an error of its own.
#
# Train a small network on the beginning of the King James Bible, whose last twentieth is held out.

# %%
pages = data.book("bible")[:400_000]
vocabulary = text.Vocabulary(pages)
characters = vocabulary.encode(pages)
cut = len(characters) - len(characters) // 20
read, held_out = characters[:cut], characters[cut:]
K, T, B, STEPS = len(vocabulary), 30, 32, 300
print(f"{len(read):,} to read, {len(held_out):,} held out, {K} different characters")


def window(step):  # → inputs and targets [T, B]
    start = np.random.default_rng((seed, step)).integers(cut - T, size=B)
    taken = read[torch.from_numpy(start) + torch.arange(T + 1)[:, None]]
    return taken[:-1], taken[1:]


@torch.no_grad()
def held_out_bits(network):
    scores, _ = network(held_out[:-1, None])  # in one go: the state is carried
    return F.cross_entropy(scores[:, 0], held_out[1:]).item() / math.log(2)


# %% tags=["nbval-ignore-output"]
network = text.TextGenerationModel(K, embedding_size=32, hidden_size=128)
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
for step in range(STEPS):
    x, target = window(step)
    scores, _ = network(x)  # from a state of zero
    loss = F.cross_entropy(scores.flatten(0, 1), target.flatten())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.01 * (1 - step / STEPS)
    optimizer.step()
live_bits = held_out_bits(network)
print(f"held out: {live_bits:.2f} bits, guessing: {math.log2(K):.2f}")

# %% [markdown]
# Now stop telling it the truth. At 400 places of the text held out it reads 100 characters and goes on by itself,
# always with the likeliest. How often is what it writes what the book has there?


# %%
@torch.no_grad()
def agreement(network, forced, length=30, count=400):  # → [length]
    start = torch.linspace(0, len(held_out) - 101 - length, count).long()
    book = held_out[
        start + torch.arange(100 + length)[:, None]
    ]  # [100 + length, count]
    scores, state = network(book[:100])
    agree = []
    for t in range(100, 100 + length):
        written = scores[-1].argmax(dim=1)  # [count]
        agree.append((written == book[t]).float().mean().item())
        scores, state = network(book[t : t + 1] if forced else written[None], state)
    return np.array(agree)


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_drift():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    for forced, name in ((True, "told the truth"), (False, "told what it wrote")):
        ax.plot(range(1, 31), agreement(network, forced), label=name, markevery=3)
    ax.set(xlabel="characters written", ylabel="share that agrees", ylim=(0, 0.8))
    ax.legend()
    return fig


display.show(
    draw_drift(),
    alt="Share of characters that agree with the book, over thirty steps. Told the "
    "truth, it stays a little above 0.5. Told what it wrote, it begins there and "
    "falls within ten steps to about 0.1.",
    caption="The same network on 400 places: once it has left the book's words, what "
    "follows is an answer to another question.",
)

# %% [markdown]
# The fall is no fault of the network: a text may go on in many ways, and the book took one. What teacher forcing cannot
# tell you is whether the way that the network took is a good one; for that you must read what it writes.
#
# ## What counting gives
#
# Is that many bits little? Compare with something that needs no network. Count, in the text to be read, which
# characters follow each context $c$ of $n$ characters. If the context was there $n_c$ times, followed by $s_c$
# different characters, by $k$ among them $n_{c,k}$ times, and if $c'$ is $c$ without its first character,
#
# $$
# P_c(k) = \frac{n_{c,k} + s_c\, P_{c'}(k)}{n_c + s_c} ,
# $$ (def-rnn-counts)
#
# with $P = 1/K$ below the empty context {cite}`witten1991zero`. A context that was followed by many different
# characters trusts the shorter one more. In *banana*, after *a*: $n_a = 2$, both times $n$, so $s_a = 1$. The empty
# context has $n = 6$, $s = 3$, so with $K = 3$, $P(n) = (2 + 3 \cdot \frac13) / 9 = \frac13$ and
# $P_a(n) = (2 + \frac13) / 3 = 0.78$. Sum the right side over $k$: $\sum_k n_{c,k} = n_c$, and if $P_{c'}$ sums to
# one, the numerator is $n_c + s_c$. So by induction
#
# $$
# \sum_{k} P_c(k) = 1 \quad \text{for every context } c .
# $$ (eq-rnn-counts-sum)


# %%
def by_counts(book, context, k, K):
    p = 1 / K
    for size in range(len(context) + 1):
        c = context[len(context) - size :]
        places = range(len(book) - size)
        follow = Counter(book[i + size] for i in places if book[i : i + size] == c)
        n, s = follow.total(), len(follow)
        p = (follow[k] + s * p) / (n + s) if n else p
    return p


print(f"{by_counts('banana', 'a', 'n', 3):.2f}")


# %% tags=["check"]
def cases():
    book = pages[:3000]
    kinds = sorted(set(book))
    for context in ("", "t", "th", "nd t", "zz", "and the "):
        yield sum(by_counts(book, context, k, len(kinds)) for k in kinds), 1
    told = pages[3000:3012]
    known = text.Vocabulary(book + told)
    fast = text.context_bits(known.encode(book), known.encode(told), 3, len(known))
    for i in range(3, len(told)):
        p = by_counts(book, told[i - 3 : i], told[i], len(known))
        yield 2.0 ** -fast[3, i], p


verify.equal("eq-rnn-counts-sum", cases(), atol=1e-12, against="all K; the fast form")

# %% tags=["hide-input", "nbval-ignore-output"]
counted = text.context_bits(read.numpy(), held_out.numpy(), 7, K).mean(1)  # [8]


def draw_counts():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    ax.plot(range(8), counted, label="counting")
    ax.axhline(
        live_bits, color=display.COLORS[1], ls="--", label="network, trained above"
    )
    ax.axhline(math.log2(K), color=display.INK, ls=":", label="guessing")
    ax.set(xlabel="characters of context", ylabel="bits per character", ylim=(0, 7))
    ax.legend()
    return fig


display.show(
    draw_counts(),
    alt="Bits per character on the text held out against the length of the context. "
    "Guessing costs 6; counting falls from 4.4 to less than 2 with four or five "
    "characters of context and then rises slowly. The network of the live cell stays "
    "above that lowest point.",
    caption="Counting is hard to beat in seconds. With long contexts most were never "
    "seen, so it stops gaining.",
)

# %% [markdown]
# A network that does not beat the best count has learned nothing that needed a network. All that follows is held
# against that line.
#
# ## Four books
#
# The {doc}`experiment </experiments/text>` trains one layer of 1,024 units with embeddings of 256 on each of four
# books, for 10,000 steps of 128 windows of 30 characters, each from a state of zero. The last twentieth of each book is
# held out, and read with the state carried along.


# %% tags=["hide-input"]
def draw_books():
    figures, axes = display.panels((3.4, 2.9), (3.4, 2.9))
    for name, short in BOOKS.items():
        curves = runs[name]["curves"]
        axes[0].plot(curves["step"], curves["train_nats"], label=short, markevery=4)
        axes[1].plot(curves["step"], curves["train_accuracy"], label=short, markevery=4)
    axes[0].set(ylabel="nats per character", title="loss in training", ylim=(0, 1.6))
    axes[1].set(ylabel="share right", title="accuracy in training", ylim=(0.5, 1))
    for ax in axes:
        ax.set(xlabel="step")
        ax.set_xticks([0, 5000, 10000])
        ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figures


display.show(
    draw_books(),
    alt="Over 10,000 steps the loss in training falls for all four books, the lower "
    "the smaller the book, and the accuracy rises in the same order: the Manifesto "
    "ends lowest in loss, then Grimm, Sherlock, and the Bible far above.",
    caption="On windows of the text that was trained on: the smaller the book, the "
    "better it seems to go.",
)

# %% [markdown]
# Now the text that was held out. The column *at best* takes the best of twenty steps, chosen on that very text, so it
# flatters the network a little. The error is a standard error over blocks of 100 characters: it says how much the
# figure would change with other pages, and not what other seeds would give.


# %% tags=["hide-input"]
def best(name):  # the step and bits at which the held-out text costs least
    curves = runs[name]["curves"]
    at = int(np.argmin(curves["held_out_bits"]))
    return curves["step"][at], curves["held_out_bits"][at]


def row(name, short):
    m = runs[name]["metrics"]
    return {
        "book": short,
        "read": f"{m['num_read']:,}",
        "training (nats)": f"{m['train_nats']:.2f}",
        "(bits)": f"{m['train_nats'] / math.log(2):.2f}",
        "held out (bits)": f"{m['held_out_bits']:.2f} ± {m['held_out_bits_error']:.2f}",
        "at best": f"{best(name)[1]:.2f}",
        "step": f"{best(name)[0]:,}",
        "counting": f"{min(m['context_bits']):.2f}",
    }


display.table(row(name, short) for name, short in BOOKS.items())

# %% [markdown]
# The smaller the book, the lower the loss in training, and the higher the cost of the text held out. {doc}`books` takes
# that apart; here the networks are now to write.
#
# ## Writing
#
# To write, the network reads a start, one number is chosen from its scores, and that number is what it reads next. The
# state goes on, so each character costs one step, whatever stands before it.


# %%
@torch.no_grad()
def write(model, vocabulary, length, start, choose):
    written, state = [], None
    x = vocabulary.encode(start)[:, None]  # [S, 1]
    for _ in range(length):
        scores, state = model(x, state)  # after the first time, one step
        written.append(choose(scores[-1, 0]))
        x = torch.tensor([[written[-1]]])
    return vocabulary.decode(written)


print(repr(write(sherlock, letters, 60, "The ", lambda p: int(p.argmax()))))

# %% [markdown]
# For draws, so that anyone can write the same characters in any language, the book takes a generator of random numbers
# that has four lines and a state of 32 bits, *mulberry32*, which Tommy Ettinger gave away. Below it is written twice:
# with whole numbers of any size, cut to 32 bits, and with a machine's 32-bit numbers, which wrap around by themselves.


# %%
def mulberry32(state):
    cut = 2**32 - 1
    while True:
        state = (state + 0x6D2B79F5) & cut
        u = (state ^ state >> 15) * (state | 1) & cut
        u ^= (u + ((u ^ u >> 7) * (u | 61) & cut)) & cut
        yield (u ^ u >> 14) / 2**32


def wrapped(state, count):
    state, numbers = np.array([state], np.uint32), []  # arrays wrap without a word
    for _ in range(count):
        state = state + np.uint32(0x6D2B79F5)
        u = (state ^ state >> 15) * (state | 1)
        u = u ^ (u + (u ^ u >> 7) * (u | 61))
        numbers.append(int(u[0] ^ u[0] >> 14) / 2**32)
    return numbers


numbers = mulberry32(1)
ours = [next(numbers) for _ in range(1000)]
theirs, kept = wrapped(1, 1000), text.Mulberry32(1)
print("seed 1:", *(f"{number:.6f}" for number in ours[:3]))
print("the same 1,000:", ours == theirs == [kept.random() for _ in range(1000)])

# %% [markdown]
# Lay the probabilities of all characters side by side, from 0 to 1: each number falls on one of them, and that one is
# written.


# %% tags=["hide-input"]
def draw_draws(count=4):
    scores, _ = sherlock(letters.encode("The old man s")[:, None])
    y_hat = torch.softmax(scores[-1, 0], dim=0).numpy()
    ends = y_hat.cumsum()
    wide = y_hat > 0.01  # the others are too narrow to be seen
    fig, ax = plt.subplots(figsize=(4.2, 1.9))
    look = {"facecolor": (display.COLORS[0], 0.2), "edgecolor": display.INK, "lw": 0.6}
    ax.barh(0, y_hat[wide], 1, (ends - y_hat)[wide], **look)
    for k in np.flatnonzero(y_hat > 0.05):
        name = seen(letters.characters[k])
        ax.text(ends[k] - y_hat[k] / 2, 0, name, ha="center", va="center")
    for n, u in enumerate(ours[:count]):
        told = seen(letters.characters[np.argmax(ends > u)])
        style = {"arrowprops": {"arrowstyle": "->"}, "ha": "center"}
        ax.annotate(f"{n + 1}: {told}", (u, 0.5), (u, 1.2 + 0.7 * (n % 2)), **style)
    ax.set(xlim=(0, 1), ylim=(-0.6, 2.6), yticks=[], title="The old man s …")
    ax.set_xlabel("probabilities, side by side")
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    return fig


display.show(
    draw_draws(),
    alt="A bar from 0 to 1, cut into pieces as wide as the probabilities of the "
    "characters that may follow “The old man s”. Four arrows, at the first four random "
    "numbers, each point to the piece whose character is drawn.",
    caption="The first four numbers of seed 1 draw a character each. Wide pieces are "
    "hit often.",
)

# %% [markdown]
# ## Temperature
#
# Always taking the likeliest gives one text for each start. Drawing from $\hat y$ gives many. Between them lies the
# *temperature* $\tau > 0$, which divides the scores $p_k$ before the softmax:
#
# $$
# \hat y_k(\tau) = \frac{e^{p_k / \tau}}{\sum_j e^{p_j / \tau}} .
# $$ (def-rnn-temperature)
#
# By hand, for scores $(2, 1, 0)$: at $\tau = 1$ the probabilities are $(0.67, 0.24, 0.09)$; at $\tau = 0.5$ the scores
# count as $(4, 2, 0)$ and give $(0.87, 0.12, 0.02)$; at $\tau = 2$, $(1, 0.5, 0)$ and $(0.51, 0.31, 0.19)$.
#
# Let $m$ characters share the largest score. Divide numerator and denominator by $e^{p_{\max} / \tau}$: those $m$ have
# $e^0 = 1$, the others $e^{-(p_{\max} - p_k)/\tau}$, which goes to 0 with $\tau$. For $\tau \to \infty$ all exponents
# go to 0. So
#
# $$
# \lim_{\tau \to 0} \hat y_k(\tau) = \frac{[\,p_k = p_{\max}\,]}{m} , \qquad
# \lim_{\tau \to \infty} \hat y_k(\tau) = \frac1K .
# $$ (eq-rnn-temperature-limits)
#
# And between? Let $\mathcal{H}(\tau) = -\sum_k \hat y_k \ln \hat y_k$ be the entropy, in nats, and write
# $b = 1/\tau$, $Z = \sum_j e^{b p_j}$ and $\langle p \rangle = \sum_k \hat y_k p_k$ for the mean score under
# $\hat y(\tau)$. Then $\ln \hat y_k = b p_k - \ln Z$, so $\mathcal{H} = \ln Z - b \langle p \rangle$. Two derivatives
# are needed: $\frac{d}{db} \ln Z = \frac1Z \sum_j p_j e^{b p_j} = \langle p \rangle$, and, since
# $\frac{d}{db} \hat y_k = \hat y_k (p_k - \langle p \rangle)$,
# $\frac{d}{db} \langle p \rangle = \sum_k \hat y_k (p_k - \langle p \rangle)\, p_k = \operatorname{Var}(p)$. So
# $\frac{d\mathcal{H}}{db} = \langle p \rangle - \langle p \rangle - b \operatorname{Var}(p)$, and with
# $\frac{db}{d\tau} = -\frac1{\tau^2}$
#
# $$
# \frac{d\mathcal{H}}{d\tau} = \frac{\operatorname{Var}(p)}{\tau^3} \ge 0 ,
# $$ (eq-rnn-entropy-slope)
#
# the variance being that of the scores under $\hat y(\tau)$. It is zero only if all scores are the same: otherwise the
# entropy grows with $\tau$ at every $\tau$, from $\ln m$ to $\ln K$.


# %%
def tempered(p, tau):  # [K] → [K]
    weights = np.exp((p - p.max()) / tau)
    return weights / weights.sum()


def entropy(y_hat):  # nats
    y_hat = y_hat[y_hat > 0]
    return -np.sum(y_hat * np.log(y_hat))


def entropy_slope(p, tau):
    y_hat = tempered(p, tau)
    return y_hat @ (p - y_hat @ p) ** 2 / tau**3


for tau in (0.5, 1, 2):
    y_hat = tempered(np.array([2.0, 1, 0]), tau)
    print(f"τ = {tau:<3} {y_hat.round(2)}  entropy {entropy(y_hat):.2f}")


# %% tags=["hide-input"]
def draw_tempered(tau):
    scores, _ = sherlock(letters.encode("The old man s")[:, None])
    p = scores[-1, 0].double().numpy()
    order = np.argsort(-p)[:10]
    y_hat = tempered(p, tau)
    taus = np.geomspace(0.1, 10, 30)
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    axes[0].bar(range(10), y_hat[order], color=display.COLORS[0])
    axes[0].set_xticks(range(10), [seen(letters.characters[k]) for k in order])
    axes[0].set(ylim=(0, 1), ylabel="probability", title="after “The old man s”")
    axes[1].plot(taus, [entropy(tempered(p, t)) for t in taus], marker="")
    axes[1].plot([tau], [entropy(y_hat)], marker="o", ms=8, color=display.COLORS[1])
    axes[1].axhline(np.log(len(p)), color=display.INK, ls=":")
    axes[1].set(xscale="log", xlabel=r"$\tau$", ylabel="entropy (nats)", ylim=(0, 4.6))
    axes[1].minorticks_off()
    return figures


display.slider(
    draw_tempered,
    [0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0],
    label="τ",
    alt=lambda tau: (
        f"Left, the probabilities of the ten likeliest characters at τ = {tau:g}"
        + (", nearly all of it on one." if tau < 0.3 else ".")
        + " Right, the entropy against τ, which rises from 0 towards the dotted line."
    ),
    caption="Cold, the likeliest takes all; hot, all 77 come near one another. Dotted: "
    "the entropy of the uniform law, ln 77.",
    start=1.0,
)


# %% tags=["check"]
def cases():
    for K, m in ((2, 1), (5, 1), (5, 2), (77, 3)):
        p = rng.integers(-5, 5, K).astype(float)
        p[:m] = 6
        p = rng.permutation(p)
        yield tempered(p, 0.01), (p == p.max()) / m
        yield tempered(p, 1e9), np.full(K, 1 / K)


verify.equal("eq-rnn-temperature-limits", cases(), atol=1e-6, against="argmax; 1/K")


# %% tags=["check"]
def cases():
    for K in (2, 5, 77):
        for tau in (0.3, 0.9, 2.0, 7.0):
            p, little = 2 * rng.standard_normal(K), 1e-5
            warmer, colder = (
                torch.distributions.Categorical(logits=torch.tensor(p / t)).entropy()
                for t in (tau + little, tau - little)
            )
            yield entropy_slope(p, tau), (warmer - colder).item() / (2 * little)


verify.equal(
    "eq-rnn-entropy-slope", cases(), atol=1e-8, rtol=1e-6, against="differences"
)

# %% [markdown]
# ## What it writes
#
# First the small network, with starts and temperatures on a grid. In Jupyter, change what you like in the call below;
# the same seed writes the same characters on any machine whose arithmetic agrees to the last digits that matter.

# %% tags=["nbval-ignore-output"]
start, temperature, draw = "The ", 0.5, 3
print(
    start
    + text.generate(sherlock, letters, 120, start, temperature, text.Mulberry32(draw))
)


# %% tags=["hide-input"]
def draw_written(tau, width=44):
    fig, ax = plt.subplots(figsize=(4.2, 3.6))
    rows = []
    for n, begin in enumerate(("The ", "Holmes ", '"I ')):
        told = begin + text.generate(
            sherlock, letters, 124, begin, tau, text.Mulberry32(n)
        )
        told = told.replace("\n", "↵")
        rows += [told[i : i + width] for i in range(0, 124, width)] + [""]
    for n, line in enumerate(rows):
        ax.text(0, -n, line.replace("$", r"\$"), fontsize=9.5)
    ax.set(xlim=(0, 1), ylim=(-len(rows) + 1, 0.8))
    ax.axis("off")
    return fig


display.slider(
    draw_written,
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0],
    label="τ",
    alt=lambda tau: (
        f"Three texts that the small network writes at τ = {tau:g}: "
        + ("they run in circles." if tau < 0.2 else "")
        + ("words of English, hardly a sentence." if 0.2 <= tau <= 1 else "")
        + ("hardly a word." if tau > 1 else "")
    ),
    caption="After “The ”, “Holmes ” and a quotation that begins with I, with seeds 0, "
    "1 and 2; at 0 it is greedy. ↵ ends a line of the book.",
    start=0.5,
)

# %% [markdown]
# Now the large ones, at three stages of their training: before it, after a third and at the end. The records hold five
# starts for each; all draws use the same random numbers. Thirty characters, always the likeliest:


# %% tags=["hide-input"]
STAGES = {"start": "untrained", "third": "a third", "end": "the end"}


def printed(text):
    return text.replace("\n", "↵")


def sample(run, stage, start, tau, length):
    return (
        start
        + runs[run]["metrics"]["samples"][stage][start][tau][: length - len(start)]
    )


display.table(
    {"start": start}
    | {
        what: printed(sample("grimm", stage, start, "0", 30))
        for stage, what in STAGES.items()
    }
    for start in runs["grimm"]["metrics"]["samples"]["end"]
)

# %% [markdown]
# Untrained, a handful of characters go round. After a third, words and grammar are there; at the end the sentences are
# Grimm's own manner, and, as the curve above says, partly Grimm's own sentences. What 30 characters cannot show, longer
# pieces do. One start of the Bible, at the end of its training:

# %% tags=["hide-input"]
display.table(
    {
        "τ": "greedy" if tau == "0" else tau,
        "length": length,
        "text": printed(sample("bible", "end", "O", tau, length)),
    }
    for tau in ("0", "0.5", "1", "2")
    for length in (20, 30, 60, 200)
)

# %% [markdown]
# (The Bible prints *LORD* in capitals, so an *O* is mostly followed by *RD*.) At 20 and 30 characters, up to
# $\tau = 1$, there is one clause, and it could stand in the book. At 200 the clauses have nothing to do with each
# other, and the greedy text runs in a circle. Two numbers for what you see. *Repeated*: the share of stretches of ten
# characters that stood in the same text before.


# %%
def repeated(told, size=10):
    pieces = [told[i : i + size] for i in range(len(told) - size + 1)]
    return 1 - len(set(pieces)) / len(pieces)


# %% tags=["hide-input"]
def draw_circles():
    fig, ax = plt.subplots(figsize=(3.8, 2.6))
    lengths = range(20, 201, 5)
    for run, tau, label in (
        ("bible_stacked", "0", "greedy, 2 × 128"),
        ("bible", "0", "greedy, 1 × 1,024"),
        ("bible", "1", "τ = 1, 1 × 1,024"),
    ):
        samples = runs[run]["metrics"]["samples"]["end"].items()
        told = [start + of[tau] for start, of in samples]
        share = [np.mean([repeated(one[:n]) for one in told]) for n in lengths]
        ax.plot(lengths, share, label=label, markevery=6)
    ax.set(xlabel="characters written", ylabel="repeated", ylim=(-0.05, 1))
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return fig


display.show(
    draw_circles(),
    alt="Repeated stretches against the length of the text. All three lines are at 0 up "
    "to 30 characters. Then greedy text of two layers of 128 rises to 0.8 at 200, that "
    "of one layer of 1,024 from 60 on to about a quarter; at a temperature of 1 nothing "
    "is repeated.",
    caption="The Bible, means of five starts: what runs in a circle cannot be seen in "
    "the first thirty characters.",
)

# %% [markdown]
# *Words of the book*: the share of words (two letters or more) that the book has.


# %%
def words(told):
    kept = "".join(c if c.isalpha() else " " for c in told).split()
    return [word for word in kept if len(word) > 1]


known = set(words(data.book("bible")))


def in_the_book(told):
    found = words(told)[1:-1]  # the first and the last may be cut
    return np.mean([word in known for word in found])


# %% tags=["hide-input"]
def measured(run, tau, measure):  # the mean of five starts, and its standard error
    samples = runs[run]["metrics"]["samples"]["end"]
    values = [measure(start + told[tau]) for start, told in samples.items()]
    return np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))


def draw_measured():
    figures, axes = display.panels((3.3, 2.9), (3.3, 2.9))
    for end, label in (("", "1 × 1,024"), ("_stacked", "2 × 128")):
        values = [measured(name + end, "0", repeated) for name in BOOKS]
        mean, error = zip(*values, strict=True)
        axes[0].errorbar(range(4), mean, error, ls="", label=label, capsize=2)
    axes[0].set_xticks(range(4), BOOKS.values(), fontsize=9)
    axes[0].set(ylabel="repeated", ylim=(-0.05, 1.05), title="greedy")
    axes[0].figure.legend(loc="outside lower center", ncols=2, frameon=False)
    taus = ["0", "0.5", "1", "2"]
    values = [measured("bible", tau, in_the_book) for tau in taus]
    mean, error = zip(*values, strict=True)
    axes[1].errorbar(range(4), mean, error, capsize=2)
    axes[1].set_xticks(range(4), ["greedy", *taus[1:]])
    axes[1].set(ylabel="words of the book", ylim=(0, 1.05), title="Bible, 1 × 1,024")
    axes[1].set(xlabel=r"$\tau$")
    return figures


display.show(
    draw_measured(),
    alt="Left, how much greedy text repeats. Two layers of 128: a half or more on "
    "Grimm, Sherlock and the Bible. One layer of 1,024: a quarter on the Bible, next "
    "to nothing on the three smaller books. Right, the share of words that the Bible "
    "has: 1 for greedy and 0.5, a little less at 1, below a half at 2.",
    caption="Texts of 200 characters at the end of training, five starts each; bars "
    "are standard errors over the starts.",
)


def percent(pair):
    mean, error = pair
    return f"{100 * mean:.0f} ± {100 * error:.0f} %"


display.glue("words-at-one", percent(measured("bible", "1", in_the_book)))
display.glue("words-at-two", percent(measured("bible", "2", in_the_book)))
display.glue("circles-wide", percent(measured("bible", "0", repeated)))
display.glue("circles-narrow", percent(measured("bible_stacked", "0", repeated)))
display.glue("circles-half", percent(measured("bible", "0.5", repeated)))

# %% [markdown]
# Greedy text of the Bible's wide network repeats {glue:text}`circles-wide` of its stretches, that of two narrow layers
# {glue:text}`circles-narrow`; at $\tau = 0.5$ the wide one repeats {glue:text}`circles-half`. The wide networks of the
# small books do not circle even when greedy. {doc}`books` shows why that is no praise: they know those books by heart.
#
# At $\tau = 1$, the law as learned, {glue:text}`words-at-one` of the words stand in the Bible. So drawing does not make
# text "meaningless", as the assignment has it; at $\tau = 2$ it is {glue:text}`words-at-two`, and there the word fits.

# %% [markdown]
# ## What was shown
#
# - A network that is asked for the next character is scored in bits, {eq}`eq-rnn-perplexity`; embeddings are a matrix
#   product, {eq}`eq-rnn-embedding`; counting, {eq}`eq-rnn-counts-sum`, is the line to beat.
# - Teacher forcing trains all places of a window at once, on the book's own past. Left alone, the network soon
#   writes something else than the book, on 400 places of one network.
# - In training the loss falls the further the smaller the book; held out it is the other way round.
# - Temperature moves text from the likeliest to noise, {eq}`eq-rnn-temperature-limits`, and the entropy grows all the
#   way, {eq}`eq-rnn-entropy-slope`.
# - {doc}`books` asks what those networks have learned and what the choices are worth, {doc}`units` what single units
#   follow.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} One layer, one book
# :label: ex-rnn-text-train
# Train a one-layer LSTM of 1,024 units on windows of 30 characters of a book. Show loss and accuracy, list the
# hyperparameters with a reason for each, and say what your curves cannot show.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-text-train
# :class: dropdown
# :::
# `make rerun EXPERIMENT=text` does it; the curves are those of the section on four books. Embeddings of 256; Adam at
# 0.001 with a warm-up over 2 % of the steps and then half a cosine; batches of 128; clipping at a global norm of 5;
# bfloat16 where there is hardware for it; weights uniform in $\pm 1/\sqrt{1024}$ and the forget gate's bias 1 higher.
# {doc}`books` has a reason for each, with a run. What a loss in training cannot show is whether the network has learned
# the language or the book.
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Three stages
# :label: ex-rnn-text-stages
# Let a network write 30 characters after five starts, greedily, at three stages of its training. What changes? Then
# let it write 200: what becomes visible only there, and why does greedy text run in circles?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-text-stages
# :class: dropdown
# :::
# The table of stages shows five starts: circles of a few characters; then words and grammar; then sentences of the
# book's manner, on a small book sentences of the book. In 30 characters there is one clause, and it is mostly sound.
# In 200 there are several that do not belong together; and a greedy network is a map from states to states with no
# chance in it. When it comes close enough to a state where it has been, it goes on as before. Frequent phrases are
# where it comes close first.
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Draw with a temperature
# :label: ex-rnn-text-sample
# What does $\tau$ do to what is drawn, and how do texts at 0.5, 1 and 2 differ from greedy ones? Write
# `sample(scores, temperature, u)`: `scores` [K] is an array, and `u` a number in $[0, 1)$. Return the first index at
# which the sum of the probabilities exceeds `u`; at temperature 0 the first index of the largest score. Scores of 1,000
# and temperatures of $10^{-3}$ must do no harm.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-text-sample
# :class: dropdown
# :::
# It moves $\hat y$ between the argmax and the uniform law, {eq}`eq-rnn-temperature-limits`, and its entropy grows all
# the way. At 0.5 the text is nearly free of words that do not exist, and does not circle; at 1 it is as varied as the
# book and some words are made up; at 2 most are. Greedy text is the most correct and the most repetitive.


# %% tags=["solution"]
def sample(scores, temperature, u):
    if temperature == 0:
        return int(np.argmax(scores))
    weights = np.exp((scores - np.max(scores)) / temperature)
    below = np.cumsum(weights)
    return int(np.argmax(below > u * below[-1]))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/text_generation/sample", sample)

# %% [markdown]
# :::{exercise} Keep the state
# :label: ex-rnn-text-state
# Write `go_on(model, start, length)` for a model that maps characters [T, 1] and a state (or `None`) to scores
# [T, 1, K] and a state: the list of the `length` numbers that it writes greedily after the numbers in `start`, a
# tensor [S]. Let it read each number once.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-text-state
# :class: dropdown
# :::
# The state is all that later steps need of earlier ones, so reading everything anew would cost
# $S + (S + 1) + \dots$ steps for the same scores.


# %% tags=["solution"]
def go_on(model, start, length):
    x, state, written = start[:, None], None, []
    while len(written) < length:
        scores, state = model(x, state)
        written.append(int(scores[-1, 0].argmax()))
        x = torch.tensor([[written[-1]]])
    return written


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/text_generation/go_on", go_on)

# %% [markdown]
# :::{exercise} Bits per character
# :label: ex-rnn-text-bits
# A network reads `count` windows of different lengths, and you are given, for each, its mean loss in nats and its
# length. Write `bits_per_character(losses, lengths)`, the bits per character of all of them together.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-text-bits
# :class: dropdown
# :::
# Costs add up over characters, so a long window counts more: sum of loss times length over the sum of lengths, and
# divided by $\ln 2$.


# %% tags=["solution"]
def bits_per_character(losses, lengths):
    losses, lengths = np.asarray(losses), np.asarray(lengths)
    return losses @ lengths / lengths.sum() / np.log(2)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/text_generation/bits_per_character", bits_per_character)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`graves2013generating` lets LSTMs write text and handwriting, character by character.
# - {cite:t}`williams1989learning` introduce teacher forcing, {cite:t}`bengio2015scheduled` mix truth and own output.
# - {cite:t}`holtzman2020curious` ask why the likeliest text is dull, and draw from the top of the distribution alone.
