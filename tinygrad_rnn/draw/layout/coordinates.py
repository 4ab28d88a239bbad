"""Horizontal positions: each spot as near below and above its neighbours as its row allows."""

from __future__ import annotations

from collections.abc import Sequence

from .order import Spot

SWEEPS = 12
GAP, PASS_GAP = 16.0, 9.0
"""The least distance between two items, and between a passing wire and its neighbour."""
PASSING, HALF_PASSING, PIN, TIE = 8.0, 3.0, 60.0, 1000.0
"""The weights that keep a passing wire straight, hold it, and keep tied spots level."""


def place_in_rows(rows: Sequence[Sequence[Spot]]) -> None:
    """Set the left side of every spot.

    The rows are gone through upwards and downwards in turn. In each, the weighted sum of squares of
    the distances to the wished positions is the least that keeps order and gaps.
    """
    for row in rows:
        x = 0.0
        for i, spot in enumerate(row):
            spot.x = x
            x += spot.width + (_gap(spot, row[i + 1]) if i + 1 < len(row) else 0.0)
    for settle in (False, True, True):
        for sweep in range(SWEEPS):
            sides = ("below",) if sweep % 2 == 0 else ("above",)
            if settle or sweep >= SWEEPS // 2:
                sides = ("below", "above")
            for row in rows if sweep % 2 == 0 else reversed(rows):
                _solve_row(row, sides)
        _pin_passing_wires(rows)
    for row in rows:
        for spot in row:
            if spot.pin is not None and abs(spot.x - spot.pin) < 1:
                spot.x = spot.pin


def _pin_passing_wires(rows: Sequence[Sequence[Spot]]) -> None:
    """Ask all spots of a wire that passes several rows to be where the middle one of them is."""
    for row in rows:
        for spot in row:
            if not spot.is_pass or any(near.is_pass for near, _, _ in spot.below):
                continue
            chain = [spot]
            while ups := [near for near, _, _ in chain[-1].above if near.is_pass]:
                chain.append(ups[0])
            middle = sorted(s.x for s in chain)[len(chain) // 2]
            for s in chain:
                s.pin = middle if len(chain) > 1 else None


def _gap(a: Spot, b: Spot) -> float:
    return PASS_GAP if a.is_pass or b.is_pass else GAP


def _solve_row(row: Sequence[Spot], sides: tuple[str, ...]) -> None:
    """Move the spots of a row to their wishes (isotonic regression by pooling neighbours)."""
    shift, shifts = 0.0, []
    pools: list[tuple[float, float, int]] = []  # (weighted sum of wishes, weight, spots)
    for i, spot in enumerate(row):
        if i:
            shift += row[i - 1].width + _gap(row[i - 1], spot)
        shifts.append(shift)
        wish, weight = _wish(spot, sides)
        pools.append(((wish - shift) * weight, weight, 1))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            total, weight, count = pools.pop()
            before = pools[-1]
            pools[-1] = before[0] + total, before[1] + weight, before[2] + count
    i = 0
    for total, weight, count in pools:
        for spot, offset in zip(row[i : i + count], shifts[i : i + count], strict=True):
            spot.x = total / weight + offset
        i += count


def _wish(spot: Spot, sides: tuple[str, ...]) -> tuple[float, float]:
    """Return the position at which the wires of a spot would be straight, and its weight.

    Where two wires pull to different places, one of them is straight and the other bends, because
    two small bends are harder to follow than one.
    """
    pulls = [
        (near.x + near.port("above" if side == "below" else "below", port) - spot.port(side, own),
         PASSING if spot.is_pass and near.is_pass else HALF_PASSING if near.is_pass else 1.0)
        for side in sides
        for near, own, port in getattr(spot, side)
    ]  # fmt: skip
    if len(pulls) == 2 and len(sides) == 2 and spot.below and spot.above:
        from_source = not spot.is_pass and not spot.below[0][0].below
        pulls = [max(pulls[::-1] if from_source else pulls, key=lambda pull: pull[1])]
    pulls += [(other.x + there - here, TIE) for other, here, there in spot.tied]
    if spot.pin is not None:
        pulls.append((spot.pin, PIN))
    weight = sum(w for _, w in pulls)
    return (sum(x * w for x, w in pulls) / weight, weight) if pulls else (spot.x, 0.01)
