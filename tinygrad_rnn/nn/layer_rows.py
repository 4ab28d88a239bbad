"""The table that a notebook shows for a model: a row for each module, with its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .html_table import html_table

if TYPE_CHECKING:
    from ..tensor import Tensor


@dataclass(frozen=True)
class LayerRow:
    """One module of a model, with the parameters that it holds itself, outside of its submodules.

    Attributes
    ----------
    name : str
        The name, as in `Module.named_modules`; empty for the model itself.
    module : Module
        The module.
    new : tuple of Tensor
        Its own parameters that no row above has.
    shared : tuple of Tensor
        Its own parameters that a row above has too.
    parents : tuple of str
        The names of the modules around it, the model itself first.
    """

    name: str
    module: Any
    new: tuple[Tensor, ...]
    shared: tuple[Tensor, ...]
    parents: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name inside the module around it, and the class, indented by the depth.

        A module in a list has a name such as ``blocks.0``, because the list has no row.
        """
        kind = type(self.module).__name__
        if not self.parents:
            return kind
        parent = self.parents[-1]
        name = self.name.removeprefix(f"{parent}." if parent else "")
        return f"{'  ' * len(self.parents)}{name}: {kind}"

    @property
    def frozen(self) -> tuple[Tensor, ...]:
        """The new parameters that require no gradients."""
        return tuple(p for p in self.new if not p.requires_grad)

    @property
    def dtype(self) -> str:
        """The dtypes of the parameters."""
        return ", ".join(dict.fromkeys(str(p.dtype) for p in (*self.new, *self.shared)))


def layer_rows(model: Any) -> list[LayerRow]:
    """Return a row for each module, in the order of `named_modules`.

    If a module only wraps a module of the same name, as a compiled module does, only the inner
    module has a row.
    """
    modules = dict(model.named_modules())
    rows, seen = [], set()
    for name, module in modules.items():
        starts = [""] * bool(name) + [name[:i] for i, letter in enumerate(name) if letter == "."]
        inside = {p for _, child in module.children() for _, p in child._named()}
        own = dict.fromkeys(p for _, p in module._named() if p not in inside)
        rows.append(
            LayerRow(
                name,
                module,
                tuple(p for p in own if p not in seen),
                tuple(p for p in own if p in seen),
                tuple(start for start in starts if start in modules),
            )
        )
        seen |= own.keys()
    return rows


def count(parameters: tuple[Tensor, ...]) -> int:
    """Return the number of entries of all parameters."""
    return sum(p.size for p in parameters)


def make_table(rows: list[LayerRow], title: str, texts: list[str]) -> tuple[list[str], list[Any]]:
    """Return the header and the cells of a table with a line for each of `rows`.

    `texts` are the cells of the column called `title`. A column without entries is left out.
    """
    columns = {
        "layer": [row.label for row in rows],
        title: texts,
        "parameters": [_format(count(row.new)) for row in rows],
        "frozen": [_format(count(row.frozen)) for row in rows],
        "shared": [_format(count(row.shared)) for row in rows],
        "bytes": [_format(sum(p.array.nbytes for p in row.new)) for row in rows],
        "dtype": [row.dtype for row in rows],
    }
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    return list(kept), list(zip(*kept.values(), strict=True))


def module_table(model: Any) -> str:
    """Return the table of a model as HTML: its modules, with the parameters of each."""
    rows, texts = layer_rows(model), []
    for row in rows:
        names = {p: name for name, p in reversed(list(row.module._named()))}
        shapes = [f"{names[p]} {p.shape}" for p in (*row.new, *row.shared)]
        texts.append("\n".join(shapes) or row.module.describe())
    total = sum(count(row.new) for row in rows)
    return html_table(*make_table(rows, "shapes", texts), notes=f"{total:,} parameters")


def _format(n: int) -> str:
    """Return a count as text, or an empty text for 0."""
    return f"{n:,}" if n else ""
