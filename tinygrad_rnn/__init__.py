"""A small autograd framework on NumPy for recurrent networks.

A `Tensor` holds a NumPy array and records how it was computed, so that it can be differentiated.
Recurrent networks are composed of ops on Tensors, so backpropagation through time follows from the
recorded graph. You can draw the graph, print it as equations, and step through its backward pass.
"""

from __future__ import annotations

from .app import interrupt  # noqa: F401  # first: it handles Ctrl-C during the other imports

# isort: split
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import nn, ops, optim, text
from .analysis.debug import debug
from .blocks import no_grad, scope
from .dtypes import get_default_dtype, set_default_dtype
from .gradcheck import GradcheckError, gradcheck
from .ops import *  # noqa: F403
from .ops.definition import op
from .ops.missing_names import missing
from .ops.names_elsewhere import PACKAGE
from .scan import detach, scan
from .serialize import load, save
from .tensor import Tensor
from .transforms import grad, hvp, jacobian, jvp, vjp

if TYPE_CHECKING:
    from . import interop, parallel
    from .analysis import gradient_flow as bptt
    from .analysis.backward_steps import backward_steps
    from .analysis.summary import summary
    from .compile import compile
    from .draw import graph
else:
    from . import compile  # the package, which can be called like its function `compile`

__version__ = "0.1.0"

__all__ = [
    "GradcheckError", "Tensor", "backward_steps", "bptt", "compile", "debug", "detach",
    "get_default_dtype", "grad", "gradcheck", "graph", "hvp", "interop", "jacobian", "jvp", "load",
    "nn", "no_grad", "op", "optim", "parallel", "save", "scan", "scope", "set_default_dtype",
    "summary", "text", "vjp",
]  # fmt: skip
__all__ += ops.__all__

# The imports have bound two names to modules. Remove them, because `tg.graph` is the function that
# draws, and `tg.tensor`, as one would write in PyTorch, raises an error that names `tg.Tensor`.
globals().pop("graph", None)
globals().pop("tensor", None)

LAZY = {
    "backward_steps": ".analysis.backward_steps",
    "bptt": ".analysis.gradient_flow",
    "graph": ".draw",
    "interop": ".interop",
    "parallel": ".parallel",
    "summary": ".analysis.summary",
}
"""The module of each name that is imported on its first use, so that importing tg stays quick."""

if not TYPE_CHECKING:  # hidden from type checkers, so that they report names that do not exist

    def __getattr__(name: str) -> Any:
        """Import the module of a name in `LAZY`."""
        if name not in LAZY:
            raise missing(f"module {__name__!r}", name, PACKAGE, sys.modules[__name__])
        home = import_module(LAZY[name], __name__)
        globals()[name] = found = getattr(home, name, home)
        return found


def __dir__() -> list[str]:
    return __all__
