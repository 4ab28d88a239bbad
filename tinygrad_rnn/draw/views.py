"""Views of a picture: folded scopes, and parameters copied to their uses or hidden."""

from __future__ import annotations

from difflib import get_close_matches

from ..errors import argument_error
from ..scope_part import Scope
from .equal_blocks import fold_blocks
from .folding import fold_into_boxes
from .picture import Picture, Vertex, merge_vertices


def fold_scopes(picture: Picture, by: int | str) -> Picture:
    """Return `picture` with one box for each scope that `by` selects.

    Parameters
    ----------
    picture : Picture
    by : int or str
        The depth, the name or the path of the scopes. ``"gate"`` selects every named result,
        together with the unnamed results in its formula; ``"names"`` is the same. ``"step"``
        selects every time step, ``"module"`` every outermost module, and ``"blocks"`` equal blocks
        that follow each other. A scope of such a name goes before. Parameters stay outside of the
        boxes.

    Raises
    ------
    ValueError
        If there is no such scope and `by` is not ``"names"``.
    """
    folded = fold_into_boxes(picture, lambda scope: _find_fold(scope, by))
    if folded is None and by in WORDS:
        return WORDS[by](picture)
    if folded is None:
        parts = {part for vertex in picture.vertices.values() for part in vertex.scope}
        known = sorted({str(part) for part in parts if not part.is_step})
        fix = "record the ops in tg.scope(name) or in a Module"
        expected = "the name or the depth of a scope in the graph"
        if known:
            expected += f" ({', '.join(known)})"
        expected += f", or one of {', '.join(WORDS)}"
        close = get_close_matches(str(by), [*WORDS, *known], 1) or known
        if close:
            fix = f"give the name {close[0]!r}, for example"
        raise argument_error("graph", "fold", expected, repr(by), fix)
    return folded


def fold_gates(picture: Picture) -> Picture:
    """Return `picture` with one box for each named result, which holds its whole formula."""

    def find_gate(scope: Scope) -> Scope | None:
        return scope if scope and scope[-1].kind == "terms" else None

    return fold_into_boxes(picture, find_gate) or picture


def fold_modules(picture: Picture) -> Picture:
    """Return `picture` with one box for each module, as far outside as there are several."""
    kinds = "module", "name", "loop"
    best = picture
    deepest = max((len(vertex.scope) for vertex in picture.vertices.values()), default=0)
    for depth in range(1, deepest + 1):

        def find_module(scope: Scope, depth: int = depth) -> Scope | None:
            is_module = len(scope) >= depth and all(p.kind in kinds for p in scope[:depth])
            return scope[:depth] if is_module else None

        folded = fold_into_boxes(picture, find_module)
        if folded is None:
            break
        if best is picture:
            best = folded
        if sum(vertex.kind == "fold" for vertex in folded.vertices.values()) > 1:
            return folded
    return best


def fold_steps(picture: Picture) -> Picture:
    """Return `picture` with one box for each time step, which says the state and the layer.

    The first state of a loop stays a vertex of its own.
    """

    def find_step(scope: Scope) -> Scope | None:
        ends = (i + 1 for i, part in enumerate(scope) if part.is_time and part.kind != "steps")
        return next((scope[:end] for end in ends), None)

    return fold_into_boxes(_merge_marks(picture), find_step) or picture


def _merge_marks(picture: Picture) -> Picture:
    """Return `picture` with one mark for omitted steps where there is one for each state."""
    marks: dict[Scope, Vertex] = {}
    for vertex in picture.vertices.values():
        if vertex.kind == "steps":
            best = marks.setdefault(vertex.scope, vertex)
            marks[vertex.scope] = best if best.text else vertex
    stands_for = {
        name: marks[vertex.scope]
        for name, vertex in picture.vertices.items()
        if vertex.kind == "steps"
    }
    return merge_vertices(picture, stands_for) if len(stands_for) > len(marks) else picture


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
    folded = fold_into_boxes(picture, find_gradient) or picture
    folded.notes.append(
        "the gradient of each scope is one box, because its ops differ between time steps; "
        "the steps option shows these ops"
    )
    return folded


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


WORDS = {
    "names": fold_gates,
    "gate": fold_gates,
    "step": fold_steps,
    "module": fold_modules,
    "blocks": fold_blocks,
}
"""The words for kinds of scopes that `fold_scopes` takes."""
