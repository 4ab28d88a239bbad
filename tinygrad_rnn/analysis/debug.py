"""A block in which two silent faults become errors: numbers that a graph needs are written to, and the first NaN or Inf.

Both errors name the lines of the user's own program. Outside of such a block nothing is watched: `apply` and `sweep` look whether
the list of `observers` is empty, and that is all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import ref

import numpy as np

from ..errors import NonFiniteError, WrittenError, argument_error, describe
from ..graph import Value, node_of, observers, read_hook, require_done_at_return
from ..op import registry
from .source_location import user_location
from .write_guard import Guard, GuardedArray

P = ParamSpec("P")
R = TypeVar("R")
blocks: ContextVar[tuple[debug, ...]] = ContextVar("tinygrad_rnn.debug", default=())
"""Those that are open here. Each watches what happens until it ends, whatever others begin or end meanwhile."""


class debug:
    """A ``with`` block, or by decoration a function, in which mistakes with numbers are errors that name the line.

    While it is open, arrays that a live graph needs, those handed to an op and those that it made, are read-only: writing to one in
    place, which makes gradients silently wrong, is an error that names the line that wrote and the line that recorded. A write
    through a view that was made before is found when the graph is differentiated. And an op whose result, or a rule whose
    contribution, has the first NaN or Inf is reported with its inputs, and the line of the program where it was called.
    Holds for the current thread or async task. Everything is slower inside, and nothing is outside. Blocks nest: each watches
    until it ends what happens in it, in blocks inside of it too.

    Parameters
    ----------
    writes : bool
        Guard the arrays of live graphs.
    nonfinite : bool
        Report the first NaN or Inf. Inf that was handed in, as in a mask of −∞, is none; NaN always is. Whether Inf came in is
        found out by computing the op again without it; a compiled walk that gets Inf is not looked at.

    Raises
    ------
    TypeError
        When it is made, if `writes` or `nonfinite` is not True or False.
    WrittenError
        Inside of it: an array was written to that a live graph needs. A RuntimeError.
    NonFiniteError
        Inside of it: a NaN or Inf came up. A FloatingPointError.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([0.0, 1.0], requires_grad=True)
    >>> try:
    ...     with tg.debug(), np.errstate(all="ignore"):
    ...         y = tg.log(x)
    ... except FloatingPointError as error:
    ...     print(str(error).partition("; at")[0])
    debug: argument log: expected finite numbers, got -inf at [0] of its result, from a: float32 (2,) in [0, 1]
    """

    def __init__(self, *, writes: bool = True, nonfinite: bool = True):
        for name, value in (("writes", writes), ("nonfinite", nonfinite)):
            if not isinstance(value, bool):
                raise argument_error(
                    "debug",
                    name,
                    expected="True or False",
                    got=describe(value),
                    fix="leave it out for both",
                    kind=TypeError,
                )
        self.writes, self.nonfinite = writes, nonfinite
        self.guard = Guard()
        self.places: dict[int, str] = {}
        self.alive: dict[int, Any] = {}
        self.entered = 0

    def __enter__(self) -> debug:
        blocks.set((*blocks.get(), self))
        if not self.entered:
            observers.append(self)
        self.entered += 1
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        others = list(blocks.get())
        if (
            self in others
        ):  # a generator's block can end where another has begun since, or in another task
            others.remove(self)
            blocks.set(tuple(others))
        self.entered -= 1
        if self.entered:
            return
        observers.remove(self)
        refused = isinstance(error, ValueError) and "read-only" in str(error)
        written = self.guard.written(trace) if refused else None
        self.guard.end()
        self.alive.clear()
        self.places.clear()
        if written:
            raise WrittenError(written) from error

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        require_done_at_return("debug()", function)

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            with debug(writes=self.writes, nonfinite=self.nonfinite):
                return function(*args, **kwargs)

        return inside

    # -- what it is told -------------------------------------------------------------------------------

    def _looks(self) -> bool:
        """Whether what happens is for this block: not in another thread or task, nor where a cell is tried out to compile it."""
        return self in blocks.get() and read_hook.get() is None

    def after(
        self, op: Any, inputs: Iterable[Any], arrays: list[Any], params: dict[str, Any], out: Value
    ) -> None:
        """An op has run."""
        if not self._looks():
            return
        where = user_location(sys._getframe(1))
        if self.nonfinite and not _finite(out.array):
            self._report_op(op, inputs, arrays, params, out.array, where)
        if out.node is not None:
            self._remember(out, where)

    def before(self, order: Iterable[Value]) -> None:
        """A backward pass begins."""
        if not self.writes or not self._looks():
            return
        where = user_location(sys._getframe(1))
        for y in order:
            self.guard.require_unchanged((*node_of(y).arrays, y.array), where)

    def used(self, order: Iterable[Value]) -> None:
        """A backward pass has ended: what it used up is needed no more."""
        for y in order:
            release = self.alive.pop(id(y), None) if node_of(y).used > 1 else None
            if release is not None:
                self.guard.let_go(release[1])
                self.places.pop(id(y), None)

    def contribution(self, y: Any, x: Value, flow: Any, total: Any) -> None:
        """A rule has given the contribution of y to its input x, and x has got `total` so far."""
        if not self.nonfinite or not self._looks():
            return
        for what, value in (
            ("a contribution", getattr(flow, "part", flow)),
            ("a sum of contributions", total),
        ):
            array = getattr(value, "array", value)
            if isinstance(array, np.ndarray | np.generic) and not _finite(array):
                number = next(i for i, value in enumerate(y.node.inputs) if value is x)
                names = y.node.op.inputs
                name = (
                    names[number]
                    if number < len(names) and not y.node.op.variadic
                    else f"{names[0]}[{number}]"
                )
                rule = "" if y.node.op.variadic else f" by the rule {y.node.op.rule_text(name)}"
                got = f"{_first(array)} of {what} to {name}{rule}, from {_listed(y.node.op, y.node.arrays)} → {_numbers(y.array)}"
                wanted, fix = (
                    "finite gradients",
                    f"the op was called at {self.places.get(id(y), 'a place outside of the block')}",
                )
                raise argument_error(
                    "debug, backward",
                    y.node.op.name,
                    expected=wanted,
                    got=got,
                    fix=fix,
                    kind=NonFiniteError,
                )

    def accumulated(self, x: Value, total: np.ndarray) -> None:
        """A leaf is about to get its gradient."""
        if self.nonfinite and self._looks() and not _finite(total):
            where = user_location(sys._getframe(1))
            got = f"{_first(total)} of the sum of .grad and what arrived at {where}"
            fix = "call zero_grad() before backward, or make the loss smaller"
            raise argument_error(
                "debug, backward",
                _called(x),
                expected="finite gradients",
                got=got,
                fix=fix,
                kind=NonFiniteError,
            )

    def _report_op(
        self,
        op: Any,
        inputs: Iterable[Any],
        arrays: list[Any],
        params: dict[str, Any],
        result: np.ndarray,
        where: str,
    ) -> None:
        if not np.isnan(result).any() and any(map(_has_inf, arrays)):
            result = _of_the_finite(op, arrays, params)
            if _finite(result):
                return
        came_in = [
            x
            for x, a in zip(inputs, arrays, strict=True)
            if np.asarray(a).dtype.kind == "f" and np.isnan(a).any()
        ]
        source = f", which came in with {_called(came_in[0])}" if came_in else ""
        got = f"{_first(result)} of its result{source}, from {_listed(op, arrays)}"
        raise argument_error(
            "debug",
            op.name,
            expected="finite numbers",
            got=got,
            fix=f"at {where}",
            kind=NonFiniteError,
        )

    def _remember(self, out: Value, where: str) -> None:
        """From now on, for as long as `out` lives, its arrays must stay as they are."""
        number, node = id(out), node_of(out)
        self.places[number] = where
        holds: list[list[GuardedArray]] = []
        for array in (*node.arrays, out.array) if self.writes else ():
            if isinstance(array, np.ndarray):
                holds.append(self.guard.hold(array, f"{node.op.name} at {where}"))
        us = ref(self)

        def gone(_: Any) -> None:
            block = us()
            if block is not None:
                block.places.pop(number, None)
                block.alive.pop(number, None)
                block.guard.let_go(holds)

        self.alive[number] = ref(out, gone), holds


# -- what messages say -------------------------------------------------------------------------------


def _finite(array: np.ndarray | np.generic) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _has_inf(a: Any) -> bool:
    a = np.asarray(a)
    return a.dtype.kind == "f" and bool(np.isinf(a).any())


def _of_the_finite(op: Any, arrays: Iterable[Any], params: dict[str, Any]) -> np.ndarray:
    """What an op makes of its inputs with a number in place of each Inf, to see whether the Inf in its result came in with them.

    Of an op that is not in the registry, as a compiled walk is, nothing is known: it may only run once.
    """
    if registry.get(op.name) is not op:
        return np.zeros(())
    tame = [
        (np.where(np.isinf(a), a.dtype.type(0.5), a) if isinstance(a, np.ndarray) else 0.5)
        if _has_inf(a)
        else a
        for a in arrays
    ]
    with np.errstate(all="ignore"):
        return np.asarray(op.forward(*tame, **params))


def _first(array: Any) -> str:
    """The first number that is not finite, and its index."""
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    return f"{array[index]} at {list(index)}" if index else f"{array[index]}"


def _numbers(x: Any) -> str:
    """Dtype, shape and range of an input."""
    if not isinstance(x, np.ndarray):
        return repr(x)
    finite = x[np.isfinite(x)] if x.dtype.kind == "f" else x[:0]
    return (
        f"{describe(x)} in [{finite.min():.4g}, {finite.max():.4g}]" if finite.size else describe(x)
    )


def _listed(op: Any, arrays: Iterable[Any]) -> str:
    several = list(arrays)
    names = [f"{op.inputs[0]}[{i}]" for i in range(len(several))] if op.variadic else op.inputs
    shown = [f"{name}: {_numbers(a)}" for name, a in zip(names, several, strict=True)]
    return ", ".join(shown[:4] + ([f"{len(shown) - 4} more"] if len(shown) > 4 else []))


def _called(x: Any) -> str:
    name = getattr(x, "name", None)
    made = (
        f"the result of {x.node.op.name}"
        if isinstance(x, Value) and x.node
        else "a Tensor"
        if isinstance(x, Value)
        else "an array"
    )
    return name or made
