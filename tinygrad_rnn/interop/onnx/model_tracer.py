"""The tracer of models: it records whole layers, and the ops between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import check, tree
from ...compile.effects import copied, put_contents_back
from ...compile.instructions import UFUNCS, Variable, fill
from ...compile.numpy_forms import FORMS, with_entries
from ...compile.traced import TracedArray
from ...compile.tracer import Tracer
from ...compile.untraceable import Untraceable
from ...dtypes import StandIn
from ...errors import argument_error, describe
from ...graph import EAGER, Value, unwrap
from ...nn import GRU, LSTM, RNN, Embedding, LayerNorm, Module
from ...op import Op
from ...ops import numpy_protocol
from ...tensor import Tensor
from .module_trace import LayerCall, Trace, collect_calls
from .op_nodes import OPS

LAYERS = (RNN, GRU, LSTM, Embedding, LayerNorm)
"""The layers that are traced as one call each.

Any other module, even a subclass of one of these layers, is traced as the ops that it applies.
"""

UNRECORDED = (
    "see", "scan", "look", "change", "gradient", "optimize", "visit", "contribute", "accumulate",
)  # fmt: skip
"""The events of which an export sees only the ops: a model reads and changes its own Tensors."""

ABOUT_SHAPES = (
    np.zeros_like, np.ones_like, np.empty_like, np.iscomplexobj, np.isrealobj,
    np.array_repr, np.array_str, np.array2string,
)  # fmt: skip
"""Functions of the shape, the dtype or the text of an array. They are not recorded."""

SELECT = "select values with tg.where, also instead of Python's if"
COMPUTE = "compute with the Tensor itself, by operators, comparisons and functions of tinygrad_rnn"
CONVERT = "do not call it or np.array; convert its dtype with x.astype(dtype)"
FIXES = {"bool()": SELECT, "in": SELECT, "np.asarray()": CONVERT}
"""Advice for reads of numbers. For any other read, it is `COMPUTE`."""


def _has_nodes(function: Callable[..., Any]) -> bool:
    """Return True for a function of NumPy whose op can be exported, or that is composed of ops."""
    ours = numpy_protocol.differentiable[function]
    return not isinstance(function, np.ufunc) and (not isinstance(ours, Op) or ours.name in OPS)


def _by_ops(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that computes by ops what a function of NumPy does, with its dtype."""

    def run(*args: Any, **kwargs: Any) -> Any:
        result = numpy_protocol.array_function(None, function, (), args, kwargs)
        if isinstance(result, StandIn):
            (positional, named), found = result.tracer.template((args, kwargs))
            numbers = [x.numbers for x in found]
            plain = function(*fill(positional, numbers), **fill(named, numbers))
            result = result.astype(plain.dtype, copy=False)  # type: ignore[attr-defined]
        return result

    return run


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the numbers of a stand-in, which is not recorded."""
    return lambda a, *args, **kwargs: function(a.numbers, *args, **kwargs)


def _first_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that records `argmax` or `argmin` with all its settings by name."""
    return lambda a, axis=None, *, keepdims=False: a.tracer.emit_call(
        function, (a,), {"axis": axis, "keepdims": keepdims}
    )


class ModelTracer(Tracer):
    """Records ops and whole layers. Tensors that do not depend on an input keep their numbers.

    Attributes
    ----------
    of_parameters : set of int
        The ids of the results of ops of parameters, which are kept in `constants`. A bias that is
        broadcast to a batch depends on the size of an input, although not on its values.
    """

    forms = {  # noqa: RUF012
        **FORMS,
        **{f: _by_ops(f) for f in numpy_protocol.differentiable if _has_nodes(f)},
        **{f: _of_numbers(f) for f in ABOUT_SHAPES},
        **{f: _first_of(f) for f in (np.argmax, np.argmin)},
    }

    def __init__(self) -> None:
        super().__init__()
        self.of_parameters: set[int] = set()

    def add_input(self, array: Any) -> Tensor | None:
        """Return an example as a Tensor on which calls are recorded; None stays None."""
        if array is None:
            return None
        stand_in = self.stand_in(array, "", "argument")
        stand_in.shared = True  # the caller's array
        return self._as_tensor(stand_in)

    def _as_tensor(self, stand_in: TracedArray) -> Tensor:
        tensor = Tensor(stand_in)
        self.named.append((tensor, stand_in.variable))
        return tensor

    def emit(self, function: str, args: Sequence[Any], /, **settings: Any) -> Any:
        """Record one instruction; a ufunc that is composed of ops becomes these ops."""
        ufunc = UFUNCS.get(function)
        if ufunc and ufunc in numpy_protocol.composed and any(type(x) is TracedArray for x in args):
            return _by_ops(ufunc)(*args)
        return super().emit(function, args, **settings)

    def emit_call(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Record the call of a function that has no form of its own."""
        if function is with_entries:
            expected, got = "a model that computes with ops of tinygrad_rnn only", "an assignment"
            raise Untraceable(expected, f"{got} to entries that depend on an input", SELECT)
        return super().emit_call(function, args, kwargs)

    def read(self, what: str, x: TracedArray, *args: Any) -> Any:
        """Return the text of an array; raise an error for any other read of its numbers."""
        text = {"str()": str, "repr()": repr, "format()": format}.get(what)
        if text is not None and not any(args):
            return text(x.numbers)
        known = self.error
        try:
            return super().read(what, x)
        finally:
            if what == "an index":  # NumPy 2.1 tries it in `array ** Tensor`, and then goes on
                self.error = known

    # -- events ------------------------------------------------------------------------------------

    def forward(self, op: Any) -> Callable[..., Any]:
        """Return a function that records a call of the op, or of what it computes with.

        An op that has no counterpart in ONNX is recorded as the functions of NumPy that it calls.
        """

        def run(*arrays: Any, **params: Any) -> Any:
            if not any(isinstance(x, StandIn) for x in (*arrays, *tree.leaves(params))):
                return op.forward(*arrays, **params)
            mark, error = len(self.lines), self.error
            try:
                if op.name not in OPS:
                    return op.forward(*arrays, **params)
            except Untraceable:
                del self.lines[mark:]
                self.error = error
            return self.emit_call(op.forward, arrays, params)

        return run

    def record(self, op: Any, inputs: Any, arrays: Any, params: Any, out: Any) -> None:
        """Let an op itself have the dtype of its result, and record ops of parameters."""
        super().record(op, inputs, arrays, params, out)
        if isinstance(out.array, StandIn):
            for line, cast in zip(self.lines[-2:], self.lines[-1:], strict=False):
                called = line.settings.get("function") is op.forward
                if called and cast.function == "astype" and cast.args == (line.out,):
                    line.out = self.lines.pop().out
        elif any(
            isinstance(x, Value) and (x.tracked or id(x.array) in self.of_parameters)
            for x in inputs
        ):
            self.emit_call(op.forward, arrays, params)
            variable = self.lines[-1].out = Variable("", out.array.shape, out.array.dtype)
            self.constants[id(out.array)] = out.array, variable
            self.of_parameters.add(id(out.array))

    def expect(self, condition: Any) -> bool:
        """Return a check of arguments, as it is in this run."""
        return bool(_plain(condition))

    def allow(self, condition: Any) -> bool:
        """Return False for a condition on values: the exported model is for other values too."""
        return not isinstance(condition, StandIn) and bool(condition)

    def call(self, module: Any, args: Any, kwargs: Any) -> Any:
        """Call a module. Some layers run on plain numbers, and are recorded as a whole."""
        layer = module._original
        if type(layer) not in LAYERS:
            return module.forward(*args, **kwargs)
        results = self.emit_call(LayerCall(layer), *tree.map(unwrap, (args, kwargs)))
        if not isinstance(results, list):
            return self._as_tensor(results)
        output, *states = map(self._as_tensor, results)
        return output, tuple(states) if isinstance(layer, LSTM) else states[0]


for event in UNRECORDED:
    setattr(ModelTracer, event, getattr(EAGER, event))


def trace_model(model: Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Trace:
    """Run `model` on arrays and return the trace. None stands for an omitted argument."""
    tracer = ModelTracer()
    tensors = tree.map(tracer.add_input, (tuple(args), kwargs))
    try:
        with tracer:
            outputs = tree.leaves(model(*tensors[0], **tensors[1]))
            if tracer.error is not None:
                raise tracer.error
            _require_tensors(outputs)
            found = [tracer.argument(output.array) for output in outputs]
            inputs = [x.array.variable for x in tree.leaves(tensors)]
            arrays = {x: source[1] for x, source in tracer.inputs if source[0] == "array"}
            return Trace(inputs, collect_calls(tracer.lines, found, arrays), found, arrays)
    except Exception as error:  # perhaps because of a read whose error the model caught
        reason = error if isinstance(error, Untraceable) else tracer.error
        if reason is None:
            raise
        raise _explain(reason) from error
    finally:
        for value, _ in tracer.named:
            value.array = _plain(value.array)
        for space in [vars(module) for module in model.modules()]:
            for name, x in space.items():
                if any(isinstance(part, StandIn) for part in tree.leaves(x)):
                    space[name] = tree.map(_plain, x)
        vars(tracer).clear()  # stand-ins refer to the tracer, and it to them


def _plain(x: Any) -> Any:
    """Return the numbers of a stand-in, and anything else unchanged."""
    return x.numbers if isinstance(x, StandIn) else x


def _require_tensors(outputs: list[Any]) -> None:
    """Raise TypeError unless a model returned Tensors and nothing else."""
    others = [output for output in outputs if not isinstance(output, Value)]
    expected, got = "Tensors as outputs", describe(others[0]) if others else "no outputs"
    fix = "return only Tensors, computed by ops"
    valid = outputs and not others
    check.require(valid, "to_onnx", "model", expected, got, fix, TypeError)


def _explain(error: Untraceable) -> Exception:
    """Return the error for a model that does what no trace can follow."""
    expected, got, fix, kind = error.expected, error.got, error.fix, ValueError
    if error.what:
        expected = "a model that computes with ops of tinygrad_rnn only"
        got = f"{error.what} of values that depend on an input"
        fix = FIXES.get(error.what, COMPUTE)
        if error.what.startswith("a write by "):
            fix = f"write y = {error.what.removeprefix('a write by ')}(...)"
        kind = TypeError if error.what == "np.asarray()" else ValueError
    return argument_error("to_onnx", "model", expected, got, fix, kind)


@contextmanager
def unchanged(model: Module) -> Iterator[None]:
    """Put back what the block changes in the attributes of a model and in its Tensors.

    Both runs are in one block: if the second one reads what the first one left, the traces differ.
    """
    named = (*model.named_parameters(), *model.named_buffers())
    arrays = [(tensor, tensor.array, tensor.changed) for _, tensor in named]
    spaces = [vars(module) for module in model.modules()]
    parts = [x for space in spaces for x in space.values()]
    containers = [x for x in parts if isinstance(x, dict | list | set | deque)]
    kept = [(x, copied(x)) for x in (*spaces, *containers)]
    try:
        yield
    finally:
        for x, old in kept:
            put_contents_back(x, old)
        for tensor, array, changed in arrays:
            tensor.array, tensor.changed = array, changed
