"""The compiler's pipeline: from the recording of a step, through the passes, to the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .gradient import Gradients
from .jit import JitText, into_the_loop
from .passes import one_for_all, over_time, parts_of_products, products_of_joined, sums, views_again
from .plan import Plan, place, written
from .program import Program, Text
from .trace import Traced


def build(
    traced: Traced,
    gradients: Gradients | None,
    arguments: list[Any],
    title: str,
    backend: str = "numpy",
) -> Program:
    """Return the program of a recorded step, after one pass after another over its lines."""
    plan = written(traced, gradients, arguments)
    one_for_all(plan)
    products_of_joined(plan)
    parts_of_products(plan)
    sums(plan)
    place(plan)
    if gradients is not None:
        over_time(plan)
    views_again(plan)
    if backend == "numba":
        into_the_loop(plan)
    numbered(plan)
    return (JitText if backend == "numba" else Text)(plan, title).program()


def numbered(plan: Plan) -> None:
    """Name the temporaries t1, t2, … in the order in which the program computes them."""
    w = plan.writer
    order = sorted(plan.lines, key=lambda name: plan.stages[name])
    unnamed = [name for name in order if w.temporary(name)]
    w.taken -= w.unnamed
    names = {name: w.fresh(f"t{n}") for n, name in enumerate(unnamed, 1)}
    w.unnamed = set(names.values())

    def new(name: Any) -> Any:
        return names.get(name, name) if isinstance(name, str) else name

    lines = {
        new(n): replace(line, name=new(n), args=tuple(map(new, line.args)))
        for n, line in plan.lines.items()
    }
    plan.stages = {new(name): plan.stages[name] for name in plan.lines}
    handed = {
        *plan.inputs,
        *plan.states,
        *plan.arguments,
        *plan.arriving,
        *plan.carried,
        *w.constants,
    }
    w.arrays = {
        new(name): array for name, array in w.arrays.items() if name in plan.lines or name in handed
    }
    w.notes = {new(name): note for name, note in w.notes.items() if name in plan.lines}
    plan.lines = lines
    for roots in ("outputs", "new", "to_inputs", "to_states", "to_arguments"):
        setattr(plan, roots, [new(name) for name in getattr(plan, roots)])
