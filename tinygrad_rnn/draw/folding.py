"""Folding: one box in place of everything in a scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..analysis.labels import SUBSCRIPTS
from ..analysis.scopes import loop_of
from ..errors import format_count
from ..scope_part import Scope
from .picture import Edge, Picture, Vertex, merge_vertices

CELLS = {
    "gru": "GRU", "lstm": "LSTM", "rnn": "RNN", "recurrent": "cell",
    "grucell": "GRU", "lstmcell": "LSTM", "rnncell": "RNN",
}  # fmt: skip
"""The text in the box for one step of a layer, by the layer's usual name."""


def fold_into_boxes(picture: Picture, find_fold: Callable[[Scope], Scope | None]) -> Picture | None:
    """Return `picture` with a box for each scope that `find_fold` finds; None if it finds no scope.

    `find_fold` takes the scope of a vertex. It returns the scope whose box replaces the vertex, or
    None if the vertex stays. The first state of a loop stays beside the box of its step.
    """
    first = _find_first_states(picture)
    boxes: dict[Scope, Vertex] = {}
    number = 1 + sum(vertex.kind == "fold" for vertex in picture.vertices.values())
    folds: dict[str, Scope] = {}
    for name, vertex in picture.vertices.items():
        fold = find_fold(vertex.scope)
        is_apart = vertex.kind == "parameter"
        if name in first:
            is_apart = fold is not None and fold[-1].is_time
        if vertex.kind == "steps":  # the mark of omitted steps is in the box of a whole loop only
            is_apart = fold is not None and len(fold) >= len(vertex.scope)
        if fold is None or is_apart or _stays_outside(vertex, fold):
            continue
        if fold not in boxes:
            # The box of a time step stays in the frame that shows the step's number.
            scope = fold if fold[-1].is_time else fold[:-1]
            boxes[fold] = Vertex(f"fold{number + len(boxes)}", "fold", _fold_name(fold), "", scope)
        if vertex.formula and fold[-1].kind == "terms":
            boxes[fold] = replace(boxes[fold], text=vertex.formula, formula=vertex.formula)
        folds[name] = fold
    if not folds:
        return None
    counts = {boxes[fold].id: fold[-1].index for fold in boxes if fold[-1].kind == "blocks"}
    folded = merge_vertices(picture, {name: boxes[fold] for name, fold in folds.items()})
    for name, vertex in folded.vertices.items():
        if (fold := find_fold(vertex.scope)) in boxes:  # a leaf of this scope, outside of the box
            vertex = replace(vertex, scope=boxes[fold].scope)
        if vertex.kind == "fold" and not vertex.text:
            count = counts.get(vertex.id, 0)
            text = f"×{count}, " if count else ""
            vertex = replace(vertex, text=text + format_count(vertex.ops, "op"))
        folded.vertices[name] = vertex
    modules = {box.id: _find_modules(picture, fold) for fold, box in boxes.items()}
    _name_steps(folded, {box.id: modules[box.id] for f, box in boxes.items() if f[-1].is_time})
    return folded


def _find_first_states(picture: Picture) -> set[str]:
    """Return the ids of the states that do not come from another step of their loop."""
    sources = {edge.target: picture.vertices[edge.source] for edge in picture.edges}
    return {
        name
        for name, vertex in picture.vertices.items()
        if vertex.kind == "state" and (name not in sources or not same_loop(vertex, sources[name]))
    }


def _stays_outside(vertex: Vertex, fold: Scope) -> bool:
    """Return whether `vertex` is a named input that stays visible outside of the box for `fold`.

    If the box holds a whole loop, the inputs of single time steps of the loop are hidden in it.
    """
    place = loop_of(vertex.scope)
    is_in_loop = place is not None and len(fold) <= len(place[0])
    return vertex.kind == "input" and bool(vertex.name) and not is_in_loop


def _fold_name(scope: Scope) -> str:
    """Return the name of the box for a scope. The name of a gate includes its time step: ``z₁``."""
    last = scope[-1]
    if last.is_time:
        return ""
    time = next((part for part in reversed(scope) if part.is_time), None)
    if time is None or last.kind != "terms":
        return str(last)
    return last.name + ("ₜ" if time.kind == "rolled" else str(time.index).translate(SUBSCRIPTS))


def _find_modules(picture: Picture, fold: Scope) -> list[str]:
    """Return the names of the modules directly in a scope; "" stands for ops outside of them."""
    inside = [
        vertex.scope[len(fold) :]
        for vertex in picture.vertices.values()
        if vertex.kind == "op" and vertex.scope[: len(fold)] == fold
    ]
    return list(dict.fromkeys(s[0].name if s and s[0].kind == "module" else "" for s in inside))


def _name_steps(picture: Picture, boxes: Mapping[str, list[str]]) -> None:
    """Let the box of each time step say the state that it computes, and its layer."""
    carried: dict[Scope, dict[str, None]] = {}
    for edge in picture.edges:
        if _crosses(picture, edge):
            loop = picture.vertices[edge.source].scope[:-1]
            names = (value.name for value in edge.values if value.name)
            carried.setdefault(loop, {}).update(dict.fromkeys(names))
    for name in boxes:
        vertex = picture.vertices[name]
        here = vertex.scope[-1]
        step = "ₜ" if here.kind == "rolled" else str(here.index).translate(SUBSCRIPTS)
        named = [part.name for part in reversed(vertex.scope) if part.kind in ("module", "loop")]
        layer = next((layer for layer in named if layer.lower() in CELLS), "")
        inner = boxes[name]
        if not layer and len(inner) == 1 and inner[0]:  # the whole step is one module
            layer = inner[0]
        text = CELLS.get(layer.lower(), layer) or format_count(vertex.ops, "op")
        own = dict.fromkeys(value.name for value in vertex.values if value.name)
        shown = ", ".join(name + step for name in carried.get(vertex.scope[:-1], own))
        picture.vertices[name] = replace(vertex, name=shown, text=text, formula=layer)


def same_loop(a: Vertex, b: Vertex) -> bool:
    return (loop_of(a.scope) or (None,))[0] == (loop_of(b.scope) or (None,))[0]


def _crosses(picture: Picture, edge: Edge) -> bool:
    """Return whether an edge leads from one step of a loop to another."""
    a, b = picture.vertices[edge.source], picture.vertices[edge.target]
    return same_loop(a, b) and loop_of(a.scope) != loop_of(b.scope)
