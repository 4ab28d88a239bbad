"""The same entries in another arrangement."""

from __future__ import annotations

from itertools import accumulate
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import argument_error, describe
from ..graph import Value
from ..op import op


@op(
    "reshape({a}, {shape})",
    shapes="any → shape, of as many entries",
    sample=lambda r: [(r(3, 4), {"shape": (2, -1)}), (r(2, 2), {"shape": (4,)})],
)
def reshape(a: Any, *, shape: Any) -> Any:
    """The entries of `a`, in the order of its axes, in another shape; one size may be −1. Exact; a view where NumPy can give one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.reshape(tg.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1))
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return np.reshape(a, shape)


reshape.vjps(a=lambda g, y, a, shape: g.reshape(a.shape))


def ravel(a: Any) -> Any:
    """All entries of `a` along one axis, in the order of its axes.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.ravel(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 2., 3., 4.])
    """
    return reshape(a, (-1,))


@op(
    "{a}ᵀ",
    shapes="(i, …, j) → (j, …, i), or as axes say",
    sample=lambda r: [
        (r(3, 4),),
        (r(2, 3, 4), {"axes": (1, 2, 0)}),
        (r(2, 3, 4), {"axes": (0, -1, 1)}),
    ],
)
def transpose(a: Any, *, axes: Any = None) -> Any:
    """The axes of `a` in reverse order, or in the order `axes`. Exact, a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.transpose(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return np.transpose(a, axes)


transpose.vjps(a=lambda g, y, a, axes: transpose(g, inverse(axes)))


def inverse(axes: Any) -> Any:
    """The order of axes that undoes the order `axes`."""
    if axes is None or np.ndim(axes) == 0:  # of one axis
        return None
    return tuple(int(i) for i in np.argsort([axis % len(axes) for axis in axes]))


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """`a` with two axes exchanged.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.swapaxes(tg.Tensor([[1.0, 2.0]]), 0, 1).shape
    (2, 1)
    """
    n = np.ndim(a)
    first, second = (
        normalize_axis_index(axis1, n, "swapaxes: axis1"),
        normalize_axis_index(axis2, n, "swapaxes: axis2"),
    )
    axes = list(range(n))
    axes[first], axes[second] = second, first
    return transpose(a, tuple(axes))


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """`a` with one axis moved to another place, or several to as many, the others in their order.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.moveaxis(tg.Tensor(np.zeros((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    n = np.ndim(a)
    starts = normalize_axis_tuple(source, n, "moveaxis: source")
    places = normalize_axis_tuple(destination, n, "moveaxis: destination")
    if len(starts) != len(places):
        wanted, got = f"as many places as axes, {len(starts)}", f"{len(places)}, {destination}"
        raise argument_error(
            "moveaxis", "destination", expected=wanted, got=got, fix="give one for each in source"
        )
    axes = [axis for axis in range(n) if axis not in starts]
    for place, start in sorted(zip(places, starts, strict=True)):
        axes.insert(place, start)
    return transpose(a, tuple(axes))


@op(
    "squeeze({a})",
    shapes="(…, 1, …) → (…)",
    sample=lambda r: [(r(3, 1, 2, 1),), (r(3, 1, 2, 1), {"axis": 1})],
)
def squeeze(a: Any, *, axis: Any = None) -> Any:
    """`a` without its axes of size 1, or without those in `axis`. Exact, a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.squeeze(tg.Tensor([[1.0, 2.0]]))
    Tensor([1., 2.])
    """
    return np.squeeze(a, axis)


squeeze.vjps(a=lambda g, y, a, axis: g.reshape(a.shape))


@op(
    "expand_dims({a}, {axis})",
    shapes="(…) → (…, 1, …)",
    sample=lambda r: [(r(3, 2), {"axis": 1}), (r(3), {"axis": (0, -1)})],
)
def expand_dims(a: Any, *, axis: Any) -> Any:
    """`a` with new axes of size 1 at `axis`. Exact, a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.expand_dims(tg.Tensor([1.0, 2.0]), 0)
    Tensor([[1., 2.]])
    """
    return np.expand_dims(a, axis)


expand_dims.vjps(a=lambda g, y, a, axis: g.reshape(a.shape))


@op(
    "broadcast({a}, {shape})",
    shapes="(…) → shape",
    sample=lambda r: [(r(3, 1), {"shape": (2, 3, 4)}), (r(), {"shape": (2,)})],
)
def broadcast_to(a: Any, *, shape: Any) -> Any:
    """`a` repeated along axes of size 1 and new leading axes until it has `shape`. Exact; a read-only view, no copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.broadcast_to(tg.Tensor([1.0, 2.0]), (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return np.broadcast_to(a, shape)


broadcast_to.vjps(a=lambda g, y, a, shape: g)


@op("flip({a})", shapes="(…) → (…)", sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0})])
def flip(a: Any, *, axis: Any = None) -> Any:
    """`a` with the order along `axis`, or along all axes, reversed. Exact, a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.flip(tg.Tensor([1.0, 2.0]))
    Tensor([2., 1.])
    """
    return np.flip(a, axis)


flip.vjps(a=lambda g, y, a, axis: flip(g, axis))


@op(
    "[{arrays}]",
    shapes="(…, m, …), (…, n, …), … → (…, m + n + …, …)",
    sample=lambda r: [((r(2, 3), r(1, 3)),), ((r(2, 3), r(2, 1), r(2, 2)), {"axis": -1})],
    fix="give a list of at least one array; all must have the same sizes, except along axis",
)
def concatenate(*arrays: Any, axis: int = 0) -> Any:
    """Arrays one after another along an axis that they have. Exact, a copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.concatenate([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0])])
    Tensor([1., 2., 3.])
    """
    if axis is None:
        raise TypeError("axis must be an integer, not None; use reshape(-1) on the arrays")
    return np.concatenate(arrays, axis)


concatenate.vjps(arrays=lambda g, y, *arrays, axis: split(g, seams(arrays, axis), axis))


def seams(arrays: Any, axis: int) -> list[int]:
    """Where one of the concatenated arrays ends and the next begins."""
    return list(accumulate(a.shape[axis] for a in arrays[:-1]))


@op(
    "stack({arrays})",
    shapes="k of (…) → (…, k, …)",
    sample=lambda r: [((r(2, 3), r(2, 3)),), ((r(2, 3), r(2, 3), r(2, 3)), {"axis": -1})],
    fix="give a list of at least one array; all must have the same shape",
)
def stack(*arrays: Any, axis: int = 0) -> Any:
    """Arrays of one shape, one after another along a new axis. Exact, a copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.stack([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])])
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return np.stack(arrays, axis)


stack.vjps(arrays=lambda g, y, *arrays, axis: list(moveaxis(g, axis, 0) if axis else g))


def split(a: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`a` cut along `axis` into equal sections (an integer) or at the given places, as `numpy.split`.

    Raises
    ------
    ValueError
        If the axis cannot be cut into that many equal sections.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.split(tg.Tensor([1.0, 2.0, 3.0]), [1])
    [Tensor([1.]), Tensor([2., 3.])]
    """
    a = a if isinstance(a, Value) else np.asarray(a)
    axis = normalize_axis_index(axis, a.ndim, "split: axis")
    if np.asarray(indices_or_sections).dtype.kind not in "iu" and np.size(indices_or_sections):
        expected, got = "an integer, or places to cut at", describe(indices_or_sections)
        raise argument_error(
            "split",
            "indices_or_sections",
            expected=expected,
            got=got,
            fix="give whole numbers",
            kind=TypeError,
        )
    size = a.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = index(indices_or_sections)
        if sections < 1 or size % sections:
            raise ValueError(
                f"split: argument indices_or_sections: expected a divisor of {size}, got {sections}; give places to cut at"
            )
        cuts = [size // sections * i for i in range(1, sections)]
    else:
        cuts = [index(i) for i in indices_or_sections]
    before = (slice(None),) * axis
    sections = [slice(start, stop) for start, stop in zip([0, *cuts], [*cuts, size], strict=True)]
    return [a[(*before, section) if before else section] for section in sections]
