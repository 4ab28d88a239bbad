"""Loading of weights by name, with a report of the names, shapes and dtypes that do not fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import check
from ..errors import argument_error, describe, format_count
from ..graph import Value
from ..nn import Module
from ..nn.html_table import html_table
from ..serialize.paths import shorten
from ..serialize.safetensors_file import read_safetensors
from .layout import copy_arrays

PATHS = str | bytes | os.PathLike
Rename = Callable[[str], str | None] | Mapping[str, str | None]


@dataclass(frozen=True, repr=False)
class Report:
    """The result of comparing a module's parameters with named arrays.

    Attributes
    ----------
    module : str
        The class name of the module.
    fitting : tuple of str
        The parameters that have an array of the same shape and dtype. With ``cast=True``, the
        dtype is compared after the cast.
    missing : tuple of str
        The parameters without an array, each with its dtype and shape.
    unexpected : tuple of str
        The arrays without a parameter, each with its dtype and shape.
    misfits : tuple of str
        The parameters whose array does not fit, each with the expected and the actual dtype and
        shape.

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
        """True if every parameter has a fitting array and every array belongs to a parameter."""
        return not (self.missing or self.unexpected or self.misfits)

    def _title(self) -> str:
        """Return how many parameters fit."""
        total = len(self.fitting) + len(self.missing) + len(self.misfits)
        return f"{self.module}: {len(self.fitting)} of {format_count(total, 'parameter')} fit"

    def _faults(self) -> dict[str, tuple[str, ...]]:
        """Return what does not fit, by kind."""
        kinds = {"missing": self.missing, "unexpected": self.unexpected}
        kinds["of another shape or dtype"] = self.misfits
        return {title: entries for title, entries in kinds.items() if entries}

    def __repr__(self) -> str:
        lines = [self._title()]
        for title, entries in self._faults().items():
            lines += [f"{title}:", *(f"  {entry}" for entry in entries)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [["fits", name] for name in self.fitting]
        rows += [[title, entry] for title, entries in self._faults().items() for entry in entries]
        return html_table(["", "parameter"], rows, title=self._title())


def compare(
    module: Module, source: Any, *, rename: Rename | None = None, cast: bool = False
) -> Report:
    """Return the report that `load_into` would return, and change nothing.

    Parameters
    ----------
    module, source, rename, cast
        See `load_into`.

    Returns
    -------
    Report

    Raises
    ------
    ValueError, FileNotFoundError, TypeError
        If `source` cannot be read, or `rename` gives two arrays the same name. Arrays that do not
        fit raise no error.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> weight, bias = tg.nn.Linear(3, 2, rng=0).state_dict().values()
    >>> print(tg.interop.compare(tg.nn.Linear(3, 4), {"weight": weight, "scale": bias}))
    Linear: 0 of 2 parameters fit
    missing:
      bias float32 (4,)
    unexpected:
      scale float32 (2,)
    of another shape or dtype:
      weight: expected float32 (4, 3), got float32 (2, 3)
    """
    return _match("compare", module, source, rename, cast)[0]


def load_into(
    module: Module,
    source: Any,
    *,
    strict: bool = True,
    rename: Rename | None = None,
    cast: bool = False,
) -> Report:
    """Load weights into a module by name, and return a report.

    All names, shapes and dtypes are compared before the module changes. If one parameter of the
    module has two names, the source needs only one of these names, because many files store shared
    weights only once.

    Parameters
    ----------
    module : Module
    source : path-like, or mapping of str to array
        The path of a ``.safetensors`` file (Hugging Face's format for weights), or arrays by name.
        Arrays of dtype bfloat16 in a file are converted exactly to float32, because NumPy has no
        bfloat16.
    strict : bool
        If True, raise ValueError when anything does not fit. If False, load the arrays that fit;
        the report lists the rest.
    rename : callable or mapping, optional
        Maps a name in `source` to the parameter's name, or to None to leave the array out. Names
        that a mapping does not contain stay unchanged.
    cast : bool
        If True, convert between floating dtypes, for example from float16 to float32. An array does
        not fit if the conversion makes one of its numbers infinite. If False, an array of another
        dtype does not fit.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If something does not fit and `strict` is True (the message contains the report), if
        `rename` gives two arrays the same name, or if the file is damaged. In each case, the module
        stays unchanged.
    FileNotFoundError
        If `source` is the path of a file that does not exist.
    TypeError
        If `source` is neither a path nor a mapping of names to arrays, `module` is not a Module, or
        `rename` is neither a function nor a mapping.

    Notes
    -----
    The file format is described at huggingface.co/docs/safetensors.

    Examples
    --------
    >>> import os, tempfile
    >>> import tinygrad_rnn as tg
    >>> weights = tg.nn.GRU(3, 2, rng=0).state_dict()
    >>> def rename(name):
    ...     return name.removeprefix("rnn.")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     tg.save({f"rnn.{name}": array for name, array in weights.items()}, path)
    ...     print(tg.interop.load_into(tg.nn.GRU(3, 2), path, rename=rename))
    GRU: 4 of 4 parameters fit
    """
    report, arrays, fixes = _match("load_into", module, source, rename, cast)
    expected = "a fitting array for each parameter, and no other arrays"
    fix = ", ".join([*fixes, "or pass strict=False to load only what fits"])
    fits = report.complete or not strict
    origin = f"{shorten(os.fsdecode(source))}: " if isinstance(source, PATHS) else ""
    check.require(fits, "load_into", "source", expected, f"{origin}\n{report}\n", fix)
    try:
        module.load_state_dict(module.state_dict() | arrays)
    except ValueError as error:
        expected, got = "equal arrays for one shared parameter", f"{origin}({error})"
        fix = "pass rename= to leave one of the arrays out"
        raise argument_error("load_into", "source", expected, got, fix) from error
    return report


def _match(
    operation: str, module: Module, source: Any, rename: Rename | None, cast: bool
) -> tuple[Report, dict[str, np.ndarray], list[str]]:
    """Return the report, a dict of the arrays that fit, by parameter name, and what to do.

    A shared parameter has an array under each of its names.
    """
    check.instance(operation, "module", module, Module, "a Module", "build the model first")
    parameters = dict(module._named())
    arrays = _rename_arrays(operation, _read_arrays(operation, source), rename)
    names: dict[Value, list[str]] = {}
    for name, parameter in parameters.items():
        names.setdefault(parameter, []).append(name)
    fitting: dict[str, np.ndarray] = {}
    missing, misfits, fixes = [], [], []
    for parameter, shared in names.items():
        present = [name for name in shared if name in arrays]
        if not present:
            missing.append(f"{shared[0]} {describe(parameter)}")
        for name in present:
            array, misfit, fix = _fit(arrays[name], parameter.array, cast)
            if misfit:
                misfits.append(f"{name}: expected {describe(parameter)}, got {misfit}")
                fixes.append(fix)
                continue
            absent = [other for other in shared if other not in present]
            fitting |= dict.fromkeys((name, *absent), array)
    fits = tuple(name for name in fitting if name in arrays)
    unexpected = [f"{name} {describe(a)}" for name, a in arrays.items() if name not in parameters]
    if missing or unexpected:
        fixes.insert(0, "pass rename= to change names" if rename is None else "change rename=")
    kind = type(module).__name__
    report = Report(kind, fits, tuple(missing), tuple(unexpected), tuple(misfits))
    return report, fitting, [*dict.fromkeys(fixes)]


def _fit(array: np.ndarray, parameter: np.ndarray, cast: bool) -> tuple[np.ndarray, str, str]:
    """Return the array, and if it does not fit, a text that describes it and what to do.

    If `cast` is true, a floating array is converted to the parameter's dtype. The texts are empty
    if the array fits.
    """
    dtype = parameter.dtype
    if array.shape != parameter.shape:
        return array, describe(array), "build the module with the sizes of the arrays"
    if array.dtype == dtype:
        return array, "", ""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
    if dtype.kind == "f" and np.isinf(converted).sum() > np.isinf(array).sum():
        wide = np.result_type(array, dtype)
        fix = f"convert the module first with .astype({str(wide)!r})"
        return array, f"{describe(array)} with numbers beyond {np.finfo(dtype).max}", fix
    if not array.dtype.kind == dtype.kind == "f":
        return array, describe(array), f"convert the array with .astype({str(dtype)!r})"
    return (converted, "", "") if cast else (array, describe(array), "pass cast=True")


def _read_arrays(operation: str, source: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a file or a mapping, as a dict by name."""
    if isinstance(source, PATHS):
        both = read_safetensors(source, operation=operation, argument="source", with_bfloat16=True)
        return both[0]
    return copy_arrays(operation, "source", source, "pass a path, or a state dict")


def _rename_arrays(
    operation: str, arrays: dict[str, np.ndarray], rename: Rename | None
) -> dict[str, np.ndarray]:
    """Return the arrays under their new names; raise ValueError if two new names are equal."""
    if rename is None:
        return arrays
    expected, fix = "a function or a mapping of names", "pass {old_name: new_name}, for example"
    check.instance(operation, "rename", rename, Callable | Mapping, expected, fix)
    get = (lambda name: rename.get(name, name)) if isinstance(rename, Mapping) else rename
    expected = "a different name for each array, or None"
    fix = "map each name to a different string, or to None to leave the array out"
    renamed: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        new = get(name)
        if new is None:
            continue
        got = f"{new!r} for {name!r}" + (" and for another array" if new in renamed else "")
        is_unused = isinstance(new, str) and new not in renamed
        check.require(is_unused, operation, "rename", expected, got, fix)
        renamed[new] = array
    return renamed
