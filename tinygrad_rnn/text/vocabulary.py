"""The vocabulary of a character model: characters, their indices, and one-hot rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import check
from ..dtypes import get_default_dtype
from ..errors import argument_error, describe


class CharVocab:
    """The characters of a text, in a fixed order, and their indices.

    Parameters
    ----------
    characters : iterable of str
        A text, or its characters. Each is kept once.
    order : {"sorted", "given"}
        Sorted by code point, so that the order does not depend on the text; or in the order of first occurrence.

    Attributes
    ----------
    characters : str
        Those of the vocabulary, in order.
    index : dict of str to int
        The place of each.

    Raises
    ------
    ValueError
        If there are no characters, or `order` is neither.
    TypeError
        If `characters` are no text, bytes for example.

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
            got, fix = describe(characters), "decode bytes to a str"
            raise argument_error(
                "CharVocab",
                "characters",
                expected="a text, or its characters",
                got=got,
                fix=fix,
                kind=TypeError,
            ) from error
        if not unique:
            raise argument_error(
                "CharVocab",
                "characters",
                expected="at least one character",
                got="none",
                fix="pass a text",
            )
        if order not in ("sorted", "given"):
            raise argument_error(
                "CharVocab",
                "order",
                expected="'sorted' or 'given'",
                got=repr(order),
                fix="use one of these",
            )
        self.characters = "".join(sorted(unique) if order == "sorted" else unique)
        self.index = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self.index

    def encode(self, text: str) -> np.ndarray:
        """The indices of the characters of `text`, int64 of shape (len(text),).

        Raises
        ------
        ValueError
            If a character is unknown; the message names it and its position.
        TypeError
            If `text` is no str.
        """
        if not isinstance(text, str):
            raise argument_error(
                "CharVocab.encode",
                "text",
                expected="a str",
                got=describe(text),
                fix="decode bytes to one",
                kind=TypeError,
            )
        try:
            return np.array([self.index[c] for c in text], dtype=np.int64)
        except KeyError as error:
            position = next(i for i, c in enumerate(text) if c not in self.index)
            raise argument_error(
                "CharVocab.encode",
                "text",
                expected=f"characters of the vocabulary {_shortened(self.characters)}",
                got=f"{text[position]!r} at position {position}",
                fix="leave it out, or build the vocabulary from a text that has it",
            ) from error

    def decode(self, indices: Iterable[int]) -> str:
        """The text of a sequence of indices.

        Raises
        ------
        ValueError
            If an index is not in [0, len(vocab)) (the message names it and its position), or there is more than one axis.
        TypeError
            If there are other things than integers.
        """
        several = isinstance(indices, Iterable) and getattr(indices, "shape", None) != ()
        array = np.asarray(list(indices)) if several else np.array(None)
        if array.ndim != 1:
            raise argument_error(
                "CharVocab.decode",
                "indices",
                expected="a sequence of integers",
                got=describe(indices),
                fix="use ravel()",
            )
        check.class_indices("CharVocab.decode", "indices", array, len(self))
        return "".join(self.characters[i] for i in array.tolist())

    def __repr__(self) -> str:
        return f"CharVocab({self.characters!r})"


def one_hot(indices: Any, classes: int, dtype: Any = None) -> np.ndarray:
    """Rows of zeros with a one at the index: shape (..., classes), of the default dtype unless told otherwise.

    Parameters
    ----------
    indices : integers of shape (...)
    classes : int
    dtype : numpy.dtype, optional
        The default dtype if missing.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If an index is not in [0, classes): −1 never means the last.
    TypeError
        If there are other things than integers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices, classes = (
        check.real_array("one_hot", "indices", indices),
        check.count("one_hot", "classes", classes),
    )
    indices = check.class_indices("one_hot", "indices", indices, classes)
    return np.eye(classes, dtype=check.real_dtype(dtype or get_default_dtype(), "one_hot"))[indices]


def _shortened(characters: str) -> str:
    return repr(characters) if len(characters) <= 40 else repr(characters[:37]) + "…"
