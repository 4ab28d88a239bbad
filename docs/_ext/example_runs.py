"""Runs the examples as their users do, and keeps what they print and draw: for the page that shows it, and for the tests of it.

A run takes its command from the example's docstring. Where the environment variable ``EXAMPLE_RUNS`` names a folder, each run is
kept there, and made again only when something has changed that it depends on: so the page shows the runs that the tests looked at.
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
"""These are started first."""
AT_MOST = 900
"""Seconds after which an example is stopped; the machine may be busy with others."""


@dataclass
class Run:
    """What an example said and drew, and how many seconds of one core it took."""

    told: str
    pictures: list[Path]
    seconds: float


def names() -> list[str]:
    """All examples that can be run; `pictures` is what they share."""
    return sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "pictures")


def says(name: str) -> str:
    """The docstring of an example."""
    return ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))) or ""


def command(name: str) -> str:
    """How its docstring says that it is run."""
    found = re.search(r"[Rr]un it with\s+``(.+?)``", says(name), re.DOTALL)
    if not found:
        raise ValueError(f"examples/{name}.py: its docstring does not say what to run it with")
    return " ".join(found[1].removesuffix("[FOLDER]").split())


def state(name: str) -> str:
    """A digest of all that a run depends on: its command, the code, the interpreter, and what is installed."""
    digest = hashlib.sha256(f"{command(name)} {sys.version}".encode())
    for path in sorted(
        [EXAMPLES / f"{name}.py", EXAMPLES / "pictures.py", *(ROOT / "tinygrad_rnn").rglob("*.py")]
    ):
        digest.update(path.read_bytes())
    installed = distributions(path=[sysconfig.get_path("purelib")])
    digest.update(str(sorted(f"{each.name} {each.version}" for each in installed)).encode())
    return digest.hexdigest()


def made(name: str, folder: Path) -> Run:
    """Run an example in a folder, into which it draws."""
    bin = Path(sys.executable).parent
    words = {
        "python": sys.executable,
        "mpiexec": str(bin / "mpiexec"),
        f"examples/{name}.py": str(EXAMPLES / f"{name}.py"),
    }
    with (folder / "told.txt").open("wb") as told, (folder / "wrong.txt").open("wb") as wrong:
        arguments = [words.get(word, word) for word in command(name).split()]
        process = subprocess.Popen(arguments, cwd=folder, stdout=told, stderr=wrong)
        stop = Timer(AT_MOST, process.kill)
        stop.start()
        _, status, used = os.wait4(process.pid, 0)
        stop.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(
            f"{command(name)}: exit code {process.returncode}\n{(folder / 'wrong.txt').read_text(encoding='utf-8')}"
        )
    (folder / "seconds.txt").write_text(f"{used.ru_utime + used.ru_stime:.2f}", encoding="utf-8")
    return kept(folder)


def kept(folder: Path) -> Run:
    """The run that was made in a folder."""
    told, seconds = (
        (folder / name).read_text(encoding="utf-8") for name in ("told.txt", "seconds.txt")
    )
    return Run(told, sorted(folder.glob("*.svg")), float(seconds))


def run(name: str) -> Run:
    """Run an example, or find the run of it that is kept."""
    runs = os.environ.get("EXAMPLE_RUNS")
    if not runs:
        return made(name, Path(tempfile.mkdtemp(prefix=f"{name}_")))
    folder, of = Path(runs) / name, Path(runs) / name / "state.txt"
    if of.is_file() and of.read_text(encoding="utf-8") == state(name):
        return kept(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.iterdir():
        each.unlink()
    result = made(name, folder)
    of.write_text(state(name), encoding="utf-8")  # last, so that a run that failed is not kept
    return result


def run_all(at_once: int = 2) -> dict[str, Run]:
    """Run all examples, so many at a time, the long ones first."""
    order = sorted(names(), key=lambda name: LONG.index(name) if name in LONG else len(LONG))
    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(order, pool.map(run, order), strict=True))
