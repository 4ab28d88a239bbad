"""How the gradient travels through time: its size at every state, and what each time step gives to each parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ..backward import SparseGrad, backward_pass, densify
from ..errors import argument_error, describe
from ..graph import Scope, Value, node_of, toposort
from ..tensor import Tensor, seed_cotangent
from .labels import recorded_values
from .scopes import Loop, loop_of, resolve_scopes

__all__ = ["Flow", "flow", "values"]
LONG = 8
"""More time steps than this are shown by the first and the last of them."""

Places = dict[Value, Loop | None]
"""The outermost loop that each result was recorded in, and its time step; None outside of time."""


@dataclass(frozen=True, slots=True, repr=False)
class Flow:
    """What `flow` found: arrays with time on the first axis. Printed, it is a table of the norms of the gradients.

    Attributes
    ----------
    steps : list of int
        The time steps.
    times : dict of list
        The time steps of each of the arrays, by its name: loops may differ in length.
    gradients : dict of ndarray
        For each state ∂L/∂h_t, shape (T, ...).
    parameters : dict of ndarray
        For each parameter W, by name, what the ops of step t contribute to ∂L/∂W, shape ``(T, *W.shape)``. What all steps give
        together is the whole gradient, if W is used in time steps only.
    values : dict of ndarray
        For each named result of the steps, such as a gate, its values, shape (T, ...).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, _ = tg.nn.RNN(3, 2, rng=0)(np.ones((4, 1, 3), dtype="float32"))
    >>> found = tg.bptt.flow(output[-1].sum())
    >>> found.steps, found.times["h"], sorted(found.parameters)[:2]
    ([0, 1, 2, 3], [0, 1, 2, 3], ['bias_hh_l0', 'bias_ih_l0'])
    >>> found.norms("h").shape
    (4,)
    """

    steps: list[int]
    times: dict[str, list[int]]
    gradients: dict[str, np.ndarray]
    parameters: dict[str, np.ndarray]
    values: dict[str, np.ndarray]

    def __repr__(self) -> str:
        norms = {
            f"‖∂L/∂{name}‖": dict(zip(self.times[name], self.norms(name), strict=True))
            for name in list(self.gradients)[:4]
        }
        steps: list[Any] = (
            self.steps
            if len(self.steps) <= LONG
            else [*self.steps[: LONG // 2], "…", *self.steps[1 - LONG // 2 :]]
        )
        rows = [
            ["t", *norms],
            *(
                [str(t), *(f"{found[t]:.3g}" if t in found else "" for found in norms.values())]
                for t in steps
            ),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        for title, arrays in (
            ("gradients", self.gradients),
            ("parameters", self.parameters),
            ("values", self.values),
        ):
            known = [f"{name} {array.shape}" for name, array in arrays.items()]
            lines.append(
                f"{title}: {', '.join(known[:4])}{f' … ({len(known)} in all)' if len(known) > 4 else ''}"
            )
        return "\n".join(lines)

    def norms(self, name: str) -> np.ndarray:
        """The Euclidean norm at each time step of the gradient of the state, or of the contribution to the parameter, `name`.

        Raises
        ------
        KeyError
            If there is neither.
        """
        known = {**self.parameters, **self.gradients}
        if name not in known:
            raise argument_error(
                "Flow.norms",
                "name",
                expected=", ".join(known),
                got=repr(name),
                fix="use one of these",
                kind=KeyError,
            )
        rows = known[name].reshape(len(self.times[name]), -1).astype(np.float64)
        return np.sqrt(np.sum(rows * rows, axis=1))

    def plot(self, axes: Any = None, label: str = "") -> Any:
        """Draw ‖∂L/∂h_t‖ over time with Matplotlib, on a logarithmic scale. Needs the extra ``plot``.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; a second flow into the same axes is the way to compare two networks.
        label : str
            Stands before the name of each state in the legend.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If there is no Matplotlib.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> output, _ = tg.nn.RNN(3, 2, rng=0)(np.ones((4, 1, 3), dtype="float32"))
        >>> axes = tg.bptt.flow(output[-1].sum()).plot(label="RNN")  # doctest: +SKIP
        >>> axes.figure.savefig("flow.svg")  # doctest: +SKIP
        """
        if axes is None:
            try:
                figure = import_module("matplotlib.figure")
            except ImportError as error:
                raise ImportError(
                    "Flow.plot: expected Matplotlib, got none; run: pip install 'tinygrad_rnn[plot]', or pass axes"
                ) from error
            axes = figure.Figure(figsize=(6, 3.6), layout="constrained").subplots()
        marks = "osD^v"
        for name in self.gradients:
            mark = marks[len(axes.lines) % len(marks)]
            axes.semilogy(
                self.times[name],
                self.norms(name),
                marker=mark,
                markersize=4,
                label=f"{label} {name}".strip(),
            )
        axes.set_xlabel("time step t")
        axes.set_ylabel("‖∂L/∂h‖ at step t")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False)
        return axes


def flow(loss: Tensor, state: str | Iterable[str] = "h", *, gradient: Any = None) -> Flow:
    """Follow the gradient of `loss` through time. The graph is left as it is, and no ``.grad`` changes.

    Parameters
    ----------
    loss : Tensor
        Computed with `scan`, a recurrent layer, or under ``tg.scope(t)`` with integers for time steps.
    state : str or several
        The names of the states to follow. `nn.RNN` and `nn.GRU` name theirs ``"h"``, `nn.LSTM` ``"h"`` and ``"c"``.
    gradient : array_like of the shape of `loss`, optional

    Returns
    -------
    Flow
        Names carry the scope of their loop if there are several (``gru / layer 1 / h``).

    Raises
    ------
    ValueError
        If no result of that name was recorded in a time step.
    TypeError
        If `loss` is no Tensor, or `state` no name.
    RuntimeError
        If `loss` requires no gradients, or the graph was used by a backward pass before.

    Notes
    -----
    The vanishing gradient is seen in ∂L/∂h_t, not in ∂L/∂W, which is the sum over all steps.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(3, 2, rng=0)
    >>> output, _ = rnn(np.ones((5, 1, 3), dtype="float32"))
    >>> found = tg.bptt.flow(output[-1].sum())
    >>> found.gradients["h"].shape, found.parameters["weight_hh_l0"].shape
    ((5, 1, 2), (5, 2, 2))
    """
    start, order = seed_cotangent(loss, gradient, "bptt.flow"), toposort(loss)
    if not isinstance(state, Iterable):
        raise argument_error(
            "bptt.flow",
            "state",
            expected="a name, or several",
            got=describe(state),
            fix='"h" is usual',
            kind=TypeError,
        )
    wanted = [state] if isinstance(state, str) else list(state)
    if not wanted:
        raise argument_error(
            "bptt.flow", "state", expected="a name, or several", got="none", fix='"h" is usual'
        )
    scopes = resolve_scopes(reversed(order))
    places = {value: loop_of(scope) for value, scope in scopes.items()}
    shares: dict[tuple[Value, Loop], list[Any]] = {}

    def watch(y: Value, x: Value, contribution: Any, total: Any) -> None:
        loop = places[y]
        if loop and places.get(x) is None:
            shares.setdefault((x, loop), []).append(contribution)

    arrived: dict[Value, Any] = {}
    for value, g in backward_pass({loss: start}, order, interior=True, watch=watch):
        if value.name and places.get(value):
            arrived[value] = np.array(g)
    named = _by_name(scopes)
    _require_steps("bptt.flow", "loss", named, order)
    missing = [name for name in wanted if not any(_called(key[1], name) for key in named)]
    if missing:
        known = ", ".join(sorted({key[1] for key in named})) or "none"
        raise argument_error(
            "bptt.flow",
            "state",
            expected=f"the name of a result in time steps: {known}",
            got=repr(missing[0]),
            fix="set h.name",
        )
    title = _titles(named)
    times = {title(*key): list(found) for key, found in named.items()}
    gradients = {
        title(*key): _stacked(key[1], [arrived[v] for v in found.values()])
        for key, found in named.items()
        if any(_called(key[1], name) for name in wanted)
    }
    parameters = _parameters(shares, places)
    times |= {name: list(by_step) for name, by_step in parameters.items()}
    stacked = {name: np.stack(list(by_step.values())) for name, by_step in parameters.items()}
    return Flow(sorted(set().union(*times.values())), times, gradients, stacked, _values(named))


def values(output: Tensor) -> dict[str, np.ndarray]:
    """What the named results of the time steps were on the way to `output`: gates and states, step by step.

    Parameters
    ----------
    output : Tensor
        Of a recurrent layer, or anything computed from it; not under `no_grad`, and of a layer whose parameters require gradients.

    Returns
    -------
    dict of ndarray
        By name, each of shape (T, ...): ``"r"``, ``"z"``, ``"n"`` and ``"h"`` of a GRU, ``"i"``, ``"f"``, ``"g"``, ``"o"``, ``"c"`` and
        ``"h"`` of an LSTM, of a cell of your own whatever has a ``name``. With several loops, as of layers and
        directions, the scope of the loop stands before the name: ``gru / layer 1 / r``. Where a sequence has ended
        (`lengths`) a state stays what it was, and gates are what the cell gave there, which is not used.

    Raises
    ------
    TypeError
        If `output` has no graph.
    ValueError
        If its time steps are inside of a compiled walk.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, _ = tg.nn.GRU(3, 2, rng=0)(np.ones((5, 4, 3), dtype="float32"))
    >>> gates = tg.bptt.values(output)
    >>> gates["z"].shape, bool(np.all((0 < gates["z"]) & (gates["z"] < 1)))
    ((5, 4, 2), True)
    """
    order = recorded_values("bptt.values", output)
    named = _by_name(resolve_scopes(order))
    _require_steps("bptt.values", "output", named, order)
    return _values(named)


def _require_steps(operation: str, argument: str, named: Any, order: Iterable[Value]) -> None:
    """Refuse a graph whose time steps are out of sight."""
    if not named and any("compiled" in value.node.params for value in order if value.node):
        got, fix = (
            "a compiled walk, which is one node",
            "call the layer itself, fast.target, to look inside",
        )
        raise argument_error(
            operation, argument, expected="a graph with time steps", got=got, fix=fix
        )


def _called(title: str, name: str) -> bool:
    """Whether a result with this title has the name, with a module's before it or not."""
    return title == name or title.endswith(f" / {name}")


def _values(named: dict[tuple[Scope, str], dict[int, Value]]) -> dict[str, np.ndarray]:
    """The numbers of named results, in the order of time; without those that change their shape."""
    title = _titles(named)
    arrays = {key: [value.array for value in by_step.values()] for key, by_step in named.items()}
    return {
        title(*key): np.stack(found)
        for key, found in arrays.items()
        if len({a.shape for a in found}) == 1
    }


def _stacked(name: str, gradients: list[np.ndarray]) -> np.ndarray:
    """The gradients of a state along a new axis of time, refused if the state changes its shape."""
    shapes = list(dict.fromkeys(g.shape for g in gradients))
    if len(shapes) > 1:
        got, fix = (
            f"{name} of shapes {', '.join(map(str, shapes[:3]))}",
            "give what is no state another name",
        )
        raise argument_error(
            "bptt.flow", "state", expected="one shape at all time steps", got=got, fix=fix
        )
    return np.stack(gradients)


def _by_name(scopes: Mapping[Value, Scope]) -> dict[tuple[Scope, str], dict[int, Value]]:
    """The named results of each loop, in the order of time; of results with one name in one step the last.

    Where modules within a step use one name, that of the module stands before it: two cells in one step have an h each.
    """
    inside: dict[tuple[Scope, str], dict[Scope, dict[int, Value]]] = {}
    for value, scope in scopes.items():
        if value.name and (loop := loop_of(scope)):
            module = tuple(part for part in scope[len(loop[0]) + 1 :] if not part.is_step)
            inside.setdefault((loop[0], value.name), {}).setdefault(module, {})[loop[1]] = value
    found = {
        (loop, name if len(modules) == 1 else " / ".join([*map(str, module), name])): by_step
        for (loop, name), modules in inside.items()
        for module, by_step in modules.items()
    }
    return {key: dict(sorted(by_step.items())) for key, by_step in found.items()}


def _titles(found: Iterable[tuple[Scope, Any]]) -> Callable[[Scope, str], str]:
    """What to call a result or a parameter: by its name, if there is one loop; else with the scope of its loop before it."""
    alone = len({loop for loop, _ in found}) <= 1
    return lambda loop, name: name if alone else " / ".join([*map(str, loop), name])


def _parameters(
    shares: dict[tuple[Value, Loop], list[Any]], places: Places
) -> dict[str, dict[int, np.ndarray]]:
    """The share of each step of a loop in the gradient of each parameter.

    A step gives to values that were made before the loop: to parameters, or to parts and products of them. From there the
    same rules carry each step's share on, for they are linear in the gradient.
    """
    totals: dict[tuple[Scope, Value], dict[int, Any]] = {}
    for (x, (loop, step)), found in shares.items():
        whole = [c for c in found if not isinstance(c, SparseGrad)]
        parts = [c for c in found if isinstance(c, SparseGrad)]
        g = sum(whole[1:], whole[0]) if whole else None
        g = densify(x, g, parts) if parts else g
        for leaf, share in _carried(x, g, places):
            if leaf.node is None and leaf.tracked:
                mine = totals.setdefault((loop, leaf), {})
                mine[step] = mine[step] + share if step in mine else share
    title = _titles(totals)
    walked: dict[Scope, set[int]] = {}
    for _, (loop, step) in shares:
        walked.setdefault(loop, set()).add(step)
    named: dict[str, dict[int, np.ndarray]] = {}
    for i, ((loop, leaf), by_step) in enumerate(totals.items()):
        name = title(loop, leaf.name or f"leaf {i}")
        zero = np.zeros_like(leaf.array)
        named[name if name not in named else f"{name} ({i})"] = {
            step: by_step.get(step, zero) for step in sorted(walked[loop])
        }
    return named


def _carried(x: Value, g: Any, places: Places) -> Iterable[tuple[Value, Any]]:
    """The gradient `g` of x carried to what x was made from, without going into any time step."""
    if x.node is None:
        return [(x, g)]
    seen, waiting = {x}, [x]
    while waiting:
        for value in node_of(waiting.pop()).inputs:
            if (
                isinstance(value, Value)
                and value.node is not None
                and value not in seen
                and places[value] is None
            ):
                seen.add(value)
                waiting.append(value)
    order = sorted(seen, key=lambda value: node_of(value).index, reverse=True)
    return backward_pass({x: g}, order)
