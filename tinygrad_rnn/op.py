"""Ops: functions of arrays, each with its formula and the rules of its derivative.

Every op runs in `apply`. `apply` is also the only function that records a `Node`, the graph's entry
for one call of an op.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from math import inf
from types import MethodType
from typing import Any

from numpy import ndarray

from .dtypes import as_constant, as_ndarray, as_numpy_arguments, cast_result
from .errors import messages
from .graph import EAGER, Node, Value, clock, context, unwrap

Function = Callable[..., Any]
new = object.__new__

PLAIN = frozenset({ndarray, float, int, bool})
"""The types of constants that an op uses without converting them."""

IMMUTABLE = frozenset({int, float, bool, str, type(...), type(None)})
"""Immutable types: a setting, or an entry of an index, of these types needs no copy."""

REAL = (-inf, inf)
"""The domain of an op that accepts every real number."""

registry: dict[str, Op] = {}
"""All ops by name.

The tests, `tinygrad-rnn check` and the table of ops in the documentation iterate over this dict.
"""


@dataclass(eq=False, repr=False)
class Op:
    """A function of arrays together with its derivative. The decorator `tg.op` creates it.

    If an argument is a Tensor, the op returns a Tensor. It records the call if a Tensor among the
    arguments requires gradients and recording is on. If no argument is a Tensor, the op behaves
    like a NumPy function: it returns a plain array or number in NumPy's dtype (float64 for Python
    floats) and records nothing.

    Attributes
    ----------
    forward : callable
        ``forward(*arrays, **params)`` on plain arrays.
    formula, shapes, sample, fix, reference, domain
        As given to `op`.
    name : str
        The name of the function.
    inputs : tuple of str
        The names of the array arguments. A variadic op takes one sequence of arrays, as
        `numpy.concatenate` does, so it has one name, that of the sequence.
    defaults : dict
        The default value of each setting, by name. The settings are the keyword-only arguments of
        `forward`.
    rules : dict
        The derivative rule of each differentiable input, by name. A rule is a function of the
        incoming gradient ``g``, the output ``y`` and the arguments. It returns the contribution to
        the gradient of that input.
    """

    # Attributes that are read often are slots, because a slot is faster to read than a dict.
    __slots__ = ("__dict__", "forward", "has_all_rules", "rules_in_order", "variadic")

    forward: Function
    formula: str
    shapes: str = ""
    sample: Function | None = None
    fix: str = ""
    reference: Function | None = None
    domain: Any = REAL

    def __post_init__(self) -> None:
        arguments = inspect.signature(self.forward).parameters.values()
        self.name: str = self.forward.__name__.lstrip("_")
        self.inputs = tuple([p.name for p in arguments if p.kind is not p.KEYWORD_ONLY])
        self.defaults = {p.name: p.default for p in arguments if p.kind is p.KEYWORD_ONLY}
        self.required = {name for name, value in self.defaults.items() if value is inspect._empty}
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)
        self.arity = None if self.variadic or self.defaults else len(self.inputs)
        self.rules: dict[str, Function] = {}
        self.rules_in_order: tuple[Any, ...] = ()
        self.has_all_rules = False
        update_wrapper(self, self.forward)

    def vjps(self, **rules: Function) -> Op:
        """Set the derivative rules, one for each input by name, and return the op.

        A rule computes the vector-Jacobian product for its input. An input without a rule must be
        a constant: the op raises TypeError if that input is a Tensor that requires gradients.

        A rule is called as ``rule(g, y, *inputs, **params)``. It may use only operators, methods
        and other ops, so that the same code runs on arrays and, for gradients of gradients, on
        Tensors. It need not undo broadcasting, because the backward pass does. A variadic op has
        one rule, which returns the contributions to all inputs in order.
        """
        messages.check_rules(self, rules)
        self.rules = rules
        self.rules_in_order = tuple([rules.get(name) for name in self.inputs])
        self.has_all_rules = len(rules) == len(self.inputs)
        return self

    def rule_text(self, name: str) -> str:
        """Return the source of the rule that runs for the input `name`, without its ``lambda``.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.tanh.rule_text("a")
        'g * (1 - y * y)'
        """
        return rule_source(self.rules[name])

    def __call__(self, *args: Any, **settings: Any) -> Any:
        if not settings and self.arity == len(args):
            return apply(self, args, {})
        arrays, params = self._bind(args, settings)
        for name, value in params.items():
            if type(value) not in IMMUTABLE:
                params[name] = frozen_copy(value)
        return apply(self, arrays, params)

    def _bind(self, args: tuple[Any, ...], settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Separate the arguments into arrays and settings. Both may be positional or named."""
        n, given = len(self.inputs), len(args)
        arrays, positional = args[:n], dict(zip(self.defaults, args[n:], strict=False))
        if given < n:
            named = self.inputs[given:]
            arrays += tuple([settings.pop(name) for name in named if name in settings])
        params = {**self.defaults, **positional, **settings}
        too_many = len(params) > len(self.defaults) or given > n + len(self.defaults)
        missing = len(arrays) < n or any(params[s] is inspect._empty for s in self.required)
        if too_many or missing:
            raise messages.call_error(self, given, settings)
        if self.variadic:
            arrays = messages.check_sequence(self.name, self.inputs[0], *arrays)
        return arrays, params

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Make the op a method if it is an attribute of a class: ``t.exp()`` is ``exp(t)``."""
        return self if instance is None else MethodType(self, instance)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self  # there is one op of each name, and pickle looks ops up by name

    def __reduce__(self) -> tuple[Any, ...]:
        return find_op, (self.name,)

    @property
    def signature(self) -> str:
        """The call with its defaults: ``sum(a, axis=None, keepdims=False)``."""
        names = [n if n in self.required else f"{n}={v!r}" for n, v in self.defaults.items()]
        return f"{self.name}({', '.join([*self.inputs, *names])})"

    def __repr__(self) -> str:
        return f"<op {self.signature}>"


def find_op(name: str) -> Op:
    """Return the op with this name, for `pickle`. Raise KeyError if it has not been defined yet."""
    if name not in registry:
        raise messages.unknown_op_error(name)
    return registry[name]


def apply(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run `op`; record a Node if an input requires gradients and recording is on."""
    recording, scope, recorder = context.get()
    forward = op.forward
    if recorder is not EAGER:
        inputs = [recorder.see(x) if isinstance(x, Value) else x for x in inputs]
        forward = recorder.forward(op)
    arrays, value, tracked = [], None, False
    try:
        for x in inputs:
            if isinstance(x, Value):
                value = x
                arrays.append(x.array)
                if x.tracked:
                    tracked = True
            elif type(x) in PLAIN:
                arrays.append(x)
            else:
                arrays.append(as_constant(x, [v.array for v in inputs if isinstance(v, Value)]))
        if value is None:
            return forward(*as_numpy_arguments(arrays), **params)
        result = forward(*arrays, **params)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise messages.explain(error, op, inputs, len(arrays), params) from error
    if type(result) is not ndarray:
        result = as_ndarray(result)
    if result.dtype is not value.array.dtype:
        if "dtype" not in params:
            result = cast_result(forward, arrays, params, result)
        tracked = tracked and result.dtype.kind == "f"

    out = new(type(value))
    out.array = result
    out._grad = out._name = out.node = None
    out.changed = 0
    out.tracked = tracked = tracked and recording
    if tracked:
        if not op.has_all_rules:
            messages.check_has_rules(op, inputs)
        node = out.node = Node()
        node.op, node.inputs, node.arrays, node.params = op, inputs, arrays, params
        node.index, node.scope, node.used = next(clock), scope, 0
    if recorder is not EAGER:
        recorder.record(op, inputs, arrays, params, out)
    return out


def frozen_copy(setting: Any) -> Any:
    """Return a setting to store on a node: arrays are copied, because the caller may change them.

    A Tensor that requires gradients is returned unchanged, because no gradient would flow back
    through a copy.
    """
    if isinstance(setting, ndarray):
        return setting.copy()
    if type(setting) in (tuple, list):
        return type(setting)([frozen_copy(part) for part in setting])
    if isinstance(setting, Value) and not setting.tracked:
        kind: Any = type(setting)
        return kind(unwrap(setting).copy(), name=setting.name)
    return setting


def rule_source(rule: Function) -> str:
    """Return the source of a lambda's body, located by the positions stored in its bytecode."""
    code = rule.__code__
    spans: list[Any] = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    (first, start), (last, end) = min(p[::2] for p in spans), max(p[1::2] for p in spans)
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(first, last + 1)]
    if not any(lines):
        return "(source not available)"
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return " ".join(b" ".join(lines).decode().split())
