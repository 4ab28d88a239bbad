"""Fewer and larger calls: products that share an operand become one, and so do lines that do the same to neighbours.

A product of h with U_r, U_z and U_n is one with [U_r | U_z | U_n], whose parts are views. What is then done alike to parts that lie
side by side is done to them at once. Backwards, dr @ U_rᵀ + dz @ U_zᵀ is [dr | dz] @ [U_r | U_z]ᵀ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from .lines import UFUNCS, Line, Ref, needed
from .plan import Plan, Stage


class _Rewriter:
    """A plan whose lines are being rewritten, in order."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.lines: dict[str, Line] = {}

    def add(self, stage: Stage, fn: str, *args: Ref, name: str | None = None, **settings: Any) -> str:
        """A new line, under `name` or one of its own."""
        made = self.plan.writer.write(fn, *args, **settings)
        line = self.plan.writer.lines[made]
        name = name or made
        self.plan.writer.arrays[name] = self.plan.writer.arrays[made]
        self.lines[name] = replace(line, name=name)
        self.plan.stages[name] = stage
        return name

    def part(self, stage: Stage, whole: str, start: int, stop: int, name: str | None = None) -> str:
        """A part of the last axis."""
        if (start, stop) == (0, self.plan.shape(whole)[-1]) and name is None:
            return whole
        return self.add(stage, "index", whole, index=(..., slice(start, stop)), name=name)

    def side_by_side(self, names: list[str]) -> str:
        """Matrices or vectors that are no other in each step, joined along the last axis."""
        return self.whole(names) or self.add(Stage.ONCE, "concatenate", *names, axis=-1)

    def whole(self, names: list[str]) -> str | None:
        """The matrix whose rows, transposed, these are: all of them, in order."""
        columns = [self.rows(name) for name in names]
        if None in columns or len({column[0] for column in columns if column}) != 1:
            return None
        source, ends = columns[0][0], [0, *(column[2] for column in columns if column)]  # type: ignore[index]
        if [column[1] for column in columns if column] != ends[:-1] or ends[-1] != self.plan.shape(source)[0]:
            return None
        return self.add(Stage.ONCE, "transpose", source, axes=(1, 0))

    def rows(self, name: str) -> tuple[str, int, int] | None:
        """Of ``W[a:b].T`` what W is, a and b."""
        line = self.lines.get(name)
        line = self.lines.get(str(line.args[0])) if line and line.fn == "transpose" and len(line.shape) == 2 else None
        index = line.settings["index"] if line and line.fn == "index" else None
        if line is None or not isinstance(index, slice) or index.step not in (None, 1):
            return None
        return (str(line.args[0]), *index.indices(self.plan.shape(str(line.args[0]))[0])[:2])

    def done(self) -> None:
        """Take the new lines over, without those that nothing needs any more."""
        plan = self.plan
        plan.lines = needed(self.lines, [*plan.forward_roots, *plan.backward_roots])


def products(plan: Plan) -> None:
    """Products of one left operand with several matrices that are no other in each step, as one product."""
    groups: dict[tuple[str, Stage], list[Line]] = {}
    for name, line in plan.lines.items():
        stage = plan.stages[name]
        if (
            line.fn == "dot"
            and stage in (Stage.BEFORE, Stage.LOOP)
            and _constant_matrix(plan, line.args[1])
            and isinstance(line.args[0], str)
        ):
            groups.setdefault((line.args[0], stage), []).append(line)
    first = {lines[0].name: (stage, lines) for (_, stage), lines in groups.items() if len(lines) > 1}
    merged = {line.name for _, lines in first.values() for line in lines}
    r = _Rewriter(plan)
    r.lines.update((name, line) for name, line in plan.lines.items() if plan.stages[name] == Stage.ONCE)
    for name, line in plan.lines.items():
        if name in first:
            stage, lines = first[name]
            whole = r.add(stage, "dot", line.args[0], r.side_by_side([str(other.args[1]) for other in lines]))
            start = 0
            for other in lines:
                r.part(stage, whole, start, start + other.shape[-1], other.name)
                start += other.shape[-1]
        elif name not in merged:
            r.lines.setdefault(name, line)
    r.done()


def _constant_matrix(plan: Plan, ref: Ref) -> bool:
    once = isinstance(ref, str) and (ref in plan.arguments or ref in plan.writer.constants or plan.stages.get(ref) == Stage.ONCE)
    return once and len(plan.shape(str(ref))) == 2


def widen(plan: Plan) -> None:
    """Lines that do the same to neighbours, parts of one array that lie side by side, become one line."""
    while True:
        group = next(_alike(plan), None)
        if group is None:
            return
        _widened(plan, group)


def _alike(plan: Plan) -> Iterator[list[Line]]:
    """Groups of two or more lines that can be one."""
    places = _places(plan)
    buckets: dict[Any, list[tuple[tuple[int, ...], Line]]] = {}
    for name, line in plan.lines.items():
        if line.fn not in UFUNCS or line.fn == "where" or not line.shape:
            continue
        kinds, starts = [], []
        for arg in line.args:
            place = places.get(arg) if isinstance(arg, str) else None
            if place is not None and plan.shape(str(arg)) == line.shape:
                kinds.append(("part", place[0]))
                starts.append(place[1])
            elif isinstance(arg, str) and _once(plan, arg) and plan.shape(arg)[-1:] == line.shape[-1:] and len(plan.shape(arg)) == 1:
                kinds.append(("once",))
            elif not isinstance(arg, str) or plan.shape(arg)[-1:] in ((), (1,)):
                kinds.append(("same", arg))
            else:
                break
        if starts and len(kinds) == len(line.args):
            buckets.setdefault((line.fn, plan.stages[name], line.shape[:-1], line.dtype, *kinds), []).append((tuple(starts), line))
    for lines in buckets.values():
        lines.sort(key=lambda pair: pair[0])
        run: list[tuple[tuple[int, ...], Line]] = []
        for starts, line in lines:
            if run and all(s == p + run[-1][1].shape[-1] for s, p in zip(starts, run[-1][0], strict=True)):
                run.append((starts, line))
                continue
            if len(run) > 1:
                break
            run = [(starts, line)]
        if len(run) > 1:
            yield [line for _, line in run]


def _places(plan: Plan) -> dict[str, tuple[str, int]]:
    """Of each value that is a part of the last axis of another: which, and where it starts."""
    found = {}
    for name, line in plan.lines.items():
        if line.fn == "index" and (bounds := _bounds(plan, line)) is not None:
            found[name] = (str(line.args[0]), bounds[0])
    return found


def _bounds(plan: Plan, line: Line) -> tuple[int, int] | None:
    """Where a part of the last axis starts and stops; None if a line takes another part."""
    index, shape = line.settings["index"], plan.shape(str(line.args[0]))
    entries = index if isinstance(index, tuple) else (index,)
    if not all(type(e) in (slice, type(...)) for e in entries):
        return None
    full = len(entries) == len(shape) and ... not in entries
    last = entries[-1] if (full or (len(entries) == 2 and entries[0] is ... and shape)) else None
    if not isinstance(last, slice) or last.step not in (None, 1):
        return None
    if full and any(e != slice(None) for e in entries[:-1]):
        return None
    start, stop, _ = last.indices(shape[-1])
    return start, stop


def _once(plan: Plan, name: str) -> bool:
    return name in plan.arguments or name in plan.writer.constants or plan.stages.get(name) == Stage.ONCE


def _widened(plan: Plan, group: list[Line]) -> None:
    """One line in place of those of a group, where the first stands, and its parts."""
    places = _places(plan)
    stage = plan.stages[group[0].name]
    names = {line.name for line in group}
    r = _Rewriter(plan)
    first = next(name for name in plan.lines if name in names)
    r.lines.update((name, line) for name, line in plan.lines.items() if plan.stages[name] == Stage.ONCE)
    for name, line in plan.lines.items():
        if name not in names:
            r.lines.setdefault(name, line)
        if name != first:
            continue
        args: list[Ref] = []
        for k, arg in enumerate(group[0].args):
            column = [other.args[k] for other in group]
            place = places.get(arg) if isinstance(arg, str) else None
            if place is not None and plan.shape(str(arg)) == group[0].shape:
                width = sum(other.shape[-1] for other in group)
                args.append(r.part(_stage_of(plan, place[0], stage), place[0], place[1], place[1] + width))
            elif len(set(column)) > 1 or (isinstance(arg, str) and _once(plan, arg) and len(plan.shape(arg)) == 1):
                args.append(r.side_by_side([str(c) for c in column]))
            else:
                args.append(arg)
        whole, start = r.add(stage, group[0].fn, *args, name=_joined_name(plan, [other.name for other in group])), 0
        for other in group:
            r.part(stage, whole, start, start + other.shape[-1], other.name)
            start += other.shape[-1]
    r.done()


def _stage_of(plan: Plan, name: str, stage: Stage) -> Stage:
    """The stage of a view of `name` that a line of `stage` takes: that of the array, so that no loop makes it again."""
    return plan.stages.get(name, stage)


def sums_of_products(plan: Plan) -> None:
    """In the loop that runs backwards: a sum of products as one product, of what is put side by side.

    What else the loop keeps in that form joins it, first, so that the products over all steps that follow can be one too.
    """
    for root in dict.fromkeys(plan.to_states):
        if root is not None:
            _one_product(plan, root)


def _one_product(plan: Plan, root: str) -> None:
    terms, inner = _sum(plan, root)
    found = [t for t in terms if _is_product(plan, t)]
    if len(found) < 2:
        return
    others = [t for t in terms if t not in found]
    lines = [plan.lines[t] for t in found]
    left = [str(line.args[0]) for line in lines]
    if len(set(left)) < len(left):
        return
    extra = _kept_alike(plan, left)
    r = _Rewriter(plan)
    r.lines.update((name, line) for name, line in plan.lines.items() if plan.stages[name] == Stage.ONCE)
    later = {name: line for name, line in plan.lines.items() if plan.stages[name] in LATER}
    block = ""
    for name, line in plan.lines.items():
        if name == root:
            block = r.add(Stage.BACK_LOOP, "concatenate", *extra, *left, axis=-1, name=_joined_name(plan, [*extra, *left]))
            start = sum(plan.shape(e)[-1] for e in extra)
            right = r.add(Stage.ONCE, "concatenate", *[str(line.args[1]) for line in lines], axis=-2)
            part = r.part(Stage.BACK_LOOP, block, start, plan.shape(block)[-1])
            whole = r.add(Stage.BACK_LOOP, "dot", part, right, name=None if others else root)
            for k, term in enumerate(others):
                whole = r.add(Stage.BACK_LOOP, "add", whole, term, name=root if k == len(others) - 1 else None)
        elif name not in inner and name not in found and name not in later:
            r.lines.setdefault(name, line)
    parts = _parts(plan, r, [*extra, *left], block)
    for name, line in later.items():
        r.lines[name] = replace(line, args=tuple(parts.get(a, a) if isinstance(a, str) else a for a in line.args))
    r.done()


def products_of_parts(plan: Plan) -> None:
    """After the loop: a sum of products of parts that lie side by side, as one product."""
    for root in plan.to_inputs:
        if root is None or plan.stages.get(root) != Stage.BACK_AFTER:
            continue
        terms, inner = _sum(plan, root, Stage.BACK_AFTER)
        places = _places(plan)
        lines = [plan.lines[t] for t in terms if t in plan.lines and plan.lines[t].fn == "dot" and _constant_matrix(plan, plan.lines[t].args[1])]
        lines = sorted((line for line in lines if line.args[0] in places), key=lambda line: places[str(line.args[0])])
        left = [places[str(line.args[0])] for line in lines]
        ends = [start + plan.shape(str(line.args[0]))[-1] for (_, start), line in zip(left, lines, strict=True)]
        if len(lines) < 2 or len(lines) < len(terms) or len({block for block, _ in left}) > 1 or [s for _, s in left[1:]] != ends[:-1]:
            continue
        r = _Rewriter(plan)
        for name, line in plan.lines.items():
            if name == root:
                right = r.add(Stage.ONCE, "concatenate", *[str(line.args[1]) for line in lines], axis=-2)
                r.add(Stage.BACK_AFTER, "dot", r.part(Stage.BACK_AFTER, left[0][0], left[0][1], ends[-1]), right, name=root)
            elif name not in inner:
                r.lines[name] = line
        r.done()


def _sum(plan: Plan, root: str, stage: Stage = Stage.BACK_LOOP) -> tuple[list[str], set[str]]:
    """The terms of the sum that makes `root`, and the sums within it that nothing else takes."""
    uses = Counter(use for line in plan.lines.values() for use in line.uses)
    uses.update(name for name in (*plan.forward_roots, *plan.backward_roots))
    terms: list[str] = []
    inner: set[str] = set()
    waiting: list[Ref] = [root]
    while waiting:
        name = waiting.pop()
        line = plan.lines.get(name) if isinstance(name, str) else None
        own = line is not None and line.fn == "add" and plan.stages[line.name] == stage
        if (
            line is not None
            and own
            and (name == root or uses[name] == 1)
            and all(isinstance(a, str) and plan.shape(a) == line.shape for a in line.args)
        ):
            inner |= {line.name} - {root}
            waiting.extend(reversed(line.args))
        else:
            terms.append(str(name))
    return terms, inner


def _is_product(plan: Plan, name: str) -> bool:
    """Whether a term is a product with a constant matrix, made in the loop for this sum alone."""
    line = plan.lines.get(name)
    if line is None or line.fn != "dot" or plan.stages[name] != Stage.BACK_LOOP or not _constant_matrix(plan, line.args[1]):
        return False
    left = line.args[0]
    alone = sum(name in other.uses for other in plan.lines.values()) == 1
    return alone and isinstance(left, str) and plan.stages.get(left) == Stage.BACK_LOOP and len(plan.shape(left)) == 2


def _kept_alike(plan: Plan, left: list[str]) -> list[str]:
    """What else is made in the loop, has as many rows, and is wanted after it."""
    wanted = {use for name, line in plan.lines.items() if plan.stages[name] in LATER for use in line.uses}
    rows, dtype = plan.shape(left[0])[:-1], plan.dtype(left[0])
    return [
        name
        for name, line in plan.lines.items()
        if name in wanted and plan.stages[name] == Stage.BACK_LOOP and line.fn in UFUNCS and name not in left
        and line.shape[:-1] == rows and len(line.shape) == 2 and line.dtype == dtype and name not in plan.to_states
    ]  # fmt: skip


LATER = (Stage.BACK_AFTER, Stage.BACK_ONCE)


def _parts(plan: Plan, r: _Rewriter, names: list[str], block: str) -> dict[str, str]:
    """What the members of a block are after the loop: parts of it."""
    found, start = {}, 0
    for name in names:
        stop = start + plan.shape(name)[-1]
        found[name] = r.part(Stage.BACK_AFTER, block, start, stop)
        start = stop
    return found


def _joined_name(plan: Plan, names: list[str]) -> str | None:
    """A name for values side by side that have names of their own."""
    return None if any(plan.writer.temporary(name) for name in names) else plan.writer.fresh("_".join(names))


def products_over_time(plan: Plan) -> None:
    """Products and sums over all steps of parts that lie side by side, as one product or one sum."""
    places = _places(plan)
    groups: dict[Any, list[tuple[int, int, str]]] = {}
    for name, line in plan.lines.items():
        if line.fn not in ("dot_over_time", "sum_over_time"):
            continue
        for k, arg in enumerate(line.args):
            if arg in places and plan.stages[str(arg)] == Stage.BACK_AFTER:
                others = tuple(a for i, a in enumerate(line.args) if i != k)
                groups.setdefault((line.fn, k, others, repr(line.settings), places[str(arg)][0]), []).append(
                    (places[str(arg)][1], plan.shape(str(arg))[-1], name)
                )
                break
    for (_, k, _, _, block), found in groups.items():
        found.sort()
        if len(found) > 1 and all(a[0] + a[1] == b[0] for a, b in pairwise(found)):
            _over_time_at_once(plan, [plan.lines[name] for _, _, name in found], k, block, found[0][0])


def _over_time_at_once(plan: Plan, group: list[Line], k: int, block: str, start: int) -> None:
    names = {line.name for line in group}
    width = sum(plan.shape(str(line.args[k]))[-1] for line in group)
    r = _Rewriter(plan)
    done = False
    for name, line in plan.lines.items():
        if name not in names:
            r.lines[name] = line
        elif not done:
            done = True
            part = r.part(Stage.BACK_AFTER, block, start, start + width)
            whole = r.add(Stage.BACK_ONCE, line.fn, *line.args[:k], part, *line.args[k + 1 :], **line.settings)
            at = 0
            for other in group:
                stop = at + plan.shape(str(other.args[k]))[-1]
                rows = line.fn == "dot_over_time" and k == 0
                r.add(Stage.BACK_ONCE, "index", whole, index=slice(at, stop) if rows else (..., slice(at, stop)), name=other.name)
                at = stop
    r.done()
