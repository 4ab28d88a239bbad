"""Recurrent layers, which run any cell step by step over sequences, in one direction or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic

import numpy as np

from .. import check, ops, tree
from ..blocks import scope
from ..dtypes import as_ndarray
from ..errors import argument_error
from ..errors.user_warning import warn_user
from ..graph import unwrap
from ..ops.methods_elsewhere import MODULE
from ..ops.missing_names import missing
from ..scan import State, StepFunction, scan
from ..tensor import Tensor
from . import init
from . import recurrent_checks as checks
from .cells import Cell
from .dropout import drop_input, dropout, sample_mask, with_state_dropout, with_zoneout
from .module import Module
from .sequence_masks import freeze_finished, length_mask, pad_with_first_step, zero_finished
from .stacked_states import initial_states, stack_states
from .step_wrappers import keep_name

OPTIONS = ["batch_first", "dropout", "input_dropout", "state_dropout", "zoneout", "bidirectional"]


class Recurrent(Module, Generic[State]):
    """A stack of recurrent layers that run any cell over sequences, in one direction or both.

    ::

        output[t], state[t] = cell(x[t], state[t − 1])

    In the shapes, T is the number of time steps, B the batch size and H the hidden size.

    Parameters
    ----------
    cell : callable
        ``cell(input_size, rng)`` returns the cell of one layer and direction: a `Module`, or any
        function called as ``output, state = cell(x, state)`` with x of shape (B, input_size). The
        parameters of a Module become parameters of the layer. If the cell has a method
        ``zero_state(batch)``, with batch = (B,) or (), the default initial state is what this
        method returns. Otherwise it is zeros of shape (B, H). If the cell has a method ``unroll``
        like that of `Cell`, the layer uses it to compute everything that does not depend on the
        state for all steps at once.
    input_size : int
        I, the size of x.
    num_layers : int
        The number of stacked layers. Each layer reads the output of the previous layer.
    hidden_size : int, optional
        H, the size of the cell's output, and of its state if the cell has no ``zero_state``. The
        default is the ``hidden_size`` of the cell. All layers and directions have the same H.
    batch_first : bool
        If True, x and output have the shape (B, T, ·) instead of (T, B, ·). The shape of states
        stays the same.
    dropout : float in [0, 1)
        The probability of dropout between layers, in training. Dropout acts on the output of every
        layer except the last. If there is one layer, it cannot act, which gives a warning.
    input_dropout, state_dropout : float in [0, 1)
        The probability of dropout in training. One mask is used for the whole sequence (Gal and
        Ghahramani, 2016). `input_dropout` acts on the input of each layer. `state_dropout` acts on
        the state. In an RNN, a GRU or an LSTM, it acts on h before each matrix product. In a cell
        without ``unroll``, it acts on all arrays of floats in the state. Dropout multiplies by 0,
        so an infinite entry becomes NaN.
    zoneout : float in [0, 1)
        The probability that an entry of the state stays unchanged in a step (Krueger et al., 2017).
        In evaluation, the new state is the expected value. Zoneout also changes an output that *is*
        an array of the new state, as in ``return h, h``. It does not change an output that the cell
        computes from its new state. Only arrays of floats in a state are affected.
    bidirectional : bool
        If True, also run backwards over each sequence with separate cells, and concatenate the
        outputs of the two directions.
    rng : numpy.random.Generator or int, optional
        The source of random numbers for the initial parameters, dropout and zoneout.

    Raises
    ------
    TypeError
        If `cell` is itself a cell instead of a function that returns one, or if an argument has
        the wrong type.
    ValueError
        If a size or a probability is out of range, or if the cells differ in hidden size.

    Notes
    -----
    The parameter ``weight_ih`` of the cell of layer k is called ``weight_ih_l{k}``, and in the
    reverse direction ``weight_ih_l{k}_reverse``. These are PyTorch's names, so state dicts are
    compatible.

    References
    ----------
    `state_dropout` and `input_dropout`: Gal and Ghahramani, "A theoretically grounded application
    of dropout in recurrent neural networks" (2016). `zoneout`: Krueger et al., "Zoneout:
    regularizing RNNs by randomly preserving hidden activations" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> class Leaky(tg.nn.Module):
    ...     def __init__(self, input_size, rng):
    ...         super().__init__()
    ...         self.hidden_size = 3
    ...         self.W = tg.Tensor(tg.nn.init.uniform((input_size, 3), 1, rng), requires_grad=True)
    ...     def forward(self, x, h):
    ...         h = 0.9 * h + tg.tanh(x @ self.W)
    ...         return h, h
    >>> layer = tg.nn.Recurrent(Leaky, 2, num_layers=2, bidirectional=True, rng=0)
    >>> output, state = layer(np.ones((7, 5, 2), dtype="float32"), lengths=[7, 3, 0, 1, 7])
    >>> output.shape, state.shape
    ((7, 5, 6), (4, 5, 3))
    """

    _named_otherwise = frozenset({"cells"})

    def __init__(
        self,
        cell: Callable[[int, np.random.Generator], Callable[..., tuple[Any, State]]],
        input_size: int,
        num_layers: int = 1,
        *,
        hidden_size: int | None = None,
        batch_first: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        state_dropout: float = 0.0,
        zoneout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
    ):
        super().__init__()
        name = type(self).__name__
        self.num_layers = check.count(name, "num_layers", num_layers)
        self.dropout = check.probability(name, "dropout", dropout)
        self.input_dropout = check.probability(name, "input_dropout", input_dropout)
        self.state_dropout = check.probability(name, "state_dropout", state_dropout)
        self.zoneout = check.probability(name, "zoneout", zoneout)
        self.batch_first = check.flag(name, "batch_first", batch_first)
        self.bidirectional = check.flag(name, "bidirectional", bidirectional)
        self.directions = 2 if bidirectional else 1
        self.rng = init.generator(rng)
        self.input_size = check.count(name, "input_size", input_size)
        checks.require_cell_maker(name, cell)
        self.cells: list[list[Any]] = []
        for k in range(num_layers):
            size = input_size if k == 0 else self.directions * self.hidden_size
            self.cells.append([])
            for _ in range(self.directions):
                self.cells[k].append(cell(size, self.rng))
                hidden_size = checks.hidden_size_of(name, self.cells[k][-1], hidden_size)
                self.hidden_size = hidden_size
        for suffix, module in self._cells():
            for name, tensor in (*module._named(), *module._named("buffers")):
                tensor.name = f"{name}_{suffix}"

    def _known_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the cells (``l0``, ``l0_reverse``, ``l1``, …), then other submodules."""
        yield from self._cells()
        yield from super()._known_children()

    def _cells(self) -> Iterator[tuple[str, Module]]:
        """Yield the cells that are Modules, with their names."""
        for k, cells in enumerate(self.__dict__.get("cells", ())):
            for cell, suffix in zip(cells, ("", "_reverse"), strict=False):
                if isinstance(cell, Module):
                    yield f"l{k}{suffix}", cell

    def _named(self, kind: str = "parameters") -> Iterator[tuple[str, Tensor]]:
        """Yield the parameters with PyTorch's names: ``weight_ih_l0``, not ``l0.weight_ih``."""
        for suffix, cell in self._cells():
            for name, tensor in cell._named(kind):
                yield f"{name}_{suffix}", tensor
        yield from self._own(kind)
        for prefix, module in self._modules.items():
            for name, tensor in module._named(kind):
                yield f"{prefix}.{name}", tensor

    def _known_parameters(self) -> Iterator[Tensor]:
        """Yield the known parameters, first those of the cells, without searching attributes."""
        for holder in (*(cell for _, cell in self._cells()), self):
            for module in holder.modules():
                yield from module._parameters.values()

    def _refresh(self) -> list[tuple[str, Any]]:
        """Note again what the attributes hold; also return cells that are functions."""
        cells = [cell for cells in self.__dict__.get("cells", ()) for cell in cells]
        functions = [("cells", cell) for cell in cells if not isinstance(cell, Module)]
        return [*super()._refresh(), *functions]

    def _find_in_cells(self, name: str) -> Iterator[tuple[Module, str]]:
        """Yield (cell, short name) for a full name: (cell, ``weight_ih``) for ``weight_ih_l0``."""
        for suffix, cell in self._cells():
            cell_name = name.removesuffix(f"_{suffix}")
            if cell_name != name and (cell_name in cell._parameters or cell_name in cell._buffers):
                yield cell, cell_name

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, or a parameter or buffer of a cell by its full name."""
        for cell, cell_name in self._find_in_cells(name):
            if isinstance(value, Tensor) and cell_name in cell._parameters:
                shape = cell._parameters[cell_name].shape
                fix = "assign a Tensor of this shape, or build a new layer"
                check.shape(type(self).__name__, name, value, shape, fix)
            setattr(cell, cell_name, value)
            return
        if any(name == suffix for suffix, _ in self._cells()):
            fix = "replace the entry of the list `cells`, or choose another name"
            raise self._error("name", "a name that no cell has", repr(name), fix, ValueError)
        super().__setattr__(name, value)
        if name == "dropout" and value and self.num_layers == 1:
            expected = "0 in a single layer, because dropout acts between layers"
            fix = "use num_layers=2, input_dropout or state_dropout, or nn.Dropout on the output"
            warn_user(argument_error(type(self).__name__, name, expected, str(value), fix))

    def __dir__(self) -> list[str]:
        """Return the names of all attributes, with the cells and their parameters and buffers."""
        cells = [(suffix, (*cell._parameters, *cell._buffers)) for suffix, cell in self._cells()]
        own = [f"{name}_{suffix}" for suffix, names in cells for name in names if "." not in name]
        return sorted({*super().__dir__(), *own, *(suffix for suffix, _ in cells)})

    def __getattr__(self, name: str) -> Any:
        """Return a cell by its name (``l0``), or a parameter or buffer of a cell."""
        for suffix, cell in self._cells():
            if suffix == name:
                return cell
        for cell, cell_name in self._find_in_cells(name):
            return getattr(cell, cell_name)
        raise missing(type(self).__name__, name, MODULE, self)

    def forward(self, x: Any, state: Any = None, *, lengths: Any = None) -> tuple[Tensor, State]:
        """Run all layers over the sequences.

        Parameters
        ----------
        x : Tensor of shape (T, B, I), or (T, I) for one sequence; (B, T, I) if `batch_first`
        state : Tensor of shape (layers · directions, B, H), or (layers · directions, H), optional
            The initial state. For an LSTM, it is a tuple (h, c) of two Tensors. The default is
            zeros, or what the method ``zero_state`` of each cell returns.
        lengths : integers of shape (B,), optional
            The number of valid steps of each sequence, from 0 to T, in any order. The rest of x is
            padding and has no effect, even if it is NaN. The output for padding is 0. The last
            state of a sequence is the state after its last valid step. The reverse direction starts
            each sequence at its last valid step. The cell also runs on the padding, but its input
            there is a valid step of x, and the layer discards the results. To discard them for some
            sequences only, the layer needs arrays with the batch as the first axis. So every output
            and every array in the state must be such an array. Other parts of the state, such as a
            counter, must not change.

        Returns
        -------
        output : Tensor of shape (T, B, directions · H), or (T, directions · H)
            The last layer's output at every step, with the axes T and B exchanged if `batch_first`.
            If the cell's output is a tuple, this is a tuple of such Tensors.
        state : Tensor or tuple, of the same shapes as the argument `state`
            The last state of each layer and direction. In each layer, forward comes before reverse.

        Raises
        ------
        ValueError
            If a shape does not fit, there are no time steps, or a length is not in [0, T]. Also if
            the states or outputs of the cell do not work with `lengths` or an option of the layer.
        TypeError
            If a dtype differs from that of the parameters.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> lstm = tg.nn.LSTM(3, 2, batch_first=True, rng=0)
        >>> output, (h, c) = lstm(np.ones((2, 7, 3), dtype="float32"), lengths=[7, 4])
        >>> output.shape, h.shape, bool((output.data[1, 4:] == 0).all())
        ((2, 7, 2), (1, 2, 2), True)
        """
        name = type(self).__name__
        dtype = next((p.dtype for p in self._known_parameters()), as_ndarray(unwrap(x)).dtype)
        x = checks.as_sequences(name, x, dtype, self.input_size, self.batch_first)
        swap = self.batch_first and x.ndim == 3
        if swap:
            x = keep_name(x.swapaxes(0, 1), x)
        batch = x.shape[1:-1]
        running = None if lengths is None else length_mask(name, lengths, len(x), batch)
        cells = [cell for row in self.cells for cell in row]
        states = initial_states(name, cells, state, batch, self.hidden_size, x.dtype)
        for k in range(len(self.cells)):
            if k:
                checks.require_one_array(name, x)
                if self.dropout:
                    x = dropout(x, self.dropout, training=self.training, rng=self.rng)
            x = self._scan_layer(k, x, states, running, swap)
        if running is not None:
            x = zero_finished(running, x)
        if swap:
            x = tree.map(lambda part: part.swapaxes(0, 1), x)
        return x, stack_states(name, states)

    def _scan_layer(
        self, k: int, x: Tensor, states: list[Any], running: np.ndarray | None, swap: bool
    ) -> Any:
        """Return the output of layer k, and put the layer's last states into `states`."""
        outputs = []
        for d, cell in enumerate(self.cells[k]):
            i = k * self.directions + d
            with scope(f"layer {k}", *(("reverse",) if d else ())):
                output, states[i] = self._scan_direction(cell, x, states[i], bool(d), running)
            outputs.append(output)
        if self.bidirectional or swap or running is not None:
            checks.require_batch_axis(type(self).__name__, outputs, x.shape[:-1])
        if not self.bidirectional:
            return outputs[0]
        return tree.map(lambda *parts: ops.concatenate(parts, axis=-1), *outputs)

    def _scan_direction(
        self, cell: Any, x: Tensor, state: Any, reverse: bool, running: np.ndarray | None
    ) -> tuple[Any, Any]:
        """Scan one layer in one direction, with dropout, zoneout and lengths."""
        name, rng = type(self).__name__, self.rng if self.training else None
        has_unroll = _has_unroll(type(cell))
        if rng and self.input_dropout:
            x = keep_name(drop_input(self.input_dropout, x, rng), x)
        if running is not None:
            x = pad_with_first_step(running, x, reverse)
        step, inputs = cell, x
        if has_unroll:
            step, inputs = self._unroll(cell, x)
        elif rng and self.state_dropout:
            p = self.state_dropout
            step, inputs = with_state_dropout(name, cell, x, state, p, rng, len(x))
        if self.zoneout:
            step, inputs = with_zoneout(name, step, inputs, state, self.zoneout, rng, len(x))
        if running is not None:
            restart = not has_unroll  # a cell with `unroll` is assumed to have finite derivatives
            step, inputs = freeze_finished(name, step, inputs, state, running, restart)
        return scan(step, inputs, state, reverse=reverse)

    def _unroll(self, cell: Any, x: Tensor) -> tuple[StepFunction, Any]:
        """Return the step function of a cell that has `unroll`, and the inputs to scan.

        The step applies state dropout in training.
        """
        mask = None
        if self.training and self.state_dropout:
            shape = (*x.shape[1:-1], self.hidden_size)
            mask = sample_mask(self.state_dropout, shape, x.dtype, self.rng)
        inputs, step = cell.unroll(x, mask)
        return step, inputs

    def describe(self) -> str:
        """Return the text between the parentheses of `repr`: the sizes and unusual settings."""
        options = [f"{self.input_size}, {self.hidden_size}"]
        options += [f"num_layers={self.num_layers}"] if self.num_layers > 1 else []
        options += [f"{name}={value}" for name in OPTIONS if (value := getattr(self, name))]
        first = self.cells[0][0]
        options += first._settings() if isinstance(first, Cell) else []
        return ", ".join(options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"


def _has_unroll(cell: type) -> bool:
    """Return True if `unroll` computes the step, False if a subclass redefines `forward`."""
    for base in cell.__mro__:
        if "unroll" in vars(base) or "forward" in vars(base):
            return "unroll" in vars(base)
    return False
