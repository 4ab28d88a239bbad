"""The three recurrent layers that everybody knows: `Recurrent` with the cell of their name."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import init
from .cells import GRUCell, LSTMCell, RNNCell
from .recurrent import Recurrent


class RNN(Recurrent):
    """The vanilla recurrent network: `RNNCell` through time.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H and the number of layers.
    nonlinearity : {"tanh", "relu"}
    bias, batch_first, dropout, bidirectional, rng
        As `Recurrent`; and so are input_dropout, state_dropout and zoneout.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, state = tg.nn.RNN(3, 2, rng=0)(np.ones((7, 5, 3), dtype="float32"))
    >>> output.shape, state.shape
    ((7, 5, 2), (1, 5, 2))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
        **more: Any,
    ):
        def cell(size: int, rng: np.random.Generator) -> RNNCell:
            return RNNCell(size, hidden_size, bias, nonlinearity=nonlinearity, rng=rng)

        super().__init__(
            cell, input_size, num_layers, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional, rng=rng, **more
        )


class GRU(Recurrent):
    """The gated recurrent unit through time; see `GRUCell` for the equations and the two forms.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H and the number of layers.
    reset : {"after", "before"}
        Which form of the candidate; "after" is PyTorch's.
    bias, batch_first, dropout, bidirectional, rng
        As `Recurrent`; and so are input_dropout, state_dropout and zoneout.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, rng=0)
    >>> output, state = gru(np.ones((7, 5, 3), dtype="float32"))
    >>> output.shape, state.shape
    ((7, 5, 2), (1, 5, 2))
    >>> [name for name, _ in gru.named_parameters()]
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset: str = "after",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
        **more: Any,
    ):
        def cell(size: int, rng: np.random.Generator) -> GRUCell:
            return GRUCell(size, hidden_size, bias, reset=reset, rng=rng)

        super().__init__(
            cell, input_size, num_layers, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional, rng=rng, **more
        )
        self.reset = reset


class LSTM(Recurrent):
    """The long short-term memory through time; see `LSTMCell` for the equations. The state is a tuple (h, c).

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        I, H and the number of layers.
    bias, batch_first, dropout, bidirectional, rng
        As `Recurrent`; and so are input_dropout, state_dropout and zoneout.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> output, (h, c) = tg.nn.LSTM(3, 2, rng=0)(np.ones((7, 5, 3), dtype="float32"))
    >>> output.shape, h.shape, c.shape
    ((7, 5, 2), (1, 5, 2), (1, 5, 2))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
        **more: Any,
    ):
        def cell(size: int, rng: np.random.Generator) -> LSTMCell:
            return LSTMCell(size, hidden_size, bias, rng=rng)

        super().__init__(
            cell, input_size, num_layers, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional, rng=rng, **more
        )
