"""Every public name has a docstring that says what it takes, gives and refuses, with an example that runs, and stands in the reference.

Public is what a module of `MODULES` has in its ``__all__``, and the methods and properties of the classes among these. The ops have a
table of their own.
"""

import ast
import inspect
import re
import textwrap
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path

import pytest
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
    **dict.fromkeys(
        [".nn.Module", ".nn.ModuleList", ".nn.Cell"], "equation References"
    ),  # what holds others, or is a base of others,
    **dict.fromkeys(
        [".optim.Optimizer", ".optim.Schedule", ".nn.init.generator"], "equation References"
    ),  # has no equation of its own
    **dict.fromkeys(
        [".nn.Sequential", ".nn.init.zeros", ".nn.init.ones"], "References"
    ),  # nobody's invention
    **dict.fromkeys([".nn.init.uniform", ".nn.init.normal"], "References"),
    **dict.fromkeys(
        [".draw.Graph", ".compile.layer.CompiledModule"], "Parameters"
    ),  # tg.graph and tg.compile make them
    ".analysis.gradient_flow.Flow.plot": "runs",  # where there is Matplotlib: in the gallery
}
CALLED = {  # what the library calls where a class says how it does it: the base has the example of the method, the class one of its caller
    "forward": "to call a module is to call it",
    "describe": "repr does",
    "unroll": "to call a cell is to call it, and scan does",
    "update": "Optimizer.step does",
    "state_names": "Optimizer.state_names does",
}


def sections(doc):
    """The lines of each section of a docstring by its header; what stands before the first one under the empty name."""
    found, title, lines = {"": []}, "", inspect.cleandoc(doc or "").splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=False):
        if line and below == "-" * len(line):
            title, found[line] = line, []
        elif set(line) != {"-"}:
            found[title].append(line)
    return found


def entries(lines):
    """The names at the head of the entries of a section: of ``a, b : int`` both, of ``*rest`` the word."""
    return {
        name.strip("* ")
        for line in lines
        if line[:1].strip()
        for name in line.partition(" :")[0].split(",")
    }


def raised(function):
    """The names of the errors that a function raises itself, not in functions inside of it."""
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
    """The code of the doctests of a docstring, without its output and without what is skipped."""
    return "\n".join(
        line[4:]
        for line in sections(doc).get("Examples", [])
        if line[:4] in (">>> ", "... ") and "+SKIP" not in line
    )


def shown(kind, member, doc):
    """Whether an example, its own or one of its class, uses a method or property, or defines it; a function of that name does not count."""
    return bool(
        re.search(
            rf"((?<!\btg)(?<!\bnp)\.|\bdef ){member}\b",
            f"{run_lines(doc)}\n{run_lines(kind.__doc__)}",
        )
    )


def faults(name, thing, doc, body=None, short=None, equation=False):
    """What a docstring lacks. Where the arguments are a few self-evident ones, `short`, a summary that names them is enough."""
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
WHOLE = f"""Add.{EQUATION}\n\nParameters\n----------\nx, y : int\n\nReturns\n-------\nint\n\nRaises\n------\nValueError\n    Always.

{SOURCE}Examples\n--------\n>>> add(1, 2)"""


def test_the_check_can_fail():
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


def test_what_shows_a_method():
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


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_described(name):
    """Layers, cells, losses, optimizers, initialisers and schedules with their equation; errors in one line."""
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


@pytest.mark.parametrize("name", MEMBERS)
def test_every_public_method_has_an_example(name):
    """In its own docstring or in that of its class; of what is `CALLED`, in that of a base."""
    kind, member = MEMBERS[name]
    bases = (
        [base for base in kind.__mro__[1:] if base in CLASSES and member in vars(base)]
        if member in CALLED
        else []
    )
    assert EXCEPT.get(name) == "runs" or any(
        shown(each, member, inspect.getattr_static(each, member).__doc__) for each in [kind, *bases]
    )


@pytest.mark.parametrize("name", MEMBERS)
def test_every_public_method_is_described(name):
    """One line is enough for a property, for a method that is described in a base, and for one with no argument or one that it names."""
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
            "what stands before a colon is taken for the type of a property"
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
