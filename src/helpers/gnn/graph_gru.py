"""Graph GRUs that forecast a film's next frame: four kinds of networks, each from several starts, all at once.

The kinds are those of ``KINDS``, with or without the switches "edges" and "memory". Networks stand in a leading
dimension of size 4 S, kind by kind, S being ``STARTS``.
"""

import torch

from helpers.gnn import wind

KINDS = {  # edges, memory
    "neither": (False, False),
    "memory only": (False, True),
    "edges only": (True, False),
    "both": (True, True),
}
STARTS = 5
HIDDEN = 8  # features of a knot's state


def _switch(which):
    on = torch.tensor([float(switches[which]) for switches in KINDS.values()], dtype=torch.float32)
    return on.repeat_interleave(STARTS)[:, None, None]  # [4 S, 1, 1]


EDGES, MEMORY = _switch(0), _switch(1)


def graph_filter(X, L, Theta):
    """X Θ₀ + L X Θ₁; X [..., N, d], L [..., N, N], Theta [..., 2 d, e] with Θ₀ above Θ₁."""
    LX = L @ X
    return torch.cat([X.expand_as(LX), LX], dim=-1) @ Theta


def graph_gru(X, L, weights, memory=1.0):
    """States [T, ..., N, d] of a GRU whose products are graph filters; X [T, ..., N, d_x], L [T or 1, ..., N, N].

    ``weights`` are Theta_x [..., 2 d_x, 3 d], b_x, Theta_h [..., 2 d, 3 d], b_h, with the gates r, z, n side by side.
    The state before each frame is multiplied by ``memory``.
    """
    Theta_x, b_x, Theta_h, b_h = weights
    from_x = graph_filter(X, L, Theta_x) + b_x  # [T, ..., N, 3 d], all frames at once
    H = torch.zeros_like(from_x[0]).chunk(3, dim=-1)[0]
    states = []
    for x, L_t in zip(from_x, L.expand(len(X), *L.shape[1:]), strict=True):
        H = memory * H
        x_r, x_z, x_n = x.chunk(3, dim=-1)
        h_r, h_z, h_n = (graph_filter(H, L_t, Theta_h) + b_h).chunk(3, dim=-1)
        R, Z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        H = (1 - Z) * torch.tanh(x_n + R * h_n) + Z * H
        states.append(H)
    return torch.stack(states)


def forecast(y, L, weights):
    """Forecasts [T, 4 S, N] of the frame after each of y [T, N]; L [N, N], or [T, N, N] of the frames seen."""
    *cell, Theta_o, b_o = weights
    y = y[:, None, :, None].float()
    L = EDGES * L.float().reshape(-1, 1, *L.shape[-2:])  # [T or 1, 4 S, N, N]
    H = graph_gru(y, L, cell, MEMORY)
    return (y + graph_filter(H, L, Theta_o) + b_o)[..., 0]


def train(nets, steps, generator, frames=12, warm_up=3, lr=0.03):
    """Weights of all networks after ``steps`` steps, each on new films of the nets (Laplacians)."""

    def start(d_in, d_out):  # Θ₁ is smaller, as L stretches by up to a dozen
        theta = (torch.rand(2, len(EDGES), d_in, d_out, generator=generator) * 2 - 1) / d_in**0.5
        return torch.cat([theta[0], theta[1] / 8], dim=1)

    weights = [start(1, 3 * HIDDEN), torch.zeros(len(EDGES), 1, 3 * HIDDEN)]
    weights += [start(HIDDEN, 3 * HIDDEN), torch.zeros(len(EDGES), 1, 3 * HIDDEN)]
    weights += [start(HIDDEN, 1) / 3, torch.zeros(len(EDGES), 1, 1)]
    weights = [W.float().requires_grad_() for W in weights]  # single precision: faster
    optimizer = torch.optim.Adam(weights, lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    L = torch.block_diag(*nets)  # as one graph without edges between them
    for _ in range(steps):
        _, y = wind.shoot(L, frames + 1, generator)
        error = forecast(y[:-1], L, weights) - y[1:, None]
        optimizer.zero_grad()
        error[warm_up:].square().mean(dim=(0, 2)).sum().backward()
        optimizer.step()
        schedule.step()
    return [W.detach() for W in weights]
