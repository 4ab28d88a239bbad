"""Printing to stdout, with or without colour. Text from files is shown literally."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from ..analysis.labels import escape_unprintable
from .transliterate import transliterate_columns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def add_plain_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--plain`` to the parser of a subcommand that uses colour."""
    parser.add_argument("--plain", action="store_true", help="print without colour and animation")


def make_console(plain: bool, file: Any = None) -> Console:
    """Return a console for stdout, or for `file`, which stands for stdout.

    It has no colour or animation if `plain` is true, or if stdout is not a terminal.
    """
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    if not plain and is_terminal:
        return Console(file=file, highlight=False, emoji=False)
    return Console(
        file=file,
        color_system=None,
        force_terminal=False,
        force_interactive=False,
        highlight=False,
        width=None if is_terminal else 100,
        emoji=False,
    )


def print_line(console: Console, text: str) -> None:
    """Print a line without markup. A terminal wraps it; a file or a pipe does not."""
    console.print(text, markup=False, soft_wrap=not console.is_terminal)


def as_literal(text: str) -> Text:
    """Return `text` as a rich Text, because rich would read brackets in a string as markup."""
    from rich.text import Text

    return Text(fit_encoding(text))


def fit_encoding(text: str) -> str:
    """Return `text`, transliterated with its columns in place if stdout cannot hold it."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return transliterate_columns(text)
    return text


def escape_for_terminal(text: str) -> str:
    """Return text of an untrusted model in a form that is safe to print.

    If stdout is a terminal, control characters become escape sequences. For a file or a pipe, the
    text stays unchanged.
    """
    if not sys.stdout.isatty():
        return text
    return "".join(c if c in "\n\t" else escape_unprintable(c) for c in text)


def format_error(error: BaseException) -> str:
    """Return the message of an error as one printable line."""
    return escape_unprintable(" ".join(str(error).split()))
