"""The words and signs in which `rules` writes the functions of derivative rules."""

from __future__ import annotations

import ast

from .brackets import ATOM, POSTFIX, PRODUCT

EVERYWHERE = ", copied to every entry"
"""The end of a rule whose result is stretched to the shape of the input."""

SAME = {"widen", "merge_leading_axes", "replace_minus_inf", "list"}
"""Functions that return their first argument, in another dtype or shape."""

TRANSPOSED = {"mT", "T"}

COMPARISONS: dict[type, str] = {
    ast.Eq: "=", ast.NotEq: "≠", ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.In: "in",
}  # fmt: skip

CONSTANTS = {"LN2": "ln(2)", "LN10": "ln(10)"}

FUNCTIONS = {
    "where": "{1} where {0}, else {2}",
    "keep_where": "{1} where {0}, else 0",
    "SparseGrad": "{1} at [{2}], else 0",
    "scatter_rows": "{0} at [{1}], else 0",
    "share_among_equal": "{0} where {2} = {1}, shared among equal entries, else 0",
    "transpose": "{0}ᵀ",
    "sqrt": "√({0})",
    "sigmoid": "σ({0})",
    "abs": "|{0}|",
    "softmax_rule": "{1} · ({0} − Σ({0} · {1}))",
    "product_rule": "{0} · {1}",
    "multiply_others": "the product of the other entries of {0}",
    "split": "its part of {0}",
    "moveaxis": "its part of {0}",
    "einsum_cotangents": "einsum of {0} and the other inputs",
}
"""Functions of rules that are written with signs or words, by name. Numbers are for arguments."""

LEVELS = {"transpose": POSTFIX, "sqrt": ATOM, "sigmoid": ATOM, "abs": ATOM, "product_rule": PRODUCT}
"""The levels of these texts; those of all others are `WORD`."""

WRITTEN = {
    "g * (y * (log(where((a == 0) & (b >= 0), 1, a)) - ((a == 0) & (b > 0))))": "g · y · log(a)",
    "[g[index] for index in indices]": "its part of g",
    "list(moveaxis(g, axis, 0) if axis else g)": "its part of g",
    "where(False, g, 0)": "0",
    "flip(cumsum(flip(g, axis), axis), axis).reshape(a.shape)": "cumsum of g from the end",
    "scatter( [g], [index_of_source(a, repeats, axis)], "
    "a.shape if axis is not None and a.ndim else (a.size,), ).reshape(a.shape)": (
        "the sum of g over the copies"
    ),
    "g[..., 1, None, None] * swapaxes(inv(a), -1, -2)": "g · inv(a)ᵀ",
    'eigh_cotangent(g, y) if uplo in "lL" else eigh_cotangent(g, y).mT': "eigh_cotangent(g, y)",
}
"""Rules that are written by hand, by their source. Some have terms for special numbers only."""
