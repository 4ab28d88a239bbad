"""Views of a picture: folded scopes, and parameters copied to their uses or hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain

import numpy as np

from ..analysis.labels import SUBSCRIPTS
from ..analysis.scopes import loop_of
from ..errors import argument_error, format_count
from ..graph import Value
from ..scope_part import Scope, ScopePart
from .picture import Edge, Picture, Vertex, merge_vertices


def fold_scopes(picture: Picture, by: int | str) -> Picture:
    """Return `picture` with one box for each scope that `by` selects.

    Parameters
    ----------
    picture : Picture
    by : int or str
        The depth, the name or the path of the scopes. ``"gate"`` selects every named result,
        together with the unnamed results in its formula; ``"names"`` is the same. ``"step"``
        selects every time step, ``"module"`` every outermost module, and ``"blocks"`` equal blocks
        that follow each other. A scope of such a name goes before. Parameters stay outside of the boxes.

    Raises
    ------
    ValueError
        If there is no such scope and `by` is not ``"names"``.
    """
    folded = _fold(picture, lambda scope: _find_fold(scope, by))
    if folded is None and by in WORDS:
        return WORDS[by](picture)
    if folded is None:
        parts = {part for vertex in picture.vertices.values() for part in vertex.scope}
        known = sorted({str(part) for part in parts if not part.is_step})
        fix = "record the ops in tg.scope(name) or in a Module"
        expected = "the name or the depth of a scope in the graph"
        if known:
            expected += f" ({', '.join(known)})"
            close = get_close_matches(str(by), known, 1) or known
            fix = f"give the name {close[0]!r}, for example"
        raise argument_error("graph", "fold", expected, repr(by), fix)
    return folded


def fold_gates(picture: Picture) -> Picture:
    """Return `picture` with one box for each named result, which holds its whole formula."""

    def find_gate(scope: Scope) -> Scope | None:
        return scope if scope and scope[-1].kind == "terms" else None

    return _fold(picture, find_gate) or picture


def fold_modules(picture: Picture) -> Picture:
    """Return `picture` with one box for each outermost module, if there is more than one."""
    deepest = max((len(vertex.scope) for vertex in picture.vertices.values()), default=0)
    for depth in range(1, deepest + 1):
        folded = _fold(picture, lambda scope, depth=depth: _find_fold(scope, depth))
        if folded and sum(vertex.kind == "fold" for vertex in folded.vertices.values()) > 1:
            return folded
    return picture


def fold_blocks(picture: Picture) -> Picture:
    """Return `picture` with one box for equal blocks that follow each other: ``×12``.

    Blocks are scopes in one scope. They are equal if they have the same ops, whatever their
    parameters are.
    """
    ops: dict[Scope, list[str]] = {}
    for vertex in picture.vertices.values():
        for depth in range(1, len(vertex.scope) + 1):
            inside = ops.setdefault(vertex.scope[:depth], [])
            if vertex.kind == "op":
                inside.append(vertex.values[0].node.op.name)
    used = {
        (picture.vertices[edge.source].scope, picture.vertices[edge.target].scope)
        for edge in picture.edges
    }
    folds: dict[Scope, Scope] = {}
    for run in _find_runs(ops, used):
        if len(run) >= LEAST_BLOCKS:
            name = f"{run[0][-1]} … {run[-1][-1]}"
            box = (*run[0][:-1], ScopePart("blocks", name, len(run)))
            folds |= dict.fromkeys(run, box)

    def find_block(scope: Scope) -> Scope | None:
        ends = (folds.get(scope[:depth]) for depth in range(1, len(scope) + 1))
        return next((box for box in ends if box), None)

    return (_fold(picture, find_block) if folds else None) or picture


def _find_runs(
    ops: Mapping[Scope, list[str]], used: Collection[tuple[Scope, Scope]]
) -> Iterable[list[Scope]]:
    """Return the scopes in each scope, cut into runs of equal ones of which each uses the last."""
    runs: dict[Scope, list[list[Scope]]] = {}
    for scope, inside in ops.items():
        if is_time(scope[-1]) or scope[-1].kind == "terms" or not inside:
            continue
        siblings = runs.setdefault(scope[:-1], [])
        last = siblings[-1][-1] if siblings else None
        size = len(scope)
        if (
            last
            and ops[last] == inside
            and any((a[:size], b[:size]) == (last, scope) for a, b in used)
        ):
            siblings[-1].append(scope)
        else:
            siblings.append([scope])
    return chain.from_iterable(runs.values())


LEAST_BLOCKS = 3
"""The least number of equal blocks that become one box."""

CELLS = {"gru": "GRU", "lstm": "LSTM", "rnn": "RNN", "recurrent": "cell"}
"""What a box for one step of a layer says, by the layer's usual name."""


def fold_steps(picture: Picture) -> Picture:
    """Return `picture` with one box for each time step, which says the state and the layer.

    The first state of a loop stays a vertex of its own.
    """
    sources = {edge.target: picture.vertices[edge.source] for edge in picture.edges}
    first = {
        name
        for name, vertex in picture.vertices.items()
        if vertex.kind == "state" and (name not in sources or not _same_loop(vertex, sources[name]))
    }

    def find_step(scope: Scope) -> Scope | None:
        end = next((i + 1 for i, part in enumerate(scope) if part.kind == "step"), None)
        return None if end is None else scope[:end]

    return _fold(picture, find_step, kept=first) or picture


def _name_steps(picture: Picture, boxes: Collection[str]) -> None:
    """Let the box of each time step say the state that it computes, and its layer."""
    carried: dict[Scope, dict[str, None]] = {}
    for edge in picture.edges:
        if _crosses(picture, edge):
            loop = picture.vertices[edge.source].scope[:-1]
            names = (value.name for value in edge.values if value.name)
            carried.setdefault(loop, {}).update(dict.fromkeys(names))
    for name in boxes:
        vertex = picture.vertices[name]
        step = str(vertex.scope[-1].index).translate(SUBSCRIPTS)
        named = [part.name for part in reversed(vertex.scope) if part.kind in ("module", "loop")]
        layer = next((layer for layer in named if layer.lower() in CELLS), "")
        text = CELLS.get(layer.lower()) or format_count(vertex.ops, "op")
        own = dict.fromkeys(value.name for value in vertex.values if value.name)
        shown = ", ".join(name + step for name in carried.get(vertex.scope[:-1], own))
        picture.vertices[name] = replace(vertex, name=shown, text=text, formula=layer)


def _same_loop(a: Vertex, b: Vertex) -> bool:
    return (loop_of(a.scope) or (None,))[0] == (loop_of(b.scope) or (None,))[0]


def _crosses(picture: Picture, edge: Edge) -> bool:
    """Return whether an edge leads from one step of a loop to another."""
    a, b = picture.vertices[edge.source], picture.vertices[edge.target]
    return _same_loop(a, b) and loop_of(a.scope) != loop_of(b.scope)


def fold_gradients(picture: Picture) -> Picture:
    """Fold the ops of each scope's gradient into one box, if there are gradients of time steps.

    A graph contains such ops if a gradient was made with ``create_graph=True``. They cannot be
    rolled up op by op: the sum of the gradients over time starts at the last step and ends at the
    first, so the ops of these two steps differ from those of the steps between.
    """

    def find_gradient(scope: Scope) -> Scope | None:
        ends = (i + 1 for i, part in enumerate(scope) if part.kind == "gradient")
        return next((scope[:end] for end in ends), None)

    gradients = (find_gradient(vertex.scope) for vertex in picture.vertices.values())
    if not any(part.is_step for scope in gradients if scope for part in scope):
        return picture
    folded = _fold(picture, find_gradient) or picture
    folded.notes.append(
        "the gradient of each scope is one box, because its ops differ between time steps; "
        "the steps option shows these ops"
    )
    return folded


def _fold(
    picture: Picture, find_fold: Callable[[Scope], Scope | None], kept: Collection[str] = ()
) -> Picture | None:
    """Return `picture` with a box for each scope that `find_fold` finds; None if it finds no scope.

    `find_fold` takes the scope of a vertex. It returns the scope whose box replaces the vertex, or
    None if the vertex stays. The vertices in `kept` stay too.
    """
    boxes: dict[Scope, Vertex] = {}
    number = 1 + sum(vertex.kind == "fold" for vertex in picture.vertices.values())
    folds: dict[str, Scope] = {}
    for name, vertex in picture.vertices.items():
        fold = find_fold(vertex.scope)
        is_apart = name in kept or vertex.kind == "parameter"
        if vertex.kind == "steps":  # the mark of omitted steps is in the box of a whole loop only
            is_apart = fold is not None and len(fold) >= len(vertex.scope)
        if fold is None or is_apart or _stays_outside(vertex, fold):
            continue
        if fold not in boxes:
            # The box of a time step stays in the frame that shows the step's number.
            scope = fold if is_time(fold[-1]) else fold[:-1]
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
    _name_steps(folded, {box.id for fold, box in boxes.items() if fold[-1].kind == "step"})
    return folded


def _stays_outside(vertex: Vertex, fold: Scope) -> bool:
    """Return whether `vertex` is a named input that stays visible outside of the box for `fold`.

    If the box holds a whole loop, the inputs of single time steps of the loop are hidden in it.
    """
    place = loop_of(vertex.scope)
    is_in_loop = place is not None and len(fold) <= len(place[0])
    return vertex.kind == "input" and bool(vertex.name) and not is_in_loop


def _find_fold(scope: Scope, by: int | str) -> Scope | None:
    """Return the outermost scope around `scope` that the argument ``fold`` selects, or None."""
    if isinstance(by, int):
        return scope[:by] if len(scope) >= by > 0 else None
    for path in ([by], by.split(" / ")):
        for end in range(len(path), len(scope) + 1):
            if all(
                not part.is_step and name in (part.name, str(part))
                for name, part in zip(path, scope[end - len(path) : end], strict=True)
            ):
                return scope[:end]
    return None


def is_time(part: ScopePart) -> bool:
    """Return whether a part of a scope is a time step, or stands for several or all time steps."""
    return part.is_step or part.kind == "rolled"


def _fold_name(scope: Scope) -> str:
    """Return the name of the box for a scope. The name of a gate includes its time step: ``z₁``."""
    last = scope[-1]
    if is_time(last):
        return ""
    time = next((part for part in reversed(scope) if is_time(part)), None)
    if time is None or last.kind != "terms":
        return str(last)
    return last.name + ("ₜ" if time.kind == "rolled" else str(time.index).translate(SUBSCRIPTS))


REARRANGING_OPS = {
    "add", "concatenate", "expand_dims", "getitem", "reshape", "squeeze", "transpose"
}  # fmt: skip
"""Ops that only move or add entries. `find_parameters` may count them as parameters."""


def find_parameters(picture: Picture) -> set[str]:
    """Return the ids of parameters, and of ops that count as parameters.

    An op counts as a parameter if it belongs to a module, or to a time step, and only rearranges,
    adds or masks parameters. For example, it takes the rows of one gate from a weight
    matrix. An op with data as an input does not count, even if the data are only an index, as in an
    embedding.
    """
    sources: dict[str, list[str]] = {}
    for edge in picture.edges:
        if picture.vertices[edge.source].kind != "constant":
            sources.setdefault(edge.target, []).append(edge.source)
    used = {edge.source for edge in picture.edges}
    parameters: set[str] = set()
    for name, vertex in picture.vertices.items():
        is_op_of_module = vertex.kind == "op" and any(part.kind != "terms" for part in vertex.scope)
        is_of_parameters = name in sources and parameters.issuperset(sources[name])
        if vertex.kind == "parameter" or (
            is_op_of_module
            and is_of_parameters
            and name in used
            and _only_rearranges(vertex.values[0])
        ):
            parameters.add(name)
    return parameters


def _only_rearranges(value: Value) -> bool:
    """Return whether the op that made `value` only moves, adds or masks entries, without data."""
    node = value.node
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
    return node.op.name in REARRANGING_OPS and not data and not any(map(np.ndim, settings))


def hide_parameters(picture: Picture) -> Picture:
    """Return `picture` without parameters and the ops that count as parameters."""
    return _keep_vertices(picture, picture.vertices.keys() - find_parameters(picture))


def copy_parameters(picture: Picture) -> Picture:
    """Return `picture` with a copy of each parameter at each use, so edges stay short."""
    parameters = find_parameters(picture)
    kept = _keep_vertices(picture, picture.vertices.keys() - parameters)
    chips: dict[str, Vertex] = {}
    edges = list(kept.edges)
    copies: Counter[str] = Counter()
    for edge in picture.edges:
        user = kept.vertices.get(edge.target)
        if edge.source in parameters and user is not None and user.kind != "steps":
            copies[edge.source] += 1
            chip = f"{edge.source}_use{copies[edge.source]}"
            original = picture.vertices[edge.source]
            chips[chip] = replace(original, id=chip, kind="parameter", ops=0, scope=user.scope)
            edges.append(replace(edge, source=chip))
    return Picture({**chips, **kept.vertices}, edges, list(picture.notes))


def _keep_vertices(picture: Picture, names: set[str]) -> Picture:
    """Return the vertices `names` and the edges between them, without unused leaves."""
    edges = [edge for edge in picture.edges if edge.source in names and edge.target in names]
    used = {end for edge in edges for end in (edge.source, edge.target)}
    vertices = {
        name: vertex
        for name, vertex in picture.vertices.items()
        if name in names and (vertex.kind in ("op", "fold") or name in used)
    }
    return Picture(vertices, edges, list(picture.notes))


WORDS = {
    "names": fold_gates,
    "gate": fold_gates,
    "step": fold_steps,
    "module": fold_modules,
    "blocks": fold_blocks,
}
"""The words for kinds of scopes that `fold_scopes` takes."""
