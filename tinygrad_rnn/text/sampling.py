"""A model that writes: each character that is drawn is what it reads next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import check
from ..errors import argument_error, describe
from ..graph import Value, no_grad
from ..nn.init import Rng, generator
from ..nn.module import eval_mode

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
    """Let a model write: each character that is drawn is what the model reads next.

    A Module writes in evaluation mode, without dropout, and is in the mode it was in afterwards.

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
        If a setting is out of range, `prime` is empty or has an unknown character, or the model's logits are not one finite number
        for each character.
    TypeError
        If `vocab` is no CharVocab, or `model` cannot be called or does not return (logits, state).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> def alternate(x, state):
    ...     return tg.Tensor(10 * np.eye(2, dtype="float32")[1 - x]), state
    >>> tg.text.sample(alternate, tg.text.CharVocab("ab"), "a", 5, temperature=0)
    'ababab'
    """
    if not hasattr(vocab, "encode") or not hasattr(vocab, "characters"):
        raise argument_error(
            "sample",
            "vocab",
            expected="a CharVocab",
            got=describe(vocab),
            fix="use tg.text.CharVocab(text)",
            kind=TypeError,
        )
    if not prime:
        raise argument_error(
            "sample",
            "prime",
            expected="at least one character",
            got="''",
            fix=f"start with {vocab.characters[0]!r}, say",
        )
    temperature = check.number("sample", "temperature", temperature, fix="1.0 is as trained")
    top_k = None if top_k is None else check.count("sample", "top_k", top_k)
    length, rng = check.count("sample", "length", length, low=0), generator(rng)
    wanted, fix = "a function of (x, state) that returns (logits, state)", "pass the Module itself"
    check.callable("sample", "model", model, wanted, fix)
    written = [int(i) for i in vocab.encode(prime)]
    with eval_mode(model), no_grad():
        logits, state = _called(model, np.array(written)[:, None], None)
        for _ in range(length):
            chosen = _draw(_last(logits, len(vocab)), temperature, top_k, rng)
            written.append(chosen)
            logits, state = _called(model, np.array([[chosen]]), state)
    return vocab.decode(written)


def _called(model: Any, x: np.ndarray, state: Any) -> tuple[Any, Any]:
    """What the model says, refused if it is not (logits, state)."""
    result = model(x, state)
    if not (isinstance(result, tuple) and len(result) == 2):
        wanted, fix = (
            "a function that returns (logits, state)",
            "hand on the state of the recurrent layer",
        )
        raise argument_error(
            "sample",
            "model",
            expected=wanted,
            got=describe(result).replace("\n", " "),
            fix=fix,
            kind=TypeError,
        )
    return result


def _last(logits: Any, classes: int) -> np.ndarray:
    """The logits after the last step, in float64; refused if there is not one for each character."""
    array = logits.array if isinstance(logits, Value) else np.asarray(logits)
    if array.ndim != 3 or array.shape[1:] != (1, classes):
        wanted, fix = (
            f"logits of shape (T, 1, {classes}), one for each character of the vocabulary",
            "use the model's own vocabulary",
        )
        raise argument_error("sample", "model", expected=wanted, got=describe(logits), fix=fix)
    last = array[-1, 0].astype(np.float64)
    if np.isnan(last).any() or last.max() == np.inf:
        raise argument_error(
            "sample",
            "model",
            expected="logits that are numbers",
            got="nan or inf",
            fix="look at its parameters: training diverged",
        )
    return last


def _draw(
    logits: np.ndarray, temperature: float, top_k: int | None, rng: np.random.Generator
) -> int:
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
