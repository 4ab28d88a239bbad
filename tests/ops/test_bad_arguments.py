"""Compositions refuse what is no array of real numbers, by name, and stack lists of Tensors."""

import inspect

import numpy as np
import pytest
from every_composition import COMPOSITIONS, calls, every_composition, flat, is_float
from helpers import together

import tinygrad_rnn as tg

BAD = {
    "text": "no",
    "None": None,
    "rows of different lengths": [[1.0], [2.0, 3.0]],
    "objects": np.array([object(), None]),
    "a date": np.array(["2020-01-01"], "M8[D]"),
    "complex numbers": np.array([1j, 2j]),
    "text in a list": ["a", "b"],
    "masked entries": np.ma.array([1.0, 2.0], mask=[True, False]),
    "Tensors of different shapes": [tg.Tensor([1.0, 2.0]), tg.Tensor([1.0])],
    "a Tensor beside text": [tg.Tensor(1.0), "b"],
}


def places(made):
    """Return each array of the sample calls: the call, its place, and whether it is in a list."""
    found = []
    for args, kwargs in calls(made):
        for place, value in [*enumerate(args), *kwargs.items()]:
            if is_float(value):
                found.append((args, kwargs, place, False))
            elif isinstance(value, list) and value and is_float(value[0]):
                found.append((args, kwargs, place, True))
    return found


def call_with(made, args, kwargs, place, value):
    """Call a composition with Tensors for arrays, and with `value` at this place."""
    args = [tg.Tensor(a) if is_float(a) else a for a in args]
    kwargs = dict(kwargs)
    (args if isinstance(place, int) else kwargs)[place] = value
    return made.function(*args, **kwargs)


def is_allowed(made, place, value):
    """Return whether a value is right here: None as a default, or a list of different arrays."""
    parameters = list(inspect.signature(made.function).parameters.values())
    by_name = {p.name: p for p in parameters}
    parameter = by_name.get(place) if isinstance(place, str) else parameters[place : place + 1]
    parameter = parameter[0] if isinstance(parameter, list) and parameter else parameter
    if value is None:
        return bool(parameter) and parameter.default is None
    takes_a_list = any(p == place and in_list for _, _, p, in_list in places(made))
    return isinstance(value, list) and takes_a_list


@every_composition
@together("what", BAD)
def test_a_composition_refuses_by_name_what_is_no_array_of_numbers(name, what):
    made, refused = COMPOSITIONS[name], 0
    for args, kwargs, place, in_list in places(made):
        nests = in_list and name == "block"  # a list in a list is a row of blocks
        if (nests and isinstance(BAD[what], list)) or (
            not in_list and is_allowed(made, place, BAD[what])
        ):
            continue
        given = kwargs[place] if isinstance(place, str) else args[place]
        value = [BAD[what], *given[1:]] if in_list else BAD[what]
        with pytest.raises((TypeError, ValueError)) as caught:
            call_with(made, args, kwargs, place, value)
        operation, _, rest = str(caught.value).partition(": ")
        assert name.split(".")[-1] in operation
        assert "; " in rest
        refused += 1
    assert refused or isinstance(BAD[what], list)


@pytest.mark.parametrize("name", [name for name in COMPOSITIONS if name != "block"])
def test_a_composition_stacks_lists_that_contain_tensors(name):
    """But not `block`, to which a list says along which axis to join."""
    made = COMPOSITIONS[name]
    for args, kwargs, place, in_list in places(made):
        given = kwargs[place] if isinstance(place, str) else args[place]
        if in_list or not given.ndim or not len(given):
            continue
        rows = [tg.Tensor(row, requires_grad=True) for row in given]
        expected = flat(made.function(*args, **kwargs))
        found = flat(call_with(made, args, kwargs, place, rows))
        for y, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.asarray(y.detach()), np.asarray(e), rtol=1e-12)
        assert sum(y.sum() for y in found).requires_grad


def test_a_number_in_a_list_of_tensors_takes_their_dtype():
    x = tg.Tensor(2.0, requires_grad=True)
    y = tg.cumprod([[x, 3.0], [4.0, 5.0]], axis=1)
    assert (y.dtype, y.tolist()) == (np.float32, [[2.0, 6.0], [4.0, 20.0]])
    y.sum().backward()
    assert x.grad == 4


@pytest.mark.parametrize(
    "what", ["text", "rows of different lengths", "objects", "complex numbers"]
)
@pytest.mark.parametrize("name", ["any", "all", "std", "matmul", "linear"])
def test_a_function_that_calls_ops_refuses_what_is_no_array_of_numbers(name, what):
    rest = [tg.Tensor(np.eye(2))] * (name in ("matmul", "linear"))
    with pytest.raises(TypeError, match=f"^{name}: argument [ax]: expected a rectangular array"):
        getattr(tg, name)(BAD[what], *rest)
