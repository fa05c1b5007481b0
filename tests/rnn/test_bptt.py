"""The oracles of the exercises on backpropagation through time."""

import torch

from oracles import tried


def slopes(h):
    return 1 - h**2


def smoothed(p, target, epsilon):
    y = torch.full_like(p, epsilon / len(p))
    y[target] += 1 - epsilon
    return torch.softmax(p, dim=0) - y


def test_a_smoothed_target_keeps_its_sum():
    def shared_among_the_others(p, target, epsilon):
        y = torch.full_like(p, epsilon / (len(p) - 1))
        y[target] = 1 - epsilon
        return torch.softmax(p, dim=0) - y

    def shortened(p, target, epsilon):
        y = torch.zeros_like(p)
        y[target] = 1 - epsilon
        return torch.softmax(p, dim=0) - y

    hint = "sums to one"
    wrong = (shared_among_the_others, hint), (shortened, hint), (lambda *args: -smoothed(*args), hint)
    tried("rnn/bptt/smoothed_gradient", smoothed, *wrong)


def at_end(h, dL_dp, W_hh, W_ph, uses=None, transposed=True, shift=1, sloped=True):
    """Both gradients, and with other arguments the mistakes that are made in them."""
    steps = range(len(h) - 1, 0, -1)
    dL_dh, gradient = W_ph.T @ dL_dp, torch.zeros_like(W_hh)
    for t in steps[:uses]:
        dL_da = slopes(h[t]) * dL_dh if sloped else dL_dh
        gradient += torch.outer(dL_da, h[t - shift])
        dL_dh = (W_hh.T if transposed else W_hh) @ dL_da
    return torch.outer(dL_dp, h[-1]), gradient


MISTAKES = {"uses": 1}, {"uses": 2}, {"transposed": False}, {"shift": 0}, {"sloped": False}


def test_the_gradient_at_step_three_has_three_terms():
    wrong = [(lambda *args, m=m: at_end(*args, **m)[1], "Three uses, three outer products") for m in MISTAKES]
    tried("rnn/bptt/gradient_at_three", lambda *args: at_end(*args)[1], *wrong)


def test_a_loss_at_the_end_blames_all_uses_of_one_weight_and_one_of_the_other():
    def all_steps(h, dL_dp, W_hh, W_ph):
        return torch.outer(dL_dp, h[1:].sum(dim=0)), at_end(h, dL_dp, W_hh, W_ph)[1]

    hint = "W_ph is used once"
    wrong = [(lambda *args, m=m: at_end(*args, **m), hint) for m in MISTAKES]
    tried("rnn/bptt/gradients_at_end", at_end, *wrong, (all_steps, hint))


def test_all_losses_reach_a_learned_start():
    def pass_back(h, dL_dp, W_hh, W_ph, last=None, transposed=True, steps=None):
        dL_dh = torch.zeros(len(W_hh))
        for t in range(len(dL_dp), 0, -1)[:steps]:
            if not last or t == len(dL_dp):
                dL_dh = dL_dh + W_ph.T @ dL_dp[t - 1]
            dL_dh = (W_hh.T if transposed else W_hh) @ (slopes(h[t]) * dL_dh)
        return dL_dh

    wrong = {"last": True}, {"transposed": False}, {"steps": -1}
    hint = "Every step's loss reaches the start"
    mistakes = [(lambda *args, m=m: pass_back(*args, **m), hint) for m in wrong]
    tried("rnn/bptt/start_gradient", pass_back, *mistakes)
