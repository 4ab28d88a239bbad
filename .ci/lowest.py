"""Print the lowest versions that pyproject.toml allows, one requirement a line.

They are those of the dependencies and of the extras that the tests use.
"""

import tomllib
from pathlib import Path

project = tomllib.loads(
    (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)["project"]
extras = project["optional-dependencies"]
wanted = [
    *project["dependencies"],
    *(
        each
        for name in ("render", "plot", "onnx", "jit", "mpi", "completion", "test")
        for each in extras[name]
    ),
]
print("\n".join(sorted({each.replace(">=", "==") for each in wanted if ">=" in each})))
