"""Check that the wheel and the sdist in a folder contain the files that git tracks, and no others.

Run it as ``python .ci/contents.py DIST`` in a checkout.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHIPPED = ("tests", "examples", "docs", "tinygrad_rnn")
ALONE = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
)
ADDED = {"PKG-INFO", ".gitignore"}
"""Files that the build adds to the sdist."""
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def difference(what: str, there: set[str], expected: set[str]) -> list[str]:
    return [f"{what}: missing {name}" for name in sorted(expected - there)] + [
        f"{what}: unexpected {name}" for name in sorted(there - expected)
    ]


def main(folder: Path) -> int:
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    known = subprocess.run(
        ["git", "ls-files", "-z", *SHIPPED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    tracked = set(filter(None, known.split("\0")))
    name = sdist.name.removesuffix(".tar.gz")
    packed = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        unpacked = {member.name for member in archive if not member.isdir()}
    package = {path for path in tracked if path.startswith("tinygrad_rnn/")}
    wrong = difference("wheel", packed, package | {f"{name}.dist-info/{each}" for each in METADATA})
    wrong += difference(
        "sdist", unpacked, {f"{name}/{each}" for each in tracked | set(ALONE) | ADDED}
    )
    print(
        "\n".join(wrong)
        or f"{wheel.name}: {len(packed)} files; {sdist.name}: {len(unpacked)} files; as expected"
    )
    return bool(wrong) or "tinygrad_rnn/py.typed" not in packed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
