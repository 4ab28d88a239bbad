"""The public names of the package, as its documentation lists them.

A name is public if a module of `MODULES` lists it in ``__all__``. So are the methods and properties
of the classes among these. The ops are not included: they have a table of their own.
"""

import inspect
from functools import cached_property
from importlib import import_module
from types import FunctionType, ModuleType

import tinygrad_rnn as tg

MODULES = [
    "",
    ".nn",
    ".nn.functional",
    ".nn.init",
    ".optim",
    ".text",
    ".analysis.gradient_flow",
    ".interop",
    ".parallel",
    ".errors",
    ".draw",
    ".analysis.backward_steps",
    ".analysis.summary",
    ".gradcheck",
    ".serialize",
    ".compile.layer",
    ".app.char_model",
    ".app.train",
]
OPS = {*tg.ops.__all__, *(getattr(tg.ops, name) for name in tg.ops.__all__), "op", tg.op}
INNER = {
    "debug": {"accumulated", "after", "before", "used", "contribution"},
    "Cell": {"check_state"},
    "LSTMCell": {"check_state"},
    "CompiledModule": {"run_scan"},
}
"""Methods that only the library calls."""


def public_names():
    """Return each public thing once, by the first of its names below the package."""
    found = {}
    for module in MODULES:
        home = import_module(f"tinygrad_rnn{module}")
        things = {
            f"{module}.{name}": getattr(home, name)
            for name in home.__all__
            if module or name not in OPS
        }
        found |= {
            name: x
            for name, x in things.items()
            if x not in found.values() and (callable(x) or not isinstance(x, ModuleType))
        }
    return found


PUBLIC = public_names()
CLASSES = {thing for thing in PUBLIC.values() if inspect.isclass(thing)}


def members(kind):
    """Return the methods and properties of a class by name.

    What a public base class has is left out, and so are the ops among a Tensor's methods.
    """
    above = {base for other in kind.__mro__[1:] if other in CLASSES for base in other.__mro__}
    several = {
        name: value
        for base in reversed(kind.__mro__)
        if base not in above
        for name, value in vars(base).items()
    }
    left_out = {*INNER.get(kind.__name__, ()), *(OPS if kind is tg.Tensor else ())}
    sorts = FunctionType | property | cached_property | classmethod
    return {
        n: value
        for n, value in several.items()
        if n[0] != "_" and isinstance(value, sorts) and not {n, value} & left_out
    }


MEMBERS = {
    f"{name}.{member}": (kind, member)
    for name, kind in PUBLIC.items()
    if kind in CLASSES
    for member in members(kind)
}
