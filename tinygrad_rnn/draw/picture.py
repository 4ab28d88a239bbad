"""The graph as data: what a drawing shows, before anybody says how it looks.

`observe` makes it of what was recorded. Every view of it (`steps`, `views`) is one idea: a view says which vertex stands for
which, and edges follow their ends (`quotient`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from ..analysis.equations import format_expression
from ..analysis.labels import format_caption, format_constant, label_values
from ..analysis.scopes import resolve_scopes
from ..graph import Scope, ScopePart, Value, node_of

LONGEST = 48
"""How many characters of a formula fit into a box."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """One thing in a drawing.

    Attributes
    ----------
    id : str
        The same in every run of the same program.
    kind : {"op", "parameter", "input", "constant", "state", "fold", "steps"}
        An ``"input"`` is a Tensor without gradients, a ``"constant"`` a plain array, ``"state"`` the place where a step takes
        what an earlier one made, a ``"fold"`` stands for a whole scope, ``"steps"`` for time steps that are left out.
    name : str
        What its author calls it, with its time step (``h₁``); empty if it has no name.
    text : str
        What it does: the sign or the formula of an op, the value of a constant, the contents of a fold.
    scope : tuple of ScopePart
        The clusters around it, outermost first.
    values : tuple of Value
        The result of an op, or a leaf; of a fold all results that leave it.
    ops : int
        How many ops it stands for.
    reach : int
        Of a state: how many time steps lie between where it is made and where it is used.
    formula : str
        Of a named result: its formula with those of its unnamed terms in it (``σ(x₀ @ W + h₀ @ U)``), if that is short.

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

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of its values, each once."""
        return list(dict.fromkeys(value.array.shape for value in self.values))


@dataclass(frozen=True, slots=True)
class Edge:
    """A value on its way from where it is made to where it is used.

    Attributes
    ----------
    source, target : str
        Ids of vertices.
    values : tuple of Value
        What flows; empty if that is a plain array.
    lag : int
        In a rolled view: how many time steps later it is used. 1 is the state, handed on; −1 that of a walk backwards.
    when : str
        In a rolled view: the time step at which alone this happens, as ``"t = 0"``.

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


@dataclass(slots=True)
class Picture:
    """Vertices by id, in the order in which they were computed; edges; and what must be said about both."""

    vertices: dict[str, Vertex]
    edges: list[Edge]
    notes: list[str] = field(default_factory=list)


def quotient(picture: Picture, stands_for: Mapping[str, Vertex]) -> Picture:
    """`picture` with every vertex in `stands_for` replaced; what becomes one is drawn as one.

    A vertex that stands for several holds the values that leave it, and counts their ops.
    """
    image = {name: stands_for.get(name, vertex) for name, vertex in picture.vertices.items()}
    edges: dict[tuple[str, str, int, str, int], list] = {}
    leaving: dict[str, dict] = {}
    ends = {edge.source for edge in picture.edges}
    for number, edge in enumerate(picture.edges):
        source, target = image[edge.source].id, image[edge.target].id
        if source != target or edge.lag:
            own = (
                0 if edge.source in stands_for or edge.target in stands_for else number
            )  # two uses of one value stay two
            edges.setdefault((source, target, edge.lag, edge.when, own), []).extend(edge.values)
        if source != target:
            leaving.setdefault(source, {}).update(dict.fromkeys(edge.values))
    ops: Counter[str] = Counter()
    for name, vertex in picture.vertices.items():
        ops[image[name].id] += vertex.ops
        if name not in ends:  # nothing uses it: the output
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


def observe(values: Iterable[Value]) -> Picture:
    """The recorded `values`, oldest first, and the leaves that they were made from. One pass; nothing is touched.

    A plain number is part of the op that uses it (``1 − ·``), not a vertex.
    """
    values = list(values)
    labels, scopes, found = label_values(values, unique=False), _scopes(values), Picture({}, [])
    ids: dict[Any, str] = {}
    inline: dict[Value, tuple[str, int]] = {}
    counts = {"op": 0, "parameter": 0, "input": 0, "constant": 0}

    def add(key: Any, kind: str, **attributes: Any) -> None:
        counts[kind] += 1
        ids[key] = f"{kind}{counts[kind]}"
        found.vertices[ids[key]] = Vertex(ids[key], kind, **attributes)

    for value in values:
        node = node_of(value)
        sources = [_key(x, array) for x, array in zip(node.inputs, node.arrays, strict=True)]
        for x, array, key in zip(node.inputs, node.arrays, sources, strict=True):
            if key is None or key in ids:
                continue
            if isinstance(x, Value):
                kind = "parameter" if x.tracked else "input"
                add(
                    x,
                    kind,
                    name=labels[x] if x.name or x.tracked else "",
                    text="" if x.name else format_constant(x),
                    scope=scopes[x],
                    values=(x,),
                )
            else:
                add(key, "constant", text=format_constant(array), scope=scopes[key])
        formula, level = format_expression(node, labels, inline)
        if not value.name and scopes[value] and scopes[value][-1].kind == "terms":
            inline[value] = (formula, level) if len(formula) <= LONGEST else ("…", 4)
        written = formula if value.name and len(formula) <= LONGEST else ""
        add(
            value,
            "op",
            name=labels.get(value, ""),
            text=format_caption(node, labels),
            scope=scopes[value],
            values=(value,),
            ops=1,
            formula=written,
        )
        for key in sources:
            if key is not None:
                found.edges.append(
                    Edge(ids[key], ids[value], (key,) if isinstance(key, Value) else ())
                )
    return found


def _key(x: Any, array: Any) -> Any:
    """What tells one input of an op from another; None for a plain number, which is part of the op."""
    if isinstance(x, Value):
        return None if x.node is None and not x.tracked and not x.name and x.array.ndim == 0 else x
    return None if getattr(array, "ndim", 0) == 0 else id(array)


def _scopes(values: list[Value]) -> dict[Any, Scope]:
    """The clusters of every op and every leaf.

    An op is in the scope in which it was recorded, and there with the named result that it is for: the unnamed
    terms of a gate belong to the gate. A leaf is where all its uses are; a parameter belongs to no time step.
    """
    within = resolve_scopes(values)
    heads: dict[Value, Value | None] = {}
    users: dict[Value, list[Value]] = {}
    for value in reversed(values):
        node = node_of(value)
        served = {heads[user] for user in users.get(value, [])}
        head = value if value.name else served.pop() if len(served) == 1 else None
        heads[value] = head if head is not None and within[head] == within[value] else None
        for x in node.inputs:
            if isinstance(x, Value) and x.node is not None:
                users.setdefault(x, []).append(value)
    scopes: dict[Any, Scope] = {}
    sizes: dict[Value | None, int] = {}
    for head in heads.values():
        sizes[head] = sizes.get(head, 0) + 1
    for value in values:
        node, head, here = node_of(value), heads[value], within[value]
        scopes[value] = here
        if head is not None and sizes[head] > 1:  # a named result and the unnamed terms for it
            scopes[value] = (*here, ScopePart("terms", head.name or ""))
        for x, array in zip(node.inputs, node.arrays, strict=True):
            key = _key(x, array)
            if key is None or (isinstance(x, Value) and x.node is not None):
                continue
            scopes[key] = common(scopes[key], here) if key in scopes else here
            if isinstance(x, Value) and x.tracked:
                scopes[key] = outside_time(scopes[key])
    return scopes


def common(a: Scope, b: Scope) -> Scope:
    """The scope around both."""
    return tuple(
        part for part, _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))
    )


def outside_time(scope: Scope) -> Scope:
    """The scope around the outermost time step."""
    return tuple(takewhile(lambda part: not part.is_step, scope))
