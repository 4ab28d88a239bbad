"""t[index] with everything that NumPy indexing takes.

Values, gradients entry by entry, and linear time over a sequence.
"""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices, integer_array_indices

import tinygrad_rnn as tg

property_test = settings(max_examples=100, deadline=None, database=None, derandomize=True)

A = np.random.default_rng(0).standard_normal((4, 3, 2))
MASK = np.array([True, False, True, True])
FULL_MASK = A > 0

INDICES = {
    "int": 2,
    "negative int": -1,
    "numpy int": np.int64(1),
    "0-d array": np.array(3),
    "all": slice(None),
    "slice": slice(1, 3),
    "step": slice(None, None, 2),
    "reversed": slice(None, None, -1),
    "reversed step": slice(3, 0, -2),
    "empty slice": slice(3, 1),
    "beyond the end": slice(2, 100),
    "ellipsis": ...,
    "none": None,
    "empty tuple": (),
    "two ints": (1, -2),
    "three ints": (1, 2, 0),
    "int and slice": (1, slice(0, 2)),
    "slice and int": (slice(None), -1),
    "ellipsis and int": (..., 0),
    "int, ellipsis, int": (3, ..., 1),
    "slice, none, ellipsis, slice": (slice(1, None), None, ..., slice(None, None, -1)),
    "nones": (None, slice(None), None, 1),
    "list": [0, 2],
    "repeated list": [1, 1, 1, -3],
    "empty list": [],
    "nested list": [[0, 1], [1, 0]],
    "int array": np.array([3, 0]),
    "int32 array": np.array([3, 0], dtype=np.int32),
    "uint8 array": np.array([3, 0, 3], dtype=np.uint8),
    "repeated array": np.array([[2, 2], [0, 2]]),
    "two arrays": (np.array([0, 0, 3]), np.array([1, 1, 2])),
    "arrays that broadcast": (np.array([[0], [3]]), np.array([1, 1, 0])),
    "np.ix_": np.ix_([0, 0], [2, 1], [1]),
    "lists": ([0, 1, 0], [2, 2, 2]),
    "list and int": ([0, 1, 0], 1),
    "list and slice": ([0, 0], slice(1, None)),
    "slice and list": (slice(None), [2, 2, 0]),
    "arrays apart": ([0, 1, 1], slice(None), [1, 0, 0]),
    "list, none, slice": ([1, 1], None, slice(0, 1)),
    "ellipsis and list": (..., [1, 1, 0]),
    "mask": MASK,
    "mask list": [True, False, False, True],
    "full mask": FULL_MASK,
    "two-axis mask": A[..., 0] > 0,
    "mask of none": np.zeros(4, bool),
    "mask and int": (MASK, 1),
    "mask and slice": (MASK, slice(None, None, -1)),
    "mask and list": (MASK, [0, 1, 1]),
    "slice and mask": (slice(1, 2), np.array([True, False, True])),
    "true": True,
    "false": False,
    "0-d tensor": tg.Tensor(2),
    "tensor": tg.Tensor([1, 1, 3]),
    "bool tensor": tg.Tensor(MASK),
    "tensor in tuple": (slice(None), tg.Tensor([0, 0]), 1),
    "comparison": A[:, 0, 0] < 0.5,
    "list of tensors": [tg.Tensor(0), tg.Tensor(0)],
}
every_index = pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)


def plain(index):
    """The same index without Tensors."""
    if isinstance(index, tuple):
        return tuple(plain(i) for i in index)
    if isinstance(index, list):
        return [plain(i) for i in index]
    return index.data if isinstance(index, tg.Tensor) else index


def spread(g, index, shape):
    """Return the gradient by brute force: each entry of g goes to the entry that it came from."""
    origin = np.arange(int(np.prod(shape))).reshape(shape)[plain(index)]
    found = np.zeros(shape)
    for source, amount in zip(np.ravel(origin), np.ravel(g), strict=True):
        found.flat[source] += amount
    return found


def check(a, index, rng):
    t = tg.Tensor(a, requires_grad=True)
    y = t[index]
    expected = a[plain(index)]
    assert type(y) is tg.Tensor
    assert type(y.data) is np.ndarray
    np.testing.assert_array_equal(y.data, expected)
    assert y.shape == np.shape(expected)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    assert t.grad.shape == a.shape
    np.testing.assert_allclose(t.grad, spread(u, index, a.shape), rtol=1e-13, atol=1e-14)


@every_index
def test_an_index_gives_numpys_value_and_gradient(index):
    check(A, index, np.random.default_rng(1))


@every_index
def test_second_derivative_through_an_index(index):
    """y = x[index]³: the gradient of ⟨v, dy/dx⟩ is 6 x v u, spread."""
    rng = np.random.default_rng(2)
    t = tg.Tensor(A, requires_grad=True)
    y = t[index] ** 3
    u, v = rng.standard_normal(y.shape), rng.standard_normal(A.shape)
    first = tg.grad(y, t, grad_output=u, create_graph=True)
    np.testing.assert_allclose(
        first.data, 3 * A**2 * spread(u, index, A.shape), rtol=1e-12, atol=1e-13
    )
    second = tg.grad(first, t, grad_output=v)
    np.testing.assert_allclose(
        second.data, 6 * A * v * spread(u, index, A.shape), rtol=1e-12, atol=1e-13
    )


@every_index
def test_several_indices_and_a_whole_use_add_up(index):
    rng = np.random.default_rng(3)
    t = tg.Tensor(A, requires_grad=True)
    y, z, w = t[index], t[1:3], t * 2
    u, v, x = (rng.standard_normal(k.shape) for k in (y, z, w))
    total = (y * u).sum() + (z * v).sum() + (w * x).sum() + (t[index] * u).sum()
    total.backward()
    expected = 2 * spread(u, index, A.shape) + spread(v, slice(1, 3), A.shape) + 2 * x
    np.testing.assert_allclose(t.grad, expected, rtol=1e-12, atol=1e-13)


@every_index
def test_an_index_keeps_float32(index):
    t = tg.Tensor(A.astype(np.float32), requires_grad=True)
    y = t[index]
    first = tg.grad(y * y, t, grad_output=np.ones(y.shape), create_graph=True)
    assert first.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert (y.dtype, t.grad.dtype) == (np.float32, np.float32)


@property_test
@given(data=st.data())
def test_any_basic_index_gives_value_and_gradient(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    index = data.draw(basic_indices(shape, allow_newaxis=True))
    check(np.random.default_rng(4).standard_normal(shape), index, np.random.default_rng(5))


@property_test
@given(data=st.data())
def test_any_integer_arrays_give_value_and_gradient(data):
    shape = data.draw(array_shapes(min_dims=1, max_dims=3, max_side=4))
    index = data.draw(
        integer_array_indices(shape, result_shape=array_shapes(max_dims=2, min_side=0, max_side=4))
    )
    check(np.random.default_rng(4).standard_normal(shape), index, np.random.default_rng(5))


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    ],
    ids=["fortran", "negative strides", "every second"],
)
@pytest.mark.parametrize(
    "index",
    [2, slice(None, None, -2), [1, 1, 0], FULL_MASK, (..., 0)],
    ids=["int", "step", "list", "mask", "tuple"],
)
def test_an_index_into_an_array_of_any_layout(layout, index):
    check(layout(A), index, np.random.default_rng(6))


def test_view_or_copy_the_input_is_never_written():
    a = A.copy()
    a.flags.writeable = False
    t = tg.Tensor(a, requires_grad=True)
    (t[0] * t[[0, 0]] * t[FULL_MASK].sum()).sum().backward()
    np.testing.assert_array_equal(a, A)


def test_gradients_of_slices_do_not_share_memory():
    t = tg.Tensor(A, requires_grad=True)
    y, z = t[0], t[0]
    (y + z).backward(np.ones(y.shape), retain_grads=True)
    arrays = [t.grad, y.grad, z.grad, t.data]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            assert not np.shares_memory(a, b)


def test_an_index_list_that_changes_later_is_kept_as_it_was():
    index = [0, 1]
    t = tg.Tensor(A, requires_grad=True)
    y = t[index]
    index[:] = [3, 3]
    u = np.random.default_rng(7).standard_normal(y.shape)
    y.backward(u)
    np.testing.assert_array_equal(t.grad, spread(u, [0, 1], A.shape))


INDEXED = {
    "[index]": lambda w, b: w[b],
    "[Tensor]": lambda w, b: w[tg.Tensor(b)],
    "[:, index]": lambda w, b: w[:, b],
    "getitem": lambda w, b: tg.getitem(w, index=(b, 1)),
    "gather": lambda w, b: tg.gather(w[:2], index=b),
    "gather Tensor": lambda w, b: tg.gather(w[:2], tg.Tensor(b)),
    "take_along_axis": lambda w, b: tg.take_along_axis(w[:2], b[:, None], 1),
    "repeat": lambda w, b: w.repeat(b, axis=1),
    "cross_entropy": lambda w, b: tg.nn.functional.cross_entropy(w[:2], b),
    "nll_loss": lambda w, b: tg.nn.functional.nll_loss(w[:2], b),
}


@pytest.mark.parametrize("use", INDEXED.values(), ids=INDEXED)
def test_an_index_array_that_is_reused_counts_as_it_was(use):
    """A loop that fills one buffer with the integers of each batch before it goes backwards."""
    found = []
    for reused in (False, True):
        w, buffer, loss = tg.Tensor(A[0], requires_grad=True), np.zeros(2, int), 0
        for batch in ([0, 0], [1, 1]):
            buffer[...] = batch
            loss = loss + (use(w, buffer if reused else buffer.copy()) ** 2).sum()
        loss.backward()
        found.append(w.grad)
    np.testing.assert_array_equal(*found)


def test_an_index_in_a_list_and_a_mask_count_as_they_were():
    mask, places = np.array([True, False, False]), [0]
    w = tg.Tensor(A[0, :, 0], requires_grad=True)
    y = w[mask].sum() + tg.gather(tg.expand_dims(w, 0), places).sum()
    mask[:], places[0] = [False, False, True], 1
    y.backward()
    np.testing.assert_array_equal(w.grad, [2, 0, 0])


def test_the_bounds_of_a_slice_count_as_they_were():
    start, stop, first = np.array(0), tg.Tensor(2), tg.Tensor(1)
    w = tg.Tensor(A[0, :, 0], requires_grad=True)
    y = w[start:stop].sum() + 10 * w[(slice(None, first),)].sum()
    start[...], stop.data, first.data = 1, np.array(3), np.array(3)
    y.backward()
    np.testing.assert_array_equal(w.grad, [11, 1, 0])


def test_an_integer_tensor_can_be_indexed():
    t = tg.Tensor([[1, 2], [3, 4]])
    np.testing.assert_array_equal(t[1, ::-1].data, [4, 3])
    assert t[0, 0].dtype == np.int64
    assert not t[0].requires_grad


def test_iteration_unpacking_and_membership():
    t = tg.Tensor(A, requires_grad=True)
    first, *_, last = t
    (first * 2 + last * 3).backward(A[1])
    np.testing.assert_allclose(t.grad[0], 2 * A[1])
    np.testing.assert_allclose(t.grad[3], 3 * A[1])
    np.testing.assert_array_equal(t.grad[1:3], 0)
    assert len(list(t)) == len(t) == 4


# -- errors -------------------------------------------------------------------------------

WRONG = {
    "out of range": 4,
    "below range": -5,
    "too many": (0, 0, 0, 0),
    "array out of range": [0, 7],
    "float": 1.0,
    "float array": np.array([0.0, 1.0]),
    "float tensor": tg.Tensor([0.0, 1.0]),
    "text": "a",
    "two ellipses": (..., ...),
    "mask of another size": np.array([True, False]),
    "arrays that do not broadcast": ([0, 1], [0, 1, 2]),
}


@pytest.mark.parametrize("index", WRONG.values(), ids=WRONG)
def test_wrong_index_is_named(index):
    t = tg.Tensor(A, requires_grad=True)
    with pytest.raises(IndexError, match=r"getitem.*float64 \(4, 3, 2\).*use an integer, a slice"):
        t[index]


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    "index",
    [0, slice(None), [0, 1], FULL_MASK, (0, 1, 1)],
    ids=["int", "all", "list", "mask", "tuple"],
)
def test_assignment_is_refused(index, tracked):
    t = tg.Tensor(A.copy(), requires_grad=tracked)
    with pytest.raises(TypeError, match=r"tg\.where"):
        t[index] = 0.0
    with pytest.raises(TypeError, match=r"tg\.where"):
        t[index] += 1.0
    np.testing.assert_array_equal(t.data, A)


# -- a sequence of T steps costs T, not T² ---------------------------------------------------------


def seconds(work):
    """Return how long this process computes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def growth(work, short, long):
    """Return how many times longer `work` takes for `long` steps than for `short` ones.

    The shortest of a few runs counts. Disturbed runs are repeated; slow code stays slow.
    """
    shorts, longs = [], []
    for _ in range(8):
        shorts += [seconds(lambda: work(short)) for _ in range(3)]
        longs.append(seconds(lambda: work(long)))
        if min(longs) < 2 * long / short * min(shorts):
            break
    return min(longs) / min(shorts)


def slices(t, record):
    """One use of every step of a long sequence, and the gradient."""
    x = tg.Tensor(np.ones((t, 128)), requires_grad=True)
    steps = [x[i] for i in range(t)]
    total = tg.stack(steps).sum()
    g = tg.grad(total, x, create_graph=record)
    if record:
        tg.grad((g * x).sum(), x)
    else:
        total.backward()
    return g


@pytest.mark.parametrize("record", [False, True], ids=["plain", "recorded"])
def test_slices_of_a_long_sequence_cost_linear_time(record):
    """Eight times the steps take about 8 times the time; slices padded with zeros would take 64."""
    np.testing.assert_array_equal(slices(50, record).data, np.ones((50, 128)))
    assert growth(lambda t: slices(t, record), 500, 4000) < 24


def test_chained_slices_cost_linear_time():
    """A state taken apart again in each step, as gates are."""

    def gates(t):
        h = tg.Tensor(np.full(64, 0.5), requires_grad=True)
        x = h
        for _ in range(t):
            a, b = tg.split(tg.concatenate([x, x]), 2)
            x = (a + b) * 0.5
        x.sum().backward()
        return h.grad

    np.testing.assert_allclose(gates(10), np.ones(64))
    assert growth(gates, 250, 2000) < 24
