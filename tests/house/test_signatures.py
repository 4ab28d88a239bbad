"""How everything public is called: names, order, defaults, what goes by name alone.

A change here breaks somebody's program: it needs a line in CHANGELOG.md. ``python tests/house/test_signatures.py`` writes the file anew.
"""

import inspect
import re
from pathlib import Path

from public_names import MEMBERS, PUBLIC

import tinygrad_rnn as tg

KNOWN = Path(__file__).parents[1] / "fixtures" / "signatures.txt"
BARE = inspect.Parameter.empty


def call(name, function):
    """``tg.name(…)``, without the types."""
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=BARE) for p in signature.parameters.values()]
    written = f"tg{name}{signature.replace(parameters=parameters, return_annotation=BARE)}"
    return re.sub(r"<function (\w+) at \w+>", r"\1", written)


def is_error(thing):
    """Whether it is raised, and not called."""
    return isinstance(thing, type) and issubclass(thing, Exception)


def calls():
    """A line for each function, class, method and op."""
    methods = {name: getattr(kind, member) for name, (kind, member) in MEMBERS.items()}
    functions = {
        name: thing
        for name, thing in {**PUBLIC, **methods}.items()
        if callable(thing) and not is_error(thing)
    }
    return sorted({call(name, function) for name, function in functions.items()} | op_calls())


def op_calls():
    """Return a line for each op."""
    public = [getattr(tg.ops, name) for name in tg.ops.__all__]
    return {f"tg.{op.signature}" for op in public if isinstance(op, type(tg.exp))}


def test_everything_is_called_as_it_was():
    """A new op breaks nobody's program: it is known from the next time that the file is written."""
    known = KNOWN.read_text(encoding="utf-8").splitlines()
    names = {line.partition("(")[0] for line in known}
    new_ops = {line for line in op_calls() if line.partition("(")[0] not in names}
    assert [line for line in calls() if line not in new_ops] == known


if __name__ == "__main__":
    KNOWN.write_text("\n".join(calls()) + "\n", encoding="utf-8")
