"""The NumPy text of a program: one function, which a reader can follow and Python can run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill, indent
from typing import Any
from weakref import finalize

from .formulas import ATOM, Text, tuple_text
from .instructions import VIEWS, Loop, Program, Variable
from .malloc import keep_freed_memory
from .names import RESERVED
from .numpy_lines import NumpyLines
from .schedule import INTO

NEW = INTO | {"where", "astype", "copy", "zeros", "scatter", "index_arrays", "draw"}
"""Functions whose result is a new array that nothing else refers to."""

LARGE = 1 << 15
"""Dead arrays of at least this many bytes are deleted: later arrays take their memory."""

EXPECTED = '''class Expected(ValueError):
    """Something did not hold that the program expects."""'''


@dataclass
class Written:
    """The text of a program.

    Attributes
    ----------
    source : str
    run : callable
        ``run(*inputs) -> tuple of outputs``. They are new arrays.
    program : Program
        What the text was written from.
    """

    source: str
    run: Callable[..., tuple[Any, ...]]
    program: Program


def write_numpy(
    program: Program, title: str = "a program", name: str = "step", own: int | None = None
) -> Written:
    """Return the text of a program, and the function that the text defines.

    The first `own` outputs are new arrays; by default, all of them. The others may be views of
    each other or of inputs.
    """
    writer = NumpyText(program, own)
    source, name = writer.text(title, name)
    space = dict(writer.helpers.handed)
    exec(compile(source, f"<compiled {title}>", "exec"), space)
    run = space.pop(name)
    # Helper functions and their namespace refer to each other: break the cycle at the end.
    finalize(run, space.clear).atexit = False
    return Written(source, run, program)


class NumpyText(NumpyLines):
    """Writes the text of one program."""

    def __init__(self, program: Program, own: int | None):
        super().__init__(program)
        self.own = own
        keep_freed_memory()

    def text(self, title: str, name: str) -> tuple[str, str]:
        """Return the whole text, and the name of its function, which has no name of a helper."""
        self.suffix = "_back" if name == "backward" else ""
        given = [self.names.of[x] for x in self.program.inputs]
        self._shapes()
        if self.steps:
            self.say(f"T = {self.steps}")
        self._body(self.program.lines)
        self.say()
        self.lines.append(indent(_wrapped("return (", self._results()[1:-1], ")"), "    "))
        self._delete_dead()
        imports = ["import numpy as np", *sorted(self.helpers.imports - {"import numpy as np"})]
        head = f'"""{title[0].upper()}{title[1:]}."""\n\n' + "\n".join(imports)
        error = EXPECTED if any("raise Expected" in line for line in self.lines) else ""
        constants = "\n".join(f"{constant} = {x}" for x, constant in self.constants.items())
        while name in {*RESERVED, *self.helpers.names, *self.constants.values()}:
            name += "_"
        function = "\n".join([_wrapped(f"def {name}(", ", ".join(given), "):"), *self.lines])
        parts = [head, error, *self.helpers.texts.values(), constants, function]
        return "\n\n\n".join(part for part in parts if part) + "\n", name

    def _delete_dead(self) -> None:
        """Delete the large arrays at the end of the last stage that reads them."""
        arrays = {root for root in self._roots().values() if root in self.names.of}
        large = [self.names.of[y] for y in arrays if y.nbytes >= LARGE]
        stages, later = "\n".join(self.lines).split("\n\n"), set[str]()
        for i, stage in reversed(list(enumerate(stages))):
            words = set(re.findall(r"\w+", stage))
            dead = sorted({name for name in large if name in words - later})
            if dead and i < len(stages) - 2:  # in the last two, the function ends anyway
                stages[i] += f"\n    del {', '.join(dead)}"
            later |= words
        self.lines = "\n\n".join(stages).split("\n")

    def _shapes(self) -> None:
        """Write a comment with the dtype and shape of each input."""
        arrays = [x for x in self.program.inputs if not x.is_number]
        width = max((len(self.names.of[x]) for x in arrays), default=0)
        for x in arrays:
            self.say(f"# {self.names.of[x]:<{width}}  {x.dtype} {self.shape(x.shape)}")

    def _results(self) -> str:
        """Return the text of the tuple of outputs: new arrays, none of which shares memory."""
        roots, texts, seen = self._roots(), [], set()
        for i, y in enumerate(self.program.outputs):
            ref, root = self.refs[y], roots.get(y)
            is_own = not y.is_number and (self.own is None or i < self.own)
            if is_own and (not y.shape or root is None or root in seen):
                ref = Text(f"{ref.inside(ATOM)}.copy()" if y.shape else f"np.array({ref})")
            seen.add(root)
            texts.append(ref)
        return tuple_text(texts)

    def _roots(self) -> dict[Variable, Variable]:
        """Return, for each value that is a new array or a view of one, the value of that array."""
        roots: dict[Variable, Variable] = {}
        for line in self.program.lines:
            if isinstance(line, Loop):
                roots |= {y: self.schedule.over_time[y][0].owner for _, y in line.stacks}
                roots |= {y: y for _, y in line.sums}
                carried = [(s, self.schedule.carried.get(s)) for s in line.states]
                roots |= {state.last: memory.owner for state, memory in carried if memory}
            elif line.function in NEW:
                roots[line.out] = line.out
            elif line.function in VIEWS - {"broadcast_to"} and line.args[0] in roots:
                roots[line.out] = roots[line.args[0]]
        return roots


def _wrapped(start: str, inner: str, end: str) -> str:
    """Return a line, or several if it is long."""
    if len(start + inner + end) <= 100:
        return start + inner + end
    return f"{start}\n{fill(inner, 92, initial_indent='    ', subsequent_indent='    ')}\n{end}"
