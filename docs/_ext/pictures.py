"""Pictures of the pages: in a box, with a link, a description and a dark version."""

import re
from pathlib import Path

from at_night import at_night
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator

COLUMN = 850
"""The width of the text column on a desktop, in pixels."""
SMALLEST = 0.7
"""A picture that is a little too wide is shrunk, at most by this factor."""
PHONE = 370
"""The width of the text column on a phone, in pixels."""


class Boxes(SphinxTransform):
    """Put each picture between paragraphs into a container of the class `picture`."""

    default_priority = 900

    def apply(self, **options) -> None:
        """Wrap each picture that is not in a box already."""
        for image in list(self.document.findall(nodes.image)):
            if isinstance(image.parent, (nodes.section, nodes.document)):
                box = nodes.container(classes=["picture"])
                image.replace_self(box)
                box += image


def describe(image: nodes.image) -> str:
    """Return a picture's description, or the last line of the program that drew it."""
    if image.get("alt"):
        return image["alt"]
    above = image.parent
    while above is not None and "cell" not in above.get("classes", ()):
        above = above.parent
    program = next(above.findall(nodes.literal_block), None) if above is not None else None
    lines = program.astext().strip().splitlines() if program is not None else []
    return (
        f"Drawn by the program above, which ends with {lines[-1].strip()}" if lines else "A picture"
    )


def width_of(path: Path) -> float:
    """Return the width of an SVG file in pixels, or 0 if it states none."""
    found = (
        re.search(r'<svg[^>]*?\bwidth="([\d.]+)(pt|px)?"', path.read_text(encoding="utf-8")[:2000])
        if path.suffix == ".svg"
        else None
    )
    return float(found[1]) * (4 / 3 if found[2] == "pt" else 1) if found else 0


class Translator(HTML5Translator):
    """Sphinx's translator, except for pictures."""

    def visit_image(self, node: nodes.image) -> None:
        """Write a picture for the light and the dark theme, with a link to the whole picture.

        A picture that is a little wider than the column is shrunk to it, on the phone too. One that
        is much wider scrolls, and has a note that it goes on.
        """
        node["alt"] = describe(node)
        path = Path(self.builder.srcdir, node["uri"])
        file = self.builder.images.get(node["uri"])
        across = width_of(path)
        goes_on = across > COLUMN / SMALLEST
        if across > PHONE and not goes_on:
            node["classes"].append("fits" if across > COLUMN else "fits-phone")
        if file is None or isinstance(node.parent, nodes.reference):
            return super().visit_image(node)
        dark = at_night(path.read_text(encoding="utf-8")) if path.suffix == ".svg" else ""
        start = len(self.body)
        self.body.append(
            f'<a class="whole" href="{self.builder.imgpath}/{file}" title="The whole picture">'
        )
        super().visit_image(node)
        self.body.append("</a>")
        if dark:
            night = f"{Path(file).stem}.dark.svg"
            Path(self.builder.outdir, self.builder.imagedir).mkdir(exist_ok=True)
            Path(self.builder.outdir, self.builder.imagedir, night).write_text(
                dark, encoding="utf-8"
            )
            day = "".join(self.body[start:])
            self.body[start:] = [
                day.replace('class="whole"', 'class="whole only-light"'),
                day.replace('class="whole"', 'class="whole only-dark"').replace(file, night),
            ]
        if across > PHONE:
            text = "It goes on to the right. A click shows the whole."
            text = text if goes_on else "A click enlarges the picture."
            kind = "" if goes_on else " phone"
            self.body.append(f'<p class="goes-on{kind}">{text}</p>')
        return None


def setup(app: Sphinx) -> dict:
    """Register the transform and the translator."""
    app.add_transform(Boxes)
    app.set_translator("html", Translator)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
