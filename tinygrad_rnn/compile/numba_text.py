"""The text of a program whose loops Numba compiles. What is outside of loops stays NumPy's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any
from weakref import finalize

import numpy as np

from .formulas import Text, literal
from .instructions import Loop, Program, walk
from .into_loops import into_loops
from .native_lines import is_native, is_view, work
from .nests import AXES, Nests
from .numba_cache import DECORATED, compiled
from .numpy_text import NumpyText, Written

LARGE = 2**19
"""Above this many multiply-adds a step, matrix products are left to NumPy's BLAS.

Only what lies between them is compiled.
"""

SMALL = 2**16
"""Programs whose values take fewer bytes are compiled as a whole."""

RESERVED = ("plain", "exp", "tanh", "f32", "njit", "entry", *AXES)


def write_numba(
    program: Program, title: str = "a program", name: str = "step", own: int | None = None
) -> Written:
    """Return the text of a program, and the function that the text defines, as `write_numpy`."""
    program = into_loops(program)
    writer = NumbaText(program, own)
    source, name = writer.text(title, name)
    rest = source
    for text in writer.native:
        rest = rest.replace(text, "")
    native = compiled("\n\n\n".join(writer.native)) if writer.native else {}
    space = {**writer.helpers.handed, **native}
    exec(compile(rest, f"<compiled {title}>", "exec"), space)
    run = space.pop(name)
    finalize(run, space.clear).atexit = False
    return Written(source, run, program)


# -- functions that a program includes -------------------------------------------------------------

f32 = np.float32


def plain(*arrays: Any) -> list[np.ndarray]:
    """Return arrays in a layout that loops are compiled for: in one piece and writable."""
    return [
        a if type(a) is np.ndarray and a.flags.carray else np.require(a, None, ["C", "W"])
        for a in arrays
    ]


def exp(x: Any) -> Any:
    """Return eˣ of one float32, in arithmetic that compilers can vectorise.

    x = k ln 2 + r with |r| ≤ ½ ln 2, and eˣ = 2ᵏ eʳ with the Taylor series of eʳ. ln 2 is split
    into two parts, of which the first has few bits.
    """
    x = min(max(x, f32(-104)), f32(89))
    k = np.floor(x * f32(1.4426950408889634) + f32(0.5))
    r = x - k * f32(0.693359375) + k * f32(2.12194440054690583e-4)
    y = r * f32(1 / 5040) + f32(1 / 720)
    y = r * (r * (r * (r * y + f32(1 / 120)) + f32(1 / 24)) + f32(1 / 6)) + f32(1 / 2)
    y = r * (r * y + f32(1)) + f32(1)
    n = np.int32(k)
    half = n >> 1  # in two factors, because 2ᵏ itself may be out of range
    low, high = np.int32((half + 127) << 23), np.int32((n - half + 127) << 23)
    return y * low.view(f32) * high.view(f32)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of one float32.

    Near 0 it is the Taylor series, else ±(1 − e) / (1 + e) with e = exp(−2|x|).
    """
    e = exp(f32(-2) * abs(x))
    far = (f32(1) - e) / (f32(1) + e)
    s = x * x
    near = x * (
        f32(1) + s * (f32(-1 / 3) + s * (f32(2 / 15) + s * (f32(-17 / 315) + s * f32(62 / 2835))))
    )
    return near if s < f32(0.09) else (far if x > f32(0) else -far)


# -- text ------------------------------------------------------------------------------------------


class NumbaText(NumpyText):
    """Writes a program of which Numba compiles the loops or, if it is small, nearly all lines.

    Attributes
    ----------
    native : list of str
        The functions that Numba compiles.
    whole : bool
        True if lines outside of loops are compiled too, in an order of their own.
    large : bool
        True if Python runs the current loop, and BLAS its products.
    """

    def __init__(self, program: Program, own: int | None):
        self.native: list[str] = []
        self.large = False
        lines = [*walk(program.lines)]
        results = [y for line in lines for y in line.results]
        small = sum(y.nbytes for y in results if not y.is_number) <= SMALL
        self.whole = small and all(is_native(line) for line in lines if isinstance(line, Loop))
        super().__init__(program, own)
        self.helpers.imports |= {"from numba import njit", "from numpy import float32 as f32"}

    def _functions(self) -> list[str]:
        return [*super()._functions(), *RESERVED]

    # -- small programs ----------------------------------------------------------------------------

    def _body(self, lines: list[Any]) -> None:
        if self.loops or not self.whole:
            super()._body(lines)
            return
        for native, part in _parts(lines):
            if native:
                self._compile_part(part)
            else:
                super()._body(part)

    def _compile_part(self, lines: list[Any]) -> None:
        """Write a call of one function that computes all lines and returns what others read."""
        others = {x for line in self.program.lines if line not in lines for x in line.uses}
        read = others.union(self.program.outputs)
        outputs = [y for line in lines for y in line.results if y in read]
        nests = Nests(self, lines)
        nests.memories = {}  # the function makes all arrays itself
        nests.write(lines, outputs)
        for y in outputs:
            if len(nests.places.get(y, ())) != 1:
                to = (nests.array(f"{nests.name(y)}_now", y.shape, y.dtype),)
                nests.assign(y, to)
                nests.places[y] = to
        self.refs |= {y: Text(nests.whole(y)) for y in outputs}
        result = f"{', '.join(self.refs[y] for y in outputs)},"
        arrays, nests.new, nests.memories = nests.new, {}, {}
        body = [
            f"{name} = np.empty({nests.shape(shape)}, np.{'bool_' if dtype == '?' else dtype})"
            for name, (shape, dtype) in arrays.items()
        ]
        if outputs:
            body += [*self.joined(nests.blocks, nests), f"return {result}"]
            self._bind(nests)
            self.say(f"{result} = {self._call('run', body, nests)}")

    # -- loops -------------------------------------------------------------------------------------

    def _loop(self, loop: Loop) -> None:
        if self.loops or not is_native(loop):
            super()._loop(loop)
            return
        self.comment("back through time" if loop.reverse else "through time, step by step")
        nests, self.large = Nests(self, [loop]), work(loop) > LARGE
        nests.write([loop], [])
        for name, (shape, dtype) in nests.new.items():
            over_time = loop if name in nests.memories.values() else None
            self.say(f"{name} = np.empty({self.shape(shape, over_time)}, {literal(dtype)})")
        self._bind(nests)
        lines = self.joined(nests.blocks, nests)
        known = [f"{name} = {n}" for n, name in nests.sizes.items()]
        for line in [*known, *lines] if self.large else [self._call("loop", lines, nests)]:
            self.say(line)
        self.refs |= {y: Text(nests.whole(y)) for y in loop.results}

    def joined(self, blocks: list[list[str]], nests: Nests) -> list[str]:
        """Return the lines of blocks. If they are Python's, nests become calls of functions."""
        lines = []
        for product, several in groupby(blocks, lambda block: any("np.dot(" in x for x in block)):
            text = [line for block in several for line in block]
            lines += text if product or not self.large else [self._call("nest", text, nests)]
        return lines

    # -- calls -------------------------------------------------------------------------------------

    def _bind(self, nests: Nests) -> None:
        """Write the names of the arrays from outside, and their layout."""
        arrays = {name: self.refs[x] for x, name in nests.given.items() if not x.is_number}
        if arrays:
            self.say(
                f"{', '.join(arrays)}, = {self.helpers.name(plain)}({', '.join(arrays.values())})"
            )

    def _call(self, wish: str, lines: list[str], nests: Nests) -> str:
        """Add a compiled function with these lines, and return its call."""
        text = "\n".join(f"    {line}" for line in lines)
        words = set(re.findall(r"(?<![\w.])[^\W\d]\w*", re.sub("  # .*", "", text)))
        words -= set(re.findall(r"for (\w+) in ", text))
        known = {x: x for x in ("T", "t", "t2", "t3")}
        known |= {name: n for n, name in nests.sizes.items()}
        known |= {name: self.refs[x] if x.is_number else name for x, name in nests.given.items()}
        known |= {name: name for name in (*nests.new, *nests.memories.values())}
        args = {x: value for x, value in known.items() if x in words}
        name = self.names.fresh(wish, everywhere=True)
        for own, function in (("exp", exp), ("tanh", tanh)):
            if words & {own, "tanh"} and own not in self.helpers.texts:
                self.helpers.name(function)
                self._add(own, self.helpers.texts[own])
        self._add(name, f"def {name}({', '.join(args)}):\n{text}")
        return f"{name}({', '.join(args.values())})"

    def _add(self, name: str, text: str) -> None:
        """Add a compiled function to the program."""
        self.native.append(f"{DECORATED}\n{text}")
        self.helpers.texts[name] = self.native[-1]


def _parts(lines: list[Any]) -> Iterator[tuple[bool, list[Any]]]:
    """Yield the lines in turns of what stays NumPy and what is compiled, as much as possible."""
    waiting, missing, native = list(lines), {y for line in lines for y in line.results}, False
    while waiting:
        part: list[Any] = []
        for line in waiting:
            if is_native(line) == native and missing.isdisjoint(line.uses):
                part.append(line)
                missing -= set(line.results)
        waiting = [line for line in waiting if line not in part]
        yield native and not all(map(is_view, part)), part
        native = not native
