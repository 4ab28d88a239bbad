"""Formulas as SVG pictures: the reader's browser needs no script, no font and no request."""

from html import escape

import ziamath
from docutils import nodes
from sphinx.application import Sphinx

SIZE = 18
"""The size in pixels. The text of the pages has 16, in a font with larger letters."""

ziamath.config.math.color = "currentColor"  # the colour of the text around it
ziamath.config.svg2 = False
ziamath.config.precision = 1


def picture(latex: str, kind: str) -> str:
    """Return a formula as an SVG element of the class `kind`, with its LaTeX for screen readers."""
    formula = ziamath.Latex(latex, size=SIZE, inline=kind == "inline")
    svg = formula.svgxml()
    svg.set("class", f"math {kind}")
    svg.set("role", "img")
    svg.set("aria-label", latex)
    if kind == "inline":
        svg.set("style", f"vertical-align: {formula.getyofst():.1f}px")
    return ziamath.zmath.ET.tostring(svg, encoding="unicode", short_empty_elements=False)


def inline(translator, node: nodes.Element) -> None:
    """Write a formula in a line of text."""
    translator.body.append(picture(node.astext(), "inline"))
    raise nodes.SkipNode


def block(translator, node: nodes.Element) -> None:
    """Write a formula in a block of its own, which scrolls if it is wider than the page."""
    number = f'<span class="eqno">({escape(str(node["number"]))})</span>' if node["number"] else ""
    translator.body.append(
        f'<div class="math-block">{number}{picture(node.astext(), "block")}</div>'
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    """Register the renderer that `html_math_renderer` in conf.py names."""
    app.add_html_math_renderer("pictures", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
