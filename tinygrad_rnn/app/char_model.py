"""The character model that `tinygrad-rnn train` trains and `tinygrad-rnn sample` reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import numpy as np

from .. import check
from ..errors import argument_error
from ..nn import GRU, LSTM, RNN, Embedding, Linear, Module
from ..nn.init import Rng, generator
from ..serialize import load_metadata, load_with_metadata, save
from ..tensor import Tensor
from ..text import CharVocab, one_hot

__all__ = ["Architecture", "CharModel", "load_model", "save_model"]
FORMAT = "tinygrad_rnn character model 1"
LAYERS: dict[str, type[RNN] | type[GRU] | type[LSTM]] = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
SIZE_LIMIT = 10**12
"""All sizes must be below this bound. A larger size is a typing mistake."""
LAYER_LIMIT = 10**4
"""The number of layers must be below this bound, because each layer is built one by one."""


@dataclass(frozen=True)
class Architecture:
    """The kind of cell, the sizes and the dropout of a `CharModel`.

    Attributes
    ----------
    cell : {"rnn", "gru", "lstm"}
    embedding : int
        The length of each character's embedding; 0 for one-hot vectors.
    hidden : int
        The size of the state.
    layers : int
        The number of recurrent layers.
    dropout : float in [0, 1)
        The probability of dropout between layers.

    Raises
    ------
    ValueError
        If `cell` is not one of these strings, `embedding`, `hidden` or `layers` is not an integer
        in its range, or `dropout` is out of range.
    TypeError
        If `dropout` is not a number.

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
        check.one_of("CharModel", "cell", self.cell, LAYERS)
        for name, least, limit in (
            ("embedding", 0, SIZE_LIMIT),
            ("hidden", 1, SIZE_LIMIT),
            ("layers", 1, LAYER_LIMIT),
        ):
            size = getattr(self, name)
            if not isinstance(size, int) or not least <= size < limit:
                expected = f"an integer, at least {least} and below {limit:,}"
                fix = "give a whole number in this range"
                raise argument_error("CharModel", name, expected, repr(size), fix)
        check.probability("CharModel", "dropout", self.dropout)


class CharModel(Module):
    """A network that predicts the next character: embedding, recurrent layers, linear layer.

    Parameters
    ----------
    vocab : CharVocab
        The characters that the model reads and predicts.
    architecture : Architecture
    rng : numpy.random.Generator or int, optional
        The random generator, or its seed, for the initial weights and for dropout.

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
        dropout = architecture.dropout if architecture.layers > 1 else 0.0  # it acts between layers
        self.recurrent = LAYERS[architecture.cell](
            width, architecture.hidden, architecture.layers, dropout=dropout, rng=rng
        )
        self.output = Linear(architecture.hidden, len(vocab), rng=rng)

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, Any]:
        """Map indices (T, B) to logits (T, B, len(vocab)), and return the last state too."""
        if self.embedding is None:
            vectors = one_hot(x, len(self.vocab), self.dtype)
        else:
            vectors = self.embedding(x)
        hidden, state = self.recurrent(vectors, state)
        return self.output(hidden), state


def save_model(
    model: CharModel,
    path: str | os.PathLike[str],
    *,
    arrays: Mapping[str, np.ndarray] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write a model to a file, completely or not at all.

    The weights are arrays named ``model.*``. The header contains the vocabulary, the architecture,
    the notes, and a checksum of each part of the file.

    Parameters
    ----------
    model : CharModel
    path : path-like
    arrays : mapping of str to ndarray, optional
        Additional arrays to store, for example the optimizer's state.
    notes : mapping of str to JSON values, optional
        Additional values to store in the header.

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
    weights = {f"model.{name}": array for name, array in model.state_dict().items()}
    all_arrays = weights | dict(arrays or {})
    header = {
        "characters": model.vocab.characters,
        "architecture": asdict(model.architecture),
        "notes": dict(notes or {}),
    }
    header["checksums"] = _checksums(header, all_arrays)
    save(all_arrays, path, metadata={"format": FORMAT, "header": json.dumps(header)})


def load_model(
    path: str | os.PathLike[str],
) -> tuple[CharModel, dict[str, np.ndarray], dict[str, Any]]:
    """Read a model, with its additional arrays and notes, from a file that `save_model` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    model : CharModel
        In training mode; call ``model.eval()`` before sampling.
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
    # The metadata are checked before the arrays are read, because the arrays may be large.
    if load_metadata(path).get("format") != FORMAT:
        got = f"{os.fsdecode(path)!r}, which is another safetensors file"
        fix = "give a file that tinygrad-rnn train wrote"
        raise argument_error("load_model", "path", "a character model", got, fix)
    arrays, metadata = load_with_metadata(path)
    try:
        header = json.loads(metadata["header"])
        model = _build_model(header, arrays)
        notes = dict(header["notes"])
        _check_checksums(header, arrays)  # last: the other checks have more precise messages
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"missing {error}" if isinstance(error, KeyError) else error
        expected, got = "a whole character model", f"{os.fsdecode(path)!r} ({reason})"
        fix = "train the model again"
        raise argument_error("load_model", "path", expected, got, fix) from error
    others = {name: array for name, array in arrays.items() if not name.startswith("model.")}
    return model, others, notes


def _build_model(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> CharModel:
    """Return a model with the architecture in the header and the weights among the arrays."""
    vocab = CharVocab(header["characters"], order="given")
    architecture = Architecture(**header["architecture"])
    weights = select_prefix("model.", arrays)
    _check_weights(weights, len(vocab), architecture)
    dtypes = {array.dtype for array in weights.values()}
    dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float32)
    model = CharModel(vocab, architecture, rng=0)
    model.astype(dtype).load_state_dict(weights)
    return model


def select_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin with this prefix, under names without it."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def _checksums(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the CRC-32 of each part of the header and of each array, by name.

    With these checksums, an error message can name the damaged part.
    """
    parts = {**header, **header["notes"]}
    values = {
        name: crc32(json.dumps(part, sort_keys=True).encode())
        for name, part in parts.items()
        if name not in ("checksums", "notes")
    }
    return values | {
        name: crc32(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
        for name, array in arrays.items()
    }


def _check_checksums(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError if a part of a file is missing or differs from what `save_model` wrote."""
    stored, computed = header["checksums"], _checksums(header, arrays)
    names = stored.keys() | computed.keys()
    wrong = sorted(name for name in names if stored.get(name) != computed.get(name))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        listed = ", ".join(name.removeprefix("model.") for name in wrong[:3])
        raise ValueError(f"missing or altered since it was written: {listed}{more}")


def _check_weights(weights: Mapping[str, np.ndarray], characters: int, sizes: Architecture) -> None:
    """Raise ValueError if weights are not finite, or their shapes contradict the header.

    The check runs before the model is built, because the sizes in the header may be too large for
    memory.
    """
    shape = weights["output.weight"].shape
    if shape != (characters, sizes.hidden):
        raise ValueError(
            f"its header says {characters} characters and hidden size {sizes.hidden}, "
            f"but its output.weight has shape {shape}"
        )
    if sizes.layers > len(weights):
        raise ValueError(f"its header says {sizes.layers} layers, but it has {len(weights)} arrays")
    for name, expected in _large_weight_shapes(characters, sizes).items():
        if (shape := weights[name].shape) != expected:
            raise ValueError(f"its header requires shape {expected} of {name}, not {shape}")
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise ValueError(f"nan or inf in {name}: the file is damaged, or its training diverged")


def _large_weight_shapes(characters: int, sizes: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the embedding and the recurrent matrices in a model of these sizes.

    A file with matrices of these shapes is about as large as the model. So if the file fits in
    memory, the model does too.
    """
    rows = {"rnn": 1, "gru": 3, "lstm": 4}[sizes.cell] * sizes.hidden
    shapes: dict[str, tuple[int, ...]] = {}
    if sizes.embedding:
        shapes["embedding.weight"] = (characters, sizes.embedding)
    for i in range(sizes.layers):
        width = sizes.hidden if i else sizes.embedding or characters
        shapes[f"recurrent.weight_ih_l{i}"] = (rows, width)
        shapes[f"recurrent.weight_hh_l{i}"] = (rows, sizes.hidden)
    return shapes
