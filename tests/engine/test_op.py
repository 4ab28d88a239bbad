"""An op apart from its numbers: its signature, the arguments that it takes, and its errors."""

import numpy as np
import pytest
from helpers import leaf_with
from internals import Node, backward_pass, registry, toposort

import tinygrad_rnn as tg


@pytest.fixture
def made(restored_registry):
    """Register an op that is forgotten after the test."""

    @tg.op("half({a}, {b})", fix="give it halves")
    def half_known(a, b, *, scale=1.0):
        return np.multiply(a, b) * scale

    return half_known


def test_an_op_shows_how_it_is_called():
    assert tg.reshape.signature == "reshape(a, shape)"
    assert repr(tg.mean) == "<op mean(a, axis=None, keepdims=False)>"


@pytest.mark.parametrize(
    "call",
    [
        lambda x: tg.reshape(x),
        lambda x: tg.add(x),
        lambda x: tg.add(x, x, x),
        lambda x: tg.mean(x, 0, True, 1),
    ],
    ids=["a setting is missing", "an array is missing", "an array too many", "a setting too many"],
)
def test_another_call_is_refused_with_the_signature(call):
    with pytest.raises(
        TypeError,
        match=r"got \d positional arguments.*; call it as "
        r"(reshape\(a, shape\)|add\(a, b\)|mean\(a, axis=None, keepdims=False\))$",
    ):
        call(leaf_with(np.float32([1, 2])))


def test_arrays_may_be_given_by_name_and_settings_by_place():
    x = leaf_with(np.float32([1, 2]))
    assert tg.add(x, b=x).data.tolist() == tg.add(a=x, b=x).data.tolist() == [2, 4]
    assert (
        tg.mean(x, 0, True).shape
        == tg.mean(x, keepdims=True).shape
        == tg.mean(a=x, axis=0, keepdims=True).shape
        == (1,)
    )


@pytest.mark.parametrize("wrong", [3, 3.0, np.float32(3), np.array(3.0)])
def test_a_variadic_op_takes_a_sequence(wrong):
    with pytest.raises(
        TypeError,
        match=r"concatenate: argument arrays: expected a sequence of arrays.*"
        r"put the arrays in a list",
    ):
        tg.concatenate(wrong)


def test_what_numpy_says_comes_with_the_arguments_and_the_fix(made):
    wide, long = leaf_with(np.float32([1, 2])), leaf_with(np.float32([1, 2, 3]))
    with pytest.raises(
        ValueError,
        match=r"^half_known: .*broadcast.*; got a: .*\(2,\).*, b: .*\(3,\).*; give it halves$",
    ) as first:
        made(wide, long)
    assert first.value.explained
    with pytest.raises(
        ValueError, match=r"^add: .*; got a: float32 \(2,\), b: float32 \(3,\); use reshape or"
    ):
        tg.add(wide, long)
    with pytest.raises(TypeError, match=r"arrays\[1\]"):
        tg.concatenate([wide, "text"])


def test_an_explained_error_is_not_explained_again():
    @tg.op("outer_explained({a})")
    def outer_explained(a):
        return tg.reshape(a, (7,))

    try:
        with pytest.raises(ValueError, match=r"^reshape: ") as found:
            outer_explained(leaf_with(np.float32([1, 2])))
        assert "outer_explained" not in str(found.value)
    finally:
        registry.pop("outer_explained")


def test_a_tracked_input_without_a_rule_is_refused_by_name_and_a_constant_is_not(made):
    x, y = leaf_with(np.float32([1, 2])), leaf_with(np.float32([3, 4]))
    for rules, refused in (
        ({}, "a"),
        ({"a": lambda g, y, a, b, scale: g * b}, "b"),
        ({"b": lambda g, y, a, b, scale: g * a}, "a"),
    ):
        made.vjps(**rules)
        with pytest.raises(TypeError, match=f"half_known: argument {refused}: expected a constant"):
            made(x, y)
        with tg.no_grad():
            assert made(x, y).data.tolist() == [3, 8]
    made(x.detach(), y).backward(np.ones(2, "float32"))
    assert y.grad.tolist() == [1, 2]


def test_what_is_recorded_starts_unused_and_unchanged():
    y = tg.tanh(leaf_with(np.float32([1, 2])))
    assert isinstance(y.node, Node)
    assert (y.node.used, y.changed, y.grad, y.name) == (0, 0, None, None)
    assert y.tracked
    assert not tg.tanh(tg.Tensor([1.0])).tracked


def test_settings_of_an_op_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        tg.op("given({a})", None)
    with pytest.raises(TypeError, match="positional"):
        backward_pass({}, [], True)


@pytest.mark.parametrize(
    "rule",
    [lambda g, y: g, lambda g, y, a: g, lambda g, y, a, b: g, lambda g, y, a, b, scale, more: g],
    ids="1234",
)
def test_a_rule_of_other_arguments_is_refused_when_it_is_given(made, rule):
    wanted = (
        r"half_known\.vjps: argument a: expected a rule with the signature "
        r"\(g, y, a, b, scale\), got a rule with the signature \(g, y.*\); give it a parameter"
    )
    with pytest.raises(TypeError, match=wanted):
        made.vjps(a=rule, b=lambda g, y, a, b, scale: g * a * scale)
    with pytest.raises(
        TypeError,
        match=r"half_known\.vjps: argument a: expected a rule with the signature "
        r"\(g, y, a, b, scale\), got int 3",
    ):
        made.vjps(a=3)
    assert not made.rules
    made.vjps(a=max)  # a builtin does not say what it takes
    made.vjps(
        a=lambda *arguments, **settings: arguments[0], b=lambda g, y, a, b, *, scale: g * a * scale
    )


def test_an_op_that_was_never_given_rules_is_refused(made):
    with pytest.raises(TypeError, match="half_known has no derivative"):
        made(leaf_with(np.float32([1, 2])), 2.0)

    @tg.op("several({arrays})")
    def several(*arrays):
        return sum(arrays)

    assert several([tg.Tensor([1.0]), [2.0], 3.0]).data.tolist() == [6]
    for arrays in ([leaf_with(np.float32([1])), 2.0], [1.0, leaf_with(np.float32([2]))]):
        with pytest.raises(TypeError, match="several has no derivative"):
            several(arrays)


def test_the_backward_pass_yields_leaves_and_only_if_asked_what_is_on_the_way():
    x = leaf_with(np.float32([1, 2]))
    y = tg.tanh(tg.exp(x))
    on_the_way = [value for value, _ in backward_pass({y: y.array}, toposort(y), interior=True)]
    assert [value for value, _ in backward_pass({y: y.array}, toposort(y))] == [x]
    assert len(on_the_way) == 3
    assert on_the_way[0] is y
    assert on_the_way[-1] is x


def test_after_a_contribution_to_a_part_the_other_inputs_get_theirs(made):
    made.vjps(
        a=lambda g, y, a, b, scale: tg.getitem.rules["a"](g[:1], y, a, slice(0, 1)),
        b=lambda g, y, a, b, scale: g,
    )
    x, y = leaf_with(np.float32([1, 2])), leaf_with(np.float32([3, 4]))
    made(x, y).backward(np.array([5, 6], "float32"))
    assert x.grad.tolist() == [5, 0]
    assert y.grad.tolist() == [5, 6]
