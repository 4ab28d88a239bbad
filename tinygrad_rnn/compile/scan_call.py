"""Calls of a compiled program: one node in the graph, whatever the number of steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import ops, tree
from ..errors import NotCompilable, format_count
from ..graph import Value, context, toposort
from ..op import Op, apply
from ..scan import scan, scan_hook
from ..tensor import Tensor
from ..transforms import grad
from .build import build
from .capture import Held
from .gradient import differentiate
from .program import Program
from .trace import Traced, refusal, trace


@dataclass(slots=True, repr=False)
class Compiled:
    """The program of a cell, for inputs and states of certain shapes and dtypes.

    Attributes
    ----------
    arguments : list of int or Value
        The arguments of the program after inputs and states: an index into the Tensors that the
        cell holds, or a Tensor itself.
    held : list
        Objects whose ids are in the key of this program.
    """

    title: str
    traced: Traced
    program: Program
    arguments: list[Any]
    several: bool
    op: Op = field(init=False)
    held: Any = None

    def __post_init__(self) -> None:
        self.op = make_scan_op(self.title)

    def leaves(self, tensors: list[Value]) -> list[Value]:
        """Return the arguments after inputs and states, for the Tensors that a cell holds now."""
        return [tensors[a] if isinstance(a, int) else a for a in self.arguments]

    @property
    def tail(self) -> list[int]:
        """The indices of the parts of the state that are not the last step of an output."""
        plan = self.program.plan
        return [i for i, new in enumerate(plan.new) if new not in plan.outputs]

    @property
    def single(self) -> bool:
        """True if the result is a single output."""
        return len(self.program.plan.outputs) == 1 and not self.tail


@dataclass(slots=True, repr=False)
class ScanCall:
    """One run of a program, with the values that the backward pass needs.

    Drawings show its number of steps.
    """

    compiled: Compiled
    cell: Any
    reverse: bool
    counts: tuple[int, int]
    saved: Any = None
    sizes: Any = None
    steps: int = 0

    def __repr__(self) -> str:
        return format_count(self.steps, "step")


@np.errstate(all="ignore")  # an overflow of stand-ins concerns no user
def make(
    title: str,
    cell: Any,
    inputs: list[Any],
    several: bool,
    state: Any,
    held: Held,
    tracked: list[bool] | None,
    backend: str,
) -> Compiled:
    """Trace a cell and write its program.

    `tracked` is True for each input that needs a gradient, and None if no gradient is needed.
    """
    token = scan_hook.set(None)
    try:
        traced = trace(title, cell, inputs, several, state, held)
    finally:
        scan_hook.reset(token)
    _require_one_dtype(title, traced)
    leaves = _leaves(traced, held.tensors)
    gradients = None
    if tracked is not None:
        gradients = differentiate(traced, lambda leaf: leaf.tracked)
        gradients.to_inputs = [
            g if asked else None for g, asked in zip(gradients.to_inputs, tracked, strict=True)
        ]
    program = build(traced, gradients, leaves, title, backend)
    places = {id(t): i for i, t in enumerate(held.tensors)}
    return Compiled(
        title, traced, program, [places.get(id(leaf), leaf) for leaf in leaves], several
    )


def _require_one_dtype(title: str, traced: Traced) -> None:
    """Raise NotCompilable unless outputs and state fit in one array: have one floating dtype."""
    dtypes = {str(y.array.dtype) for y in (*traced.outputs, *traced.new)}
    if len(dtypes) > 1 or not all(
        y.array.dtype.kind == "f" for y in (*traced.outputs, *traced.new)
    ):
        expected, fix = "outputs and a state of one floating dtype", "keep counts and masks outside"
        raise NotCompilable(refusal(title, expected, ", ".join(sorted(dtypes)), fix))


def _leaves(traced: Traced, tensors: list[Value]) -> list[Value]:
    """Return the Tensors that a step reads besides its input and its state."""
    own = {id(x) for x in (*traced.inputs, *traced.states)}
    held = {id(x) for x in tensors}
    found: dict[int, Value] = {}
    for value in (*traced.values, *traced.outputs, *traced.new):
        sources = value.node.inputs if value.node else (value,)
        found.update(
            (id(x), x)
            for x in sources
            if isinstance(x, Value) and x.node is None and id(x) not in own
        )
    return [x for x in found.values() if x.tracked or x.name or x.array.ndim or id(x) in held]


def run(
    compiled: Compiled,
    cell: Any,
    inputs: list[Any],
    states: list[Any],
    tensors: list[Value],
    reverse: bool,
) -> tuple[Any, Any]:
    """Run a program; return outputs and last state in the structures that the cell returns."""
    call = ScanCall(compiled, cell, reverse, (len(inputs), len(states)))
    handed = (*inputs, *states, *compiled.leaves(tensors))
    y = apply(compiled.op, handed, {"compiled": call, **_narrowed(compiled, handed)})
    if not isinstance(y, Value):
        y = Tensor(y)
    traced, plan = compiled.traced, compiled.program.plan
    outputs, tail = _unpacked(call, y)
    end = 0 if reverse else -1
    # Copied, because a user may reset parts of a state while the backward pass needs the original.
    last = [
        tail[i] if i in tail else ops.copy(outputs[plan.outputs.index(new)][end])
        for i, new in enumerate(plan.new)
    ]
    return tree.map(lambda i: outputs[i], traced.output), tree.map(lambda i: last[i], traced.state)


def _narrowed(compiled: Compiled, handed: Iterable[Any]) -> dict[str, Any]:
    """Return the dtype of the result as a setting, if NumPy's promotion would give another one."""
    floats = [x.array.dtype for x in handed if isinstance(x, Value) and x.array.dtype.kind == "f"]
    dtype = compiled.program.plan.dtype(compiled.program.plan.new[0])
    return {"dtype": dtype} if floats and np.result_type(*floats) != dtype else {}


def _unpacked(call: ScanCall, y: Any) -> tuple[list[Any], dict[int, Any]]:
    """Split the result into the outputs, and those parts of the last state that are no outputs."""
    compiled = call.compiled
    if compiled.single:
        return [y], {}
    parts, start = [], 0
    for shape in call.sizes:
        size = int(np.prod(shape))
        parts.append(y[start : start + size].reshape(shape))
        start += size
    n = len(compiled.program.plan.outputs)
    return parts[:n], dict(zip(compiled.tail, parts[n:], strict=True))


def make_scan_op(title: str) -> Op:
    """Return the op of a program, whose forward and backward are the two functions."""

    def forward(*inputs: Any, compiled: ScanCall, dtype: Any = None) -> np.ndarray:
        return _forward(compiled, inputs)

    made = Op(forward, f"{title}({{inputs}})").vjps(inputs=_back)
    made.name = title
    return made


def _forward(call: ScanCall, arrays: tuple[Any, ...]) -> np.ndarray:
    compiled = call.compiled
    n, _ = call.counts
    call.steps = len(arrays[0])
    ahead = [x[::-1] for x in arrays[:n]] if call.reverse else arrays[:n]
    with np.errstate(over="ignore", under="ignore"):
        outputs, last, call.saved = compiled.program.forward(*ahead, *arrays[n:])
    if call.reverse:
        outputs = [y[::-1] for y in outputs]
    if compiled.single:
        return outputs[0]
    parts = [*outputs, *(last[i] for i in compiled.tail)]
    call.sizes = [part.shape for part in parts]
    return np.concatenate([part.reshape(-1) for part in parts])


def _back(g: Any, y: Any, *inputs: Any, compiled: ScanCall, dtype: Any = None) -> list[Any]:
    return (
        _recorded(g, inputs, compiled) if isinstance(g, Value) else _backward(compiled, g, inputs)
    )


def _backward(call: ScanCall, g: np.ndarray, arrays: tuple[Any, ...]) -> list[Any]:
    program, plan = call.compiled.program, call.compiled.program.plan
    n, _ = call.counts
    outputs, tail = _unpacked(call, g)
    if call.reverse:
        outputs = [part[::-1] for part in outputs]
    carried = [
        tail[i] if i in tail else np.zeros(plan.shape(s), plan.dtype(s))
        for i, s in enumerate(plan.states)
    ]
    assert program.backward is not None
    with np.errstate(over="ignore", under="ignore"):
        flows = list(program.backward(*outputs, *carried, *call.saved))
    if call.reverse:
        flows[:n] = [None if flow is None else flow[::-1] for flow in flows[:n]]
    return [
        np.zeros_like(x) if flow is None else flow for flow, x in zip(flows, arrays, strict=True)
    ]


def _recorded(g: Any, inputs: tuple[Any, ...], call: ScanCall) -> list[Any]:
    """Return the gradients as Tensors with a graph, for gradients of gradients.

    The cell runs step by step, without its program, and its own graph is differentiated.
    """
    compiled = call.compiled
    n, _ = call.counts
    xs = tuple(inputs[:n]) if compiled.several else inputs[0]
    states = tree.map(lambda i: inputs[n + i], compiled.traced.state)
    token = scan_hook.set(None)
    try:
        output, last = scan(call.cell, xs, states, reverse=call.reverse)
    finally:
        scan_hook.reset(token)
    y = _packed(compiled, output, last)
    tracked = [x for x in inputs if isinstance(x, Value) and x.tracked]
    found = dict(zip(tracked, _gradients(y, tracked, g), strict=True))
    return [found.get(x) if isinstance(x, Value) else None for x in inputs]


def _gradients(y: Any, tracked: list[Any], g: Any) -> list[Any]:
    """Return the gradients of y, with zeros for the Tensors that it does not depend on."""
    used = {x for v in toposort(y) for x in v.node.inputs if isinstance(x, Value)}
    asked = [x for x in tracked if x in used]
    found = dict(zip(asked, grad(y, asked, grad_output=g, create_graph=True), strict=True))
    return [found.get(x, Tensor(np.zeros_like(x.array))) for x in tracked]


def _packed(compiled: Compiled, output: Any, last: Any) -> Any:
    outputs: list[Any] = []
    tree.map(outputs.append, output)
    if compiled.single:
        return outputs[0]
    states: list[Any] = []
    tree.map(states.append, last)
    parts = [*outputs, *(states[i] for i in compiled.tail)]
    return ops.concatenate([part.reshape(-1) for part in parts])


def asked(inputs: list[Any], states: list[Any], tensors: list[Value]) -> list[bool] | None:
    """Return a flag for each input that is tracked, or None if no gradient can be asked for."""
    tracked = [isinstance(x, Value) and x.tracked for x in (*inputs, *states, *tensors)]
    return tracked[: len(inputs)] if any(tracked) and context.get()[0] else None
