"""Check with pyright and mypy that the types of the package are right and that they are strict.

Both must find no error in `right_types.py`, where every call says the type of its result. In
`wrong_types.py` both must find an error in each marked line, and no other. In the sample calls of
all ops and compositions, which `sample_calls.py` writes, they must find none. Run it as
``PYTHONPATH=tests python tests/stubs/check_types.py`` with the extra ``dev``.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stubs.sample_calls import write_file

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLES = "samples.py"
RIGHT, WRONG = HERE / "right_types.py", HERE / "wrong_types.py"


def run(*command):
    """Run a type checker as a module of this Python, in the checkout; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout or sys.exit(done.stderr)


def run_pyright():
    """Return (file, line, message) for each error that pyright finds in the strict mode."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (RIGHT, WRONG):
            shutil.copy(file, folder)
        Path(folder, SAMPLES).write_text("# pyright: basic\n" + write_file(), encoding="utf-8")
        settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
        Path(folder, "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
        text = run("pyright", "-p", folder, "--outputjson", "--pythonpath", sys.executable)
    found = json.loads(text[text.index("{") :])["generalDiagnostics"]
    return [
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in found
        if each["severity"] == "error"
    ]


def run_mypy():
    """Return (file, line, message) for each error that mypy finds in the strict mode."""
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, SAMPLES)
        samples.write_text(write_file(), encoding="utf-8")
        quiet = ("--follow-imports=silent", "--cache-dir=/dev/null")
        text = run("mypy", "--strict", *quiet, RIGHT, WRONG, samples)
    found = re.findall(r"^(\S+\.pyi?):(\d+): error: (.*)$", text, re.MULTILINE)
    if not found:
        sys.exit(text)
    return [(Path(file).name, int(line), message) for file, line, message in found]


def faults(checker, errors):
    """Yield a line for each error in a right call, and for each wrong call without an error."""
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
    for file, line, message in errors:
        if file != WRONG.name or line not in marked:
            yield f"{checker}: {file}:{line}: {message}"
    missed = marked - {line for file, line, _ in errors if file == WRONG.name}
    for line in sorted(missed):
        yield f"{checker}: {WRONG.name}:{line}: no error in {lines[line - 1].strip()}"


if __name__ == "__main__":
    found = [*faults("pyright", run_pyright()), *faults("mypy", run_mypy())]
    print("\n".join(found) or "pyright and mypy: right calls have their types, wrong calls fail")
    sys.exit(bool(found))
