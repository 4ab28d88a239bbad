"""Names of leaves that say whose they are: ``fc1.weight`` and ``fc2.weight``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from ..graph import Value
from ..scope_part import Scope

Path = tuple[str, ...]
"""The names of the modules around a use of a leaf, outermost first."""


def name_by_owner(uses: Mapping[Value, Sequence[Scope]]) -> dict[Value, str]:
    """Return the name of each leaf, with the names of its modules in front if another has the name.

    A leaf belongs to the first module that uses it. Modules that are around all leaves of one name
    are left out. So the names are those of ``named_parameters()`` of the outermost module that
    tells the leaves apart.

    Parameters
    ----------
    uses : mapping of Value to sequence of scopes
        The resolved scopes in which each leaf is used, oldest first.
    """
    groups: dict[str, list[Value]] = {}
    for x in uses:
        groups.setdefault(x.name, []).append(x)
    names: dict[Value, str] = {}
    for name, group in groups.items():
        by_module = _join(name, [_find_path(uses[x], ("module", "loop")) for x in group])
        by_scope = _join(name, [_find_path(uses[x], ("module", "loop", "name")) for x in group])
        counts = Counter(by_module)
        for x, short, long in zip(group, by_module, by_scope, strict=True):
            names[x] = short if counts[short] == 1 else long
    return names


def _join(name: str, paths: list[Path]) -> list[str]:
    """Return `name` behind each path, without the beginning that all paths share."""
    columns = zip(*paths, strict=False)
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    return [".".join((*path[shared:], name)) for path in paths]


def _find_path(scopes: Iterable[Scope], kinds: Sequence[str]) -> Path:
    """Return the path of the first scope that has one."""
    paths = (
        tuple(
            part.format_without_call()
            for part in scope
            if part.kind in kinds and part.format_without_call() != "loop"
        )
        for scope in scopes
    )
    return next(filter(None, paths), ())
