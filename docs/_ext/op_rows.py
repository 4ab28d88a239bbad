"""The rows of the table of ops, written from the registry.

`Row.of` raises an error for an op whose paragraph leaves a part of its row empty.
"""

import inspect
from dataclasses import dataclass

from tinygrad_rnn import ops
from tinygrad_rnn.op import Op
from tinygrad_rnn.ops.help_text import SECTION


@dataclass(frozen=True)
class Row:
    """One row of the table of ops; no part of it is empty."""

    name: str
    formula: str
    rules: dict[str, str]
    shapes: str
    notes: str

    @classmethod
    def of(cls, op: Op) -> "Row":
        """Return the row of an op; raise ValueError if a part of it is missing."""
        prose = SECTION.split(inspect.cleandoc(op.forward.__doc__ or ""))[0]
        _, _, notes = " ".join(prose.split()).partition(". ")
        rules = {name: op.rule_text(name) if name in op.rules else "constant" for name in op.inputs}
        row = cls(
            op.name,
            op.formula.format(**{name: name for name in (*op.inputs, *op.defaults)}),
            rules,
            op.shapes,
            notes,
        )
        missing = [part for part in ("formula", "shapes", "notes") if not getattr(row, part)]
        missing += ["rules"] if not op.rules or "(source not available)" in rules.values() else []
        if missing:
            raise ValueError(
                f"the op {op.name} has no {' and no '.join(missing)}: give @op its formula and "
                "shapes=, .vjps its rules, and its docstring a second sentence that says how it "
                "behaves at the limits"
            )
        return row

    def __str__(self) -> str:
        rules = " <br> ".join(
            f"∂{name}: " + ("none, a constant" if rule == "constant" else f"`{rule}`")
            for name, rule in self.rules.items()
        )
        name = f"{{py:func}}`{self.name} <tinygrad_rnn.{self.name}>`"
        return f"* - {name}\n  - `{self.formula}`\n  - {rules}\n  - {self.shapes}\n  - {self.notes}"


def helpers(made: list[Op]) -> dict[str, str]:
    """Return the functions that the rules of these ops call, with their summaries; without ops."""
    found = {}
    for rule in (rule for op in made for rule in op.rules.values()):
        for name in rule.__code__.co_names:
            called = rule.__globals__.get(name)
            if inspect.isfunction(called) and name not in ops.__all__:
                found[name] = inspect.cleandoc(called.__doc__ or "").partition("\n")[0]
    return dict(sorted(found.items()))
