"""Methods that a NumPy array has and `Tensor` inherits: ``x.cumprod()`` is ``tg.cumprod(x)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import read
from . import cumulative, rearranging, rounding, selecting


class ArrayMethods:
    """Methods that call the function of the same name."""

    __slots__ = ()

    round, cumprod = rounding.round, cumulative.cumprod
    trace, diagonal = rearranging.trace, rearranging.diagonal
    take, choose = selecting.take, selecting.choose

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the entries along `axis` for which `condition` is True."""
        return selecting.compress(condition, self, axis)

    def argsort(self, axis: int = -1) -> np.ndarray:
        """Return the indices that sort the entries along `axis`. They have no derivative.

        Parameters
        ----------
        axis : int
            The axis along which to sort; the last one by default.

        Returns
        -------
        ndarray
            Integers, of the shape of the Tensor. Equal entries keep their order.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.Tensor([3.0, 1.0, 2.0]).argsort()
        array([1, 2, 0])
        """
        return read(np.argsort, self, axis, "stable")  # type: ignore[arg-type]  # self is a Tensor

    def __round__(self, ndigits: int = 0) -> Any:
        return rounding.round(self, decimals=ndigits)
