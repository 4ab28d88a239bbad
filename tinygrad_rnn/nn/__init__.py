"""Networks: modules, layers, recurrent cells and layers, losses and initialisers.

Names and parameter layouts follow PyTorch.
"""

import sys
from typing import TYPE_CHECKING, Any

from ..ops.missing_names import missing
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


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # hidden from type checkers, so that they report names that do not exist

    def __getattr__(name: str) -> Any:
        raise missing(f"module {__name__!r}", name, NN, sys.modules[__name__])
