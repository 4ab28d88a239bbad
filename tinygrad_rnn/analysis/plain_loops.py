"""Loops over time that a program writes in plain Python, without `scan`: found by repetition.

A loop repeats ops on the same parameters, and each turn uses a result of the turn before. Its turns
get the scopes that the steps of a scan have, so that text and pictures show both alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..graph import Value
from ..scope_part import Scope, ScopePart

MOST_USES = 4
"""The greatest number of equal ops on one parameter in a turn."""

LEAST_TURNS = 3
"""The least number of turns of a loop in which nothing but the state changes."""


def add_plain_loops(values: Sequence[Value], scopes: dict[Value, Scope]) -> dict[Value, Scope]:
    """Return the scopes with a time step for each turn of each plain loop.

    Parameters
    ----------
    values : sequence of Value
        Results, oldest first.
    scopes : dict of Value to Scope
        Their scopes. Results in a time step, or in a gradient, are left alone.
    """
    left = [
        value
        for value in values
        if not any(part.is_step or part.kind == "gradient" for part in scopes[value])
    ]
    found = dict(scopes)
    of_scans = {
        scope[:i] for scope in scopes.values() for i, part in enumerate(scope) if part.is_step
    }
    loops: Counter[Scope] = Counter(of_scans)
    while turns := _find_turns(left, scopes):
        around = _common_start([scopes[value] for turn in turns for value in turn])
        around = tuple(part for part in around if part.kind != "module" or part.call == 1)
        loops[around] += 1
        if loops[around] > 1:
            name = f"{around[-1]}, loop" if around else "loop"
            loop = (*around[:-1], ScopePart("name", f"{name} {loops[around]}"))
        else:
            loop = around
        for step, turn in enumerate(turns):
            calls: dict[Any, dict[int, int]] = {}
            for value in turn:
                inner = [_count_in_turn(part, calls) for part in scopes[value][len(around) :]]
                found[value] = (*loop, ScopePart("step", index=step), *inner)
        taken = {value for turn in turns for value in turn}
        left = [value for value in left if value not in taken]
    return found


def _forget_call(part: ScopePart) -> ScopePart:
    return ScopePart(part.kind, part.name, part.index, 1) if part.kind == "module" else part


def _count_in_turn(part: ScopePart, calls: dict[Any, dict[int, int]]) -> ScopePart:
    """Return the part of a module with its call counted in this turn."""
    if part.kind != "module":
        return part
    known = calls.setdefault((part.name, part.index), {})
    ordinal = known.setdefault(part.call, len(known) + 1)
    return ScopePart(part.kind, part.name, part.index, ordinal, part.call)


def _common_start(scopes: Sequence[Scope]) -> Scope:
    """Return the parts that all scopes begin with."""
    first = scopes[0]
    size = 0
    while all(len(scope) > size and scope[size] == first[size] for scope in scopes):
        size += 1
    return first[:size]


def _find_turns(values: Sequence[Value], scopes: dict[Value, Scope]) -> list[list[Value]]:
    """Return the results of each turn of one loop; empty if no loop is found."""
    tokens = [_describe(value, scopes[value]) for value in values]
    places: dict[Any, list[int]] = {}
    for i, token in enumerate(tokens):
        if token[-1]:  # an op on a parameter
            places.setdefault(token, []).append(i)
    for found in sorted(places.values(), key=lambda found: -len(found)):
        if len(found) < 2:
            return []
        for uses in range(1, MOST_USES + 1):  # a turn may use a parameter several times
            if len(found) % uses or len(found) < 2 * uses:
                continue
            turns = _cut_into_turns(values, tokens, found[::uses])
            if _is_loop(turns):
                return _extend(turns, values, tokens)
    return []


def _describe(value: Value, scope: Scope) -> tuple[Any, ...]:
    """Return what an op has in common with its counterparts in other turns."""
    parameters = frozenset(
        id(x) for x in value.node.inputs if isinstance(x, Value) and x.node is None and x.tracked
    )
    return tuple(map(_forget_call, scope)), value.node.op.name, value.name, parameters


def _cut_into_turns(
    values: Sequence[Value], tokens: Sequence[Any], anchors: Sequence[int]
) -> list[list[Value]]:
    """Return turns that hold one anchor each, and the same ops before and after it."""
    before = 0
    room = min([anchors[0] + 1, *(b - a for a, b in pairwise(anchors))])
    while before + 1 < room and len({tokens[a - before - 1] for a in anchors}) == 1:
        before += 1
    starts = [a - before for a in anchors]
    turns = [list(range(a, b)) for a, b in pairwise(starts)]
    start, length = starts[-1], len(turns[-1])
    expected = [tokens[i] for i in turns[-1]]
    while tokens[start : start + length] != expected[:length]:
        length -= 1
    last = range(start, start + length)
    return [[values[i] for i in turn] for turn in (*turns, last)]


def _extend(
    turns: list[list[Value]], values: Sequence[Value], tokens: Sequence[Any]
) -> list[list[Value]]:
    """Return the turns, with a turn before them that starts from a parameter, as in ``p = w``."""
    place = {value: i for i, value in enumerate(values)}
    usual = [tokens[place[value]] for value in turns[len(turns) // 2]]
    start = place[turns[0][0]] - len(usual)
    before = tokens[max(start, 0) : start + len(usual)]
    if len(before) == len(usual) and all(map(_is_like, before, usual)):
        first = list(values[start : start + len(usual)])
        used = {x for value in turns[0] for x in value.node.inputs if isinstance(x, Value)}
        return [first, *turns] if used & set(first) else turns
    return turns


def _is_like(token: Any, usual: Any) -> bool:
    """Return whether an op is like another, but for further parameters."""
    return token[:2] == usual[:2] and set(token[-1]) >= set(usual[-1])


def _is_loop(turns: Sequence[Sequence[Value]]) -> bool:
    """Return whether each turn uses a result of the turn before, and is one of several alike."""
    has_input = False
    for before, turn in pairwise(turns):
        made, own = set(before), set(turn)
        used = {x for value in turn for x in value.node.inputs if isinstance(x, Value)} - own
        if not used & made:
            return False
        has_input |= any(not x.tracked or x.node for x in used - made)
        has_input |= any(
            getattr(array, "ndim", 0)
            for value in turn
            for x, array in zip(value.node.inputs, value.node.arrays, strict=True)
            if not isinstance(x, Value)
        )
    alike = Counter(tuple(value.node.op.name for value in turn) for turn in turns)
    usual, most = alike.most_common(1)[0]
    if most * 2 < len(turns) or not all(_is_part(ops, usual) for ops in alike):
        return False
    return len(turns) >= (2 if has_input else LEAST_TURNS)


def _is_part(a: Sequence[str], b: Sequence[str]) -> bool:
    """Return whether one of two sequences is the other with some entries left out."""
    short, long = sorted((a, b), key=len)
    rest = iter(long)
    return all(entry in rest for entry in short)
