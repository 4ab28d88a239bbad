"""The decorator `op`, which turns a function on arrays into an op."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .. import check
from ..errors import argument_error
from ..op import REAL, Function, Op, registry


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

    The positional arguments of the function are arrays. Its keyword-only arguments are settings.

    Parameters
    ----------
    formula : str
        The op in mathematical notation, with the name of each argument in braces.
    shapes : str, optional
        The shapes of the inputs and the output, for the documentation. In ``"(…), (…) → (…)"``,
        each … stands for axes that broadcast.
    sample : callable, optional
        ``sample(r)`` returns arguments for checks of the op: a tuple of arrays, or a list of such
        tuples. If the call has settings, the last item of the tuple is a dict of settings.
        ``r(3, 4)`` draws an array of distinct numbers that are not near zero, and
        ``r.positive(3, 4)`` draws an array of distinct positive numbers. An op without `sample` is
        checked on arrays drawn from its domain if `shapes` names no axes, as in
        ``"(…), (…) → (…)"``.
    fix : str, optional
        The fix that the error messages of this op suggest.
    reference : callable, optional
        A function with the same arguments that computes the same result independently of the op:
        NumPy's function, or another formula. Tests compare the values of the op with those of
        `reference`, and the gradients of the op with finite differences of `reference`.
    domain : tuple or dict, optional
        The open interval in which the inputs may lie, for example ``(0, inf)`` for a logarithm. A
        dict gives one interval for each input, by name. Instead of an interval, ``bool`` stands for
        an array of booleans.

    Raises
    ------
    TypeError
        If an argument has a wrong type, for example if the parentheses are missing.
    ValueError
        If another file, for example one in this package, defines an op of the same name, or the
        braces in `formula` contain anything but the name of an argument. An op that the same file
        or notebook defines again replaces the old one; this is no error.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> @tg.op("{a} / (1 + |{a}|)", sample=lambda r: (r(3),))
    ... def softsign(a):
    ...     return a / (1 + np.abs(a))
    >>> softsign = softsign.vjps(a=lambda g, y, a: g / (1 + tg.abs(a)) ** 2)
    >>> x = tg.Tensor([1.0, -3.0], requires_grad=True)
    >>> softsign(x).sum().backward()
    >>> x.grad
    array([0.25  , 0.0625], dtype=float32)
    """

    example = 'write @tg.op("{a} * 2"), for example, with parentheses'
    check.instance("op", "formula", formula, str, "the formula as text", example)
    for name, text in (("shapes", shapes), ("fix", fix)):
        check.instance("op", name, text, str, "text", "put it in quotes")
    for name, function in (("sample", sample), ("reference", reference)):
        expected = "a function, or None"
        check.instance("op", name, function, Callable | None, expected, f"pass {name}=lambda ...")

    def register(forward: Function) -> Op:
        check.callable("op", "function", forward, "a function on arrays", "put @tg.op over a def")
        made = Op(forward, formula, shapes, sample, fix, reference, domain)
        _check_formula(made)
        _check_domain(made)
        known = registry.get(made.name)
        if known and _file_of(known.forward) != _file_of(forward):
            got, remedy = (
                f"that of the op defined in {known.forward.__module__}",
                "rename the function",
            )
            raise argument_error("op", made.name, "a name that is not taken", got, remedy)
        registry[made.name] = made
        return made

    return register


def _check_formula(op: Op) -> None:
    """Raise ValueError if the braces of a formula name something other than the op's arguments."""
    names = [*op.inputs, *op.defaults]
    try:
        op.formula.format(**dict.fromkeys(names, ""))
    except (KeyError, IndexError, ValueError) as error:
        expected = f"placeholders among {', '.join(f'{{{name}}}' for name in names)}"
        fix = "use the names of the arguments, and write {{ for a literal brace"
        raise argument_error(f"op {op.name}", "formula", expected, repr(op.formula), fix) from error


def _check_domain(op: Op) -> None:
    """Raise TypeError unless the domain has an interval for all inputs, or for some by name."""
    by_name = op.domain if isinstance(op.domain, dict) else dict.fromkeys(op.inputs, op.domain)
    for name, interval in by_name.items():
        if name not in op.inputs or not (interval is bool or _is_interval(interval)):
            expected = "an open interval, or a dict of intervals by input"
            fix = "write domain=(0, np.inf), or domain={'a': (0, np.inf)}"
            got = repr(op.domain)
            raise argument_error(f"op {op.name}", "domain", expected, got, fix, TypeError)


def _is_interval(interval: Any) -> bool:
    """Return whether this is a pair of numbers, the lower one first."""
    is_pair = isinstance(interval, tuple) and len(interval) == 2
    return (
        is_pair
        and all(isinstance(end, int | float) for end in interval)
        and (interval[0] < interval[1])
    )


def _file_of(forward: Function) -> Any:
    """Return the file that defines a function, or its module if it has no file (in a notebook)."""
    inner = inspect.unwrap(forward)
    return getattr(inner, "__globals__", {}).get("__file__", inner.__module__)
