"""The recurrent layers RNN, GRU and LSTM: `Recurrent` with a cell of this library."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import init
from .cells import GRUCell, LSTMCell, RNNCell
from .recurrent import Recurrent
from .recurrent_checks import require_further_settings


class RNN(Recurrent[Tensor]):
    """The vanilla recurrent network, which runs `RNNCell` over sequences.

    ::

        h_t = tanh(x_t W + b_i + h_{t−1} U + b_h), or relu in place of tanh;   output_t = h_t

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of the state. The output is the state.
    num_layers : int
        The number of stacked layers. Each layer reads the output of the previous layer.
    nonlinearity : {"tanh", "relu"}
        The activation function.
    bias : bool
        If False, the cells have no biases.
    batch_first : bool
        If True, x and output have the shape (B, T, ·) instead of (T, B, ·), for B sequences of T
        steps. The shape of states stays the same.
    dropout : float in [0, 1)
        The probability of dropout between layers, in training.
    bidirectional : bool
        If True, also run backwards over each sequence with separate cells, and concatenate the
        outputs of the two directions.
    rng : numpy.random.Generator or int, optional
        The source of random numbers for the initial parameters (uniform in ±1/√H, as in PyTorch),
        dropout and zoneout.
    **more
        ``input_dropout``, ``state_dropout`` and ``zoneout`` as in `Recurrent`.

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
        options = {"batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        more = require_further_settings(RNN, more)

        def make_cell(size: int, rng: Any) -> RNNCell:
            return RNNCell(size, hidden_size, bias, nonlinearity=nonlinearity, rng=rng)

        super().__init__(make_cell, input_size, num_layers, rng=rng, **options, **more)


class GRU(Recurrent[Tensor]):
    """The gated recurrent unit (GRU), which runs `GRUCell` over sequences.

    ::

        r_t = σ(x_t W_r + b_ir + h_{t−1} U_r + b_hr)
        z_t = σ(x_t W_z + b_iz + h_{t−1} U_z + b_hz)
        n_t = tanh(x_t W_n + b_in + r_t ⊙ (h_{t−1} U_n + b_hn))     reset="after"
        n_t = tanh(x_t W_n + b_in + (r_t ⊙ h_{t−1}) U_n + b_hn)     reset="before"
        h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ n_t;   output_t = h_t

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of the state. The output is the state.
    num_layers : int
        The number of stacked layers. Each layer reads the output of the previous layer.
    reset : {"after", "before"}
        The form of the candidate n (see the equations). PyTorch uses "after". See `GRUCell`.
    bias : bool
        If False, the cells have no biases.
    batch_first : bool
        If True, x and output have the shape (B, T, ·) instead of (T, B, ·), for B sequences of T
        steps. The shape of states stays the same.
    dropout : float in [0, 1)
        The probability of dropout between layers, in training.
    bidirectional : bool
        If True, also run backwards over each sequence with separate cells, and concatenate the
        outputs of the two directions.
    rng : numpy.random.Generator or int, optional
        The source of random numbers for the initial parameters (uniform in ±1/√H, as in PyTorch),
        dropout and zoneout.
    **more
        ``input_dropout``, ``state_dropout`` and ``zoneout`` as in `Recurrent`.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation" (2014). Names and layout are those of `torch.nn.GRU`.

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
        options = {"batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        more = require_further_settings(GRU, more)

        def make_cell(size: int, rng: Any) -> GRUCell:
            return GRUCell(size, hidden_size, bias, reset=reset, rng=rng)

        super().__init__(make_cell, input_size, num_layers, rng=rng, **options, **more)
        self.reset = reset


class LSTM(Recurrent[tuple[Tensor, Tensor]]):
    """The long short-term memory (LSTM), which runs `LSTMCell` over sequences.

    The state is the tuple (h, c).

    ::

        i_t = σ(x_t W_i + b_ii + h_{t−1} U_i + b_hi)
        f_t = σ(x_t W_f + b_if + h_{t−1} U_f + b_hf)
        g_t = tanh(x_t W_g + b_ig + h_{t−1} U_g + b_hg)
        o_t = σ(x_t W_o + b_io + h_{t−1} U_o + b_ho)
        c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t);   output_t = h_t

    Parameters
    ----------
    input_size : int
        I, the size of x.
    hidden_size : int
        H, the size of h and c. The output is h.
    num_layers : int
        The number of stacked layers. Each layer reads the output of the previous layer.
    bias : bool
        If False, the cells have no biases.
    forget_bias : float, optional
        The initial sum b_if + b_hf in each cell, for example 1: the LSTM then remembers for longer
        at first (Jozefowicz et al., 2015). By default both are drawn like all other parameters.
    batch_first : bool
        If True, x and output have the shape (B, T, ·) instead of (T, B, ·), for B sequences of T
        steps. The shape of states stays the same.
    dropout : float in [0, 1)
        The probability of dropout between layers, in training.
    bidirectional : bool
        If True, also run backwards over each sequence with separate cells, and concatenate the
        outputs of the two directions.
    rng : numpy.random.Generator or int, optional
        The source of random numbers for the initial parameters (uniform in ±1/√H, as in PyTorch),
        dropout and zoneout.
    **more
        ``input_dropout``, ``state_dropout`` and ``zoneout`` as in `Recurrent`.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory" (1997). Gers, Schmidhuber and Cummins,
    "Learning to forget" (2000). `forget_bias`: Jozefowicz, Zaremba and Sutskever, "An empirical
    exploration of recurrent network architectures" (2015). Names and layout are those of
    `torch.nn.LSTM`.

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
        forget_bias: float | None = None,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: init.Rng = None,
        **more: Any,
    ):
        options = {"batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        more = require_further_settings(LSTM, more)

        def make_cell(size: int, rng: Any) -> LSTMCell:
            return LSTMCell(size, hidden_size, bias, forget_bias=forget_bias, rng=rng)

        super().__init__(make_cell, input_size, num_layers, rng=rng, **options, **more)
