"""An op: what it computes, how a formula writes it, and the rules of its derivative.

`apply` is the one place where an op runs and where a `Node` is recorded.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from math import inf
from types import MethodType
from typing import Any

from numpy import asarray, ndarray

from . import check
from .dtypes import as_constant, as_numpy_arguments, cast_result
from .errors import argument_error, describe
from .graph import IMMUTABLE, Node, Value, clock, context, frozen_copy, notify, observers, read_hook

new = object.__new__
PLAIN = frozenset({ndarray, float, int, bool})
"""Constants that an op takes as they are."""

REAL = (-inf, inf)
"""The domain of an op that takes every real number."""

registry: dict[str, Op] = {}
"""Every op by name. The tests, `tinygrad-rnn check` and the documentation are written from it."""


class Op:
    """A function of arrays that knows its derivative. Made with the decorator `op`.

    Called with Tensors it returns a Tensor and records the call. Called with plain arrays, lists and
    numbers only it is NumPy's function: it returns a plain array or number in NumPy's dtype, float64
    for Python floats, and records nothing.

    Attributes
    ----------
    name : str
    forward : callable
        ``forward(*arrays, **params)`` on plain arrays.
    inputs : tuple of str
        The names of its array arguments. For a variadic op, whose first argument is a sequence of
        arrays as in `numpy.concatenate`, the one name of that sequence.
    defaults : dict
        Its settings, which are keyword-only in `forward`, with their default values.
    formula : str
        How it is written, with the inputs in braces: ``"{a} + {b}"``.
    shapes : str
        From which shapes to which: ``"(…, m, k), (…, k, n) → (…, m, n)"``, where … are axes that broadcast.
    rules : dict
        For each differentiable input, a function of the incoming gradient ``g``, the output ``y``
        and the arguments, which returns that input's contribution.
    """

    # Slots, for attribute access on the hot path; the dict is for what update_wrapper sets.
    __slots__ = (
        "__dict__",
        "defaults",
        "domain",
        "formula",
        "forward",
        "inputs",
        "name",
        "partial",
        "fix",
        "reference",
        "required",
        "rules",
        "rules_in_order",
        "sample",
        "shapes",
        "takes",
        "variadic",
    )  # fmt: skip

    def __init__(
        self,
        forward: Callable[..., Any],
        formula: str,
        shapes: str = "",
        sample: Callable[..., Any] | None = None,
        fix: str = "",
        reference: Callable[..., Any] | None = None,
        domain: Any = REAL,
    ):
        arguments = inspect.signature(forward).parameters.values()
        settings = [p for p in arguments if p.kind is p.KEYWORD_ONLY]
        self.name: str = forward.__name__.lstrip("_")
        self.forward = forward
        self.formula = formula
        self.shapes = shapes
        self.sample = sample
        self.fix = fix
        self.reference = reference
        self.domain = domain
        self.inputs = tuple(p.name for p in arguments if p.kind is not p.KEYWORD_ONLY)
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)
        self.defaults = {p.name: p.default for p in settings}
        require_formula(self.name, formula, {*self.inputs, *self.defaults})
        self.takes = None if self.variadic or self.defaults else len(self.inputs)
        self.required = {
            name for name, value in self.defaults.items() if value is inspect.Parameter.empty
        }
        self.rules: dict[str, Callable[..., Any]] = {}
        self.rules_in_order: tuple[Callable[..., Any], ...] = ()
        self.partial = True  # some input has no rule
        update_wrapper(self, forward)

    def vjps(self, **rules: Callable[..., Any]) -> Op:
        """Give the vector-Jacobian product for each input by name; an input without one is a constant.

        A rule is called as ``rule(g, y, *inputs, **params)``. It uses operators, methods and other
        ops only, so that the same text runs on arrays and, for gradients of gradients, on Tensors.
        It need not undo broadcasting: the engine does. A variadic op has one rule, which returns
        the contributions to all its inputs in order.
        """
        unknown = rules.keys() - set(self.inputs)
        if unknown:
            raise TypeError(
                f"{self.name}.vjps: no input named {', '.join(sorted(unknown))}; the inputs are {', '.join(self.inputs)}"
            )
        for name, rule in rules.items():
            self._require_rule(name, rule)
        self.rules = rules
        self.rules_in_order = tuple(rules.get(name, _no_rule) for name in self.inputs)
        self.partial = len(rules) < len(self.inputs)
        return self

    def _require_rule(self, name: str, rule: Callable[..., Any]) -> None:
        """Refuse a rule that cannot be called as one."""
        arrays, got = [] if self.variadic else self.inputs, describe(rule)
        try:
            signature = inspect.signature(rule)
            got = f"a rule of {signature}"
            signature.bind("g", "y", *arrays, **self.defaults)
        except ValueError:  # a builtin that does not say what it takes
            return
        except TypeError as error:
            taken = ", ".join(
                [
                    "g",
                    "y",
                    *(f"*{name}" for name in self.inputs if self.variadic),
                    *arrays,
                    *self.defaults,
                ]
            )
            fix = "a rule takes all inputs and settings, also those that it does not use"
            raise argument_error(
                f"{self.name}.vjps",
                name,
                expected=f"a rule of ({taken})",
                got=got,
                fix=fix,
                kind=TypeError,
            ) from error

    def rule_text(self, name: str) -> str:
        """The source of the rule that runs for the input `name`, without the lambda around it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> tg.tanh.rule_text("a")
        'g * (1 - y * y)'
        """
        return rule_source(self.rules[name])

    def __call__(self, *args: Any, **settings: Any) -> Any:
        if not settings and self.takes == len(args):
            return apply(self, args, {})
        if (
            len(args) == len(self.inputs)
            and self.required <= settings.keys() <= self.defaults.keys()
            and not self.variadic
        ):
            params = {**self.defaults, **settings}
        else:
            args, params = self._bind(args, settings)
        for name, value in params.items():
            if type(value) not in IMMUTABLE:
                params[name] = frozen_copy(value)
        return apply(self, args, params)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As an attribute of a class an op is a method: ``t.exp()`` is ``exp(t)``."""
        return self if instance is None else MethodType(self, instance)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return (
            self  # there is one of each: a copy of a model that holds it computes with the same op
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return registered, (self.name,)

    def _bind(
        self, args: tuple[Any, ...], settings: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort the arguments of a call into arrays and settings, as NumPy's own signatures allow."""
        n = len(self.inputs)
        arrays = args[:n]
        if len(args) < n:
            arrays += tuple(
                [settings.pop(name) for name in self.inputs[len(args) :] if name in settings]
            )
        params = {**self.defaults, **dict(zip(self.defaults, args[n:], strict=False)), **settings}
        known = len(params) == len(self.defaults) >= len(args) - n
        if (
            not known
            or len(arrays) < n
            or any(params[name] is inspect.Parameter.empty for name in self.required)
        ):
            raise TypeError(
                f"{self.name}: expected {self.signature}, got {len(args)} positional and {sorted(settings)} by name; see help"
            )
        if not self.variadic:
            return arrays, params
        (several,) = arrays
        if not isinstance(several, Iterable) or getattr(several, "shape", None) == ():
            wanted, got = "a sequence of arrays", describe(several)
            raise argument_error(
                self.name,
                self.inputs[0],
                expected=wanted,
                got=got,
                fix="put the arrays in a list",
                kind=TypeError,
            )
        return tuple(several), params

    @property
    def signature(self) -> str:
        """How it is called: ``sum(a, axis=None, keepdims=False)``."""
        empty = inspect.Parameter.empty
        settings = [
            name if value is empty else f"{name}={value!r}" for name, value in self.defaults.items()
        ]
        return f"{self.name}({', '.join([*self.inputs, *settings])})"

    def __repr__(self) -> str:
        return f"<op {self.signature}>"


def op(
    formula: str,
    *,
    shapes: str = "",
    sample: Callable[..., Any] | None = None,
    fix: str = "",
    reference: Callable[..., Any] | None = None,
    domain: Any = REAL,
) -> Callable[[Callable[..., Any]], Op]:
    """Make an op of a function on plain arrays. Its positional arguments are arrays, its keywords settings.

    Parameters
    ----------
    formula : str
        How a person writes it, with the inputs in braces.
    shapes : str, optional
        From which shapes to which, for the documentation: ``"(…), (…) → (…)"``, where … are axes that broadcast.
    sample : callable, optional
        ``sample(r)`` gives arguments to check it with (a tuple of arrays, with a dict of settings
        last if it has any; or a list of such tuples), where ``r(3, 4)`` draws an array with no two
        entries equal and none near zero, and ``r.positive(3, 4)`` one of positive numbers. An op
        without one is checked on arrays drawn from its domain, if `shapes` has only … in it.
    fix : str, optional
        What an error message should advise.
    reference : callable, optional
        The same function, written independently of the op: NumPy's, or another formula. It takes
        the same arguments. Tests compare values with it, and gradients with its differences.
    domain : tuple or dict, optional
        The open interval in which the inputs may lie: ``(0, inf)`` for a logarithm. A dict gives
        one for each input by name; ``bool`` stands for an array of booleans.

    Raises
    ------
    ValueError
        If an op defined elsewhere, in this package for example, has the function's name. Defining one
        again where it was defined before, as a notebook's cell does that runs twice, replaces it.

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

    def register(forward: Callable[..., Any]) -> Op:
        made = Op(forward, formula, shapes, sample, fix, reference, domain)
        known = registry.get(made.name)
        if known and _home(known.forward) != _home(forward):
            expected, got = (
                "a name that is not taken",
                f"that of the op defined in {known.forward.__module__}",
            )
            raise argument_error(
                "op", made.name, expected=expected, got=got, fix="give the function another name"
            )
        registry[made.name] = made
        return made

    return register


def registered(name: str) -> Op:
    """The op of that name; refused if none is registered, in the process that reads a pickle for example."""
    if name not in registry:
        fix = "import what defines it first"
        raise argument_error(
            "op",
            "name",
            expected="that of an op which is defined here",
            got=repr(name),
            fix=fix,
            kind=KeyError,
        )
    return registry[name]


def apply(op: Op, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
    """Run `op`; if one of its inputs is tracked, and recording is on, record a Node."""
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
        raise _explained(error, op, inputs, len(arrays)) from error
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
        tracked, scope = context.get()
        if tracked:
            if op.partial and read_hook.get() is None:
                _refuse_without_rule(op, inputs)
            node = out.node = Node()
            node.op, node.inputs, node.arrays, node.params = op, inputs, arrays, params
            node.index, node.scope, node.used = next(clock), scope, 0
    out.tracked = tracked
    if observers:
        notify("after", op, inputs, arrays, params, out)
    return out


def _explained(error: Exception, op: Op, inputs: Sequence[Any], taken: int) -> Exception:
    """NumPy's complaint, with the op, its arguments and the fix added; only the first `taken` arguments were arrays."""
    if getattr(error, "explained", False):
        return error
    names = [f"{op.inputs[0]}[{i}]" for i in range(len(inputs))] if op.variadic else op.inputs
    if taken < len(inputs):
        return check.numbers_error(op.name, names[taken], inputs[taken])
    got = (
        ", ".join(f"{name}: {describe(x)}" for name, x in zip(names, inputs, strict=False))
        or "none"
    )
    text = f"{op.name}: {error}; got {got}" + (f"; {op.fix}" if op.fix else "")
    try:
        better = type(error)(text)
    except TypeError:  # NumPy's own kinds of TypeError are not made of a text
        better = TypeError(text)
    better.explained = True  # type: ignore[attr-defined]
    return better


def _home(forward: Callable[..., Any]) -> Any:
    """Where a function is defined: a file, or of code without one, as in a notebook, the module."""
    inner = inspect.unwrap(forward)
    return getattr(inner, "__globals__", {}).get("__file__", inner.__module__)


def _no_rule(*_: Any, **__: Any) -> None:
    """Stands where an input has no rule; never runs, for apply refuses a tracked one."""


def _refuse_without_rule(op: Op, inputs: Sequence[Any]) -> None:
    names = op.inputs * len(inputs) if op.variadic else op.inputs  # the one rule is for all
    for name, x in zip(names, inputs, strict=True):
        if name not in op.rules and isinstance(x, Value) and x.tracked:
            raise TypeError(
                f"{op.name}: argument {name}: expected a constant, for {op.name} has no derivative with respect to it, "
                f"got a Tensor that requires gradients; pass {name}.detach(), or give {op.name}.vjps({name}=...)"
            )


def require_formula(name: str, formula: str, arguments: Iterable[str]) -> None:
    """Refuse a formula with other names in its braces than those of the arguments of the op `name`."""
    try:
        formula.format(**dict.fromkeys(arguments, ""))
    except (KeyError, IndexError, ValueError) as error:
        wanted, fix = (
            f"a text with {', '.join(f'{{{a}}}' for a in arguments)} in it",
            "write a brace that is meant as {{",
        )
        raise argument_error(
            f"op {name}", "formula", expected=wanted, got=repr(formula), fix=fix
        ) from error


def rule_source(rule: Callable[..., Any]) -> str:
    """The text of a lambda's body, found through the positions its own bytecode carries."""
    code = rule.__code__
    spans: list[Any] = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    start, end = min(p[::2] for p in spans), max(p[1::2] for p in spans)
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(start[0], end[0] + 1)]
    if not any(lines):
        return "(source not available)"
    lines[-1] = lines[-1][: end[1]]
    lines[0] = lines[0][start[1] :]
    return " ".join(b" ".join(lines).decode().split())
