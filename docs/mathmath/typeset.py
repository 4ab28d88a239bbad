"""Arrays as typeset matrices, for the pages of this walk."""

import numpy as np
from IPython.display import Math, display


def matrix(numbers, name="", decimals=4):
    """The LaTeX of a matrix (a vector is a row, a number a number), with its name below."""
    array = np.asarray(numbers, dtype=float)
    if array.ndim == 0:
        return f"{array:.{decimals}f}"
    rows = r" \\ ".join(
        " & ".join(f"{x + 0.0:.{decimals}f}" for x in row)
        for row in np.atleast_2d(array.round(decimals))
    )
    body = rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"
    return rf"\underbrace{{{body}}}_{{{name}}}" if name else body


def show(*parts):
    """One line of formulas: texts are LaTeX, arrays become matrices."""
    display(Math(r" \;\; ".join(part if isinstance(part, str) else matrix(part) for part in parts)))
