"""Activations by name: the output of each module, and the results to which a cell gave names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import check, tree
from ..blocks import Recorder
from ..errors import argument_error
from ..graph import Value, context, unwrap
from ..scope_part import Scope
from .module import Module

Times = tuple[int, ...]
"""The time steps of the scans around a value, the outermost first."""

Calls = tuple[int, ...]
"""The `ScopePart.call` of each scope around a value. These numbers tell several runs apart."""

Found = dict[str, dict[Calls, dict[Times, dict[Calls, Any]]]]
"""Values by four keys: name, run of a call or scan, time steps, and calls inside the steps."""


def record(model: Module) -> ActivationRecorder:
    """Record the activations of a model by name, for each call in the block.

    The recorded arrays are those of the run itself: results, graph and gradients stay as they are.

    Parameters
    ----------
    model : Module
        The model to watch. Other modules are not recorded.

    Returns
    -------
    context manager
        The block gets `Activations`: a mapping from names to arrays that grows with each call.

        - ``"encoder.0"``: the output of the module that has this name in `named_modules`. The name
          of the model itself is ``""``. If a module returns a tuple, this is a tuple of arrays.
        - ``"encoder.0.scores"``: a result that the module has given the name ``"scores"``.
          If a module has this name too, the result is ``"encoder.0.scores (result)"``.
        - ``"gru.l0.z"``: the gate z of the layer ``l0`` in the module ``gru``. The cells of this
          library name their gates, their states, and the terms that need no state (``x_z``).

        A result of the steps of a scan has time on the first axis: (T, ...). If something is
        computed again, in a second call for example, the second result is ``"gru (2)"``.

    Raises
    ------
    TypeError
        If `model` is not a Module.

    Notes
    -----
    Blocks may be nested, and each records by itself. A block records the calls of its own thread
    or task. It also records under `no_grad`, but then it keeps all results of a call in memory
    until the call ends. A call of ``tg.compile(model)`` counts as a call of `model`. It runs step
    by step in the block, because a compiled program has no modules. The last digits of its results
    may then differ.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Sequential(tg.nn.Embedding(9, 4, rng=0), tg.nn.GRU(4, 3, rng=0))
    >>> with tg.nn.record(model) as activations:
    ...     output, state = model(np.array([[1, 2], [3, 4], [5, 6]]))
    >>> activations["0"].shape, activations["1.l0.z"].shape
    ((3, 2, 4), (3, 2, 3))
    >>> list(activations)
    ['0', '1', '1.l0.x_r', '1.l0.x_z', '1.l0.x_n', '1.l0.r', '1.l0.z', '1.l0.n', '1.l0.h', '']
    """
    fix = "pass the model itself, not a function"
    return ActivationRecorder(check.instance("record", "model", model, Module, "a Module", fix))


class ActivationRecorder(Recorder):
    """The context manager of `record`: it collects results of ops and outputs of modules.

    Attributes
    ----------
    found : Found
        The outputs of the modules, and the arrays that have a name.
    """

    def __init__(self, model: Module):
        self.model = model  # this keeps the modules alive, so that their ids are not reused
        self.compiled: list[Module] = []  # these are kept alive for the same reason
        self.names = {id(module): name for name, module in model.named_modules()}
        self.weights = frozenset(id(parameter) for parameter in model.parameters())
        self.of_weights = set(self.weights)
        self.results: list[tuple[Scope, Value]] = []
        self.depth = 0
        self.found: Found = {}

    def __enter__(self) -> Activations:
        super().__enter__()
        return Activations(self.found)

    def __repr__(self) -> str:
        return f"record({type(self.model).__name__})"

    def call(self, module: Module, args: Any, kwargs: Any) -> Any:
        """Call the module, and keep its output."""
        self._name_compiled(module)
        self.depth += 1
        try:
            output = self.outer.call(module, args, kwargs)
        finally:
            self.depth -= 1
            if not self.depth:
                self._keep_named()
        # The rows of an embedding are activations, although they come from weights alone.
        self.of_weights.difference_update(map(id, tree.leaves(output)))
        if id(module) in self.names:
            self._add(self.names[id(module)], context.get()[1], tree.map(unwrap, output))
        return output

    def record(self, op: Any, inputs: Any, arrays: Any, params: Any, out: Value) -> None:
        """Keep the result of an op. A module names it later, so the name is read at the end."""
        self.outer.record(op, inputs, arrays, params, out)
        if self.depth:
            values = [x for x in inputs if isinstance(x, Value)]
            if all(id(x) in self.of_weights for x in values):
                self.of_weights.add(id(out))  # computed from weights alone, so no activation
            self.results.append((context.get()[1], out))

    def _name_compiled(self, module: Module) -> None:
        """Give a compiled module the name of the module that was compiled."""
        original = id(module._original)
        if original in self.names and id(module) not in self.names:
            self.compiled.append(module)
            self.names[id(module)] = self.names[original]

    def _keep_named(self) -> None:
        """Add the results that have a name, and forget all others."""
        for scope, value in self.results:
            if value.name and id(value) not in self.of_weights:
                name = self._name_result(scope, value.name)
                if name:
                    self._add(name, scope, value.array)
        self.results.clear()
        self.of_weights = set(self.weights)

    def _name_result(self, scope: Scope, name: str) -> str | None:
        """Return the full name of a named result, or None if no module of the model computed it."""
        calls = [i for i, part in enumerate(scope) if part.kind == "call"]
        known = [i for i in calls if scope[i].index in self.names]
        if not known:
            return None
        inside = [part.name for part in scope[known[-1] + 1 :] if not part.is_step]
        cell = "_".join(inside).replace("layer ", "l")  # as `Recurrent.children` names the cells
        full = ".".join(filter(None, [self.names[scope[known[-1]].index], cell, name]))
        return f"{full} (result)" if full in self.names.values() else full

    def _add(self, name: str, scope: Scope, value: Any) -> None:
        """Add a value that was computed in a scope."""
        steps = [i for i, part in enumerate(scope) if part.is_step]
        end = steps[0] + 1 if steps else len(scope)
        run, calls = (tuple(p.call for p in parts) for parts in (scope[:end], scope[end:]))
        times = tuple(scope[i].index for i in steps)
        runs = self.found.setdefault(name, {})
        runs.setdefault(run, {}).setdefault(times, {})[calls] = value


class Activations(Mapping[str, Any]):
    """The activations that `record` has found: arrays, or structures of arrays, by name.

    Each access returns a new copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3, rng=0), tg.nn.Dropout(0.5)).eval()
    >>> with tg.nn.record(model) as activations:
    ...     y = model(tg.Tensor([1.0, 2.0]))
    >>> activations
    Activations
      0   float32 (3,)
      1   float32 (3,)
      ''  float32 (3,)
    """

    def __init__(self, found: Found):
        self._found = found

    def _list_parts(self) -> dict[str, list[tuple[Times, Any]]]:
        """Return the (times, value) pairs of each name, in order of time."""
        parts: dict[str, list[tuple[Times, Any]]] = {}
        for name, runs in self._found.items():
            again = 0
            for run in runs.values():
                by_time = [(times, list(values.values())) for times, values in sorted(run.items())]
                for k in range(max(len(values) for _, values in by_time)):
                    again += 1
                    key = f"{name} ({again})" if again > 1 else name
                    parts[key] = [(t, values[k]) for t, values in by_time if len(values) > k]
        return parts

    def __getitem__(self, name: str) -> Any:
        parts = self._list_parts()
        if name not in parts:
            expected = ", ".join(map(repr, parts)) or "a call of the model in the block"
            fix = "use one of the names in list(activations)"
            raise argument_error("record", "name", expected, repr(name), fix, KeyError)
        values = [value for _, value in parts[name]]
        is_outside_of_time = parts[name][0][0] == ()
        if is_outside_of_time:
            return tree.map(lambda leaf: leaf.copy() if _is_array(leaf) else leaf, values[0])
        if not all(tree.same_structure(values[0], value) for value in values):
            return values
        return tree.map(_stack, *values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._list_parts())

    def __len__(self) -> int:
        return len(self._list_parts())

    def __repr__(self) -> str:
        shown = {name or "''": tree.describe(self[name]) for name in self}
        width = max(map(len, shown), default=0)
        lines = [f"  {name:{width}}  {text}" for name, text in shown.items()]
        return "\n".join([type(self).__name__, *lines])


def _stack(*leaves: Any) -> Any:
    """Return the leaves of all time steps: arrays as one array, anything else as a list."""
    return np.stack(leaves) if all(map(_is_array, leaves)) else list(leaves)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray)
