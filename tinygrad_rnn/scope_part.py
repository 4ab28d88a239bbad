"""Scopes, which say where an op was recorded, and their text; names of gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import ref


# Not frozen: a frozen part takes three times as long to create, and each time step creates one.
@dataclass(slots=True, unsafe_hash=True)
class ScopePart:
    """One part of a scope, the place where a node was recorded.

    Each call of a module, and each scan, has its own value of `call`.
    `analysis.scopes.resolve_scopes` replaces module ids and clock values by small ordinals.

    Attributes
    ----------
    kind : str
        A recorded part is a ``"name"`` (given to `scope`), a ``"call"`` (of a module), a ``"step"``
        (a time step), or a ``"gradient"`` (it holds the ops that compute the gradient of a value
        recorded in the scope around this part). In a resolved scope, ``"module"`` replaces
        ``"call"``, and ``"loop"`` stands for the second or a later scan in one scope. Drawings add
        ``"terms"`` (a named result with its unnamed terms), ``"steps"`` (steps that are left out)
        and ``"rolled"`` (one step that stands for all steps).
    name : str
        The name of the scope or the module; empty for a time step.
    index : int
        For a ``"step"``, the time step. For a ``"call"``, the `id` of the module. For a
        ``"module"``, its ordinal among the modules with this name.
    call : int
        The value of `clock` when the call or the scan began. In a resolved scope, the ordinal of
        the call or the scan.
    said : int
        The ordinal that text shows; 0 if it is `call`. Calls in a loop are counted anew in each
        turn, but text shows their number in the program.
    """

    kind: str
    name: str = ""
    index: int = 0
    call: int = 0
    said: int = field(default=0, compare=False)

    @classmethod
    def of(cls, part: Any) -> ScopePart:
        """Return the part for a name (str) or a time step (int)."""
        return cls("name", part) if isinstance(part, str) else cls("step", index=int(part))

    @property
    def is_step(self) -> bool:
        """True for a time step, and for a part that stands for the steps that a drawing omits."""
        return self.kind in ("step", "steps")

    @property
    def is_time(self) -> bool:
        """True for a time step, and for a part that stands for several or all steps."""
        return self.is_step or self.kind == "rolled"

    def format(self, step: str = "t={}") -> str:
        """Return the part as text, such as ``gru (2)`` or ``t=3``; `step` formats a time step."""
        if self.is_step:
            return step.format(self.index)
        if self.kind not in ("module", "loop"):
            return self.name
        other = f" ({self.index})" if self.index > 1 else ""
        what = "scan" if self.kind == "loop" else "call"
        call = self.said or self.call
        return f"{self.name}{other}" + (f", {what} {call}" if call > 1 else "")

    def format_without_call(self) -> str:
        """Return the part of a resolved scope as text, without the number of the call or scan."""
        if self.kind == "loop":  # its name is the text of the module that it replaces
            return self.name.partition(", ")[0]
        return self.format().partition(", ")[0] if self.kind == "module" else self.format()

    __str__ = format


Scope = tuple[ScopePart, ...]
"""The place where a node was recorded, outermost part first."""


def format_scope(scope: Scope, step: str = "t={}", separator: str = " / ") -> str:
    """Return the parts of a scope in one line, for example ``gru / t=3``."""
    return separator.join([part.format(step) for part in scope])


class GradientName(str):
    """The name of a gradient: ``∂`` and the name of the value whose gradient it is.

    Attributes
    ----------
    of : weakref.ref
        That value, which may be gone.
    """

    __slots__ = ("of",)
    of: ref[Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # a copy in another process has only the text

    @classmethod
    def give(cls, x: Any, g: Any) -> None:
        """Name the Value `g` as the gradient of `x`, unless it has a name or no rule made it."""
        node = getattr(g, "node", None)  # the results of a compiled call share one object
        scope = node.scope if node is not None else ()
        if x.name and g._name is None and scope and scope[-1].kind == "gradient":
            g._name = name = cls(f"∂{x.name}")
            name.of = ref(x)
