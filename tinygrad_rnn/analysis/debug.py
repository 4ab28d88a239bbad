"""The context manager `debug`: it detects NaN, Inf, and writes to arrays of live graphs.

Its errors name the lines of the user's program that caused them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import ref

import numpy as np

from .. import check
from ..blocks import Recorder, open_blocks
from ..dtypes import StandIn
from ..errors import NonFiniteError, WrittenError, argument_error, describe
from ..graph import Value, context, unwrap
from ..op import registry
from .source_location import find_user_location
from .write_guard import Guard

P = ParamSpec("P")
R = TypeVar("R")


class debug:
    """Raise an error that names the line of a harmful in-place write, or of the first NaN or Inf.

    Use it as a ``with`` block, or as the decorator of a function.

    Inside the block, the arrays of a live graph (the inputs and results of its ops) are read-only.
    A graph is live while its result exists and no backward pass has used the graph up. Writing to
    such an array in place would make gradients silently wrong. So the write raises an error that
    names two lines: the line of the write, and the line that called the op. A write through a view
    that was made before the op was called is detected only in the backward pass.

    The first NaN or Inf in the result of an op, or in a gradient that the backward pass computes,
    raises an error that describes the inputs and names the line that called the op.

    The block observes the current thread or async task only. Code inside the block runs slower;
    code outside does not. Blocks can be nested: each block observes everything until it ends, also
    inside inner blocks.

    Parameters
    ----------
    writes : bool
        Make the arrays of live graphs read-only.
    nonfinite : bool
        Report the first NaN or Inf. Inf already present in an input (an attention mask, for
        example) is not reported; NaN always is. If an input and the result both hold Inf, the op
        runs again with a finite number in place of each Inf in its inputs. If the new result is not
        finite either, the op is reported. The result of a compiled call with Inf in its inputs is
        checked for NaN only.

    Raises
    ------
    TypeError
        On construction, if `writes` or `nonfinite` is not True or False.
    WrittenError
        If the block writes to an array that a live graph needs. It is a RuntimeError.
    NonFiniteError
        If an op, or the derivative rule of an op, produces NaN or Inf in the block. It is a
        FloatingPointError.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> x = tg.Tensor([0.0, 1.0], requires_grad=True)
    >>> try:
    ...     with tg.debug(), np.errstate(all="ignore"):
    ...         y = tg.log(x)
    ... except FloatingPointError as error:
    ...     print(str(error).partition(", from")[0])
    debug: argument log: expected finite numbers, got -inf at [0] of its result
    """

    def __init__(self, *, writes: bool = True, nonfinite: bool = True):
        self.writes = check.flag("debug", "writes", writes)
        self.nonfinite = check.flag("debug", "nonfinite", nonfinite)
        self.guard = Guard()
        self.locations: dict[int, str] = {}
        self.alive: dict[int, Any] = {}
        self.depth = 0

    def __repr__(self) -> str:
        return f"debug(writes={self.writes}, nonfinite={self.nonfinite})"

    def __enter__(self) -> debug:
        Watch(self, muted=bool(self._watches())).__enter__()
        self.depth += 1
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        for watch in self._watches()[-1:]:  # none if a generator left the block in another task
            watch.__exit__()
        self.depth -= 1
        if self.depth:
            return
        is_write = isinstance(error, ValueError) and "read-only" in str(error)
        message = self.guard.explain_write(trace) if is_write else None
        self.guard.release_all()
        self.alive.clear()
        self.locations.clear()
        if message:
            raise WrittenError(message) from error

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        check.runs_at_once("debug()", function)

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            with debug(writes=self.writes, nonfinite=self.nonfinite):
                return function(*args, **kwargs)

        return inside

    def _watches(self) -> list[Watch]:
        """Return the entries of this block in this thread or task that have not ended."""
        recorders = dict.fromkeys(state[2] for state in (*open_blocks.get(), context.get()))
        return [r for r in recorders if isinstance(r, Watch) and r.block is self]

    # -- checks ----------------------------------------------------------------------------------

    def _check_result(
        self, op: Any, inputs: Iterable[Any], arrays: list[Any], params: dict[str, Any], out: Value
    ) -> None:
        """Check the result of an op, and make the arrays of the op read-only."""
        location = find_user_location(sys._getframe(1))
        if self.nonfinite and not _is_finite(out.array):
            self._report_op(op, inputs, arrays, params, out.array, location)
        if out.node is not None:
            self._protect(out, location)

    def _check_writes(self, y: Value) -> None:
        """Check, before the rules of y's op run, that the arrays of the op are unchanged."""
        location = find_user_location(sys._getframe(1))
        self.guard.require_unchanged((*y.node.arrays, y.array), location)

    def _forget_used(self, order: Iterable[Value]) -> None:
        """Release the arrays of the nodes that a backward pass has used up."""
        for y in order:
            entry = self.alive.pop(id(y), None) if y.node.used > 1 else None
            if entry is not None:
                self.guard.release(entry[1])
                self.locations.pop(id(y), None)

    def _check_contribution(self, y: Any, x: Value, contribution: Any, total: Any) -> None:
        """Check what y's op adds to the gradient of its input x, and the sum so far."""
        entries = getattr(contribution, "values", contribution)  # a SparseGrad has `values`
        for title, value in (("a contribution", entries), ("a sum of contributions", total)):
            array = unwrap(value)
            if isinstance(array, np.ndarray | np.generic) and not _is_finite(array):
                raise self._gradient_error(y, x, title, array)

    def _gradient_error(self, y: Any, x: Value, title: str, array: Any) -> Exception:
        """Return the error for a NaN or Inf in what y's op adds to the gradient of its input x."""
        op = y.node.op
        number = next(i for i, value in enumerate(y.node.inputs) if value is x)
        name = f"{op.inputs[0]}[{number}]" if op.variadic else op.inputs[number]
        rule = "" if op.variadic else f" by the rule {op.rule_text(name)}"
        got = (
            f"{_format_first_nonfinite(array)} of {title} to {name}{rule}, "
            f"from {_format_inputs(op, y.node.arrays)} → {_format_numbers(y.array)}"
        )
        location = self.locations.get(id(y), "a line outside of the block")
        fix = f"the op was called at {location}"
        return argument_error(
            "debug, backward", op.name, "finite gradients", got, fix, kind=NonFiniteError
        )

    def _check_grad(self, x: Value, total: np.ndarray) -> None:
        """Check the sum that is about to become the ``.grad`` of a leaf."""
        if not _is_finite(total):
            location = find_user_location(sys._getframe(1))
            first = _format_first_nonfinite(total)
            raise argument_error(
                "debug, backward",
                _format_origin(x),
                "finite gradients",
                f"{first} of the sum of .grad and the gradient that arrived at {location}",
                "call zero_grad() before backward, or make the loss smaller",
                kind=NonFiniteError,
            )

    def _report_op(
        self,
        op: Any,
        inputs: Iterable[Any],
        arrays: list[Any],
        params: dict[str, Any],
        result: np.ndarray,
        location: str,
    ) -> None:
        """Raise NonFiniteError, unless the Inf in the result comes from Inf in the inputs."""
        if not np.isnan(result).any() and any(map(_has_inf, arrays)):
            result = _compute_without_inf(op, arrays, params)
            if _is_finite(result):
                return
        with_nan = [x for x, a in zip(inputs, arrays, strict=True) if _has_nan(a)]
        source = f", which came in with {_format_origin(with_nan[0])}" if with_nan else ""
        first = _format_first_nonfinite(result)
        got = f"{first} of its result{source}, from {_format_inputs(op, arrays)}"
        raise argument_error(
            "debug", op.name, "finite numbers", got, fix=f"see {location}", kind=NonFiniteError
        )

    def _protect(self, out: Value, location: str) -> None:
        """Lock the arrays of the op that made `out`, until `out` is freed."""
        key, node = id(out), out.node
        self.locations[key] = location
        use = f"{node.op.name} at {location}"
        arrays = (*node.arrays, out.array) if self.writes else ()
        holds = [self.guard.hold(a, use) for a in arrays if isinstance(a, np.ndarray)]
        block_ref = ref(self)

        def release(_: Any) -> None:
            block = block_ref()
            if block is not None:
                block.locations.pop(key, None)
                block.alive.pop(key, None)
                block.guard.release(holds)

        self.alive[key] = ref(out, release), holds


class Watch(Recorder):
    """One entry of a `debug` block: it passes the events of its thread or task to the block.

    Attributes
    ----------
    muted : bool
        True inside of another entry of the same block, which passes the events already.
    """

    def __init__(self, block: debug, *, muted: bool):
        self.block, self.muted = block, muted

    def _is_on(self) -> bool:
        """Return False too for an entry that a generator ended in another task."""
        return self.block.depth > 0 and not self.muted

    def record(self, op: Any, inputs: Any, arrays: Any, params: Any, out: Value) -> None:
        self.outer.record(op, inputs, arrays, params, out)
        if self._is_on() and not isinstance(out.array, StandIn):
            self.block._check_result(op, inputs, arrays, params, out)

    def visit(self, y: Value) -> None:
        self.outer.visit(y)
        if self._is_on() and self.block.writes:
            self.block._check_writes(y)

    def contribute(self, y: Value, x: Value, contribution: Any, total: Any) -> None:
        self.outer.contribute(y, x, contribution, total)
        if self._is_on() and self.block.nonfinite:
            self.block._check_contribution(y, x, contribution, total)

    def accumulate(self, x: Value, total: np.ndarray) -> None:
        self.outer.accumulate(x, total)
        if self._is_on() and self.block.nonfinite:
            self.block._check_grad(x, total)

    def end_backward(self, order: list[Value]) -> None:
        self.outer.end_backward(order)
        self.block._forget_used(order)


# -- numbers, and their text in messages ---------------------------------------------------------


def _is_finite(array: np.ndarray | np.generic) -> bool:
    """Return whether all entries are finite. What stands for an array has no entries to check."""
    if array.dtype.kind != "f" or isinstance(array, StandIn):
        return True
    return bool(np.isfinite(array).all())


def _has_inf(a: Any) -> bool:
    a = np.asarray(a)
    return a.dtype.kind == "f" and bool(np.isinf(a).any())


def _has_nan(a: Any) -> bool:
    a = np.asarray(a)
    return a.dtype.kind == "f" and bool(np.isnan(a).any())


def _compute_without_inf(op: Any, arrays: Iterable[Any], params: dict[str, Any]) -> np.ndarray:
    """Return the result of an op with 0.5 in place of each Inf in its inputs.

    If this result is finite, the Inf in the original result came from the inputs. An op outside of
    the registry, for example a compiled call, must not run twice. For such an op, return 0.
    """
    if registry.get(op.name) is not op:
        return np.zeros(())
    finite = [
        (np.where(np.isinf(a), a.dtype.type(0.5), a) if isinstance(a, np.ndarray) else 0.5)
        if _has_inf(a)
        else a
        for a in arrays
    ]
    with np.errstate(all="ignore"):
        return np.asarray(op.forward(*finite, **params))


def _format_first_nonfinite(array: Any) -> str:
    """Return the first number that is not finite, and its index."""
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    return f"{array[index]} at {list(index)}" if index else f"{array[index]}"


def _format_numbers(x: Any) -> str:
    """Return the dtype, the shape and the range of an array, or the repr of anything else."""
    if not isinstance(x, np.ndarray):
        return repr(x)
    finite = x[np.isfinite(x)] if x.dtype.kind == "f" else x[:0]
    numbers = f" in [{finite.min():.4g}, {finite.max():.4g}]" if finite.size else ""
    return describe(x) + numbers


def _format_inputs(op: Any, arrays: Iterable[Any]) -> str:
    """Return the name and the description of each of the first four inputs."""
    arrays = list(arrays)
    names = [f"{op.inputs[0]}[{i}]" for i in range(len(arrays))] if op.variadic else op.inputs
    texts = [f"{name}: {_format_numbers(a)}" for name, a in zip(names, arrays, strict=True)]
    return ", ".join(texts[:4] + ([f"{len(texts) - 4} more"] if len(texts) > 4 else []))


def _format_origin(x: Any) -> str:
    """Return the name of an input. Without a name, return what made it or what it is."""
    if not isinstance(x, Value):
        return getattr(x, "name", None) or "an array"
    return x.name or (f"the result of {x.node.op.name}" if x.node else "a Tensor")
