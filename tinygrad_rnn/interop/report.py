"""Weights that others wrote, loaded by name: first a report of what fits and what does not, and only then a change."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import argument_error, describe, format_count
from ..graph import Value
from ..nn import Module
from .layout import as_arrays

DTYPES = {"BOOL": "?", "BF16": "<u2"} | {
    f"{kind}{8 * n}": f"<{kind.lower()}{n}" for kind in "IU" for n in (1, 2, 4, 8)
}
DTYPES |= {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
"""The dtypes of a file's entries, as their bytes are read."""

Rename = Callable[[str], str | None] | Mapping[str, str | None]


@dataclass(frozen=True)
class Report:
    """What weights and a module have in common.

    Attributes
    ----------
    module : str
        The kind of the module.
    fitting : tuple of str
        The parameters for which there is an array of their shape and dtype.
    missing : tuple of str
        The parameters for which there is none, each with its dtype and shape.
    unexpected : tuple of str
        The arrays for which there is no parameter, each with its dtype and shape.
    misfits : tuple of str
        The parameters whose array has another shape or dtype, with what was expected and what came.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> report = tg.interop.compare(tg.nn.Linear(3, 2), {"weight": tg.nn.init.zeros((2, 3))})
    >>> report.complete, report.fitting, report.missing
    (False, ('weight',), ('bias float32 (2,)',))
    """

    module: str
    fitting: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misfits: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every parameter has its array, and every array its parameter."""
        return not (self.missing or self.unexpected or self.misfits)

    def __str__(self) -> str:
        lines = [f"{self.module}: {len(self.fitting)} of {self._parameters()} fit"]
        for title, entries in (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape or dtype", self.misfits),
        ):
            lines += [f"{title}:", *(f"  {entry}" for entry in entries)] if entries else []
        return "\n".join(lines)

    def _parameters(self) -> str:
        return format_count(len(self.fitting) + len(self.missing) + len(self.misfits), "parameter")


def compare(
    module: Module, source: Any, *, rename: Rename | None = None, cast: bool = False
) -> Report:
    """What `load_into` would find, as a `Report`; nothing changes.

    Parameters
    ----------
    module, source, rename, cast
        As `load_into`.

    Returns
    -------
    Report

    Raises
    ------
    ValueError, FileNotFoundError, TypeError
        If `source` cannot be read, or two names become the same. What does not fit is no error here.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> weights = tg.nn.Linear(3, 2, rng=0).state_dict()
    >>> print(tg.interop.compare(tg.nn.Linear(3, 4), {"weight": weights["weight"], "scale": weights["bias"]}))
    Linear: 0 of 2 parameters fit
    missing:
      bias float32 (4,)
    unexpected:
      scale float32 (2,)
    of another shape or dtype:
      weight: expected float32 (4, 3), got float32 (2, 3)
    """
    return _compared("compare", module, source, rename, cast)[0]


def load_into(
    module: Module,
    source: Any,
    *,
    strict: bool = True,
    rename: Rename | None = None,
    cast: bool = False,
) -> Report:
    """Load weights into a module by name: a ``.safetensors`` file as PyTorch or Hugging Face write them, or arrays by name.

    Everything is compared before anything changes. Of a parameter that the module has under two names, one is enough: such
    files keep shared weights once.

    Parameters
    ----------
    module : Module
    source : path-like, or mapping of str to array
        Entries of dtype bfloat16 in a file, which NumPy has not, are read as float32, exactly.
    strict : bool
        Refuse anything that does not fit. If False, what fits is loaded, and the report says what was left.
    rename : callable or mapping, optional
        From a name in `source` to the parameter's name; None leaves the entry out. Names that a mapping does not have stay.
    cast : bool
        Convert between floating dtypes, float16 to float32 for example. Otherwise another dtype is a misfit, and so is an array
        with a number that would become infinite.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If `strict` and something does not fit: the message is the report. If two names become the same. Nothing has changed then.
    FileNotFoundError, TypeError
        If `source` is no file, or no arrays by name.

    Notes
    -----
    The format: huggingface.co/docs/safetensors.

    Examples
    --------
    >>> import os, tempfile
    >>> import tinygrad_rnn as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     tg.save({f"rnn.{name}": array for name, array in tg.nn.GRU(3, 2, rng=0).state_dict().items()}, path)
    ...     print(tg.interop.load_into(tg.nn.GRU(3, 2), path, rename=lambda name: name.removeprefix("rnn.")))
    GRU: 4 of 4 parameters fit
    """
    report, arrays = _compared("load_into", module, source, rename, cast)
    if strict and not report.complete:
        wanted, fix = (
            "an array for each parameter and no others",
            "rename, cast, or strict=False to load what fits",
        )
        raise argument_error("load_into", "source", expected=wanted, got=f"\n{report}\n", fix=fix)
    module.load_state_dict(module.state_dict() | arrays)
    return report


def _compared(
    operation: str, module: Module, source: Any, rename: Rename | None, cast: bool
) -> tuple[Report, dict[str, np.ndarray]]:
    """The report, and the fitting arrays by the parameters' names, of shared ones under each of their names."""
    if not isinstance(module, Module):
        raise argument_error(
            operation,
            "module",
            expected="a Module",
            got=describe(module),
            fix="build the model first",
            kind=TypeError,
        )
    own = dict(module._named())
    given = _renamed(operation, _arrays(operation, source), rename)
    names: dict[Value, list[str]] = {}
    for name, parameter in own.items():
        names.setdefault(parameter, []).append(name)
    fitting: dict[str, np.ndarray] = {}
    missing, misfits = [], []
    for parameter, shared in names.items():
        there = [name for name in shared if name in given]
        if not there:
            missing.append(f"{shared[0]} {describe(parameter)}")
        for name in there:
            array = given[name]
            if cast and array.dtype.kind == parameter.array.dtype.kind == "f":
                with np.errstate(over="ignore"):
                    array = array.astype(parameter.array.dtype)
                if np.isinf(array).sum() > np.isinf(given[name]).sum():
                    got = f"{describe(given[name])} with numbers beyond {np.finfo(array.dtype).max}"
                    misfits.append(f"{name}: expected {describe(parameter)}, got {got}")
                    continue
            if (array.shape, array.dtype) != (parameter.array.shape, parameter.array.dtype):
                misfits.append(f"{name}: expected {describe(parameter)}, got {describe(array)}")
            else:
                fitting |= {other: array for other in shared if other == name or other not in there}
    unexpected = [f"{name} {describe(array)}" for name, array in given.items() if name not in own]
    fits = tuple(name for name in fitting if name in given)
    return Report(
        type(module).__name__, fits, tuple(missing), tuple(unexpected), tuple(misfits)
    ), fitting


def _arrays(operation: str, source: Any) -> dict[str, np.ndarray]:
    """Arrays by name, from a file or as they are."""
    if not isinstance(source, str | os.PathLike):
        return as_arrays(operation, "source", source, "pass a path, or a state dict")
    from safetensors import SafetensorError, deserialize

    path = Path(source)
    if not path.is_file():
        got, fix = f"'{path}', which is none", "check the path"
        raise argument_error(
            operation, "source", expected="a file", got=got, fix=fix, kind=FileNotFoundError
        )
    try:
        entries = deserialize(path.read_bytes())
    except SafetensorError as error:
        got, fix = f"'{path}' ({error})", "it may be damaged or of another format"
        raise argument_error(
            operation, "source", expected="a whole safetensors file", got=got, fix=fix
        ) from error
    return {name: _entry(operation, name, entry) for name, entry in entries}


def _entry(operation: str, name: str, entry: Mapping[str, Any]) -> np.ndarray:
    """One array of a file. Which dtypes NumPy knows depends on what else is imported; here they are always the same."""
    if entry["dtype"] not in DTYPES:
        wanted, fix = (
            f"a dtype among {', '.join(DTYPES)}",
            "convert it before it is saved, or leave it out",
        )
        raise argument_error(
            operation, f"source[{name!r}]", expected=wanted, got=entry["dtype"], fix=fix
        )
    array = np.frombuffer(entry["data"], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":  # the first half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _renamed(
    operation: str, arrays: dict[str, np.ndarray], rename: Rename | None
) -> dict[str, np.ndarray]:
    """The arrays under their new names, refused if two get the same."""
    if rename is None:
        return arrays
    if not isinstance(rename, Mapping) and not callable(rename):
        fix = 'use lambda name: name.removeprefix("model."), say'
        raise argument_error(
            operation,
            "rename",
            expected="a function or a mapping of names",
            got=describe(rename),
            fix=fix,
            kind=TypeError,
        )
    renamed: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        new = rename.get(name, name) if isinstance(rename, Mapping) else rename(name)
        if new is None:
            continue
        if not isinstance(new, str) or new in renamed:
            got = f"{new!r} for {name!r}" + (" and for another" if new in renamed else "")
            raise argument_error(
                operation,
                "rename",
                expected="a name of its own for each",
                got=got,
                fix="None leaves one out",
            )
        renamed[new] = array
    return renamed
