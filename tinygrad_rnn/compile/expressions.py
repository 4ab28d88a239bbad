"""Lowering by source: an op's forward that is an expression becomes one line per NumPy call."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from ..op import Op, rule_source
from ..ops.indexing import keep_where
from .lines import UFUNCS, Ref, axes_from_the_end, compute

if TYPE_CHECKING:
    from .writer import Writer


class NotAnExpressionError(Exception):
    """A function is more than an expression that can be taken apart."""


class Expression:
    """The source of an op's forward, or of a rule, lowered to lines."""

    def __init__(
        self, writer: Writer, op: Op, args: list[Ref], params: dict[str, Any], wish: str | None
    ):
        self.writer, self.wish = writer, wish
        function = inspect.unwrap(op.forward)
        self.scope = getattr(function, "__globals__", {})
        self.names: dict[str, Any] = {
            **dict(zip(_arguments(function), args, strict=False)),
            **params,
        }
        self.body = _body(function)

    def result(self) -> Ref:
        """Write the lines and return the name of the result."""
        *before, last = self.body
        for statement in before:
            if not (
                isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            ):
                raise NotAnExpressionError
            self.names[statement.targets[0].id] = self.value(statement.value)
        if not isinstance(last, ast.Return) or last.value is None:
            raise NotAnExpressionError
        return self.value(last.value, self.wish)

    def value(self, e: ast.expr, wish: str | None = None) -> Any:
        """Return the name or the number that an expression evaluates to."""
        match e:
            case ast.Constant():
                return e.value
            case ast.Name() if e.id in self.names:
                return self.names[e.id]
            case ast.UnaryOp(op=ast.USub()):
                inner = self.value(e.operand)
                return (
                    self.writer.write("negative", inner, wish=wish)
                    if isinstance(inner, str)
                    else -inner
                )
            case ast.BinOp() if type(e.op) in BINARY:
                return self._applied(
                    BINARY[type(e.op)], [self.value(e.left), self.value(e.right)], wish
                )
            case ast.Compare(ops=[found]) if type(found) in COMPARES:
                return self._applied(
                    COMPARES[type(found)], [self.value(e.left), self.value(e.comparators[0])], wish
                )
            case ast.Call():
                return self._call(e, wish)
        raise NotAnExpressionError

    def _applied(self, fn: str, args: list[Any], wish: str | None) -> Any:
        if not any(isinstance(arg, str) for arg in args):
            return compute(fn, args, {}).item()
        if not all(isinstance(arg, str | float | int | bool) for arg in args):
            raise NotAnExpressionError
        return self.writer.write(fn, *args, wish=wish)

    def _call(self, e: ast.Call, wish: str | None) -> Any:
        function = ast.unparse(e.func)
        args = [self.value(arg) for arg in e.args if not isinstance(arg, ast.Starred)]
        if len(args) < len(e.args):
            raise NotAnExpressionError
        plain = function.removeprefix("np.")
        plain = {"abs": "absolute"}.get(plain, plain)
        if function.startswith("np.") and plain in UFUNCS and not e.keywords:
            return self._applied(plain, args, wish)
        if function in REDUCED:
            settings = {keyword.arg: self.value(keyword.value) for keyword in e.keywords}
            axis = axes_from_the_end(
                self.writer.shape(args[0]), args[1] if len(args) > 1 else settings.get("axis")
            )
            return self.writer.write(
                REDUCED[function],
                args[0],
                axis=axis,
                keepdims=bool(settings.get("keepdims")),
                wish=wish,
            )
        known = self.scope.get(function)
        if known is keep_where:
            return self._applied("where", [*args, 0], wish)
        if isinstance(known, Op) and not e.keywords and not known.variadic and not known.defaults:
            return Expression(self.writer, known, args, {}, wish).result()
        raise NotAnExpressionError


BINARY = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.BitAnd: "logical_and",
}
COMPARES = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
REDUCED = {
    "np.add.reduce": "sum",
    "np.multiply.reduce": "prod",
    "np.maximum.reduce": "max",
    "np.minimum.reduce": "min",
}


@cache
def _arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments of a function without ``*args``."""
    arguments = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in arguments):
        raise NotAnExpressionError
    return [p.name for p in arguments]


@cache
def _body(function: Callable[..., Any]) -> list[ast.stmt]:
    """Return the statements of a function; for a lambda, one return statement."""
    try:
        if function.__name__ == "<lambda>":
            return [ast.Return(ast.parse(rule_source(function), mode="eval").body)]
        (made,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, ValueError, TypeError) as error:
        raise NotAnExpressionError from error
    if isinstance(made, ast.Assign) or not isinstance(made, ast.FunctionDef):
        raise NotAnExpressionError
    statements = made.body
    return statements[1:] if ast.get_docstring(made) is not None else statements
