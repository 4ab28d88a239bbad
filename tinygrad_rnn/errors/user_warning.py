"""Warnings that point at the user's line, and not at a line of this library."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1]), contextlib.__file__
"""The folder of this library, and the file that runs its decorated functions.

A frame whose file begins with neither belongs to the user.
"""


def warn_user(message: object) -> None:
    """Warn with this message, at the innermost line outside of this library.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("dropout does nothing here")
    >>> str(caught[0].message), caught[0].category.__name__
    ('dropout does nothing here', 'UserWarning')
    """
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(str(message), stacklevel=level)
