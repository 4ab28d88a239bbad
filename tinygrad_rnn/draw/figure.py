"""`graph`: what a user calls, and the figure that it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.equations import format_graph as equations
from ..analysis.labels import label_values, recorded_values
from ..analysis.scopes import loop_of
from ..errors import argument_error, describe, format_count
from ..graph import Value, node_of
from . import options, views
from .fit import MOST, fitted
from .picture import Edge, Picture, Vertex, observe
from .steps import keep_steps, states
from .steps import roll as rolled
from .themes import theme_named

if TYPE_CHECKING:
    from pathlib import Path


class Graph:
    """The graph of a result, as data and as a figure.

    `graph` and ``CompiledModule.graph`` make it. In a notebook it shows itself.

    Attributes
    ----------
    paths : int or None
        With ``highlight``: along how many paths the gradient reaches it.

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
        picture: Picture,
        look: dict[str, Any],
        marked: frozenset[Value] | None,
        paths: int | None,
    ):
        self._values, self._picture, self._look, self._marked = values, picture, look, marked
        self.paths = paths

    @property
    def nodes(self) -> list[Vertex]:
        """What is visible, in the order of computation."""
        return list(self._picture.vertices.values())

    @property
    def edges(self) -> list[Edge]:
        """Who uses what."""
        return list(self._picture.edges)

    @property
    def status(self) -> str:
        """Whether a backward pass went through the graph."""
        return "backward done" if node_of(self._values[-1]).used else "forward only"

    @property
    def notes(self) -> list[str]:
        """What the figure says about itself, beginning with its status and its size; then what it leaves out and how to see it."""
        return [f"{self.status} · {format_count(len(self._values), 'op')}", *self._picture.notes]

    def text(self, *, shapes: bool = True) -> str:
        """The whole graph as numbered equations that read like the program that ran, grouped by time step.

        Parameters
        ----------
        shapes : bool, keyword-only
            The shape of each result at the end of its line. Without them the equations stand alone.

        Returns
        -------
        str

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> print(tg.graph(tg.tanh(w * w).sum()).text(shapes=False))
        parameters: w (2,)
        <BLANKLINE>
        outside of time
           1  #1 = Σ(tanh(w ⊙ w))
        """
        return equations(self._values[-1], shapes=shapes)

    def dot(self) -> str:
        """This view in the DOT language.

        Raises
        ------
        ValueError
            If more is visible than can be drawn; the message says how to fold it.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> tg.graph(w.sum()).dot().splitlines()[0]
        'digraph {'
        """
        from .dot import Look, write

        if len(self._picture.vertices) > MOST:
            raise argument_error(
                "graph.dot",
                "fold",
                expected=f"at most {MOST} visible nodes",
                got=f"{len(self._picture.vertices):,}, which no scope or time step groups into fewer",
                fix="record parts under tg.scope(name) and fold=1, or use text(), which has no limit",
            )
        look = Look(**self._look, marked=self._marked, graded=bool(node_of(self._values[-1]).used))
        return write(self._picture, look, "\n".join(self.notes))

    def svg(self) -> str:
        """This view as SVG text.

        Raises
        ------
        NoEngineError
            If nothing here draws pictures; `text`, `dot` and `data` need nothing that does.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
        >>> tg.graph(w.sum()).svg()[:4]
        '<svg'
        """
        from .render import render

        drawn = render(self.dot(), "svg").decode("utf-8")
        return drawn[drawn.index("<svg") :]

    def save(self, path: str | Path) -> Path:
        """Write the figure to `path`; its ending says how: .svg, .png, .pdf, .dot, .txt or .json.

        Parameters
        ----------
        path : path-like
            An .svg, .png or .pdf needs what draws; a .dot, .txt or .json does not.

        Returns
        -------
        pathlib.Path
            Where it is.

        Raises
        ------
        ValueError
            If the ending is none of these.
        OSError
            If the file cannot be written.
        NoEngineError
            If nothing here draws pictures. The DOT text is then saved beside `path`, and the message says so.
        RuntimeError
            If what draws them fails; the DOT text is saved beside `path` as well.

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
        from .save_figure import save

        return save(self, path)

    def data(self) -> dict[str, Any]:
        """The view as plain dicts and lists, for JSON.

        Returns
        -------
        dict
            ``"nodes"`` and ``"edges"``, which name nodes by ``"id"``; ``"scopes"``, ``"steps"``, ``"status"`` and ``"notes"``.

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
                    "scope": list(v.scope),
                    "shapes": v.shapes,
                    "ops": v.ops,
                }
                for v in self.nodes
            ],
            "edges": [
                {"source": e.source, "target": e.target, "lag": e.lag, "when": e.when}
                for e in self.edges
            ],
            "scopes": list(dict.fromkeys(v.scope for v in self.nodes if v.scope)),
            "steps": sorted(
                {place[1] for v in self.nodes if (place := loop_of(v.scope)) and v.kind != "steps"}
            ),
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """In a notebook: the drawing if there is an engine, and always the equations. Never raises."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle["text/plain"] = self.text()
            bundle["image/svg+xml"] = self.svg()
        except Exception as error:  # a figure must not break the notebook that shows it
            bundle["text/plain"] += f"\n\nnot drawn: {error}"
        return bundle

    def __repr__(self) -> str:
        return f"<graph: {len(self.nodes)} nodes, {len(self.edges)} edges visible; {'; '.join(self.notes)}>"


def graph(
    output: Any,
    *,
    show: str | Iterable[str] = "shape",
    steps: str | None = None,
    roll: bool = False,
    fold: int | str | Sequence[int | str] = (),
    parameters: str | None = None,
    highlight: Any = None,
    theme: str = "light",
    direction: str = "up",
) -> Graph:
    """The computation graph of `output`, to read, to draw and to save.

    Nothing is computed or changed: the graph is what was recorded. It can be taken before or after `backward`.

    Parameters
    ----------
    output : Tensor
        The result of a computation, such as a loss; or a gradient made with ``create_graph=True``.
    show : {"shape", "value", "grad"}, one or several, with commas
        What stands below each name. A gradient that is not there reads "—"; interior ones need ``backward(retain_grads=True)``.
        With "grad" the width of an edge follows the norm of the gradient of what it carries, which is that over all its uses.
    steps : str, optional
        ``"first:2,last:1"``: of every loop the first two time steps and the last; one mark stands for the rest. Not with `roll`.
    roll : bool
        Draw one time step for all, with an edge t−1 that carries the state.
    fold : int or str, or a sequence of them
        A box in place of each scope at this depth, of this name, or on this path (``"gru / layer 0"``): a module's, a layer's, or
        that of a named result with its unnamed terms. ``"names"`` gives every such result a box with its whole formula.
    parameters : {"once", "chips", "hide"}, optional
        Draw a parameter once, at each of its uses, or not at all; at each of its uses if rolled, else once.
    highlight : Tensor, optional
        Mark every path along which the gradient travels from `output` to it, and count them.
    theme : {"light", "dark", "print"}
    direction : {"up", "down", "right"}
        Where the data flows; with "up" and "down", time goes to the right.

    Returns
    -------
    Graph

    Raises
    ------
    TypeError
        If `output` has no graph.
    ValueError
        If an option is not one of these.

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
    values = recorded_values("graph", output)
    kept, folds = options.bounds(steps, roll=roll), options.folds(fold)
    parameters = options.one_of(
        "parameters", parameters or ("chips" if roll else "once"), ("once", "chips", "hide")
    )
    options.one_of("direction", direction, ("up", "down", "right"))
    look = {"show": options.shown(show), "theme": theme_named(theme), "direction": direction}
    picture = observe(values)
    picture = states(views.fold_gradients(picture) if roll else picture)
    if kept is not None:
        picture = keep_steps(picture, *kept)
    if roll:
        picture = rolled(picture)
    for by in folds:
        picture = views.fold(picture, by)
    if parameters != "once":
        picture = (
            views.chips(picture) if parameters == "chips" else views.without_parameters(picture)
        )
    picture = fitted(picture, steps_chosen=steps is not None)
    marked, paths = None, None
    if highlight is not None:
        marked, paths = _paths(values, highlight)
        hidden = ", which is hidden" if parameters == "hide" and highlight.node is None else ""
        picture.notes.append(
            f"{format_count(paths, 'path')} to {label_values(values).get(highlight, 'what is marked')}{hidden}"
        )
    return Graph(values, picture, look, marked, paths)


def _paths(values: list[Value], highlight: Any) -> tuple[frozenset[Value], int]:
    """What lies on a path of the gradient from the output to `highlight`, and how many paths there are.

    Counted by dynamic programming: the paths to a value are those to all its uses together.
    """
    inside = set(values) | {
        x for value in values for x in node_of(value).inputs if isinstance(x, Value)
    }
    if not isinstance(highlight, Value) or highlight not in inside or not highlight.tracked:
        raise argument_error(
            "graph",
            "highlight",
            expected="a Tensor with gradients in this graph",
            got=describe(highlight),
            fix="pass a parameter it uses",
        )
    reached = {highlight}
    for value in values:
        if any(isinstance(x, Value) and x in reached for x in node_of(value).inputs):
            reached.add(value)
    ways: Counter[Value] = Counter({values[-1]: 1})
    for value in reversed(values):
        for x in node_of(value).inputs:
            if isinstance(x, Value) and x in reached and value in reached:
                ways[x] += ways[value]
    return frozenset(reached), ways[highlight]
