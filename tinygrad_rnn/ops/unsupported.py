"""NumPy's functions that raise TypeError for a Tensor, with replacements and reasons.

If a function is in neither table, define an op of your own for it with `tinygrad_rnn.op`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import argument_error

instead = {
    "apply_along_axis": (
        "tg.stack([f(row) for row in x]) if axis is 1, "
        "or tg.stack([f(column) for column in x.T]).T if axis is 0"
    ),
    "arctan2.reduce": "np.take(np.arctan2.accumulate(x, axis=0), -1, axis=0)",
    "arctan2.reduceat": "np.arctan2.accumulate(x[i:j])[-1] for the slice from i to j",
    "array": "tg.stack([a, b])",
    "bitwise_and": "np.logical_and(x, y), or x.data & y.data if they hold bits",
    "bitwise_or": "np.logical_or(x, y), or x.data | y.data if they hold bits",
    "bitwise_xor": "np.logical_xor(x, y), or x.data ^ y.data if they hold bits",
    "copysign": "tg.where(np.signbit(x) == np.signbit(y), x, -x)",
    "copyto": "tg.where(mask, x, a)",
    "cov": (
        "np.squeeze((c := np.atleast_2d(x) - np.mean(x, -1, keepdims=True)) @ c.T"
        " / (c.shape[1] - 1)) if rowvar is True, and x.T in place of x if it is False"
    ),
    "fft.hfft": "x @ np.fft.hfft(np.eye(x.shape[-1], dtype=x.dtype)) if axis is -1",
    "fft.irfft": "x @ np.fft.irfft(np.eye(x.shape[-1], dtype=x.dtype)) if axis is -1",
    "fill_diagonal": "tg.where(np.eye(len(x), dtype=bool), y, x)",
    "frexp": (
        "x / 2.0 ** (np.frexp(x.data)[1] - 1).astype(x.dtype) / 2 for the first of its results"
    ),
    "heaviside": "tg.where(x == 0, y, (x > 0).astype(x.dtype))",
    "invert": "np.logical_not(x), or ~x.data if it holds bits",
    "ldexp": "x * np.exp2(y, dtype=x.dtype)",
    "left_shift": "x * 2**y",
    "linalg.lstsq": "np.linalg.pinv(x) @ y for the first of its results",
    "matvec": "tg.matmul(x, y[..., None])[..., 0]",
    "nanmedian": (
        "tg.median(x[~np.isnan(x.data)]), or "
        "tg.stack([tg.median(row[~np.isnan(row.data)]) for row in x]) if axis is 1"
    ),
    "nanpercentile": (
        "tg.percentile(x[~np.isnan(x.data)], q), or "
        "tg.stack([tg.percentile(row[~np.isnan(row.data)], q) for row in x]) if axis is 1"
    ),
    "nanquantile": (
        "tg.quantile(x[~np.isnan(x.data)], q), or "
        "tg.stack([tg.quantile(row[~np.isnan(row.data)], q) for row in x]) if axis is 1"
    ),
    "place": "tg.where(mask, y, x)",
    "power.reduce": "np.take(np.power.accumulate(x, axis=0), -1, axis=0)",
    "power.reduceat": "np.power.accumulate(x[i:j])[-1] for the slice from i to j",
    "put": "tg.where(mask, y, x)",
    "putmask": "tg.where(mask, y, x)",
    "right_shift": "x // 2**y",
    "unique": "tg.ravel(x)[np.unique(x.data, return_index=True)[1]]",
    "unwrap": "x + (np.unwrap(x.data) - x.data)",
    "vecmat": "tg.matmul(x[..., None, :], y)[..., 0, :]",
}
"""The expression to write in place of a function of Tensors ``x`` and ``y``, by NumPy's name."""

UNKNOWN = "tinygrad_rnn has no derivative of this function"
COMPLEX = "the result is complex, and Tensors are real"
FOR_COMPLEX = "the argument is a spectrum, which is complex in general, and Tensors are real"
IN_PLACE = "it writes into an array, and the entries of a Tensor cannot be assigned"
FILE = "a file has no gradient"
WRONG = "NumPy's own result is wrong for more than two entries"

reasons = {
    **dict.fromkeys(["fft", "emath", "linalg.eig", "linalg.eigvals", "roots"], COMPLEX),
    **dict.fromkeys(["fft.irfft", "fft.irfft2", "fft.irfftn", "fft.hfft"], FOR_COMPLEX),
    **dict.fromkeys(["copyto", "fill_diagonal", "place", "put", "putmask"], IN_PLACE),
    **dict.fromkeys(["put_along_axis", "at"], IN_PLACE),
    **dict.fromkeys(["save", "savetxt", "savez", "savez_compressed"], FILE),
    **dict.fromkeys(["power.reduce", "power.reduceat"], WRONG),
    **dict.fromkeys(["arctan2.reduce", "arctan2.reduceat"], WRONG),
}
"""The reason for the error, by the name of a function, a module, or a method of ufuncs."""


def explain(name: str) -> str:
    """Return the reason why a NumPy function has no derivative here."""
    module, _, method = name.rpartition(".")
    for known in (name, module, method):
        if known in reasons:
            return reasons[known]
    return UNKNOWN


def suggestion(name: str, settings: Mapping[str, Any]) -> str:
    """Return the expression to write in place of a call with the arguments `settings`."""
    text = instead[name]
    if name.endswith(".reduce"):
        return text.replace("axis=0", f"axis={settings.get('axis', 0)}")
    if name in ("unwrap", "fft.irfft", "fft.hfft"):
        more = "".join(f", {k}={v!r}" for k, v in settings.items() if k != "axis" or v != -1)
        text = text.replace("(x.data)", f"(x.data{more})").replace("dtype)", f"dtype){more}")
    return text


def no_derivative_error(name: str, settings: Mapping[str, Any]) -> Exception:
    """Return a TypeError for a function without a derivative; the message says what to write.

    `settings` are the optional arguments of the call.
    """
    reason, plain = explain(name), "x.detach().numpy() if no gradient is needed"
    own_op = "an op that you define with tg.op; or " if reason == UNKNOWN else ""
    if reason == FILE:
        plain = "x.detach().numpy(), or tg.save for a dict of Tensors"
    fix = f"use {f'{suggestion(name, settings)}; or ' if name in instead else own_op}{plain}"
    expected = f"plain arrays, because {reason}"
    return argument_error(f"np.{name}", "x", expected, "a Tensor", fix, TypeError)
