"""Values, networks and calls that the tests of several rooms share."""

import functools
import inspect

import numpy as np
import pytest
from internals import Architecture, Options, Trainer, main

import tinygrad_rnn as tg
from tinygrad_rnn.text import sample

TEXT = "the cat sat on the mat and the dog sat on the log. " * 6


# -- many cases ------------------------------------------------------------------------------------


def together(names, cases, *, of=None):
    """Return a decorator like ``parametrize``, but all cases run in one test.

    What pytest does for each test takes longer than a small case. All cases run, and an error names
    those that failed.

    Parameters
    ----------
    names : str or tuple of str
        The arguments of the test that a case fills.
    cases : iterable, or dict of lists
        The values, in tuples if there are several names. With `of`, those for each of its values.
    of : str, optional
        Another argument of the test, which chooses the list of cases.
    """
    several = not isinstance(names, str)
    cases = cases if of else list(cases)

    def decorate(test):
        @functools.wraps(test)
        def run(**given):
            chosen = cases[given[of]] if of else cases
            assert chosen, "there are no cases"
            errors = []
            for number, case in enumerate(chosen):
                filled = zip(names, case, strict=True) if several else [(names, case)]
                try:
                    test(**given, **dict(filled))
                except Exception as error:
                    error.add_note(f"in case {number}, {names} = {case!r}")
                    errors.append(error)
            if errors:
                raise ExceptionGroup(f"{len(errors)} of {len(chosen)} cases failed", errors)

        signature = inspect.signature(test)
        filled = names if several else (names,)
        others = [p for name, p in signature.parameters.items() if name not in filled]
        run.__signature__ = signature.replace(parameters=others)
        return run

    return decorate


# -- values ----------------------------------------------------------------------------------------


def normal(*shape, seed=0):
    """Return an array of this shape, drawn from the normal distribution."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def leaf(*shape, seed=0, name=None):
    """Return a normally distributed Tensor of this shape that requires a gradient."""
    return tg.Tensor(normal(*shape, seed=seed), requires_grad=True, name=name)


def leaf_with(values, name=None):
    """Return a Tensor that holds a copy of these values and requires a gradient."""
    return tg.Tensor(np.array(values), requires_grad=True, name=name)


def ramp(shape=(2, 2), name="w", *, grad=True):
    """Return a named Tensor whose elements go from 0.5 to 1 in equal steps."""
    values = np.linspace(0.5, 1.0, int(np.prod(shape))).reshape(shape)
    return tg.Tensor(values, requires_grad=grad, name=name)


def state_parts(state):
    """Return the Tensors of a recurrent state in a list: h, or h and c."""
    return list(state) if isinstance(state, tuple) else [state]


# -- the same numbers, in another order in memory --------------------------------------------------


def with_negative_strides(array):
    """Return an equal array that lies in memory back to front."""
    backwards = (..., *[slice(None, None, -1)] * array.ndim)
    return array[backwards].copy()[backwards]


def with_gaps(array):
    """Return an equal array that uses every second element of a larger one, along every axis."""
    every_second = (..., *[slice(None, None, 2)] * array.ndim)
    view = np.zeros([2 * n for n in array.shape], array.dtype)[every_second]
    view[...] = array
    return view


# -- networks --------------------------------------------------------------------------------------


def array_bits(arrays):
    """Return the dtype and the bytes of each array of a dict, to compare exactly."""
    return {name: (array.dtype, array.tobytes()) for name, array in arrays.items()}


def train_and_sample(seed, cell="gru", compile=False, steps=12):
    """Train a character model for a few steps; return the bits of its weights, and a sample."""
    options = Options(epochs=9, batch_size=2, steps=7, seed=seed, compile=compile)
    architecture = Architecture(cell=cell, hidden=6, embedding=4, layers=2, dropout=0.2)
    trainer = Trainer(TEXT, architecture, options)
    steps_left = iter(range(steps))
    trainer.run(stop=lambda: next(steps_left, None) is None)
    model = trainer.model.eval()
    return array_bits(model.state_dict()), sample(model, model.vocab, "the", 20, rng=seed)


# -- the command -----------------------------------------------------------------------------------

SMALL_SIZES = ["--hidden", "8", "--embedding", "4", "--batch-size", "4", "--steps", "10"]
"""Options of ``train`` for a model that trains in an instant."""
SMALL = [*SMALL_SIZES, "--epochs", "1"]


def run_command(*arguments):
    """Run the command with these arguments; return its exit code, argparse's own exits included."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        return leaving.code


def read_one_line(capsys):
    """Return the line on stderr, which must be the only one that was printed."""
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    return error


def mostly_studies(blocks, kept):
    """Return blocks of seeds, of which all but the first `kept` run among the studies only."""
    blocks = list(blocks)
    return [
        *blocks[:kept],
        *(pytest.param(block, marks=pytest.mark.study) for block in blocks[kept:]),
    ]
