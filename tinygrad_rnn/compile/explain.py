"""Descriptions of programs: the work of each loop, and what is left to all steps at once."""

from __future__ import annotations

from typing import Any

from ..errors import format_count
from .instructions import VIEWS, Instruction, Loop, Program, Variable, walk


def explain(ready: Any) -> str:
    """Return a description of a program: its loops, what they carry, and what they keep."""
    parts = [_describe(ready.traced.title, ready.forward.program)]
    if ready.backward is not None:
        parts.append(_describe(f"{ready.traced.title}, backward", ready.backward.program))
        size = sum(v.nbytes for v in ready.saved)
        names = _list_names(ready.saved)
        parts.append(f"Saved for the backward pass: {names}; {size:,} bytes.")
    return "\n\n".join(parts)


def _describe(title: str, program: Program) -> str:
    loops = [line for line in program.lines if isinstance(line, Loop)]
    inside = sum(_count(loop.body) for loop in loops)
    outside = _count(program.lines) - inside
    text = [f"{title}: {format_count(outside, 'NumPy call')}"]
    if loops:
        text[0] += f", and {inside} in each step of {format_count(len(loops), 'loop')}"
    for loop in loops:
        text.append(_describe_loop(loop))
    return "\n".join(text)


def _describe_loop(loop: Loop) -> str:
    """Return what one loop computes step by step, carries and keeps."""
    head = "Back through time" if loop.reverse else "Through time"
    lines = [f"  {head}, {format_count(loop.steps, 'step')} of {_count(loop.body)} NumPy calls"]
    carried = [state.inside for state in loop.states]
    for label, found in (
        ("reads, of arrays over time", [x for x, _ in loop.slices]),
        ("carries from step to step", carried),
        ("computes", [line.out for line in loop.body if isinstance(line, Instruction)]),
        ("keeps of every step", [x for x, _ in loop.stacks]),
        ("adds up", [x for x, _ in loop.sums]),
    ):
        if found:
            lines.append(f"    {label}: {_list_names(found)}")
    return "\n".join(lines)


def _count(lines: list[Any]) -> int:
    """Return the number of NumPy calls, without views, which cost little."""
    return sum(isinstance(x, Instruction) and x.function not in VIEWS for x in walk(lines))


def _list_names(variables: list[Variable]) -> str:
    """Return the names of variables, each once, and the number of those without a name."""
    names = list(dict.fromkeys(v.name for v in variables if v.name))
    others = sum(not v.name for v in variables)
    rest = f"{others} more" if names else format_count(others, "value")
    return ", ".join([*names, *([rest] if others else [])])
