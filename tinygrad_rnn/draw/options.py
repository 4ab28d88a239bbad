"""Parsers of the options of `graph`: each checks an option and converts it for internal use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from .fit import WIDTHS

DETAILS = frozenset({"shape", "value", "grad"})
DETAILS_FIX = 'write show="shape,grad", for example'
FOLD_FIX = 'write fold="names" or fold=1, for example'


def parse_outputs(output: Any) -> list[Any]:
    """Return the results to draw: one, or those in a sequence."""
    return list(output) if type(output) in (tuple, list) and output else [output]


def parse_width(width: Any) -> float | None:
    """Return a width on paper in points; None if it is not limited."""
    if width is None:
        return None
    expected = f"{', '.join(WIDTHS)} or a number of points"
    if isinstance(width, str):
        return WIDTHS[check.one_of("graph", "width", width, WIDTHS)]
    return _parse_number("graph", "width", width, (36, 10_000), expected, 468)


def parse_font_size(size: Any) -> float:
    """Return the size of letters in points."""
    return _parse_number("graph", "font_size", size, (4, 72), "a number of points", 12)


def parse_dpi(dpi: Any) -> float:
    """Return the number of pixels per inch."""
    return _parse_number("graph.save", "dpi", dpi, (10, 1200), "a number of pixels per inch", 300)


def _parse_number(
    operation: str, name: str, x: Any, bounds: tuple[int, int], what: str, example: float
) -> float:
    """Return a number within bounds."""
    is_number = isinstance(x, int | float | np.number) and not isinstance(x, bool)
    if not is_number or not bounds[0] <= x <= bounds[1]:
        expected = f"{what} from {bounds[0]:,} to {bounds[1]:,}"
        raise argument_error(operation, name, expected, repr(x), f"write {name}={example}")
    return float(x)


def parse_show(show: Any) -> frozenset[str]:
    """Return the set of details to show in every box."""
    if isinstance(show, str):
        details = show.replace(" ", "").split(",")
    else:
        details = list(
            check.instance(
                "graph", "show", show, Iterable, "a str or a sequence of str", DETAILS_FIX
            )
        )
    if not all(isinstance(detail, str) and detail in DETAILS for detail in details):
        raise argument_error("graph", "show", "shape, value or grad", repr(show), DETAILS_FIX)
    return frozenset(details)


def parse_fold(fold: Any) -> list[int | str]:
    """Return the names and depths of the scopes to fold, in the order of folding."""
    kinds = int | np.integer | str
    if fold is None:
        return []
    if isinstance(fold, kinds):
        scopes = [fold]
    else:
        scopes = list(
            check.instance("graph", "fold", fold, Iterable, "an int, a str or a sequence", FOLD_FIX)
        )
    for scope in scopes:
        if not isinstance(scope, kinds) or isinstance(scope, bool):
            expected = "the name (str) or the depth (int) of a scope"
            raise argument_error("graph", "fold", expected, describe(scope), FOLD_FIX, TypeError)
    return [scope if isinstance(scope, str) else int(scope) for scope in scopes]


def parse_steps(steps: Any, *, roll: bool) -> tuple[int, int] | None:
    """Return how many time steps to keep at the start and at the end, or None to keep all.

    ``"first:2,last:1"`` gives ``(2, 1)``.

    Raises
    ------
    TypeError
        If `roll` is not a bool.
    ValueError
        If `steps` has another form, keeps no step, or is given together with ``roll=True``.
    """
    check.flag("graph", "roll", roll)
    if steps is None:
        return None
    expected, got = 'text like "first:2,last:1"', repr(steps)
    if roll:
        expected = "None, because roll=True draws one time step in place of all"
        raise argument_error("graph", "steps", expected, got, "leave out steps or roll")
    parts = steps.replace(" ", "").split(",") if isinstance(steps, str) else []
    matches = [match for part in parts if (match := re.fullmatch(r"(first|last):([0-9]+)", part))]
    counts = {match[1]: int(match[2]) for match in matches}
    if len(counts) < len(parts) or not counts:
        fix = "name first and last at most once, each with a whole number"
        raise argument_error("graph", "steps", expected, got, fix)
    if not any(counts.values()):
        raise argument_error("graph", "steps", expected, got, "keep at least one step")
    return counts.get("first", 0), counts.get("last", 0)
