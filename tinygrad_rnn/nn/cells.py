"""One time step: the vanilla RNN, the GRU in both of its forms, and the LSTM.

A cell is called ``output, state = cell(x, state)`` and is a pure function of these and its
parameters, which have PyTorch's names and layout: the gates one below the other. σ is the logistic
function, ⊙ the elementwise product; x is (B, I), h is (B, H), W acts on x and U on h.

What a cell does to x alone does not wait for the state. `Cell.unroll` does that part for all time
steps at once and hands back the function that does the rest, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..ops import lerp, linear, relu, sigmoid, split, tanh
from ..tensor import Tensor
from . import init
from .layers import check_last_axis
from .module import Module, as_input

Step = Callable[[Any, Any], tuple[Any, Any]]


class Cell(Module):
    """Base of the cells: sizes, parameters, the zero state and the checks.

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of the state.
    bias : bool
        Without it there are no ``bias_ih`` and ``bias_hh``.
    rng : numpy.random.Generator or int, optional
        Parameters start uniform in ±1/√H, as PyTorch's.

    Attributes
    ----------
    weight_ih : Tensor of shape (gates · H, I)
    weight_hh : Tensor of shape (gates · H, H)
    bias_ih, bias_hh : Tensor of shape (gates · H,), or None

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.GRUCell(3, 2, rng=0)
    >>> isinstance(cell, tg.nn.Cell), cell.weight_ih.shape, cell.weight_hh.shape, cell.bias_hh.shape, cell.zero_state((5,)).shape
    (True, (6, 3), (6, 2), (6,), (5, 2))
    """

    gates: int = 1
    letters: str = ""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, rng: init.Rng = None
    ):
        super().__init__()
        name = type(self).__name__
        self.input_size, self.hidden_size = (
            check.count(name, "input_size", input_size),
            check.count(name, "hidden_size", hidden_size),
        )
        bias = check.flag(name, "bias", bias)
        rng, bound, rows = init.generator(rng), 1 / sqrt(hidden_size), self.gates * hidden_size
        self.weight_ih = Tensor(init.uniform((rows, input_size), bound, rng), requires_grad=True)
        self.weight_hh = Tensor(init.uniform((rows, hidden_size), bound, rng), requires_grad=True)
        self.bias_ih = (
            Tensor(init.uniform((rows,), bound, rng), requires_grad=True) if bias else None
        )
        self.bias_hh = (
            Tensor(init.uniform((rows,), bound, rng), requires_grad=True) if bias else None
        )

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, Step]:
        """The part of the work that does not wait for the state, and the step that does the rest.

        Parameters
        ----------
        x : Tensor of shape (..., I)
            One step, or all of them with time on the first axis.
        mask : array of shape (B, H), optional
            Variational dropout: a factor for h wherever it enters a product, the same at every step.

        Returns
        -------
        inputs
            What `scan` hands to `step`, time still on the first axis.
        step : callable
            ``(inputs[t], state) -> (output, state)``

        Raises
        ------
        TypeError
            If the class does not define it.

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
        raise TypeError(
            f"{type(self).__name__}: expected a method unroll, got none; define it in the class"
        )

    def zero_state(self, batch: tuple[int, ...]) -> Any:
        """The state before the first step: zeros of shape ``(*batch, H)``."""
        return Tensor(np.zeros((*batch, self.hidden_size), self.dtype), name="h")

    def check_state(self, operation: str, state: Any, shape: tuple[int, ...]) -> Any:
        """`state` as Tensors, refused if a shape or dtype differs: a state is never broadcast."""
        return checked_state(operation, "state", state, shape, self.dtype)

    def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """One step.

        Parameters
        ----------
        x : Tensor of shape (B, I) or (I,)
        state : Tensor of shape (B, H) or (H,), optional
            Zeros if missing. An LSTM's is a tuple (h, c).

        Returns
        -------
        output : Tensor of shape (B, H) or (H,)
        state : as `state`

        Raises
        ------
        ValueError
            If x has more than two axes, or a shape does not fit: a state is never broadcast.
        TypeError
            If a dtype is not that of the parameters.

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
            wanted = f"one time step, of shape (B, {self.input_size}) or ({self.input_size},)"
            fix = "use a layer, or tg.scan, for several"
            raise argument_error(name, "x", expected=wanted, got=describe(x), fix=fix)
        batch = x.shape[:-1]
        state = (
            self.zero_state(batch)
            if state is None
            else self.check_state(name, state, (*batch, self.hidden_size))
        )
        inputs, step = self.unroll(x)
        return step(inputs, state)

    def describe(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}" + (
            "" if self.bias_ih is not None else ", bias=False"
        )

    def _biases(self) -> tuple[Any, Any]:
        """b_i and b_h; of a cell without biases, zeros."""
        if self.bias_ih is not None:
            return self.bias_ih, self.bias_hh
        zeros = np.zeros(self.gates * self.hidden_size, self.dtype)
        return zeros, zeros

    def _by_gate(self, stacked: Any, letter: str) -> list[Any]:
        """`stacked` cut into the parts of the gates, each with its name in the equations: ``W_r``."""
        parts = split(stacked, self.gates)
        if isinstance(stacked, Tensor):  # the zeros of a cell without biases are a plain array
            for part, gate in zip(parts, self.letters, strict=True):
                part.name = f"{letter}_{gate}"
        return parts

    def _inputs(self, x: Any, bias: Any) -> tuple[Any, ...]:
        """x W + b, gate by gate."""
        parts = [
            linear(x, W, b)
            for W, b in zip(
                self._by_gate(self.weight_ih, "W"), self._by_gate(bias, "b"), strict=True
            )
        ]
        for part, gate in zip(parts, self.letters, strict=True):
            part.name = f"x_{gate}"
        return tuple(parts)


class RNNCell(Cell):
    """The vanilla recurrent network, one step.

    ::

        h' = tanh(x W + b_i + h U + b_h), or relu in place of tanh

    Parameters
    ----------
    input_size, hidden_size, bias, rng
        As `Cell`.
    nonlinearity : {"tanh", "relu"}

    Raises
    ------
    ValueError
        If `nonlinearity` is neither.

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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        nonlinearity: str = "tanh",
        rng: init.Rng = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            got, fix = repr(nonlinearity), "use one of these"
            raise argument_error(
                "RNNCell", "nonlinearity", expected="'tanh' or 'relu'", got=got, fix=fix
            )
        super().__init__(input_size, hidden_size, bias, rng=rng)
        self.nonlinearity = nonlinearity

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, Step]:
        """x W + b_i + b_h first; see `Cell.unroll`."""
        activation = tanh if self.nonlinearity == "tanh" else relu
        b_i, b_h = self._biases()
        U = self.weight_hh

        def step(x: Any, h: Any) -> tuple[Any, Any]:
            h = activation(linear(_masked(h, mask), U, x))
            h.name = "h"
            return h, h

        return linear(x, self.weight_ih, b_i + b_h), step


class GRUCell(Cell):
    """The gated recurrent unit, one step: it keeps the old state where z is 1.

    ::

        r  = σ(x W_r + b_ir + h U_r + b_hr)
        z  = σ(x W_z + b_iz + h U_z + b_hz)
        n  = tanh(x W_n + b_in + r ⊙ (h U_n + b_hn))      reset="after": PyTorch, cuDNN, Keras by default
        n  = tanh(x W_n + b_in + (r ⊙ h) U_n + b_hn)      reset="before": the papers' later form, ONNX by default
        h' = z ⊙ h + (1 − z) ⊙ n

    The two forms cannot be converted into each other.

    Parameters
    ----------
    input_size, hidden_size, bias, rng
        As `Cell`.
    reset : {"after", "before"}
        Whether the reset gate acts after the product with U_n or before it.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh
        The gates in the order r, z, n.

    Raises
    ------
    ValueError
        If `reset` is neither.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation" (2014), whose first
    version has the form "after", and later ones "before". Names and layout are those of `torch.nn.GRUCell`.

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
        if reset not in ("after", "before"):
            wanted = "'after' (PyTorch's form) or 'before' (ONNX's default)"
            raise argument_error(
                "GRUCell", "reset", expected=wanted, got=repr(reset), fix="use one of these"
            )
        super().__init__(input_size, hidden_size, bias, rng=rng)
        self.reset = reset

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, Step]:
        """x W + b_i + b_h of the three gates first, except b_hn where the reset gate acts on it; see `Cell.unroll`."""
        before, H = self.reset == "before", self.hidden_size
        b_i, b_h = self._biases()
        b_hn = b_h[2 * H :]
        if isinstance(b_hn, Tensor):
            b_hn.name = "b_hn"
        inputs = self._inputs(x, b_i + b_h * (before | (np.arange(3 * H) < 2 * H)))
        U_r, U_z, U_n = self._by_gate(self.weight_hh, "U")

        def step(x: Any, h: Any) -> tuple[Any, Any]:
            x_r, x_z, x_n = x
            u = _masked(h, mask)
            r = sigmoid(linear(u, U_r, x_r))
            z = sigmoid(linear(u, U_z, x_z))
            n = tanh(linear(r * u, U_n, x_n) if before else x_n + r * linear(u, U_n, b_hn))
            h = lerp(n, h, z)
            r.name, z.name, n.name, h.name = "r", "z", "n", "h"
            return h, h

        return inputs, step

    def describe(self) -> str:
        """Sizes and form."""
        return f"{super().describe()}, reset={self.reset!r}"


class LSTMCell(Cell):
    """The long short-term memory with a forget gate, one step.

    ::

        i, f, o = σ(x W + b_i + h U + b_h), each with its own W, U, b_i and b_h
        g  = tanh(x W_g + b_ig + h U_g + b_hg)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    The state is the tuple (h, c), the output is h'.

    Parameters
    ----------
    input_size, hidden_size, bias, rng
        As `Cell`.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh
        The gates in the order i, f, g, o.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory" (1997); the forget gate is that of Gers, Schmidhuber and Cummins, "Learning to
    forget" (2000). Names and layout are those of `torch.nn.LSTMCell`.

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

    def zero_state(self, batch: tuple[int, ...]) -> Any:
        """Zeros for h and for c."""
        h = super().zero_state(batch)
        return h, Tensor(np.zeros_like(h.data), name="c")

    def check_state(self, operation: str, state: Any, shape: tuple[int, ...]) -> Any:
        """`state` as the tuple (h, c)."""
        if not isinstance(state, tuple | list) or len(state) != 2:
            raise argument_error(
                operation,
                "state",
                expected="a tuple (h, c)",
                got=describe(state),
                fix="an LSTM carries both",
                kind=TypeError,
            )
        return tuple(
            checked_state(operation, f"state[{i}]", s, shape, self.dtype)
            for i, s in enumerate(state)
        )

    def unroll(self, x: Any, mask: Any = None) -> tuple[Any, Step]:
        """x W + b_i + b_h of the four gates first; see `Cell.unroll`."""
        b_i, b_h = self._biases()
        inputs = self._inputs(x, b_i + b_h)
        U_i, U_f, U_g, U_o = self._by_gate(self.weight_hh, "U")

        def step(x: Any, state: Any) -> tuple[Any, Any]:
            x_i, x_f, x_g, x_o = x
            h, c = state
            u = _masked(h, mask)
            i = sigmoid(linear(u, U_i, x_i))
            f = sigmoid(linear(u, U_f, x_f))
            g = tanh(linear(u, U_g, x_g))
            o = sigmoid(linear(u, U_o, x_o))
            c = f * c + i * g
            h = o * tanh(c)
            i.name, f.name, g.name, o.name, c.name, h.name = "i", "f", "g", "o", "c", "h"
            return h, (h, c)

        return inputs, step


def _masked(h: Any, mask: Any) -> Any:
    return h if mask is None else h * mask


def checked_state(
    operation: str, argument: str, state: Any, shape: tuple[int, ...], dtype: np.dtype
) -> Tensor:
    """One Tensor of a state, refused if its shape or dtype differs."""
    state = as_input(operation, state, dtype, argument)
    if state.shape != shape:
        fix = "make it for this batch; a state is not broadcast"
        raise argument_error(
            operation, argument, expected=f"shape {shape}", got=describe(state), fix=fix
        )
    return state
