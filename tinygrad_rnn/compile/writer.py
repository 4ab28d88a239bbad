"""The builder of lines: each gets a unique name."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

import numpy as np

from .lines import Line, Ref, compute

WORDS = [
    "np",
    "T",
    "t",
    "len",
    "range",
    "reversed",
    "saved",
    "forward",
    "backward",
    "abs",
    "min",
    "max",
]
OF_LOOPS = [
    "loop",
    "back_loop",
    *(f"{back}nest{n}" for back in ("", "back_") for n in range(1, 30)),
    "njit",
    "plain",
    "exp",
    "tanh",
    "f32",
]
RESERVED = frozenset({*WORDS, *OF_LOOPS, *keyword.kwlist})
"""Names that a program uses itself, and that no value may have."""


@dataclass
class Writer:
    """Builds lines, and computes their results for the stand-ins, to know shapes and dtypes.

    Attributes
    ----------
    lines : dict of str to Line
    names : dict of int to str
        The name of the array with this id.
    arrays : dict of str to ndarray
    constants : dict of str to ndarray
        Arrays that are neither results of lines nor arguments.
    notes : dict of str to str
        The formula of each line, which becomes its comment.
    """

    lines: dict[str, Line] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    others: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def fresh(self, wish: str) -> str:
        """Return a name that is not taken: the wish, with a number appended if necessary."""
        if not (wish.isascii() and wish.isidentifier()):
            wish = (
                "".join(c if f"a{c}".isidentifier() else "_" for c in normalize("NFKC", wish))
                or "v"
            )  # Python normalises names in the same way
        wish = f"v{wish}" if not (wish[0].isalpha() or wish[0] == "_") else wish
        name, n = f"{wish}_" if wish in RESERVED else wish, 1
        while name in self.taken or name in RESERVED:
            n += 1
            name = f"{wish}{n}" if not wish[-1].isdigit() else f"{wish}_{n}"
        self.taken.add(name)
        return name

    def temporary(self, name: str) -> bool:
        """Return True if a value has no name of its own."""
        return name in self.unnamed

    def beside(self, name: str, wish: str) -> str:
        """Return a name for something that belongs to the value `name`: the same each time."""
        if (name, wish) not in self.others:
            self.others[name, wish] = self.fresh(wish)
        return self.others[name, wish]

    def plural(self, name: str) -> str:
        """Return the name for all time steps of a value: ``hs`` for ``h``, ``xs_r`` for ``x_r``."""
        base, line, rest = name.removesuffix("_prev").partition("_")
        return self.beside(name, f"{base}s{line}{rest}")

    def given(self, x: Any, wish: str) -> str:
        """Return the name of an array that is an argument or a constant."""
        array = getattr(x, "array", x)
        if id(array) not in self.names:
            self.names[id(array)] = self.fresh(wish)
            self.arrays[self.names[id(array)]] = array
        return self.names[id(array)]

    def write(self, fn: str, *args: Ref, wish: str | None = None, **settings: Any) -> str:
        """Add a line and return the name of its result."""
        numbers = [self.arrays[arg] if isinstance(arg, str) else arg for arg in args]
        result = compute(fn, numbers, settings)
        name = self.fresh(wish or "t")
        if wish is None:
            self.unnamed.add(name)
        self.arrays[name] = result
        self.lines[name] = Line(name, fn, args, settings, result.shape, result.dtype)
        return name

    def zeros(self, shape: tuple[int, ...], axis: int, size: int, dtype: np.dtype) -> list[str]:
        """Return the name of a constant that fills a gap along an axis; no name if `size` is 0."""
        if size == 0:
            return []
        array = np.zeros((*shape[:axis], size, *shape[axis + 1 :]), dtype)
        name = self.given(array, "zeros")
        self.constants[name] = array
        return [name]

    def shape(self, ref: Ref) -> tuple[int, ...]:
        """Return the shape of a value; () for a number."""
        return np.shape(self.arrays[ref]) if isinstance(ref, str) else ()
