"""The graph as data: the vertices and edges of a drawing, without its style.

`build_picture` makes a picture of a recorded graph. The functions in `steps`, `roll` and `views`
return changed copies of a picture. Most of them replace vertices by others and redirect the edges
(`merge_vertices`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from ..analysis.brackets import ATOM
from ..analysis.expressions import format_expression
from ..analysis.labels import format_caption, format_constant, label_values
from ..analysis.scopes import Loop, find_loops_around, is_in_gradient, resolve_scopes
from ..errors import format_count
from ..graph import Value
from ..scope_part import Scope, ScopePart, format_scope

MAX_FORMULA = 48
"""The largest number of characters of a formula in a box."""

MAX_CONSTANT = 24
"""The largest number of characters of an array in a box; a longer one is shown by its shape."""


@dataclass(frozen=True, slots=True, repr=False)
class Vertex:
    """One box or mark in a drawing.

    Attributes
    ----------
    id : str
        An identifier, the same in every run of the same program.
    kind : {"op", "parameter", "input", "constant", "state", "fold", "steps"}
        An ``"input"`` is a leaf Tensor without gradients, and a ``"constant"`` is a plain array. A
        ``"state"`` marks where a value from another time step enters a step. A ``"fold"`` is one
        box for a whole scope, and ``"steps"`` is a mark for omitted time steps.
    name : str
        The name of the value in the program, with its time step (``h₁``); empty if it has none.
    text : str
        For an op: its symbol or formula. For an unnamed leaf: its shape, or its value if it is one
        number. For a fold: a formula, or the number of ops.
    scope : tuple of ScopePart
        The scopes around the vertex (modules, time steps, gates), outermost first.
    values : tuple of Value
        The result of an op, or a leaf. For a fold: all results that are used outside of it.
    ops : int
        The number of ops that the vertex stands for.
    reach : int
        For a state: the number of time steps from its computation to its use.
    number : str
        For a result without a name: its number (``#4``), which text and `backward_steps` use too.
    carries : str
        For the first state of a loop that has a name of its own: the name of the state in the
        steps after it.
    formula : str
        For a named result: its formula, with the formulas of its unnamed terms inserted
        (``σ(x₀ @ W + h₀ @ U)``). It is empty if it would be longer than `MAX_FORMULA`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    >>> parameter, op = tg.graph(tg.tanh(w)).nodes
    >>> parameter.kind, parameter.name, op.kind, op.text, op.shapes
    ('parameter', 'w', 'op', 'tanh(w)', [(2,)])
    """

    id: str
    kind: str
    name: str = ""
    text: str = ""
    scope: Scope = ()
    values: tuple[Value, ...] = ()
    ops: int = 0
    formula: str = ""
    reach: int = 0
    carries: str = ""
    number: str = ""

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The distinct shapes of the vertex's values."""
        return list(dict.fromkeys(value.array.shape for value in self.values))

    def __repr__(self) -> str:
        said = " = ".join(filter(None, [self.name, self.text]))
        shapes = "" if self.text in map(str, self.shapes) else ", ".join(map(str, self.shapes))
        where = f"in {format_scope(self.scope)}" if self.scope else ""
        return f"<{self.id}: {' '.join(filter(None, [said, shapes, where]))}>"


@dataclass(frozen=True, slots=True, repr=False)
class Edge:
    """A use of a value: from the vertex that computes it to a vertex that uses it.

    Attributes
    ----------
    source, target : str
        Ids of vertices.
    values : tuple of Value
        The values that flow along the edge; empty for a plain array.
    lag : int
        In a rolled view: the number of time steps from computation to use. It is 0 within one step,
        1 for the state of the step before, and −1 for such a state in a reverse scan.
    when : str
        In a rolled view: ``"at first"`` if only the first time step uses the value.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    >>> g = tg.graph(tg.tanh(w))
    >>> [edge.source for edge in g.edges] == [g.nodes[0].id]
    True
    """

    source: str
    target: str
    values: tuple[Value, ...] = ()
    lag: int = 0
    when: str = ""

    def __repr__(self) -> str:
        late = f", {format_count(abs(self.lag), 'step')} {'later' if self.lag > 0 else 'earlier'}"
        when = f", {self.when}" if self.when else ""
        return f"<{self.source} → {self.target}{late if self.lag else ''}{when}>"


@dataclass(slots=True)
class Picture:
    """The vertices by id in order of computation, the edges, and the notes below the figure."""

    vertices: dict[str, Vertex]
    edges: list[Edge]
    notes: list[str] = field(default_factory=list)


def find_places(picture: Picture) -> dict[str, Loop | None]:
    """Return the outermost loop around each vertex and the time step in it, by the vertex's id."""
    return find_loops_around({name: vertex.scope for name, vertex in picture.vertices.items()})


def find_lags(picture: Picture) -> dict[str, int]:
    """Return how many steps a state is carried, by the id of its vertex, if steps are rolled up."""
    return {edge.target: edge.lag for edge in picture.edges if edge.lag}


def merge_vertices(picture: Picture, stands_for: Mapping[str, Vertex]) -> Picture:
    """Return `picture` with each vertex in `stands_for` replaced by its entry there.

    Vertices with the same replacement become one, as do their parallel edges (a quotient graph).
    The new vertex holds the values that are used outside of it, and its ``ops`` is the sum over the
    vertices that it replaces.
    """
    image = {name: stands_for.get(name, vertex) for name, vertex in picture.vertices.items()}
    edges: dict[tuple[str, str, int, str, int], list] = {}
    leaving: dict[str, dict] = {}
    for number, edge in enumerate(picture.edges):
        source, target = image[edge.source].id, image[edge.target].id
        if source != target or edge.lag:
            is_merged = edge.source in stands_for or edge.target in stands_for
            apart = 0 if is_merged else number  # two uses of one value stay two edges
            edges.setdefault((source, target, edge.lag, edge.when, apart), []).extend(edge.values)
        if source != target:
            leaving.setdefault(source, {}).update(dict.fromkeys(edge.values))
    used = {edge.source for edge in picture.edges}
    ops: Counter[str] = Counter()
    for name, vertex in picture.vertices.items():
        ops[image[name].id] += vertex.ops
        if name not in used:  # this is the output
            leaving.setdefault(image[name].id, {}).update(dict.fromkeys(vertex.values))
    new = {v.id for v in stands_for.values()}
    vertices = {
        v.id: replace(v, values=tuple(leaving.get(v.id, ())), ops=ops[v.id]) if v.id in new else v
        for v in {v.id: v for v in image.values()}.values()
    }
    merged = [
        Edge(source, target, tuple(dict.fromkeys(values)), lag, when)
        for (source, target, lag, when, _), values in edges.items()
    ]
    return Picture(vertices, merged, list(picture.notes))


def build_picture(values: Iterable[Value]) -> Picture:
    """Return a picture of the recorded `values`, given oldest first, and of their leaves.

    A plain number gets no vertex: the op that uses it shows it (``1 − ·``).
    """
    values = list(values)
    labels, scopes = label_values(values, unique=False), _find_scopes(values)
    picture = Picture({}, [])
    ids: dict[Any, str] = {}
    inline: dict[Value, tuple[str, int]] = {}
    counts: Counter[str] = Counter()

    def add(key: Any, kind: str, **attributes: Any) -> None:
        counts[kind] += 1
        ids[key] = f"{kind}{counts[kind]}"
        picture.vertices[ids[key]] = Vertex(ids[key], kind, scope=scopes[key], **attributes)

    for number, value in enumerate(values, 1):
        node = value.node
        if node.op.name == "part":  # a result of a compiled call is drawn as the box of the call
            ids[value] = ids[node.inputs[0]]
            box = picture.vertices[ids[value]]
            results = (*[y for y in box.values if y is not node.inputs[0]], value)
            name = ", ".join(dict.fromkeys(labels[y] for y in results if y.name))
            picture.vertices[box.id] = replace(box, values=results, name=name)
            continue
        sources = []
        for x, array in zip(node.inputs, node.arrays, strict=True):
            if (key := _input_key(x, array)) is not None:
                sources.append(key)
                if key not in ids:
                    add(key, **_describe_leaf(x, array, labels))
        formula, level = format_expression(node, labels, inline)
        is_short = len(formula) <= MAX_FORMULA
        if not value.name and scopes[value] and scopes[value][-1].kind == "terms":
            inline[value] = (formula, level) if is_short else ("…", ATOM)
        add(
            value,
            "op",
            name=labels.get(value, ""),
            text=format_caption(node, labels),
            values=(value,),
            ops=1,
            formula=formula if value.name and is_short else "",
            number="" if value.name else f"#{number}",
        )
        for key in sources:
            flow = (key,) if isinstance(key, Value) else ()
            picture.edges.append(Edge(ids[key], ids[value], flow))
    return picture


def _describe_leaf(x: Any, array: Any, labels: Mapping[Value, str]) -> dict[str, Any]:
    """Return the attributes of the vertex for a leaf: a Value, or a plain array."""
    text = format_constant(array)
    text = text if len(text) <= MAX_CONSTANT else f"array{array.shape}"
    if not isinstance(x, Value):
        return {"kind": "constant", "text": text}
    return {
        "kind": "parameter" if x.tracked else "input",
        "name": labels[x] if x.name or x.tracked else "",
        "text": "" if x.name else text,
        "values": (x,),
    }


def _input_key(x: Any, array: Any) -> Any:
    """Return a key that identifies an input; None for a plain number, which gets no vertex."""
    if isinstance(x, Value):
        return None if x.node is None and not x.tracked and not x.name and x.array.ndim == 0 else x
    return None if getattr(array, "ndim", 0) == 0 else id(array)


def _find_scopes(values: list[Value]) -> dict[Any, Scope]:
    """Return the scope of every op and of every leaf, by `_input_key`.

    An op is in the scope in which it was recorded. If an unnamed op contributes to only one named
    result of this scope, both get an inner scope of kind ``"terms"``. For example, the terms of a
    gate are together with the gate. Ops of a gradient get no such scope, because the name of a
    gradient may have another time step than its ops. A leaf is in the innermost scope around all
    its uses, but a parameter is never in a time step.
    """
    recorded_in = resolve_scopes(values)
    heads: dict[Value, Value | None] = {}
    users: dict[Value, list[Value]] = {}
    for value in reversed(values):
        node = value.node
        served = {heads[user] for user in users.get(value, [])}
        head = value if value.name else served.pop() if len(served) == 1 else None
        here = recorded_in[value]
        is_near = head is not None and recorded_in[head] == here and not is_in_gradient(here)
        heads[value] = head if is_near else None
        for x in node.inputs:
            if isinstance(x, Value) and x.node is not None:
                users.setdefault(x, []).append(value)
    scopes: dict[Any, Scope] = {}
    sizes = Counter(heads.values())
    clusters: dict[Value | None, Scope] = {
        head: (*recorded_in[head], ScopePart("terms", head.name or ""))
        for head, size in sizes.items()
        if head is not None and size > 1
    }
    for value in values:
        node, here = value.node, recorded_in[value]
        scopes[value] = clusters.get(heads[value], here)
        for x, array in zip(node.inputs, node.arrays, strict=True):
            key = _input_key(x, array)
            if key is None or (isinstance(x, Value) and x.node is not None):
                continue
            scopes[key] = common_scope(scopes[key], here) if key in scopes else here
            if isinstance(x, Value) and x.tracked:
                scopes[key] = scope_outside_time(scopes[key])
    return scopes


def common_scope(a: Scope, b: Scope) -> Scope:
    """Return the innermost scope that contains both scopes."""
    return tuple(
        part for part, _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))
    )


def scope_outside_time(scope: Scope) -> Scope:
    """Return the scope around the outermost time step."""
    return tuple(takewhile(lambda part: not part.is_step, scope))
