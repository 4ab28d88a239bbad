"""The function `graph`, and the class `Graph` of the figures that it returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from .. import check
from ..analysis.equations import format_graph as equations
from ..analysis.labels import label_values, recorded_values
from ..analysis.scopes import loop_of, plain_scope
from ..errors import argument_error, describe, format_count
from ..graph import Value
from . import options, parameter_views, views
from .dot import place, write_dot
from .fit import PAPER, SCREEN, choose_view, shrink_to_fit
from .look import FONT, Look
from .orient import Orientation
from .patience import say_if_slow
from .picture import Edge, Picture, Vertex, build_picture
from .placing import Placement
from .roll import roll_steps
from .steps import add_states, keep_steps
from .themes import THEMES, adapt_to_page

if TYPE_CHECKING:
    from pathlib import Path


MOST_NUMBERS = 99
"""The greatest number of ops of a graph whose results show their numbers."""


class Graph:
    """The graph of a result, as data and as a figure.

    `graph` and ``CompiledModule.graph`` return it. A notebook shows it as a picture.

    Attributes
    ----------
    paths : int or None
        The number of paths from the output to the highlighted Tensor; None without ``highlight``.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    >>> g = tg.graph(tg.tanh(w * w).sum())
    >>> g.status, len(g.nodes), len(g.edges)
    ('forward only', 4, 4)
    >>> g.notes
    ['forward only · 3 ops']
    """

    def __init__(
        self,
        values: list[Value],
        outputs: list[Value],
        make_picture: Callable[[Graph], Picture],
        look: Look,
        paths: int | None,
    ):
        self._values, self._outputs, self._make_picture = values, outputs, make_picture
        self._own_look, self.paths = look, paths
        self._placements: dict[bool, Placement] = {}

    @cached_property
    def _picture(self) -> Picture:
        return self._make_picture(self)

    @property
    def _look(self) -> Look:
        return replace(self._own_look, backward_done=self.status == "backward done")

    def _place(self) -> Placement:
        """Return the places of everything in the picture."""
        look = self._look
        if look.backward_done not in self._placements:
            with say_if_slow(f"laying out {format_count(len(self._picture.vertices), 'node')}"):
                self._placements[look.backward_done] = place(self._picture, look)
        return self._placements[look.backward_done]

    def _measure(self, picture: Picture) -> tuple[float, float]:
        """Return the width and the height of the drawing of a picture, in points."""
        placed = place(picture, self._look)
        return Orientation(self._look.direction).size(placed.width, placed.height)

    @property
    def nodes(self) -> list[Vertex]:
        """The visible vertices, in the order of computation."""
        return list(self._picture.vertices.values())

    @property
    def edges(self) -> list[Edge]:
        """The visible edges, from each value to its uses."""
        return list(self._picture.edges)

    @property
    def status(self) -> str:
        """``"backward done"`` after a backward pass through the graph, else ``"forward only"``."""
        done = any(output.node.used for output in self._outputs)
        return "backward done" if done else "forward only"

    @property
    def notes(self) -> list[str]:
        """The lines below the figure.

        The first line gives the status and the size of the graph. Further lines say what the figure
        leaves out, and how to see these parts.
        """
        return [f"{self.status} · {format_count(len(self._values), 'op')}", *self._picture.notes]

    def text(self, *, shapes: bool = True, form: str = "text") -> str:
        """Return the whole graph as numbered equations, grouped by time step.

        Parameters
        ----------
        shapes : bool, keyword-only
            If True, write the shape of each result at the end of its line.
        form : {"text", "latex"}, keyword-only
            With "latex", the equations are an ``aligned`` environment of LaTeX, to be used in math
            mode: between ``\\[`` and ``\\]``, or between ``$$`` and ``$$`` in a notebook. It needs
            the package amsmath alone, and it has no numbers of equations.

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If `form` has another value.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> print(tg.graph(tg.tanh(w * w).sum()).text(shapes=False))
        parameters: w (2,)
        <BLANKLINE>
        outside of time
           3  #3 = Σ(tanh(w ⊙ w))
        >>> print(tg.graph(tg.tanh(w * w).sum()).text(shapes=False, form="latex"))
        \\begin{aligned}
        &\\text{parameters: } w\\ (2,) \\\\[1ex]
        &\\text{outside of time} \\\\
        \\#3 &= \\sum(\\tanh(w \\odot w))
        \\end{aligned}
        """
        return equations(*self._outputs, shapes=shapes, form=form)

    def dot(self) -> str:
        """Return this view in the DOT language.

        All nodes, frames and edges have their places in the text: ``neato -n2`` draws them there.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> tg.graph(w.sum()).dot().splitlines()[0]
        'digraph {'
        """
        return write_dot(self._picture, self._place(), self._look, self.notes)

    def svg(self) -> str:
        """Return this view as SVG text.

        Raises
        ------
        NoEngineError
            If this machine has no Graphviz. `text`, `dot` and `data` work without it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> tg.graph(w.sum()).svg()[:4]
        '<svg'
        """
        from .render import render

        drawn = render(self.dot(), "svg").decode("utf-8")
        drawn = drawn[drawn.index("<svg") :]
        return adapt_to_page(drawn) if self._look.theme is THEMES["auto"] else drawn

    def tikz(self) -> str:
        """Return this view as TikZ, to be put into a paper by ``\\input``.

        The paper needs the packages amsmath and tikz, and TikZ's library arrows.meta. Formulas are
        set in the paper's fonts.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> tg.graph(w.sum()).tikz().splitlines()[-1]
        '\\\\end{tikzpicture}'
        """
        from .tikz import write_tikz

        return write_tikz(self._picture, self._place(), self._look)

    def save(self, path: str | Path, *, dpi: float = 96) -> Path:
        """Write the figure to `path`, in the format given by the suffix of the name.

        Parameters
        ----------
        path : path-like
            A name that ends in .svg, .png, .pdf, .dot, .tex, .txt or .json. The first three need
            Graphviz; the others do not. A .tex file holds TikZ, see `tikz`.
        dpi : float
            The number of pixels per inch of a PNG, from 10 to 1200.

        Returns
        -------
        pathlib.Path
            The path of the file.

        Raises
        ------
        ValueError
            If the name has another suffix.
        OSError
            If the file cannot be written.
        NoEngineError
            If this machine has no Graphviz. The DOT text is then saved in the same folder, and
            the message names that file.
        RuntimeError
            If Graphviz fails. The DOT text is saved in this case too.

        Examples
        --------
        >>> import os, tempfile
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = tg.graph(w.sum()).save(os.path.join(folder, "graph.txt"))
        ...     print(path.name, path.stat().st_size > 0)
        graph.txt True
        """
        from .save_figure import save_figure

        return save_figure(self, path, options.parse_dpi(dpi))

    def data(self) -> dict[str, Any]:
        """Return this view as plain dicts and lists, for JSON.

        Returns
        -------
        dict
            The keys are ``"nodes"``, ``"edges"``, ``"scopes"``, ``"steps"``, ``"status"`` and
            ``"notes"``. Edges refer to nodes by their ``"id"``. If `show` asks for them, a node has
            ``"value"`` and ``"grad"``; a gradient that is not known is
            None, and a number that JSON does not have is text: ``"nan"``, ``"inf"``.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> data = tg.graph(w.sum()).data()
        >>> [(node["id"], node["kind"], node["name"]) for node in data["nodes"]]
        [('parameter1', 'parameter', 'w'), ('op1', 'op', '')]
        >>> data["edges"]
        [{'source': 'parameter1', 'target': 'op1', 'lag': 0, 'when': ''}]
        """
        return {
            "status": self.status,
            "notes": self.notes,
            "nodes": [
                {
                    "id": v.id,
                    "kind": v.kind,
                    "name": v.name,
                    "text": v.text,
                    "scope": list(plain_scope(v.scope)),
                    "shapes": v.shapes,
                    "ops": v.ops,
                    **self._numbers(v),
                }
                for v in self.nodes
            ],
            "edges": [
                {"source": e.source, "target": e.target, "lag": e.lag, "when": e.when}
                for e in self.edges
            ],
            "scopes": list(dict.fromkeys(plain_scope(v.scope) for v in self.nodes if v.scope)),
            "steps": sorted(
                {place[1] for v in self.nodes if (place := loop_of(v.scope)) and v.kind != "steps"}
            ),
        }

    def _numbers(self, vertex: Vertex) -> dict[str, Any]:
        """Return the value and the gradient of a vertex as lists, if `show` asks for them."""
        numbers: dict[str, Any] = {}
        for value in vertex.values if len(vertex.values) == 1 else ():
            if "value" in self._look.show:
                numbers["value"] = _as_json(value.array.tolist())
            if "grad" in self._look.show and value.tracked:
                grad = value.grad if self._look.backward_done else None
                numbers["grad"] = None if grad is None else _as_json(grad.tolist())
        return numbers

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return what a notebook shows: the equations and, if it can be drawn, the picture.

        This method never raises an error.
        """
        bundle = {"text/plain": repr(self)}
        try:
            bundle["text/plain"] = self.text()
            bundle["image/svg+xml"] = self.svg()
        except Exception as error:  # a figure must not break the notebook that shows it
            bundle["text/plain"] += f"\n\nnot drawn: {error}"
        return bundle

    def __repr__(self) -> str:
        size = f"{len(self.nodes)} nodes, {len(self.edges)} edges visible"
        return f"<graph: {size}; {'; '.join(self.notes)}>"


def _as_json(numbers: Any) -> Any:
    """Return nested lists of numbers with text in place of numbers that JSON does not have."""
    if isinstance(numbers, list):
        return [_as_json(x) for x in numbers]
    return numbers if not isinstance(numbers, float) or isfinite(numbers) else str(numbers)


def graph(
    output: Any,
    *,
    show: str | Iterable[str] = "shape",
    steps: str | None = None,
    roll: bool = False,
    fold: int | str | Sequence[int | str] | None = None,
    parameters: str | None = None,
    highlight: Any = None,
    theme: str = "light",
    direction: str = "up",
    width: str | float | None = None,
    title: str = "",
    note: bool = True,
    legend: bool = False,
    font: str = FONT,
    font_size: float = 12.0,
) -> Graph:
    """Return the computation graph of `output`, to read, to draw and to save.

    The graph is the one that was recorded. Nothing is computed or changed, so `graph` can be called
    before or after `backward`. Without `steps`, `roll`, `fold` and `parameters`, the most detailed
    view that can be read on a screen is drawn: every op of a small graph, the gates of a larger
    one, then whole time steps. A note says which view it is.

    Parameters
    ----------
    output : Tensor, or sequence of Tensors
        The result of a computation, for example a loss, or a gradient made with
        ``create_graph=True``. Several results are drawn in one picture.
    show : {"shape", "value", "grad"}, or several, separated by commas
        The details to write under each name. A missing gradient is shown as "—"; intermediate
        results have gradients only after ``backward(retain_grads=True)``. With "grad", an edge is
        wider if the gradient of its value has a larger norm. This gradient is the sum over all uses
        of the value.
    steps : str, optional
        The time steps to draw in every loop. For example, ``"first:2,last:1"`` keeps the first two
        and the last. Each "…" stands for omitted steps. `steps` cannot be combined with `roll`.
    roll : bool
        Draw one time step in place of all. An edge brings in the state of the previous step, t−1.
    fold : int or str, or a sequence of them, optional
        Draw one box in place of each scope at this depth, with this name, or with this path (for
        example ``"gru / layer 0"``). A scope is a module, a layer, a ``tg.scope``, or a named
        result with the unnamed results in its formula. ``"gate"`` gives every named result a box
        with its whole formula (``"names"`` is the same), ``"step"`` gives every time step a box,
        ``"module"`` every outermost module, and ``"blocks"`` equal blocks that follow each other
        one box for all. ``()`` shows every op.
    parameters : {"once", "chips", "hide"}, optional
        Draw each parameter once ("once"), at each of its uses ("chips"), or not at all ("hide").
        The default is "chips" if `roll` is True, else "once".
    highlight : Tensor, optional
        Mark every path along which the gradient flows from `output` to this Tensor, and count the
        paths.
    theme : {"light", "dark", "auto", "print"}
        The colours. An SVG with "auto" is light or dark as the reader's page is.
    direction : {"up", "down", "right"}
        The direction in which data flows. With "up" and "down", time goes to the right.
    width : {"column", "page", "slide"} or float, optional
        The width on paper: 3.5, 6.5 or 12 inches, or a number of points. The drawing is not wider,
        and the view is the most detailed one whose letters are not smaller than 6 points.
    title : str
        A line above the figure.
    note : bool
        If False, leave out the lines below the figure.
    legend : bool
        If True, explain shapes and colours below the figure.
    font : str
        The names of fonts, in order of preference, separated by commas.
    font_size : float
        The size of the letters of names, in points. Details are three quarters as large.

    Returns
    -------
    Graph

    Raises
    ------
    TypeError
        If `output` has no graph, or if an option has the wrong type.
    ValueError
        If an option has a value that is not listed above, or if the graph does not contain the
        scope in `fold` or the Tensor `highlight`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    >>> g = tg.graph(tg.tanh(w * w).sum(), highlight=w)
    >>> [node.name or node.text for node in g.nodes]
    ['w', '⊙', 'tanh', 'Σ']
    >>> g.paths
    2
    """
    outputs = options.parse_outputs(output)
    values = recorded_values("graph", *outputs)
    kept, folds = options.parse_steps(steps, roll=roll), options.parse_fold(fold)
    is_free = kept is None and not roll and fold is None and parameters is None
    parameters = parameters or ("chips" if roll else "once")
    check.one_of("graph", "parameters", parameters, ("once", "chips", "hide"))
    look = Look(
        show=options.parse_show(show),
        theme=THEMES[check.one_of("graph", "theme", theme, THEMES)],
        direction=check.one_of("graph", "direction", direction, ("up", "down", "right")),
        width=options.parse_width(width),
        numbers=len(values) <= MOST_NUMBERS,
        title=check.instance("graph", "title", title, str, "a str", 'write title="…"'),
        note=check.flag("graph", "note", note),
        legend=check.flag("graph", "legend", legend),
        font=check.instance("graph", "font", font, str, "a str", 'write font="Times"'),
        points=options.parse_font_size(font_size),
    )
    picture = build_picture(values)
    picture = views.fold_gradients(picture) if roll else picture
    picture = add_states(picture, keep_leaves=roll)
    if kept is not None:
        picture = keep_steps(picture, *kept)
    if roll:
        picture = roll_steps(picture)
    for by in folds:
        picture = views.fold_scopes(picture, by)
    if parameters != "once":
        picture = (
            parameter_views.copy_parameters(picture)
            if parameters == "chips"
            else parameter_views.hide_parameters(picture)
        )
    paths = None
    if highlight is not None:
        marked, paths = _find_paths(values, highlight)
        look = replace(look, marked=marked)
        target = label_values(values).get(highlight, "the marked Tensor")
        hidden = ", which is hidden" if parameters == "hide" and highlight.node is None else ""
        picture.notes.append(f"{format_count(paths, 'path')} to {target}{hidden}")

    def make_picture(drawn: Graph) -> Picture:
        if not is_free:
            return shrink_to_fit(picture, steps_chosen=steps is not None)
        with say_if_slow("choosing a view of a large graph"):
            paper = PAPER if look.width else None
            return choose_view(picture, drawn._measure, look.width or SCREEN, paper)

    return Graph(values, outputs, make_picture, look, paths)


def _find_paths(values: list[Value], highlight: Any) -> tuple[frozenset[Value], int]:
    """Return the values on a path from `highlight` to the output, and the number of such paths.

    The number of paths from a value to the output is a sum over the uses of the value. Each use
    contributes the number of paths from its result to the output.
    """
    inside = set(values) | {
        x for value in values for x in value.node.inputs if isinstance(x, Value)
    }
    if not isinstance(highlight, Value) or highlight not in inside or not highlight.tracked:
        expected = "a Tensor with gradients in this graph"
        fix = "pass a parameter that the output was computed from"
        raise argument_error("graph", "highlight", expected, describe(highlight), fix)
    reached = {highlight}
    for value in values:
        if any(isinstance(x, Value) and x in reached for x in value.node.inputs):
            reached.add(value)
    paths: Counter[Value] = Counter({values[-1]: 1})
    for value in reversed(values):
        for x in value.node.inputs:
            if isinstance(x, Value) and x in reached and value in reached:
                paths[x] += paths[value]
    return frozenset(reached), paths[highlight]
