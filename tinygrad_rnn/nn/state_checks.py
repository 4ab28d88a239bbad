"""Checks of `Module.load_state_dict`: names, shapes, dtypes and shared parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import argument_error, describe
from ..tensor import Tensor


def require_same_names(
    operation: str, parameters: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]
) -> None:
    """Raise ValueError if the arrays differ from the parameters in names, shapes or dtypes."""
    faults = [f"missing {name} {p.shape}" for name, p in parameters.items() if name not in arrays]
    faults += [f"unexpected {name}" for name in arrays if name not in parameters]
    for name, p in parameters.items():
        array = arrays.get(name)
        if array is not None and (array.shape != p.shape or array.dtype != p.dtype):
            faults.append(f"{name} expected {p.dtype} {p.shape}, got {describe(array)}")
    if faults:
        expected, got = "one array for each parameter of the module", "; ".join(faults)
        fix = "build the module with the sizes of the arrays, or use module.astype(dtype)"
        raise argument_error(operation, "state", expected, got, fix)


def require_tied_equal(
    operation: str, parameters: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]
) -> None:
    """Raise ValueError if a shared parameter would get different arrays under its names."""
    for name, parameter in parameters.items():
        names = [other for other in parameters if parameters[other] is parameter]
        if not all(np.array_equal(arrays[name], arrays[n], equal_nan=True) for n in names):
            expected = f"equal arrays for {' and '.join(names)}, which are one shared parameter"
            fix = "pass equal arrays, or do not share the parameter in the module"
            raise argument_error(operation, name, expected, "different arrays", fix)
