"""Equal blocks that follow each other, such as the layers of a deep network, as one box."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from ..scope_part import Scope, ScopePart
from .folding import fold_into_boxes
from .picture import Picture


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

    return (fold_into_boxes(picture, find_block) if folds else None) or picture


def _find_runs(
    ops: Mapping[Scope, list[str]], used: Collection[tuple[Scope, Scope]]
) -> Iterable[list[Scope]]:
    """Return the scopes in each scope, cut into runs of equal ones of which each uses the last."""
    runs: dict[Scope, list[list[Scope]]] = {}
    for scope, inside in ops.items():
        if scope[-1].is_time or scope[-1].kind == "terms" or not inside:
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
