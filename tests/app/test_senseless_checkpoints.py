"""Checkpoints with right checksums and senseless contents are refused by the name of the file."""

import copy

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from internals import Architecture, Options, Trainer, load_model, save_model

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([99, 10**6, 2**63, 2**70, 10**400, 0.5, -1.0, 1e308, float("nan"), "1", ""]),
    st.lists(st.integers(0, 2), max_size=2),
    st.dictionaries(st.sampled_from(["state", "inc", "a"]), st.integers(-1, 2), max_size=2),
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return a path, and the model, the arrays and the notes of an interrupted training."""
    trainer = Trainer(
        TEXT, Architecture("lstm", 3, 4), Options(epochs=3, batch_size=4, steps=10, seed=1)
    )
    batches = iter(range(trainer.batches + 2))
    trainer.run(stop=lambda: next(batches, None) is None)
    path = tmp_path_factory.mktemp("senseless") / "m.safetensors"
    trainer.save(path)
    return path, *load_model(path)


def places_of(value, above=()):
    """Yield the place of each value in nested dicts and lists, as a tuple of keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in pairs:
        yield (*above, key)
        if isinstance(part, dict | list):
            yield from places_of(part, (*above, key))


def put(notes, place, value):
    """Return a copy of the notes with another value in one place."""
    changed = copy.deepcopy(notes)
    *above, last = place
    part = changed
    for key in above:
        part = part[key]
    part[last] = value
    return changed


def check_resume(path, model, arrays, notes):
    """Assert that a file is refused by its name, or that its training goes on; return the error."""
    save_model(model, path, arrays=arrays, notes=notes)
    try:
        trainer = Trainer.resume(path, TEXT)
        refusal = ""
    except ValueError as error:
        refusal = str(error)
    if refusal:
        assert repr(str(path)) in refusal
        assert len(refusal) < 1000
        return refusal
    batches = iter(range(2))
    with np.errstate(all="ignore"):
        try:
            trainer.run(stop=lambda: next(batches, None) is None)
        except ValueError as error:
            assert "use a smaller --lr" in str(error)  # noqa: PT017
            return ""
    trainer.save(path)
    assert Trainer.resume(path, TEXT).position == trainer.position
    return ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_senseless_note_is_refused_by_the_name_of_the_file_or_makes_sense(parts, data):
    path, model, arrays, notes = parts
    place = data.draw(st.sampled_from([*places_of(notes)]))
    check_resume(path, model, arrays, put(notes, place, data.draw(VALUES)))


@pytest.mark.parametrize("place", ["epoch", "batch", "options", "digest", "rng", "history"])
def test_a_missing_note_is_refused_by_its_name_and_that_of_the_file(parts, place):
    path, model, arrays, notes = parts
    without = {name: value for name, value in notes.items() if name != place}
    assert place in check_resume(path, model, arrays, without) or place == "options"


ODD = {
    "of another shape": lambda a: np.zeros((*a.shape, 2), a.dtype),
    "of integers": lambda a: a.astype(np.int32),
    "in double precision": lambda a: a.astype(np.float64),
    "of NaN": lambda a: np.full_like(a, np.nan) if a.dtype.kind == "f" else None,
    "missing": lambda a: None,
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["state", "state_c", "optimizer.0.mean", "optimizer.steps"])
def test_a_senseless_array_is_refused_by_the_name_of_the_file_or_makes_sense(parts, name, change):
    path, model, arrays, notes = parts
    changed = change(arrays[name])
    others = {key: array for key, array in arrays.items() if key != name}
    if changed is not None:
        others[name] = changed
    check_resume(path, model, others, notes)
