"""Networks: modules, layers, recurrent cells and layers, losses and initialisers.

Names and parameter layouts follow PyTorch.
"""

from typing import TYPE_CHECKING

from ..ops.missing_names import module_names
from ..ops.names_elsewhere import NN
from . import functional, init
from .activations import record
from .cells import Cell, GRUCell, LSTMCell, RNNCell
from .clip import clip_grad_norm_, clip_grad_value_
from .layers import Dropout, Embedding, LayerNorm, Linear, ModuleList, Sequential
from .module import Module
from .recurrent import Recurrent
from .rnn_gru_lstm import GRU, LSTM, RNN

__all__ = [
    "GRU", "LSTM", "RNN", "Cell", "Dropout", "Embedding", "GRUCell", "LSTMCell", "LayerNorm",
    "Linear", "Module", "ModuleList", "RNNCell", "Recurrent", "Sequential", "clip_grad_norm_",
    "clip_grad_value_", "functional", "init", "record",
]  # fmt: skip


if not TYPE_CHECKING:  # so that a type checker reports names that the module does not have
    __dir__, __getattr__ = module_names(__name__, NN)
