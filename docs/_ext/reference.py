"""The pages of the reference: tables of summaries, and names as programs write them (``tg.…``)."""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import tinygrad_rnn

DOCUMENTED = re.compile(r"^\.\. auto\w+:: (\S+)", re.MULTILINE)


def public_modules() -> dict[str, str]:
    """Return what a program calls the modules that ``tg`` holds, by their full names."""
    held = {name: getattr(tinygrad_rnn, name) for name in tinygrad_rnn.__all__}
    modules = {
        module.__name__: f"tg.{name}"
        for name, module in held.items()
        if isinstance(module, ModuleType)
    }
    return {"tinygrad_rnn": "tg", **modules}


def as_written(home: str) -> str:
    """Return a module's name as a program writes it: ``tinygrad_rnn.nn.init`` is ``tg.nn.init``.

    A module that ``tg`` does not hold keeps its full name.
    """
    for module, name in public_modules().items():
        if home == module or (home.startswith(f"{module}.") and module != "tinygrad_rnn"):
            return home.replace(module, name, 1)
    return home


class Summaries(SphinxDirective):
    """The directive ``.. summaries:: api/optim``: a table of the names on this page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        page = Path(self.env.doc2path(self.arguments[0]))
        self.env.note_dependency(str(page))
        rows = []
        for name in DOCUMENTED.findall(page.read_text(encoding="utf-8")):
            home, _, own = name.rpartition(".")
            summary = getattr(import_module(home), own).__doc__.splitlines()[0]
            rows += [f"   * - :py:obj:`{as_written(home)}.{own} <{name}>`", f"     - {summary}"]
        return self.parse_text_to_nodes(
            "\n".join([".. list-table::", "   :widths: 35 65", "   :width: 100%", "", *rows])
        )


def tidy(app: Sphinx, doctree: nodes.document) -> None:
    """Mend what autodoc makes of the docstrings.

    Names are written as in a program. Attributes are called attributes. Equations are not coloured
    as if they were Python. In types only the names of classes are links.
    """
    for prefix in doctree.findall(addnodes.desc_addname):
        if prefix.astext().startswith("tinygrad_rnn."):
            prefix.children = [nodes.Text(as_written(prefix.astext().rstrip(".")) + ".")]
    for title in doctree.findall(nodes.field_name):
        if title.astext() == "Variables":
            title.children = [nodes.Text("Attributes")]
    for block in (
        block
        for entry in doctree.findall(addnodes.desc)
        for block in entry.findall(nodes.literal_block)
    ):
        block.setdefault("language", "none")
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftype"] == "class" and not re.match(
            "[A-Z][a-z]", link["reftarget"].rpartition(".")[2]
        ):
            link.replace_self(link.children)


def show_formulas_as_they_are(app: Sphinx, what: str, name: str, *given: object) -> None:
    """Make the formula, shapes and rules in the help of an op a literal block."""
    lines = given[-1]
    starts = [i for i, line in enumerate(lines) if line.startswith("formula   y = ")]
    for start in starts:
        end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
        lines[start:end] = ["::", "", *[f"    {line}" for line in lines[start:end]]]


def without_arguments(app: Sphinx, what: str, name: str, *_: object) -> tuple[str, None] | None:
    """Hide the arguments of classes that only the library creates."""
    return ("", None) if name == "tinygrad_rnn.draw.Graph" else None


def without_dead_links(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object
) -> None:
    """Remove links from source pages to entries that the reference does not have."""
    if pagename.startswith("_modules/") and "body" in context:
        documented = app.env.domains.python_domain.objects
        back = re.compile(r'<a class="viewcode-back" href="[^"#]*#([^"]+)">.*?</a>')
        context["body"] = back.sub(
            lambda link: link[0] if link[1] in documented else "", context["body"]
        )


def setup(app: Sphinx) -> dict:
    """Register the directive and the four hooks."""
    app.add_directive("summaries", Summaries)
    app.connect("doctree-read", tidy)
    app.connect("autodoc-process-docstring", show_formulas_as_they_are, priority=400)
    app.connect("autodoc-process-signature", without_arguments)
    app.connect("html-page-context", without_dead_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
