"""Sums of products over named axes: `einsum`."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np

from ..errors import argument_error, describe, format_count
from .composition import composition
from .definition import op
from .operands import as_operand


@op(
    "einsum({subscripts}; {operands})",
    shapes="as the subscripts say",
    sample=lambda r: [
        ((r(3, 4), r(4, 2)), {"subscripts": "ij,jk->ik"}),
        ((r(3, 4),), {"subscripts": "ij->j"}),
        ((r(2, 3), r(2, 3), r(3)), {"subscripts": "bi,bi,i->b"}),
    ],
    fix="name every axis of every operand in subscripts, as in 'ij,jk->ik'",
    reference=lambda *operands, subscripts: np.einsum(subscripts, *operands),
)
def _einsum(*operands: Any, subscripts: str) -> Any:
    """Return a sum of products over named axes. NumPy chooses the order of summation if there are
    three or more operands."""
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


_einsum.vjps(
    operands=lambda g, y, *operands, subscripts: einsum_cotangents(g, operands, subscripts)
)


@composition(
    np.einsum,
    sample=lambda r: [
        ("ij,jk->ik", r(3, 4), r(4, 2)),
        ("ii", r(3, 3)),
        ("iji->ij", r(2, 3, 2)),
        ("...ii->...", r(2, 3, 3)),
        ("ii,ij->j", r(2, 2), r(2, 3)),
        (r(3, 4), [0, 1], r(4, 2), [1, 2], [0, 2]),
        (r(2, 3, 3), [Ellipsis, 1, 1]),
        ("i,ij,j", r(2), r(2, 3), r(3), {"optimize": "optimal"}),
        ("ij,jk", r(2, 1), r(3, 4)),
    ],
)
def einsum(*operands: Any, optimize: Any = False) -> Any:
    """Return a sum of products over named axes, as `numpy.einsum` does.

    There are two forms of call. In the first, a string such as ``"ij,jk->ik"`` comes before the
    arrays. In the second, integers name the axes: a list of them follows each array, and one more
    list at the end names the axes of the output. A letter that is repeated within one operand
    stands for its diagonal. `optimize` is accepted because NumPy has it; the result does not depend
    on it.

    The gradient of an operand is another einsum, in which the gradient g of the output takes the
    place of the operand. For ``einsum("ij,jk->ik", a, b)``, the gradient of a is
    ``einsum("ik,jk->ij", g, b)``, and the gradient of b is ``einsum("ik,ij->jk", g, a)``.

    Raises
    ------
    TypeError
        If there are neither subscripts nor lists of axes.
    ValueError
        If the subscripts do not match the operands.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.einsum("ij,j->i", tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), tg.Tensor([1.0, 10.0]))
    Tensor([21., 43.])
    >>> tg.einsum("ii", tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.)
    """
    if not operands or not isinstance(operands[0], str):
        operands = _with_subscripts(operands)
    terms, output, arrays = _expand_subscripts(operands[0], operands[1:])
    for i, term in enumerate(terms):
        if len(set(term)) < len(term):
            arrays[i] = _take_diagonal(operands[0], term, arrays[i])
            terms[i] = "".join(dict.fromkeys(term))
    return _einsum(arrays, subscripts=f"{','.join(terms)}->{output}")


def _with_subscripts(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Convert arrays, each followed by a list of its axes, to subscripts followed by the arrays."""
    arrays, lists = operands[0 : len(operands) // 2 * 2 : 2], list(operands[1::2])
    lists += operands[-1:] if len(operands) % 2 else []
    try:
        terms = [
            "".join("..." if i is Ellipsis else ascii_letters[i] for i in axes) for axes in lists
        ]
    except (TypeError, IndexError) as error:
        expected, fix = (
            "a string such as 'ij,jk->ik'",
            "pass the subscripts as the first argument, or a list of axes after each array",
        )
        got = describe(operands[0])
        raise argument_error("einsum", "subscripts", expected, got, fix, TypeError) from error
    output = "->" + terms.pop() if len(operands) % 2 else ""
    return ",".join(terms) + output, *arrays


def _expand_subscripts(
    subscripts: str, operands: tuple[Any, ...]
) -> tuple[list[str], str, list[Any]]:
    """Return the terms of the operands, the term of the output, and the operands.

    A term is a part of `subscripts`, such as ``ij``. Letters replace each ellipsis.

    Raises
    ------
    ValueError
        If there are not as many terms as operands.
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        expected = f"{format_count(len(terms), 'array')}, one for each term of {subscripts!r}"
        fix, got = "separate the terms with commas, as in 'ij,jk->ik'", str(len(operands))
        raise argument_error("einsum", "operands", expected, got, fix)
    arrays = [as_operand("einsum", "operands", x, *operands) for x in operands]
    # Replace each ellipsis by unused letters, one for each of its axes, aligned at the last axis.
    widths = [
        x.ndim - len(term) + 3 if "..." in term else 0
        for term, x in zip(terms, arrays, strict=True)
    ]
    unused = [c for c in reversed(ascii_letters) if c not in subscripts]
    ellipsis = "".join(unused[: max(widths)])
    terms = [
        term.replace("...", ellipsis[len(ellipsis) - width :])
        for term, width in zip(terms, widths, strict=True)
    ]
    if not arrow:
        letters = "".join(terms)
        once = {c for c in letters if letters.count(c) == 1 and c not in ellipsis}
        output = ellipsis + "".join(sorted(once))
    return terms, output.replace("...", ellipsis), arrays


def _take_diagonal(subscripts: str, term: str, a: Any) -> Any:
    """Return `a` with one axis for each letter: the diagonal if several axes have the letter."""
    sizes: dict[str, int] = {}
    matches = len(term) == a.ndim
    if matches:
        matches = all(sizes.setdefault(c, n) == n for c, n in zip(term, a.shape, strict=True))
    if not matches:
        expected = f"the same size along the axes of a repeated letter in {subscripts!r}"
        fix = "name each axis, and repeat a letter only for a diagonal"
        raise argument_error("einsum", "operands", expected, describe(a), fix)
    places = dict(zip(sizes, np.ix_(*[np.arange(n) for n in sizes.values()]), strict=True))
    return a[tuple([places[c] for c in term])]


def einsum_cotangents(g: Any, operands: tuple[Any, ...], subscripts: str) -> list[Any]:
    """Return the cotangent (gradient) of each operand: the einsum of g and the other operands.

    If a letter occurs in one operand only, and not in the output, its axis was summed over. In the
    einsum for that operand, an extra operand of ones with this letter broadcasts g along the axis.
    """
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    cotangents = []
    for i, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        others = [(t, x) for j, (t, x) in enumerate(zip(terms, operands, strict=True)) if j != i]
        known = {c for t, _ in others for c in t} | set(output)
        alone = [
            (c, np.ones(n, dtype=g.dtype))
            for c, n in zip(term, operand.shape, strict=True)
            if c not in known
        ]
        factors = [(output, g), *others, *alone]
        product = f"{','.join(t for t, _ in factors)}->{term}"
        cotangents.append(_einsum([x for _, x in factors], subscripts=product))
    return cotangents
