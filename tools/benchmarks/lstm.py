"""Time the LSTM with its derived backward pass against PyTorch's layer, against autograd, and against its products.

    python tools/benchmarks/lstm.py

writes ``records/benchmarks/lstm.json``. Times are those of the processor, on one thread, so that what else runs on the
machine disturbs them little; the candidates take turns, and the shortest time of each counts.
"""

import time

import torch
from torch import nn

from helpers import records
from helpers.rnn.cells import LSTM

SEED = 0
THREADS = 1
# The text of the book, and its palindromes: T, B, E, H and how often each is timed.
SIZES = {"text": (30, 128, 256, 1024, 5), "palindromes": (20, 128, 1, 128, 40)}
PRECISIONS = {"text": ("float32", "bfloat16"), "palindromes": ("float32",)}


class GateByGate(nn.Module):
    """Twelve parameters, eight products a step: the module that the chapter writes from the equations."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        shapes = {"x": (hidden_size, input_size), "h": (hidden_size, hidden_size), "b": (hidden_size,)}
        for gate in "ifgo":
            for name, shape in shapes.items():
                weight = torch.empty(shape).uniform_(-(hidden_size**-0.5), hidden_size**-0.5)
                setattr(self, f"{gate}_{name}", nn.Parameter(weight))

    def before(self, gate, x, h):
        W_x, W_h, b = (getattr(self, f"{gate}_{name}") for name in "xhb")
        return x @ W_x.T + h @ W_h.T + b

    def forward(self, x):
        h = c = x.new_zeros(x.shape[1], len(self.i_b))
        states = []
        for x_t in x:
            i, f, o = (torch.sigmoid(self.before(gate, x_t, h)) for gate in "ifo")
            c = f * c + i * torch.tanh(self.before("g", x_t, h))
            h = o * torch.tanh(c)
            states.append(h)
        return torch.stack(states), (h, c)


def training_step(layer, x, weight, dtype):
    """The layer forward and backward, with a gradient of the loss at every state."""

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            h, _ = layer(x)
        (h * weight).sum().backward()
        layer.zero_grad()
        x.grad = None

    return step


def products(cell, x, dtype):
    """The matrix products of such a step and nothing else, as the derived form asks for them."""
    (T, B, E), H = x.shape, cell.hidden_size
    W_x, W_h, b, rows = (tensor.detach().to(dtype) for tensor in (cell.W_x, cell.W_h, cell.b, x.view(T * B, E)))
    h, with_states = rows.new_zeros(B, H), rows.new_zeros(T * B, E + H)

    def step():
        a = torch.addmm(b, rows, W_x.T).view(T, B, 4 * H)
        for t in range(T):
            a[t].addmm_(h, W_h.T)
        for t in range(T):
            torch.addmm(h, a[t], W_h)
        da = a.view(T * B, 4 * H)
        return da.T @ with_states, da @ W_x

    return step


def shortest(steps, repeats):
    """Processor seconds of each of ``steps``, the shortest of ``repeats`` in turns, after one for warming up."""
    seconds = {name: [] for name in steps}
    for _ in range(repeats + 1):
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    return {name: min(times[1:]) for name, times in seconds.items()}


def measure(size, precision):
    T, B, E, H, repeats = SIZES[size]
    dtype = getattr(torch, precision)
    x, weight = torch.randn(T, B, E, requires_grad=True), torch.randn(T, B, H)
    derived = LSTM(E, H)
    layers = {"derived": derived, "pytorch": nn.LSTM(E, H), "gate_by_gate": GateByGate(E, H)}
    steps = {name: training_step(layer, x, weight, dtype) for name, layer in layers.items()}
    seconds = shortest(steps | {"products": products(derived, x, dtype)}, repeats)
    print(f"{size}, {precision}: " + ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in seconds.items()))
    return seconds


def main():
    start = time.perf_counter()
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    metrics = {size: {precision: measure(size, precision) for precision in PRECISIONS[size]} for size in SIZES}
    path = records.save(
        "benchmarks",
        "lstm",
        parameters={
            "seed": SEED,
            "threads": THREADS,
            "clock": "processor",
            "sizes": {name: dict(zip("TBEH", size, strict=False)) for name, size in SIZES.items()},
            "repeats": {name: size[-1] for name, size in SIZES.items()},
        },
        metrics=metrics,
        seconds=time.perf_counter() - start,
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
