"""A GRU and an LSTM as a user writes them from ops, with a matrix for each gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from models import RATE, Arrays, Contestant, Size, data, one_threaded_torch, stepper, uniform


class Joined(NamedTuple):
    """Matrices of gates, whose gradients together are that of PyTorch's one matrix."""

    parts: list[Any]

    @property
    def grad(self) -> np.ndarray:
        """The gradient in PyTorch's layout."""
        return np.concatenate([part.grad.T for part in self.parts])


def weights_of(size: Size, gates: int) -> Arrays:
    """The parameters of a recurrent layer and of the linear layer behind it, by PyTorch's names."""
    _, _, V, H = size
    rows = gates * H
    shapes = {
        "weight_ih_l0": (rows, V),
        "weight_hh_l0": (rows, H),
        "bias_ih_l0": (rows,),
        "bias_hh_l0": (rows,),
    }
    return uniform(size, {**shapes, "weight": (V, H), "bias": (V,)})


def by_gate(weights: Arrays, gates: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """W, U, b and c of every gate as Tensors, W and U to be multiplied from the right."""
    import tinygrad_rnn as tg

    def parts(name: str) -> list[Any]:
        return [
            tg.Tensor(np.ascontiguousarray(part.T), requires_grad=True)
            for part in np.split(weights[name], gates)
        ]

    W, U, b, c = (parts(f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    return W, U, b, c


def gru_cell(W: list[Any], U: list[Any], b: list[Any], c: list[Any]) -> Callable[..., Any]:
    """The GRU in PyTorch's form."""
    import tinygrad_rnn as tg

    (W_r, W_z, W_n), (U_r, U_z, U_n), (b_r, b_z, b_n), (c_r, c_z, c_n) = W, U, b, c

    def cell(x: Any, h: Any) -> tuple[Any, Any]:
        r = tg.sigmoid(x @ W_r + b_r + h @ U_r + c_r)
        z = tg.sigmoid(x @ W_z + b_z + h @ U_z + c_z)
        n = tg.tanh(x @ W_n + b_n + r * (h @ U_n + c_n))
        h = (1 - z) * n + z * h
        return h, h

    return cell


def lstm_cell(W: list[Any], U: list[Any], b: list[Any], c: list[Any]) -> Callable[..., Any]:
    """The LSTM."""
    import tinygrad_rnn as tg

    def cell(x: Any, state: Any) -> tuple[Any, Any]:
        h, memory = state
        i, f, g, o = (x @ W_ + b_ + h @ U_ + c_ for W_, U_, b_, c_ in zip(W, U, b, c, strict=True))
        memory = tg.sigmoid(f) * memory + tg.sigmoid(i) * tg.tanh(g)
        h = tg.sigmoid(o) * tg.tanh(memory)
        return h, (h, memory)

    return cell


def ours(
    size: Size, gates: int, write: Callable[..., Any], compiled: bool = True, backend: str = "numpy"
) -> Contestant:
    """A training step of a cell written from ops; compiled, the whole step is one program."""
    import tinygrad_rnn as tg

    x, targets = data(size)
    weights = weights_of(size, gates)
    parts = by_gate(weights, gates)
    cell, head = write(*parts), tg.nn.Linear(size.H, size.V)
    head.load_state_dict({name: weights[name] for name in ("weight", "bias")})
    zeros = [tg.Tensor(np.zeros((size.B, size.H), np.float32)) for _ in range(2)]
    start = zeros[0] if gates == 3 else tuple(zeros)

    def loss() -> Any:
        output, _ = tg.scan(cell, tg.Tensor(x), start)
        return tg.nn.functional.cross_entropy(head(output), targets)

    optimizer = tg.optim.SGD([*(p for part in parts for p in part), *head.parameters()], lr=RATE)
    contestant = stepper("tinygrad_rnn", optimizer, loss, Joined(parts[1]))
    if not compiled:
        return contestant
    return contestant._replace(step=tg.compile(contestant.step, backend=backend))


def theirs(size: Size, gates: int, layer: str) -> Contestant:
    """torch.nn.GRU or torch.nn.LSTM, one fused operation."""
    torch = one_threaded_torch()
    x, targets = map(torch.from_numpy, data(size))
    weights = {name: torch.from_numpy(array) for name, array in weights_of(size, gates).items()}
    rnn, head = getattr(torch.nn, layer)(size.V, size.H), torch.nn.Linear(size.H, size.V)
    rnn.load_state_dict({name: w for name, w in weights.items() if name.endswith("_l0")})
    head.load_state_dict({name: w for name, w in weights.items() if not name.endswith("_l0")})

    def loss() -> Any:
        return torch.nn.functional.cross_entropy(head(rnn(x)[0]).flatten(0, 1), targets.flatten())

    return stepper(
        "torch",
        torch.optim.SGD([*rnn.parameters(), *head.parameters()], lr=RATE),
        loss,
        rnn.weight_hh_l0,
    )


def peak(size: Size, gates: int, write: Callable[..., Any], compiled: bool) -> int:
    """The most bytes that one training step holds, besides model and data."""
    import tracemalloc

    contestant = ours(size, gates, write, compiled)
    contestant.step()  # writes the program
    tracemalloc.start()
    try:
        contestant.step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
