"""The help of an op: its formula, shapes and derivative rules, in `help` and in IPython's ``?``.

The source of a rule is read from its file, so the text is made only when a user asks for it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from ..op import Op

SECTION = re.compile(r"^\w[\w ]*\n-{3,}$", re.MULTILINE)
"""The title of a section of a docstring, with the line under it."""


class MadeOnRequest:
    """An attribute that a function computes for each op; the class `Op` has another value."""

    def __init__(self, make: Callable[[Op], Any], of_class: Any):
        self.make, self.of_class = make, of_class

    def __get__(self, op: Op | None, owner: type) -> Any:
        return self.of_class if op is None else self.make(op)

    def __set__(self, op: Op, value: Any) -> None:
        """Ignore the value that `functools.update_wrapper` copies from the op's function."""


def format_help(op: Op) -> str:
    """Return the op's docstring with its formula, shapes and rules before the first section."""
    text = inspect.cleandoc(op.forward.__doc__ or "")
    title = SECTION.search(text)
    prose, sections = (text[: title.start()], text[title.start() :]) if title else (text, "")
    formula = op.formula.format(**{name: name for name in (*op.inputs, *op.defaults)})
    lines = [f"formula   y = {formula}"] + [f"shapes    {op.shapes}"] * bool(op.shapes)
    for name in op.inputs:
        rule = op.rule_text(name) if name in op.rules else "nothing, because it is a constant"
        lines.append(f"gradient  {name} gets {rule}")
    lines.append("          where g is the gradient of y")
    return "\n\n".join(filter(None, [prose.rstrip(), "\n".join(lines), sections]))


def make_signature(op: Op) -> Signature:
    """Return the signature of a call. A setting may be positional too, as in ``sum(a, 0)``."""
    kind = Parameter.POSITIONAL_OR_KEYWORD
    inputs = [Parameter(name, kind) for name in op.inputs]
    is_required = [name in op.required for name in op.defaults]
    if is_required != sorted(is_required, reverse=True):
        kind = Parameter.KEYWORD_ONLY  # Python wants the settings without a default first
    settings = [Parameter(name, kind, default=value) for name, value in op.defaults.items()]
    return Signature([*inputs, *settings])


def install_help() -> None:
    """Give every op its help and its signature."""
    Op.__doc__ = MadeOnRequest(format_help, Op.__doc__)  # pyright: ignore
    Op.__signature__ = MadeOnRequest(make_signature, None)  # pyright: ignore
