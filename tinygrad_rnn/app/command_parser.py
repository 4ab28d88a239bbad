"""The parser of the command: errors of one line with a suggestion, examples, and completion."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

USER_ERROR = 2
"""The exit code after a user error: a wrong option, an unusable file, or sizes beyond memory."""
LONGEST = 400
"""The number of characters of the longest error message."""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose error message is one line, and whose help ends with examples."""

    def __init__(self, *, examples: Sequence[str] = (), **settings: Any):
        epilog = "\n  ".join(["examples:", *examples]) if examples else None
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(epilog=epilog, formatter_class=raw, **settings)
        self.register("type", Path, _read_path)

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with code 2."""
        if len(message) > LONGEST:
            message = message[: LONGEST - 3] + "..."
        end = " Run" if message.endswith("?") else "; run"
        self.exit(USER_ERROR, f"{self.prog}: {message}{end} {self.prog} --help for its options\n")

    # argparse has overloads of this method, which no override has.
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore
        """Parse the arguments; an option that does not exist is an error with a suggestion."""
        args = sys.argv[1:] if args is None else list(args)
        for argument in args:
            is_option = (
                argument.startswith("-") and argument.strip("-") and not _is_number(argument)
            )
            if argument == "--" or (self._subparsers and not is_option):
                break  # only values follow, or the options of a subcommand
            name = argument.partition("=")[0]
            known = self._option_string_actions
            if is_option and not any(option.startswith(name) for option in known):
                self.error(f"unrecognized arguments: {name}{suggest(name, known)}")
        return super().parse_known_args(args, namespace)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write a help text or an error. argparse itself ignores a device that is full."""
        print(message, end="", file=file or sys.stderr, flush=True)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += suggest(str(value), map(str, action.choices or ()))
            raise


def add_options(parser: argparse.ArgumentParser, options: Mapping[str, tuple[Any, ...]]) -> None:
    """Add an option for each name, given its default, the name of its value, and its help text.

    A fourth entry is a collection of all values that are allowed. An option without a default has
    its type in place of the default.
    """
    for name, (default, metavar, text, *choices) in options.items():
        kind = Path if isinstance(default, Path) else type(default)
        settings = {"type": kind, "default": default, "help": f"{text} (default {default})"}
        if isinstance(default, type):
            settings = {"type": default, "help": text}
        if choices:
            settings["choices"] = tuple(choices[0])
        parser.add_argument(name, metavar=metavar, **settings)


def suggest(given: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` if a known name is close to the one that was given, else ""."""
    close = get_close_matches(given.lower(), list(known), n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _read_path(text: str) -> Path:
    """Return the path of an argument. An empty one is an error, because `Path` reads it as "."."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, got ''")
    return Path(text)


def _is_number(text: str) -> bool:
    """Return True for a negative number, which looks like an option."""
    return bool(re.fullmatch(r"-(\d|\.\d|inf|nan).*", text, re.IGNORECASE))


class PrintCompletion(argparse.Action):
    """The option that prints a completion script for a shell and exits."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        """Print the script that shtab writes."""
        try:
            import shtab
        except ImportError:
            install = "pip install 'tinygrad_rnn[completion]'"
            parser.error(f"--print-completion needs shtab; run: {install}")
        for each in _with_subparsers(parser):
            for action in each._actions:
                if action.type is Path:
                    is_directory = action.metavar == "DIR"
                    kind = shtab.DIRECTORY if is_directory else shtab.FILE
                    vars(action)["complete"] = kind  # shtab reads this attribute
                if examples := vars(action).get("examples"):
                    action.choices = examples
        print(shtab.complete(parser, values))
        parser.exit()


def _with_subparsers(parser: argparse.ArgumentParser) -> Iterable[argparse.ArgumentParser]:
    """Yield a parser and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()
