"""The directives ``{ops}`` and ``{numpy-functions}``: tables written from the lists of functions.

``{ops}`` is a table of every op and an entry for every function; ``{numpy-functions}`` says what
each of NumPy's functions does with a Tensor.

An op without a complete row fails the build, because `Row.of` raises an error.
"""

from collections.abc import Iterator
from importlib import import_module

from numpy_rows import tables
from op_rows import Row, helpers
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tinygrad_rnn import ops
from tinygrad_rnn.op import Op, registry

FIRST = ("arithmetic", "elementwise", "products", "reductions", "shapes", "indexing")
"""The files whose sections come first; the others follow in the order of their names."""
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


def section(name: str) -> Iterator[str]:
    """Yield the section about one file of ops: heading, table, helpers, and public functions."""
    module = import_module(f"tinygrad_rnn.ops.{name}")
    made = [op for op in registry.values() if op.forward.__module__ == module.__name__]
    title = " ".join((module.__doc__ or "").partition(".")[0].split())
    yield f"## {title}\n"
    if made:
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


def files() -> list[str]:
    """Return the names of the files that define public functions, in the order of the page."""
    homes = {_home(getattr(ops, n)).rpartition(".")[2] for n in ops.__all__}
    return [*FIRST, *sorted(homes - set(FIRST))]


def _home(function: object) -> str:
    """Return the module that defines a function, or the forward of an op."""
    return function.forward.__module__ if isinstance(function, Op) else function.__module__


class Ops(SphinxDirective):
    """``{ops}``: no arguments."""

    def run(self) -> list:
        """Return the nodes of all sections."""
        return self.parse_text_to_nodes(
            "\n".join(line for name in files() for line in section(name)),
            allow_section_headings=True,
        )


class NumpyFunctions(SphinxDirective):
    """``{numpy-functions}``: no arguments."""

    def run(self) -> list:
        """Return the nodes of the tables."""
        return self.parse_text_to_nodes("\n".join(tables()), allow_section_headings=True)


def setup(app: Sphinx) -> dict:
    """Register the directives."""
    app.add_directive("ops", Ops)
    app.add_directive("numpy-functions", NumpyFunctions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
