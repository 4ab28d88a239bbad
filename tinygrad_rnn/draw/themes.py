"""Colours. Kinds also differ in shape, and signs in a mark, so that nothing is said by colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import argument_error


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a drawing, as ``#rrggbb``.

    Blue and orange are told apart with every common kind of colour blindness (Okabe and Ito, 2008).
    """

    paper: str
    ink: str
    faint: str
    op: str
    parameter: str
    leaf: str
    fold: str
    cluster: str
    step: str
    state: str
    gradient: str


THEMES = {
    "light": Theme(
        paper="#ffffff", ink="#1b1f24", faint="#57606a", op="#ffffff", parameter="#fdebd0", leaf="#e8f1fa", fold="#eef0f2",
        cluster="#f6f8fa", step="#edf2f7", state="#0072b2", gradient="#b34700",
    ),
    "dark": Theme(
        paper="#0d1117", ink="#e6edf3", faint="#9aa5b1", op="#161b22", parameter="#4a3413", leaf="#12314a", fold="#2a313a",
        cluster="#11161d", step="#18202a", state="#56b4e9", gradient="#f0a04b",
    ),
    "print": Theme(
        paper="#ffffff", ink="#000000", faint="#444444", op="#ffffff", parameter="#e6e6e6", leaf="#ffffff", fold="#f2f2f2",
        cluster="#ffffff", step="#ffffff", state="#000000", gradient="#000000",
    ),
}  # fmt: skip


def theme_named(name: str) -> Theme:
    """The theme called `name`."""
    if name not in list(THEMES):
        raise argument_error(
            "graph",
            "theme",
            expected=" or ".join(map(repr, THEMES)),
            got=repr(name),
            fix="use one of these",
        )
    return THEMES[name]
