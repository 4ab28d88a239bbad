"""The autograd mini-framework for recurrent networks.

A `Tensor` on NumPy records how it was computed and differentiates itself. Recurrent networks are
composed of its ops, so backpropagation through time comes out of the recorded graph. The graph can
be drawn, read as equations, and watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .app import interrupt  # noqa: F401  # first: it handles Ctrl-C during the rest

# isort: split
from . import nn, ops, optim, text
from .analysis.debug import debug
from .compile import compile
from .dtypes import get_default_dtype, set_default_dtype
from .gradcheck import GradcheckError, gradcheck
from .graph import no_grad, scope
from .op import op
from .ops import *  # noqa: F403
from .scan import detach, scan
from .serialize import load, save
from .tensor import Tensor
from .transforms import grad, hvp, jacobian, jvp, vjp

if TYPE_CHECKING:
    from . import interop, parallel
    from .analysis import gradient_flow as bptt
    from .analysis.backward_steps import backward_steps
    from .draw import graph

__version__ = "0.1.0"

__all__ = [
    "GradcheckError", "Tensor", "backward_steps", "bptt", "compile", "debug", "detach",
    "get_default_dtype", "grad", "gradcheck", "graph", "hvp", "interop", "jacobian", "jvp", "load",
    "nn", "no_grad", "op", "optim", "parallel", "save", "scan", "scope", "set_default_dtype",
    "text", "vjp",
]  # fmt: skip
__all__ += ops.__all__

del graph  # the module; `tg.graph` is the function that draws, loaded when it is used


def __getattr__(name: str) -> Any:
    """Load what draws, watches and converts on first use, so that the import stays quick."""
    from importlib import import_module

    homes = {
        "graph": ".draw",
        "backward_steps": ".analysis.backward_steps",
        "bptt": ".analysis.gradient_flow",
        "interop": ".interop",
        "parallel": ".parallel",
        "compile": ".compile",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(homes[name], __name__)
    globals()[name] = found = getattr(home, name, home)
    return found
