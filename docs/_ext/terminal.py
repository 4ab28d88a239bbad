"""Run a command in a pseudo-terminal, and draw what it shows, colours included."""

import os
import pty
import re
import sys
import tempfile
from io import StringIO
from pathlib import Path

COLUMNS = 80


def run_command(*command: str) -> list[str]:
    """Return the lines that a command leaves on a terminal of 80 columns, with colour codes.

    The command runs in a temporary folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        process, terminal = pty.fork()
        if not process:
            os.chdir(folder)
            os.environ |= {"COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
            os.execvp(command[0], command)
        output = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # on Linux: the other end is closed
                break
            if not part:
                break
            output += part
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    text = output.decode()
    if code:
        raise RuntimeError(f"{' '.join(command)}: exit code {code}\n{text}")
    text = re.sub(r"\x1b\[\?25[lh]", "", text.replace("\r\n", "\n"))
    # of a line that was overwritten, keep the last version
    return [re.split(r"\r(?:\x1b\[2K)?", line)[-1] for line in text.split("\n")]


def extract_lines(lines: list[str], first: str, stop: str) -> list[str]:
    """Return the lines from the one that contains `first` up to the one that contains `stop`."""
    start = next(i for i, line in enumerate(lines) if first in line)
    return lines[start : next(i for i, line in enumerate(lines) if i > start and stop in line)]


def draw_terminal(lines: list[str], title: str):
    """Return lines with colour codes as an SVG picture that needs no other file."""
    from IPython.display import SVG
    from rich.console import Console
    from rich.text import Text

    console = Console(
        record=True,
        width=COLUMNS,
        file=StringIO(),
        color_system="truecolor",
        force_terminal=True,
        force_jupyter=False,
    )
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="ignore", crop=False)
    svg = re.sub(
        r"@font-face\s*\{.*?\}",
        "",
        console.export_svg(title=title, unique_id="terminal"),
        flags=re.DOTALL,
    )
    svg = svg.replace("Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace")
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()
    return SVG(svg.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1))


def command_path(name: str) -> str:
    """Return the path of a command of this environment."""
    return str(Path(sys.executable).with_name(name))
