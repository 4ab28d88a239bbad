"""The type of a module's call, for type checkers: a call takes and returns what `forward` does."""

from __future__ import annotations

from typing import ParamSpec, Protocol, TypeVar

Arguments = ParamSpec("Arguments")
Result_co = TypeVar("Result_co", covariant=True)


class HasForward(Protocol[Arguments, Result_co]):
    """Anything with a method `forward` and the name that drawings show."""

    _scope: str

    def forward(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result_co: ...
