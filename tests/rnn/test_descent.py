"""Paths of rules and of torch.optim."""

import torch

from helpers.rnn.descent import descend, torch_path


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
