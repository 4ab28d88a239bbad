"""One function writes all files: no other place of the package opens a file for writing."""

import ast

import pytest
from layers import FILES, ROOT, parse

WRITING = {
    "dump", "fdopen", "memmap", "mkdtemp", "mkstemp", "open_memmap", "rename", "renames", "replace",
    "save_file", "save_model", "savefig", "savetxt", "savez", "savez_compressed", "symlink",
    "symlink_to", "hardlink_to", "link", "tofile", "touch", "truncate", "write_bytes", "write_html",
    "write_image", "write_text", "NamedTemporaryFile", "TemporaryFile", "FileIO", "FileHandler",
    "copy", "copy2", "copyfile", "move",
}  # fmt: skip
"""Names of functions and methods that create or change a file, in the libraries that we use."""
MODULES = {"os", "shutil", "tempfile", "zipfile", "gzip", "io", "np", "numpy", "json", "logging"}
"""Modules whose functions of these names write files. A method `copy` of an array does not."""
HARMLESS = {"replace", "copy", "dump", "move", "link", "save_model"}
"""Names that objects of other kinds have too: they count only as functions of `MODULES`."""
ALLOWED = {
    "serialize/whole_file.py": {
        "open(draft, 'xb', opener=lambda name, flags: os.open(name, flags, mode))",
        "os.open(name, flags, mode)",
    },
    "app/streams.py": {
        "open(os.devnull, mode, encoding='utf-8')",
        "os.open(os.devnull, os.O_WRONLY)",
    },
    "app/learning_curve.py": {
        "figure.savefig(content, format='svg', metadata={'Creator': CREATOR, 'Date': None})"
    },
    "app/checkpoint_lock.py": {
        "os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 438)",
        "os.truncate(number, 0)",
    },
}
"""By file, the calls that may open a file for writing.

The command opens the null device, and a lock that holds nothing but the number of a process. The
learning curve is drawn into memory.
"""


def writing_calls(tree):
    """Yield the calls that may write to a file, as they are written."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        owner, name = "", getattr(call.func, "id", "")
        if isinstance(call.func, ast.Attribute):
            owner, name = ast.unparse(call.func.value), call.func.attr
        if name in ("open", "ZipFile", "GzipFile"):
            place = 1 if owner in {"", *MODULES} else 0
            is_writing = owner == "os" or not is_reading(call, place)
        elif name in HARMLESS or name == "save" or (name == "rename" and not owner):
            is_writing = owner in MODULES
        else:
            is_writing = name in WRITING
        if is_writing:
            yield ast.unparse(call)


def is_reading(call, place):
    """Return whether the mode of a call of ``open`` is for reading; it is at this place, if any."""
    modes = [word.value for word in call.keywords if word.arg == "mode"] + call.args[place:]
    return all(isinstance(mode, ast.Constant) and mode.value in ("r", "rb") for mode in modes[:1])


def test_a_file_is_opened_for_writing_in_one_place():
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        assert set(writing_calls(parse(path))) == ALLOWED.get(name, set()), name


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'w')",
        "open(path, 'ab')",
        "open(path, mode='r+')",
        "open(path, mode)",
        "path.open('x')",
        "io.open(path, 'w')",
        "os.open(path, os.O_WRONLY)",
        "path.write_text(text)",
        "path.write_bytes(content)",
        "axes.figure.savefig(path)",
        "np.save(path, array)",
        "np.savez(path, **arrays)",
        "array.tofile(path)",
        "os.replace(a, b)",
        "shutil.copy(a, b)",
        "save_file(arrays, path)",
        "tempfile.mkstemp()",
        "json.dump(data, file)",
        "zipfile.ZipFile(path, 'w')",
    ],
)
def test_the_check_on_writers_can_fail(code):
    assert list(writing_calls(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "open(path)",
        "open(path, 'rb')",
        "path.open()",
        "path.open('rb')",
        "zipfile.ZipFile(path)",
        "text.replace('a', 'b')",
        "array.copy()",
        "tg.save(state, path)",
        "json.dumps(data)",
    ],
)
def test_the_check_on_writers_lets_others_pass(code):
    assert not list(writing_calls(ast.parse(code)))
