"""The weights of a recurrent layer in our layout, which every conversion reads or builds.

The names, the shapes and the order of the gates are PyTorch's, from its documentation of
`torch.nn.RNN`, `LSTM` and `GRU`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..graph import unwrap
from ..serialize.file_kinds import require_arrays

LETTERS = {1: "h", 3: "rzn", 4: "ifgo"}
"""The letters of the gates in our order, by the number of gates: RNN, GRU, LSTM."""

KINDS = {1: "an RNN", 3: "a GRU", 4: "an LSTM"}

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""The first part of our parameter names, in the order of the fields of `LayerWeights`."""

TWO_FORMS = (
    "the two forms cannot be converted into each other, because in 'after' r multiplies "
    "h U_n + b_hn, and in 'before' r multiplies h alone; build the layer with the form "
    "that the weights were trained with"
)


class LayerWeights(NamedTuple):
    """The weights of one layer in one direction, with the gates stacked along the first axis.

    With I inputs and H hidden units, W is (gates · H, I), U is (gates · H, H), and each bias is
    (gates · H,). In a layer without biases, `b_i` and `b_h` are None.
    """

    W: np.ndarray
    U: np.ndarray
    b_i: np.ndarray | None = None
    b_h: np.ndarray | None = None

    @property
    def gates(self) -> int:
        """The number of gates."""
        return len(self.U) // self.U.shape[1]

    def reorder_gates(self, old: str, new: str) -> LayerWeights:
        """Return the weights with the gates in the order `new` instead of `old`."""
        W, U, *biases = self
        biases = (None if b is None else reorder_blocks(b, old, new) for b in biases)
        return LayerWeights(reorder_blocks(W, old, new), reorder_blocks(U, old, new), *biases)


def copy_arrays(operation: str, argument: str, arrays: Any, fix: str) -> dict[str, np.ndarray]:
    """Return copies of named arrays, made by `copy_array`.

    Raises
    ------
    TypeError
        If `arrays` is not a mapping, or one of its values is not an array of real numbers.
    """
    arrays = require_arrays(operation, argument, arrays, fix)
    return {name: copy_array(operation, f"{argument}[{name!r}]", a) for name, a in arrays.items()}


def copy_array(operation: str, argument: str, value: Any) -> np.ndarray:
    """Return a copy of `value` as a plain array in native byte order.

    Raises
    ------
    TypeError
        If `value` is not an array of real numbers.
    """
    try:
        array = np.array(unwrap(value))
    except (TypeError, ValueError, RuntimeError):
        array = np.array(None)  # rows of different lengths, or a tensor that NumPy cannot read
    if array.dtype.kind not in "biuf":
        expected, got = "an array of real numbers", describe(value)
        fix = "pass a NumPy array; x.detach().cpu().numpy() makes one from a PyTorch tensor"
        raise argument_error(operation, argument, expected, got, fix, TypeError)
    return array.astype(np.dtype(array.dtype.type), copy=False)


def require_shape(
    operation: str, argument: str, array: np.ndarray, shape: tuple[int | None, ...], letters: str
) -> None:
    """Raise ValueError unless `array` has this shape, in which None means any size.

    The message also shows `letters`, the shape in symbols.
    """
    sizes = zip(shape, array.shape, strict=False)
    fits = array.ndim == len(shape) and all(n is None or n == size for n, size in sizes)
    expected = f"shape {letters} = {shape}".replace("None", "any")
    fix = "pass arrays that belong to one layer"
    check.require(fits, operation, argument, expected, describe(array), fix)


def count_gates(operation: str, argument: str, U: np.ndarray, axis: int = 0) -> int:
    """Return the number of gates stacked along `axis` of the recurrent matrix.

    It is 1 for an RNN, 3 for a GRU and 4 for an LSTM. Any other number raises ValueError.
    """
    hidden = U.shape[1 - axis] if U.ndim == 2 else 0
    gates = U.shape[axis] / hidden if hidden else 0
    long, short = ("columns", "rows") if axis else ("rows", "columns")
    expected = f"a matrix with 1, 3 or 4 times as many {long} as {short}"
    fix = "pass the weights of an RNN, GRU or LSTM"
    check.require(gates in LETTERS, operation, argument, expected, describe(U), fix)
    return int(gates)


def require_form(
    operation: str, gates: int, reset: str | None, stored: str | None = None, because: str = ""
) -> None:
    """Raise ValueError unless `reset` is right for a layer with this number of gates.

    For a GRU, `reset` must be "after" or "before". If the form of the stored weights is known
    (`stored`), `reset` must equal this form, and the message gives the reason `because`. For other
    layers, `reset` must be None.
    """
    got = repr(reset)
    if gates != 3:
        expected = f"None for {KINDS[gates]}"
        check.require(reset is None, operation, "reset", expected, got, "leave it out")
        return
    expected = "'after' or 'before' for a GRU"
    fix = "pass the reset= that your tg.nn.GRU has, because the arrays do not show this setting"
    check.require(reset in ("after", "before"), operation, "reset", expected, got, fix)
    expected = f"{stored!r}, because {because}"
    check.require(stored in (None, reset), operation, "reset", expected, got, TWO_FORMS)


def reorder_blocks(stacked: np.ndarray, old: str, new: str) -> np.ndarray:
    """Return the blocks of the gates along the first axis in the order `new` instead of `old`.

    Examples
    --------
    >>> import numpy as np
    >>> reorder_blocks(np.array([1, 2, 3]), "rzn", "zrn")
    array([2, 1, 3])
    """
    blocks = dict(zip(old, np.split(stacked, len(old)), strict=True))
    return np.concatenate([blocks[letter] for letter in new])


def merge_into_one_bias(operation: str, weights: LayerWeights, merge: bool) -> np.ndarray | None:
    """Return one bias in place of two: b_i if b_h is zero, else their sum if `merge` is true.

    Raises
    ------
    ValueError
        If b_h is not zero and `merge` is false, because the sum cannot be converted back exactly.
    """
    b_i, b_h = weights.b_i, weights.b_h
    if b_i is None or b_h is None or not b_h.any():  # b_i + b_h would turn -0.0 into 0.0
        return b_i
    expected = "a bias_hh of zeros, because the other library has one bias (our bias_ih)"
    fix = "pass merge_biases=True to add bias_hh to bias_ih: the network computes the same "
    fix += "function, but converting back gives a bias_hh of zeros"
    check.require(merge, operation, "state", expected, "a bias_hh that is not zero", fix)
    return b_i + b_h


def split_into_two_biases(bias: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return a bias and zeros as the pair (b_i, b_h), or (None, None) if the bias is None."""
    return (None, None) if bias is None else (bias, np.zeros_like(bias))


def build_state_dict(
    operation: str, directions: Sequence[LayerWeights], layer: int, prefix: str = ""
) -> dict[str, np.ndarray]:
    """Return the state dict of one layer from its weights: forward and, if given, reverse."""
    layer = check.count(operation, "layer", layer, low=0)
    return {
        f"{prefix}{name}_l{layer}{suffix}": array
        for weights, suffix in zip(directions, ("", "_reverse"), strict=False)
        for name, array in zip(NAMES, weights, strict=True)
        if array is not None
    }


def read_layer(
    operation: str, state: Mapping[str, Any], layer: int, prefix: str = ""
) -> list[LayerWeights]:
    """Return the weights of one layer in a state dict: forward and, if there is one, reverse.

    Arrays with other names are ignored.

    Raises
    ------
    ValueError
        If a name is missing, or the shapes are not those of one layer.
    """
    arrays = copy_arrays(operation, "state", state, "pass layer.state_dict()")
    layer = check.count(operation, "layer", layer, low=0)
    got = f"only {', '.join(map(str, arrays))}" if arrays else "no arrays"
    fix = "pass the state_dict() of a recurrent layer that has this array"
    directions: list[LayerWeights] = []
    for suffix in ("", "_reverse"):
        names = [f"{prefix}{name}_l{layer}{suffix}" for name in NAMES]
        if suffix and not any(name in arrays for name in names):
            continue
        needed = names if names[2] in arrays or names[3] in arrays else names[:2]
        for name in needed:
            check.require(name in arrays, operation, name, "an array of this name", got, fix)
        weights = LayerWeights(*(arrays[name] for name in needed))
        require_one_layer(operation, weights, names)
        if directions:
            require_equal_shapes(operation, names, directions[0], weights)
        directions.append(weights)
    return directions


def require_equal_shapes(
    operation: str, names: Sequence[str], forward: Sequence[Any], reverse: Sequence[Any]
) -> None:
    """Raise ValueError unless the arrays of both directions can belong to one layer.

    Both directions must have the same gates and sizes, and either both have biases or neither.
    Error messages use `names`, the names of the arrays of the reverse direction.
    """
    fix = "give both directions the same sizes and biases, or convert two layers one by one"
    for i in (1, 0, *range(2, len(names))):  # U first: its shape shows both the gates and H
        first, second = (
            "no array" if arrays[i] is None else f"shape {arrays[i].shape}"
            for arrays in (forward, reverse)
        )
        expected = f"{first}, as in the forward direction"
        check.require(first == second, operation, names[i], expected, second, fix)


def require_one_layer(operation: str, weights: LayerWeights, names: Sequence[str]) -> None:
    """Raise ValueError unless the shapes of the weights are those of one layer.

    Error messages use `names`, the names of the weights.
    """
    W, U, *biases = weights
    rows = count_gates(operation, names[1], U) * U.shape[1]
    require_shape(operation, names[0], W, (rows, None), "(gates · H, I)")
    for bias, name in zip(biases, names[2:], strict=True):
        if bias is not None:
            require_shape(operation, name, bias, (rows,), "(gates · H,)")
