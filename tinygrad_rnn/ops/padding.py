"""`pad`, with those modes of NumPy's that have a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..errors import describe, messages
from ..graph import unwrap
from . import reductions
from .composition import composition
from .elementwise import astype
from .indexing import where
from .operands import as_floats, as_index, as_operand
from .ordering import median
from .ranges import linspace
from .rearranging import rearrange
from .rounding import floor, rint
from .shapes import broadcast_to, concatenate, flip, moveaxis

COPIES = ("constant", "edge", "reflect", "symmetric", "wrap")
STATISTICS = {
    "maximum": reductions.max, "mean": reductions.mean,
    "median": median, "minimum": reductions.min,
}  # fmt: skip
MODES = (*COPIES, *STATISTICS, "linear_ramp")


@composition(
    np.pad,
    sample=lambda r: [
        (r(3), 2),
        (r(2, 3), ((1, 0), (0, 2)), "constant", {"constant_values": ((1.5, 0), (0, -2.0))}),
        (r(2, 3), ((1, 2),), "edge"),
        (r(3), (4, 5), "reflect"),
        (r(2, 3), 1, {"mode": "symmetric"}),
        (r(3), (5, 8), "reflect", {"reflect_type": "odd"}),
        (r(2, 3), ((7, 0), (1, 4)), "symmetric", {"reflect_type": "odd"}),
        (r(2, 3), (1, 4), "wrap"),
        (r(3, 4), 2, "maximum"),
        (r(3, 4), 1, "minimum", {"stat_length": 2}),
        (r(3, 4), ((1, 2), (0, 1)), "mean", {"stat_length": ((1, 2), (3, 4))}),
        (r(4, 5), 2, "median", {"stat_length": 3}),
        (r(2, 3), 2, "linear_ramp", {"end_values": ((1.0, 2.0), (-1.0, 0.0))}),
    ],
)
def pad(array: Any, pad_width: Any, mode: str = "constant", **kwargs: Any) -> Any:
    """Return `array` with entries added before and after it along each axis, as `numpy.pad` does.

    The mode ``constant`` adds `constant_values`, by default 0. The modes ``edge``, ``reflect``,
    ``symmetric`` and ``wrap`` copy entries. With ``reflect_type="odd"``, a reflected entry x is
    replaced by 2 · edge − x. ``maximum``, ``mean``, ``median`` and ``minimum`` add a statistic of
    the `stat_length` nearest entries. ``linear_ramp`` goes in equal steps from the edge to
    `end_values`.

    Raises
    ------
    ValueError
        If `mode` is not one of these.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.pad(tg.Tensor([1.0, 2.0]), 1)
    Tensor([0., 1., 2., 0.])
    >>> tg.pad(tg.Tensor([1.0, 2.0]), 1, "edge")
    Tensor([1., 1., 2., 2.])
    """
    array = as_operand("pad", "array", array)
    check.one_of("pad", "mode", mode, MODES)
    reflect_type = kwargs.get("reflect_type", "even")
    check.one_of("pad", "reflect_type", reflect_type, ("even", "odd"))
    if "constant_values" in kwargs:
        kwargs["constant_values"] = as_index("pad", "constant_values", kwargs["constant_values"])
    _check_settings(array, pad_width, mode, kwargs)
    if mode == "constant":
        return _surround(array, pad_width, kwargs.get("constant_values"))
    if reflect_type == "odd":
        for axis, widths in enumerate(_pairs(pad_width, array.ndim)):
            array = _reflect_oddly(array, axis, *widths, keep_edge=mode == "symmetric")
        return array
    if mode in COPIES:
        return rearrange("pad", lambda a: np.pad(a, pad_width, mode, **kwargs), array)
    widths = _pairs(pad_width, array.ndim)
    settings = _pairs(next(iter(kwargs.values()), None), array.ndim)
    for axis, (width, setting) in enumerate(zip(widths, settings, strict=True)):
        exact = array if mode in ("maximum", "minimum") else as_floats(array)[0]
        sides = [_side(exact, axis, width[i], mode, i, setting[i]) for i in (0, 1)]
        before, after = (_in_dtype(side, array.dtype, mode) for side in sides)
        array = concatenate([before, array, after], axis)
    return array


def _check_settings(array: Any, pad_width: Any, mode: Any, settings: dict[str, Any]) -> None:
    """Raise NumPy's error for wrong settings, with the name of the operation."""
    try:
        np.pad(np.ones(array.shape), pad_width, mode, **settings)
    except (ValueError, TypeError) as error:
        raise type(error)(f"pad: {str(error).rstrip('.')}; got {describe(array)}") from error


def _surround(array: Any, pad_width: Any, constants: Any) -> Any:
    """Return `array` with constants around it."""
    padded = rearrange("pad", lambda a: np.pad(a, pad_width), array)
    if not np.any(constants):
        return padded
    if array.dtype.kind in "iu":
        messages.fits("pad", "constant_values", constants, array.dtype)
    frame = np.pad(np.zeros(array.shape, array.dtype), pad_width, constant_values=constants)
    return where(np.pad(np.ones(array.shape, bool), pad_width), padded, frame)


def _reflect_oddly(array: Any, axis: int, before: int, after: int, *, keep_edge: bool) -> Any:
    """Return `array` with 2 · edge − x for each reflected entry x along `axis`.

    If `keep_edge` is True, the edge itself is reflected too. A wide border is reflected again.
    """
    a = moveaxis(array, axis, 0)
    first = 0 if keep_edge or len(a) == 1 else 1
    period = len(a) - first
    while before or after:
        n, m = min(before, period), min(after, period)
        left, right = a[first : first + n], a[len(a) - first - m : len(a) - first]
        a = concatenate([2 * a[:1] - flip(left, 0), a, 2 * a[-1:] - flip(right, 0)])
        before, after = before - n, after - m
    return moveaxis(a, 0, axis)


def _pairs(setting: Any, axes: int) -> list[Any]:
    """Return a setting as one pair for each axis: its value before the array, and after it."""
    if isinstance(setting, dict):
        given = [setting.get(i, setting.get(i - axes, 0)) for i in range(axes)]
        return [np.broadcast_to(value, 2).tolist() for value in given]
    return np.broadcast_to(np.array(setting), (axes, 2)).tolist()


def _in_dtype(side: Any, dtype: Any, mode: str) -> Any:
    """Return entries to add in `dtype`. As in NumPy, integers in a ramp are rounded down, and
    means and medians are rounded to the nearest integer."""
    if dtype.kind == "f" or side.dtype == dtype:
        return side
    whole = floor(side) if mode == "linear_ramp" else rint(side)
    messages.fits("pad", "end_values", unwrap(whole), dtype)
    return astype(whole, dtype=dtype)


def _side(array: Any, axis: int, width: int, mode: str, side: int, setting: Any) -> Any:
    """Return the entries to add before `array` (side 0) or after it (side 1) along `axis`.

    `setting` is the number to which a linear ramp goes, or the number of entries of a statistic.
    """
    before, size = (slice(None),) * axis, array.shape[axis]
    if mode == "linear_ramp":
        edge = array[(*before, -side)]
        ramp = linspace(0 if setting is None else setting, edge, width, endpoint=False, axis=axis)
        return flip(ramp, axis) if side else ramp
    n = size if setting is None or setting > size else setting
    nearest = array[(*before, slice(size - n, size) if side else slice(n))]
    shape = (*array.shape[:axis], width, *array.shape[axis + 1 :])
    return broadcast_to(STATISTICS[mode](nearest, axis=axis, keepdims=True), shape)
