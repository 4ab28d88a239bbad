"""The positions of random generators: NumPy's new and old kind, and Python's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def position(generator: Any) -> Any:
    """Return the state of a generator, from which it continues."""
    if hasattr(generator, "bit_generator"):
        return generator.bit_generator.state
    return generator.get_state() if hasattr(generator, "get_state") else generator.getstate()


def put_back(generator: Any, where: Any) -> None:
    """Let a generator continue from an earlier state."""
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = where
    elif hasattr(generator, "set_state"):
        generator.set_state(where)
    else:
        generator.setstate(where)


@contextmanager
def at_positions(generators: list[Any], positions: list[Any]) -> Iterator[None]:
    """Let generators draw again in the block what they drew from these positions on."""
    now = [position(generator) for generator in generators]
    for generator, where in zip(generators, positions, strict=True):
        put_back(generator, where)
    try:
        yield
    finally:
        for generator, where in zip(generators, now, strict=True):
            put_back(generator, where)
