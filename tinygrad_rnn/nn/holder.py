"""The attributes of a module, and the weights, buffers and modules that they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from types import MemberDescriptorType
from typing import Any

from .. import check
from ..errors import argument_error, describe
from ..errors.named_calls import NamedCalls
from ..graph import context, toposort
from ..tensor import Tensor
from .held_objects import find_entries, find_in_class, find_referents, is_method, may_hold

LIBRARIES = ("tinygrad_rnn", "builtins", "typing")
"""Packages whose classes have no weights of their own."""
REGISTERS = frozenset({"_parameters", "_modules", "_buffers"})
"""The attributes in which a `Holder` notes what its other attributes hold."""


FIX = "assign it to an attribute of its own first, or keep it in a list, a tuple, a dict with "
FIX += "plain names, a dataclass or a Module"
"""The advice for a weight that is not found."""


class Holder(NamedCalls):
    """An object whose weights are found in its attributes. `Module` is the only subclass.

    A weight is a Tensor with ``requires_grad=True`` that no op computed. It is found in an
    attribute, and in lists, tuples, dicts and dataclasses, at any depth. A weight or a module in
    any other place, a closure for example, is an error, because it would be neither trained nor
    saved. Attributes are searched when they are assigned, and again when weights are listed,
    because a list may have changed since.

    Attributes
    ----------
    _parameters : dict of str to Tensor
        The weights by name. A weight stays here when it is frozen (``requires_grad = False``).
    _modules : dict of str to Holder
        The modules by name.
    _buffers : dict of str to bool
        For each buffer, whether it is saved.
    _scope : str
        The name under which the ops of this module are recorded.
    """

    training: bool
    _parameters: dict[str, Tensor]
    _modules: dict[str, Any]
    _buffers: dict[str, bool]
    _scope: str
    modules: Callable[..., Iterator[Any]]
    """The method of `Module` that yields this module and all modules inside it."""
    _named_otherwise: frozenset[str] = frozenset()
    """The attributes of a subclass whose modules the subclass names itself."""

    def __init__(self) -> None:
        start = {"_parameters": {}, "_modules": {}, "_buffers": {}, "training": True}
        # The constructor may run twice, if several base classes call it. Nothing is lost then.
        for name, value in (start | {"_scope": type(self).__name__.lower()}).items():
            self.__dict__.setdefault(name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        own, before = self.__dict__, self.__dict__.get(name)
        entries: list[tuple[str, Any]] = []
        if "_parameters" not in own:
            message = f"{type(self).__name__}: call super().__init__() before assigning {name}"
            raise AttributeError(message)
        if name in own["_buffers"]:
            value = self._as_buffer(name, value)
        elif name in own["_parameters"] and not (value is None or value is before):
            if not is_weight(value):
                raise self._weight_error(name, value)
            entries = [(name, value)]
        elif may_hold(value):
            entries = self._find_assignable(name, value)
        super().__setattr__(name, value)
        was_noted = name in own["_parameters"] or not isinstance(before, Tensor)
        if (was_noted and may_hold(before)) or any(_is_noted(entry) for _, entry in entries):
            self._note(name, entries)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self.__dict__["_buffers"] = {k: v for k, v in self._buffers.items() if k != name}
        self._refresh()

    # -- what the attributes hold ------------------------------------------------------------------

    def _attributes(self) -> dict[str, Any]:
        """Return all attributes that may hold a weight, including class attributes and slots."""
        classes, slots = _list_user_classes(type(self))
        if not classes:
            return self.__dict__.copy()  # another thread may add to it
        found: dict[str, Any] = {}
        for kind in classes:
            # A subclass may replace a value, as in `bias = None`. `super` still runs old methods.
            kept = {k: x for k, x in found.items() if k not in vars(kind) or is_method(x)}
            found = kept | find_in_class(kind)
        return found | {name: getattr(self, name, None) for name in slots} | self.__dict__

    def _note(self, attribute: str, entries: Iterable[tuple[str, Any]]) -> None:
        """Note which weights and modules one attribute holds, because it was assigned."""
        parameters = _drop(attribute, self._parameters)
        modules = _drop(attribute, self._modules)
        if attribute not in self._named_otherwise:
            self._sort(entries, parameters, modules)
        self.__dict__.update(_parameters=parameters, _modules=modules)

    def _refresh(self) -> list[tuple[str, Any]]:
        """Note again which weights and modules the attributes hold; return all other entries."""
        parameters: dict[str, Tensor] = {}
        modules: dict[str, Any] = {}
        others = []
        skipped = REGISTERS | self._named_otherwise | self._buffers.keys()
        old_parameters, old_modules = self._parameters, self._modules
        for name, value in self._attributes().items():
            if name in old_parameters and old_parameters[name] is value:
                parameters[name] = value  # as before, even if it is frozen now
            elif name in old_modules and old_modules[name] is value:
                modules[name] = value
            elif name not in skipped and may_hold(value):
                entries = find_entries(name, value, is_module)
                others += [(name, x) for x in self._sort(entries, parameters, modules)]
        self.__dict__.update(_parameters=parameters, _modules=modules)
        return others

    def _name_items(self) -> None:
        """Give the items of a list of modules their names."""

    def _sort(
        self,
        entries: Iterable[tuple[str, Any]],
        parameters: dict[str, Tensor],
        modules: dict[str, Any],
    ) -> list[Any]:
        """Add entries to `parameters` or `modules`; return those that are neither."""
        others = []
        for name, entry in entries:
            if is_module(entry):
                if self._modules.get(name) is not entry:
                    self._require_no_cycle(name, entry)
                    entry.__dict__["_scope"] = name
                    entry._name_items()
                modules[name] = entry
            elif not isinstance(entry, Tensor):
                others.append(entry)
            elif name in self._parameters and entry.node is not None:
                raise self._weight_error(name, entry)
            elif is_weight(entry) or any(entry is p for p in self._parameters.values()):
                parameters[name] = entry  # a frozen Tensor too, if it was a weight before
                entry.name = entry.name or name
        return others

    def _own(self, kind: str) -> Iterator[tuple[str, Tensor]]:
        """Yield (name, Tensor) for what the attributes hold.

        `kind` is ``"parameters"``, ``"buffers"``, or ``"persistent"`` for the buffers that are
        saved.
        """
        others = self._refresh()
        if kind == "parameters":
            for name, other in others:
                self._require_found(name, other)
            for name in self._buffers:
                self._as_buffer(name, self.__dict__[name])  # it may require gradients since
            yield from self._parameters.items()
        else:
            for name, is_saved in self._buffers.items():
                if self.__dict__[name] is not None and (is_saved or kind == "buffers"):
                    yield name, self.__dict__[name]

    def _add_buffer(self, name: str, value: Any, persistent: bool) -> None:
        """Make `value` a buffer."""
        value = self._as_buffer(name, value)
        self.__dict__["_buffers"] = {**self._buffers, name: persistent}
        setattr(self, name, value)

    def _as_buffer(self, name: str, value: Any) -> Tensor | None:
        """Return a buffer as a Tensor that is not trained, or None."""
        if getattr(value, "tracked", False):
            got, fix = describe(value), f"assign {name}.detach(), or make it a parameter"
            raise self._error(name, "a buffer, which is not trained", got, fix)
        is_tensor = value is None or isinstance(value, Tensor)
        return value if is_tensor else Tensor(check.real_array(type(self).__name__, name, value))

    # -- checks ------------------------------------------------------------------------------------

    def _find_assignable(self, name: str, value: Any) -> list[tuple[str, Any]]:
        """Return the entries of a value; raise an error if a weight in it cannot be found."""
        is_entry = isinstance(value, Tensor | Holder)
        entries = [(name, value)] if is_entry else list(find_entries(name, value, is_module))
        if "." in name and any(_is_noted(entry) for _, entry in entries):
            fix = f"use {name.replace('.', '_')!r}, for example"
            raise self._error("name", "a name without dots", repr(name), fix, ValueError)
        for full_name, entry in entries:
            if is_module(entry):
                self._require_no_cycle(name, entry)
            elif isinstance(entry, Tensor):
                if full_name in self._parameters and entry.node is not None:
                    raise self._weight_error(full_name, entry)
                self._require_no_lost_leaf(name, entry)
            else:
                self._require_found(name, entry, [x for _, x in entries])
        return entries

    def _require_no_cycle(self, name: str, module: Any) -> None:
        """Raise ValueError if `module` contains this module."""
        if any(self is inside for inside in module.modules()):
            got = "this module itself"
            if module is not self:
                got = f"a {type(module).__name__} that contains this module"
            fix = "move the shared part into a third module, or pass the module to forward"
            expected = "a Module that does not contain this module"
            raise self._error(name, expected, got, fix, ValueError)

    def _require_no_lost_leaf(self, name: str, value: Tensor) -> None:
        """Raise TypeError for a Tensor that was computed from a weight which no attribute holds.

        During the call of a module, no error is raised, because `forward` may keep a state.
        """
        if value.node is None or any(part.kind == "call" for part in context.get()[1]):
            return
        leaves = [x for result in toposort(value) for x in result.node.inputs if is_weight(x)]
        found = self._list_found(())
        if any(id(leaf) not in found for leaf in leaves):
            got = f"a result of {value.node.op.name}, made from a weight that is in no attribute"
            fix = "compute with arrays and make the Tensor last, or compute the result in forward"
            raise self._error(name, "weights that parameters() finds", got, fix)

    def _weight_error(self, name: str, value: Any) -> Exception:
        """Return the error for a value that cannot replace a weight."""
        expected = "a leaf Tensor with requires_grad=True, or None"
        fix = f"assign to {name}.data to change the values of the parameter"
        return self._error(name, expected, describe(value), fix)

    def _require_found(
        self, name: str, value: Any, others: Iterable[Any] = (), fix: str = FIX
    ) -> None:
        """Raise TypeError if `value` refers to a weight or a module that is not found elsewhere.

        `others` are entries of the same assignment, where the weight may be found too. If `value`
        refers to a module that contains this one, as a trainer may, it may refer to everything in
        that module.
        """
        referents = list(find_referents(value, is_module))
        if not referents:
            return
        around = [x for x in referents if is_module(x) and any(self is m for m in x.modules())]
        found = self._list_found([*others, *around])
        for x in referents:
            if _is_noted(x) and id(x) not in found:
                thing = f"weight {describe(x)}" if is_weight(x) else f"module {type(x).__name__}"
                expected = "weights and modules where parameters() finds them"
                got = f"a {type(value).__name__} that holds the {thing}"
                raise self._error(name, expected, got, fix)

    def _list_found(self, others: Iterable[Any]) -> set[int]:
        """Return the ids of all weights and modules in this object and in `others`."""
        holders = [self, *filter(is_module, others)]
        modules = [module for holder in holders for module in holder.modules()]
        weights = [weight for module in modules for weight in module._parameters.values()]
        return {id(x) for x in (*modules, *weights, *others)}

    def _error(
        self, argument: str, expected: str, got: str, fix: str, kind: type[Exception] = TypeError
    ) -> Exception:
        return argument_error(type(self).__name__, argument, expected, got, fix, kind)


def is_module(x: Any) -> bool:
    """Return True for a module."""
    return isinstance(x, Holder)


def is_weight(x: Any) -> bool:
    """Return True for a Tensor that requires gradients and that no op computed."""
    return isinstance(x, Tensor) and x.tracked and x.node is None


def _is_noted(x: Any) -> bool:
    """Return True for a weight or a module."""
    return is_weight(x) or is_module(x)


def _drop(attribute: str, register: dict[str, Any]) -> dict[str, Any]:
    """Return a register without what one attribute holds."""
    return {name: x for name, x in register.items() if name.partition(".")[0] != attribute}


@lru_cache
def _list_user_classes(kind: type) -> tuple[list[type], list[str]]:
    """Return the classes of an object, the most general first, and the names of their slots.

    The classes of `LIBRARIES` are left out.
    """
    packages = {base: base.__module__.partition(".")[0] for base in reversed(kind.__mro__)}
    found = [base for base, name in packages.items() if name not in LIBRARIES]
    members = [item for base in found for item in vars(base).items()]
    return found, [name for name, value in members if isinstance(value, MemberDescriptorType)]
