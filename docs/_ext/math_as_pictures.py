"""Formulas as SVG pictures, made while the pages are built: no script, no font and no request in the reader's browser."""

from html import escape

import ziamath
from docutils import nodes
from sphinx.application import Sphinx

SIZE = 18
"""Pixels; the pages' text has 16, and its letters are larger."""

ziamath.config.math.color = "currentColor"  # that of the text around, in the light and in the dark
ziamath.config.svg2 = False
ziamath.config.precision = 1


def picture(latex: str, kind: str) -> str:
    """The formula as an SVG element of the class `kind`, which reads its source aloud."""
    formula = ziamath.Latex(latex, size=SIZE, inline=kind == "inline")
    svg = formula.svgxml()
    svg.set("class", f"math {kind}")
    svg.set("role", "img")
    svg.set("aria-label", latex)
    if kind == "inline":
        svg.set("style", f"vertical-align: {formula.getyofst():.1f}px")
    return ziamath.zmath.ET.tostring(svg, encoding="unicode", short_empty_elements=False)


def inline(translator, node: nodes.Element) -> None:
    """A formula in a line of text."""
    translator.body.append(picture(node.astext(), "inline"))
    raise nodes.SkipNode


def block(translator, node: nodes.Element) -> None:
    """A formula of its own, which scrolls sideways where it is wider than the page."""
    number = f'<span class="eqno">({escape(str(node["number"]))})</span>' if node["number"] else ""
    translator.body.append(
        f'<div class="math-block">{number}{picture(node.astext(), "block")}</div>'
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    """Enter the renderer, which `html_math_renderer` in conf.py chooses."""
    app.add_html_math_renderer("pictures", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
