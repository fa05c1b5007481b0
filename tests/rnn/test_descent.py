"""Paths of rules and of torch.optim."""

import torch

from helpers.rnn.descent import SmallNetwork, both_ways, descend, torch_path


def test_a_rule_gets_its_own_state_and_settings_at_every_step():
    def rule(w, g, state, by):
        return w - by * g, state + 1 if torch.all(w == 16 * 0.5**state) else None

    path = descend(rule, lambda w: w, torch.full((2, 3), 16.0), 3, by=0.5)
    assert path.shape == (4, 2, 3)
    assert path[:, 1, 2].tolist() == [16, 8, 4, 2]


def test_torchs_path_keeps_the_weights_of_every_step_though_they_change_in_place():
    weights = [torch.nn.Parameter(torch.tensor([[4.0]])), torch.nn.Parameter(torch.tensor([8.0, 0.0]))]
    path = torch_path(torch.optim.SGD, lambda: sum((w**2).sum() / 2 for w in weights), weights, 2, lr=0.5)
    assert path.tolist() == [[4, 8, 0], [2, 4, 0], [1, 2, 0]]
    assert not path.requires_grad and weights[0].item() == 1


def test_no_steps_are_a_path_of_one_place():
    assert descend(None, None, torch.ones(2), 0).tolist() == [[1, 1]]
    assert torch_path(torch.optim.SGD, None, [torch.nn.Parameter(torch.ones(2))], 0, lr=1.0).tolist() == [[1, 1]]


def test_a_rule_is_held_against_torch_in_a_ravine_and_on_a_network():
    torch.set_default_dtype(torch.float64)
    try:
        network = SmallNetwork(0)

        def pairs(factor):
            def sgd(w, g, state, eta):
                return w - factor * eta * g, state

            return list(both_ways(sgd, torch.optim.SGD, {"eta": 0.01}, {"lr": 0.01}, network, steps=5))

        for ours, theirs in pairs(1):
            assert ours.shape == theirs.shape and len(ours) == 6 and not torch.equal(ours[0], ours[-1])
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
        assert all((ours - theirs).abs().max() > 1e-6 for ours, theirs in pairs(1.001))
    finally:
        torch.set_default_dtype(torch.float32)
