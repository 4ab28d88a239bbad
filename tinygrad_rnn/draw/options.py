"""What `graph` can be asked for: each option in the form that the views take, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import argument_error, describe

SHOWN = frozenset({"shape", "value", "grad"})


def shown(show: Any) -> frozenset[str]:
    """What is to stand below a name."""
    asked = (
        show.replace(" ", "").split(",") if isinstance(show, str) else list(_several("show", show))
    )
    if not all(isinstance(what, str) and what in SHOWN for what in asked):
        wanted, fix = "shape, value or grad", 'write show="shape,grad", say'
        raise argument_error("graph", "show", expected=wanted, got=repr(show), fix=fix)
    return frozenset(asked)


def one_of(argument: str, value: Any, known: tuple[str, ...]) -> str:
    """`value`, refused if it is none of those known."""
    if not isinstance(value, str) or value not in known:
        raise argument_error(
            "graph", argument, expected=", ".join(known), got=repr(value), fix="use one of these"
        )
    return value


def folds(fold: Any) -> list[int | str]:
    """The names and depths to fold by, one after the other."""
    several = [fold] if isinstance(fold, int | np.integer | str) else list(_several("fold", fold))
    for by in several:
        if not isinstance(by, int | np.integer | str) or isinstance(by, bool):
            wanted, fix = (
                "the name (str) or the depth (int) of a scope",
                'write fold="names" or fold=1, say',
            )
            raise argument_error(
                "graph", "fold", expected=wanted, got=describe(by), fix=fix, kind=TypeError
            )
    return [by if isinstance(by, str) else int(by) for by in several]


def bounds(steps: Any, *, roll: bool) -> tuple[int, int] | None:
    """How many of the first and of the last time steps ``"first:2,last:1"`` means; None if all are to stay."""
    if not isinstance(roll, bool | np.bool_):
        raise argument_error(
            "graph",
            "roll",
            expected="True or False",
            got=describe(roll),
            fix="roll=True draws one step for all",
            kind=TypeError,
        )
    if steps is None:
        return None
    if roll:
        wanted, fix = (
            "none with roll=True, which draws one time step for all",
            "leave one of the two out",
        )
        raise argument_error("graph", "steps", expected=wanted, got=repr(steps), fix=fix)
    parts = steps.replace(" ", "").split(",") if isinstance(steps, str) else []
    matches = [match for part in parts if (match := re.fullmatch(r"(first|last):([0-9]+)", part))]
    found: dict[str, int] = {match[1]: int(match[2]) for match in matches}
    if len(found) < len(parts) or not found:
        wanted, fix = (
            '"first:2,last:1", say',
            "name first and last at most once, each with a whole number",
        )
        raise argument_error("graph", "steps", expected=wanted, got=repr(steps), fix=fix)
    if not any(found.values()):
        raise argument_error(
            "graph",
            "steps",
            expected='"first:2,last:1", say',
            got=repr(steps),
            fix="at least one step must stay",
        )
    return found.get("first", 0), found.get("last", 0)


def _several(argument: str, value: Any) -> Iterable[Any]:
    """`value`, refused if it is not several."""
    if not isinstance(value, Iterable):
        raise argument_error(
            "graph",
            argument,
            expected="one or a sequence",
            got=describe(value),
            fix="see help(tg.graph)",
            kind=TypeError,
        )
    return value
