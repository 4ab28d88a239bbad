"""Helper functions of a program.

Their source goes into the text, together with all that they need, so the program is self-contained.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from itertools import chain, count
from types import FunctionType, ModuleType
from typing import Any

from ..op import Op, rule_source


class Helpers:
    """The helpers of one program.

    Attributes
    ----------
    texts : dict of str to str
        The source of each function by its name, after those that it calls.
    imports : set of str
        Modules besides NumPy.
    handed : dict of str to object
        Objects without source, for example from an interactive session. The program gets the
        objects themselves, and does not run without them.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.imports: set[str] = set()
        self.handed: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    @property
    def names(self) -> set[str]:
        """The global names of the helpers in the program."""
        return {*self.texts, *self.handed}

    def name(self, function: Callable[..., Any]) -> str:
        """Add the source of a function, and return its name in the program."""
        function = inspect.unwrap(function)
        if function in self._names:
            return self._names[function]
        wish = "rule" if function.__name__ == "<lambda>" else function.__name__.lstrip("_")
        numbered = (f"{wish}{n}" for n in count(2))
        name = next(x for x in chain([wish], numbered) if x not in self.names)
        self._names[function] = name
        try:
            text, needed = _text(function, name), function.__globals__
        except (OSError, TypeError, SyntaxError, AttributeError):
            self.handed[name] = function
            return name
        for free in _free(text):
            if free in needed and free != name:
                self._need(free, needed[free])
        self.texts[name] = text
        return name

    def _need(self, free: str, what: Any) -> None:
        """Add the object that a helper reads from the global name `free`."""
        function = inspect.unwrap(what.forward) if isinstance(what, Op) else what
        if isinstance(what, ModuleType | type):
            own = what.__name__
            source = f"from {what.__module__} import" if isinstance(what, type) else "import"
            self.imports.add(f"{source} {own}" if own == free else f"{source} {own} as {free}")
        elif not isinstance(function, FunctionType):
            self.handed[free] = what
        elif (name := self.name(function)) != free:
            self.texts[free] = f"{free} = {name}"


@cache
def _text(function: Any, name: str) -> str:
    """Return the source of a function without decorators, annotations and docstring."""
    if function.__code__.co_freevars:
        raise TypeError
    if function.__name__ == "<lambda>":
        arguments = str(inspect.signature(function))
        return f"def {name}{arguments}:\n    return {rule_source(function)}"
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    if not isinstance(made, ast.FunctionDef):
        raise TypeError
    made.decorator_list, made.returns, made.name = [], None, name
    for argument in ast.walk(made.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    if ast.get_docstring(made) is not None and len(made.body) > 1:
        made.body = made.body[1:]
    return ast.unparse(made)


@cache
def _free(text: str) -> list[str]:
    """Return the names that a text uses, each once, in order."""
    names = [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(names))
