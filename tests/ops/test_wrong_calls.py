"""Wrong calls of ops: each raises an error that names the operation and the argument."""

import numpy as np
from helpers import leaf
from wrong_calls import assert_refused, every

import tinygrad_rnn as tg

AREAS = {
    "indexing": {
        "a row that is not there": (
            lambda: leaf(3, 2)[3],
            IndexError,
            "getitem: index 3 is out of bounds for axis 0 with",
        ),
        "a row between two": (
            lambda: leaf(3, 2)[1.0],
            IndexError,
            r"getitem: only integers, slices \(`:`\), ellipsis \(`",
        ),
        "more indices than axes": (
            lambda: leaf(3, 2)[0, 0, 0],
            IndexError,
            "getitem: too many indices for array: array is 2-d",
        ),
        "a mask of another size": (
            lambda: leaf(3, 2)[[True, False]],
            IndexError,
            "getitem: boolean index did not match indexed arra",
        ),
        "an assignment": (
            lambda: leaf(3, 2).__setitem__(0, 1.0),
            TypeError,
            r"Tensor\[\.\.\.\] = value: argument self: .* got a Tensor, which does not support",
        ),
        "an index beyond the row": (
            lambda: tg.gather(leaf(3, 2), index=np.array([0, 1, 2])),
            IndexError,
            "gather: index 2 is out of bounds for axis 1 with",
        ),
        "an index from the end": (
            lambda: tg.gather(leaf(3, 2), index=np.array([0, 1, -1])),
            IndexError,
            r"gather: expected integers in \[0, 2\) in index, go",
        ),
        "an index between two": (
            lambda: tg.gather(leaf(3, 2), index=np.array([0.0, 1.0, 1.0])),
            IndexError,
            r"gather: expected integers in \[0, 2\) in index, go",
        ),
        "a place from the end": (
            lambda: tg.scatter_rows(leaf(3), index=np.array([0, 1, -1]), size=2),
            IndexError,
            r"scatter_rows: expected integers in \[0, 2\) in index, go",
        ),
        "places for other entries": (
            lambda: tg.scatter_rows(leaf(3), index=np.array([0, 1]), size=2),
            ValueError,
            "scatter_rows: expected index of the shape of a, got",
        ),
        "one entry for several places": (
            lambda: tg.scatter_rows(leaf(1), index=np.array([0, 1]), size=2),
            ValueError,
            "scatter_rows: expected index of the shape of a, got",
        ),
        "a place that is not there": (
            lambda: tg.scatter([leaf(2)], [5], (3, 2)),
            IndexError,
            "scatter: index 5 is out of bounds for axis 0 with",
        ),
        "more places than parts": (
            lambda: tg.scatter([leaf(2)], [0, 1], (3, 2)),
            ValueError,
            r"scatter: zip\(\) argument 2 is longer than argument",
        ),
        "an axis to take along that is not there": (
            lambda: tg.take_along_axis(leaf(3, 2), [[0]], 2),
            np.exceptions.AxisError,
            "take_along_axis: axis 2 is out of bounds for array of dim",
        ),
        "an entry to take that is not there": (
            lambda: tg.take_along_axis(leaf(3, 2), [[5]], 0),
            IndexError,
            "getitem: index 5 is out of bounds for axis 0 with",
        ),
        "a condition of another shape": (
            lambda: tg.where(np.ones(4) > 0, leaf(3, 2), 0.0),
            ValueError,
            "where: operands could not be broadcast together",
        ),
        "a repetition below none": (
            lambda: leaf(3, 2).repeat(-1),
            ValueError,
            "repeat: negative dimensions are not allowed; got",
        ),
        "half a repetition": (
            lambda: leaf(3, 2).repeat(1.5),
            TypeError,
            r"repeat: Cannot cast scalar from dtype\('float64'\)",
        ),
    },
    "bits": {
        "a Tensor and a number": (
            lambda: leaf(3) & 1,
            TypeError,
            r"operator &: argument self: .* or a\.data & b\.data for bits$",
        ),
        "a number or a Tensor": (
            lambda: 1 | leaf(3),
            TypeError,
            r"operator \|: argument self: .* or a\.data \| b\.data for bits$",
        ),
        "a caret for a power": (
            lambda: leaf(3) ^ 2,
            TypeError,
            r"operator \^: argument self: .* use a \*\* b for a power, np\.logical_xor",
        ),
        "a shift to the left": (
            lambda: leaf(3) << 1,
            TypeError,
            r"operator <<: argument self: .* use a \* 2\*\*b$",
        ),
        "a shift to the right": (
            lambda: 8 >> leaf(3),
            TypeError,
            r"operator >>: argument self: .* use a // 2\*\*b$",
        ),
        "a tilde": (
            lambda: ~leaf(3),
            TypeError,
            r"operator ~: argument self: .* use np\.logical_not\(a\), or ~a\.data for bits$",
        ),
        "an array and a Tensor": (
            lambda: np.array([True]) & leaf(3),
            TypeError,
            r"np\.bitwise_and: argument x: .* use np\.logical_and\(x, y\)",
        ),
        "an array shifted by a Tensor": (
            lambda: np.array([1]) << leaf(3),
            TypeError,
            r"np\.left_shift: argument x: .* use x \* 2\*\*y",
        ),
    },
    "arranging": {
        "a diagonal of a number": (
            lambda: np.diag(leaf()),
            ValueError,
            r"diag: Input must be 1- or 2-d; got float64 \(\)",
        ),
        "a triangle of a number": (
            lambda: np.tril(leaf()),
            ValueError,
            r"tril: argument m: expected at least one axis, got float64 \(\); add axes",
        ),
        "repetitions with gradients": (
            lambda: np.tile(leaf(2), leaf(2)),
            TypeError,
            "tile: argument reps: expected a constant, .* use reps.detach",
        ),
        "rows of several lengths": (
            lambda: np.vstack([leaf(2), leaf(3)]),
            ValueError,
            r"np\.vstack: concatenate: .*arrays\[1\]: float64 \(1, 3\)",
        ),
        "an index beyond the end": (
            lambda: np.delete(leaf(3), 7),
            IndexError,
            r"delete: index 7 is out of bounds for axis 0 with size 3; got float64 \(3,\)",
        ),
        "floats among integers": (
            lambda: np.insert(tg.Tensor([1, 2]), 0, leaf()),
            TypeError,
            "insert: argument arr: expected a floating dtype, .* use arr.astype",
        ),
        "a mode without a derivative": (
            lambda: np.pad(leaf(3), 1, "empty"),
            ValueError,
            "pad: argument mode: expected 'constant', 'edge', .*, got 'empty'",
        ),
        "a reflection about the edge": (
            lambda: np.pad(leaf(3), 1, "reflect", reflect_type="strange"),
            ValueError,
            "pad: argument reflect_type: expected 'even' or 'odd', got 'strange'",
        ),
        "a condition with two axes": (
            lambda: np.compress([[True]], leaf(3)),
            ValueError,
            r"compress: argument condition: expected a vector of booleans, .* use a\[condition\]",
        ),
        "functions for other conditions": (
            lambda: np.piecewise(leaf(3), [True], [1, 2, 3]),
            ValueError,
            "piecewise: argument funclist: expected 1 function, or one more, got 3",
        ),
        "a mask to take": (
            lambda: np.take(leaf(2), [True, False]),
            TypeError,
            r"take: argument indices: expected integers, got bool \(2,\)",
        ),
        "no sections": (
            lambda: np.array_split(leaf(3), 0),
            ValueError,
            "array_split: argument indices_or_sections: expected a positive integer, got 0",
        ),
        "a negative count": (
            lambda: np.linspace(leaf(), 1.0, -1),
            ValueError,
            "linspace: argument num: expected an integer, at least 0, got -1",
        ),
    },
    "linear algebra": {
        "a matrix that is not square": (
            lambda: np.linalg.inv(leaf(3, 2)),
            ValueError,
            r"inv: argument a: expected a square matrix, .* got float64 \(3, 2\)",
        ),
        "a singular matrix": (
            lambda: np.linalg.inv(tg.Tensor(np.ones((2, 2)))),
            np.linalg.LinAlgError,
            r"np\.linalg\.inv: solve: Singular matrix; .* pass a square matrix a that has",
        ),
        "a matrix that is not positive": (
            lambda: np.linalg.cholesky(tg.Tensor(-np.eye(2))),
            np.linalg.LinAlgError,
            "cholesky: Matrix is not positive definite; .* pass a symmetric matrix",
        ),
        "singular vectors of more columns": (
            lambda: np.linalg.svd(leaf(3, 2)),
            ValueError,
            r"svd: argument a: expected a square matrix, .* pass full_matrices=False",
        ),
        "another triangle": (
            lambda: np.linalg.eigh(leaf(2, 2), "X"),
            ValueError,
            "eigh: argument UPLO: expected 'L', 'U', 'l' or 'u', got 'X'",
        ),
        "an order for vectors": (
            lambda: np.linalg.norm(leaf(3, 2), 3),
            ValueError,
            "norm: argument ord: expected 'fro', 'nuc', .* got 3; pass axis= for norms of vec",
        ),
        "an order for matrices": (
            lambda: np.linalg.norm(leaf(3), "fro"),
            ValueError,
            "norm: argument ord: expected a number, got 'fro'",
        ),
        "three axes": (
            lambda: np.linalg.norm(leaf(2, 2, 2), 1),
            ValueError,
            "norm: argument axis: expected one axis or two, got 3 axes",
        ),
        "axes of other sizes": (
            lambda: np.tensordot(leaf(3, 2), leaf(3, 2), 1),
            ValueError,
            "tensordot: argument axes: expected pairs of axes of equal sizes",
        ),
        "vectors of four entries": (
            lambda: np.cross(leaf(3), leaf(4)),
            ValueError,
            r"cross: argument b: expected 2 or 3 entries along the axis, got float64 \(4,\)",
        ),
        "a diagonal of a matrix that is not square": (
            lambda: np.einsum("ii", leaf(3, 2)),
            ValueError,
            "einsum: argument operands: expected the same size along the axes of a repeated",
        ),
    },
}


@every(AREAS)
def test_a_wrong_call_of_ops_is_refused_by_name(call, error, message):
    assert_refused(call, error, message)


def test_wrong_calls_of_ops_have_rows_of_every_area():
    assert AREAS.keys() == {"indexing", "bits", "arranging", "linear algebra"}
    assert min(map(len, AREAS.values())) >= 4
