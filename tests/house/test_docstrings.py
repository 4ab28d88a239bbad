"""Every public name has a complete docstring with an example that runs, and is in the reference.

`public_names` says which names are public. The ops have a table of their own.
"""

import ast
import inspect
import re
import textwrap
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path

from helpers import together
from public_names import CLASSES, MEMBERS, PUBLIC, members

import tinygrad_rnn as tg

ORDER = [
    "Parameters",
    "Attributes",
    "Returns",
    "Yields",
    "Raises",
    "Warns",
    "Notes",
    "References",
    "Examples",
]
EXCEPT = {
    # they hold other modules, or are bases of them
    **dict.fromkeys([".nn.Module", ".nn.ModuleList", ".nn.Cell"], "equation References"),
    # they have no equation of their own
    **dict.fromkeys([".optim.Optimizer", ".optim.Schedule"], "equation References"),
    ".nn.init.generator": "equation References",
    # they are nobody's invention
    **dict.fromkeys([".nn.Sequential", ".nn.init.zeros", ".nn.init.ones"], "References"),
    **dict.fromkeys([".nn.init.uniform", ".nn.init.normal"], "References"),
    # tg.graph and tg.compile create them
    **dict.fromkeys([".draw.Graph", ".compile.layer.CompiledModule"], "Parameters"),
    # it needs Matplotlib, and is shown in docs/howto/plot_gradient_flow.md
    ".analysis.gradient_flow.Flow.plot": "runs",
}
"""By public name, the parts that its docstring need not have."""
CALLED = {
    "forward": "to call a module is to call it",
    "describe": "repr does",
    "unroll": "to call a cell is to call it, and scan does",
    "update": "Optimizer.step does",
    "state_names": "Optimizer.state_names does",
    "next_rate": "Schedule.step does",
}
"""Methods that the library calls and subclasses override: a base shows them in an example."""


def sections(doc):
    """Return the lines of each section by its title; the first section has an empty title."""
    found, title, lines = {"": []}, "", inspect.cleandoc(doc or "").splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=False):
        if line and below == "-" * len(line):
            title, found[line] = line, []
        elif set(line) != {"-"}:
            found[title].append(line)
    return found


def entries(lines):
    """Return the names that the entries of a section start with, both of ``a, b : int``."""
    return {
        name.strip("* ")
        for line in lines
        if line[:1].strip()
        for name in line.partition(" :")[0].split(",")
    }


def raised(function):
    """Return the names of the errors that a function raises itself, not in inner functions."""
    waiting, names = (
        list(getattr(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0], "body", [])),
        set(),
    )
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            names.add(ast.unparse(node.exc.func))
        waiting += [] if isinstance(node, ast.FunctionDef) else ast.iter_child_nodes(node)
    return {name for name in names if name[0].isupper()}


def run_lines(doc):
    """Return the code of the doctests of a docstring, without output and skipped lines."""
    return "\n".join(
        line[4:]
        for line in sections(doc).get("Examples", [])
        if line[:4] in (">>> ", "... ") and "+SKIP" not in line
    )


def shown(kind, member, doc):
    """Return whether an example of a member or of its class uses the member, or defines it.

    A function of the same name, such as ``np.sum``, does not count.
    """
    return bool(
        re.search(
            rf"((?<!\btg)(?<!\bnp)\.|\bdef ){member}\b",
            f"{run_lines(doc)}\n{run_lines(kind.__doc__)}",
        )
    )


def faults(name, thing, doc, body=None, short=None, equation=False):
    """Yield what a docstring lacks.

    If `short` lists its arguments, a summary that names them is enough.
    """
    found, lacking = sections(doc), EXCEPT.get(name, "")
    (summary, *more), known = found[""] or [""], found.get("Parameters", [])
    arguments = set(inspect.signature(thing).parameters) - {"self"} if callable(thing) else set()
    if not summary.endswith(".") or more[:1] > [""]:
        yield "a summary on one line, with a full stop"
    if list(found) != [title for title in ["", *ORDER] if title in found]:
        yield f"sections in this order: {', '.join(ORDER)}"
    yield from (f"no such argument: {each}" for each in entries(known) - arguments)
    yield from (
        f"Raises {error}"
        for error in (raised(body) if body else set()) - entries(found.get("Raises", []))
    )
    if (
        short is not None
        and not known
        and all(re.search(rf"\b{each}s?\b", summary) for each in short)
    ):
        return
    described = entries(known) | (
        entries(found.get("Attributes", [])) if is_dataclass(thing) else set()
    )
    wanted = {field.name for field in fields(thing)} if is_dataclass(thing) else arguments
    yield from (f"argument {each}" for each in wanted - described if "Parameters" not in lacking)
    given = inspect.signature(thing).return_annotation
    if (
        given not in ("None", None, inspect.Signature.empty)
        and not {"Returns", "Yields"} & found.keys()
    ):
        yield "Returns"
    runs = any(
        line.startswith(">>> ") and "+SKIP" not in line for line in found.get("Examples", [])
    )
    if not runs and ("runs" not in lacking or not found.get("Examples")):
        yield "Examples with one that runs"
    if equation and "equation" not in lacking and not re.search(r"::\n\n {4}\S", "\n".join(more)):
        yield "the equation, in a block of its own"
    if equation and "References" not in lacking and not any(found.get("References", [])):
        yield "References"


EQUATION, SOURCE = "\n\n::\n\n    x + y", "References\n----------\nPeano (1889).\n\n"
SECTIONS = "Parameters\n----------\nx, y : int\n\nReturns\n-------\nint\n\n"
SECTIONS += "Raises\n------\nValueError\n    Always."
WHOLE = f"""Add.{EQUATION}\n\n{SECTIONS}

{SOURCE}Examples\n--------\n>>> add(1, 2)"""


def test_the_check_of_docstrings_can_fail():
    def add(x, y) -> int:
        raise ValueError(x, y)

    assert not list(faults("", add, WHOLE, add, equation=True))
    parts = {
        "Add.": "Add",
        "x, y": "x",
        "x, y :": "x, y, z :",
        "Returns\n-------\nint\n\n": "",
        "ValueError": "TypeError",
    }
    for part, other in {
        **parts,
        ">>> ": "",
        EQUATION: "",
        SOURCE: "",
        "Raises\n------": "Raised\n------",
    }.items():
        assert list(faults("", add, WHOLE.replace(part, other), add, equation=True)), part


def test_an_example_shows_a_method_only_if_it_uses_it():
    class Whole:
        """One.

        Examples
        --------
        >>> for x in whole.parts(1):
        ...     x.name
        a.output
        >>> tg.save(x), np.sum(x)
        >>> x.slow()  # doctest: +SKIP
        """

    assert shown(Whole, "parts", None)
    assert shown(Whole, "name", None)
    assert not any(
        shown(Whole, other, "Not here.") for other in ("part", "output", "save", "sum", "slow")
    )
    assert shown(Whole, "sum", WHOLE.replace("add(", "x.sum("))
    assert shown(Whole, "sum", WHOLE.replace("add(1, 2)", "def sum(self):"))
    assert not shown(Whole, "add", WHOLE)


@together("name", PUBLIC)
def test_every_public_name_is_described(name):
    """Networks, losses, optimizers, initialisers and schedules need an equation."""
    thing = PUBLIC[name]
    if inspect.isclass(thing) and issubclass(thing, Exception):
        assert not list(faults(name, None, thing.__doc__, short=()))
        return
    body = (
        vars(thing).get("__post_init__" if is_dataclass(thing) else "__init__")
        if thing in CLASSES
        else inspect.unwrap(thing)
    )
    layer = thing in CLASSES and issubclass(thing, tg.nn.Module) and name.startswith(".nn.")
    assert not list(
        faults(
            name,
            thing,
            thing.__doc__,
            body,
            equation=layer or name.startswith((".nn.functional", ".nn.init", ".optim")),
        )
    )


@together("name", MEMBERS)
def test_every_public_method_has_an_example(name):
    """The example is its own, its class's, or, for a method in `CALLED`, that of a base."""
    kind, member = MEMBERS[name]
    bases = (
        [base for base in kind.__mro__[1:] if base in CLASSES and member in vars(base)]
        if member in CALLED
        else []
    )
    assert EXCEPT.get(name) == "runs" or any(
        shown(each, member, inspect.getattr_static(each, member).__doc__) for each in [kind, *bases]
    )


@together("name", MEMBERS)
def test_every_public_method_is_described(name):
    """One line is enough for a property, for a method that a base describes, and for a method with
    at most one argument that the line names.
    """
    kind, member = MEMBERS[name]
    value = inspect.getattr_static(kind, member)
    body = (
        getattr(value, "fget", None)
        or getattr(value, "func", None)
        or getattr(value, "__func__", value)
    )
    if isinstance(value, property | cached_property):
        assert not list(faults(name, None, value.__doc__, body, short=()))
        assert ": " not in value.__doc__.splitlines()[0], (
            "Sphinx takes the text before a colon for the type of a property"
        )
        return
    arguments = [each for each in inspect.signature(body).parameters if each not in ("self", "cls")]
    again = any(member in vars(base) for base in kind.__mro__[1:] if base in CLASSES)
    assert not list(
        faults(
            name,
            getattr(kind, member),
            value.__doc__,
            body,
            () if again else arguments if len(arguments) < 2 else None,
        )
    )


def test_the_reference_has_every_name_once_and_no_other():
    pages = sorted((Path(__file__).parents[2] / "docs" / "api").glob("*.md"))
    directive = re.compile(
        r"^\.\. auto(?:function|class|exception):: tinygrad_rnn(\S+)\n((?: {3}:.*\n)*)",
        re.MULTILINE,
    )
    found = [
        entry for page in pages for entry in directive.findall(page.read_text(encoding="utf-8"))
    ]
    assert sorted(name for name, _ in found) == sorted(PUBLIC)
    for name, options in found:
        own = members(PUBLIC[name]) if PUBLIC[name] in CLASSES else {}
        listed = re.search(r":members:(.*)", options)
        chosen = set(listed[1].replace(",", " ").split()) or own.keys() if listed else set()
        assert chosen == own.keys(), name
        assert (
            not own or own.keys() <= vars(PUBLIC[name]).keys() or ":inherited-members:" in options
        ), name
