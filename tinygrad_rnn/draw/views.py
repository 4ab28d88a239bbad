"""Views of a picture: folded scopes, and parameters at their uses or hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..analysis.labels import SUBSCRIPTS
from ..analysis.scopes import loop_of
from ..errors import argument_error, format_count
from ..graph import Scope, ScopePart, Value, node_of
from .picture import Picture, Vertex, quotient


def fold(picture: Picture, by: int | str) -> Picture:
    """One box for each scope of the name, or at the depth, `by`; with "names" for each named result. Parameters stay outside.

    Raises
    ------
    ValueError
        If there is no such scope.
    """
    folded = _folded(picture, lambda scope: _folded_at(scope, by))
    if folded is None and by != "names":
        known = sorted(
            {str(part) for v in picture.vertices.values() for part in v.scope if not part.is_step}
        )
        fix = (
            f"scopes here are {', '.join(known)}"
            if known
            else "record with tg.scope(name), or in a Module"
        )
        raise argument_error(
            "graph",
            "fold",
            expected="the name or the depth of a scope in the graph",
            got=repr(by),
            fix=fix,
        )
    return folded or picture


def fold_gradients(picture: Picture) -> Picture:
    """One box for the gradient of each scope, if there are gradients of time steps: these cannot be rolled up op by op.

    A sum of gradients over time begins at the last step and ends at the first, so these have other ops than those between.
    """

    def prefix(scope: Scope) -> Scope | None:
        return next(
            (scope[: i + 1] for i, part in enumerate(scope) if part.kind == "gradient"), None
        )

    found = (prefix(vertex.scope) for vertex in picture.vertices.values())
    if not any(part.is_step for scope in found if scope for part in scope):
        return picture
    folded = _folded(picture, prefix) or picture
    folded.notes.append(
        "the gradient of each scope is one box, for it is not the same in all time steps; steps shows its ops"
    )
    return folded


def _folded(picture: Picture, prefix_of: Callable[[Scope], Scope | None]) -> Picture | None:
    """One box for each scope around something that `prefix_of` gives; None if it gives none."""
    folds: dict[Scope, Vertex] = {}
    before = sum(vertex.kind == "fold" for vertex in picture.vertices.values())
    within: dict[str, Scope] = {}
    for name, vertex in picture.vertices.items():
        prefix = prefix_of(vertex.scope)
        if prefix is None or vertex.kind in ("parameter", "steps") or _enters(vertex, prefix):
            continue
        if prefix not in folds:
            # A time step stays in its frame, which has its title and its place.
            folds[prefix] = Vertex(
                f"fold{before + len(folds) + 1}",
                "fold",
                _title(prefix),
                "",
                prefix if is_time(prefix[-1]) else prefix[:-1],
            )
        if vertex.formula and prefix[-1].kind == "terms":
            folds[prefix] = replace(folds[prefix], text=vertex.formula)
        within[name] = prefix
    if not within:
        return None
    folded = quotient(picture, {name: folds[prefix] for name, prefix in within.items()})
    for name, vertex in folded.vertices.items():
        if (
            prefix := prefix_of(vertex.scope)
        ) in folds:  # a leaf of a scope that has become a box is beside it
            folded.vertices[name] = replace(vertex, scope=folds[prefix].scope)
    for name, vertex in folded.vertices.items():
        if vertex.kind == "fold" and not vertex.text:
            folded.vertices[name] = replace(vertex, text=format_count(vertex.ops, "op"))
    return folded


def _enters(vertex: Vertex, prefix: Scope) -> bool:
    """Whether a leaf is an input with a name, which is seen outside of the box; unless the box holds the steps that it is one of."""
    place = loop_of(vertex.scope)
    return (
        vertex.kind == "input"
        and bool(vertex.name)
        and (place is None or len(prefix) > len(place[0]))
    )


def _folded_at(scope: Scope, by: int | str) -> Scope | None:
    if isinstance(by, int):
        return scope[:by] if len(scope) >= by > 0 else None
    if by == "names":
        return scope if scope and scope[-1].kind == "terms" else None
    for path in ([by], by.split(" / ")):
        for end in range(len(path), len(scope) + 1):
            if all(
                not part.is_step and name in (part.name, str(part))
                for name, part in zip(path, scope[end - len(path) : end], strict=True)
            ):
                return scope[:end]
    return None


def is_time(part: ScopePart) -> bool:
    """Return whether a part of a scope is a time step, or stands for several or for all."""
    return part.is_step or part.kind == "rolled"


def _title(scope: Scope) -> str:
    """A fold's name: its scope's; of a gate with its time step."""
    last = scope[-1]
    if is_time(last):
        return ""
    time = next((part for part in reversed(scope) if is_time(part)), None)
    if time is None or last.kind != "terms":
        return str(last)
    return last.name + ("ₜ" if time.kind == "rolled" else str(time.index).translate(SUBSCRIPTS))


REARRANGED = {"add", "concatenate", "expand_dims", "getitem", "reshape", "squeeze", "transpose"}
"""The ops that make of parameters what is a parameter still, such as a gate's share of a matrix, or the sum of two biases."""


def shared(picture: Picture) -> set[str]:
    """Parameters, and what a module makes of them outside of time without any data: a gate's share of a matrix.

    What data enters is a computation and stays an op; be it as an index, as in an embedding.
    """
    incoming: dict[str, list[str]] = {}
    for edge in picture.edges:
        incoming.setdefault(edge.target, []).append(edge.source)
    used = {edge.source for edge in picture.edges}
    found: set[str] = set()
    for name, vertex in picture.vertices.items():
        modules = [part for part in vertex.scope if part.kind != "terms"]
        outside = modules and not any(is_time(part) for part in modules)
        sources = [s for s in incoming.get(name, []) if picture.vertices[s].kind != "constant"]
        made = (
            vertex.kind == "op"
            and outside
            and name in used
            and sources
            and found.issuperset(sources)
        )
        if vertex.kind == "parameter" or (made and _rearranges(vertex.values[0])):
            found.add(name)
    return found


def _rearranges(value: Value) -> bool:
    """Whether an op moves numbers of parameters, adds some up, or leaves some out (a mask), and no data says which."""
    node = node_of(value)
    settings = [
        x
        for setting in node.params.values()
        for x in (setting if isinstance(setting, tuple) else (setting,))
    ]
    data = [
        array
        for x, array in zip(node.inputs, node.arrays, strict=True)
        if not isinstance(x, Value) and np.ndim(array)
    ]
    if node.op.name == "multiply":
        return bool(data) and all(
            array.shape == value.array.shape and np.isin(array, (0, 1)).all() for array in data
        )
    return node.op.name in REARRANGED and not data and not any(np.ndim(x) for x in settings)


def without_parameters(picture: Picture) -> Picture:
    """Without parameters, and without what is made of them alone."""
    hidden = shared(picture)
    return _only(picture, {name for name in picture.vertices if name not in hidden})


def chips(picture: Picture) -> Picture:
    """A copy of each parameter at each of its uses, so that no edges run across the picture."""
    hidden = shared(picture)
    kept = _only(picture, {name for name in picture.vertices if name not in hidden})
    vertices: dict[str, Vertex] = {}
    edges = list(kept.edges)
    copies: Counter[str] = Counter()
    for edge in picture.edges:
        if (
            edge.source in hidden
            and edge.target in kept.vertices
            and kept.vertices[edge.target].kind != "steps"
        ):
            copies[edge.source] += 1
            chip = replace(
                picture.vertices[edge.source],
                id=f"{edge.source}_use{copies[edge.source]}",
                kind="parameter",
                ops=0,
            )
            vertices[chip.id] = replace(chip, scope=kept.vertices[edge.target].scope)
            edges.append(replace(edge, source=chip.id))
    return Picture({**vertices, **kept.vertices}, edges, list(picture.notes))


def _only(picture: Picture, names: set[str]) -> Picture:
    """The part of a picture with these vertices; a constant that nothing uses any more goes too."""
    edges = [edge for edge in picture.edges if edge.source in names and edge.target in names]
    used = {end for edge in edges for end in (edge.source, edge.target)}
    vertices = {
        name: v
        for name, v in picture.vertices.items()
        if name in names and (v.kind == "op" or name in used or v.kind == "fold")
    }
    return Picture(vertices, edges, list(picture.notes))
