"""`bptt.flow`: against finite differences, `backward`, and a copy of each weight at each step."""

import math
import sys
import time
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from helpers import leaf_with
from internals import plain_scope, row_norms, toposort

import tinygrad_rnn as tg

RNG = np.random.default_rng(3)
T, B, D, H = 5, 2, 3, 2
X = RNG.standard_normal((T, B, D))
W, U, V = RNG.standard_normal((D, H)), RNG.standard_normal((H, H)), RNG.standard_normal((H,))
U2, H0 = RNG.standard_normal((H, H)), RNG.standard_normal((B, H))
LONG = RNG.standard_normal((40, B, D))


def unrolled(w=None, u=None, u2=None, h0=H0, *, reverse=False):
    """Return a loss of a cell written op by op that uses h twice, and all h and z.

    Lists of weights have a copy for each step.
    """
    w = w or [leaf_with(W, "W")] * T
    u = u or [leaf_with(U, "U")] * T
    u2 = u2 or [leaf_with(U2, "U2")] * T
    v, h, states, gates = leaf_with(V, "v"), tg.Tensor(h0, name="start"), [None] * T, [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        with tg.scope("cell", t):
            x = tg.Tensor(X[t])
            z = tg.sigmoid(x @ w[t] + h @ u[t])
            h = z * h + (1 - z) * tg.tanh(x @ w[t] + h @ u2[t])
            z.name, h.name = "z", "h"
            states[t], gates[t] = h, z
    loss = tg.stack([(h * h * v).sum() for h in states]).sum() + (h**3).sum()
    return loss, states, gates


def plain_loss(nudge):
    """Return the same loss, computed by NumPy, with `nudge[t]` added to h_t."""
    h, total = H0, 0.0
    for t in range(T):
        z = 1 / (1 + np.exp(-(X[t] @ W + h @ U)))
        h = z * h + (1 - z) * np.tanh(X[t] @ W + h @ U2) + nudge[t]
        total += (h * h * V).sum()
    return total + (h**3).sum()


def float64_layer_loss(kind, layers=1, *, bidirectional=False, steps=T, **options):
    """Return a recurrent layer in float64, and a loss that depends on all of its outputs."""
    layer = getattr(tg.nn, kind)(
        D, H, layers, bidirectional=bidirectional, rng=0, **options
    ).astype(np.float64)
    output, _ = layer(tg.Tensor(LONG[:steps]))
    return layer, (
        tg.sin(output) * tg.Tensor(np.cos(np.arange(output.size)).reshape(output.shape))
    ).sum()


def contributions(found, layer):
    """Return the contributions to each parameter of a layer, by its name in the layer."""
    several = len(list(layer.children())) > 1
    named = {}
    for suffix, cell in layer.children():
        level, _, backwards = suffix.removeprefix("l").partition("_")
        scope = [
            type(layer).__name__.lower(),
            f"layer {level}",
            *([backwards] if backwards else []),
        ]
        for name, _ in cell.named_parameters():
            whole = f"{name}_{suffix}"
            named[whole] = found.parameters[" / ".join([*scope, whole]) if several else whole]
    return named


# -- gradients of the states -----------------------------------------------------------------------


def test_gradients_of_states_equal_finite_differences():
    found = tg.bptt.flow(unrolled()[0]).gradients["h"]
    assert found.shape == (T, B, H)
    step = 1e-5
    for place in np.ndindex(T, B, H):
        nudge = np.zeros((T, B, H))
        nudge[place] = step
        slope = (plain_loss(nudge) - plain_loss(-nudge)) / (2 * step)
        np.testing.assert_allclose(found[place], slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_states_are_those_that_backward_retains(reverse):
    loss, states, _ = unrolled(reverse=reverse)
    found = tg.bptt.flow(loss)
    loss.backward(retain_grads=True)
    assert found.steps == list(range(T))
    np.testing.assert_array_equal(found.gradients["h"], np.stack([h.grad for h in states]))


@pytest.mark.parametrize(("kind", "states"), [("RNN", ["h"]), ("GRU", ["h"]), ("LSTM", ["h", "c"])])
def test_gradients_of_a_layer_are_those_that_backward_retains(kind, states):
    _, loss = float64_layer_loss(kind)
    found = tg.bptt.flow(loss, states)
    assert set(found.gradients) == set(states)
    loss.backward(retain_grads=True)
    for name in states:
        recorded = {plain_scope(v.node.scope)[-1]: v.grad for v in toposort(loss) if v.name == name}
        np.testing.assert_array_equal(
            found.gradients[name], np.stack([recorded[t] for t in range(T)])
        )


def test_flow_takes_the_gradient_that_arrives():
    w = leaf_with(U, "U")

    def cell(x, h):
        h = tg.tanh(x + h @ w)
        h.name = "h"
        return h, h

    outputs, _ = tg.scan(cell, tg.Tensor(X[:, :, :H]), tg.Tensor(H0))
    u = np.random.default_rng(1).standard_normal(outputs.shape)
    given = tg.bptt.flow(outputs, gradient=u)
    by_loss = tg.bptt.flow((outputs * tg.Tensor(u)).sum())
    np.testing.assert_array_equal(given.gradients["h"], by_loss.gradients["h"])
    np.testing.assert_array_equal(given.parameters["U"], by_loss.parameters["U"])
    with pytest.raises(ValueError, match=r"^bptt.flow: argument gradient: "):
        tg.bptt.flow(outputs)
    with pytest.raises(ValueError, match=r"^bptt.flow: argument gradient: "):
        tg.bptt.flow(outputs, gradient=u[0])


# -- contributions of the steps --------------------------------------------------------------------


def test_contributions_are_the_gradients_of_a_copy_for_each_step():
    found = tg.bptt.flow(unrolled()[0]).parameters
    copies = {
        name: [leaf_with(array, name) for _ in range(T)]
        for name, array in (("w", W), ("u", U), ("u2", U2))
    }
    unrolled(**copies)[0].backward()
    for name, mine in copies.items():
        np.testing.assert_allclose(
            found[name.upper()], np.stack([copy.grad for copy in mine]), rtol=1e-13, atol=1e-15
        )
    assert set(found) == {"W", "U", "U2"}  # v is used outside of the steps


@pytest.mark.parametrize(
    ("kind", "layers", "bidirectional", "options"),
    [
        ("RNN", 1, False, {}),
        ("RNN", 1, False, {"bias": False}),
        ("GRU", 1, False, {}),
        ("GRU", 1, False, {"reset": "before"}),
        ("LSTM", 1, False, {}),
        ("GRU", 2, False, {}),
        ("LSTM", 1, True, {}),
        ("RNN", 2, True, {}),
        ("GRU", 2, True, {}),
    ],
)
def test_contributions_add_up_to_the_gradients(kind, layers, bidirectional, options):
    layer, loss = float64_layer_loss(kind, layers, bidirectional=bidirectional, **options)
    named = contributions(tg.bptt.flow(loss), layer)
    loss.backward()
    assert named.keys() == dict(layer.named_parameters()).keys()
    for name, p in layer.named_parameters():
        assert named[name].shape == (T, *p.shape)
        silent = (np.abs(named[name]).reshape(T, -1).max(1) == 0).sum()
        assert silent <= (name.startswith("weight_hh")), (
            f"{name}: nothing from {silent} steps; the one that starts from zeros is all"
        )
        np.testing.assert_allclose(named[name].sum(0), p.grad, rtol=1e-12, atol=1e-12)


def test_contributions_of_a_layer_are_those_of_shorter_gradients():
    """The loss depends on h_3 alone, so later steps contribute nothing."""
    layer = tg.nn.RNN(D, H, rng=0).astype(np.float64)
    output, _ = layer(tg.Tensor(LONG[:T]))
    found = tg.bptt.flow(output[3].sum())
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        norms = found.norms(name)
        assert norms[4:].tolist() == [0.0]
        assert (norms[1:4] > 0).all()
    # by hand: with δ_t = ∂L/∂h_t ⊙ (1 − h_t²), step t contributes δ_tᵀ x_t to weight_ih and
    # δ_tᵀ h_{t−1} to weight_hh
    h = output.data
    delta = found.gradients["h"][:4] * (1 - h[:4] ** 2)
    np.testing.assert_allclose(
        found.parameters["weight_ih_l0"][:4], np.einsum("tbh,tbi->thi", delta, LONG[:4]), rtol=1e-12
    )
    before = np.concatenate([np.zeros((1, B, H)), h[:3]])
    np.testing.assert_allclose(
        found.parameters["weight_hh_l0"][:4],
        np.einsum("tbh,tbi->thi", delta, before),
        rtol=1e-12,
        atol=1e-15,
    )
    np.testing.assert_allclose(found.parameters["bias_hh_l0"][:4], delta.sum(1), rtol=1e-12)


def test_contributions_pass_through_products_and_slices_of_parameters():
    a, b, big = (
        leaf_with(U, "a"),
        leaf_with(U2, "b"),
        leaf_with(RNG.standard_normal((3 * H, H)), "big"),
    )

    def loss_of(a, b, big):
        product = (
            tg.tanh(a) @ b
        )  # before the loop: what a step gives to it is carried on to a and b

        def cell(x, h):
            h = tg.tanh(
                x @ product
                + h @ big[0:H]
                + (h @ big[H : 2 * H]) * big[0]
                + big[:H].sum() * 0.1
                + a[1, 1]
            )
            h.name = "h"
            return h, h

        outputs, _ = tg.scan(cell, tg.Tensor(X[:, :, :H]), tg.Tensor(H0))
        return tg.sin(outputs).sum()

    loss = loss_of(a, b, big)
    found = tg.bptt.flow(loss).parameters
    loss.backward()
    assert set(found) == {"a", "b", "big"}
    for p in (a, b, big):
        np.testing.assert_allclose(found[p.name].sum(0), p.grad, rtol=1e-12, atol=1e-13)
    assert not found["big"][:, 2 * H :].any()


def test_two_parameters_of_one_name_are_kept_apart():
    a, b = leaf_with(U, "W"), leaf_with(U2, "W")

    def cell(x, h):
        h = tg.tanh(x @ a + h @ b)
        h.name = "h"
        return h, h

    _, h = tg.scan(cell, tg.Tensor(X[:, :, :H]), tg.Tensor(H0))
    loss = h.sum()
    found = tg.bptt.flow(loss).parameters
    loss.backward()
    assert len(found) == 2
    sums = sorted(share.sum() for share in found.values())
    np.testing.assert_allclose(sums, sorted([a.grad.sum(), b.grad.sum()]), rtol=1e-12)


def test_a_parameter_without_a_name_is_found():
    w = tg.Tensor(U, requires_grad=True)

    def cell(x, h):
        h = tg.tanh(x + h @ w)
        h.name = "h"
        return h, h

    _, h = tg.scan(cell, tg.Tensor(X[:, :, :H]), tg.Tensor(H0))
    loss = h.sum()
    (share,) = tg.bptt.flow(loss).parameters.values()
    loss.backward()
    np.testing.assert_allclose(share.sum(0), w.grad, rtol=1e-12)


# -- values ----------------------------------------------------------------------------------------


def test_values_are_those_of_the_gates():
    loss, states, gates = unrolled()
    found = tg.bptt.flow(loss).values
    assert set(found) == {"z", "h"}
    np.testing.assert_array_equal(found["h"], np.stack([h.data for h in states]))
    np.testing.assert_array_equal(found["z"], np.stack([z.data for z in gates]))


def test_values_of_a_gru_are_its_equations():
    layer, loss = float64_layer_loss("GRU")
    found = tg.bptt.flow(loss).values
    assert set(found) == {"r", "z", "n", "h"}
    r, z, n, h = (found[name] for name in "rznh")
    before = np.concatenate([np.zeros((1, B, H)), h[:-1]])
    np.testing.assert_allclose(h, z * before + (1 - z) * n, rtol=1e-12)
    w, b = layer.weight_ih_l0.data[:H], (layer.bias_ih_l0.data + layer.bias_hh_l0.data)[:H]
    np.testing.assert_allclose(
        r,
        1 / (1 + np.exp(-(LONG[:T] @ w.T + before @ layer.weight_hh_l0.data[:H].T + b))),
        rtol=1e-12,
    )


def test_values_hold_the_last_of_two_results_with_one_name():
    w = leaf_with(U, "U")

    def cell(x, h):
        half = h @ w
        half.name = "h"
        h = tg.tanh(x + half)
        h.name = "h"
        return h, h

    outputs, _ = tg.scan(cell, tg.Tensor(X[:, :, :H]), tg.Tensor(H0))
    found = tg.bptt.flow(outputs.sum())
    np.testing.assert_array_equal(found.values["h"], outputs.data)


@pytest.mark.parametrize(
    "steps", [range(1, 5), np.arange(4), [7, 3, 5]], ids=["from 1", "of NumPy", "in any order"]
)
def test_steps_keep_their_numbers(steps):
    w, h, seen = leaf_with(U, "U"), tg.Tensor(H0), {}
    for t in steps:
        with tg.scope("loop", t):
            h = tg.tanh(h @ w)
            h.name = "h"
            seen[int(t)] = h
    found = tg.bptt.flow(h.sum())
    assert found.steps == sorted(seen)
    np.testing.assert_array_equal(found.values["h"], np.stack([seen[t].data for t in sorted(seen)]))


# -- several loops ---------------------------------------------------------------------------------


def test_names_carry_the_loop_if_there_are_several():
    _, loss = float64_layer_loss("GRU", 2, bidirectional=True)
    found = tg.bptt.flow(loss)
    loops = ["gru / layer 0", "gru / layer 0 / reverse", "gru / layer 1", "gru / layer 1 / reverse"]
    assert set(found.gradients) == {f"{loop} / h" for loop in loops}
    assert set(found.values) == {f"{loop} / {name}" for loop in loops for name in "rznh"}
    loss.backward(retain_grads=True)
    for loop in loops:
        scope = tuple(loop.split(" / "))
        mine = {
            plain_scope(v.node.scope)[len(scope)]: v
            for v in toposort(loss)
            if v.name == "h" and plain_scope(v.node.scope)[:-1] == scope
        }
        np.testing.assert_array_equal(
            found.gradients[f"{loop} / h"], np.stack([mine[t].grad for t in range(T)])
        )


def encoder_and_decoder(first=6, second=3):
    """Return a loss of two loops of different lengths, one after the other."""
    w, u = leaf_with(0.3 * np.eye(H), "W"), leaf_with(0.2 * np.eye(H), "U")

    def cell_with(p):
        def cell(x, h):
            h = tg.tanh(x + h @ p)
            h.name = "h"
            return h, h

        return cell

    with tg.scope("encoder"):
        _, h = tg.scan(cell_with(w), tg.Tensor(LONG[:first, :, :H]), tg.Tensor(H0))
    with tg.scope("decoder"):
        outputs, _ = tg.scan(cell_with(u), tg.Tensor(LONG[:second, :, :H]), h)
    return outputs.sum()


def test_loops_of_different_lengths_have_their_own_steps():
    loss = encoder_and_decoder()
    found = tg.bptt.flow(loss)
    assert found.gradients["encoder / h"].shape == (6, B, H)
    assert found.gradients["decoder / h"].shape == (3, B, H)
    loss.backward(retain_grads=True)
    for loop, steps in (("encoder", 6), ("decoder", 3)):
        mine = {
            plain_scope(v.node.scope)[1]: v.grad
            for v in toposort(loss)
            if v.name == "h" and plain_scope(v.node.scope)[0] == loop
        }
        wanted = [float(np.linalg.norm(mine[t])) for t in range(steps)]
        np.testing.assert_allclose(found.norms(f"{loop} / h"), wanted, rtol=1e-12)


def test_loops_of_different_lengths_are_plotted_over_their_own_steps():
    axes = Axes()
    tg.bptt.flow(encoder_and_decoder()).plot(axes)
    assert {label: len(x) for x, _, label in axes.drawn} == {"encoder / h": 6, "decoder / h": 3}
    assert all(len(x) == len(y) for x, y, _ in axes.drawn)


# -- norms and plot --------------------------------------------------------------------------------


def test_norms_are_euclidean():
    found = tg.bptt.flow(unrolled()[0])
    for name, array in (
        ("h", found.gradients["h"]),
        ("U", found.parameters["U"]),
        ("U2", found.parameters["U2"]),
    ):
        np.testing.assert_allclose(
            found.norms(name), [np.linalg.norm(row) for row in array], rtol=1e-14
        )
    with pytest.raises(KeyError, match=r"expected .*h.*, got 'q'; write norms\('h'\), for example"):
        found.norms("q")


def test_norms_of_numbers_of_every_size_are_exact():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((620, 2, 3)) * 10.0 ** np.arange(-315, 305)[:, None, None]
    rows = np.concatenate([rows, np.zeros((1, 2, 3)), np.full((1, 2, 3), [np.inf, 1.0, -np.inf])])
    found = replace(tg.bptt.flow(unrolled()[0]), gradients={"h": rows}, parameters={})
    expected = [math.hypot(*row.ravel()) for row in rows]
    np.testing.assert_allclose(found.norms("h"), expected, rtol=4e-16, atol=5e-324)
    assert np.isnan(replace(found, gradients={"h": rows * np.nan}).norms("h")).all()
    assert row_norms(np.zeros((2, 0))).tolist() == [0.0, 0.0]
    w = tg.Tensor(np.ones(9), requires_grad=True)
    last = list(tg.backward_steps((w * np.full(9, 1e200)).sum()))[-1]
    assert "norm 3e+200" in str(last)


class Axes:
    """A stand-in for Matplotlib's axes, with the methods that a plot calls."""

    def __init__(self):
        self.lines, self.drawn, self.texts, self.legends = [], [], {}, 0

    def semilogy(self, x, y, *, label, marker, **_):
        self.lines.append(marker)
        self.drawn.append((list(x), np.asarray(y), label))

    def set_xlabel(self, text):
        self.texts["x"] = text

    def set_ylabel(self, text):
        self.texts["y"] = text

    def grid(self, **_):
        self.texts["grid"] = True

    def legend(self, **_):
        self.legends += 1


def test_plot_draws_the_norms_of_each_state():
    axes = Axes()
    rnn, lstm = (
        tg.bptt.flow(float64_layer_loss("RNN")[1]),
        tg.bptt.flow(float64_layer_loss("LSTM")[1], ("h", "c")),
    )
    assert rnn.plot(axes, label="RNN") is axes
    assert lstm.plot(axes, "LSTM") is axes
    assert [label for *_, label in axes.drawn] == [
        "RNN h",
        *(f"LSTM {name}" for name in lstm.gradients),
    ]
    for (x, y, _), wanted in zip(
        axes.drawn, [rnn.norms("h"), *map(lstm.norms, lstm.gradients)], strict=True
    ):
        assert x == list(range(T))
        np.testing.assert_array_equal(y, wanted)
    assert (
        len(set(axes.lines)) == 3
    )  # every line has a mark of its own: no line is told by colour alone
    assert axes.texts["x"] == "time step t"
    assert "h" in axes.texts["y"]
    assert axes.legends


def test_plot_makes_axes_if_there_are_none(monkeypatch):
    """A stand-in replaces Matplotlib, which the tests do not need."""
    made = Axes()

    class Figure:
        def __init__(self, **_):
            pass

        def subplots(self):
            return made

    stand_in = ModuleType("matplotlib.figure")
    stand_in.Figure = Figure
    monkeypatch.setitem(sys.modules, "matplotlib", ModuleType("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", stand_in)
    assert tg.bptt.flow(unrolled()[0]).plot() is made
    assert [label for *_, label in made.drawn] == ["h"]


# -- the graph stays as it was ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_flow_leaves_the_graph_as_it_was(kind):
    layer, loss = float64_layer_loss(kind, 2)
    other, same = float64_layer_loss(kind, 2)
    first, second = tg.bptt.flow(loss), tg.bptt.flow(loss)
    assert not any(v.node.used or v.grad is not None for v in toposort(loss))
    assert all(p.grad is None for p in layer.parameters())
    for name, array in first.gradients.items():
        np.testing.assert_array_equal(array, second.gradients[name])
    loss.backward()
    same.backward()
    for p, q in zip(layer.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad, q.grad)


def test_arrays_of_a_flow_are_copies():
    loss, states, _ = unrolled()
    found = tg.bptt.flow(loss)
    for array in (*found.values.values(), *found.gradients.values(), *found.parameters.values()):
        array[...] = 7.0
    again, _, _ = unrolled()
    wanted = tg.bptt.flow(again)
    now = tg.bptt.flow(loss)
    np.testing.assert_array_equal(now.values["h"], wanted.values["h"])
    np.testing.assert_array_equal(now.gradients["h"], wanted.gradients["h"])
    assert not (states[0].data == 7.0).any()


def test_flow_raises_for_a_used_graph():
    loss, *_ = unrolled()
    loss.backward()
    with pytest.raises(
        RuntimeError, match="expected a graph that no backward pass has gone through"
    ):
        tg.bptt.flow(loss)
    kept, *_ = unrolled()
    kept.backward(retain_graph=True)
    tg.bptt.flow(kept)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            "q",
            "^bptt.flow: argument state: expected the name of a result in time steps: "
            "h, z, got 'q'; name a result in the cell: h.name = 'q'$",
        ),
        (["h", "q"], "got 'q'"),
        ("W", "got 'W'"),  # a parameter is no result of a time step
        ("start", "got 'start'"),
    ],
)
def test_flow_raises_for_a_state_without_results(state, message):
    with pytest.raises(ValueError, match=message):
        tg.bptt.flow(unrolled()[0], state)


def test_flow_raises_for_a_graph_without_time_steps():
    w = leaf_with(V, "w")
    with pytest.raises(
        ValueError, match="expected the name of a result in time steps: none, got 'h'"
    ):
        tg.bptt.flow((w * w).sum())
    with pytest.raises(RuntimeError, match="expected a Tensor that requires gradients"):
        tg.bptt.flow(tg.Tensor(1.0))


@pytest.mark.parametrize("loss", [None, 1.0, np.ones(())])
def test_flow_raises_for_a_loss_that_is_no_tensor(loss):
    with pytest.raises(TypeError, match=r"^bptt.flow: argument \w+: expected a Tensor"):
        tg.bptt.flow(loss)


def test_a_hundred_steps_are_followed_fast():
    layer = tg.nn.GRU(D, 16, rng=0)
    output, _ = layer(tg.Tensor(np.ones((100, B, D)), dtype="float32"))
    loss = output.sum()
    start = time.process_time()
    found = tg.bptt.flow(loss)
    assert time.process_time() - start < 3
    assert found.parameters["weight_hh_l0"].shape == (100, 48, 16)


def test_a_gradient_that_vanishes_is_as_small_as_it_should_be():
    """h_t = x_t + h_{t−1} U and L = Σ h_{T−1}, so ∂L/∂h_t = (Uᵀ)^(T−1−t) 1."""
    u = leaf_with(0.5 * np.eye(H), "U")

    def cell(x, h):
        h = x + h @ u
        h.name = "h"
        return h, h

    _, h = tg.scan(cell, tg.Tensor(np.ones((30, 1, H))), tg.Tensor(np.zeros((1, H))))
    norms = tg.bptt.flow(h.sum()).norms("h")
    np.testing.assert_allclose(norms, np.sqrt(H) * 0.5 ** np.arange(29, -1, -1), rtol=1e-12)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tinygrad_rnn\[plot\]"):
        tg.bptt.flow(unrolled()[0]).plot()


def test_the_calls_of_one_layer_are_kept_apart():
    gru = tg.nn.GRU(D, H, rng=0).astype(np.float64)
    x = np.random.default_rng(0).standard_normal((T, B, D))
    first, state = gru(x)
    second, _ = gru(x[::-1].copy(), state)
    loss = (first * second).sum()
    found = tg.bptt.flow(loss)
    assert set(found.gradients) == {"gru / layer 0 / h", "gru, call 2 / layer 0 / h"}
    loss.backward(retain_grads=True)
    for title, output in (("gru / layer 0 / h", first), ("gru, call 2 / layer 0 / h", second)):
        states = output.node.inputs
        np.testing.assert_array_equal(found.gradients[title], np.stack([h.grad for h in states]))
    for name, parameter in gru.cells[0][0].named_parameters():
        shares = [
            share for title, share in found.parameters.items() if title.endswith(f"/ {name}_l0")
        ]
        assert len(shares) == 2
        np.testing.assert_allclose(
            sum(share.sum(0) for share in shares), parameter.grad, rtol=1e-10, atol=1e-12
        )


def test_two_scans_in_a_module_that_is_called_twice_are_four_loops():
    class Twice(tg.nn.Module):
        def forward(self, xs, h):
            for _ in range(2):
                xs, h = tg.scan(cell, xs, h)
            return xs, h

    def cell(x, h):
        h = tg.tanh(x + h @ w)
        h.name = "h"
        return h, h

    w, module = leaf_with(U, "U"), Twice()
    outputs, _ = module(*module(tg.Tensor(X[:, :, :H]), tg.Tensor(H0)))
    found = tg.bptt.flow(outputs.sum())
    loops = ("twice", "twice, scan 2", "twice, call 2", "twice, call 2, scan 2")
    assert list(found.gradients) == [f"{loop} / h" for loop in loops]
    np.testing.assert_array_equal(found.values["twice, call 2, scan 2 / h"], outputs.data)


def test_flow_raises_for_a_state_that_changes_its_shape():
    w, h = leaf_with(np.ones(1), "w"), tg.Tensor(np.ones(1))
    for t in range(3):
        with tg.scope(t):
            h = tg.concatenate([h * w, h])
            h.name = "h"
    with pytest.raises(
        ValueError, match=r"bptt.flow: argument state: .* got h of shapes \(2,\), \(4,\), \(8,\)"
    ):
        tg.bptt.flow(h.sum())


def test_a_flow_is_printed_as_a_short_table():
    output, _ = tg.nn.LSTM(3, 4, rng=0)(np.ones((100, 2, 3), np.float32))
    found = tg.bptt.flow(output[-1].sum(), state=["h", "c"])
    lines = repr(found).splitlines()
    assert lines[0].split() == ["t", *(f"‖∂L/∂{name}‖" for name in found.gradients)]
    assert [line.split()[0] for line in lines[1:-3]] == ["0", "1", "2", "3", "…", "97", "98", "99"]
    first = next(iter(found.gradients))
    assert lines[-4].split()[1] == f"{found.norms(first)[-1]:.3g}"
    assert "gradients: c (100, 2, 4), h (100, 2, 4)" in lines
    assert lines[-2].startswith("parameters: ")
    assert lines[-1].endswith("… (6 in all)")
    short, _ = tg.nn.RNN(3, 4, rng=0)(np.ones((3, 2, 3), np.float32))
    assert [line.split()[0] for line in repr(tg.bptt.flow(short.sum())).splitlines()[:4]] == [
        "t",
        "0",
        "1",
        "2",
    ]
