"""Time a training step of the experiment on palindromes against gates written out, and palindromes made one by one.

    python tools/benchmarks/palindromes.py

writes ``records/benchmarks/palindromes.json``. Times are those of the processor, in seconds per step, on one thread a
process, and of all processes together: the second way has a process of its own that makes the palindromes. The two take
turns, and the shortest time of each counts.
"""

import math
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from helpers import records
from helpers.rnn import palindromes

SEED = 0
THREADS = 1
LENGTHS = 12, 20
CELLS = "rnn", "lstm"
HIDDEN, BATCH = 128, 128
STEPS, TURNS = 60, 4


class Palindromes(Dataset):
    """One palindrome an item, as a data set without an end gives them."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return sys.maxsize

    def __getitem__(self, index):
        digits, target = palindromes.sample(self.length, 1, None)
        return digits[:, 0].float(), target[0]


class WrittenOut(nn.Module):
    """The equations of both cells, a matrix for each gate and source, left to autograd."""

    def __init__(self, cell):
        super().__init__()
        self.gates = "ifgo" if cell == "lstm" else "h"
        for gate in self.gates:
            for source, width in (("x", 1), ("h", HIDDEN)):
                weight = nn.init.xavier_uniform_(torch.empty(HIDDEN, width))
                setattr(self, f"W_{gate}{source}", nn.Parameter(weight))
            setattr(self, f"b_{gate}", nn.Parameter(torch.zeros(HIDDEN)))
        self.output = nn.Linear(HIDDEN, 10)

    def before(self, gate, x, h):
        W_x, W_h, b = (getattr(self, name) for name in (f"W_{gate}x", f"W_{gate}h", f"b_{gate}"))
        return x @ W_x.T + h @ W_h.T + b

    def forward(self, x):  # [B, T] → [B, 10]
        h = c = x.new_zeros(len(x), HIDDEN)
        for t in range(x.shape[1]):
            x_t = x[:, t : t + 1]
            if self.gates == "h":
                h = torch.tanh(self.before("h", x_t, h))
                continue
            i, f, o = (torch.sigmoid(self.before(gate, x_t, h)) for gate in "ifo")
            c = f * c + i * torch.tanh(self.before("g", x_t, h))
            h = o * torch.tanh(c)
        return self.output(h)


class Experiment(nn.Module):
    """The network of the experiment."""

    def __init__(self, cell):
        super().__init__()
        self.recurrent = {"rnn": nn.RNN, "lstm": nn.LSTM}[cell](1, HIDDEN)
        self.recurrent.bias_hh_l0.requires_grad_(False)
        self.output = nn.Linear(HIDDEN, 10)

    def forward(self, digits):  # [T, B] → [B, 10]
        h, _ = self.recurrent(digits.float()[..., None])
        return self.output(h[-1])


def used():
    """Processor seconds of this process and of those that it has started and that have ended."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in (own, ended))


def train(network, batches):
    optimizer = torch.optim.RMSprop([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    for digits, target in batches:
        optimizer.zero_grad()
        F.cross_entropy(network(digits), target).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()


def from_a_worker(length):
    """STEPS batches, as a worker process makes them; its end is waited for."""
    number = STEPS * BATCH
    sampler = torch.utils.data.SequentialSampler(range(number))
    yield from DataLoader(Palindromes(length), BATCH, sampler=sampler, num_workers=1)


def made_at_once(length):
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(STEPS):
        yield palindromes.sample(length, BATCH, generator)


def measure(cell, length):
    """Processor seconds of a step, the shortest of TURNS, after one of each for warming up."""
    ways = {"written_out": (WrittenOut, from_a_worker), "experiment": (Experiment, made_at_once)}
    shortest = dict.fromkeys(ways, math.inf)
    for turn in range(TURNS + 1):
        for name, (network, batches) in ways.items():
            start = used()
            train(network(cell), batches(length))
            if turn:
                shortest[name] = min(shortest[name], (used() - start) / STEPS)
    print(f"{cell}, T = {length}: " + ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in shortest.items()))
    return shortest


def main():
    start = time.perf_counter()
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    metrics = {cell: {str(length): measure(cell, length) for length in LENGTHS} for cell in CELLS}
    path = records.save(
        "benchmarks",
        "palindromes",
        parameters={
            "seed": SEED,
            "threads": THREADS,
            "clock": "processor",
            "hidden": HIDDEN,
            "batch": BATCH,
            "steps": STEPS,
            "turns": TURNS,
        },
        metrics=metrics,
        seconds=time.perf_counter() - start,
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
