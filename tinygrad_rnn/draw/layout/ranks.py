"""Rows of a layout: each item gets a rank, above all items that it depends on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from .boxes import FRAME, Wire

Links = dict[Any, dict[Any, float]]


def rank_items(
    spans: Mapping[Any, int],
    wires: Iterable[Wire],
    makers: Iterable[Any],
    beside: Iterable[tuple[Any, Any]] = (),
) -> dict[Any, int]:
    """Return the rank of each item, from 1 on: the lowest of the rows that it occupies.

    An item is above its sources. If it has more uses than sources, it is as near to its uses as
    they allow, so that a parameter is next to the op that uses it.

    Parameters
    ----------
    spans : mapping of hashable to int
        The number of rows that each item occupies. The items are in the order of computation.
    wires : iterable of Wire
    makers : iterable of hashable
        The items that compute the next states. No two of them get the same rank, because each state
        leaves its frame at the height of its maker.
    beside : iterable of pairs of hashable
        Items that are to be in one row, the second to the right of the first.
    """
    level = _find_groups(beside)
    keys = list(spans)
    after: Links = {key: {} for key in keys}
    begins = dict.fromkeys(keys, 0.0)
    for wire in wires:
        for sink in wire.sinks:
            a, b = wire.source.item, sink.item
            if (
                a in spans
                and b in spans
                and a != b
                and (a not in level or level[a] is not level.get(b))
            ):
                after[a][b] = 1.0
            elif a == FRAME and b in spans:
                begins[b] = 0.5
    order = _sort_topologically(keys, after)
    position = {key: i for i, key in enumerate(order)}
    after = {a: {b: w for b, w in after[a].items() if position[b] > position[a]} for a in order}
    apart: Links = {key: dict(uses) for key, uses in after.items()}
    chain = sorted(dict.fromkeys(key for key in makers if key in spans), key=position.__getitem__)
    for a, b in itertools.pairwise(chain):
        apart[a].setdefault(b, 0.0)
    rank = dict.fromkeys(order, 1)
    for _ in range(1 + len(level)):  # items that are side by side raise each other
        for a in order:
            for b in apart[a]:
                rank[b] = max(rank[b], rank[a] + spans[a])
        for group in level.values():
            rank |= dict.fromkeys(group, max(rank[key] for key in group))
    _pull_to_uses(order, after, apart, begins, spans, rank)
    return rank


def _find_groups(beside: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Return, for each item that is beside another, all items of that row."""
    groups: dict[Any, list[Any]] = {}
    for a, b in beside:
        joined = list(dict.fromkeys([*groups.get(a, [a]), *groups.get(b, [b])]))
        groups |= dict.fromkeys(joined, joined)
    return groups


def _sort_topologically(keys: list[Any], after: Links) -> list[Any]:
    """Return the items, each behind its sources; where there is a cycle, in the order of keys."""
    missing = dict.fromkeys(keys, 0)
    for uses in after.values():
        for b in uses:
            missing[b] += 1
    order: list[Any] = []
    waiting = dict.fromkeys(keys)
    ready = [key for key in reversed(keys) if not missing[key]]
    while waiting:
        key = ready.pop() if ready else next(iter(waiting))  # the oldest item of a cycle
        if key not in waiting:
            continue
        del waiting[key]
        order.append(key)
        for b in after[key]:
            missing[b] -= 1
            if not missing[b] and b in waiting:
                ready.append(b)
    return order


def _pull_to_uses(
    order: list[Any], after: Links, apart: Links, begins: Mapping[Any, float],
    spans: Mapping[Any, int], rank: dict[Any, int],
) -> None:  # fmt: skip
    """Raise each item that has more uses than sources, as far as its uses allow."""
    sources = dict(begins)
    for uses in after.values():
        for b in uses:
            sources[b] += 1
    for a in reversed(order):
        if after[a] and sources[a] < len(after[a]):
            rank[a] = max(rank[a], min(rank[b] for b in apart[a]) - spans[a])
