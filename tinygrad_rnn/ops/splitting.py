"""Functions that cut an array into parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .. import check
from .composition import composition
from .operands import as_operand, with_axes
from .shapes import moveaxis, split


@composition(
    np.array_split,
    sample=lambda r: [(r(5), 3), (r(2, 5), [1, 3], 1), (r(2, 3), 4, {"axis": 0}), (r(4), [3, 1])],
)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut `ary` along `axis` as `split` does. The sizes of the sections may differ by one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.array_split(tg.Tensor([1.0, 2.0, 3.0]), 2)
    [Tensor([1., 2.]), Tensor([3.])]
    """
    ary = as_operand("array_split", "ary", ary)
    axis = normalize_axis_index(axis, ary.ndim, "array_split: axis")
    if np.ndim(indices_or_sections) == 0:
        count = check.count("array_split", "indices_or_sections", indices_or_sections)
        sizes = [len(section) for section in np.array_split(np.arange(ary.shape[axis]), count)]
        indices_or_sections = np.cumsum(sizes[:-1], dtype=int)
    return split(ary, indices_or_sections, axis)


@composition(np.hsplit, sample=lambda r: [(r(4), 2), (r(2, 4), [1, 3])])
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut `ary` between columns. A vector is cut between its entries.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.hsplit(tg.Tensor([[1.0, 2.0]]), 2)
    [Tensor([[1.]]), Tensor([[2.]])]
    """
    ary = with_axes("hsplit", "ary", ary)
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@composition(np.vsplit, sample=lambda r: [(r(4, 2), 2), (r(3, 2), [1])])
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut `ary` between rows.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.vsplit(tg.Tensor([[1.0], [2.0]]), 2)
    [Tensor([[1.]]), Tensor([[2.]])]
    """
    return split(with_axes("vsplit", "ary", ary, 2), indices_or_sections, 0)


@composition(np.dsplit, sample=lambda r: [(r(1, 2, 4), 2), (r(2, 1, 3), [1])])
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Cut `ary` along its third axis.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> len(tg.dsplit(tg.Tensor([[[1.0, 2.0]]]), 2))
    2
    """
    return split(with_axes("dsplit", "ary", ary, 3), indices_or_sections, 2)


@composition(np.unstack, sample=lambda r: [(r(2, 3),), (r(2, 3), {"axis": -1})])
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the parts of `x` along `axis`, without that axis. This undoes `stack`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.unstack(tg.Tensor([[1.0], [2.0]]))
    (Tensor([1.]), Tensor([2.]))
    """
    x = moveaxis(with_axes("unstack", "x", x), axis, 0)
    return tuple([x[i] for i in range(x.shape[0])])
