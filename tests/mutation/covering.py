"""Run for each mutant the tests that run its line, in a process with all other imports done.

``python tests/mutation/covering.py plan`` runs the suite once, with pytest-cov, and stores which
test runs which line, and how long it takes. ``python tests/mutation/covering.py serve`` waits for
`ask.py`, which cosmic-ray runs. It finds the change by ``git diff``, and runs the tests in a fork
of itself. Quick tests of the two files that have most of them run first.
"""

import ast
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
from collections import Counter
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parent.parent
FOLDER = HOME / "build" / "mutation"
PLAN, SOCKET = FOLDER / "plan.json", FOLDER / "socket"
CHANGED = re.compile(r"tinygrad_rnn/(nn/|ops/|op\.py|backward\.py)")
SLOW = re.compile(
    r"linear_time|100_000|does_not_grow|do_not_grow|deep_graph|numba|test_memory|test_new_op"
)
OUTSIDE = [
    "hypothesis.extra.numpy",
    "numpy.testing",
    "onnx",
    "pytest",
    "_pytest.doctest",
    "rich.progress",
    "safetensors.numpy",
    "graphviz",
]
"""Modules that the tests import, loaded once for all mutants."""
FIRST, REST = 4.0, 30.0
"""Seconds, by the plan, that the first tests of a mutant may take, and all others."""


class Clock:
    """A plugin of pytest that measures how long each test takes."""

    def __init__(self):
        self.seconds = {}

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


def plan():
    """Run the suite; store for each line the tests that run it, and for each test its seconds."""
    import pytest
    from coverage.numbits import numbits_to_nums

    FOLDER.mkdir(parents=True, exist_ok=True)
    data, settings, clock = FOLDER / "coverage", FOLDER / "coveragerc", Clock()
    settings.write_text("[run]\nsource = tinygrad_rnn\n", encoding="utf-8")
    os.environ |= {
        "COVERAGE_FILE": str(data),
        "PYTHONPATH": str(HOME),
    }  # this checkout, whatever is installed
    sys.path[0] = str(HOME)
    covered = [
        "--cov=tinygrad_rnn",
        f"--cov-config={settings}",
        "--cov-context=test",
        "--cov-report=",
    ]
    pytest.main(["-q", *(["-n2"] if find_spec("xdist") else []), *covered], plugins=[clock])
    lines = {}
    with sqlite3.connect(data) as kept:
        files = dict(kept.execute("select id, path from file"))
        contexts = dict(kept.execute("select id, context from context"))
        for file, context, bits in kept.execute(
            "select file_id, context_id, numbits from line_bits"
        ):
            name, test = (
                Path(files[file]).relative_to(HOME).as_posix(),
                contexts[context].rpartition("|")[0],
            )
            if CHANGED.match(name) and test in clock.seconds and not SLOW.search(test):
                for number in numbits_to_nums(bits):
                    lines.setdefault(f"{name}:{number}", []).append(test)
    PLAN.write_text(json.dumps({"lines": lines, "seconds": clock.seconds}), encoding="utf-8")


def change():
    """The file that is changed, and the line."""
    found = subprocess.run(
        ["git", "diff", "-U0", "--", "tinygrad_rnn"],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return re.search(r"^\+\+\+ b/(.*)$", found, re.M)[1], int(
        re.search(r"^@@ -(\d+)", found, re.M)[1]
    )


def covering(lines, name, number):
    """Return the tests that run a line.

    If no test is known to, as inside of a long statement, return those of its surroundings.
    """
    if f"{name}:{number}" in lines:
        return lines[f"{name}:{number}"]
    source = subprocess.run(
        ["git", "show", f"HEAD:./{name}"], cwd=HOME, capture_output=True, text=True, check=True
    ).stdout
    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            first = min(
                [node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]
            )
            spans += (
                [(node.end_lineno - first, first, node.end_lineno)]
                if first <= number <= node.end_lineno
                else []
            )
    for _, first, last in sorted(spans):
        if found := {test for i in range(first, last + 1) for test in lines.get(f"{name}:{i}", ())}:
            return found
    return {
        test for place, tests in lines.items() if place.startswith(f"{name}:") for test in tests
    }


def within(tests, seconds, budget):
    """The quickest, until the time is up."""
    chosen, spent = [], 0.0
    for test in sorted(tests, key=lambda test: seconds[test]):
        spent += seconds[test]
        if spent <= budget:
            chosen.append(test)
    return chosen


class Only:
    """A plugin of pytest that runs only these tests, in this order."""

    def __init__(self, tests):
        self.order = {test: i for i, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )


def killed(tests):
    """Whether one of them fails."""
    import pytest

    if not tests:
        return False
    files = dict.fromkeys(test.split("::")[0] for test in tests)
    quiet = [
        "-q",
        "-x",
        "-p",
        "no:xdist",
        "-p",
        "no:cov",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    return pytest.main([*quiet, *files], plugins=[Only(tests)]) not in (0, 5)


def mutant(lines, seconds):
    """Whether the change that is there now is noticed."""
    tests = covering(lines, *change())
    quick = {test.split("[")[0] for test in tests if seconds[test] < 1}
    near = {file for file, _ in Counter(test.split("::")[0] for test in quick).most_common(2)}
    first = within([test for test in tests if test.split("::")[0] in near], seconds, FIRST)
    return killed(first) or killed(
        within([test for test in tests if test not in set(first)], seconds, REST)
    )


def answer(connection, lines, seconds):
    """Run the tests in a fork, report the result, and exit."""
    os.setpgid(0, 0)
    log = os.open(FOLDER / "log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        noticed = mutant(lines, seconds)
    except BaseException:
        traceback.print_exc()
        noticed = True
    with suppress(OSError):
        connection.sendall(b"1" if noticed else b"0")
    os._exit(0)


def serve():
    """Fork for each request. If the requester goes away, as after a timeout, stop its tests."""
    for name in OUTSIDE:
        import_module(name)
    os.chdir(HOME)
    sys.path[0] = str(HOME)
    known = json.loads(PLAN.read_text(encoding="utf-8"))
    SOCKET.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(SOCKET))
        server.listen()
        while True:
            connection, _ = server.accept()
            child = os.fork()
            if not child:
                answer(connection, known["lines"], known["seconds"])
            while not os.waitpid(child, os.WNOHANG)[0]:
                ready, _, _ = select.select([connection], [], [], 0.02)
                if ready and not connection.recv(1, socket.MSG_PEEK):
                    with suppress(ProcessLookupError):
                        os.killpg(child, signal.SIGKILL)
            connection.close()


if __name__ == "__main__":
    {"plan": plan, "serve": serve}[sys.argv[1]]()
