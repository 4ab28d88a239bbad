"""Lines as they are written, one after another, each under a name that no other has."""

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
"""Names that a program has uses for."""


@dataclass
class Writer:
    """Lines as they are written, and the numbers that they gave for the stand-ins, from which shapes and dtypes are known.

    Attributes
    ----------
    lines : dict of str to Line
    names : dict of int to str
        What the array with this id is called.
    arrays : dict of str to ndarray
    constants : dict of str to ndarray
        Arrays that no line made and nobody handed in.
    notes : dict of str to str
        The formulas of lines, for the comments beside them.
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
        """A name that is not taken: the wish, or with a number behind it."""
        if not (wish.isascii() and wish.isidentifier()):
            wish = (
                "".join(c if f"a{c}".isidentifier() else "_" for c in normalize("NFKC", wish))
                or "v"
            )  # as Python reads names
        wish = f"v{wish}" if not (wish[0].isalpha() or wish[0] == "_") else wish
        name, n = f"{wish}_" if wish in RESERVED else wish, 1
        while name in self.taken or name in RESERVED:
            n += 1
            name = f"{wish}{n}" if not wish[-1].isdigit() else f"{wish}_{n}"
        self.taken.add(name)
        return name

    def temporary(self, name: str) -> bool:
        """Whether a value has no name of its own."""
        return name in self.unnamed

    def beside(self, name: str, wish: str) -> str:
        """A name for what belongs to the value `name`: the same each time."""
        if (name, wish) not in self.others:
            self.others[name, wish] = self.fresh(wish)
        return self.others[name, wish]

    def plural(self, name: str) -> str:
        """What all time steps of a value are called together: ``h`` gives ``hs``, ``x_r`` gives ``xs_r``."""
        base, line, rest = name.removesuffix("_prev").partition("_")
        return self.beside(name, f"{base}s{line}{rest}")

    def given(self, x: Any, wish: str) -> str:
        """The name of an array that is handed in."""
        array = getattr(x, "array", x)
        if id(array) not in self.names:
            self.names[id(array)] = self.fresh(wish)
            self.arrays[self.names[id(array)]] = array
        return self.names[id(array)]

    def write(self, fn: str, *args: Ref, wish: str | None = None, **settings: Any) -> str:
        """Add a line, and return the name of its result."""
        numbers = [self.arrays[arg] if isinstance(arg, str) else arg for arg in args]
        result = compute(fn, numbers, settings)
        name = self.fresh(wish or "t")
        if wish is None:
            self.unnamed.add(name)
        self.arrays[name] = result
        self.lines[name] = Line(name, fn, args, settings, result.shape, result.dtype)
        return name

    def zeros(self, shape: tuple[int, ...], axis: int, size: int, dtype: np.dtype) -> list[str]:
        """Zeros to fill a gap of `size` along an axis: none, or one constant."""
        if size == 0:
            return []
        array = np.zeros((*shape[:axis], size, *shape[axis + 1 :]), dtype)
        name = self.given(array, "zeros")
        self.constants[name] = array
        return [name]

    def shape(self, ref: Ref) -> tuple[int, ...]:
        """The shape of what a name stands for."""
        return np.shape(self.arrays[ref]) if isinstance(ref, str) else ()
