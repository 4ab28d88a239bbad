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
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import tinygrad_rnn as tg

OPS = {*tg.ops.__all__, *(getattr(tg.ops, name) for name in tg.ops.__all__)}
MODULES = ["", ".nn", ".nn.functional", ".nn.init", ".optim", ".text", ".bptt", ".interop", ".parallel", ".errors", ".draw", ".playback"]
MODULES += [".gradcheck", ".serialize", ".compile.layer", ".charmodel", ".train"]
ORDER = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Notes", "References", "Examples"]
REFERENCE = Path(__file__).parent.parent / "docs" / "api"

EXCEPT = {
    ".nn.Module": {"Equation", "References"},  # what holds others has no equation of its own
    ".nn.ModuleList": {"Equation", "References"},
    ".nn.Sequential": {"References"},  # function composition is nobody's
    ".nn.Cell": {"Equation", "References"},  # bases: their subclasses have the equations
    ".optim.Optimizer": {"Equation", "References"},
    ".optim.Schedule": {"Equation", "References"},
    ".nn.init.generator": {"Equation", "References"},  # makes no numbers itself
    ".nn.init.zeros": {"References"},  # distributions, which are nobody's
    ".nn.init.ones": {"References"},
    ".nn.init.uniform": {"References"},
    ".nn.init.normal": {"References"},
    ".draw.Graph": {"Parameters"},  # made by tg.graph, and not called by anybody else
    ".compile.layer.CompiledModule": {"Parameters"},  # made by tg.compile
    ".parallel.world": {"Runs"},  # several processes run these, in tests/test_parallel.py
    ".parallel.average_gradients": {"Runs"},
    ".parallel.broadcast": {"Runs"},
}

INNER = {
    "debug": {"after", "before", "used", "contribution"},  # what the engine tells a block
    "Cell": {"check_state"},  # what a layer asks of a cell
    "LSTMCell": {"check_state"},
    "CompiledModule": {"walk_through_time"},  # what scan calls
}


def found_public():
    """Dotted names below the package, and what they are: each thing once, under the first of its names."""
    things = {}
    for module in MODULES:
        home = import_module(f"tinygrad_rnn{module}")
        for name in home.__all__:
            thing = getattr(home, name)
            ours = not isinstance(thing, ModuleType) and not (module == "" and name in {*tg.ops.__all__, "op"})
            if ours and all(thing is not known for known in things.values()):
                things[f"{module}.{name}"] = thing
    return things


PUBLIC = found_public()
CLASSES = {thing for thing in PUBLIC.values() if inspect.isclass(thing)}


def found_members(kind):
    """The methods and properties of a class by name, its own and those of bases that no public class of it has; of a Tensor no ops."""
    above = {base for other in kind.__mro__[1:] if other in CLASSES for base in other.__mro__}
    several = {name: value for base in reversed(kind.__mro__) if base not in above for name, value in vars(base).items()}
    left_out = {*INNER.get(kind.__name__, ()), *(OPS if kind is tg.Tensor else ())}
    sorts = FunctionType | property | cached_property | classmethod
    return {n: value for n, value in several.items() if n[0] != "_" and isinstance(value, sorts) and not {n, value} & left_out}


MEMBERS = {f"{name}.{member}": (kind, member) for name, kind in PUBLIC.items() if kind in CLASSES for member in found_members(kind)}


def sections(doc):
    """The lines of each section of a docstring by its header; what stands before the first one under the empty name."""
    found, title, lines = {"": []}, "", inspect.cleandoc(doc).splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and below == "-" * len(line):
            title = line
            found[title] = []
        elif set(line) != {"-"}:
            found[title].append(line)
    return found


def entries(lines):
    """The names at the head of the entries of a section: of ``a, b : int`` both, of ``*rest`` the word."""
    heads = [line.partition(" :")[0] for line in lines if line and not line.startswith(" ")]
    return {name.strip("*\\ ") for head in heads for name in head.split(",")}


def raised(function):
    """The names of the errors that a function raises itself, not in functions inside of it."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    waiting, names = [*definition.body] if isinstance(definition, ast.FunctionDef) else [], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            names.add(node.exc.func.id)
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return {name for name in names if name[0].isupper()}


def faults(doc, thing, body, exceptions=frozenset(), *, equation=False, short=None):
    """What a docstring lacks. One line is enough for a `short` thing: its summary must then name the arguments in that tuple."""
    found = sections(doc or "")
    text, listed = "\n".join(found[""]), entries(found.get("Parameters", []))
    summary = found[""][0] if found[""] else ""
    if not summary.endswith(".") or "\n\n" not in text + "\n\n" or (len(found[""]) > 1 and found[""][1]):
        yield "a summary on one line, with a full stop"
    if [title for title in ORDER if title in found] != list(found)[1:]:
        yield f"sections in this order: {', '.join(ORDER)}"
    for error in raised(body) if body else ():
        if error not in entries(found.get("Raises", [])):
            yield f"Raises {error}"
    arguments = set() if thing is None else set(inspect.signature(thing).parameters) - {"self"}
    if listed - arguments:
        yield f"no such argument as {', '.join(listed - arguments)}"
    if short is not None and all(re.search(rf"\b{name}s?\b", summary) for name in short) and not listed:
        return
    described = (
        {field.name for field in fields(thing)} - entries(found.get("Attributes", [])) if is_dataclass(thing) else arguments - listed
    )
    if described and "Parameters" not in exceptions:
        yield f"arguments: {', '.join(sorted(described))}"
    gives = not inspect.isclass(thing) and thing is not None and inspect.signature(thing).return_annotation != "None"
    if gives and not {"Returns", "Yields"} & found.keys():
        yield "Returns"
    if "Examples" not in found or not ("Runs" in exceptions or any(line.startswith(">>> ") for line in found["Examples"])):
        yield "an example that runs"
    if equation and "Equation" not in exceptions and not re.search(r"::\n\n {4}\S", text):
        yield "the equation, in a block of its own"
    if equation and "References" not in exceptions and not any(found.get("References", [])):
        yield "References"


def has_equation(name, thing):
    """Whether it is a layer, a cell, a loss, an optimizer, an initialiser or a schedule."""
    layer = inspect.isclass(thing) and issubclass(thing, tg.nn.Module) and name.count(".") == 2 and name.startswith(".nn.")
    return layer or name.startswith((".nn.functional.", ".nn.init.", ".optim."))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_described(name):
    thing = PUBLIC[name]
    if inspect.isclass(thing) and issubclass(thing, Exception):  # what raises it shows it
        assert not list(faults(thing.__doc__, None, None, short=()))
        return
    maker = vars(thing).get("__post_init__" if is_dataclass(thing) else "__init__") if inspect.isclass(thing) else inspect.unwrap(thing)
    assert not list(faults(thing.__doc__, thing, maker, EXCEPT.get(name, frozenset()), equation=has_equation(name, thing)))


@pytest.mark.parametrize("name", MEMBERS)
def test_every_public_method_is_described(name):
    """One line is enough for a property, for a method that a documented one of a base describes, and if it names the one argument."""
    kind, member = MEMBERS[name]
    value = vars(next(base for base in kind.__mro__ if member in vars(base)))[member]
    body = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
    if isinstance(value, property | cached_property):
        assert not list(faults(value.__doc__, None, body, short=()))
        return
    arguments = [each for each in inspect.signature(body).parameters if each not in ("self", "cls")]
    again = any(member in vars(base) for base in kind.__mro__[1:] if base in CLASSES)
    short = () if again else arguments if len(arguments) < 2 else None
    assert not list(faults(value.__doc__, getattr(kind, member), body, short=short))


DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception):: tinygrad_rnn(\S+)\n((?: {3}:.*\n)*)", re.MULTILINE)


def test_the_reference_has_every_name_once_and_no_other():
    found = [match for page in sorted(REFERENCE.glob("*.md")) for match in DIRECTIVE.findall(page.read_text(encoding="utf-8"))]
    assert sorted(name for name, _ in found) == sorted(PUBLIC)
    for name, options in found:
        kind, listed = PUBLIC[name], re.search(r":members:(.*)", options)
        members = found_members(kind) if kind in CLASSES else {}
        chosen = {each.strip() for each in listed[1].split(",")} if listed and listed[1].strip() else members.keys() if listed else set()
        assert chosen == members.keys(), name
        assert members.keys() <= vars(kind).keys() or ":inherited-members:" in options, name
