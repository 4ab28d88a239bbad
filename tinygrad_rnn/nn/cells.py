"""Recurrent cells, which compute one time step: vanilla RNN, both forms of the GRU, and LSTM.

A cell is called as ``output, state = cell(x, state)``. It is a pure function of x, the state and
its parameters. The parameters have PyTorch's names and layout: each parameter stacks the rows of
all gates.

In the equations, x has shape (B, I) and h has shape (B, H), for batch size B, input size I and
hidden size H. W is the transpose of `weight_ih`, and U is the transpose of `weight_hh`. b_i is
`bias_ih`, and b_h is `bias_hh`. The letter of a gate, such as r in W_r, selects that gate's part.
A prime marks the new state. σ is the logistic function, and ⊙ is the elementwise product.

Part of a step depends on x alone. `Cell.unroll` computes that part for all time steps at once. It
also returns a function that computes the rest, one step at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any, Generic

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..ops import lerp, linear, relu, sigmoid, split, tanh
from ..scan import State, StepFunction
from ..tensor import Tensor
from . import init
from .layers import check_last_axis
from .module import Module, as_input


class Cell(Module, Generic[State]):
    """Base class of the cells, with their sizes, parameters, zero state and checks.

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of the state.
    bias : bool
        If False, ``bias_ih`` and ``bias_hh`` are None.
    rng : numpy.random.Generator or int, optional
        The source of the initial parameters, which are uniform in ±1/√H as in PyTorch.

    Attributes
    ----------
    gates : int
        The number of gates: 1 in an RNNCell, 3 in a GRUCell, 4 in an LSTMCell.
    weight_ih : Tensor of shape (gates · H, I)
    weight_hh : Tensor of shape (gates · H, H)
    bias_ih, bias_hh : Tensor of shape (gates · H,), or None

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.GRUCell(3, 2, rng=0)
    >>> isinstance(cell, tg.nn.Cell), cell.zero_state((5,)).shape
    (True, (5, 2))
    >>> cell.weight_ih.shape, cell.weight_hh.shape, cell.bias_hh.shape
    ((6, 3), (6, 2), (6,))
    """

    gates: int = 1
    letters: str = ""
    """The letters of the gates, in the order in which the parameters stack them."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, rng: init.Rng = None
    ):
        super().__init__()
        name = type(self).__name__
        self.input_size = check.count(name, "input_size", input_size)
        self.hidden_size = check.count(name, "hidden_size", hidden_size)
        bias = check.flag(name, "bias", bias)
        rng, bound, rows = init.generator(rng), 1 / sqrt(hidden_size), self.gates * hidden_size

        def parameter(*shape: int) -> Tensor:
            return Tensor(init.uniform(shape, bound, rng), requires_grad=True)

        self.weight_ih = parameter(rows, input_size)
        self.weight_hh = parameter(rows, hidden_size)
        self.bias_ih = parameter(rows) if bias else None
        self.bias_hh = parameter(rows) if bias else None

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, StepFunction]:
        """Compute what does not depend on the state; return the result and the remaining step.

        Parameters
        ----------
        x : Tensor of shape (..., I)
            One step, or all steps with time on the first axis.
        mask : array of shape (B, H), optional
            The mask of variational dropout. It multiplies h before each matrix product, and is the
            same at every step.

        Returns
        -------
        inputs
            The inputs of `step`. If x holds all steps, time is the first axis, as `scan` expects.
        step : callable
            ``(inputs[t], state) -> (output, state)``

        Raises
        ------
        TypeError
            If the class does not define this method.

        Examples
        --------
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> cell = tg.nn.GRUCell(3, 2, rng=0)
        >>> inputs, step = cell.unroll(tg.Tensor(np.ones((7, 5, 3), dtype="float32")))
        >>> [part.shape for part in inputs]
        [(7, 5, 2), (7, 5, 2), (7, 5, 2)]
        >>> outputs, h = tg.scan(step, inputs, cell.zero_state((5,)))
        >>> outputs.shape
        (7, 5, 2)
        """
        name = type(self).__name__
        fix = f"define unroll(self, x, mask=None) in {name}"
        raise TypeError(f"{name}: expected a method unroll, got none; {fix}")

    def zero_state(self, batch: tuple[int, ...]) -> Any:
        """Return the default initial state: zeros of shape ``(*batch, H)``."""
        return Tensor(np.zeros((*batch, self.hidden_size), self.dtype), name="h")

    def check_state(self, operation: str, state: Any, shape: tuple[int, ...]) -> Any:
        """Return `state` as a Tensor; raise an error unless it has this shape and the cell's dtype.

        A state is never broadcast.
        """
        return as_state(operation, "state", state, shape, self.dtype)

    def forward(self, x: Any, state: State | None = None) -> tuple[Tensor, State]:
        """Compute one step.

        Parameters
        ----------
        x : Tensor of shape (B, I) or (I,)
        state : Tensor of shape (B, H) or (H,), optional
            The default is zeros. For an LSTM, the state is a tuple (h, c).

        Returns
        -------
        output : Tensor of shape (B, H) or (H,)
        state : Tensor or tuple, of the same shapes as the argument `state`

        Raises
        ------
        ValueError
            If x has more than two axes, or a shape does not fit. A state is never broadcast.
        TypeError
            If a dtype differs from that of the parameters.

        Examples
        --------
        >>> import tinygrad_rnn as tg
        >>> output, (h, c) = tg.nn.LSTMCell(3, 2, rng=0)(tg.Tensor([0.0, 1.0, 2.0]))
        >>> output.shape, h.shape, c.shape
        ((2,), (2,), (2,))
        """
        name = type(self).__name__
        x = as_input(name, x, self.dtype)
        check_last_axis(name, x, self.input_size, "input_size")
        if x.ndim > 2:
            expected = f"one time step, of shape (B, {self.input_size}) or ({self.input_size},)"
            fix = "use a layer or tg.scan for several time steps"
            raise argument_error(name, "x", expected, describe(x), fix)
        batch = x.shape[:-1]
        if state is None:
            state = self.zero_state(batch)
        else:
            state = self.check_state(name, state, (*batch, self.hidden_size))
        inputs, step = self.unroll(x)
        return step(inputs, state)

    def describe(self) -> str:
        """Return the text that `repr` shows in parentheses: the sizes and unusual settings."""
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *self._settings()])

    def _settings(self) -> list[str]:
        """Return the settings that change the computation, if they differ from the default."""
        return ["bias=False"] * (self.bias_ih is None)

    def _biases(self) -> tuple[Any, Any]:
        """Return b_i and b_h: the biases, or zeros for a cell without biases."""
        if self.bias_ih is not None:
            return self.bias_ih, self.bias_hh
        zeros = np.zeros(self.gates * self.hidden_size, self.dtype)
        return zeros, zeros

    def _split_gates(self, stacked: Any, prefix: str) -> list[Any]:
        """Return the rows of each gate, named as in the equations: ``W_r``, ``W_z``, ``W_n``."""
        return name_gates(split(stacked, self.gates), prefix, self.letters)


class RNNCell(Cell[Tensor]):
    """One step of the vanilla recurrent network.

    ::

        h' = tanh(x W + b_i + h U + b_h), or relu in place of tanh

    Parameters
    ----------
    input_size, hidden_size, bias, rng
        As in `Cell`.
    nonlinearity : {"tanh", "relu"}
        The activation function.

    Raises
    ------
    ValueError
        If `nonlinearity` is neither "tanh" nor "relu".

    References
    ----------
    Elman, "Finding structure in time" (1990). Names and layout are those of `torch.nn.RNNCell`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.RNNCell(3, 2, rng=0)
    >>> output, h = cell(np.ones((5, 3), dtype="float32"))
    >>> h.shape
    (5, 2)
    """

    letters = "h"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        nonlinearity: str = "tanh",
        rng: init.Rng = None,
    ):
        check.one_of("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias, rng=rng)
        self.nonlinearity = nonlinearity

    def _settings(self) -> list[str]:
        is_usual = self.nonlinearity == "tanh"
        return super()._settings() + [f"nonlinearity={self.nonlinearity!r}"] * (not is_usual)

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, StepFunction]:
        """Return x W + b_i + b_h, and the remaining step; see `Cell.unroll`."""
        activation = tanh if self.nonlinearity == "tanh" else relu
        W, U = self.weight_ih, self.weight_hh
        b_i, b_h = self._biases()

        def step(x: Any, h: Any) -> tuple[Any, Any]:
            u = _apply_mask(h, mask)
            h = activation(linear(u, U, x))  # x + u @ U.T as one node
            h.name = "h"
            return h, h

        return linear(x, W, b_i + b_h), step


class GRUCell(Cell[Tensor]):
    """One step of the gated recurrent unit (GRU). It keeps the old state where z is 1.

    ::

        r  = σ(x W_r + b_ir + h U_r + b_hr)
        z  = σ(x W_z + b_iz + h U_z + b_hz)
        n  = tanh(x W_n + b_in + r ⊙ (h U_n + b_hn))      reset="after"
        n  = tanh(x W_n + b_in + (r ⊙ h) U_n + b_hn)      reset="before"
        h' = z ⊙ h + (1 − z) ⊙ n

    r is the reset gate, z is the update gate, and n is the candidate for the new state. `reset`
    selects one of the two forms of n. PyTorch and cuDNN use "after", which is also the default of
    Keras. Later versions of the paper by Cho et al. have "before", which is the default of ONNX.
    Weights cannot be converted from one form to the other.

    Parameters
    ----------
    input_size, hidden_size, bias, rng
        As in `Cell`.
    reset : {"after", "before"}
        If "after", r multiplies the product with U_n. If "before", r multiplies h before that
        product.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh
        The gates are stacked in the order r, z, n.

    Raises
    ------
    ValueError
        If `reset` is neither "after" nor "before".

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation" (2014): its first version has the form "after", later versions have "before".
    Names and layout are those of `torch.nn.GRUCell`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.GRUCell(3, 2, rng=0)
    >>> output, h = cell(np.ones((5, 3), dtype="float32"))
    >>> h.shape
    (5, 2)
    """

    gates, letters = 3, "rzn"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reset: str = "after",
        rng: init.Rng = None,
    ):
        check.one_of("GRUCell", "reset", reset, ("after", "before"))
        super().__init__(input_size, hidden_size, bias, rng=rng)
        self.reset = reset

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, StepFunction]:
        """Return x W + b for each gate, and also the remaining step; see `Cell.unroll`.

        b is b_i + b_h. For n with reset="after", b is b_in alone, because r multiplies b_hn.
        """
        before, H = self.reset == "before", self.hidden_size
        b_i, b_h = self._biases()
        W_r, W_z, W_n = self._split_gates(self.weight_ih, "W_")
        U_r, U_z, U_n = self._split_gates(self.weight_hh, "U_")
        b_r, b_z, b_n = self._split_gates(b_i + b_h, "b_")
        b_in, b_hn = name_gates([b_i[2 * H :], b_h[2 * H :]], "b_", ("in", "hn"))
        x_r = linear(x, W_r, b_r)
        x_z = linear(x, W_z, b_z)
        x_n = linear(x, W_n, b_n if before else b_in)
        x_r.name, x_z.name, x_n.name = "x_r", "x_z", "x_n"

        def step(x: Any, h: Any) -> tuple[Any, Any]:
            x_r, x_z, x_n = x
            u = _apply_mask(h, mask)
            # linear(u, U_r, x_r) is x_r + u @ U_r.T as one node, which is faster than two.
            r = sigmoid(linear(u, U_r, x_r))
            z = sigmoid(linear(u, U_z, x_z))
            n = tanh(linear(r * u, U_n, x_n) if before else x_n + r * linear(u, U_n, b_hn))
            h = lerp(n, h, z)
            r.name, z.name, n.name, h.name = "r", "z", "n", "h"
            return h, h

        return (x_r, x_z, x_n), step

    def _settings(self) -> list[str]:
        return super()._settings() + [f"reset={self.reset!r}"] * (self.reset != "after")


class LSTMCell(Cell[tuple[Tensor, Tensor]]):
    """One step of the long short-term memory (LSTM) with a forget gate.

    ::

        i  = σ(x W_i + b_ii + h U_i + b_hi)
        f  = σ(x W_f + b_if + h U_f + b_hf)
        g  = tanh(x W_g + b_ig + h U_g + b_hg)
        o  = σ(x W_o + b_io + h U_o + b_ho)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    i is the input gate, f is the forget gate, o is the output gate, and g is the candidate for the
    cell state c. The state is the tuple (h, c). The output is h'.

    Parameters
    ----------
    input_size, hidden_size, bias, rng
        As in `Cell`.
    forget_bias : float, optional
        The initial sum b_if + b_hf, for example 1; see `init.gate_bias_`. By default both are drawn
        like all other parameters.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh
        The gates are stacked in the order i, f, g, o.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory" (1997). The forget gate is from Gers,
    Schmidhuber and Cummins, "Learning to forget" (2000). Names and layout are those of
    `torch.nn.LSTMCell`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.LSTMCell(3, 2, rng=0)
    >>> output, (h, c) = cell(np.ones((5, 3), dtype="float32"), cell.zero_state((5,)))
    >>> h.shape, c.shape
    ((5, 2), (5, 2))
    """

    gates, letters = 4, "ifgo"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: float | None = None,
        rng: init.Rng = None,
    ):
        super().__init__(input_size, hidden_size, bias, rng=rng)
        if forget_bias is not None:
            init.gate_bias_(self, f=forget_bias)

    def zero_state(self, batch: tuple[int, ...]) -> Any:
        """Return (h, c), both zeros of shape ``(*batch, H)``."""
        h = super().zero_state(batch)
        return h, Tensor(np.zeros_like(h.data), name="c")

    def check_state(self, operation: str, state: Any, shape: tuple[int, ...]) -> Any:
        """Return `state` as a tuple (h, c) of Tensors; raise an error if either does not fit."""
        if not isinstance(state, tuple | list) or len(state) != 2:
            got, fix = describe(state), "pass (h, c), both states of the LSTM"
            raise argument_error(operation, "state", "a tuple (h, c)", got, fix, TypeError)
        h, c = state
        return (
            as_state(operation, "state[0]", h, shape, self.dtype),
            as_state(operation, "state[1]", c, shape, self.dtype),
        )

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, StepFunction]:
        """Return x W + b_i + b_h for each gate, and also the remaining step; see `Cell.unroll`."""
        b_i, b_h = self._biases()
        weights = self._split_gates(self.weight_ih, "W_")
        biases = self._split_gates(b_i + b_h, "b_")
        U_i, U_f, U_g, U_o = self._split_gates(self.weight_hh, "U_")
        inputs = [linear(x, W, b) for W, b in zip(weights, biases, strict=True)]

        def step(x: Any, state: Any) -> tuple[Any, Any]:
            x_i, x_f, x_g, x_o = x
            h, c = state
            u = _apply_mask(h, mask)
            # linear(u, U_i, x_i) is x_i + u @ U_i.T as one node, which is faster than two.
            i = sigmoid(linear(u, U_i, x_i))
            f = sigmoid(linear(u, U_f, x_f))
            g = tanh(linear(u, U_g, x_g))
            o = sigmoid(linear(u, U_o, x_o))
            c = f * c + i * g
            h = o * tanh(c)
            i.name, f.name, g.name, o.name, c.name, h.name = "i", "f", "g", "o", "c", "h"
            return h, (h, c)

        return tuple(name_gates(inputs, "x_", self.letters)), step


def name_gates(parts: list[Any], prefix: str, letters: Iterable[str]) -> list[Any]:
    """Give each Tensor the name of its gate, ``x_r`` for example; return the list."""
    for part, letter in zip(parts, letters, strict=True):
        if isinstance(part, Tensor):  # a cell without biases has plain zeros
            part.name = prefix + letter
    return parts


def as_state(
    operation: str, argument: str, state: Any, shape: tuple[int, ...], dtype: np.dtype
) -> Tensor:
    """Return one part of a state as a Tensor; raise an error if its shape or dtype differs."""
    state = as_input(operation, state, dtype, argument)
    fix = "pass a state of this shape, because states are not broadcast"
    return check.shape(operation, argument, state, shape, fix)


def _apply_mask(h: Any, mask: Any) -> Any:
    """Return h ⊙ mask, or h if there is no mask.

    `drop_input` uses `where` instead of a product, but here `where` makes a step of an RNN about
    20 % slower. The product is NaN if an entry of h is infinite and its mask is 0. Only an RNN with
    relu can have an infinite h.
    """
    return h if mask is None else h * mask
