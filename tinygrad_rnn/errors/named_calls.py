"""Calls that say which name to write for an argument whose name they do not have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from .argument_names import name_error

Call = TypeVar("Call", bound=Callable[..., Any])


def explain_names(function: Call) -> Call:
    """Return `function` with an error of its own for an argument whose name it does not have.

    Examples
    --------
    >>> @explain_names
    ... def total(a, axis=None):
    ...     return a
    >>> total(1, dim=0)
    Traceback (most recent call last):
        ...
    TypeError: total: argument dim: expected one of the arguments a, axis, got dim=; write axis=
    """

    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except TypeError as error:
            is_constructor = function.__name__ == "__init__"
            operation = type(args[0]) if is_constructor else function
            name = operation.__name__.lstrip("_")
            require_known(error, name, function, named)
            _require_few(error, name, function, args)
            raise

    return call  # type: ignore[return-value]


def require_known(
    error: TypeError, operation: str, function: Callable[..., Any], named: Iterable[str]
) -> None:
    """Raise an error that says what to write if `function` lacks one of the names in `named`."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    fixed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    names = [p.name for p in parameters if p.kind not in fixed and p.name != "self"]
    for name in named:
        if name not in names:
            raise name_error(operation, name, names) from error


def _require_few(
    error: TypeError, operation: str, function: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    """Raise an error that says how to call `function` if it takes fewer positional arguments."""
    given = inspect.signature(function)
    shown = [p.replace(annotation=p.empty) for p in given.parameters.values() if p.name != "self"]
    is_method, kinds = len(shown) < len(given.parameters), [p.kind for p in shown]
    many = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    count = len(args) - is_method
    if inspect.Parameter.VAR_POSITIONAL in kinds or count <= sum(k not in many for k in kinds):
        return
    form = inspect.Signature(shown)
    text = f"{operation}: got {count} positional arguments; call it as {operation}{form}"
    raise TypeError(text) from error


class NamedCalls:
    """A base of classes whose constructors say which name to write for an unknown one."""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if "__init__" in cls.__dict__:
            cls.__init__ = explain_names(cls.__init__)
