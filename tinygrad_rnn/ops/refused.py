"""NumPy's functions that raise TypeError for a Tensor, with replacements and reasons.

If a function is in neither table, define an op of your own for it with `tinygrad_rnn.op`.
"""

from __future__ import annotations

from ..errors import argument_error

instead = {
    "apply_along_axis": "tg.stack([f(row) for row in x])",
    "arctan2.reduce": "np.arctan2.accumulate(x)[-1]",
    "array": "tg.stack([a, b])",
    "bitwise_and": "np.logical_and(x, y)",
    "bitwise_or": "np.logical_or(x, y)",
    "bitwise_xor": "np.logical_xor(x, y)",
    "copysign": "tg.abs(x) * np.copysign(1, y)",
    "copyto": "tg.where(mask, x, a)",
    "cov": "(x - x.mean(1, True)) @ (x - x.mean(1, True)).T / (x.shape[1] - 1)",
    "fill_diagonal": "tg.where(np.eye(len(x), dtype=bool), y, x)",
    "frexp": "x * 2.0 ** -np.frexp(x.data)[1] for the first of its results",
    "heaviside": "tg.where(x == 0, y, x > 0)",
    "invert": "np.logical_not(x)",
    "ldexp": "x * 2.0**y",
    "left_shift": "x * 2**y",
    "linalg.lstsq": "np.linalg.pinv(x) @ y for the first of its results",
    "matvec": "tg.matmul(x, y[..., None])[..., 0]",
    "nanmedian": "tg.median(x[~np.isnan(x.data)])",
    "nanpercentile": "tg.percentile(x[~np.isnan(x.data)], q)",
    "nanquantile": "tg.quantile(x[~np.isnan(x.data)], q)",
    "place": "tg.where(mask, y, x)",
    "power.reduce": "np.power.accumulate(x)[-1]",
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
IN_PLACE = "it writes into an array, and the entries of a Tensor cannot be assigned"
WRONG = "NumPy's own result is wrong for more than two entries"

reasons = {
    **dict.fromkeys(["fft", "emath", "linalg.eig", "linalg.eigvals", "roots"], COMPLEX),
    **dict.fromkeys(["copyto", "fill_diagonal", "place", "put", "putmask"], IN_PLACE),
    **dict.fromkeys(["put_along_axis", "at"], IN_PLACE),
    **dict.fromkeys(["power.reduce", "arctan2.reduce"], WRONG),
}
"""The reason for the error, by the name of a function, a module, or a method of ufuncs."""


def explain(name: str) -> str:
    """Return the reason why a NumPy function has no derivative here."""
    module, _, method = name.rpartition(".")
    for known in (name, module, method):
        if known in reasons:
            return reasons[known]
    return UNKNOWN


def no_derivative_error(name: str) -> Exception:
    """Return a TypeError for a function without a derivative; the message says what to write."""
    reason, plain = explain(name), "x.detach().numpy() if no gradient is needed"
    own_op = "an op that you define with tg.op; or " if reason == UNKNOWN else ""
    fix = f"use {f'{instead[name]}; or ' if name in instead else own_op}{plain}"
    expected = f"plain arrays, because {reason}"
    return argument_error(f"np.{name}", "x", expected, "a Tensor", fix, TypeError)
