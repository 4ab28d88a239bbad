"""Text sampled from a character model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import check
from ..blocks import no_grad
from ..errors import argument_error, describe
from ..graph import unwrap
from ..nn.init import Rng, generator
from ..nn.module import eval_mode
from .call_model import call_model, require_model

if TYPE_CHECKING:
    from .vocabulary import CharVocab


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
    """Generate text with a model: draw one character at a time, and feed it back as the next input.

    If the model is a Module, it runs in evaluation mode (without dropout), and then returns to its
    previous mode.

    Parameters
    ----------
    model : callable
        ``model(x, state) -> (logits, state)``, with integers x of shape (T, 1) and logits of shape
        (T, 1, len(vocab)).
    vocab : CharVocab
        The vocabulary that the model was trained with.
    prime : str
        The string that the model reads first. It must not be empty.
    length : int
        The number of characters to generate after `prime`.
    temperature : float
        The number that the logits are divided by. If it is below 1, likely characters become more
        likely. If it is above 1, they become less likely. If it is 0, the most likely character is
        always taken.
    top_k : int, optional
        Draw only among the k most likely characters.
    rng : numpy.random.Generator or int, optional
        The generator that draws the characters, or a seed.

    Returns
    -------
    str
        `prime`, followed by the generated text.

    Raises
    ------
    ValueError
        If a setting is out of range, or `prime` is empty or contains an unknown character. If the
        logits do not have the shape (T, 1, len(vocab)), or a logit is NaN or +inf.
    TypeError
        If `vocab` is not a CharVocab, `model` is not callable, or `model` does not return
        (logits, state).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> def alternate(x, state):
    ...     return tg.Tensor(10 * np.eye(2, dtype="float32")[1 - x]), state
    >>> tg.text.sample(alternate, tg.text.CharVocab("ab"), "a", 5, temperature=0)
    'ababab'
    """
    characters = stream_sample(model, vocab, prime, length, temperature, top_k, rng)
    with eval_mode(model), no_grad():
        return "".join(characters)


def stream_sample(
    model: Any,
    vocab: CharVocab,
    prime: str,
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    rng: Rng = None,
) -> Iterator[str]:
    """Check the arguments of `sample`; return an iterator over `prime` and each drawn character.

    The caller must put the model into evaluation mode and turn gradients off. If the iterator did
    so itself, this would also hold for the caller's code between two characters.
    """
    if not hasattr(vocab, "encode") or not hasattr(vocab, "characters"):
        expected, got, fix = "a CharVocab", describe(vocab), "use tg.text.CharVocab(text)"
        raise argument_error("sample", "vocab", expected, got, fix, TypeError)
    if not prime:
        fix = f"pass {vocab.characters[0]!r}, for example"
        expected = "at least one character"
        raise argument_error("sample", "prime", expected, repr(prime), fix)
    fix = "use 1.0, which leaves the probabilities unchanged"
    temperature = check.number("sample", "temperature", temperature, fix=fix)
    top_k = None if top_k is None else check.count("sample", "top_k", top_k)
    length, rng = check.count("sample", "length", length, low=0), generator(rng)
    require_model("sample", model)
    indices = np.array([int(i) for i in vocab.encode(prime)])

    def draw_characters() -> Iterator[str]:
        logits, state = call_model("sample", model, indices[:, None], None)
        yield vocab.decode(indices.tolist())
        for _ in range(length):
            index = _draw(_last_logits(logits, len(vocab)), temperature, top_k, rng)
            yield vocab.characters[index]
            logits, state = call_model("sample", model, np.array([[index]]), state)

    return draw_characters()


def _last_logits(logits: Any, classes: int) -> np.ndarray:
    """Return the logits of the last step in float64; raise ValueError if they are not valid."""
    array = np.asarray(unwrap(logits))
    if array.ndim != 3 or array.shape[1:] != (1, classes):
        expected = f"logits of shape (T, 1, {classes}), one for each character of the vocabulary"
        got, fix = describe(logits), "use the vocabulary that the model was trained with"
        raise argument_error("sample", "model", expected, got, fix)
    last = array[-1, 0].astype(np.float64)
    if np.isnan(last).any() or last.max() == np.inf:
        expected, got = "logits without NaN and +inf", "nan or inf"
        fix = "load parameters saved before training diverged"
        raise argument_error("sample", "model", expected, got, fix)
    return last


def _draw(
    logits: np.ndarray, temperature: float, top_k: int | None, rng: np.random.Generator
) -> int:
    """Draw the index of one of the `top_k` largest logits, from softmax(logits / temperature)."""
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        # Among equal logits, keep the first ones, as argmax does, so that exactly k remain.
        dropped = np.argsort(-logits, kind="stable")[top_k:]
        logits = logits.copy()
        logits[dropped] = -np.inf
    shifted = (logits - logits.max()) / temperature
    p = np.exp(shifted)
    return int(rng.choice(len(p), p=p / p.sum()))
