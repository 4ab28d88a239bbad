"""The command `tinygrad-rnn check`: compare the derivatives of every op with finite differences."""

from __future__ import annotations

import argparse

from ..errors import format_count
from .console import add_plain_option, as_literal, make_console

HELP = "check the derivatives of every op against finite differences"
EXAMPLES = ("tinygrad-rnn check", "tinygrad-rnn check --plain > report.txt")
TITLE = "First and second derivatives of every op, compared with central differences in float64"
HEADINGS = ("op", "formula", "derivative rules: incoming gradient g, output y", "calls", "result")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--plain``."""
    add_plain_option(parser)


def run(options: argparse.Namespace) -> int:
    """Check every op and print a table; return 1 if an op fails, else 0."""
    from rich import box
    from rich.table import Table

    from ..gradcheck import GradcheckError, check_op
    from ..op import registry

    console = make_console(options.plain)
    table = Table(box=box.SIMPLE_HEAD, title=TITLE)
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    failures = []
    for name, op in sorted(registry.items()):
        rules = "\n".join(f"{argument}: {op.rule_text(argument)}" for argument in op.rules)
        try:
            calls, result = str(check_op(op)), "ok"
        except GradcheckError as error:
            calls, result = "", "FAILED"
            failures.append(str(error))
        table.add_row(*map(as_literal, (name, op.formula, rules, calls, result)))
    console.print(table)
    for failure in failures:
        console.print(as_literal(failure))
    passed, total = len(registry) - len(failures), format_count(len(registry), "op")
    console.print(f"{passed} of {total} agree with finite differences")
    return 1 if failures else 0
