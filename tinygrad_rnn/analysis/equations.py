"""A graph as numbered equations that read like the program that ran, grouped by time step."""

from __future__ import annotations

from unicodedata import combining

from .. import check
from ..graph import Value
from .expressions import Inline, format_equation, format_heading, list_equations
from .labels import label_values, recorded_values
from .latex import write_equations

WIDTH = 64
"""The column at which shapes begin; a longer equation pushes its shape to the right."""

PARAMETERS_WIDTH = 80
"""The greatest width of the lines that list the parameters."""


def format_graph(*outputs: Value, shapes: bool = True, form: str = "text") -> str:
    """Return the graph of the outputs as equations in the order in which they were computed.

    The name of a result is followed by its time step (``h₁``). A result without a name is inlined
    into the equation that uses it, if it is used only once and its text is short. Otherwise it is
    named by its number (``#7``). All results are numbered in the order of computation, so the
    numbers of results that are inlined are left out. `backward_steps` uses the same numbers.

    A number has every digit that its dtype needs: 1/3 is 0.33333334 in float32. The numbers of a
    constant array of at most 8 entries are written out (``[2, 3]``). A larger one is shown by its
    shape. A condition such as ``x > 0`` is a constant for the graph, so its values are shown.

    Parameters
    ----------
    *outputs : Tensor
        The results of a computation, such as a loss.
    shapes : bool
        If True, write the shape of each result on the right.
    form : {"text", "latex"}
        The language of the equations; see `latex`.

    Returns
    -------
    str
        The equations. Every run of the same program gives the same text.

    Raises
    ------
    TypeError
        If an output has no graph.
    ValueError
        If `form` has another value.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import draw
    >>> w = tg.Tensor(0.5, requires_grad=True, name="w")
    >>> def cell(x, h):
    ...     h = tg.tanh(w * h + x)
    ...     h.name = "h"
    ...     return h, h
    >>> outputs, h = tg.scan(cell, tg.Tensor([1.0, 2.0]), tg.Tensor(0.0))
    >>> print(draw.text(h))
    parameters: w ()
    <BLANKLINE>
    time step 0
       3  h₀ = tanh(w ⊙ 0 + 1)                                              ()
    <BLANKLINE>
    time step 1
       6  h₁ = tanh(w ⊙ h₀ + 2)                                             ()
    """
    values = recorded_values("draw.text", *outputs)
    labels = label_values(values, numbered=True)
    if check.one_of("graph.text", "form", form, ("text", "latex")) == "latex":
        return write_equations(values, labels, shapes)
    inline: Inline = {}
    lines, here = _list_parameters(labels), None
    for number, value, scope in list_equations(values, labels, inline):
        if scope != here:
            here = scope
            lines += ["", format_heading(scope)]
        equation = format_equation(value, labels, inline)
        if shapes:
            # Combining characters such as the tilde of h̃ have no width of their own.
            width = WIDTH + sum(map(bool, map(combining, equation)))
            equation = f"{equation:<{width}}  {value.array.shape}"
        lines.append(f"{number:4}  {equation}")
    return "\n".join(lines)


def _list_parameters(labels: dict[Value, str]) -> list[str]:
    """Return the parameters with their shapes, in lines of limited width."""
    parameters = [(x, label) for x, label in labels.items() if x.node is None and x.tracked]
    lines, line = [], "parameters:"
    for i, (x, label) in enumerate(parameters, 1):
        text = f"{label} {x.array.shape}" + ("," if i < len(parameters) else "")
        if len(line) + len(text) >= PARAMETERS_WIDTH:
            lines.append(line)
            line = " " * len("parameters:")
        line += " " + text
    return [*lines, line]
