"""Our side of every conversion: the parameters of one layer of a recurrent network, under PyTorch's names and in its layout.

PyTorch's documentation of `torch.nn.RNN`, `LSTM` and `GRU` is the source of the names, the shapes and the order of the gates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..graph import Value

LETTERS = {1: "h", 3: "rzn", 4: "ifgo"}
"""The gates in our order, by how many there are: RNN, GRU, LSTM."""

KINDS = {1: "an RNN", 3: "a GRU", 4: "an LSTM"}

TWO_FORMS = (
    "the two forms cannot be converted into each other: in one, r multiplies h U_n + b_hn, in the other it multiplies h before "
    "the product; build the layer with the form that the weights were trained in"
)


class Part(NamedTuple):
    """One layer in one direction: W (gates · H, I), U (gates · H, H), and the biases (gates · H,), or None twice."""

    W: np.ndarray
    U: np.ndarray
    b_i: np.ndarray | None = None
    b_h: np.ndarray | None = None


def as_arrays(operation: str, argument: str, given: Any, fix: str) -> dict[str, np.ndarray]:
    """Arrays by name, refused if `given` is no mapping, or holds what is no array of real numbers."""
    if not isinstance(given, Mapping):
        raise argument_error(
            operation,
            argument,
            expected="a mapping of names to arrays",
            got=describe(given),
            fix=fix,
            kind=TypeError,
        )
    return {
        name: as_array(operation, f"{argument}[{name!r}]", value) for name, value in given.items()
    }


def as_array(operation: str, argument: str, value: Any) -> np.ndarray:
    """A copy of `value` as a plain array in this machine's byte order, refused if it holds no real numbers."""
    try:
        array = np.array(value.array if isinstance(value, Value) else value)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ):  # rows of different lengths, or a tensor that NumPy cannot read
        array = np.array(None)
    if array.dtype.kind not in "biuf":
        fix = "convert it first, with .detach().cpu().numpy() for a tensor of PyTorch"
        raise argument_error(
            operation,
            argument,
            expected="an array of real numbers",
            got=describe(value),
            fix=fix,
            kind=TypeError,
        )
    return array.astype(np.dtype(array.dtype.type), copy=False)


def require_shape(
    operation: str, argument: str, array: np.ndarray, shape: tuple[int, ...], meaning: str
) -> None:
    """Refuse an array of another shape; `meaning` says in letters what the shape is."""
    if array.shape != shape:
        fix = "check that all arrays are of one layer"
        raise argument_error(
            operation, argument, expected=f"shape {meaning} = {shape}", got=describe(array), fix=fix
        )


def count_gates(operation: str, argument: str, array: np.ndarray, hidden: int, axis: int) -> int:
    """How many gates stand side by side along `axis` of a matrix: 1 of an RNN, 3 of a GRU, 4 of an LSTM."""
    wanted = f"a matrix with 1, 3 or 4 times {hidden} (the number of hidden units) entries along axis {axis}"
    if array.ndim == 2 and hidden and array.shape[axis] in [gates * hidden for gates in LETTERS]:
        return array.shape[axis] // hidden
    raise argument_error(
        operation,
        argument,
        expected=wanted,
        got=describe(array),
        fix="check that it is of an RNN, GRU or LSTM",
    )


def require_form(
    operation: str, gates: int, reset: str | None, theirs: str | None = None, *, because: str = ""
) -> None:
    """Refuse a `reset` that is missing for a GRU, given for another layer, or not the form that the weights have."""
    if gates != 3:
        if reset is not None:
            fix = "leave it out"
            raise argument_error(
                operation, "reset", expected=f"None for {KINDS[gates]}", got=repr(reset), fix=fix
            )
        return
    if reset not in ("after", "before"):
        fix = "name the form of the tg.nn.GRU on our side, for the arrays do not tell"
        raise argument_error(
            operation, "reset", expected="'after' or 'before' for a GRU", got=repr(reset), fix=fix
        )
    if theirs is not None and reset != theirs:
        raise argument_error(
            operation,
            "reset",
            expected=f"{theirs!r}, for {because}",
            got=repr(reset),
            fix=TWO_FORMS,
        )


def reordered(stacked: np.ndarray, old: str, new: str) -> np.ndarray:
    """The blocks of the gates along the first axis, from the order of the letters `old` to that of `new`.

    Examples
    --------
    >>> import numpy as np
    >>> reordered(np.array([1, 2, 3]), "rzn", "zrn")
    array([2, 1, 3])
    """
    blocks = dict(zip(old, np.split(stacked, len(old)), strict=True))
    return np.concatenate([blocks[letter] for letter in new])


def in_order(part: Part, old: str, new: str) -> Part:
    """All arrays of a part with the gates in another order."""
    biases = (None if bias is None else reordered(bias, old, new) for bias in part[2:])
    return Part(reordered(part.W, old, new), reordered(part.U, old, new), *biases)


def one_bias(operation: str, part: Part, merge: bool) -> np.ndarray | None:
    """The two biases as one: b_i if b_h is zero, so that what came with one bias goes as it came; their sum only if that is asked for."""
    if part.b_i is None or part.b_h is None or not part.b_h.any():
        return part.b_i
    if not merge:
        wanted = "bias_hh of zeros, for the other side has one bias, which comes back as bias_ih"
        fix = "pass merge_biases=True for their sum: the same network, but what comes back has all of it in bias_ih"
        raise argument_error(
            operation, "state", expected=wanted, got="two biases that are not zero", fix=fix
        )
    return part.b_i + part.b_h


def two_biases(bias: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """One bias as b_i, and zeros as b_h."""
    return (None, None) if bias is None else (bias, np.zeros_like(bias))


def written(
    operation: str, parts: Sequence[Part], layer: int, prefix: str = ""
) -> dict[str, np.ndarray]:
    """The state dict of one layer: its parts, forward and reverse, under our names."""
    state, layer = {}, check.count(operation, "layer", layer, low=0)
    for part, direction in zip(parts, ("", "_reverse"), strict=False):
        for name, array in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), part, strict=True):
            if array is not None:
                state[f"{prefix}{name}_l{layer}{direction}"] = array
    return state


def parts_of(operation: str, state: Mapping[str, Any], layer: int, prefix: str = "") -> list[Part]:
    """The parts of one layer in a state dict, forward and reverse, their shapes checked. Other names are passed over."""
    arrays, layer = (
        as_arrays(operation, "state", state, "pass layer.state_dict()"),
        check.count(operation, "layer", layer, low=0),
    )
    parts = []
    for direction in ("", "_reverse"):
        names = [
            f"{prefix}{name}_l{layer}{direction}"
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        if not any(name in arrays for name in names) and direction:
            continue
        wanted = names if names[2] in arrays or names[3] in arrays else names[:2]
        missing = [name for name in wanted if name not in arrays]
        if missing:
            got, fix = (
                f"none; there are {', '.join(map(str, arrays)) or 'no arrays'}",
                "pass the state_dict() of one recurrent layer",
            )
            raise argument_error(
                operation, missing[0], expected="an array under this name", got=got, fix=fix
            )
        part = Part(*(arrays[name] for name in wanted))
        check_part(operation, part, names)
        if parts:
            require_directions(operation, names, parts[0], part)
        parts.append(part)
    return parts


def require_directions(
    operation: str, names: Sequence[str], forward: Sequence[Any], reverse: Sequence[Any]
) -> None:
    """Refuse arrays of two directions that are not of one layer: of another kind or size, or with biases in one only.

    `names` are those of the reverse direction, with which the message begins.
    """
    for i in (1, 0, *range(2, len(names))):  # U first, for it tells the kind and the size
        name = names[i]
        there, here = (
            "none" if part[i] is None else f"shape {part[i].shape}" for part in (forward, reverse)
        )
        if there != here:
            fix = "both directions of a layer have the same sizes and biases; convert several layers one by one"
            raise argument_error(
                operation, name, expected=f"{there}, as in the forward direction", got=here, fix=fix
            )


def check_part(operation: str, part: Part, names: Sequence[str]) -> int:
    """Refuse arrays whose shapes are not those of one layer; the number of its gates."""
    if part.U.ndim != 2:
        raise argument_error(
            operation, names[1], expected="a matrix", got=describe(part.U), fix="check the names"
        )
    hidden = part.U.shape[1]
    gates = count_gates(operation, names[1], part.U, hidden, 0)
    require_shape(
        operation,
        names[0],
        part.W,
        (gates * hidden, part.W.shape[-1] if part.W.ndim else 0),
        "(gates · H, I)",
    )
    for bias, name in zip(part[2:], names[2:], strict=True):
        if bias is not None:
            require_shape(operation, name, bias, (gates * hidden,), "(gates · H,)")
    return gates


def gates_of(part: Part) -> int:
    """How many gates a checked part has."""
    return len(part.U) // part.U.shape[1]
