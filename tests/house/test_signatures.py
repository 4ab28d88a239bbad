"""The signatures of all public names: arguments, order, defaults, keyword-only arguments.

A change here breaks users' programs, so it needs a line in CHANGELOG.md. To write the file again,
run ``PYTHONPATH=tests python tests/house/test_signatures.py``.
"""

import inspect
import re
from pathlib import Path

from public_names import MEMBERS, PUBLIC

import tinygrad_rnn as tg

KNOWN = Path(__file__).parents[1] / "fixtures" / "signatures.txt"
BARE = inspect.Parameter.empty


def format_call(name, function):
    """Return ``tg.name(…)``, without the types."""
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=BARE) for p in signature.parameters.values()]
    written = f"tg{name}{signature.replace(parameters=parameters, return_annotation=BARE)}"
    return re.sub(r"<function (\w+) at \w+>", r"\1", written)


def is_error(thing):
    """Return whether this is an exception type."""
    return isinstance(thing, type) and issubclass(thing, Exception)


def list_calls():
    """Return a line for each function, class, method and op."""
    methods = {name: getattr(kind, member) for name, (kind, member) in MEMBERS.items()}
    functions = {
        name: thing
        for name, thing in {**PUBLIC, **methods}.items()
        if callable(thing) and not is_error(thing)
    }
    return sorted(
        {format_call(name, function) for name, function in functions.items()} | op_calls()
    )


def op_calls():
    """Return a line for each op."""
    public = [getattr(tg.ops, name) for name in tg.ops.__all__]
    return {f"tg.{op.signature}" for op in public if isinstance(op, type(tg.exp))}


def test_no_public_signature_has_changed():
    """A new op breaks nobody's program: it is known from the next time that the file is written."""
    known = KNOWN.read_text(encoding="utf-8").splitlines()
    names = {line.partition("(")[0] for line in known}
    new_ops = {line for line in op_calls() if line.partition("(")[0] not in names}
    assert [line for line in list_calls() if line not in new_ops] == known


if __name__ == "__main__":
    KNOWN.write_text("\n".join(list_calls()) + "\n", encoding="utf-8")
