"""Calls that type checkers accept, with the types that they must find.

`check_types.py` runs pyright and mypy on this file. `test_stubs.py` runs the file itself, and
compares the types with those of the results.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor
from tinygrad_rnn.nn import Module

t = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
a = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)


# -- ops: a Tensor in, a Tensor out; arrays in, an array out ---------------------------------------

assert_type(tg.tanh(t), Tensor)
assert_type(tg.tanh(a), NDArray[Any])
assert_type(tg.tanh([1.0, 2.0]), NDArray[Any])
assert_type(tg.tanh(a=t), Tensor)
assert_type(tg.add(t, t), Tensor)
assert_type(tg.add(t, 1), Tensor)
assert_type(tg.add(a, t), Tensor)
assert_type(tg.add([1.0, 2.0], t), Tensor)
assert_type(tg.add(a, a), NDArray[Any])
assert_type(tg.sum(t), Tensor)
assert_type(tg.sum(t, 0), Tensor)
assert_type(tg.sum(t, axis=(0, 1), keepdims=True), Tensor)
assert_type(tg.mean(a, axis=-1), NDArray[Any])
assert_type(tg.where(t > 0, t, 0.0), Tensor)
assert_type(tg.where(a > 0, a, 0.0), NDArray[Any])
assert_type(tg.where(a > 0, 0.0, t), Tensor)
assert_type(tg.concatenate([t, t]), Tensor)
assert_type(tg.concatenate([t, a], axis=1), Tensor)
assert_type(tg.concatenate((a, a)), NDArray[Any])
assert_type(tg.stack([a, a], 0), NDArray[Any])
assert_type(tg.stack(list(t)), Tensor)
assert_type(tg.clip(t, 0, 1), Tensor)
assert_type(tg.reshape(t, (4,)), Tensor)
assert_type(tg.reshape(t, -1), Tensor)
assert_type(tg.repeat(t, 2, axis=0), Tensor)
assert_type(tg.astype(t, np.float64), Tensor)
assert_type(tg.softmax(t, axis=0), Tensor)
assert_type(tg.matmul(t, a), Tensor)
assert_type(tg.matmul(a, a), NDArray[Any])
assert_type(tg.einsum("ij,jk->ik", t, a), Tensor)
assert_type(tg.einsum("ij,jk->ik", a, a), NDArray[Any])
assert_type(tg.linear(t, t, None), Tensor)
assert_type(tg.std(t, axis=0), Tensor)
assert_type(tg.any(t), NDArray[Any] | np.bool)
assert_type(tg.split(t, 2), list[Tensor])
assert_type(tg.split(a, [1], axis=1), list[NDArray[Any]])
u = tg.sum(t, axis=0)
factors = tg.svd(t)
assert_type(factors.S, Any)
assert_type(tg.svd(t, compute_uv=False), Tensor)
assert_type(tg.svd(a, compute_uv=False), NDArray[Any])
assert_type(tg.gradient(t, axis=0), Tensor)
first, second = tg.gradient(t)
assert_type(tg.average(t), Tensor)
assert_type(tg.average(a, axis=0), NDArray[Any])
assert_type(tg.average(t, returned=True)[0], Tensor)
assert_type(tg.atleast_1d(t), Tensor)
assert_type(tg.atleast_2d(a), NDArray[Any])
assert_type(tg.atleast_3d(t, t), tuple[Any, ...])
assert_type(tg.linspace(0, u[0], 3), Tensor)
assert_type(tg.linspace(0, u[0], 3, retstep=True), tuple[Tensor, Tensor])
assert_type(tg.linspace(0, 1, 3), NDArray[Any])
assert_type(tg.tanh.rule_text("a"), str)
assert_type(tg.tanh.formula, str)


# -- Tensor ----------------------------------------------------------------------------------------

assert_type(t.tanh(), Tensor)
assert_type(t.sum(), Tensor)
assert_type(t.sum(axis=0, keepdims=True), Tensor)
assert_type(t.max(0), Tensor)
assert_type(t.reshape(4), Tensor)
assert_type(t.reshape((2, -1)), Tensor)
assert_type(t.transpose(1, 0), Tensor)
assert_type(t.T, Tensor)
assert_type(t.mT, Tensor)
assert_type(t.split(2), list[Tensor])
assert_type(t.matmul(a), Tensor)
assert_type(t.argmax(), NDArray[Any])
assert_type(t.astype("float64"), Tensor)
assert_type(t.detach(), Tensor)
assert_type(t.detach().numpy(), NDArray[Any])
assert_type(t.data, NDArray[Any])
assert_type(t.shape, tuple[int, ...])
assert_type(t.ndim, int)
assert_type(t.size, int)
assert_type(t.requires_grad, bool)
assert_type(t.name, str | None)
assert_type(t[0], Tensor)
assert_type(t[0, 1:], Tensor)
assert_type(list(t), list[Tensor])
assert_type(-t, Tensor)
assert_type(abs(t), Tensor)
assert_type(t + 1, Tensor)
assert_type(1.0 / t, Tensor)
assert_type(t**2, Tensor)
assert_type(2**t, Tensor)
assert_type(t @ a, Tensor)
assert_type(t % 2, Tensor)
assert_type(7 // t, Tensor)
assert_type(divmod(t, 2), tuple[Tensor, Tensor])
assert_type(a + t, Tensor)
assert_type(a * t, Tensor)
assert_type(a @ t, Tensor)
assert_type(np.float32(2) * t, Tensor)
assert_type(t > 0, NDArray[np.bool])
assert_type(t == t, NDArray[np.bool])
assert_type(len(t), int)
assert_type(float(t.detach().sum()), float)
t.sum().backward()
t.backward(a, retain_graph=True)
t.grad = None
np.asarray(t.detach())
(np.tanh(t) + np.exp(t)).sum().backward()


# -- derivatives -----------------------------------------------------------------------------------

assert_type(tg.grad((t * t).sum(), t), Tensor)
assert_type(tg.grad((t * t).sum(), [t], create_graph=True), tuple[Tensor, ...])
assert_type(tg.grad((t * t).sum(), (t,)), tuple[Tensor, ...])
assert_type(tg.vjp(tg.exp, a)[0], Tensor)
assert_type(tg.jvp(tg.exp, a, a), tuple[Tensor, Tensor])
assert_type(tg.hvp(tg.sum, a, a)[0], Tensor)


@tg.no_grad()
def norm(x: Tensor) -> Tensor:
    return tg.sqrt(tg.square(x).sum())


assert_type(norm(t), Tensor)
with tg.no_grad(), tg.scope("encoder", 0):
    assert_type(norm(t), Tensor)


# -- scan ------------------------------------------------------------------------------------------

Pair = tuple[Tensor, Tensor]


def leaky(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    h = 0.5 * h + x
    return h, h


def two(x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
    h, c = state
    return h + x, (c, h)


h = tg.Tensor([0.0, 0.0])
assert_type(tg.scan(leaky, t, h), tuple[Tensor, Tensor])
assert_type(tg.scan(two, t, (h, h), reverse=True), tuple[Tensor, Pair])
assert_type(tg.scan(lambda x, h: (x + h, h), t, h)[1], Tensor)
assert_type(tg.detach(h), Tensor)
assert_type(tg.detach((h, h)), Pair)
assert_type(tg.scan(tg.nn.GRUCell(2, 2), t, h), tuple[Tensor, Tensor])
assert_type(tg.scan(tg.nn.LSTMCell(2, 2), t, (h, h)), tuple[Tensor, Pair])


# -- modules ---------------------------------------------------------------------------------------


class Gate(Module):
    """A module of a user."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = tg.nn.Linear(size, size)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return tg.sigmoid(self.inner(x)) * scale


class Cell(Module):
    """A cell of a user."""

    hidden_size = 3

    def __init__(self, input_size: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.W = Tensor(tg.nn.init.uniform((input_size, 3), 1, rng), requires_grad=True)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = tg.tanh(x @ self.W + h)
        return h, h


def cut_in_three(x: Tensor) -> list[Tensor]:
    return tg.split(x, 3, axis=-1)


assert_type(Gate(2)(t), Tensor)
assert_type(Gate(2)(t, scale=2.0), Tensor)
assert_type(tg.nn.Linear(2, 3)(t), Tensor)
assert_type(tg.nn.Embedding(4, 2)([[0, 3]]), Tensor)
assert_type(tg.nn.LayerNorm(2)(t), Tensor)
assert_type(tg.nn.Dropout(0.5)(t), Tensor)
assert_type(tg.nn.functional.dropout(t), Tensor)
assert_type(tg.nn.Sequential(tg.nn.Linear(2, 3), tg.tanh)(t), Tensor)
assert_type(tg.nn.Sequential(*[tg.nn.Linear(2, 2), tg.nn.Linear(2, 2)])(t), Tensor)
sequence = np.ones((5, 2, 3), dtype="float32")
assert_type(tg.nn.Sequential(tg.nn.Linear(3, 3), tg.nn.GRU(3, 4))(sequence), tuple[Tensor, Tensor])
assert_type(tg.nn.Sequential(tg.nn.LSTM(3, 4))(sequence), tuple[Tensor, Pair])
assert_type(tg.nn.Sequential(tg.nn.Sequential(tg.nn.Linear(3, 3)), Gate(3))(sequence), Tensor)
assert_type(tg.nn.Sequential(tg.nn.Linear(3, 3), cut_in_three)(sequence), list[Tensor])
assert_type(tg.nn.RNN(3, 4)(sequence), tuple[Tensor, Tensor])
assert_type(tg.nn.GRU(3, 4)(sequence, lengths=[5, 2]), tuple[Tensor, Tensor])
assert_type(tg.nn.LSTM(3, 4)(sequence), tuple[Tensor, Pair])
assert_type(tg.nn.GRUCell(3, 4)(sequence[0]), tuple[Tensor, Tensor])
assert_type(tg.nn.LSTMCell(3, 4)(sequence[0]), tuple[Tensor, Pair])
assert_type(tg.nn.Recurrent(Cell, 3)(sequence), tuple[Tensor, Tensor])
assert_type(tg.nn.Linear(2, 3).eval(), tg.nn.Linear)
assert_type(tg.nn.functional.mse_loss(t, a), Tensor)
assert_type(tg.nn.functional.cross_entropy(t, np.array([0, 1])), Tensor)
model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.tanh, Gate(3))
optimizer = tg.optim.Adam(model.parameters(), lr=0.1)
optimizer.step()
tg.optim.SGD([t], lr=0.1)
tg.optim.SGD([{"params": [t], "lr": 0.2}, {"params": model.parameters()}], lr=0.1)
tg.nn.functional.cross_entropy(t, np.array([0, 1]), reduction="sum")
t.data = a
tg.compile(Gate(2))(t)
tg.gradcheck(tg.tanh, a.astype("float64"))
tg.graph(t.sum()).text()
