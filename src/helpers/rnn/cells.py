"""Recurrent layers from their equations, and the LSTM's backward pass as it is derived in the book."""

import torch
from torch import nn

from helpers.training import check_count


def lstm_parameter_count(n_input, n_hidden, n_output=None):
    """The number of weights and biases of an LSTM, and of the linear map to ``n_output`` scores where there is one.

    Question 2.2 b of the 2021 assignment. Raises ValueError for a size that is no whole number from 1 on.
    """
    check_count("n_input", n_input)
    check_count("n_hidden", n_hidden)
    count = 4 * (n_hidden * n_input + n_hidden**2 + n_hidden)
    if n_output is None:
        return count
    check_count("n_output", n_output)
    return count + n_output * n_hidden + n_output


class _Recurrent(nn.Module):
    """Weights ``W_x`` [G·H, E] and ``W_h`` [G·H, H] and biases ``b`` [G·H] of G gates, uniform between ±1/√H."""

    def __init__(self, input_size, hidden_size, gates):
        super().__init__()
        check_count("input_size", input_size)
        check_count("hidden_size", hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_x = nn.Parameter(torch.empty(gates * hidden_size, input_size))
        self.W_h = nn.Parameter(torch.empty(gates * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.empty(gates * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def check(self, x, *state):
        """Raise ValueError for an input or a state of another shape."""
        if x.dim() != 3 or x.shape[2] != self.input_size or not x.shape[0]:
            expected = f"[T, B, {self.input_size}] with T from 1 on"
            raise ValueError(f"the input has shape {list(x.shape)}: expected {expected}")
        expected = [x.shape[1], self.hidden_size]
        for part in state:
            if list(part.shape) != expected:
                raise ValueError(f"the state has shape {list(part.shape)}: expected {expected}")


class VanillaRNN(_Recurrent):
    """h(t) = tanh(W_x x(t) + W_h h(t−1) + b): equation 3 of the 2021 assignment.

    Called with ``x`` [T, B, E] and, if it is not to be zero, a state h(0) [B, H], it returns all states [T, B, H] and
    the last one [B, H]. Raises ValueError for other shapes.
    """

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size, gates=1)

    def forward(self, x, state=None):
        h = x.new_zeros(x.shape[1:2] + (self.hidden_size,)) if state is None else state
        self.check(x, h)
        states = []
        for from_x in nn.functional.linear(x, self.W_x, self.b):
            h = torch.tanh(from_x + h @ self.W_h.T)
            states.append(h)
        return torch.stack(states), h


class LSTM(_Recurrent):
    """Equations 8 to 13 of the 2021 assignment; its gates stand in the order i, f, g, o, as those of ``nn.LSTM`` do.

    Called with ``x`` [T, B, E] and, if it is not to be zero, a state ``(h(0), c(0))``, each [B, H], it returns all
    h(t) [T, B, H] and the last state ``(h(T), c(T))``. The forget gate's bias starts one higher than the other weights.

    With ``backward="derived"`` gradients come from the backward pass of the book, which has no second derivatives: it
    raises RuntimeError where ``create_graph=True`` asks for them. With "autograd" they come from PyTorch's, step by
    step. Both have the same ``state_dict``. Raises ValueError for another ``backward`` and for other shapes.
    """

    def __init__(self, input_size, hidden_size, backward="derived"):
        super().__init__(input_size, hidden_size, gates=4)
        if backward not in ("derived", "autograd"):
            raise ValueError(f"backward = {backward!r}: expected 'derived' or 'autograd'")
        self.backward = backward
        with torch.no_grad():
            self.b.chunk(4)[1].add_(1)

    def forward(self, x, state=None):
        zero = x.new_zeros(x.shape[1:2] + (self.hidden_size,))
        h, c = (zero, zero) if state is None else state
        self.check(x, h, c)
        if self.backward == "derived":
            tensors = x, h, c, self.W_x, self.W_h, self.b
            if torch.is_autocast_enabled(x.device.type):
                tensors = (tensor.to(torch.get_autocast_dtype(x.device.type)) for tensor in tensors)
            with torch.autocast(x.device.type, enabled=False):
                h, c = _LSTM.apply(*tensors)
            return h, (h[-1], c)
        states = []
        for x_t in x:
            i, f, g, o = (x_t @ self.W_x.T + h @ self.W_h.T + self.b).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        return torch.stack(states), (h, c)


class _LSTM(torch.autograd.Function):
    """The LSTM over all steps, (x, h(0), c(0), W_x, W_h, b) → (h [T, B, H], c(T)), and its gradients."""

    @staticmethod
    def forward(ctx, x, h_0, c_0, W_x, W_h, b):
        (T, B, E), H = x.shape, W_h.shape[1]
        gates = torch.addmm(b, x.reshape(T * B, E), W_x.T).view(T, B, 4 * H)
        h, c = x.new_empty(T + 1, B, H), x.new_empty(T + 1, B, H)
        tanh_c = x.new_empty(T, B, H)
        h[0], c[0] = h_0, c_0
        for t in range(T):
            a = gates[t].addmm_(h[t], W_h.T)  # [B, 4H], from here on in place
            a[:, : 2 * H].sigmoid_()
            a[:, 2 * H : 3 * H].tanh_()
            a[:, 3 * H :].sigmoid_()
            i, f, g, o = a.chunk(4, dim=1)
            torch.mul(f, c[t], out=c[t + 1]).addcmul_(i, g)
            torch.tanh(c[t + 1], out=tanh_c[t])
            torch.mul(o, tanh_c[t], out=h[t + 1])
        ctx.save_for_backward(x, W_x, W_h, gates, h, c, tanh_c)
        return h[1:].clone(), c[T].clone()

    @staticmethod
    def backward(ctx, dh, dc_T):
        if torch.is_grad_enabled():  # create_graph=True: what follows works in place, and has no gradient of its own
            advice = "LSTM(…, backward='autograd') has the same state_dict and can be differentiated twice"
            raise RuntimeError(f"the derived backward pass of the LSTM has no second derivative: {advice}")
        x, W_x, W_h, gates, h, c, tanh_c = ctx.saved_tensors
        (T, B, E), H = x.shape, W_h.shape[1]
        sigmoid_backward, tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
        da = torch.empty_like(gates)  # of the gates, before their non-linearity
        dh_t, dc = dh[T - 1].clone(), dc_T.clone()
        for t in reversed(range(T)):
            i, f, g, o = gates[t].chunk(4, dim=1)
            di, df, dg, do = da[t].chunk(4, dim=1)
            sigmoid_backward.grad_input(dh_t * tanh_c[t], o, grad_input=do)
            dc += tanh_backward(dh_t * o, tanh_c[t])
            sigmoid_backward.grad_input(dc * g, i, grad_input=di)
            sigmoid_backward.grad_input(dc * c[t], f, grad_input=df)
            tanh_backward.grad_input(dc * i, g, grad_input=dg)
            dc *= f
            dh_t = torch.addmm(dh[t - 1], da[t], W_h) if t else da[t] @ W_h
        da = da.view(T * B, 4 * H)
        dW = da.T @ torch.cat([x, h[:-1]], dim=2).view(T * B, E + H)  # one product for both
        dx = (da @ W_x).view(T, B, E) if ctx.needs_input_grad[0] else None
        return dx, dh_t, dc, dW[:, :E], dW[:, E:], da.sum(0)
