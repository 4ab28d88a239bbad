"""Compiled functions beside eager twins of them: everything that a call returns or changes."""

import copy
from contextlib import contextmanager

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.compile.instructions import Expected
from tinygrad_rnn.compile.ready_program import ReadyProgram

NEAR = {"float16": 4e-3, "float32": 3e-5, "float64": 1e-10}
"""How far numbers may be apart, by dtype."""


def assert_same(eager, compiled, where="result"):
    """Raise AssertionError unless two structures have the same types and about the same numbers."""
    assert type(eager) is type(compiled), f"{where}: {type(eager)} and {type(compiled)}"
    if isinstance(eager, dict):
        assert [*eager] == [*compiled], where
        for name, part in eager.items():
            assert_same(part, compiled[name], f"{where}[{name!r}]")
    elif isinstance(eager, tuple | list):
        assert len(eager) == len(compiled), where
        for i, (a, b) in enumerate(zip(eager, compiled, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(eager, tg.Tensor):
        assert_same(eager.data, compiled.data, where)
        assert_same(eager.grad, compiled.grad, f"{where}.grad")
        assert eager.name == compiled.name, where
    elif isinstance(eager, np.ndarray | np.generic | float):
        a, b = np.asarray(eager), np.asarray(compiled)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{where}: {a!r} and {b!r}"
        near = (
            NEAR.get("float32" if type(eager) is float else str(a.dtype), 0)
            if a.dtype.kind == "f"
            else 0
        )
        size = np.nanmax(np.abs(a), initial=1) if a.dtype.kind == "f" else 0
        np.testing.assert_allclose(b, a, rtol=near, atol=near * size, err_msg=where)
    else:
        assert eager == compiled, f"{where}: {eager!r} and {compiled!r}"


def look_at(thing):
    """Return all numbers in a module, an optimizer, a generator, or a structure of such things."""
    if isinstance(thing, tg.nn.Module):
        grads = {name: p.grad for name, p in thing.named_parameters()}
        return {"state": thing.state_dict(), "grads": grads}
    if isinstance(thing, tg.optim.Optimizer):
        return {"state": [dict(s) for s in thing.state], "steps": thing.steps, "lr": thing.lr}
    if isinstance(thing, np.random.Generator):
        return thing.bit_generator.state
    if isinstance(thing, dict):
        return {name: look_at(part) for name, part in thing.items()}
    if isinstance(thing, tuple | list):
        return [look_at(part) for part in thing]
    if isinstance(thing, tg.Tensor):
        return [thing.data.copy(), thing.grad]
    return thing if not callable(thing) else None


@contextmanager
def count_plain_runs():
    """Yield a list that gets the reason whenever a program gives up for the plain function."""
    reasons, run = [], ReadyProgram.run

    def watched(self, *args):
        try:
            return run(self, *args)
        except Expected as error:
            reasons.append(error.__cause__)
            raise

    ReadyProgram.run = watched
    try:
        yield reasons
    finally:
        ReadyProgram.run = run


def check_twins(make, data, calls=5, *, programs=1, plain=0, between=None, **options):
    """Call a function and its compiled twin on other data each time, and compare all numbers.

    Parameters
    ----------
    make : callable
        Returns a new function and all that it changes: modules, optimizers, generators, Tensors.
    data : callable
        Returns the arguments of a call, from a generator.
    programs : int
        How many programs may be written.
    plain : int
        How many calls may run the plain function.
    between : callable, optional
        Called with the number of the call, the function, and what it changes, before each call.
    """
    (eager, things), (function, twins) = make(), make()
    fast = tg.compile(function, **options)
    with count_plain_runs() as reasons:
        for call in range(calls):
            for f, changed in ((eager, things), (function, twins)):
                if between:
                    between(call, f, changed)
            args = data(np.random.default_rng(call))
            args = args if isinstance(args, tuple) else (args,)
            given_by_name = isinstance(args[-1], Keywords)
            args, kwargs = (args[:-1], args[-1]) if given_by_name else (args, {})
            expected = eager(*copy.deepcopy(args), **copy.deepcopy(kwargs))
            assert_same(expected, fast(*args, **kwargs), f"result of call {call}")
            assert_same(look_at(things), look_at(twins), f"after call {call}")
    assert len(reasons) <= plain, reasons
    assert 0 < len(fast.programs) <= programs, f"{len(fast.programs)} programs"
    return fast


class Keywords(dict):
    """The arguments of a call that are given by name."""
