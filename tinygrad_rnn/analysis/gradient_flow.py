"""Gradients over time: those of the states, and what each step adds to those of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .. import check
from ..backward import SparseGrad, backward_pass, densify
from ..errors import argument_error, messages
from ..graph import Value, toposort
from ..nn.html_table import html_table
from ..scope_part import Scope
from ..tensor import Tensor
from .flow_chart import draw_chart
from .labels import recorded_values
from .plain_table import align_columns
from .row_norms import row_norms
from .scopes import Loop, find_loops_around, loop_of, resolve_scopes

__all__ = ["Flow", "flow", "values"]
MAX_ROWS = 8
"""The greatest number of rows in a table. More time steps are cut to the first and last few."""

Places = dict[Value, Loop | None]
"""The outermost loop around each result and the time step in it; None for a result in no loop."""

Named = dict[tuple[Scope, str], dict[int, Value]]
"""For each loop and name, the results of that name by time step."""


@dataclass(frozen=True, slots=True, repr=False)
class Flow:
    """The result of `flow`: arrays with time on the first axis. It prints as a table of norms.

    Attributes
    ----------
    steps : list of int
        All time steps.
    times : dict of list
        For each array, by name, the time steps of its rows. Loops may differ in length.
    gradients : dict of ndarray
        For each state, ∂L/∂h_t of shape (T, ...).
    parameters : dict of ndarray
        For each parameter W, the contribution of the ops of step t to ∂L/∂W, of shape
        ``(T, *W.shape)``. The sum over all steps is the whole gradient if W is used in time steps
        only.
    values : dict of ndarray
        For each named result of the steps, for example a gate, its values, of shape (T, ...).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, _ = tg.nn.RNN(3, 2, rng=0)(np.ones((4, 1, 3), dtype="float32"))
    >>> result = tg.bptt.flow(output[-1].sum())
    >>> result.steps, result.times["h"], sorted(result.parameters)[:2]
    ([0, 1, 2, 3], [0, 1, 2, 3], ['bias_hh_l0', 'bias_ih_l0'])
    >>> result.norms("h").shape
    (4,)
    """

    steps: list[int]
    times: dict[str, list[int]]
    gradients: dict[str, np.ndarray]
    parameters: dict[str, np.ndarray]
    values: dict[str, np.ndarray]

    def _norms(self) -> dict[str, dict[int, float]]:
        """Return, for each of the first four states, the norm of its gradient at each time step."""
        return {
            f"‖∂L/∂{name}‖": dict(zip(self.times[name], self.norms(name).tolist(), strict=True))
            for name in list(self.gradients)[:4]
        }

    def _rows(self) -> list[list[str]]:
        """Return the table of norms as text; its first row is the header."""
        norms, steps = self._norms(), list[Any](self.steps)
        if len(steps) > MAX_ROWS:
            steps = [*steps[: MAX_ROWS // 2], "…", *steps[1 - MAX_ROWS // 2 :]]
        rows = [["t", *norms]]
        for t in steps:
            cells = [f"{by_t[t]:.3g}" if t in by_t else "" for by_t in norms.values()]
            rows.append([str(t), *cells])
        return rows

    def _shapes(self) -> list[str]:
        """Return a line for each kind of array: names and shapes."""
        lines = []
        for title in ("gradients", "parameters", "values"):
            shapes = [f"{name} {array.shape}" for name, array in getattr(self, title).items()]
            others = f" … ({len(shapes)} in all)" if len(shapes) > 4 else ""
            lines.append(f"{title}: {', '.join(shapes[:4])}{others}")
        return lines

    def __repr__(self) -> str:
        header, *rows = self._rows()
        return "\n".join(align_columns(header, rows, right=header) + self._shapes())

    def _repr_html_(self) -> str:
        header, *rows = self._rows()
        table = html_table(header, rows, notes="\n".join(self._shapes()))
        return draw_chart(self._norms()) + table

    def norms(self, name: str) -> np.ndarray:
        """Return the norm of an array of `gradients` or `parameters` at each time step.

        Parameters
        ----------
        name : str
            The name of a state or of a parameter.

        Returns
        -------
        ndarray of shape (T,)
            Euclidean norms, in float64.

        Raises
        ------
        KeyError
            If no state or parameter has this name.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> w = tg.Tensor(0.5, requires_grad=True, name="w")
        >>> def cell(x, h):
        ...     h = w * h + x
        ...     h.name = "h"
        ...     return h, h
        >>> _, h = tg.scan(cell, tg.Tensor([1.0, 2.0, 3.0]), tg.Tensor(0.0))
        >>> tg.bptt.flow(h).norms("h")
        array([0.25, 0.5 , 1.  ])
        """
        known = {**self.parameters, **self.gradients}
        if name not in known:
            fix = f"write norms({[*self.gradients, *known][0]!r}), for example"
            expected, got = ", ".join(known), repr(name)
            raise argument_error("Flow.norms", "name", expected, got, fix, KeyError)
        return row_norms(known[name])

    def plot(self, axes: Any = None, label: str = "") -> Any:
        """Draw ‖∂L/∂h_t‖ over time on a logarithmic scale.

        This needs Matplotlib, which the extra ``plot`` installs.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            The axes to draw into; by default those of a new figure. To compare two networks, draw
            their flows into the same axes.
        label : str
            The text to put before the name of each state in the legend.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If Matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> output, _ = tg.nn.RNN(3, 2, rng=0)(np.ones((4, 1, 3), dtype="float32"))
        >>> axes = tg.bptt.flow(output[-1].sum()).plot(label="RNN")  # doctest: +SKIP
        >>> axes.figure.savefig("flow.svg")  # doctest: +SKIP
        """
        if axes is None:
            axes = _new_axes()
        marks = "osD^v"
        for name in self.gradients:
            axes.semilogy(
                self.times[name],
                self.norms(name),
                marker=marks[len(axes.lines) % len(marks)],
                markersize=4,
                label=f"{label} {name}".strip(),
            )
        axes.set_xlabel("time step t")
        axes.set_ylabel("‖∂L/∂h‖ at step t")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False)
        return axes


def _new_axes() -> Any:
    """Return Matplotlib axes in a new figure."""
    try:
        figure = import_module("matplotlib.figure")
    except ImportError as error:
        install = "pip install 'tinygrad_rnn[plot]', or pass axes"
        message = f"Flow.plot: expected Matplotlib, got none; run: {install}"
        raise ImportError(message) from error
    return figure.Figure(figsize=(6, 3.6), layout="constrained").subplots()


def flow(loss: Tensor, state: str | Iterable[str] = "h", *, gradient: Any = None) -> Flow:
    """Follow the gradient of `loss` through time, without changing the graph or any ``.grad``.

    Parameters
    ----------
    loss : Tensor
        The result of a computation with time steps. `scan` and recurrent layers record these; in a
        loop of your own, run each step under ``tg.scope(t)`` with an int t.
    state : str or iterable of str
        The names of the states to follow. The state of `nn.RNN` and `nn.GRU` is ``"h"``; the states
        of `nn.LSTM` are ``"h"`` and ``"c"``.
    gradient : array_like of the shape of `loss`, optional
        The gradient to start from (the cotangent of `loss`). You may omit it if `loss` has one
        entry; it is then 1.

    Returns
    -------
    Flow
        If there are several loops, each name begins with the scope of its loop
        (``gru / layer 1 / h``).

    Raises
    ------
    ValueError
        If no result with a name in `state` was recorded in a time step. A compiled call records
        none. Also if a state changes its shape over time, or `gradient` does not fit `loss`.
    TypeError
        If `loss` is not a Tensor, or `state` is not a name.
    RuntimeError
        If `loss` requires no gradients, or a backward pass has used the graph already.

    Notes
    -----
    A vanishing gradient shows in ∂L/∂h_t, but not in ∂L/∂W, which is the sum over all steps.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> rnn = tg.nn.RNN(3, 2, rng=0)
    >>> output, _ = rnn(np.ones((5, 1, 3), dtype="float32"))
    >>> result = tg.bptt.flow(output[-1].sum())
    >>> result.gradients["h"].shape, result.parameters["weight_hh_l0"].shape
    ((5, 1, 2), (5, 2, 2))
    """
    start, order = messages.check_seed("bptt.flow", loss, gradient), toposort(loss)
    expected, fix = "a name, or several names", 'write state="h", for example'
    check.iterable("bptt.flow", "state", state, expected, fix)
    states = [state] if isinstance(state, str) else list(state)
    check.require(states, "bptt.flow", "state", expected, "none", fix)
    scopes = resolve_scopes(reversed(order))
    places = find_loops_around(scopes)
    cotangents, contributions = _run_backward({loss: start}, order, places)
    named = _group_by_name(scopes)
    _require_steps("bptt.flow", "loss", named, order)
    _require_states(states, named)

    title = _titles(named)
    times = {title(*key): list(by_step) for key, by_step in named.items()}
    gradients = {
        title(*key): _stack(key[1], [cotangents[value] for value in by_step.values()])
        for key, by_step in named.items()
        if any(_is_called(key[1], name) for name in states)
    }
    shares = _find_shares_of_steps(contributions, places)
    times |= {name: list(by_step) for name, by_step in shares.items()}
    parameters = {name: np.stack(list(by_step.values())) for name, by_step in shares.items()}
    steps = sorted(set().union(*times.values()))
    return Flow(steps, times, gradients, parameters, _stack_values(named))


def values(output: Tensor) -> dict[str, np.ndarray]:
    """Return the values of all named results, such as gates and states, at every time step.

    Parameters
    ----------
    output : Tensor
        The output of a recurrent layer, or anything computed from it. It must have a graph, so
        compute it outside of `no_grad`, with a layer whose parameters require gradients.

    Returns
    -------
    dict of ndarray
        Arrays of shape (T, ...) by name: ``"r"``, ``"z"``, ``"n"`` and ``"h"`` of a GRU; ``"i"``,
        ``"f"``, ``"g"``, ``"o"``, ``"c"`` and ``"h"`` of an LSTM. A cell of your own gives all
        results that have a ``name``. A result whose shape changes over time is left out. If there
        are several loops, for example one for each layer and direction, each name begins with the
        scope of its loop: ``gru / layer 1 / r``. After the end of a sequence (`lengths`), a state
        keeps its last value. The cell still computes values of the gates there, but they are not
        used.

    Raises
    ------
    TypeError
        If `output` has no graph.
    ValueError
        If its time steps are inside a compiled call, which records no results of single steps.

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
    named = _group_by_name(resolve_scopes(order))
    _require_steps("bptt.values", "output", named, order)
    return _stack_values(named)


# -- named results of the time steps -------------------------------------------------------------


def _group_by_name(scopes: Mapping[Value, Scope]) -> Named:
    """Return the named results of each loop by time step.

    If a name occurs several times in one step, the last result counts. Several modules in a step
    may use the same name, for example two cells that each have an ``h``. The title of each result
    then begins with its module.
    """
    grouped: dict[tuple[Scope, str], dict[Scope, dict[int, Value]]] = {}
    for value, scope in scopes.items():
        if value.name and (place := loop_of(scope)):
            loop, step = place
            module = tuple(part for part in scope[len(loop) + 1 :] if not part.is_step)
            by_module = grouped.setdefault((loop, value.name), {})
            by_module.setdefault(module, {})[step] = value
    named: Named = {}
    for (loop, name), by_module in grouped.items():
        for module, by_step in by_module.items():
            title = name if len(by_module) == 1 else " / ".join([*map(str, module), name])
            named[loop, title] = dict(sorted(by_step.items()))
    return named


def _titles(keys: Iterable[tuple[Scope, Any]]) -> Callable[[Scope, str], str]:
    """Return a function that adds the scope of the loop to a name if there are several loops."""
    has_one_loop = len({loop for loop, _ in keys}) <= 1
    return lambda loop, name: name if has_one_loop else " / ".join([*map(str, loop), name])


def _is_called(title: str, name: str) -> bool:
    """Return whether a title consists of this name, or of a module and this name."""
    return title == name or title.endswith(f" / {name}")


def _require_steps(operation: str, argument: str, named: Named, order: Iterable[Value]) -> None:
    """Raise ValueError if all time steps are inside a compiled call."""
    is_compiled = not named and any(value.node.op.name == "part" for value in order)
    got = "a compiled call, which is one node"
    fix = "call the layer itself, compiled.target, to look inside"
    check.require(not is_compiled, operation, argument, "a graph with time steps", got=got, fix=fix)


def _require_states(states: Iterable[str], named: Named) -> None:
    """Raise ValueError if one of these names belongs to no result."""
    for name in states:
        if not any(_is_called(title, name) for _, title in named):
            known = ", ".join(sorted({title for _, title in named})) or "none"
            expected = f"the name of a result in time steps: {known}"
            fix = f"name a result in the cell: h.name = {name!r}"
            raise argument_error("bptt.flow", "state", expected, repr(name), fix)


def _stack_values(named: Named) -> dict[str, np.ndarray]:
    """Stack the values of each named result along time; leave out a result whose shape changes."""
    title = _titles(named)
    arrays = {key: [value.array for value in by_step.values()] for key, by_step in named.items()}
    return {
        title(*key): np.stack(steps)
        for key, steps in arrays.items()
        if len({array.shape for array in steps}) == 1
    }


def _stack(name: str, gradients: list[np.ndarray]) -> np.ndarray:
    """Return the gradients of a state stacked along time; raise if the state changes shape."""
    shapes = list(dict.fromkeys(g.shape for g in gradients))
    if len(shapes) > 1:
        got = f"{name} of shapes {', '.join(map(str, shapes[:3]))}"
        fix = "give another name to results that are not this state"
        raise argument_error("bptt.flow", "state", "one shape at all time steps", got, fix)
    return np.stack(gradients)


# -- gradients -----------------------------------------------------------------------------------


def _run_backward(
    seeds: dict[Value, Any], order: list[Value], places: Places
) -> tuple[dict[Value, np.ndarray], dict[tuple[Value, Loop], list[Any]]]:
    """Run the backward pass and return the gradients and contributions that `flow` needs.

    Returns
    -------
    cotangents : dict of Value to ndarray
        The gradient of each named result in a time step.
    contributions : dict of (Value, Loop) to list
        The contributions of each time step to the gradient of each value that is outside of all
        loops.
    """
    contributions: dict[tuple[Value, Loop], list[Any]] = {}

    def watch(y: Value, x: Value, contribution: Any, total: Any) -> None:
        place = places[y]
        if place and places.get(x) is None:
            contributions.setdefault((x, place), []).append(contribution)

    cotangents = {
        value: np.array(g)
        for value, g in backward_pass(seeds, order, interior=True, watch=watch)
        if value.name and places.get(value)
    }
    return cotangents, contributions


def _find_shares_of_steps(
    contributions: dict[tuple[Value, Loop], list[Any]], places: Places
) -> dict[str, dict[int, np.ndarray]]:
    """Return, for each parameter by name, how much each step of a loop adds to its gradient.

    The ops of a step contribute to values from outside the loop: parameters, and results computed
    from parameters, such as slices and products. `_continue_backward` propagates these
    contributions to the parameters, separately for each step. The separate gradients add up to the
    whole gradient because each rule is linear in the incoming gradient.
    """
    totals: dict[tuple[Scope, Value], dict[int, Any]] = {}
    steps: dict[Scope, set[int]] = {}
    for (x, (loop, step)), parts in contributions.items():
        steps.setdefault(loop, set()).add(step)
        for leaf, share in _continue_backward(x, _add_up(x, parts), places):
            if leaf.node is None and leaf.tracked:
                by_step = totals.setdefault((loop, leaf), {})
                by_step[step] = by_step[step] + share if step in by_step else share
    title = _titles(totals)
    shares: dict[str, dict[int, np.ndarray]] = {}
    for i, ((loop, leaf), by_step) in enumerate(totals.items()):
        name = title(loop, leaf.name or f"leaf {i}")
        zero = np.zeros_like(leaf.array)
        shares[name if name not in shares else f"{name} ({i})"] = {
            step: by_step.get(step, zero) for step in sorted(steps[loop])
        }
    return shares


def _add_up(x: Value, contributions: list[Any]) -> Any:
    """Return the sum of the contributions to `x`. Some of them may be sparse."""
    whole = [c for c in contributions if not isinstance(c, SparseGrad)]
    sparse = [c for c in contributions if isinstance(c, SparseGrad)]
    total = sum(whole[1:], whole[0]) if whole else None
    return densify(x, total, sparse) if sparse else total


def _continue_backward(x: Value, g: Any, places: Places) -> Iterable[tuple[Value, Any]]:
    """Propagate the gradient `g` of `x` backward to the leaves, without entering a time step."""
    if x.node is None:
        return [(x, g)]
    reached, waiting = {x}, [x]
    while waiting:
        for value in waiting.pop().node.inputs:
            is_interior = isinstance(value, Value) and value.node is not None
            if is_interior and value not in reached and places[value] is None:
                reached.add(value)
                waiting.append(value)
    order = sorted(reached, key=lambda value: value.node.index, reverse=True)
    return backward_pass({x: g}, order)


def __dir__() -> list[str]:
    return __all__
