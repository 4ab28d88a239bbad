"""The contests: for each model, the engines that run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import own_cells
from models import (
    Absent,
    Contestant,
    Size,
    autograd_op_by_op,
    jax_layer,
    jax_lstm,
    jax_op_by_op,
    mygrad_op_by_op,
    ours_layer,
    ours_op_by_op,
    torch_layer,
    torch_op_by_op,
    unguarded_mygrad_op_by_op,
)

MODELS: dict[str, dict[str, tuple[str, Callable[[Size], Contestant]]]] = {
    "op-by-op": {
        "tinygrad_rnn": ("tinygrad_rnn", ours_op_by_op),
        "torch": ("torch", torch_op_by_op),
        "autograd": ("autograd", autograd_op_by_op),
        "mygrad": ("mygrad", mygrad_op_by_op),
        "mygrad, fast": ("mygrad", unguarded_mygrad_op_by_op),
        "jax.jit": ("jax", jax_op_by_op),
    },
    "nn.GRU": {
        "tinygrad_rnn": ("tinygrad_rnn", ours_layer),
        "torch": ("torch", torch_layer),
        "jax.jit": ("jax", jax_layer),
    },
}
for _layer, _gates, _cell, _jax in (
    ("GRU", 3, own_cells.gru_cell, jax_layer),
    ("LSTM", 4, own_cells.lstm_cell, jax_lstm),
):
    for _backend, _suffix in (("numpy", ""), ("numba", ", Numba")):
        MODELS[f"compiled {_layer}{_suffix}"] = {
            "tinygrad_rnn": (
                _backend,
                partial(own_cells.ours, gates=_gates, write=_cell, backend=_backend),
            ),
            "torch": ("torch", partial(own_cells.theirs, gates=_gates, layer=_layer)),
            "jax.jit": ("jax", _jax),
        }
"""For each model the engines: the package to look for, and how to set it up. Ours comes first."""


def contestants(
    model: str, size: Size, engines: set[str] | None = None
) -> list[Contestant | Absent]:
    """The engines that run `model`, set up; those not installed as `Absent`."""
    chosen = {
        name: entry for name, entry in MODELS[model].items() if engines is None or name in engines
    }
    return [
        make(size) if find_spec(package) else Absent(name)
        for name, (package, make) in chosen.items()
    ]
