"""Ops that are recorded in a simpler form than their `forward`, which writes into new arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import StandIn
from ..graph import expect
from .traced import TracedArray


def scatter(*parts: Any, indices: Any, shape: Any) -> Any:
    """Record an array of zeros with each part added at its index.

    Parts that are slices along one axis are joined, with zeros between them.
    """
    trace = next(a.tracer for a in parts if isinstance(a, StandIn))  # type: ignore[attr-defined]
    tiles = [_find_tile(index, shape) for index in indices]
    if None not in tiles and len({axis for axis, _, _ in tiles}) == 1:
        order = sorted(range(len(parts)), key=lambda i: tiles[i])
        starts = [tiles[i][1] for i in order] + [shape[tiles[0][0]]]
        ends = [0] + [tiles[i][2] for i in order]
        if all(start >= end for start, end in zip(starts, ends, strict=True)):
            return _join([parts[i] for i in order], starts, ends, tiles[0][0], shape)
    template, arrays = trace.template(list(indices))
    settings = {"indices": trace.shift(template, len(parts)), "shape": tuple(shape)}
    return trace.emit("scatter", (*parts, *arrays), count=len(parts), **settings)


def _join(parts: list[Any], starts: list[int], ends: list[int], axis: int, shape: Any) -> Any:
    """Record the parts joined along an axis, with zeros in the gaps before, between and after."""
    pieces: list[Any] = []
    for start, end, part in zip(starts, ends, [*parts, None], strict=True):
        if start > end:
            size = (*shape[:axis], start - end, *shape[axis + 1 :])
            pieces.append(parts[0].tracer.emit("zeros", (), shape=size, dtype=parts[0].dtype))
        pieces += [] if part is None else [part]
    return np.concatenate(pieces, axis) if len(pieces) > 1 else pieces[0]


def _find_tile(index: Any, shape: Any) -> Any:
    """Return (axis, start, stop) of an index that is a slice along one axis, else None."""
    entries = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(e, np.ndarray) for e in entries):
        return None
    if Ellipsis in entries:
        at = entries.index(Ellipsis)
        entries[at : at + 1] = [slice(None)] * (len(shape) - len(entries) + 1)
    if not all(type(e) is slice and e.step in (None, 1) for e in entries):
        return None
    bounds = [e.indices(n)[:2] for e, n in zip(entries, shape, strict=False)]
    cut = [i for i, n in enumerate(shape[: len(bounds)]) if bounds[i] != (0, n)]
    if len(cut) != 1 or bounds[cut[0]][0] > bounds[cut[0]][1]:
        return None
    return cut[0], *bounds[cut[0]]


def pick_entries(a: Any, index: Any) -> Any:
    """Return one entry of each row of `a`, whose rows lie along the last axis."""
    rows = a.reshape(index.size, a.shape[-1])
    return rows[np.arange(index.size), index.reshape(-1)].reshape(index.shape)


def put_entries(a: Any, index: Any, size: int) -> Any:
    """Return a row of `size` zeros for each entry of `a`, with the entry put at its index."""
    rows = np.zeros((index.size, size), a.dtype)
    rows[np.arange(index.size), index.reshape(-1)] = a.reshape(-1)
    return rows.reshape(*index.shape, size)


def _gather(a: Any, *, index: Any) -> Any:
    return _trace_of(a, index).emit_call(pick_entries, (a, _checked(index, a.shape[-1])), {})


def _scatter_rows(a: Any, *, index: Any, size: int) -> Any:
    return _trace_of(a, index).emit_call(put_entries, (a, _checked(index, size), size), {})


def _trace_of(*arrays: Any) -> Any:
    return next(x.tracer for x in arrays if isinstance(x, TracedArray))


def _checked(index: Any, size: int) -> Any:
    """Return an index whose entries each call expects to be in [0, size).

    The condition is written as `check.class_indices` writes it, so that a loss tests it only once.
    """
    if index.size and index.dtype.kind == "i" and not expect(((index >= 0) & (index < size)).all()):
        raise IndexError(f"expected integers in [0, {size}) in index")
    return index


LOWERED: dict[str, Callable[..., Any]] = {
    "linear": lambda x, weight, bias: x @ weight.T + bias,
    "scatter": scatter,
    "gather": _gather,
    "scatter_rows": _scatter_rows,
}
"""The forms, by the name of the op."""
