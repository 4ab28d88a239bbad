"""Passes that leave out lines: each returns the program with fewer or simpler lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from .instructions import VIEWS, Instruction, Loop, Program, Variable, walk
from .rewriting import dependencies, makers, reach, rename


def eliminate_dead_code(program: Program) -> Program:
    """Leave out what no output and no effect depends on, also inside of loops."""
    effects = [x for x in walk(program.lines) if isinstance(x, Instruction) and x.has_effect]
    roots = [x for line in effects for x in (line.out, *line.uses)]
    live = reach([*program.outputs, *roots], dependencies(program.lines))
    program.lines = _live(program.lines, live)
    return program


def _live(lines: list[Any], live: set[Variable]) -> list[Any]:
    for line in lines:
        if isinstance(line, Loop):
            line.body = _live(line.body, live)
            line.slices = [pair for pair in line.slices if pair[0] in live]
            line.stacks = [pair for pair in line.stacks if pair[1] in live]
            line.sums = [pair for pair in line.sums if pair[1] in live]
            line.states = [s for s in line.states if s.inside in live or s.last in live]
    return [line for line in lines if line.has_effect or not live.isdisjoint(line.results)]


# -- copies and views ------------------------------------------------------------------------------


def propagate_copies(program: Program) -> Program:
    """Read the original in place of values that are equal to it, and of views that cancel out.

    A copy stays if without it an output would share memory with an input or another output.
    """
    shows = _shown_by(program)
    names: dict[Variable, Any] = {}
    same: dict[Variable, Variable] = {}  # stacks of one value, which is the same in all steps

    def replace(y: Variable, x: Any, view: bool) -> None:
        if not view and y in reach(program.outputs, shows):
            memory = reach([x], shows)
            others = reach([out for out in program.outputs if out is not y], shows)
            if not memory.isdisjoint([*program.inputs, *others]) or program.outputs.count(y) > 1:
                return
        names[y] = x
        shows[y] = [x]
        x.name, x.note = x.name or y.name, x.note or y.note

    made = makers(program.lines)
    for line in walk(program.lines):
        if isinstance(line, Instruction):
            if line.uses and line.args[0] in made:
                _compose(line, made[line.args[0]])
            if line.function == "multiply" and all(map(_is_array, line.args)):
                ones = [x for x in line.args if _is_one(x, made)]
                kind = line.out.shape, line.out.dtype
                others = [x for x in line.args if x not in ones and (x.shape, x.dtype) == kind]
                line.args = (others[0], 1) if ones and others else line.args
            if _is_copy(line):
                replace(line.out, line.uses[0], line.function in VIEWS)
            continue
        wholes = {x: whole for x, whole in line.slices if whole.shape[0] == line.steps}
        names |= {x: same[whole] for x, whole in line.slices if whole in same}
        inside = set(line.inside)
        for x, y in line.stacks:
            if x in wholes:
                replace(y, wholes[x], False)
            elif x not in inside:
                same[y] = x
        for state in line.states:
            if state.next is state.inside:
                names |= {state.inside: state.start, state.last: state.start}
    rename(program, names)
    return program


def _shown_by(program: Program) -> dict[Variable, list[Variable]]:
    """Return for each variable the variables whose memory it may share."""
    shows: dict[Variable, list[Variable]] = {}
    for line in walk(program.lines):
        if isinstance(line, Loop):
            shows |= {x: [whole] for x, whole in line.slices}
            shows |= {s.inside: [s.start, s.next] for s in line.states}
            shows |= {s.last: [s.start, s.next] for s in line.states}
        elif line.function in VIEWS:
            shows[line.out] = line.uses[:1]
    return shows


def _is_copy(line: Instruction) -> bool:
    """Return True if the result of a line is equal to its first argument in every respect."""
    x, y = line.uses[0] if line.uses else None, line.out
    if x is None or x.is_number or (x.shape, x.dtype) != (y.shape, y.dtype):
        return False
    match line.function:
        case "astype" | "reshape" | "broadcast_to":
            return True
        case "copy":
            return True
        case "concatenate":
            return len(line.args) == 1
        case "transpose":
            return tuple(line.settings["axes"]) == tuple(range(len(x.shape)))
        case "index":
            index = line.settings["index"]
            parts = index if isinstance(index, tuple) else (index,)
            return all(p is ... or (isinstance(p, slice) and p.step in (None, 1)) for p in parts)
        case "subtract":  # but 0 + x is not equal to x if x is -0.0
            return _is_literal(line.args[1], 0)
        case "multiply":
            return any(_is_literal(factor, 1) for factor in line.args)
        case "divide" | "power":
            return _is_literal(line.args[1], 1)
    return False


def _compose(line: Instruction, first: Instruction) -> None:
    """Write a transpose of a transpose, or a reshape of a reshape, as one view."""
    match first.function, line.function:
        case "reshape", "reshape":
            line.args = first.args
        case "transpose", "transpose":
            axes = first.settings["axes"]
            line.args = first.args
            line.settings = {"axes": tuple(axes[i] for i in line.settings["axes"])}


def _is_array(x: Any) -> bool:
    return isinstance(x, Variable) and not x.is_number


def _is_one(x: Any, made: dict[Variable, Instruction]) -> bool:
    """Return True for an array whose entries are all 1, such as the gradient of a loss."""
    line = made.get(x)
    while line is not None and line.function in ("astype", "copy", "reshape", "broadcast_to"):
        if not isinstance(line.args[0], Variable):
            return line.args[0] == 1
        line = made.get(line.args[0])
    return False


def _is_literal(x: Any, number: int) -> bool:
    return not isinstance(x, Variable) and x == number


# -- common subexpressions -------------------------------------------------------------------------


def share_common_subexpressions(program: Program) -> Program:
    """Keep one of several equal lines, slices, stacks, sums and states."""
    names: dict[Variable, Variable] = {}
    program.lines = _share(program.lines, {}, names)
    rename(program, names)  # type: ignore[arg-type]
    return program


def _share(
    lines: list[Any], seen: dict[Any, Variable], names: dict[Variable, Variable]
) -> list[Any]:
    kept: list[Any] = []
    for line in lines:
        if isinstance(line, Loop):
            _share_in_loop(line, dict(seen), names)
            kept.append(line)
            continue
        line.args = tuple(names.get(x, x) if isinstance(x, Variable) else x for x in line.args)
        same = seen.setdefault(_key(line), line.out)
        if same is line.out:
            kept.append(line)
        else:
            names[line.out] = same
            same.name, same.note = same.name or line.out.name, same.note or line.out.note
    return kept


def _share_in_loop(loop: Loop, seen: dict[Any, Variable], names: dict[Variable, Variable]) -> None:
    def share(kind: str, key: Any, x: Variable) -> bool:
        same = seen.setdefault((kind, key), x)
        if same is not x:
            names[x] = same
        return same is x

    def new(x: Variable) -> Variable:
        return names.get(x, x)

    mark = str(id(loop))  # the same slice of another loop is another variable
    loop.slices = [(x, new(w)) for x, w in loop.slices if share("slice" + mark, new(w), x)]
    loop.body = _share(loop.body, seen, names)
    loop.stacks = [(new(x), y) for x, y in loop.stacks if share("stack" + mark, new(x), y)]
    loop.sums = [(new(x), y) for x, y in loop.sums if share("sum" + mark, new(x), y)]
    for s in loop.states:  # what they are inside is already read: they are left out as dead code
        if not share("state" + mark, (new(s.start), new(s.next)), s.last):
            first = next(x for x in loop.states if x.last is names[s.last])
            names[s.inside] = first.inside


def _key(line: Instruction) -> Any:
    """Return what two lines have in common if they compute the same."""
    if line.function in ("draw", "call", "copy"):  # a copy that is left is meant
        return line
    args = [x if isinstance(x, Variable) else (type(x), repr(x)) for x in line.args]
    if line.function in ("add", "multiply"):
        args.sort(key=lambda x: id(x) if isinstance(x, Variable) else 0)
    return line.function, tuple(args), _alike(line.settings)


def _alike(setting: Any) -> Any:
    """Return a hashable form of a setting; settings with the same effect have the same form."""
    if isinstance(setting, np.ndarray):
        return setting.dtype, setting.shape, setting.tobytes()
    if isinstance(setting, dict):
        return tuple((name, _alike(value)) for name, value in setting.items())
    if isinstance(setting, tuple | list):
        return tuple(map(_alike, setting))
    return repr(setting)
