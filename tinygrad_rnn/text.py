"""Text for character models: vocabulary, batches for truncated BPTT, sampling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .dtypes import get_default_dtype, require_count, require_number
from .errors import complaint, describe
from .graph import Value, no_grad
from .nn.init import Rng, generator


class CharVocab:
    """The characters of a text, in a fixed order, and their indices.

    Parameters
    ----------
    characters : iterable of str
        A text, or its characters. Each is kept once, sorted, so that the order does not depend on
        the run; give ``order="given"`` to keep the order of first occurrence.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> vocab = tg.text.CharVocab("MathMath")
    >>> vocab.characters
    'Maht'
    >>> vocab.encode("Math")
    array([0, 1, 3, 2])
    >>> vocab.decode([0, 1])
    'Ma'
    """

    def __init__(self, characters: Iterable[str], *, order: str = "sorted"):
        try:
            unique = dict.fromkeys("".join(characters))
        except TypeError as error:
            got, remedy = describe(characters), "decode bytes to a str"
            raise TypeError(complaint("CharVocab", "characters", expected="a text, or its characters", got=got, remedy=remedy)) from error
        if not unique:
            raise ValueError(complaint("CharVocab", "characters", expected="at least one character", got="none", remedy="pass a text"))
        if order not in ("sorted", "given"):
            raise ValueError(complaint("CharVocab", "order", expected="'sorted' or 'given'", got=repr(order), remedy="use one of these"))
        self.characters = "".join(sorted(unique) if order == "sorted" else unique)
        self.index = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self.index

    def encode(self, text: str) -> np.ndarray:
        """The indices of the characters of `text`, shape (len(text),).

        Raises
        ------
        ValueError
            If a character is unknown; the message names it and its position.
        """
        if not isinstance(text, str):
            raise TypeError(complaint("CharVocab.encode", "text", expected="a str", got=describe(text), remedy="decode bytes to one"))
        try:
            return np.array([self.index[c] for c in text], dtype=np.int64)
        except KeyError as error:
            position = next(i for i, c in enumerate(text) if c not in self.index)
            raise ValueError(
                complaint(
                    "CharVocab.encode",
                    "text",
                    expected=f"characters of the vocabulary {_shortened(self.characters)}",
                    got=f"{text[position]!r} at position {position}",
                    remedy="leave it out, or build the vocabulary from a text that has it",
                )
            ) from error

    def decode(self, indices: Iterable[int]) -> str:
        """The text of a sequence of indices.

        Raises
        ------
        ValueError
            If an index is not in [0, len(vocab)); the message names it and its position.
        TypeError
            If there are other things than integers.
        """
        from .nn.functional import check_classes

        several = isinstance(indices, Iterable) and getattr(indices, "shape", None) != ()
        array = np.asarray(list(indices)) if several else np.array(None)
        if array.ndim != 1:
            raise ValueError(
                complaint("CharVocab.decode", "indices", expected="a sequence of integers", got=describe(indices), remedy="use ravel()")
            )
        check_classes("CharVocab.decode", "indices", array, len(self))
        return "".join(self.characters[i] for i in array.tolist())

    def __repr__(self) -> str:
        return f"CharVocab({self.characters!r})"


def one_hot(indices: Any, classes: int, dtype: Any = None) -> np.ndarray:
    """Rows of zeros with a one at the index: shape (..., classes), of the default dtype unless told otherwise.

    Raises
    ------
    ValueError
        If an index is not in [0, classes).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    from .nn.functional import check_classes

    indices, classes = np.asarray(indices), require_count("one_hot", "classes", classes)
    check_classes("one_hot", "indices", indices, classes)
    return np.eye(classes, dtype=dtype or get_default_dtype())[indices]


def columns(indices: Sequence[int] | np.ndarray, batch_size: int) -> np.ndarray:
    """A text as `batch_size` streams that run side by side: shape (length, batch_size), time first.

    Stream b is the b-th stretch of the text, so that a state carried from one batch to the next
    continues where that stream stopped. What does not fill all streams is left out at the end.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.columns([0, 1, 2, 3, 4, 5, 6], 2)
    array([[0, 3],
           [1, 4],
           [2, 5]])
    """
    indices, batch_size = np.asarray(indices), require_count("columns", "batch_size", batch_size)
    if indices.ndim != 1:
        wanted = "an encoded text, integers of shape (length,)"
        raise ValueError(complaint("columns", "indices", expected=wanted, got=describe(indices), remedy="use vocab.encode(text)"))
    length = len(indices) // batch_size
    if length < 2:
        raise ValueError(
            complaint(
                "columns",
                "batch_size",
                expected=f"at most {len(indices) // 2}, so that each stream has two characters",
                got=str(batch_size),
                remedy="use a smaller batch or a longer text",
            )
        )
    return np.ascontiguousarray(indices[: length * batch_size].reshape(batch_size, length).T)


def batches(indices: Sequence[int] | np.ndarray, batch_size: int, steps: int, *, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches for truncated BPTT: inputs and targets of shape (steps, batch_size), one pass through the text.

    The target of a character is the one after it. Consecutive batches continue each other, so carry
    the state over, detached. The last batch may have fewer steps.

    Parameters
    ----------
    indices : sequence of int
        An encoded text.
    batch_size, steps : int
    start : int
        How many batches to pass over: where to go on after an interruption.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> for x, y in tg.text.batches([0, 1, 2, 3, 4, 5, 6, 7], batch_size=2, steps=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 4], [1, 5]] [[1, 5], [2, 6]]
    [[2, 6]] [[3, 7]]
    """
    steps, start = require_count("batches", "steps", steps), require_count("batches", "start", start, low=0)
    streams = columns(indices, batch_size)
    for first in range(start * steps, len(streams) - 1, steps):
        last = min(first + steps, len(streams) - 1)
        yield streams[first:last], streams[first + 1 : last + 1]


def count_batches(characters: int, batch_size: int, steps: int) -> int:
    """How many batches `batches` yields for a text of so many characters."""
    return -(-(characters // batch_size - 1) // steps)


def sample(
    model: Any,
    vocab: CharVocab,
    prime: str,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    rng: Rng = None,
) -> str:
    """Let a model write: each character that is drawn is what the model reads next.

    Parameters
    ----------
    model : callable
        ``model(x, state) -> (logits, state)``, where x is integers of shape (T, 1) and logits (T, 1, len(vocab)).
    vocab : CharVocab
    prime : str
        What it reads first; at least one character.
    length : int
        How many characters it writes after that.
    temperature : float
        Logits are divided by it: below 1 bolder choices, above 1 more even ones. 0 always takes the likeliest.
    top_k : int, optional
        Draw among the k likeliest only.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    str
        `prime` and what was written.

    Raises
    ------
    ValueError
        If a setting is out of range, `prime` has an unknown character, or the model's logits are not one for each character.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> def alternate(x, state):
    ...     return tg.Tensor(10 * np.eye(2, dtype="float32")[1 - x]), state
    >>> tg.text.sample(alternate, tg.text.CharVocab("ab"), "a", 5, temperature=0)
    'ababab'
    """
    if not prime:
        raise ValueError(
            complaint("sample", "prime", expected="at least one character", got="''", remedy=f"start with {vocab.characters[0]!r}, say")
        )
    temperature = require_number("sample", "temperature", temperature, remedy="1.0 is as trained")
    top_k = None if top_k is None else require_count("sample", "top_k", top_k)
    length, rng = require_count("sample", "length", length, low=0), generator(rng)
    written = [int(i) for i in vocab.encode(prime)]
    with no_grad():
        logits, state = model(np.array(written)[:, None], None)
        for _ in range(length):
            chosen = _draw(_last(logits, len(vocab)), temperature, top_k, rng)
            written.append(chosen)
            logits, state = model(np.array([[chosen]]), state)
    return vocab.decode(written)


def _last(logits: Any, classes: int) -> np.ndarray:
    """The logits after the last step, in float64; refused if there is not one for each character."""
    array = logits.array if isinstance(logits, Value) else np.asarray(logits)
    if array.ndim != 3 or array.shape[1:] != (1, classes):
        wanted, remedy = f"logits of shape (T, 1, {classes}), one for each character of the vocabulary", "use the model's own vocabulary"
        raise ValueError(complaint("sample", "model", expected=wanted, got=describe(logits), remedy=remedy))
    last = array[-1, 0].astype(np.float64)
    if np.isnan(last).any() or last.max() == np.inf:
        raise ValueError(
            complaint(
                "sample", "model", expected="logits that are numbers", got="nan or inf", remedy="look at its parameters: training diverged"
            )
        )
    return last


def _draw(logits: np.ndarray, temperature: float, top_k: int | None, rng: np.random.Generator) -> int:
    """One index from softmax(logits / temperature), among the `top_k` largest."""
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        # Exactly k, also where several are equal: the earlier ones, as argmax would.
        worst = np.argsort(-logits, kind="stable")[top_k:]
        logits = logits.copy()
        logits[worst] = -np.inf
    shifted = (logits - logits.max()) / temperature
    p = np.exp(shifted)
    return int(rng.choice(len(p), p=p / p.sum()))


def _shortened(characters: str) -> str:
    return repr(characters) if len(characters) <= 40 else repr(characters[:37]) + "…"
