"""Stand-ins for arrays and numbers while a function is traced.

Each has the shape and the dtype of what it stands for, and numbers that are as good as any others.
NumPy's functions and operators on it are recorded as instructions. Its numbers cannot be read into
Python, because they would become constants of the program: that is an error which names the read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..dtypes import StandIn
from ..graph import Value
from .instructions import REDUCTIONS, UFUNCS, Place, Variable
from .numpy_forms import reduce, takes, with_entries
from .untraceable import UnknownShape, Untraceable, read_error

READS = """
allclose array_equal array_equiv nonzero argwhere flatnonzero count_nonzero unique extract compress
trim_zeros bincount histogram array_repr array_str array2string save savetxt may_share_memory
shares_memory copyto put place putmask fill_diagonal put_along_axis union1d intersect1d setdiff1d
setxor1d unique_all unique_counts unique_inverse unique_values delete insert piecewise
apply_along_axis apply_over_axes
"""
READS = frozenset(READS.split())
"""NumPy's functions whose result depends on numbers in a way that no program can follow."""

METHODS = """
sum prod max min any all mean var std argmax argmin argsort cumsum cumprod clip round take repeat
diagonal trace squeeze swapaxes dot ravel searchsorted choose
"""
METHODS = frozenset(name for name in METHODS.split() if hasattr(np.ndarray, name))
"""Methods that are NumPy's function of the same name."""


def _reads(what: str) -> Any:
    """Return a method that raises the error for a read of values."""

    def read(self: TracedArray, *args: Any, **_: Any) -> Any:
        return self.tracer.read(what, self, *args)

    return read


class TracedArray(StandIn, NDArrayOperatorsMixin):
    """A stand-in for an array.

    Attributes
    ----------
    numbers : numpy.ndarray
        An array of the same shape and dtype.
    variable : Variable
        The variable of the program. A write in place gives the stand-in another variable.
    tracer : Tracer
        Where instructions are recorded.
    shared : bool
        True if it shows memory of another array, so that a write in place cannot be followed.
    base : TracedArray or None
        The array that it shows, if it is a view.
    version, seen : int
        How often it was written into, and what that number was of `base` when the view was made.
    scalar : bool
        True if it stands for a number of NumPy's, such as ``x.max()`` of an array, which is weak
        beside Tensors. An array without axes is not.
    """

    __slots__ = (
        "base", "numbers", "scalar", "seen", "shared", "tracer", "variable", "version",
    )  # fmt: skip
    __class__ = property(lambda self: np.ndarray)  # type: ignore[assignment]  # for isinstance

    def __init__(self, numbers: Any, variable: Variable, trace: Any, shared: bool = False):
        self.numbers, self.variable, self.tracer, self.shared = numbers, variable, trace, shared
        self.base: TracedArray | None = None
        self.scalar, self.version, self.seen = False, 0, 0

    shape = property(lambda self: self.numbers.shape)
    dtype = property(lambda self: self.numbers.dtype)
    ndim = property(lambda self: self.numbers.ndim)
    size = property(lambda self: self.numbers.size)
    nbytes = property(lambda self: self.numbers.nbytes)
    itemsize = property(lambda self: self.numbers.itemsize)
    T = property(lambda self: self.transpose())
    real = property(lambda self: self._part(np.real))
    imag = property(lambda self: self._part(np.imag))
    mT = property(lambda self: np.swapaxes(self, -1, -2))  # NumPy's name

    # -- reads of numbers, which cannot be followed ------------------------------------------------

    __bool__, __float__, __int__ = _reads("bool()"), _reads("float()"), _reads("int()")
    __index__, __complex__ = _reads("an index"), _reads("complex()")
    __array__, __contains__ = _reads("np.asarray()"), _reads("in")
    __format__, __delitem__ = _reads("format()"), _reads("del")
    __str__, __repr__ = _reads("str()"), _reads("repr()")
    __hash__ = _reads("hash()")  # type: ignore[assignment]
    __round__, __trunc__, __reduce_ex__ = _reads("round()"), _reads("int()"), _reads("pickle")
    __floor__, __ceil__ = _reads("math.floor()"), _reads("math.ceil()")
    tolist, tobytes, nonzero = _reads("tolist()"), _reads("tobytes()"), _reads("nonzero()")
    fill, put, itemset = _reads("fill()"), _reads("put()"), _reads("itemset()")
    data, flat = property(_reads("data")), property(_reads("flat"))
    __copy__ = __deepcopy__ = lambda self, *_: self.copy()

    def _part(self, function: Any) -> Any:
        """Return the real or imaginary parts."""
        if self.dtype.kind != "c":
            return self if function is np.real else np.zeros_like(self)
        return self.tracer.emit_call(function, (self,), {})

    def item(self) -> TracedNumber:
        """Return the only entry as a stand-in for a plain number."""
        return self.tracer.emit("item", (self,))

    # -- indices -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if _is_basic(index):
            return self.tracer.emit("index", (self,), index=index)
        template, arrays = self.tracer.template(index)
        parts = template if isinstance(template, tuple) else (template,)
        if any(isinstance(p, Place) and arrays[p.number].dtype.kind == "b" for p in parts):
            fix = "use tg.where, whose result has the shape of the mask"
            raise UnknownShape("an index that gives a known shape", "a mask as an index", fix)
        ends = [e for p in parts if type(p) is slice for e in (p.start, p.stop, p.step)]
        if any(isinstance(end, Place) for end in ends):
            fix = "pass the end as a Python int, or use tg.where with a mask"
            got = "a slice with a computed end"
            raise UnknownShape("an index that gives a known shape", got, fix)
        shifted = self.tracer.shift(template, 1)
        return self.tracer.emit("index_arrays", (self, *arrays), index=shifted)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._replace(self.tracer.emit_call(with_entries, (self, index, value), {}))

    def _replace(self, new: Any) -> Any:
        """Continue with `new`, cast to this dtype, as a write in place does."""
        if self.shared:
            fix = "make a new array, x = x + 1, instead of x += 1"
            raise Untraceable("arrays that are not written into", "a write into a view", fix)
        new = new if new.dtype == self.dtype else new.astype(self.dtype)
        new = new if new.shape == self.shape else np.broadcast_to(new, self.shape).copy()
        self.numbers, self.variable, self.version = new.numbers, new.variable, self.version + 1
        return self

    # -- NumPy's functions -------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Value) for x in inputs):
            return NotImplemented
        out: Any
        out, *outs = kwargs.pop("out", (None,))
        mask = kwargs.pop("where", True) if method == "__call__" else True
        name = {"abs": "absolute", "true_divide": "divide"}.get(ufunc.__name__, ufunc.__name__)
        if method == "at" or outs or type(out) not in (type(None), TracedArray):
            raise read_error(f"a write by np.{name}", self)
        if mask is not True and out is None:
            got, fix = f"np.{name} with where and without out", "use np.where"
            raise Untraceable("results that are all computed", got, fix)
        result = self._apply(ufunc, method, name, inputs, kwargs)
        result = result if mask is True else np.where(mask, result, out)
        return result if out is None else out._replace(result)  # type: ignore[attr-defined]

    def _apply(self, ufunc: Any, method: str, name: str, inputs: Any, kwargs: Any) -> Any:
        """Record the call of a ufunc or of one of its methods."""
        reduced = {f: n for n, f in REDUCTIONS.items()}.get(ufunc) if method == "reduce" else None
        if method == "__call__" and not kwargs and (name == "matmul" or name in UFUNCS):
            return self.tracer.emit(name, inputs)
        if reduced and not {*kwargs} - {"axis", "dtype", "keepdims"}:
            axis, dtype, *_ = (*inputs[1:], *[None] * 2) if inputs[1:] else (0, None)
            axis, dtype = kwargs.get("axis", axis), kwargs.get("dtype", dtype)
            a = inputs[0] if dtype is None else inputs[0].astype(dtype, copy=False)
            return reduce(a, reduced, axis, bool(kwargs.get("keepdims")))
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self.tracer.emit_call(function, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Value) for kind in types):
            return NotImplemented
        form = self.tracer.forms.get(function)
        if (form is None and function.__name__ in READS) or kwargs.get("copy") is False:
            raise read_error(f"np.{function.__name__}", self)
        out: Any = kwargs.get("out")
        if type(out) not in (type(None), TracedArray):
            raise read_error(f"a write by np.{function.__name__}", self)
        kwargs = {name: x for name, x in kwargs.items() if name != "out"}
        if form is not None and takes(form, args, kwargs):
            result = form(*args, **kwargs)
        else:
            result = self.tracer.emit_call(function, args, kwargs)
        return result if out is None else out._replace(result)

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return partial(getattr(np, name), self)
        if hasattr(self.numbers, name) and not name.startswith("__"):
            raise read_error(f"{name}()", self)
        raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Any:  # fmt: skip
        """Return the entries in another dtype."""
        dtype = np.dtype(dtype)
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"Cannot cast array data from {self.dtype!r} to {dtype!r}")
        same = dtype == self.dtype and not copy
        return self if same else self.tracer.emit("astype", (self,), dtype=dtype)

    def reshape(self, *shape: Any, order: Any = "C") -> Any:
        """Return the entries in another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes in another order."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def view(self, dtype: Any = None) -> Any:
        """Return this array; its bytes cannot be seen as another dtype."""
        if dtype is not None:
            raise read_error("view()", self)
        return self

    def copy(self, order: str = "C") -> Any:
        """Return a copy."""
        return self.tracer.emit("copy", (self,))

    def flatten(self, order: Any = "C") -> Any:
        """Return the entries along one axis."""
        return np.ravel(self, order=order)


class TracedNumber(TracedArray):
    """A stand-in for a plain Python number, such as the learning rate or ``loss.item()``."""

    __slots__ = ()
    __class__ = property(lambda self: type(self.numbers))  # type: ignore[assignment]

    shape, ndim, size = (), 0, 1
    dtype = property(lambda self: np.dtype(type(self.numbers)))
    is_integer = _reads("is_integer()")

    def __init__(self, numbers: Any, variable: Variable, trace: Any):
        super().__init__(numbers, variable, trace)


def is_scalar(x: Any) -> bool:
    """Return True for what stands for a number of NumPy's, and for such a number."""
    return isinstance(x, np.generic) or getattr(x, "scalar", False)


# -- NumPy's functions as instructions -------------------------------------------------------------


def _is_basic(index: Any) -> bool:
    """Return True for an index of integers, slices, None and ... that no trace computes."""
    parts = index if isinstance(index, tuple) else (index,)
    ends = [e for p in parts if type(p) is slice for e in (p.start, p.stop, p.step)]
    plain = (int, np.integer, slice, type(None), type(...))
    return all(
        isinstance(p, plain) and not isinstance(p, bool) and type(p) is not TracedNumber
        for p in (*parts, *ends)
    )
