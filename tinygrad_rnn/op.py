"""An op: what it computes, how a formula writes it, and the rules of its derivative.

`apply` is the one place where an op runs and where a `Node` is recorded.
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

from numpy import asarray, ndarray

from .copying import frozen_copy
from .dtypes import as_constant, as_numpy_arguments, cast_result
from .errors import messages
from .graph import IMMUTABLE, Node, Value, clock, context, notify, observers, read_hook

Function = Callable[..., Any]
new = object.__new__

PLAIN = frozenset({ndarray, float, int, bool})
"""Types of constants that an op takes as they are."""

REAL = (-inf, inf)
"""The domain of an op that takes every real number."""

registry: dict[str, Op] = {}
"""Every op by name. The tests, `tinygrad-rnn check` and the table of ops iterate over it."""


@dataclass(eq=False, repr=False)
class Op:
    """A function of arrays that knows its derivative. The decorator `op` makes it.

    Called with Tensors, it returns a Tensor, and records the call if one of them requires gradients
    and recording is on. Called without any, it behaves like a function of NumPy: it returns a plain
    array or number in NumPy's dtype (float64 for Python floats) and records nothing.

    Attributes
    ----------
    forward : callable
        ``forward(*arrays, **params)`` on plain arrays.
    formula, shapes, sample, fix, reference, domain
        As given to `op`.
    name : str
        The name of the function.
    inputs : tuple of str
        The names of its array arguments. A variadic op takes a sequence of arrays, as
        `numpy.concatenate` does; the only name is that of the sequence.
    defaults : dict
        Its settings, which are keyword-only in `forward`, with their default values.
    rules : dict
        For each differentiable input, a function of the incoming gradient ``g``, the output ``y``
        and the arguments, which returns the contribution to that input's gradient.
    """

    # Slots for attributes that are read often, because a slot is quicker to read than a dict.
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
        self.rules_in_order: tuple[Function, ...] = ()
        self.has_all_rules = False
        messages.check_formula(self)
        update_wrapper(self, self.forward)

    def vjps(self, **rules: Function) -> Op:
        """Set the vector-Jacobian product of each input. An input without one must be a constant.

        A rule is called as ``rule(g, y, *inputs, **params)``. It uses operators, methods and other
        ops only, so that the same text runs on arrays and, for gradients of gradients, on Tensors.
        It need not undo broadcasting, because the engine does. A variadic op has one rule, which
        returns the contributions to all its inputs in order.
        """
        messages.check_rules(self, rules)
        self.rules = rules
        self.rules_in_order = tuple([rules.get(name, _no_rule) for name in self.inputs])
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
        """Sort the arguments into arrays and settings: both may be given by place or by name."""
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
        return (messages.check_sequence(self, *arrays) if self.variadic else arrays), params

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Make the op a method where it is an attribute of a class: ``t.exp()`` is ``exp(t)``."""
        return self if instance is None else MethodType(self, instance)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self  # there is one op of each name, and pickle looks it up by that name

    def __reduce__(self) -> tuple[Any, ...]:
        return find_op, (self.name,)

    @property
    def signature(self) -> str:
        """The call with its defaults: ``sum(a, axis=None, keepdims=False)``."""
        names = [n if n in self.required else f"{n}={v!r}" for n, v in self.defaults.items()]
        return f"{self.name}({', '.join([*self.inputs, *names])})"

    def __repr__(self) -> str:
        return f"<op {self.signature}>"


def op(
    formula: str,
    *,
    shapes: str = "",
    sample: Function | None = None,
    fix: str = "",
    reference: Function | None = None,
    domain: Any = REAL,
) -> Callable[[Function], Op]:
    """Return a decorator that turns a function on plain arrays into an op.

    Positional arguments of the function are arrays, keyword-only arguments are settings.

    Parameters
    ----------
    formula : str
        The op in mathematical notation, with the inputs in braces.
    shapes : str, optional
        Shapes of inputs and output, for the documentation: ``"(…), (…) → (…)"``, where … are axes
        that broadcast.
    sample : callable, optional
        ``sample(r)`` returns arguments to check the op with: a tuple of arrays, with a dict of
        settings last if it has any, or a list of such tuples. ``r(3, 4)`` draws an array with no
        two entries equal and none near zero; ``r.positive(3, 4)`` draws one of positive numbers.
        Without `sample`, the op is checked on arrays drawn from its domain, if `shapes` names no
        axes, as in ``"(…), (…) → (…)"``.
    fix : str, optional
        The fix that the error messages of this op suggest.
    reference : callable, optional
        The same function, written independently of the op: NumPy's, or another formula. It takes
        the same arguments. Tests compare the values of the op with it, and the gradients with its
        finite differences.
    domain : tuple or dict, optional
        The open interval in which the inputs may lie: ``(0, inf)`` for a logarithm. A dict gives
        one for each input by name; ``bool`` stands for an array of booleans.

    Raises
    ------
    ValueError
        If an op of the same name is defined in another file, in this package for example. Defining
        an op again where it was defined before, in a notebook's cell that runs twice, replaces it.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> @tg.op("arctan({a})", sample=lambda r: (r(3),))
    ... def arctan(a):
    ...     return np.arctan(a)
    >>> arctan = arctan.vjps(a=lambda g, y, a: g / (1 + a * a))
    >>> x = tg.Tensor([1.0, -3.0], requires_grad=True)
    >>> arctan(x).sum().backward()
    >>> x.grad
    array([0.5, 0.1], dtype=float32)
    """

    def register(forward: Function) -> Op:
        made = Op(forward, formula, shapes, sample, fix, reference, domain)
        known = registry.get(made.name)
        if known and _file_of(known.forward) != _file_of(forward):
            raise messages.name_taken_error(known)
        registry[made.name] = made
        return made

    return register


def find_op(name: str) -> Op:
    """Return the op of this name; a process that reads a pickle must have imported it."""
    if name not in registry:
        raise messages.unknown_op_error(name)
    return registry[name]


def apply(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run `op`; record a Node if an input is tracked and recording is on."""
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
            return op.forward(*as_numpy_arguments(arrays), **params)
        result = op.forward(*arrays, **params)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise messages.explain(error, op, inputs, len(arrays)) from error
    if type(result) is not ndarray:
        result = asarray(result)
    if result.dtype is not value.array.dtype:
        if "dtype" not in params:
            result = cast_result(op.forward, arrays, params, result)
        tracked = tracked and result.dtype.kind == "f"

    out = new(type(value))
    out.array = result
    out.grad = out.name = out.node = None
    out.changed = 0
    if tracked:
        tracked, scope = context.get()  # whether ops are recorded, and where
        if tracked:
            if not op.has_all_rules and read_hook.get() is None:
                messages.check_has_rules(op, inputs)
            node = out.node = Node()
            node.op, node.inputs, node.arrays, node.params = op, inputs, arrays, params
            node.index, node.scope, node.used = next(clock), scope, 0
    out.tracked = tracked
    if observers:
        notify("after", op, inputs, arrays, params, out)
    return out


def rule_source(rule: Function) -> str:
    """Return the text of a lambda's body, found by the positions that its bytecode carries."""
    code = rule.__code__
    spans: list[Any] = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    (first, start), (last, end) = min(p[::2] for p in spans), max(p[1::2] for p in spans)
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(first, last + 1)]
    if not any(lines):
        return "(source not available)"
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return " ".join(b" ".join(lines).decode().split())


def _file_of(forward: Function) -> Any:
    """Return the file that defines a function, or its module if there is no file (a notebook)."""
    inner = inspect.unwrap(forward)
    return getattr(inner, "__globals__", {}).get("__file__", inner.__module__)


def _no_rule(*_: Any, **__: Any) -> None:
    """Stand in for a missing rule. It never runs, because such an input is not tracked."""
