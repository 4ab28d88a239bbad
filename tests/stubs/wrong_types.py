"""Calls that type checkers must refuse. `check_types.py` expects an error at each marked line."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor


class Gate(tg.nn.Module):
    """A module of a user."""

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return x * scale


def leaky(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    return x, h


def wrong_calls(t: Tensor, gate: Gate) -> None:
    """Make each of the mistakes; nothing calls this."""
    tg.tanh(t, 3)  # error
    tg.tanh()  # error
    tg.tanh("a")  # error
    tg.tanh(None)  # error
    tg.tanh(x=t)  # error
    tg.add(t)  # error
    tg.add(t, "a")  # error
    tg.sum(t, dim=0)  # error
    tg.sum(t, axis="rows")  # error
    tg.softmax(t, axis=None)  # error
    tg.concatenate(t, t)  # error
    tg.stack([t, None])  # error
    tg.split(t, 2, 0, 1)  # error
    tg.exp(t).view(2)  # error
    t.tanh(3)  # error
    t.sum(dim=0)  # error
    t.unsqueeze(0)  # error
    t.astype()  # error
    t + "a"  # error
    t @ None  # error
    t[0] = 1.0  # error
    t & t  # error
    tg.grad(t.sum())  # error
    tg.grad(t.sum(), 3)  # error
    tg.grad(t.sum(), [1.0])  # error
    tg.grad(t, t).append(t)  # error
    tg.scan(leaky, t)  # error
    tg.scan(leaky, t, (t, t))  # error
    tg.scan(leaky, t, t, 3, 4)  # error
    tg.scan(gate, t, t)  # error
    tg.nn.Linear(2, 3)()  # error
    tg.nn.Linear(2, 3)(t, t)  # error
    print(tg.nn.Linear(2, 3)(t).weight)  # error
    tg.nn.GRU(2, 3)(t).sum()  # error
    tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.GRU(2, 3))(t).sum()  # error
    tg.nn.Sequential(tg.nn.Linear(2, 2), 3)(t)  # error
    tg.nn.LSTM(2, 3)(t)[1].sum()  # error
    gate("a")  # error
    gate(t, scale="large")  # error
    gate(t, size=1)  # error
    tg.nn.functional.cross_entropy(t, t, reduction="men")  # error
    tg.nn.functional.mse_loss(t, t, reduction="average")  # error
    t.data = "a"  # error
    tg.optim.SGD([3], lr=0.1)  # error
    tg.optim.Adam(["a"])  # error
    tg.svd(t).sum()  # error
    tg.atleast_1d(t, t).sum()  # error
    tg.linspace(0, t, 3, retstep=True).sum()  # error
    tg.average(t, returned=True).sum()  # error
    tg.cat([t, t])  # error
    tg.nn.Conv2d(1, 2, 3)  # error
    np.tanh(t, 3, 4, 5)  # error
