"""The oracles of the exercises on rates for each weight."""

import torch

from oracles import tried


def adam(w, gradients, eta, beta_1, beta_2, epsilon, power=1, under=False, corrected=True, squared=False):
    """The weights after each step, and with other arguments the mistakes that are made in it."""
    u, s, path = torch.zeros_like(w), torch.zeros_like(w), []
    for k, g in enumerate(gradients):
        u = beta_1 * u + (1 - beta_1) * g
        s = (beta_2 * s.sqrt() + (1 - beta_2) * g.abs()) ** 2 if squared else beta_2 * s + (1 - beta_2) * g**2
        u_hat, s_hat = (u / (1 - beta_1 ** (k + power)), s / (1 - beta_2 ** (k + power))) if corrected else (u, s)
        w = w - eta * u_hat / ((s_hat + epsilon).sqrt() if under else s_hat.sqrt() + epsilon)
        path.append(w)
    return torch.stack(path)


def test_adam_corrects_both_means_by_the_number_of_gradients():
    mistakes = {"power": 2}, {"power": 0}, {"under": True}, {"corrected": False}, {"squared": True}
    hint = "ε is added to the root"
    wrong = [(lambda *args, m=m: adam(*args, **m), hint) for m in mistakes]
    late = (lambda w, *rest: torch.cat([w[None], adam(w, *rest)[:-1]]), hint)  # the weights before each step
    first_power = (lambda w, gradients, *rest: torch.stack([adam(w, [g], *rest)[0] for g in gradients]), hint)
    tried("rnn/optimizers/adam_weights", adam, *wrong, late, first_power)


def test_decoupled_decay_is_no_gradient():
    def decayed(w, gradients, eta, zeta, how="before"):
        weight, path = torch.nn.Parameter(w.clone()), []
        optimizer = torch.optim.Adam([weight], lr=eta, weight_decay=zeta if how == "gradient" else 0)
        for g in gradients:
            before, weight.grad = weight.detach().clone(), g.clone()
            optimizer.step()
            taken = {"before": eta * zeta * before, "rate": zeta * before, "after": eta * zeta * weight.detach()}
            weight.data -= taken.get(how, 0)
            path.append(weight.detach().clone())
        return torch.stack(path)

    hint = "enters neither of the means"
    wrong = [(lambda *args, how=how: decayed(*args, how), hint) for how in ("gradient", "rate", "after")]
    tried("rnn/optimizers/decayed_adam", decayed, *wrong)
