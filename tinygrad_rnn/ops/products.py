"""Products of matrices."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import check
from ..dtypes import as_constant
from ..errors import argument_error, describe, format_count
from ..graph import Value
from ..op import apply, op
from .shapes import expand_dims, reshape, squeeze

FITS = "the last axis of a and the second last of b (its only one, if b is a vector) must be equal; perhaps one is to be transposed"


def axes(x: Any) -> int:
    """How many axes an array, a Tensor, a list or a number has."""
    if isinstance(x, Value):
        return x.array.ndim
    return x.ndim if isinstance(x, np.ndarray) else np.ndim(x)


def rows(a: Any) -> Any:
    """All leading axes of `a` as one: (T, B, H) becomes (T·B, H)."""
    return a if a.ndim == 2 else a.reshape(prod(a.shape[:-1]), a.shape[-1])


def array(operation: str, argument: str, x: Any, beside: Any) -> Any:
    """`x` as an array or Tensor: numbers and lists in the dtype that they have as arguments of one op with `beside`."""
    if isinstance(x, Value | np.ndarray):
        return x
    try:
        return np.asarray(as_constant(x, [beside.array] if isinstance(beside, Value) else []))
    except (TypeError, ValueError) as error:
        raise check.numbers_error(operation, argument, x) from error


def product(a: Any, b: Any) -> Any:
    """a @ b; of two matrices by `dot`, which gives the same at half the fixed cost."""
    return a.dot(b) if type(a) is type(b) and a.ndim == 2 == b.ndim else a @ b


@op(
    "{a} @ {b}",
    shapes="(…, m, k), (…, k, n) → (…, m, n)",
    sample=lambda r: [
        (r(3, 4), r(4, 2)),
        (r(2, 3, 4), r(4, 2)),
        (r(2, 3, 4), r(2, 4, 3)),
        (r(3, 4), r(2, 4, 3)),
    ],
    fix=FITS,
)
def _matmul(a: Any, b: Any) -> Any:
    """The product of matrices, or of stacks of matrices along leading axes that broadcast. Summed in the order of the BLAS that
    NumPy came with: last digits may differ between machines."""
    return product(a, b)


_matmul.vjps(
    a=lambda g, y, a, b: product(g, b.mT),
    b=lambda g, y, a, b: product(rows(a).mT, rows(g)) if b.ndim == 2 else a.mT @ g,
)


def matmul(a: Any, b: Any) -> Any:
    """The matrix product a @ b, as `numpy.matmul`: leading axes broadcast, vectors count as a row (a) or a column (b).

    Parameters
    ----------
    a : array of shape (..., m, k) or (k,)
    b : array of shape (..., k, n) or (k,)

    Returns
    -------
    array of shape (..., m, n), without the axis that a vector does not have

    Raises
    ------
    ValueError
        If the sizes k differ, or an argument is a number.

    Notes
    -----
    ∂L/∂a = g @ bᵀ and ∂L/∂b = aᵀ @ g, where g = ∂L/∂y.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.matmul(tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0], [4.0]]))
    Tensor([[11.]])
    """
    if isinstance(a, Value) and isinstance(b, Value) and a.array.ndim > 1 and b.array.ndim > 1:
        return apply(_matmul, (a, b), {})
    a, b = array("matmul", "a", a, b), array("matmul", "b", b, a)
    a_axes, b_axes = a.ndim, b.ndim
    if a_axes > 1 and b_axes > 1:
        return _matmul(a, b)
    if a_axes == 0 or b_axes == 0:
        raise argument_error(
            "matmul",
            "b" if a_axes else "a",
            expected="an array with at least one axis",
            got=describe(b if a_axes else a),
            fix="use * to multiply by a number",
        )
    y = _matmul(expand_dims(a, 0) if a_axes == 1 else a, expand_dims(b, 1) if b_axes == 1 else b)
    return squeeze(y, tuple(axis for axis, n in ((-2, a_axes), (-1, b_axes)) if n == 1))


@op(
    "{x} @ {weight}ᵀ + {bias}",
    shapes="(…, in), (out, in), (…, out) → (…, out)",
    sample=lambda r: [
        (r(3, 4), r(2, 4), r(2)),
        (r(2, 3, 4), r(2, 4), r(2)),
        (r(4), r(2, 4), r(2)),
        (r(3, 4), r(2, 4), r(3, 2)),
    ],
    fix="expected x (..., in), weight (out, in), bias (out,) or (..., out)",
)
def _linear(x: Any, weight: Any, bias: Any) -> Any:
    """x Wᵀ + b, as one node. Summed as in `matmul`."""
    y = rows(x).dot(weight.T)
    y = y if x.ndim == 2 else y.reshape(*x.shape[:-1], len(weight))
    if getattr(bias, "dtype", y.dtype) is not y.dtype:
        return y + bias
    y += bias
    return y


_linear.vjps(
    x=lambda g, y, x, weight, bias: product(g, weight),
    weight=lambda g, y, x, weight, bias: product(rows(g).mT, rows(x)),
    bias=lambda g, y, x, weight, bias: g,
)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """The affine map y = x Wᵀ + b, in PyTorch's layout.

    Parameters
    ----------
    x : array of shape (..., in)
    weight : array of shape (out, in)
    bias : array that broadcasts to the result, optional
        Of shape (out,); or of shape (..., out), another term of the sum.

    Returns
    -------
    array of shape (..., out)

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.linear(tg.Tensor([1.0, 2.0]), np.eye(2, dtype="float32"), np.ones(2, dtype="float32"))
    Tensor([2., 3.])
    """
    return (
        _linear(x, weight, bias)
        if bias is not None
        else matmul(x, array("linear", "weight", weight, x).mT)
    )


def outer(a: Any, b: Any) -> Any:
    """Every entry of `a` times every entry of `b`: shape (a.size, b.size), as `numpy.outer`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.outer(tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0]))
    Tensor([[3., 4.],
            [6., 8.]])
    """
    a, b = array("outer", "a", a, b), array("outer", "b", b, a)
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


@op(
    "einsum({subscripts}; {operands})",
    shapes="as the subscripts say",
    sample=lambda r: [
        ((r(3, 4), r(4, 2)), {"subscripts": "ij,jk->ik"}),
        ((r(3, 4),), {"subscripts": "ij->j"}),
        ((r(2, 3), r(2, 3), r(3)), {"subscripts": "bi,bi,i->b"}),
    ],
    fix="subscripts name every axis of every operand, as in 'ij,jk->ik'",
)
def _einsum(*operands: Any, subscripts: str) -> Any:
    """A sum of products over named axes, the axes of the output named too. Of three operands and more, NumPy chooses
    the order."""
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


_einsum.vjps(operands=lambda g, y, *operands, subscripts: _einsum_flows(g, operands, subscripts))


def einsum(subscripts: str, *operands: Any) -> Any:
    """A sum of products over named axes, as `numpy.einsum` with a string.

    The contribution to an operand is the same kind of sum, with the output's gradient in the
    operand's place: for ``"ij,jk->ik"``, ``einsum("ik,jk->ij", g, b)`` and ``einsum("ik,ij->jk", g, a)``.

    Raises
    ------
    ValueError
        If a letter is repeated within one operand (a diagonal), or subscripts and shapes do not fit.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.einsum("ij,j->i", tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), tg.Tensor([1.0, 10.0]))
    Tensor([21., 43.])
    """
    return _einsum(operands, subscripts=_explicit(subscripts, [axes(x) for x in operands]))


def _explicit(subscripts: str, counts: list[int]) -> str:
    """`subscripts` with every axis a letter of its own, and the output written out."""
    if not isinstance(subscripts, str):
        raise argument_error(
            "einsum",
            "subscripts",
            expected="a string such as 'ij,jk->ik'",
            got=describe(subscripts),
            fix="put it first",
            kind=TypeError,
        )
    given, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(counts):
        raise argument_error(
            "einsum",
            "operands",
            expected=f"{format_count(len(terms), 'array')}, one for each term of {subscripts!r}",
            got=str(len(counts)),
            fix="terms are separated by commas, as in 'ij,jk->ik'",
        )
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts]
    hidden = max(
        (n - len(term) + 3 for term, n in zip(terms, counts, strict=True) if "..." in term),
        default=0,
    )
    rest = "".join(free[:hidden])
    terms = [
        t.replace("...", rest[hidden - (n - len(t) + 3) :]) if "..." in t else t
        for t, n in zip(terms, counts, strict=True)
    ]
    if not arrow:
        letters = "".join(terms)
        output = rest + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1 and c not in rest)
        )
    for term in terms:
        if len(set(term)) < len(term):
            raise argument_error(
                "einsum",
                "subscripts",
                expected="each letter at most once an operand",
                got=repr(subscripts),
                fix="take the diagonal first: a[i, i] with i = np.arange(n)",
            )
    return f"{','.join(terms)}->{output.replace('...', rest)}"


def _einsum_flows(g: Any, operands: tuple[Any, ...], subscripts: str) -> list[Any]:
    """The contribution to each operand: einsum of g and the other operands.

    A letter that is in neither of them was summed over alone: ones in its place spread g along it.
    """
    given, output = subscripts.split("->")
    terms = given.split(",")
    flows = []
    for i, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        others = [(t, x) for j, (t, x) in enumerate(zip(terms, operands, strict=True)) if j != i]
        known = {c for t, _ in others for c in t} | set(output)
        alone = [
            (c, np.ones(n, dtype=g.dtype))
            for c, n in zip(term, operand.shape, strict=True)
            if c not in known
        ]
        factors = [(output, g), *others, *alone]
        flows.append(
            _einsum(
                [x for _, x in factors], subscripts=f"{','.join(t for t, _ in factors)}->{term}"
            )
        )
    return flows
