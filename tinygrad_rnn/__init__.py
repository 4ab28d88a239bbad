"""The autograd mini-framework for recurrent networks.

A `Tensor` that differentiates itself, on NumPy; recurrent networks composed of its ops, so that
backpropagation through time comes out of the graph; and that graph, to look at.
"""

from . import bptt, nn, ops, optim, text
from .draw import graph
from .dtypes import get_default_dtype, set_default_dtype
from .gradcheck import GradcheckError, gradcheck
from .graph import no_grad, scope
from .op import op
from .ops import *  # noqa: F403
from .playback import backward_steps
from .scan import detach, scan
from .serialize import load, save
from .tensor import Tensor
from .transforms import grad, hvp, jacobian, jvp, vjp

__version__ = "0.1.0"

__all__ = [
    "GradcheckError", "Tensor", "backward_steps", "bptt", "detach", "get_default_dtype", "grad", "gradcheck", "graph", "hvp",
    "jacobian", "jvp", "load", "nn", "no_grad", "op", "optim", "save", "scan", "scope", "set_default_dtype", "text", "vjp",
]  # fmt: skip
__all__ += ops.__all__
