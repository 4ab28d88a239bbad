"""The pages of the reference: `summaries`, a table of what a page documents, and names as a program writes them, with ``tg.``."""

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


def as_written(home: str) -> str:
    """``tinygrad_rnn.nn`` as ``tg.nn``; a module that ``tg`` does not hold keeps its whole name."""
    first = home.split(".")[1:2]
    held = not first or (
        first[0] in tinygrad_rnn.__all__ and isinstance(getattr(tinygrad_rnn, first[0]), ModuleType)
    )
    return home.replace("tinygrad_rnn", "tg", 1) if held else home


class Summaries(SphinxDirective):
    """``.. summaries:: api/optim`` is a table of the names that this page documents, each with its summary."""

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
    """Write names as a program does, and attributes as such; colour no equation as if it were Python; link no word but a class in types."""
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


def without_arguments(app: Sphinx, what: str, name: str, *_: object) -> tuple[str, None] | None:
    """What only the library makes is shown without the arguments that it makes it of."""
    return ("", None) if name == "tinygrad_rnn.draw.Graph" else None


def without_dead_links(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object
) -> None:
    """Source pages link back to what documents an object; not where it is documented under another name than viewcode thinks."""
    if pagename.startswith("_modules/") and "body" in context:
        documented = app.env.domains.python_domain.objects
        back = re.compile(r'<a class="viewcode-back" href="[^"#]*#([^"]+)">.*?</a>')
        context["body"] = back.sub(
            lambda link: link[0] if link[1] in documented else "", context["body"]
        )


def setup(app: Sphinx) -> dict:
    """Enter all four."""
    app.add_directive("summaries", Summaries)
    app.connect("doctree-read", tidy)
    app.connect("autodoc-process-signature", without_arguments)
    app.connect("html-page-context", without_dead_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
