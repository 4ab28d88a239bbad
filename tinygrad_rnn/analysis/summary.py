"""A table of a model: its layers, the shapes of their outputs, and their parameters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import check, tree
from ..blocks import Recorder, no_grad
from ..dtypes import get_default_dtype
from ..errors import argument_error
from ..graph import unwrap
from ..nn import Module, Recurrent
from ..nn.html_table import html_table
from ..nn.layer_rows import LayerRow, count, layer_rows, make_table
from ..nn.module import eval_mode
from ..tensor import Tensor
from .plain_table import align_columns

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Summary", "summary"]

NUMBERS = {"parameters", "frozen", "shared", "bytes"}
"""The columns that hold numbers."""

Call = tuple[int, str]
"""The number of calls of a module, and the shapes of its output."""


@dataclass(frozen=True, repr=False)
class Summary:
    """The result of `summary`. It prints as a table, and a notebook shows it as one.

    Attributes
    ----------
    rows : list of LayerRow
        One for each module. A row has ``name``, ``module``, and two tuples of the module's own
        parameters: ``shared`` holds those that a row above has too, and ``new`` holds the others.
    outputs : dict of str to (int, str)
        For each module by name, the number of its calls and the shapes of its output. A cell is
        called once in each time step; its shapes are those of one step.
    buffers : int
        The bytes of all buffers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.tanh, tg.nn.Linear(4, 2, rng=1))
    >>> result = tg.summary(model, (5, 3))
    >>> result.parameters, result.trainable, result.frozen, result.memory
    (26, 26, 0, 104)
    >>> result.outputs["2"]
    (1, '(5, 2)')
    """

    rows: list[LayerRow]
    outputs: dict[str, Call]
    buffers: int

    @property
    def parameters(self) -> int:
        """The number of entries of all parameters. A shared parameter counts once."""
        return sum(count(row.new) for row in self.rows)

    @property
    def trainable(self) -> int:
        """The number of entries of the parameters that require gradients."""
        return self.parameters - self.frozen

    @property
    def frozen(self) -> int:
        """The number of entries of the parameters that require no gradients."""
        return sum(count(row.frozen) for row in self.rows)

    @property
    def memory(self) -> int:
        """The bytes of all parameters."""
        return sum(p.array.nbytes for row in self.rows for p in row.new)

    def _table(self) -> tuple[list[str], list[Any]]:
        """Return the header and the rows of the table, as text."""
        called = [self.outputs.get(row.name, (0, "")) for row in self.rows]
        texts = [f"{calls} × {shapes}" if calls > 1 else shapes for calls, shapes in called]
        return make_table(self.rows, "output", texts)

    def _notes(self) -> str:
        """Return the lines below the table, with the totals of all rows."""
        frozen = sum(p.array.nbytes for row in self.rows for p in row.frozen)
        memory = f"parameters {self.memory:,} bytes, gradients {self.memory - frozen:,}"
        memory += f", buffers {self.buffers:,}" if self.buffers else ""
        return (
            f"{self.parameters:,} parameters: {self.trainable:,} trainable, {self.frozen:,} frozen"
            f"\n{memory}"
        )

    def __rich__(self) -> Table:
        """Return the table for `rich.print`."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        header, rows = self._table()
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, caption_justify="left")
        table.caption, table.caption_style = Text(f"\n{self._notes()}"), ""
        for title in header:
            justify = "right" if title in NUMBERS else "left"
            table.add_column(title, justify=justify, no_wrap=title != "output")
        for cells in rows:
            table.add_row(*map(Text, cells))
        return table

    def __repr__(self) -> str:
        if find_spec("rich") is None:
            title, *lines = align_columns(*self._table(), right=NUMBERS)
            rule = "─" * max(map(len, [title, *lines]))
            return "\n".join([title, rule, *lines, "", self._notes()])
        from rich.console import Console

        text = StringIO()
        width = shutil.get_terminal_size().columns
        Console(file=text, width=width, color_system=None).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines())

    def _repr_html_(self) -> str:
        return html_table(*self._table(), notes=self._notes())


def summary(model: Module, *inputs: Any, dtype: Any = None, **settings: Any) -> Summary:
    """Return a table of a model: layers, shapes of outputs, parameters and memory.

    The model is called once, in evaluation mode and without recording a graph. Its mode and its
    buffers are then as before.

    Parameters
    ----------
    model : Module
        The model. A compiled one is run step by step.
    *inputs : array, Tensor, or tuple of int
        The inputs of the call. A tuple of integers is the shape of an input of zeros. Without any
        inputs, the table has no outputs.
    dtype : numpy.dtype, optional
        The dtype of inputs that are given as shapes. The default is that of the first parameter; an
        `Embedding` needs ``dtype=int``.
    **settings
        Named arguments of the call, such as ``lengths``.

    Returns
    -------
    Summary

    Raises
    ------
    TypeError
        If `model` is not a Module.
    ValueError
        If a shape has a negative size.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> print(tg.summary(tg.nn.GRU(3, 4, num_layers=2, rng=0), (5, 2, 3)))
    layer           output                 parameters   bytes   dtype
    ───────────────────────────────────────────────────────────────────
    GRU             (5, 2, 4), (2, 2, 4)
      l0: GRUCell   5 × (2, 4)                    108     432   float32
      l1: GRUCell   5 × (2, 4)                    120     480   float32
    <BLANKLINE>
    228 parameters: 228 trainable, 0 frozen
    parameters 912 bytes, gradients 912
    """
    fix = "pass nn.GRU(...), or another model"
    check.instance("summary", "model", model, Module, "a Module", fix)
    first = next((p.dtype for p in model.parameters()), get_default_dtype())
    dtype = first if dtype is None else check.dtype("summary", dtype)
    given = [Tensor(_zeros(i, x, dtype)) if _is_shape(x) else x for i, x in enumerate(inputs)]
    watch = CallWatch()
    if given or settings:
        with watch, _with_buffers_kept(model), eval_mode(model), no_grad():
            model(*given, **settings)
    calls = watch.calls
    outputs = {
        name: calls[id(module)] for name, module in model._named_modules() if id(module) in calls
    }
    buffers = sum(buffer.array.nbytes for _, buffer in model.named_buffers())
    return Summary(layer_rows(model), outputs, buffers)


def _is_shape(x: Any) -> bool:
    """Return True for a tuple of integers, which is the shape of an input."""
    return isinstance(x, tuple) and all(type(n) is int for n in x)


def _zeros(i: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of zeros for input number `i`, which was given as a shape."""
    if min(shape, default=0) < 0:
        fix = "write 1 in place of -1, if that stands for any batch size"
        raise argument_error("summary", f"inputs[{i}]", "sizes of 0 or more", str(shape), fix)
    return np.zeros(shape, dtype)


class CallWatch(Recorder):
    """A block that counts the calls of each module, and notes the shapes of its output.

    Attributes
    ----------
    calls : dict of int to Call
        By the `id` of the module.
    """

    def __init__(self) -> None:
        self.calls: dict[int, Call] = {}

    def call(self, module: Any, args: Any, kwargs: Any) -> Any:
        """Call the module, and count the call."""
        output = self.outer.call(module, args, kwargs)
        times = self.calls.get(id(module), (0, ""))[0] + 1
        self.calls[id(module)] = times, _format_shapes(output)
        layer = module._original
        if isinstance(layer, Recurrent):
            _note_cells(self.calls, layer, np.shape(unwrap(args[0])) if args else ())
        return output


def _note_cells(calls: dict[int, Call], layer: Recurrent[Any], shape: tuple[int, ...]) -> None:
    """Count the steps of the cells that have `unroll`, because a layer does not call these."""
    if layer.batch_first and len(shape) == 3:
        shape = (shape[1], shape[0], shape[2])
    for _, cell in layer.children():
        if hasattr(cell, "unroll") and shape:
            times = calls.get(id(cell), (0, ""))[0] + shape[0]
            calls[id(cell)] = times, str((*shape[1:-1], layer.hidden_size))


def _format_shapes(output: Any) -> str:
    """Return the shapes of the arrays in an output, which may be nested."""
    shapes: list[str] = []
    tree.map(lambda part: shapes.append(str(np.shape(unwrap(part)))), output)
    return ", ".join(shapes)


@contextmanager
def _with_buffers_kept(model: Module) -> Iterator[None]:
    """Restore the array that each buffer had before the block."""
    kept = [
        (module, name, buffer, buffer.array.copy())
        for module in model.modules()
        for name, buffer in module._own("buffers")
    ]
    try:
        yield
    finally:
        for module, name, buffer, array in kept:
            buffer.array = array
            module.__dict__[name] = buffer
