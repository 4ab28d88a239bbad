"""Errors for an argument whose name a call does not have: they say which name to write."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from . import argument_error

ELSEWHERE = {
    "axes": "axis", "dim": "axis axes", "dims": "axis axes", "keep_dims": "keepdims",
    "unbiased": "ddof", "input": "a x logits", "x": "a input", "other": "b x2",
    "tensors": "arrays tup", "size": "shape", "newshape": "shape", "y_true": "target",
    "labels": "target", "y_pred": "logits input", "ignore_class": "ignore_index", "hx": "state",
    "h0": "state", "initial_state": "state", "units": "hidden_size out_features",
    "in_dim": "in_features", "input_dim": "num_embeddings input_size in_features",
    "vocab_size": "num_embeddings", "use_bias": "bias", "activation": "nonlinearity",
    "output_dim": "embedding_dim out_features", "rate": "p", "epsilon": "eps", "seed": "rng",
    "key": "rng", "generator": "rng", "reset_after": "reset", "learning_rate": "lr",
    "parameters": "params", "beta_1": "betas", "beta_2": "betas", "b1": "betas", "b2": "betas",
    "rho": "alpha", "decay_rate": "gamma", "decay_steps": "step_size T_max",
}  # fmt: skip
"""For a name that PyTorch, Keras or JAX has: the names that it may have here."""


OF_NUMPY = {"dtype": "sum prod mean var std cumsum", "initial": "sum prod max min",
            "where": "sum prod mean var std max min any all", "mean": "var std",
            "correction": "var std", "order": "reshape"}  # fmt: skip
"""The functions with an argument that only NumPy's function of that name takes, by argument."""


def name_error(operation: str, unknown: str, names: Sequence[str]) -> Exception:
    """Return the TypeError for a named argument that is not among `names`."""
    likely = [name for name in ELSEWHERE.get(unknown, "").split() if name in names]
    likely += get_close_matches(unknown, names, 1, 0.8)
    fix = f"write {likely[0]}=" if likely else "leave it out"
    fix += ", and use .astype(dtype)" if fix == "leave it out" and unknown == "dtype" else ""
    if operation in OF_NUMPY.get(unknown, "").split():
        fix = f"use np.{operation}(..., {unknown}=...)"
    expected = f"one of the arguments {', '.join(names)}" if names else "no named argument"
    return argument_error(operation, unknown, expected, f"{unknown}=", fix, TypeError)
