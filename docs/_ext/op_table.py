"""The directive ``{ops}``: a table of every op, and an entry for every function, written from the registry.

An op without a complete row fails the build, for `Row.of` raises.
"""

from collections.abc import Iterator
from importlib import import_module

from op_rows import Row, helpers
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tinygrad_rnn import ops
from tinygrad_rnn.op import Op, registry

ROOMS = ("arithmetic", "elementwise", "linear", "reduce", "shape", "index")
TABLE = """
:::{{list-table}}
:header-rows: 1
:widths: 10 16 38 18 28
:class: ops

* - Op
  - Formula
  - Derivative rules
  - Shapes
  - Notes
{rows}
:::
"""


def room(name: str) -> Iterator[str]:
    """The part of the page about one file of ops: heading, table, helpers, and the functions that people call."""
    module = import_module(f"tinygrad_rnn.ops.{name}")
    made = [op for op in registry.values() if op.forward.__module__ == module.__name__]
    yield f"## {(module.__doc__ or '').partition('.')[0]}\n"
    yield TABLE.format(rows="\n".join(str(Row.of(op)) for op in made))
    called = helpers(made)
    if called:
        yield (
            "In the rules: "
            + " ".join(f"`{helper}`: {summary}" for helper, summary in called.items())
            + "\n"
        )
    names = [n for n in ops.__all__ if _home(getattr(ops, n)) == module.__name__]
    yield "```{eval-rst}\n.. currentmodule:: tinygrad_rnn\n"
    yield from (f".. autofunction:: {n}" for n in names)
    yield "```\n"


def _home(function: object) -> str:
    """The module in which a function, or the forward of an op, is written."""
    return function.forward.__module__ if isinstance(function, Op) else function.__module__


class Ops(SphinxDirective):
    """``{ops}``: no arguments."""

    def run(self) -> list:
        """The nodes of all rooms."""
        return self.parse_text_to_nodes(
            "\n".join(line for name in ROOMS for line in room(name)), allow_section_headings=True
        )


def setup(app: Sphinx) -> dict:
    """Enter the directive."""
    app.add_directive("ops", Ops)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
