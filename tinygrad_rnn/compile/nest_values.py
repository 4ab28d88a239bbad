"""The values of a function that Numba compiles: their names, arrays and entries."""

from __future__ import annotations

from copy import copy
from typing import Any

from .entries import StepOf, aligned, inner_index
from .formulas import Text, expression, literal, tuple_text
from .instructions import Instruction, Loop, Variable, walk
from .names import WORDS
from .schedule import Memory

Place = tuple[str, ...]
"""Where a value is: the name of an array, and an index of its first axes."""


class NestValues:
    """The values that some lines of a program read and make.

    Attributes
    ----------
    text : NumbaText
    made : set of Variable
        The values that the lines make.
    names : Names
        The text's, but values that the lines make have their names only in the function.
    given : dict of Variable to str
        For each value from outside: the name that the text calls it.
    new : dict of str to (shape, dtype)
        The arrays that the text writes into and that do not exist yet.
    sizes : dict of str to str
        The names of lengths: another length needs no other text.
    memories : dict of Memory to str
        The names of arrays that are kept over time.
    places : dict of Variable to Place
        For each value that has an array.
    views : dict of Variable to Instruction
        For each value that is read in the array of another one.
    local : set of Variable
        The values of which the current nest has the entry.
    rows : dict of Variable to str
        The arrays that the current nest reads in another shape.
    """

    def __init__(self, text: Any, lines: list[Any]):
        self.text = text
        inner = [line.inside for line in walk(lines) if isinstance(line, Loop)]
        self.made = {x for part in (*inner, *(line.results for line in lines)) for x in part}
        known, self.names = text.names.of, copy(text.names)
        self.names._taken = text.names._taken - {known.get(x) for x in self.made}
        self.names._taken |= {name for x, name in known.items() if x not in self.made}
        self.given: dict[Variable, str] = {}
        self.new: dict[str, tuple[tuple[int, ...], Any]] = {}
        self.sizes: dict[str, str] = {}
        self.memories = text.memories
        self.places: dict[Variable, Place] = {}
        self.views: dict[Variable, Instruction] = {}
        self.local: set[Variable] = set()
        self.rows: dict[Variable, str] = {}
        self._names: dict[Variable, str] = {}

    # -- names -------------------------------------------------------------------------------------

    def name(self, x: Variable, function: str = "") -> str:
        """Return the name of a value; if it has none, after the function that makes it."""
        if x not in self._names:
            known = self.names.of.get(x) if x.name or not function else None
            self._names[x] = self.names.fresh(known or WORDS.get(function, function or "x"))
        return self._names[x]

    def array(self, wish: str, shape: tuple[int, ...], dtype: Any) -> str:
        """Return the name of a new array."""
        name = self.names.fresh(wish)
        self.text.names._taken.add(name)
        self.new[name] = shape, dtype
        return name

    def memory(self, memory: Memory) -> str:
        """Return the name of an array over time, which may exist already."""
        if memory not in self.memories:
            wish = self.names.of[memory.owner]
            self.memories[memory] = self.array(wish, memory.shape, memory.dtype)
        return self.memories[memory]

    def size(self, n: Any) -> str:
        """Return the text of a length, or of another number: 4.0 is not the length 4."""
        text, steps = str(n), self.text.steps
        if text in ("0", "1"):
            return text
        if steps and text in (str(steps), str(steps + 1)):
            return "T" if n == steps else "(T + 1)"
        if text not in self.sizes:
            self.sizes[text] = self.names.fresh(f"n{len(self.sizes) + 1}")
        return self.sizes[text]

    def shape(self, shape: tuple[int, ...]) -> str:
        """Return the text of a shape."""
        return tuple_text([self.size(n) for n in shape])

    # -- values ------------------------------------------------------------------------------------

    def source(self, x: Any) -> Any:
        """Return the value that a view shows, also a view of an array over time."""
        while x in self.views and x not in self.places:
            x = self.views[x].args[0]
        return x

    def _outside(self, x: Variable) -> str:
        if x not in self.given:
            ref = self.text.refs[x]
            self.given[x] = str(ref) if ref.isidentifier() else self.name(x)
        return self.given[x]

    def entry(self, x: Any, index: list[str]) -> str:
        """Return the text of the entry of a value that is broadcast to `index`."""
        if not isinstance(x, Variable):  # a number that may depend on a length is an argument
            long = 0 < x < 1 << 62 and (x > 2 or len(repr(x)) > 5)
            return self.size(x) if long else literal(x)
        if x in self.local:
            return self.name(x)
        index = aligned(x.shape, index)
        if x in self.places:
            return at(self.places[x], index)
        if x in self.views:
            inner = inner_index(self.views[x], index)
            if inner is not None:
                return self.entry(self.views[x].args[0], inner)
            self.rows[x] = self.name(x, "rows")
            return at((self.rows[x],), index)
        return self._outside(x) if x.is_number else at((self._outside(x),), index)

    def whole(self, x: Variable) -> str:
        """Return the text of the whole array of a value."""
        if x in self.places:
            return at(self.places[x])
        if x not in self.views:
            return self._outside(x)
        view = self.views[x]
        if view.function == "reshape":
            return f"{self.in_order(view.args[0])}.reshape({self.shape(x.shape)})"
        inner = self.whole(view.args[0])
        if view.function == "transpose":
            return f"{inner}.transpose({literal(view.settings['axes'])})"
        return str(expression(view, [Text(inner)], self.text.helpers))

    def in_order(self, x: Variable) -> str:
        """Return the text of the whole array of a value in C order."""
        is_known = x in self.places or x not in self.views or self.views[x].function == "reshape"
        return self.whole(x) if is_known else f"np.ascontiguousarray({self.whole(x)})"

    def extents(self, x: Variable) -> list[str]:
        """Return the texts of the lengths of all axes: of the array, if there is one."""
        place, view = self.places.get(x), self.views.get(x)
        if view and place is None:
            is_step = isinstance(view.settings.get("index"), StepOf)
            return self.extents(view.args[0])[1:] if is_step else [self.size(n) for n in x.shape]
        if place is None and x in self.made:
            return [self.size(n) for n in x.shape]
        array, *prefix = place or (self._outside(x),)
        return [f"{array}.shape[{len(prefix) + axis}]" for axis in range(len(x.shape))]


def at(place: Place, index: list[str] | None = None) -> str:
    """Return the text of a place, or of one entry of the value in it."""
    array, *prefix = place
    if index is None and not prefix:
        return array
    return f"{array}[{', '.join((*prefix, *(index or ()))) or '()'}]"
