"""The parts of a scope, the place where an op was recorded, and how to write them as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


# Not frozen, because every time step makes one and a frozen one takes three times as long.
@dataclass(slots=True, unsafe_hash=True)
class ScopePart:
    """One part of the place where a node was recorded.

    Parts of two calls, or of two scans, differ in `call`. `analysis.scopes.resolve_scopes` replaces
    module ids and clock values by small ordinals.

    Attributes
    ----------
    kind : str
        ``"name"`` (given to `scope`), ``"call"`` (of a module), ``"step"`` (a time step), or
        ``"gradient"`` (the gradient of what was recorded in the scope around this part).
        Resolved scopes hold ``"module"`` for a call, and ``"loop"`` for a second scan in one scope.
        Drawings add ``"terms"`` (a named result with its unnamed terms), ``"steps"`` (for steps
        that are left out) and ``"rolled"`` (one step for all).
    name : str
        The name of the scope or the module; empty for a time step.
    index : int
        The number of a time step; the `id` of the module in a ``"call"``; the ordinal of a
        ``"module"`` among those of its name.
    call : int
        The `clock` when the call or the scan began; its ordinal once it is resolved.
    """

    kind: str
    name: str = ""
    index: int = 0
    call: int = 0

    @classmethod
    def of(cls, part: Any) -> ScopePart:
        """Return the part for a name (str) or a time step (int)."""
        return cls("name", part) if isinstance(part, str) else cls("step", index=int(part))

    @property
    def is_step(self) -> bool:
        """True for a time step, and for a part that stands for several steps left out."""
        return self.kind in ("step", "steps")

    def format(self, step: str = "t={}") -> str:
        """Return ``gru``, ``gru (2), call 3`` or ``t=3``; `step` is the template of a time step."""
        if self.is_step:
            return step.format(self.index)
        if self.kind not in ("module", "loop"):
            return self.name
        other = f" ({self.index})" if self.index > 1 else ""
        what = "scan" if self.kind == "loop" else "call"
        return f"{self.name}{other}" + (f", {what} {self.call}" if self.call > 1 else "")

    __str__ = format


Scope = tuple[ScopePart, ...]
"""The place where a node was recorded, outermost part first."""


def format_scope(scope: Scope, step: str = "t={}", separator: str = " / ") -> str:
    """Return the parts of a scope in one line: ``gru / t=3``."""
    return separator.join([part.format(step) for part in scope])
