"""Descriptions of programs: what they compute when, and why."""

from __future__ import annotations

from math import prod

from ..errors import format_count
from .plan import Plan, Stage

REASONS = {
    Stage.ONCE: ("Once", "depends on parameters alone"),
    Stage.BEFORE: (
        "Before the loop, for all steps at once",
        "depends on the input, not on the state",
    ),
    Stage.LOOP: ("In the loop, step by step", "lies between one state and the next"),
    Stage.AFTER: ("After the loop, for all steps at once", "is not needed for the next state"),
    Stage.BACK_BEFORE: (
        "Before the loop, for all steps at once",
        "depends on what was saved, not on the gradient that is carried back",
    ),
    Stage.BACK_LOOP: (
        "In the loop, last step first",
        "lies between one carried gradient and the next",
    ),
    Stage.BACK_AFTER: (
        "After the loop, for all steps at once",
        "is not needed for the gradient that is carried back",
    ),
    Stage.BACK_ONCE: (
        "At the end",
        "sums over all steps: of a weight one product over all rows, of a bias one sum",
    ),
}


def explain(title: str, plan: Plan, saved: list[str]) -> str:
    """Return a description of a program: the values of each stage, and why they are there."""
    back = sum(stage.backwards for stage in plan.stages.values())
    text = [f"{title}: one step is {len(plan.stages) - back} NumPy calls forwards"]
    if plan.arriving:
        text[0] += f" and {back} backwards"
    for stage, (when, why) in REASONS.items():
        names = [name for name, found in plan.stages.items() if found == stage]
        if stage in (Stage.ONCE, Stage.BACK_BEFORE) and names:
            text += ["", "Backwards" if stage.backwards else "Forwards"]
        elif stage == Stage.BACK_LOOP and names and "Backwards" not in text:
            text += ["", "Backwards"]
        if names:
            text.append(f"  {when}: {_listed(plan, names)}\n    ({why})")
    kept = [
        name for name in saved if name not in plan.arguments and plan.stages.get(name) != Stage.ONCE
    ]
    size = sum(prod(plan.shape(name)) * plan.dtype(name).itemsize for name in kept)
    if kept:
        text += ["", f"Saved for the backward pass: {_listed(plan, kept)}; {size:,} bytes a step."]
    return "\n".join(text)


def _listed(plan: Plan, names: list[str]) -> str:
    """Return the names of values, and the number of those without a name."""
    named = [name for name in names if not plan.writer.temporary(name)]
    others = len(names) - len(named)
    rest = f"{others} more" if named else format_count(others, "call")
    return ", ".join([*named, *([rest] if others else [])])
