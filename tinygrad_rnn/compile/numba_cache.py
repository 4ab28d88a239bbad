"""Compiled functions, kept by their text: in this process, and on disk for the next one."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

DECORATED = """@njit(fastmath={"contract"}, error_model="numpy", nogil=True)"""
"""The decorator of compiled functions.

A product and a sum may be fused, with one rounding instead of two; nothing else may be reordered.
"""

HEAD = "import numpy as np\nfrom numba import njit\nfrom numpy import float32 as f32\n"

_modules: dict[str, dict[str, Any]] = {}


def compiled(text: str) -> dict[str, Any]:
    """Return the functions that a text defines. Equal texts give the same functions.

    Parameters
    ----------
    text : str
        Functions with the decorator `DECORATED`.
    """
    if text not in _modules:
        try:
            _modules[text] = vars(_from_disk(text))
        except (OSError, ImportError, RuntimeError):  # no place to write: compiled in every process
            space: dict[str, Any] = {}
            exec(compile(f"{HEAD}\n\n{text}", "<compiled by Numba>", "exec"), space)
            _modules[text] = space
    return _modules[text]


def folder() -> Path:
    """Return where compiled functions are kept."""
    given = os.environ.get("TINYGRAD_RNN_CACHE") or os.environ.get("XDG_CACHE_HOME")
    home = Path(given) if given else Path.home() / ".cache"
    return home / "tinygrad_rnn" / "numba"


def _from_disk(text: str) -> ModuleType:
    """Import the text as a module whose functions Numba keeps in files beside it."""
    import numba

    kept = DECORATED.replace("@njit(", "@njit(cache=True, ")
    whole = f"{HEAD}\n\n{text.replace(DECORATED, kept)}"
    versions = (sys.version, numba.__version__, np.__version__)
    digest = hashlib.sha256(f"{versions}{whole}".encode()).hexdigest()[:24]
    path = folder() / f"loops_{digest}.py"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
            file.write(whole)
        Path(file.name).replace(path)
    if path.read_text() != whole:
        raise OSError(f"{path} holds another text")
    name = f"tinygrad_rnn_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)  # Numba looks it up there
    spec.loader.exec_module(module)
    return module
