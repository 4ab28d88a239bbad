"""A picture that stands by itself gets a box around it, in which it scrolls where it is wider than the page."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class Boxes(SphinxTransform):
    """Put each picture between paragraphs into a container of the class `picture`."""

    default_priority = 900

    def apply(self, **options) -> None:
        """Wrap what is not in a box already."""
        for image in list(self.document.findall(nodes.image)):
            if isinstance(image.parent, (nodes.section, nodes.document)):
                box = nodes.container(classes=["picture"])
                image.replace_self(box)
                box += image


def setup(app: Sphinx) -> dict:
    """Enter the transform."""
    app.add_transform(Boxes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
