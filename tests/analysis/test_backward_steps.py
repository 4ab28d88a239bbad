"""`backward_steps`: the engine's own backward pass, in its own order, with the same bits."""

from itertools import pairwise

import numpy as np
import pytest
from helpers import leaf_with
from internals import toposort

import tinygrad_rnn as tg

RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 2, 3)).astype(np.float32)
W, U = (
    RNG.standard_normal((3, 3)).astype(np.float32),
    RNG.standard_normal((3, 3)).astype(np.float32),
)


def of_layer(kind, layers=1, *, bidirectional=False):
    """Return a loss of a recurrent layer, and its parameters."""
    layer = getattr(tg.nn, kind)(3, 4, layers, bidirectional=bidirectional, rng=0)
    output, _ = layer(tg.Tensor(X))
    return tg.sin(output).sum(), list(layer.parameters())


def op_by_op():
    """Return a loss of a cell of small ops, with slices, broadcasting and reused weights."""
    w, u, b = leaf_with(W, "W"), leaf_with(U, "U"), leaf_with(W[0], "b")
    x, h = leaf_with(X, "x"), leaf_with(np.zeros((2, 3), np.float32), "h")
    for t in range(4):
        with tg.scope("cell", t):
            z = tg.sigmoid(x[t] @ w + h @ u + b)
            h = z * h + (1 - z) * tg.tanh(x[t] @ w + h @ u[[2, 0, 0]] + b[1])
            z.name, h.name = "z", "h"
    return (h * h * b).sum() + tg.stack([h, h, x[0]]).sum() + tg.concatenate([w, u]).max(), [
        w,
        u,
        b,
        x,
    ]


PROGRAMS = {
    "RNN": lambda: of_layer("RNN"),
    "GRU": lambda: of_layer("GRU", 2),
    "LSTM": lambda: of_layer("LSTM", bidirectional=True),
    "op by op": op_by_op,
}
each_program = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@each_program
def test_backward_steps_gives_the_same_bits_as_backward(program):
    (loss, watched), (same, ran) = program(), program()
    steps = list(tg.backward_steps(loss))
    same.backward()
    for a, b in zip(watched, ran, strict=True):
        assert a.grad.dtype == b.grad.dtype
        assert a.grad.tobytes() == b.grad.tobytes()
    assert len(steps) == len(toposort(loss))
    assert all(v.node.used for v in toposort(loss))


@each_program
def test_the_newest_op_comes_first_and_every_op_comes_once(program):
    loss, _ = program()
    steps = list(tg.backward_steps(loss))
    assert [s.number for s in steps] == list(range(1, len(steps) + 1))
    assert {s.of for s in steps} == {len(steps)}
    assert steps[0].tensor is loss
    indices = [s.tensor.node.index for s in steps]
    assert indices == sorted(indices, reverse=True)
    assert {s.tensor for s in steps} == set(toposort(loss))
    assert all(s.scope == s.tensor.node.scope for s in steps)


@each_program
def test_gradients_of_the_steps_are_those_that_backward_retains(program):
    (loss, _), (same, _) = program(), program()
    steps = list(tg.backward_steps(loss))
    same.backward(retain_grads=True)
    for step, value in zip(steps, toposort(same), strict=True):
        np.testing.assert_array_equal(step.gradient, value.grad)
        np.testing.assert_array_equal(step.gradient, step.tensor.grad)


@each_program
def test_contributions_of_the_steps_add_up_to_the_gradient(program):
    loss, leaves = program()
    parts, totals = {}, {}
    for step in tg.backward_steps(loss):
        if step.tensor is not loss:
            np.testing.assert_allclose(sum(parts[step.tensor]), step.gradient, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(totals[step.tensor], step.gradient)
        tracked = [
            x for x in step.tensor.node.inputs if isinstance(x, tg.Tensor) and x.requires_grad
        ]
        assert [c.input for c in step.contributions] == tracked
        for c in step.contributions:
            assert c.gradient.shape == c.total.shape == c.input.shape
            assert c.gradient.dtype == c.total.dtype == c.input.dtype
            parts.setdefault(c.input, []).append(c.gradient)
            totals[c.input] = c.total
            np.testing.assert_allclose(c.total, sum(parts[c.input]), rtol=1e-5, atol=1e-6)
    for x in leaves:
        np.testing.assert_allclose(sum(parts[x]), x.grad, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(totals[x], x.grad)


@each_program
def test_a_loop_that_stops_early_changes_nothing(program):
    (loss, leaves), (same, others) = program(), program()
    for step in tg.backward_steps(loss):
        if step.number == step.of // 2:
            break
    for number, _ in enumerate(tg.backward_steps(loss), 1):  # up to the last step, but not past it
        if number == len(toposort(loss)):
            break
    assert all(x.grad is None for x in leaves)
    assert not any(v.node.used or v.grad is not None for v in toposort(loss))
    loss.backward()
    same.backward()
    for a, b in zip(leaves, others, strict=True):
        assert a.grad.tobytes() == b.grad.tobytes()


def test_what_is_written_into_a_step_does_not_reach_the_gradient():
    (loss, leaves), (same, others) = op_by_op(), op_by_op()
    for step in tg.backward_steps(loss):
        step.gradient[...] = np.nan
        for c in step.contributions:
            c.gradient[...] = np.nan
            c.total[...] = np.nan
    same.backward()
    for a, b in zip(leaves, others, strict=True):
        np.testing.assert_array_equal(a.grad, b.grad)


def test_backward_steps_raises_for_a_used_graph():
    for use in (lambda loss: loss.backward(), lambda loss: list(tg.backward_steps(loss))):
        loss, _ = op_by_op()
        use(loss)
        with pytest.raises(
            RuntimeError, match="expected a graph that no backward pass has gone through"
        ):
            list(tg.backward_steps(loss))
        with pytest.raises(
            RuntimeError, match="expected a graph that no backward pass has gone through"
        ):
            loss.backward()
    kept, _ = op_by_op()
    kept.backward(retain_graph=True)
    assert len(list(tg.backward_steps(kept))) == len(toposort(kept))


def test_backward_steps_raises_for_replaced_numbers_and_changes_nothing():
    w, x = leaf_with([1.0, 2.0], "w"), leaf_with([3.0, 4.0], "x")
    loss = (tg.exp(x) * w).sum()
    w.data = np.array([5.0, 6.0])
    with pytest.raises(
        RuntimeError, match=r"argument w .*: expected a leaf as it was when multiply was computed"
    ):
        list(tg.backward_steps(loss))
    assert x.grad is None
    assert not loss.node.used


def test_backward_steps_adds_to_existing_gradients():
    w = leaf_with([1.0, 2.0], "w")
    (w * w).sum().backward()
    list(tg.backward_steps((w * 3).sum()))
    assert w.grad.tolist() == [5.0, 7.0]


# -- the gradient that arrives ---------------------------------------------------------------------


def test_backward_steps_takes_the_gradient_that_arrives():
    u = RNG.standard_normal((2, 3)).astype(np.float32)
    a, b = leaf_with(W, "w"), leaf_with(W, "w")
    steps = list(tg.backward_steps(tg.tanh(tg.Tensor(X[0]) @ a), u))
    tg.tanh(tg.Tensor(X[0]) @ b).backward(u)
    np.testing.assert_array_equal(steps[0].gradient, u)
    assert a.grad.tobytes() == b.grad.tobytes()


@pytest.mark.parametrize(
    ("gradient", "got"), [(None, "got none"), (np.ones(3), r"got float64 \(3,\)"), ("no", "got")]
)
def test_backward_steps_raises_for_a_gradient_of_another_shape(gradient, got):
    w = leaf_with([1.0, 2.0])
    with pytest.raises(ValueError, match=rf"^backward_steps: argument gradient: expected .*{got}"):
        next(tg.backward_steps(w * 2, gradient))
    assert w.grad is None


def test_backward_steps_raises_for_a_tensor_without_gradients():
    with pytest.raises(
        RuntimeError,
        match=r"^backward_steps: argument \w+: expected a Tensor that requires gradients",
    ):
        next(tg.backward_steps(tg.Tensor(1.0)))


@pytest.mark.parametrize("loss", [None, 1.0, np.ones(())])
def test_backward_steps_raises_for_a_loss_that_is_no_tensor(loss):
    with pytest.raises(TypeError, match=r"^backward_steps: argument \w+: expected a Tensor"):
        next(tg.backward_steps(loss))


def test_a_leaf_alone_has_no_steps_and_gets_its_gradient():
    w, other = leaf_with(2.0), leaf_with(2.0)
    assert list(tg.backward_steps(w)) == []
    other.backward()
    assert w.grad == other.grad == 1


# -- slices, broadcasting, ops of many inputs ------------------------------------------------------


def test_slices_contribute_in_their_places():
    x = leaf_with([1.0, 2.0, 4.0], "x")
    found = {str(s.equation): s for s in tg.backward_steps((x[0] * x[1:] + x[[2, 2]]).sum())}
    parts = [c for s in found.values() for c in s.contributions if c.input is x]
    assert [c.gradient.tolist() for c in parts] == [[0, 0, 2], [0, 1, 1], [6, 0, 0]]
    assert [c.total.tolist() for c in parts] == [[0, 0, 2], [0, 1, 3], [6, 1, 3]]
    assert x.grad.tolist() == [6, 1, 3]


def test_a_slice_and_the_whole_add_up():
    x = leaf_with([1.0, 2.0], "x")
    parts = [
        c
        for s in tg.backward_steps((x[0] * x).sum() + x[1])
        for c in s.contributions
        if c.input is x
    ]
    assert parts[-1].total.tolist() == x.grad.tolist() == [1 + 1 + 2, 1 + 1]
    for earlier, later in pairwise(parts):
        np.testing.assert_array_equal(earlier.total + later.gradient, later.total)


def test_contributions_have_the_shapes_of_their_inputs():
    a, b, c = (
        leaf_with(np.ones((2, 3), np.float32), "a"),
        leaf_with(np.full(3, 2.0, np.float32), "b"),
        leaf_with(np.float32(3.0), "c"),
    )
    steps = list(tg.backward_steps((a * b * c).sum()))
    found = {x.label: x.gradient for s in steps for x in s.contributions}
    assert found["a"].tolist() == [[6.0] * 3] * 2
    assert found["b"].tolist() == [6.0] * 3  # 3 × the two rows of ones
    assert found["c"].tolist() == 12.0
    assert steps[0].contributions[0].gradient.tolist() == [[1.0] * 3] * 2  # the sum's is stretched


def test_an_op_of_many_inputs_contributes_to_each():
    a, b = leaf_with([1.0], "a"), leaf_with([2.0], "b")
    step = next(
        tg.backward_steps(tg.concatenate([a, b, np.ones(1, np.float32), a]), [1.0, 2.0, 3.0, 4.0])
    )
    assert [(c.label, c.gradient.tolist(), c.total.tolist()) for c in step.contributions] == [
        ("a", [1], [1]),
        ("b", [2], [2]),
        ("a", [4], [5]),
    ]


def test_constants_get_no_contribution():
    w, x = leaf_with([1.0, 2.0], "w"), tg.Tensor([3.0, 4.0], name="x")
    steps = list(tg.backward_steps((w * x + 1).sum()))
    assert [c.input for s in steps for c in s.contributions if c.label in ("w", "x")] == [w]
    assert x.grad is None


# -- printed steps ---------------------------------------------------------------------------------

PRINTED = """\
g: the gradient of the result, y: the result, a, b, …: the inputs of the op
from left to right; products are entry by entry, and @ is the matrix product

   1 of 7  loss = Σ(#6)
      g arrives      1
      #6  gets  g, copied to every entry
             =  [1 1]
   2 of 7  #6 = z₀ ⊙ #5    [cell / t = 0]
      g arrives      [1 1]
      z₀  gets  g · b
             =  [2 4]
      #5  gets  g · a
             =  [0.7311 0.2689]
   3 of 7  #5 = x[0]    [cell / t = 0]
      g arrives      [0.7311 0.2689]
      x  gets  g at [0], else 0
            =  [[0.7311 0.2689] [0 0]]
   4 of 7  z₀ = σ(#3)    [cell / t = 0]
      g arrives      [2 4]
      #3  gets  g · y · (1 − y)
             =  [0.3932 0.7864]
   5 of 7  #3 = #2 − 1    [cell / t = 0]
      g arrives      [0.3932 0.7864]
      #2  gets  g
             =  [0.3932 0.7864]
   6 of 7  #2 = #1[0]    [cell / t = 0]
      g arrives      [0.3932 0.7864]
      #1  gets  g at [0], else 0
             =  [[0.3932 0.7864] [0 0]]
   7 of 7  #1 = w ⊙ x    [cell / t = 0]
      g arrives      [[0.3932 0.7864] [0 0]]
      w  gets  g · b
            =  [0.7864 3.146]
      x  gets  g · a
            =  [[0.3932 0] [0 0]]
         so far  [[1.124 0.2689] [0 0]]"""


def small():
    """Return a loss of seven ops: a product that broadcasts, slices, a named gate, and a sum."""
    w, x = leaf_with([1.0, 0.0], "w"), leaf_with([[2.0, 4.0], [1.0, 1.0]], "x")
    with tg.scope("cell", 0):
        z = tg.sigmoid((w * x)[0] - 1)
        z.name = "z"
        product = z * x[0]
    loss = product.sum()
    loss.name = "loss"
    return loss


def test_steps_are_printed_in_full():
    shown = "\n".join(map(str, tg.backward_steps(small())))
    assert shown == PRINTED


def test_a_large_array_is_shown_by_its_norm():
    w = leaf_with(np.full((3, 4), 2.0), "w")
    first, second = map(str, tg.backward_steps((w * w).sum()))
    assert "shape (3, 4), norm 3.464" in first
    assert second.count("shape (3, 4), norm 6.928") == 2
    assert second.count("shape (3, 4), norm 13.86") == 1  # so far


def test_a_rule_has_the_source_of_what_ran():
    w = leaf_with([0.5, 1.0], "w")
    for step in tg.backward_steps(tg.tanh(w).sum()):
        for c in step.contributions:
            assert c.source == step.tensor.node.op.rule_text("a")
    assert (c.rule, c.source) == ("g · (1 − y²)", "g * (1 - y * y)")
    assert c.label == "w"
    np.testing.assert_allclose(c.gradient, 1 - np.tanh([0.5, 1.0]) ** 2, rtol=1e-6)


def test_the_letters_are_explained_once():
    loss = small()
    shown = [str(step) for step in tg.backward_steps(loss)]
    assert ["g: the gradient of the result" in text for text in shown] == [True] + 6 * [False]
    (table, *others) = [step._repr_html_() for step in tg.backward_steps(small())]
    assert "the inputs of the op" in table
    assert not any("the inputs of the op" in text for text in others)


def test_the_picture_shows_the_gradients_of_the_steps():
    loss = small()
    assert "0.3932" not in tg.graph(loss, show="value,grad").dot()
    steps = list(tg.backward_steps(loss))
    drawn = tg.graph(loss, show="value,grad").dot()
    for step in steps:
        for number in np.ravel(step.gradient):
            assert f"{number:.3g}" in drawn


def test_numbers_that_are_not_finite_are_shown():
    w = leaf_with([np.inf, np.nan, 1.0], "w")
    shown = "\n".join(map(str, tg.backward_steps((w * w).sum())))
    assert "[inf nan 1]" in shown
    assert "[inf nan 2]" in shown


@pytest.mark.parametrize("name", ["line\nbreak", "\x1b[31mred", "\u202eabc", "back\\", "{x}", "%s"])
def test_a_step_shows_any_name_on_one_line(name):
    with tg.scope(name, 0):
        output = tg.exp(leaf_with([1.0], name) * 2)
        output.name = name
    for step in tg.backward_steps(output):
        assert all(c == "\n" or c.isprintable() for c in str(step))
        assert len(str(step).splitlines()) == (7 if step.number == 1 else 4)
