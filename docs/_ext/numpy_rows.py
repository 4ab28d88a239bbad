"""The rows of the tables that say what each of NumPy's functions does with a Tensor.

The tables are written from the lists that the functions run by: the ops, the compositions, the
functions of values, and the refusals.
"""

import inspect
from collections.abc import Iterator

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.op import Op
from tinygrad_rnn.ops import numpy_protocol
from tinygrad_rnn.ops.unsupported import UNKNOWN, explain, instead

MODULES = {"": np, "linalg.": np.linalg}
TITLES = {
    "Differentiated": "What it calls",
    "Without a derivative": "What it returns",
    "Refused by name": "What to write instead, or why not",
}
"""The headings of the tables, and the titles of their second columns."""
TABLE = """
:::{{list-table}}
:header-rows: 1
:widths: 35 65

* - NumPy's function
  - {title}
{rows}
:::
"""


def reachable() -> dict[object, list[str]]:
    """Return NumPy's functions that ask a Tensor what to do, each with its names."""
    found: dict[object, list[str]] = {}
    for prefix, module in MODULES.items():
        for name in sorted(module.__all__):
            function = getattr(module, name)
            is_dispatched = type(function).__name__ == "_ArrayFunctionDispatcher"
            if isinstance(function, np.ufunc) or is_dispatched:
                found.setdefault(function, []).append(f"np.{prefix}{name}")
    return found


def says(ours: object) -> str:
    """Return what is called in place of NumPy's function: a link, or a sentence."""
    name = ours.name if isinstance(ours, Op) else getattr(ours, "__name__", "")
    if name in ops.__all__:
        kind = "op" if isinstance(ours, Op) else "composed of ops"
        return f"{{py:func}}`tg.{name} <tinygrad_rnn.{name}>`, {kind}"
    paragraph = inspect.cleandoc(getattr(ours, "__doc__", None) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def sort_into_tables() -> dict[str, dict[str, str]]:
    """Return the rows of the three tables, by heading: the function's names, and what is said."""
    found: dict[str, dict[str, str]] = {heading: {} for heading in TITLES}
    differentiated, plain, others = found.values()
    for function, names in reachable().items():
        text, name = ", ".join(f"`{name}`" for name in names), names[0].removeprefix("np.")
        if function in numpy_protocol.differentiable:
            differentiated[text] = says(numpy_protocol.differentiable[function])
        elif function in numpy_protocol.value_functions:
            plain[text] = "what it returns for arrays"
        elif name in instead:
            others[text] = f"`{instead[name]}`"
        else:
            reason = explain(name)
            others[text] = "an op that you define with `tg.op`" if reason == UNKNOWN else reason
    return found


def tables() -> Iterator[str]:
    """Yield the three tables: differentiated, plain, and the others."""
    for heading, rows in sort_into_tables().items():
        yield f"## {heading}\n"
        lines = "\n".join(f"* - {names}\n  - {text}" for names, text in rows.items())
        yield TABLE.format(title=TITLES[heading], rows=lines)
