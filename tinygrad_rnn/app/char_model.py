"""A character model: what `tinygrad-rnn train` trains and `tinygrad-rnn sample` lets write."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import numpy as np

from ..errors import argument_error
from ..nn import GRU, LSTM, RNN, Embedding, Linear, Module
from ..nn.init import Rng, generator
from ..serialize import load_metadata, load_with_metadata, save
from ..tensor import Tensor
from ..text import CharVocab, one_hot

__all__ = ["Architecture", "CharModel", "load_model", "save_model"]
FORMAT = "tinygrad_rnn character model 1"
LAYERS: dict[str, type[RNN] | type[GRU] | type[LSTM]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}


LARGEST = 10**12
"""No size is as large: what is, is a slip."""


@dataclass(frozen=True)
class Architecture:
    """The sizes that a `CharModel` is built from.

    Attributes
    ----------
    cell : {"rnn", "gru", "lstm"}
    embedding : int
        How long the vector of a character is; 0 for one-hot.
    hidden : int
        The size of the state.
    layers : int
        How many recurrent layers.
    dropout : float in [0, 1)
        Between layers.

    Raises
    ------
    ValueError
        If `cell` is none of these, or a size no integer in its bounds.

    Examples
    --------
    >>> from tinygrad_rnn.app.char_model import Architecture
    >>> Architecture(cell="lstm", hidden=64)
    Architecture(cell='lstm', embedding=32, hidden=64, layers=1, dropout=0.0)
    """

    cell: str = "gru"
    embedding: int = 32
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.cell not in LAYERS:
            raise argument_error(
                "CharModel",
                "cell",
                expected="'rnn', 'gru' or 'lstm'",
                got=repr(self.cell),
                fix="use one of these",
            )
        for name, least in (("embedding", 0), ("hidden", 1), ("layers", 1)):
            size = getattr(self, name)
            if not isinstance(size, int) or not least <= size < LARGEST:
                wanted = f"an integer, at least {least} and below {LARGEST:,}"
                raise argument_error(
                    "CharModel", name, expected=wanted, got=repr(size), fix="check it"
                )


class CharModel(Module):
    """Characters to logits of the next character: embedding, recurrent layers, linear layer.

    Parameters
    ----------
    vocab : CharVocab
    architecture : Architecture
    rng : numpy.random.Generator or int, optional

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_rnn.app.char_model import Architecture, CharModel
    >>> from tinygrad_rnn.text import CharVocab
    >>> model = CharModel(CharVocab("Math"), Architecture(hidden=5), rng=0)
    >>> logits, state = model(np.array([[0, 1], [2, 3], [1, 1]]))
    >>> logits.shape, state.shape
    ((3, 2, 4), (1, 2, 5))
    """

    def __init__(self, vocab: CharVocab, architecture: Architecture, *, rng: Rng = None):
        super().__init__()
        rng = generator(rng)
        self.vocab, self.architecture = vocab, architecture
        width = architecture.embedding or len(vocab)
        self.embedding = Embedding(len(vocab), width, rng=rng) if architecture.embedding else None
        self.recurrent = LAYERS[architecture.cell](
            width, architecture.hidden, architecture.layers, dropout=architecture.dropout, rng=rng
        )
        self.output = Linear(architecture.hidden, len(vocab), rng=rng)

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, Any]:
        """Integers (T, B) to logits (T, B, vocabulary) and the state after the last step."""
        rows = (
            one_hot(x, len(self.vocab), self.dtype) if self.embedding is None else self.embedding(x)
        )
        hidden, state = self.recurrent(rows, state)
        return self.output(hidden), state


def save_model(
    model: CharModel,
    path: str | os.PathLike[str],
    *,
    arrays: Mapping[str, np.ndarray] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write a model, whole or not at all: weights as ``model.*``, vocabulary and sizes in the header, a checksum of each.

    Parameters
    ----------
    model : CharModel
    path : path-like
    arrays : mapping of str to ndarray, optional
        What is kept beside the model: what training needs to go on.
    notes : mapping of str to JSON values, optional
        As `arrays`.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinygrad_rnn.app.char_model import Architecture, CharModel, load_model, save_model
    >>> from tinygrad_rnn.text import CharVocab
    >>> model = CharModel(CharVocab("Math"), Architecture(hidden=5), rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     save_model(model, path, notes={"epoch": 3})
    ...     again, arrays, notes = load_model(path)
    >>> again.vocab, arrays, notes
    (CharVocab('Maht'), {}, {'epoch': 3})
    """
    everything = {f"model.{name}": array for name, array in model.state_dict().items()} | dict(
        arrays or {}
    )
    header = {
        "characters": model.vocab.characters,
        "architecture": asdict(model.architecture),
        "notes": dict(notes or {}),
    }
    header["checksums"] = _checksums(header, everything)
    save(everything, path, metadata={"format": FORMAT, "header": json.dumps(header)})


def load_model(
    path: str | os.PathLike[str],
) -> tuple[CharModel, dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_model` wrote: the model, the arrays and the notes beside it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    model : CharModel
        In training mode; say ``model.eval()`` before it writes.
    arrays : dict of str to ndarray
    notes : dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or is not a character model.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinygrad_rnn.app.char_model import Architecture, CharModel, load_model, save_model
    >>> from tinygrad_rnn.text import CharVocab, sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     save_model(CharModel(CharVocab("Math"), Architecture(hidden=5), rng=0), path)
    ...     model = load_model(path)[0].eval()
    >>> len(sample(model, model.vocab, "M", 10, rng=0))
    11
    """
    if load_metadata(path).get("format") != FORMAT:  # before its arrays, of any size, are read
        raise argument_error(
            "load_model",
            "path",
            expected="a character model",
            got=f"{str(path)!r}, another safetensors file",
            fix="give a file that train wrote",
        )
    arrays, metadata = load_with_metadata(path)
    try:
        header = json.loads(metadata["header"])
        vocab, architecture = (
            CharVocab(header["characters"], order="given"),
            Architecture(**header["architecture"]),
        )
        weights = {
            name.removeprefix("model."): array
            for name, array in arrays.items()
            if name.startswith("model.")
        }
        _check_weights(weights, len(vocab), architecture)
        model = CharModel(vocab, architecture, rng=0)
        dtypes = {array.dtype for array in weights.values()}
        model.astype(dtypes.pop() if len(dtypes) == 1 else np.float32).load_state_dict(weights)
        notes = dict(header["notes"])
        _check_checksums(header, arrays)  # last, for what is wrong in itself says more
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"without {error}" if isinstance(error, KeyError) else error
        raise argument_error(
            "load_model",
            "path",
            expected="a whole character model",
            got=f"{str(path)!r} ({why})",
            fix="train it again",
        ) from error
    return (
        model,
        {name: array for name, array in arrays.items() if not name.startswith("model.")},
        notes,
    )


def _checksums(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The CRC of everything in a file, by name, so that a damaged one can say where."""
    parts = {**header, **header["notes"]}
    sums = {
        name: crc32(json.dumps(part, sort_keys=True).encode())
        for name, part in parts.items()
        if name not in ("checksums", "notes")
    }
    return sums | {
        name: crc32(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
        for name, array in arrays.items()
    }


def _check_checksums(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse a file in which something is not what `save_model` wrote."""
    kept, found = header["checksums"], _checksums(header, arrays)
    wrong = sorted(name for name in kept.keys() | found.keys() if kept.get(name) != found.get(name))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        names = ", ".join(name.removeprefix("model.") for name in wrong[:3])
        raise ValueError(f"missing or altered since it was written: {names}{more}")


def _check_weights(weights: Mapping[str, np.ndarray], characters: int, sizes: Architecture) -> None:
    """Refuse weights that are not finite, or of other sizes than the header says, before a model of these sizes is built."""
    shape = weights["output.weight"].shape
    if shape != (characters, sizes.hidden):
        raise ValueError(
            f"its header says {characters} characters and hidden size {sizes.hidden}, its output.weight has shape {shape}"
        )
    if sizes.layers > len(weights):
        raise ValueError(f"its header says {sizes.layers} layers, it has {len(weights)} arrays")
    for name, expected in _large_weights(characters, sizes).items():
        if weights[name].shape != expected:
            raise ValueError(
                f"its header asks for a {name} of shape {expected}, its own has shape {weights[name].shape}"
            )
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise ValueError(f"nan or inf in {name}: it is damaged, or its training diverged")


def _large_weights(characters: int, sizes: Architecture) -> dict[str, tuple[int, ...]]:
    """The shapes of the matrices in a model of these sizes: with these in a file the model is no larger than the file."""
    rows, width = (
        {"rnn": 1, "gru": 3, "lstm": 4}[sizes.cell] * sizes.hidden,
        sizes.embedding or characters,
    )
    shapes: dict[str, tuple[int, ...]] = (
        {"embedding.weight": (characters, width)} if sizes.embedding else {}
    )
    for i in range(sizes.layers):
        shapes |= {
            f"recurrent.weight_ih_l{i}": (rows, sizes.hidden if i else width),
            f"recurrent.weight_hh_l{i}": (rows, sizes.hidden),
        }
    return shapes
