"""Text, character by character: a network that tells the next one, and what it writes when it is let go on."""

import math
from numbers import Real

import numpy as np
import torch
from torch import nn

from helpers.training import check_count


class Vocabulary:
    """The characters of a text, numbered in the order of their code points.

    ``len`` is their number, :attr:`characters` all of them in one string, which makes the same vocabulary again.
    Raises ValueError for an empty text, TypeError for what is no text.
    """

    def __init__(self, text):
        if not isinstance(text, str):
            raise TypeError(f"a vocabulary is made of a text, and not of {type(text).__name__}")
        if not text:
            raise ValueError("the text is empty: a vocabulary needs at least one character")
        self.characters = "".join(sorted(set(text)))
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    def __len__(self):
        return len(self.characters)

    def encode(self, text):
        """The numbers of the characters of ``text``: int64 [N]. Raises ValueError that names those it has not."""
        unknown = sorted(set(text) - self._numbers.keys())
        if unknown:
            named = ", ".join(map(repr, unknown[:10]))
            raise ValueError(f"{named} is not among the {len(self)} characters of this vocabulary: {self.characters!r}")
        return torch.tensor([self._numbers[character] for character in text], dtype=torch.int64)

    def decode(self, numbers):
        """The text that ``numbers`` (a sequence or tensor) stand for. Raises ValueError for those of no character."""
        numbers = [int(number) for number in numbers]
        wrong = [number for number in numbers if not 0 <= number < len(self)]
        if wrong:
            raise ValueError(f"{wrong[0]} is the number of no character: expected 0 to {len(self) - 1}")
        return "".join(self.characters[number] for number in numbers)


class TextGenerationModel(nn.Module):
    """Embedding, LSTM and a linear map to the scores of the next character (question 2.4 of the 2021 assignment).

    Called with characters [T, B] (int64) and a state, which is zero when left out, it returns the scores
    [T, B, vocabulary_size] and the state after the last of them: a pair of tensors [num_layers, B, hidden_size].

    The LSTM is PyTorch's; of its two biases, which would only ever be added up, the second stays zero. Weights start
    uniform between ±1/√hidden_size, and the forget gate's bias one higher (equations 8 to 13 of the same document).
    Raises ValueError for a size that is no whole number from 1 on.
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, num_layers=1):
        super().__init__()
        sizes = {
            "vocabulary_size": vocabulary_size,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
        }
        for name, size in sizes.items():
            check_count(name, size)
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.lstm = nn.LSTM(embedding_size, hidden_size, num_layers)
        self.output = nn.Linear(hidden_size, vocabulary_size)
        with torch.no_grad():
            for layer in range(num_layers):
                getattr(self.lstm, f"bias_hh_l{layer}").zero_().requires_grad_(False)
                getattr(self.lstm, f"bias_ih_l{layer}").chunk(4)[1].add_(1)  # input, forget, cell, output

    def forward(self, characters, state=None):
        h, state = self.lstm(self.embedding(characters), state)
        return self.output(h), state


class Mulberry32:
    """A small generator of random numbers, with 32 bits of state, that is easily written in any language.

    Source: T. Ettinger, "mulberry32", 2017, in the public domain. Raises ValueError unless ``seed`` is a whole number
    from 0 to 2³² − 1.
    """

    def __init__(self, seed):
        check_count("seed", seed, 0)
        if seed >= 2**32:
            raise ValueError(f"seed = {seed}: expected a whole number below 2**32")
        self._state = seed

    def random(self):
        """The next number: a multiple of 2⁻³² in [0, 1)."""
        mask = 2**32 - 1
        self._state = (self._state + 0x6D2B79F5) & mask
        bits = self._state
        bits = (bits ^ bits >> 15) * (bits | 1) & mask
        bits ^= bits + ((bits ^ bits >> 7) * (bits | 61) & mask) & mask
        return (bits ^ bits >> 14) / 2**32


@torch.no_grad()
def generate(model, vocabulary, length, start, temperature=0.0, generator=None):
    """Return the ``length`` characters that ``model`` writes after the text ``start``, which is not among them.

    Every character of ``start``, and each one written but the last, is read once, by one step of the cell. At
    ``temperature`` 0 the likeliest character is written (of several, the first of the vocabulary); above, the scores
    are divided by it, and the softmax of that is drawn from: the first character at which the sum of the
    probabilities, in the order of the vocabulary, exceeds ``generator.random()``. ``generator`` is a
    :class:`Mulberry32`, that of seed 0 when left out.

    Raises ValueError for a ``length`` that is no whole number from 0 on, a ``start`` that is empty or has characters
    that the vocabulary has not, and a temperature below 0 or not finite.
    """
    check_count("length", length, 0)
    if not isinstance(temperature, Real) or not 0 <= temperature < math.inf:
        raise ValueError(f"temperature = {temperature!r}: expected a number from 0 on; 0 takes the likeliest")
    if not start:
        raise ValueError("start is empty: the network needs at least one character to go on from")
    device = next(model.parameters()).device
    generator = generator or Mulberry32(0)
    training, state, written = model.training, None, []
    model.eval()
    read = vocabulary.encode(start).to(device)[:, None]  # [S, 1]
    while len(written) < length:
        scores, state = model(read, state)
        number = _choose(scores[-1, 0].double().cpu().numpy(), temperature, generator)
        written.append(number)
        read = torch.tensor([[number]], device=device)
    model.train(training)
    return vocabulary.decode(written)


def _choose(scores, temperature, generator):
    """The number of the next character, of its ``scores`` [V]."""
    if temperature == 0:
        return int(scores.argmax())
    scores = scores - scores.max()  # before the division, so that a small temperature leaves zeros and -inf alone
    with np.errstate(over="ignore"):
        weights = np.exp(scores / temperature)
    below = weights.cumsum()
    return int(np.searchsorted(below, generator.random() * below[-1], side="right"))


def context_bits(read, told, order, vocabulary_size):
    """How many bits each character of a text costs, told by those before it, as far as counts in another text tell.

    ``read`` [M] holds the numbers of the characters that are counted, ``told`` [N] of those that are told, both below
    ``vocabulary_size``, which is at most 128. Returns ``order + 1`` rows of N numbers: −log₂ of the probability from
    contexts of 0, 1, …, ``order`` characters. In a context that was read n times, followed by s different characters, a
    character that followed it k times has the probability (k + s·p) / (n + s), where p is its probability in the
    context shorter by one; below all stands the uniform law over the vocabulary (Witten and Bell, "The zero-frequency
    problem", 1991, method C, interpolated).

    Raises ValueError for an order that is not from 0 to 7, or for numbers that the vocabulary has not.
    """
    check_count("order", order, 0)
    check_count("vocabulary_size", vocabulary_size)
    if order > 7:  # 8 characters of 7 bits and the sign fit into an int64
        raise ValueError(f"order = {order}: expected 0 to 7 characters of context")
    read, told = (np.asarray(numbers, dtype=np.int64) for numbers in (read, told))
    if vocabulary_size > 128:
        raise ValueError(f"vocabulary_size = {vocabulary_size}: expected at most 128 characters")
    if any(numbers.size and not 0 <= numbers.min() <= numbers.max() < vocabulary_size for numbers in (read, told)):
        raise ValueError(f"the numbers of {vocabulary_size} characters are from 0 to {vocabulary_size - 1}")
    probability, rows = np.full(len(told), 1 / vocabulary_size), []
    for size in range(order + 1):
        grams, grams_told = _grams(read, size + 1), _grams(told, size + 1)
        kinds, times = np.unique(grams, return_counts=True)
        contexts, followed = np.unique(kinds >> 7, return_counts=True)
        read_times = np.add.reduceat(times, np.r_[0, followed.cumsum()[:-1]]) if len(times) else times
        k = _counted(kinds, times, grams_told)
        n, s = (_counted(contexts, counts, grams_told >> 7) for counts in (read_times, followed))
        within = probability[size:]  # the first characters have no context of this size
        probability[size:] = np.where(n > 0, (k + s * within) / np.maximum(n + s, 1), within)
        rows.append(-np.log2(probability))
    return np.stack(rows)


def _grams(numbers, size):
    """Each run of ``size`` numbers of 7 bits as one number, its last character in the lowest bits."""
    count = max(0, len(numbers) - size + 1)
    grams = np.zeros(count, np.int64)
    for place in range(size):
        grams = grams << 7 | numbers[place:][:count]
    return grams


def _counted(kinds, counts, wanted):
    """The ``counts`` of those of the sorted ``kinds`` that are ``wanted``; 0 where it is none of them."""
    if not len(kinds):
        return np.zeros(len(wanted), np.int64)
    place = np.minimum(np.searchsorted(kinds, wanted), len(kinds) - 1)
    return np.where(kinds[place] == wanted, counts[place], 0)
