"""The three recurrent layers that everybody knows: `Recurrent` with the cell of their name."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import init
from .cells import GRUCell, LSTMCell, RNNCell
from .recurrent import Recurrent


class RNN(Recurrent):
    """The vanilla recurrent network: `RNNCell` through time.

    ::

        h_t = tanh(x_t W + b_i + h_{t−1} U + b_h), or relu in place of tanh;   output_t = h_t

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of the state, which is the output.
    num_layers : int
        The second reads the output of the first, and so on.
    nonlinearity : {"tanh", "relu"}
        What the sum goes through.
    bias : bool
        Without it there are no ``bias_ih`` and ``bias_hh``.
    batch_first : bool
        Whether x and output are (B, T, ·) instead of (T, B, ·). States are not affected.
    dropout : float in [0, 1)
        In training, between layers.
    bidirectional : bool
        Walk backwards too, with cells of its own, and put the two outputs side by side.
    rng : numpy.random.Generator or int, optional
        Parameters start uniform in ±1/√H, as PyTorch's.
    **more
        ``input_dropout``, ``state_dropout`` and ``zoneout``, as `Recurrent`.

    References
    ----------
    Elman, "Finding structure in time" (1990). Names and layout are those of `torch.nn.RNN`.

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
            cell,
            input_size,
            num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            rng=rng,
            **more,
        )


class GRU(Recurrent):
    """The gated recurrent unit: `GRUCell` through time.

    ::

        r_t = σ(x_t W_r + b_ir + h_{t−1} U_r + b_hr)
        z_t = σ(x_t W_z + b_iz + h_{t−1} U_z + b_hz)
        n_t = tanh(x_t W_n + b_in + r_t ⊙ (h_{t−1} U_n + b_hn));   reset="before": (r_t ⊙ h_{t−1}) U_n + b_hn
        h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ n_t;   output_t = h_t

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of the state, which is the output.
    num_layers : int
        The second reads the output of the first, and so on.
    reset : {"after", "before"}
        Which form of the candidate; "after" is PyTorch's. See `GRUCell`.
    bias : bool
        Without it there are no ``bias_ih`` and ``bias_hh``.
    batch_first : bool
        Whether x and output are (B, T, ·) instead of (T, B, ·). States are not affected.
    dropout : float in [0, 1)
        In training, between layers.
    bidirectional : bool
        Walk backwards too, with cells of its own, and put the two outputs side by side.
    rng : numpy.random.Generator or int, optional
        Parameters start uniform in ±1/√H, as PyTorch's.
    **more
        ``input_dropout``, ``state_dropout`` and ``zoneout``, as `Recurrent`.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation" (2014). Names and layout
    are those of `torch.nn.GRU`.

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
            cell,
            input_size,
            num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            rng=rng,
            **more,
        )
        self.reset = reset


class LSTM(Recurrent):
    """The long short-term memory: `LSTMCell` through time. The state is a tuple (h, c).

    ::

        i_t, f_t, o_t = σ(x_t W + b_i + h_{t−1} U + b_h), each with its own W, U, b_i and b_h
        g_t = tanh(x_t W_g + b_ig + h_{t−1} U_g + b_hg)
        c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t);   output_t = h_t

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of h, which is the output, and of c.
    num_layers : int
        The second reads the output of the first, and so on.
    bias : bool
        Without it there are no ``bias_ih`` and ``bias_hh``.
    batch_first : bool
        Whether x and output are (B, T, ·) instead of (T, B, ·). States are not affected.
    dropout : float in [0, 1)
        In training, between layers.
    bidirectional : bool
        Walk backwards too, with cells of its own, and put the two outputs side by side.
    rng : numpy.random.Generator or int, optional
        Parameters start uniform in ±1/√H, as PyTorch's.
    **more
        ``input_dropout``, ``state_dropout`` and ``zoneout``, as `Recurrent`.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory" (1997); Gers, Schmidhuber and Cummins, "Learning to forget" (2000). Names and
    layout are those of `torch.nn.LSTM`.

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
            cell,
            input_size,
            num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            rng=rng,
            **more,
        )
