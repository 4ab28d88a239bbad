"""Run the examples as users do, and keep what they print and draw, for their page and their tests.

The command of a run is in the example's docstring. If the environment variable ``EXAMPLE_RUNS``
names a folder, each run is kept there. It is repeated only when something that it depends on has
changed, so the page shows the same runs that the tests checked.
"""

import ast
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LONG = ("character_model", "adding_problem", "balanced", "forecast")
"""The examples that take longest. They are started first."""
TIME_LIMIT = 900
"""Seconds after which an example is stopped. The machine may be busy, so this is generous."""


@dataclass
class Run:
    """The text and the pictures of one run of an example, and its seconds on one core."""

    printed: str
    pictures: list[Path]
    seconds: float


def list_examples() -> list[str]:
    """Return the names of all examples. `pictures` is none: it holds what they share."""
    return sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "pictures")


def docstring_of(name: str) -> str:
    """Return the docstring of an example."""
    return ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))) or ""


def command_of(name: str) -> str:
    """Return the command that an example's docstring names."""
    found = re.search(r"[Rr]un\s+it\s+with\s+``(.+?)``", docstring_of(name), re.DOTALL)
    if not found:
        raise ValueError(f"examples/{name}.py: expected 'Run it with ``…``' in its docstring")
    return " ".join(found[1].removesuffix("[FOLDER]").split())


def digest_inputs(name: str) -> str:
    """Return a digest of all that a run depends on: command, code, interpreter, packages."""
    digest = hashlib.sha256(f"{command_of(name)} {sys.version}".encode())
    for path in sorted(
        [EXAMPLES / f"{name}.py", EXAMPLES / "pictures.py", *(ROOT / "tinygrad_rnn").rglob("*.py")]
    ):
        digest.update(path.read_bytes())
    installed = distributions(path=[sysconfig.get_path("purelib")])
    digest.update(str(sorted(f"{each.name} {each.version}" for each in installed)).encode())
    return digest.hexdigest()


def run_anew(name: str, folder: Path) -> Run:
    """Run an example in a folder, and keep the result there."""
    bin = Path(sys.executable).parent
    words = {
        "python": sys.executable,
        "mpiexec": str(bin / "mpiexec"),
        f"examples/{name}.py": str(EXAMPLES / f"{name}.py"),
    }
    output = folder / "printed.txt"
    with output.open("wb") as printed, (folder / "errors.txt").open("wb") as errors:
        arguments = [words.get(word, word) for word in command_of(name).split()]
        process = subprocess.Popen(arguments, cwd=folder, stdout=printed, stderr=errors)
        stop = Timer(TIME_LIMIT, process.kill)
        stop.start()
        _, status, used = os.wait4(process.pid, 0)
        stop.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{command_of(name)}: exit code {process.returncode}\n"
            f"{(folder / 'errors.txt').read_text(encoding='utf-8')}"
        )
    (folder / "seconds.txt").write_text(f"{used.ru_utime + used.ru_stime:.2f}", encoding="utf-8")
    return load_run(folder)


def load_run(folder: Path) -> Run:
    """Return the run that is kept in a folder."""
    printed, seconds = (
        (folder / name).read_text(encoding="utf-8") for name in ("printed.txt", "seconds.txt")
    )
    return Run(printed, sorted(folder.glob("*.svg")), float(seconds))


def run(name: str) -> Run:
    """Return a run of an example: a new one, or the one that is kept."""
    runs = os.environ.get("EXAMPLE_RUNS")
    if not runs:
        return run_anew(name, Path(tempfile.mkdtemp(prefix=f"{name}_")))
    folder, digest = Path(runs) / name, Path(runs) / name / "digest.txt"
    if digest.is_file() and digest.read_text(encoding="utf-8") == digest_inputs(name):
        return load_run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.iterdir():
        each.unlink()
    result = run_anew(name, folder)
    digest.write_text(digest_inputs(name), encoding="utf-8")  # last: a failed run is not kept
    return result


def run_all(at_once: int = 2) -> dict[str, Run]:
    """Return runs of all examples. Several run at a time, and the long ones start first."""
    order = [*LONG, *(name for name in list_examples() if name not in LONG)]
    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(order, pool.map(run, order), strict=True))
