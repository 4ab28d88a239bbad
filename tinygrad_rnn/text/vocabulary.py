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
        A string, or an iterable of characters. Duplicates are dropped.
    order : {"sorted", "given"}
        ``"sorted"`` sorts by code point, so that the order does not depend on the text;
        ``"given"`` keeps the order of first occurrence.

    Attributes
    ----------
    characters : str
        The characters of the vocabulary, in order.
    index : dict of str to int
        The index of each character.

    Raises
    ------
    ValueError
        If there are no characters, or `order` is neither "sorted" nor "given".
    TypeError
        If `characters` is neither a str nor an iterable of str. Bytes are not accepted.

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
            name, expected, got = "characters", "a str, or an iterable of str", describe(characters)
            fix = "pass a str (decode bytes first)"
            raise argument_error("CharVocab", name, expected, got, fix, TypeError) from error
        fix = "pass a string that is not empty"
        check.require(unique, "CharVocab", "characters", "at least one character", "none", fix)
        check.one_of("CharVocab", "order", order, ("sorted", "given"))
        self.characters = "".join(sorted(unique) if order == "sorted" else unique)
        self.index = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return character in self.index

    def encode(self, text: str) -> np.ndarray:
        """Return the indices of the characters of `text`, as int64 of shape (len(text),).

        Raises
        ------
        ValueError
            If a character is not in the vocabulary; the message names the character and its
            position.
        TypeError
            If `text` is not a str.
        """
        fix = "pass a str (decode bytes first)"
        check.instance("CharVocab.encode", "text", text, str, "a str", fix)
        try:
            return np.array([self.index[c] for c in text], dtype=np.int64)
        except KeyError as error:
            position = next(i for i, c in enumerate(text) if c not in self.index)
            expected = f"characters of the vocabulary {_shorten(self.characters)}"
            got = f"{text[position]!r} at position {position}"
            fix = "remove this character, or build the vocabulary from all characters of the text"
            raise argument_error("CharVocab.encode", "text", expected, got, fix) from error

    def decode(self, indices: Iterable[int]) -> str:
        """Return the text that a sequence of indices encodes.

        Raises
        ------
        ValueError
            If `indices` is not a one-dimensional sequence, or an index is not in [0, len(vocab));
            the message names the index and its position.
        TypeError
            If the indices are not integers.
        """
        is_sequence = isinstance(indices, Iterable) and getattr(indices, "shape", None) != ()
        array = np.asarray(list(indices)) if is_sequence else np.array(None)
        if array.ndim != 1:
            expected, got = "a one-dimensional sequence of integers", describe(indices)
            fix = "pass [5] for one index, or indices.ravel() for an array"
            raise argument_error("CharVocab.decode", "indices", expected, got, fix)
        check.class_indices("CharVocab.decode", "indices", array, len(self))
        return "".join(self.characters[i] for i in array.tolist())

    def __repr__(self) -> str:
        return f"CharVocab({self.characters!r})"


def one_hot(indices: Any, classes: int, dtype: Any = None) -> np.ndarray:
    """Return one-hot rows of shape (..., classes): each row is 1 at its index, and 0 elsewhere.

    Parameters
    ----------
    indices : integers of shape (...)
    classes : int
        The length of each row.
    dtype : numpy.dtype, optional
        The dtype of the result; by default, `get_default_dtype()`.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If an index is not in [0, classes); −1 never means the last class.
    TypeError
        If `indices` are not integers, or `dtype` is not a dtype of real numbers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.text.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices = check.real_array("one_hot", "indices", indices)
    classes = check.count("one_hot", "classes", classes)
    indices = check.class_indices("one_hot", "indices", indices, classes)
    dtype = check.real_dtype(dtype or get_default_dtype(), "one_hot")
    return (indices[..., None] == np.arange(classes)).astype(dtype)


def _shorten(characters: str) -> str:
    """Return the repr of a string, cut after 37 characters if it has more than 40."""
    return repr(characters) if len(characters) <= 40 else repr(characters[:37]) + "…"
