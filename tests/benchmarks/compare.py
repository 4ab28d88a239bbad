"""Time a training step of tinygrad_rnn next to other libraries, in one thread and float32.

    python tests/benchmarks/compare.py                    # all models, sizes and installed peers
    python tests/benchmarks/compare.py --sizes tiny small --models nn.GRU --seconds 5
    python tests/benchmarks/compare.py --scaling --imports --live
    python tests/benchmarks/compare.py --all --json results.json

Engines take turns: each runs a block of steps, in an order that changes from round to round. So
other work on the machine affects all of them. Times are medians over the rounds; ratios are medians
of the ratios within a round. Before anything is timed, the engines must agree on the loss and on a
gradient.
"""

from __future__ import annotations

import os
import sys

if "numpy" not in sys.modules:  # BLAS libraries read these once, when they are loaded
    os.environ.update(
        {
            f"{library}_NUM_THREADS": "1"
            for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")
        },
        VECLIB_MAXIMUM_THREADS="1",
        XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        JAX_PLATFORMS="cpu",
    )

import argparse
import gc
import json
import platform
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import own_cells
from contests import MODELS, contestants
from models import SIZES, Absent, Contestant, Size

BARS = {
    ("op-by-op", "torch"): (0.60, 0.95, 1.0, 1.05),
    ("op-by-op", "autograd"): (0.5, 0.4, 0.4, 0.45),
    ("op-by-op", "mygrad"): (0.5, 0.4, 0.4, 0.45),
    ("nn.GRU", "torch"): (0.8, 1.5, 1.2, 1.15),
    ("compiled GRU", "torch"): (0.22, 0.30, 0.65, 0.92),
    ("compiled GRU", "jax.jit"): (1.2, 1.0, 0.85, 0.75),
    ("compiled LSTM", "torch"): (0.24, 0.88, 1.08, 1.0),
    ("compiled LSTM", "jax.jit"): (1.2, 1.0, 0.82, 0.75),
    ("compiled GRU, Numba", "torch"): (0.12, 0.20, 0.64, 0.90),
    ("compiled GRU, Numba", "jax.jit"): (0.60, 0.70, 0.82, 0.75),
    ("compiled LSTM, Numba", "torch"): (0.12, 0.65, 1.0, 0.93),
    ("compiled LSTM, Numba", "jax.jit"): (0.60, 0.75, 0.80, 0.70),
}
"""The largest allowed ratio, ours ÷ theirs, for tiny, small, medium and large."""

ENGINES = list(dict.fromkeys(engine for engines in MODELS.values() for engine in engines))
SCALING_BAR = 1.15
IMPORT_BAR = 30.0
MEMORY_BAR = 0.6
BLOCK = 0.01  # seconds that one engine runs before the next has its turn, at least one step

Row = dict[str, Any]


# -- measuring -------------------------------------------------------------------------------------


def disagreement(reference: Contestant, other: Contestant) -> str:
    """Return how two engines differ before any step; an empty text if they agree."""
    (loss, gradient), (their_loss, their_gradient) = reference.probe(), other.probe()
    scale = np.abs(gradient).max()
    if gradient.dtype != their_gradient.dtype:
        return f"gradient in {their_gradient.dtype}, ours in {gradient.dtype}"
    if abs(loss - their_loss) > 1e-4 * abs(loss):
        return f"loss {their_loss:.6f}, ours {loss:.6f}"
    error = np.abs(gradient - their_gradient).max() / scale
    return f"gradient differs by {error:.1e} of its largest entry" if error > 1e-3 else ""


@contextmanager
def settled() -> Iterator[None]:
    """Keep the collector running, as in training, but not over objects of the imported peers."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def timed(step: Callable[[], Any], count: int) -> float:
    """Return the seconds of one step, over a block of `count` steps."""
    start = perf_counter()
    for _ in range(count):
        step()
    return (perf_counter() - start) / count


def race(runners: list[Callable[[], Any]], seconds: float, least: int = 5) -> list[list[float]]:
    """Return for each round the seconds of one step of each runner.

    The runners take turns, in an order that rotates. Rounds go on for `seconds`, and there are at
    least `least`.
    """
    counts = []
    for step in runners:
        timed(step, 2)  # compile, allocate, warm up
        counts.append(max(1, round(BLOCK / timed(step, 1))))
    rounds: list[list[float]] = []
    with settled():
        end = perf_counter() + seconds
        while perf_counter() < end or len(rounds) < least:
            times = [0.0] * len(runners)
            shift = len(rounds) % len(runners)
            for i in [*range(shift, len(runners)), *range(shift)]:
                times[i] = timed(runners[i], counts[i])
            rounds.append(times)
    return rounds


def compare(model: str, name: str, seconds: float, engines: set[str] | None = None) -> list[Row]:
    """Return a row for each engine at one size.

    A row has the median milliseconds of a step, and the ratio ours ÷ theirs with quartiles
    and bar.
    """
    entries = contestants(model, SIZES[name], engines)
    present = [entry for entry in entries if isinstance(entry, Contestant)]
    for other in present[1:]:
        if apart := disagreement(present[0], other):
            raise SystemExit(
                f"compare: {model}, {name}: {other.name} computes something else: {apart}; "
                "nothing was timed"
            )
    rounds = race([entry.step for entry in present], seconds)
    rows: list[Row] = []
    for entry in entries:
        row: Row = {"model": model, "size": name, "engine": entry.name}
        if isinstance(entry, Absent):
            rows.append({**row, "absent": True})
            continue
        i = present.index(entry)
        row |= {"ms": 1e3 * median(times[i] for times in rounds), "rounds": len(rounds)}
        if i:
            low, middle, high = quantiles((times[0] / times[i] for times in rounds), n=4)
            bar = BARS.get((model, entry.name))
            row |= {
                "ratio": middle,
                "quartiles": (low, high),
                "bar": bar and bar[list(SIZES).index(name)],
            }
        rows.append(row)
    return rows


def scaling(model: str, short: Size, times: int, seconds: float) -> float:
    """Return the time of one long step over that of `times` short ones, as the median ratio.

    The long step has `times` as many time steps as a short one.
    """
    (one,) = contestants(model, short, {"tinygrad_rnn"})
    (whole,) = contestants(model, short._replace(T=times * short.T), {"tinygrad_rnn"})
    assert isinstance(one, Contestant)
    assert isinstance(whole, Contestant)

    def many() -> None:
        for _ in range(times):
            one.step()

    return median(long / brief for long, brief in race([whole.step, many], seconds))


def live(model: str, size: Size, steps: int, every: int) -> list[int]:
    """Return the number of live Tensors every `every` training steps, with the collector off."""
    import tinygrad_rnn as tg

    (ours,) = contestants(model, size, {"tinygrad_rnn"})
    assert isinstance(ours, Contestant)
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        counts = []
        for i in range(1, steps + 1):
            ours.step()
            if i % every == 0:
                counts.append(sum(issubclass(type(thing), tg.Tensor) for thing in gc.get_objects()))
        return counts
    finally:
        if enabled:
            gc.enable()


def memory(sizes: list[str]) -> dict[str, float]:
    """Return by model and size the peak memory of a step: compiled ÷ as it is."""
    cells = {"GRU": (3, own_cells.gru_cell), "LSTM": (4, own_cells.lstm_cell)}
    return {
        f"{model}, {name}": own_cells.peak(SIZES[name], *cell, compiled=True)
        / own_cells.peak(SIZES[name], *cell, compiled=False)
        for model, cell in cells.items()
        for name in sizes
    }


def imports(runs: int = 25) -> float:
    """Return the milliseconds that ``import tinygrad_rnn`` takes more than ``import numpy``.

    It is the median over pairs of new interpreters. Bytecode is cached, as for an installed
    package.
    """

    def fresh(code: str) -> float:
        start = perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        return perf_counter() - start

    with TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        pairs = [(fresh("import numpy"), fresh("import tinygrad_rnn")) for _ in range(runs + 1)]
    # the first pair fills the caches
    return 1e3 * median(ours - theirs for theirs, ours in pairs[1:])


# -- reporting -------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """Return the processor, the system, and the versions of Python and the libraries."""
    processor = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        named = [
            line.partition(":")[2].strip()
            for line in info.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        processor = named[0] if named else processor
    found = {
        "CPU": processor,
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }
    for package in ("numpy", "tinygrad_rnn", "torch", "autograd", "mygrad", "jax"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def verdict(value: float, bar: float | None) -> str:
    """Return the bar, and whether it is reached."""
    return "" if bar is None else f"{bar:.2f} {'reached' if value <= bar else 'MISSED'}"


def line(row: Row) -> str:
    """Return a row of `compare` as a line of the table."""
    start = f"{row['model']:<13} {row['size']:<7} {row['engine']:<13}"
    if "absent" in row:
        return f"{start} {'absent':>10}"
    if "ratio" not in row:
        return f"{start} {row['ms']:>10.3f}"
    low, high = row["quartiles"]
    ratio = f"{row['ratio']:>6.2f} {f'{low:.2f}-{high:.2f}':>12}"
    return f"{start} {row['ms']:>10.3f} {ratio}  {verdict(row['ratio'], row['bar'])}".rstrip()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    made.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    made.add_argument("--engines", nargs="+", choices=ENGINES, help="only these peers")
    made.add_argument(
        "--seconds", type=float, default=10.0, help="for each model and size (default 10)"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    made.add_argument(
        "--scaling",
        action="store_true",
        help="time at T = 1024 over 16 times T = 64, instead of the comparison",
    )
    made.add_argument(
        "--imports", action="store_true", help="import time over NumPy's, instead of the comparison"
    )
    made.add_argument(
        "--live",
        action="store_true",
        help="live Tensors over 1,000 steps, instead of the comparison",
    )
    made.add_argument(
        "--memory",
        action="store_true",
        help="peak memory of compiled cells, instead of the comparison",
    )
    made.add_argument("--all", action="store_true", help="the comparison and the others")
    return made


def main(arguments: list[str] | None = None) -> None:
    """Measure what was asked for, print it, and write it to the JSON file."""
    chosen = parser().parse_args(arguments)
    alone = chosen.scaling or chosen.imports or chosen.live or chosen.memory
    results: dict[str, Any] = {"machine": machine(), "threads": 1, "dtype": "float32"}
    print(
        ", ".join(f"{name} {version}" for name, version in results["machine"].items()),
        "· one thread, float32",
    )
    if chosen.all or not alone:
        print(
            f"\n{'model':<13} {'size':<7} {'engine':<13} {'ms / step':>10} {'ratio':>6} "
            f"{'quartiles':>12}  bar (ours / theirs)"
        )
        engines = {"tinygrad_rnn", *chosen.engines} if chosen.engines else None
        results["comparison"] = []
        for model in chosen.models:
            for name in chosen.sizes:
                for row in compare(model, name, chosen.seconds, engines):
                    results["comparison"].append(row)
                    print(line(row), flush=True)
    if chosen.all or chosen.scaling:
        results["scaling"] = {
            model: scaling(model, Size(64, 16, 64, 32), 16, chosen.seconds)
            for model in chosen.models
        }
        for model, ratio in results["scaling"].items():
            print(
                f"\n{model}: T = 1024 costs {ratio:.3f} of 16 times T = 64; "
                f"bar {verdict(ratio, SCALING_BAR)}",
                flush=True,
            )
    if chosen.all or chosen.imports:
        results["import_ms"] = imports()
        print(
            f"\nimport: {results['import_ms']:.1f} ms over NumPy's; "
            f"bar {verdict(results['import_ms'], IMPORT_BAR)}",
            flush=True,
        )
    if chosen.all or chosen.live:
        results["live"] = {model: live(model, SIZES["tiny"], 1000, 100) for model in chosen.models}
        for model, counts in results["live"].items():
            flat = "flat" if len(set(counts)) == 1 else "NOT flat"
            print(
                f"\n{model}: live Tensors every 100 of 1,000 steps: "
                f"{' '.join(map(str, counts))}: {flat}"
            )
    if chosen.all or chosen.memory:
        results["memory"] = memory([name for name in chosen.sizes if name != "tiny"])
        for name, ratio in results["memory"].items():
            print(
                f"\n{name}: compiled, a step needs {ratio:.2f} of the memory; "
                f"bar {verdict(ratio, MEMORY_BAR)}"
            )
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
