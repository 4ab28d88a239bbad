"""Optimisation passes: each rewrites a plan so that its lines cost less, or can run earlier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .lines import VIEWS, Line, Ref, needed
from .plan import LIFTED, LOOPS, Plan, Stage


def one_for_all(plan: Plan) -> None:
    """Eliminate common subexpressions: keep one of several equal lines."""
    seen: dict[Any, str] = {}
    names: dict[str, str] = {}
    lines: dict[str, Line] = {}
    for name, line in plan.lines.items():
        line = replace(
            line, args=tuple(names.get(a, a) if isinstance(a, str) else a for a in line.args)
        )
        args = tuple(sorted(line.args, key=repr)) if line.fn in ("add", "multiply") else line.args
        key = (line.fn, args, _alike(line.settings)) if line.fn != "call" else name
        if key in seen:
            names[name] = seen[key]
        else:
            seen[key], lines[name] = name, line
    plan.lines = lines
    _rename(plan, names)


def _alike(setting: Any) -> Any:
    """Return a hashable form of a setting; settings with the same effect have the same form."""
    if isinstance(setting, np.ndarray):
        return setting.dtype, setting.shape, setting.tobytes()
    if isinstance(setting, dict):
        return tuple((name, _alike(value)) for name, value in setting.items())
    if isinstance(setting, tuple | list):
        return type(setting), tuple(map(_alike, setting))
    return repr(setting)


def _rename(plan: Plan, names: dict[str, str]) -> None:
    """Rename values wherever the plan refers to them outside of lines."""

    def new(name: str | None) -> str | None:
        while name in names:
            name = names[name]
        return name

    for field_ in ("outputs", "new", "to_inputs", "to_states", "to_arguments"):
        setattr(plan, field_, [new(name) for name in getattr(plan, field_)])
    plan.totals = {total: new(name) or name for total, name in plan.totals.items()}


def sums(plan: Plan) -> None:
    """Reassociate sums, so that terms which do not depend on the state are added first.

    Of ``x @ W + h @ U + b`` these are the product with x and the bias.
    """
    rank = _ranks(plan)
    uses: dict[str, int] = {}
    for line in plan.lines.values():
        for use in line.uses:
            uses[use] = uses.get(use, 0) + 1
    for root in (*plan.forward_roots, *plan.backward_roots):
        uses[root] = uses.get(root, 0) + 2
    lines: dict[str, Line] = {}
    inner = set()
    for line in plan.lines.values():
        if line.fn == "add":
            inner |= {u for u in line.uses if uses[u] == 1 and _is_term(plan, u, line)}
    for name, line in plan.lines.items():
        if name in inner:
            continue
        if line.fn != "add" or not inner & set(line.uses):
            lines[name] = line
            continue
        terms = _terms(plan, line, inner)
        ranked = sorted(range(len(terms)), key=lambda i: (rank.get(str(terms[i]), 0), i))
        total: Ref = terms[ranked[0]]
        for k, i in enumerate(ranked[1:]):
            last = k == len(ranked) - 2
            total = _written(plan, lines, "add", (total, terms[i]), name if last else None)
    plan.lines = lines


def _is_term(plan: Plan, use: str, line: Line) -> bool:
    """Return True if a value is a sum within a sum, and has no name of its own."""
    made = plan.lines.get(use)
    return (
        made is not None
        and made.fn == "add"
        and plan.writer.temporary(use)
        and made.dtype == line.dtype
    )


def _terms(plan: Plan, line: Line, inner: set[str]) -> list[Ref]:
    found: list[Ref] = []
    waiting: list[Ref] = list(reversed(line.args))
    while waiting:
        arg = waiting.pop()
        if isinstance(arg, str) and arg in inner:
            waiting.extend(reversed(plan.lines[arg].args))
        else:
            found.append(arg)
    return found


def _written(
    plan: Plan,
    lines: dict[str, Line],
    fn: str,
    args: tuple[Ref, ...],
    name: str | None,
    **settings: Any,
) -> str:
    """Add a new line, under `name` or a fresh name."""
    made = plan.writer.write(fn, *args, **settings)
    line = plan.writer.lines[made]
    if name is not None:
        line = replace(line, name=name)
        plan.writer.arrays[name] = plan.writer.arrays[made]
    lines[line.name] = line
    return line.name


def _ranks(plan: Plan) -> dict[str, int]:
    """Return a rank for each value that says how early it can be computed.

    0: independent of the step; 1: depends on the input; 2: depends on the state or the carried
    gradient.
    """
    rank = {
        **dict.fromkeys((*plan.inputs, *plan.arriving), 1),
        **dict.fromkeys((*plan.states, *plan.carried), 2),
    }
    for name, line in plan.lines.items():
        rank[name] = max((rank.get(use, 0) for use in line.uses), default=0)
    return rank


def products_of_joined(plan: Plan) -> None:
    """Rewrite ``[x, h] @ W`` as ``x @ W[:n] + h @ W[n:]``, so that ``x @ W[:n]`` can be hoisted."""
    rank = _ranks(plan)
    lines: dict[str, Line] = {}
    for name, line in plan.lines.items():
        joined = plan.lines.get(str(line.args[0])) if line.fn == "dot" else None
        if (
            joined is None
            or joined.fn != "concatenate"
            or joined.settings["axis"] != -1
            or len(plan.shape(str(line.args[1]))) != 2
        ):
            lines[name] = line
            continue
        if len({rank.get(str(arg), 0) for arg in joined.args}) == 1:
            lines[name] = line
            continue
        start, total = 0, None
        for k, arg in enumerate(joined.args):
            size = plan.shape(str(arg))[-1]
            part = _written(
                plan, lines, "index", (line.args[1],), None, index=slice(start, start + size)
            )
            term = _written(plan, lines, "dot", (arg, part), None)
            last = k == len(joined.args) - 1
            total = (
                term
                if total is None
                else _written(plan, lines, "add", (total, term), name if last else None)
            )
            start += size
    plan.lines = needed(lines, [*plan.forward_roots, *plan.backward_roots])


def parts_of_products(plan: Plan) -> None:
    """Rewrite ``(g @ W)[:, a:b]`` as ``g @ W[:, a:b]`` where a product is only read in slices.

    Each slice can then run as early as its own inputs allow.
    """
    users: dict[str, list[Line]] = {}
    for line in plan.lines.values():
        for use in line.uses:
            users.setdefault(use, []).append(line)
    roots = {*plan.forward_roots, *plan.backward_roots}
    lines: dict[str, Line] = {}
    for name, line in plan.lines.items():
        product = plan.lines.get(line.uses[0]) if line.fn == "index" else None
        if (
            product is None
            or product.fn != "dot"
            or product.name in roots
            or _axes(plan, product) != (2, 2)
        ):
            lines[name] = line
            continue
        if not all(_is_part(plan, user) for user in users[product.name]):
            lines[name] = line
            continue
        part = _written(plan, lines, "index", (product.args[1],), None, index=(..., _last(line)))
        _written(plan, lines, "dot", (product.args[0], part), name)
    plan.lines = needed(lines, roots)


def _axes(plan: Plan, product: Line) -> tuple[int, ...]:
    """Return the number of axes of each operand of a product."""
    return tuple(len(plan.shape(str(arg))) for arg in product.args)


def _last(line: Line) -> Any:
    """Return the entry of an index for the last axis."""
    index = line.settings["index"]
    return index[-1] if isinstance(index, tuple) else index


def _is_part(plan: Plan, line: Line) -> bool:
    """Return True if a line is a slice of a matrix along its last axis only."""
    index = line.settings.get("index")
    whole = (slice(None), ...)
    return (
        line.fn == "index"
        and isinstance(index, tuple)
        and len(index) == 2
        and index[0] in whole
        and isinstance(index[1], slice)
    )


def views_again(plan: Plan) -> None:
    """Rematerialise views of loop values in the later stages that read them.

    Views cost nothing, so only the arrays that they refer to are kept over time.
    """
    copies: dict[tuple[str, Stage], str] = {}
    lines: dict[str, Line] = {}

    for name, line in plan.lines.items():
        stage = plan.stages[name]
        lines[name] = replace(
            line, args=tuple(_again(plan, lines, copies, arg, stage) for arg in line.args)
        )
    plan.lines = lines


def _again(
    plan: Plan, lines: dict[str, Line], copies: dict[tuple[str, Stage], str], use: Ref, stage: Stage
) -> Ref:
    """Return the value that a stage reads in place of `use`.

    For a view of a loop value that is a copy of the view in the later stage, else `use` itself.
    """
    line = plan.lines.get(use) if isinstance(use, str) else None
    if (
        line is None
        or line.fn not in VIEWS
        or plan.stages[line.name] not in LOOPS
        or plan.stages[line.name] == stage
    ):
        return use
    made = plan.stages[line.name]
    stage = (
        Stage.BACK_AFTER
        if made == Stage.BACK_LOOP
        else Stage.AFTER
        if stage == Stage.AFTER
        else Stage.BACK_BEFORE
    )
    key = (line.name, stage)
    if key not in copies:
        args = tuple(_again(plan, lines, copies, arg, stage) for arg in line.args)
        copies[key] = _written(plan, lines, line.fn, args, None, **line.settings)
        plan.stages[copies[key]] = stage
    return copies[key]


def over_time(plan: Plan) -> None:
    """Write the sums of gradients over all steps.

    A sum of matrix products becomes one product over all rows, and a sum of sums becomes one sum.
    """
    last = {name: line for name, line in plan.lines.items() if plan.stages[name] == Stage.BACK_ONCE}
    for name in last:
        del plan.lines[name]
    for total, name in plan.totals.items():
        _total(plan, name, total)
    plan.lines.update(last)
    plan.totals = {}
    plan.lines = needed(plan.lines, [*plan.forward_roots, *plan.backward_roots])


def _total(plan: Plan, name: str, total: str | None = None) -> str:
    """Add lines for the sum of a value over all steps, and return its name: `total`, if given."""

    def last(fn: str, *args: Ref, **settings: Any) -> str:
        made = _written(plan, plan.lines, fn, args, total, **settings)
        plan.stages[made] = Stage.BACK_ONCE
        return made

    line = plan.lines.get(name)
    if line is None or plan.stages[name] not in LIFTED:
        return last("sum_over_time", name, axis=())
    if line.fn == "add" and all(
        isinstance(a, str) and plan.shape(a) == line.shape and plan.varies(a) for a in line.args
    ):
        return last("add", *(_total(plan, str(a)) for a in line.args))
    if line.fn in ("transpose", "reshape"):
        return last(line.fn, _total(plan, str(line.args[0])), **line.settings)
    if line.fn == "sum" and not line.settings["keepdims"]:
        return last("sum_over_time", line.args[0], axis=line.settings["axis"])
    if line.fn == "dot" and all(
        plan.varies(str(a)) and len(plan.shape(str(a))) == 2 for a in line.args
    ):
        left = plan.lines.get(str(line.args[0]))
        if left is not None and left.fn == "transpose" and plan.stages[left.name] in LIFTED:
            return last("dot_over_time", left.args[0], line.args[1])
        return last("tensordot_over_time", *line.args)
    return last("sum_over_time", name, axis=())
