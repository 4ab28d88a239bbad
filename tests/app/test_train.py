"""Training: it learns, it resumes bit for bit, and its state is carried over and detached."""

import json

import numpy as np
import pytest
from internals import (
    Architecture,
    Options,
    Tensor,
    Trainer,
    demo_text,
    load_model,
    load_with_metadata,
    save,
    save_model,
    toposort,
)

from tinygrad_rnn import text

TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
OPTIONS = Options(epochs=2, batch_size=4, steps=10, lr=0.01, seed=3)


def weights(trainer):
    """Return the weights of the model that is trained."""
    return trainer.model.state_dict()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("embedding", [0, 8], ids=["one-hot", "embedding"])
def test_every_cell_learns(cell, embedding):
    trainer = Trainer(
        TEXT,
        Architecture(cell, embedding, hidden=24),
        Options(epochs=8, batch_size=4, steps=16, lr=0.02),
    )
    before = trainer.evaluate()
    assert trainer.run()
    assert trainer.evaluate() < 0.6 * before


def test_equal_trainings_write_equal_bytes(tmp_path):
    contents = set()
    for _ in range(4):
        trainer = Trainer(TEXT, Architecture(hidden=7), OPTIONS)
        trainer.run()
        trainer.save(tmp_path / "model")
        contents.add((tmp_path / "model").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("after", [0, 1, 5, 14, 20])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, cell, after):
    architecture = Architecture(cell, 5, hidden=7, layers=2, dropout=0.3)
    whole = Trainer(TEXT, architecture, OPTIONS)
    whole.run()

    part = Trainer(TEXT, architecture, OPTIONS)
    batches = iter(range(after))
    assert not part.run(stop=lambda: next(batches, None) is None)
    part.save(tmp_path / "model")
    part = Trainer.resume(tmp_path / "model", TEXT)
    assert (part.epoch * part.batches + part.batch) == after
    assert part.run()
    for name, array in weights(whole).items():
        np.testing.assert_array_equal(weights(part)[name], array)
    assert part.evaluate() == whole.evaluate()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("after", [[3], [14], [1, 1, 1], [13, 1, 13], [20, 3]], ids=str)
def test_a_resumed_epoch_has_the_loss_of_the_whole_epoch(tmp_path, cell, after):
    architecture, shown = Architecture(cell, 5, hidden=7), []

    def show(*losses):
        shown.append(losses)

    whole = Trainer(TEXT, architecture, OPTIONS)
    whole.run(on_epoch=show)
    expected = shown.copy()
    shown.clear()
    part = Trainer(TEXT, architecture, OPTIONS)
    for batches in after:
        left = iter(range(batches))
        part.run(on_epoch=show, stop=lambda left=left: next(left, None) is None)
        part.save(tmp_path / "m")
        part = Trainer.resume(tmp_path / "m", TEXT)
    part.run(on_epoch=show)
    assert shown == expected
    assert part.history == whole.history == [losses[1:] for losses in expected]


def test_an_epoch_that_was_saved_before_its_evaluation_is_evaluated_after_a_resume(tmp_path):
    whole, saved = Trainer(TEXT, Architecture(hidden=4), OPTIONS), []

    def save():
        whole.save(tmp_path / "m")
        saved.append((whole.epoch, whole.batch))

    whole.run(on_trained=save)
    assert saved == [(0, 14), (1, 14)]
    part, epochs = Trainer.resume(tmp_path / "m", TEXT), []
    assert part.position == (1, 14)
    part.run(on_epoch=lambda *losses: epochs.append(losses), on_batch=pytest.fail)
    assert epochs == [(2, *whole.history[1])]


def test_the_state_is_carried_and_detached():
    trainer = Trainer(TEXT, Architecture(embedding=0, hidden=5), OPTIONS)
    states = []
    trainer.run(on_batch=lambda _: states.append(trainer.state))
    assert all(state.node is None and toposort(state) == [] for state in states)
    assert all(np.abs(state.data).max() > 0 for state in states)


def test_the_held_out_tail_is_not_trained_on():
    trainer = Trainer(
        "ab" * 100 + "zz" * 20, Architecture(hidden=4), Options(batch_size=2, holdout=1 / 6)
    )
    z = trainer.model.vocab.index["z"]
    assert z not in trainer.training
    assert (trainer.held_out == z).all()


def test_a_model_is_read_as_it_was_written(tmp_path):
    trainer = Trainer(TEXT, Architecture("lstm", 4, hidden=6, layers=2), OPTIONS)
    save_model(trainer.model, tmp_path / "m", notes={"a": 1})
    model, _, notes = load_model(tmp_path / "m")
    assert notes == {"a": 1}
    assert model.vocab.characters == trainer.model.vocab.characters
    for name, array in trainer.model.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)


def test_resume_rejects_files_that_are_no_checkpoint_of_the_text(tmp_path):
    trainer = Trainer(TEXT, Architecture(hidden=4), OPTIONS)
    path = tmp_path / "m"
    trainer.save(path)
    with pytest.raises(ValueError, match="another text"):
        Trainer.resume(path, TEXT + "!")
    save_model(trainer.model, path)
    with pytest.raises(ValueError, match="checkpoint of this text"):
        Trainer.resume(path, TEXT)
    save({"w": np.ones(3)}, path)
    with pytest.raises(ValueError, match="another safetensors file"):
        Trainer.resume(path, TEXT)


@pytest.fixture
def checkpoint(tmp_path):
    """Return the path, the arrays, the header and the format of an interrupted training's file."""
    trainer = Trainer(TEXT, Architecture(hidden=4), OPTIONS)
    batches = iter(range(3))
    trainer.run(stop=lambda: next(batches, None) is None)
    trainer.save(tmp_path / "m")
    arrays, metadata = load_with_metadata(tmp_path / "m")
    return tmp_path / "m", arrays, json.loads(metadata["header"]), metadata["format"]


@pytest.mark.parametrize(
    "name", ["optimizer.2.mean", "optimizer.0.t", "optimizer.lr", "optimizer.steps", "state"]
)
@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_resume_rejects_arrays_that_are_missing_or_altered(checkpoint, name, damage):
    path, arrays, header, file_format = checkpoint
    if damage == "missing":
        del arrays[name]
    else:
        arrays[name] = arrays[name] + 1
    save(arrays, path, metadata={"format": file_format, "header": json.dumps(header)})
    message = rf"missing or altered since it was written: {name}\); train the model again"
    with pytest.raises(ValueError, match=message):
        Trainer.resume(path, TEXT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("options", {}),
        ("epoch", 1),
        ("epoch", -1),
        ("epoch", "one"),
        ("batch", 99),
        ("rng", {}),
        ("rng", None),
        ("digest", ""),
    ],
)
def test_resume_rejects_notes_that_were_altered(checkpoint, name, value):
    path, arrays, header, file_format = checkpoint
    header["notes"][name] = value
    save(arrays, path, metadata={"format": file_format, "header": json.dumps(header)})
    with pytest.raises(ValueError, match=f"missing or altered since it was written: {name}\\)"):
        Trainer.resume(path, TEXT)


def test_resume_rejects_an_altered_generator_and_an_altered_dropout(checkpoint):
    path, arrays, header, file_format = checkpoint
    header["notes"]["rng"]["state"]["state"] += 1
    header["architecture"]["dropout"] = 0.5
    save(arrays, path, metadata={"format": file_format, "header": json.dumps(header)})
    with pytest.raises(ValueError, match="altered since it was written: architecture, rng"):
        Trainer.resume(path, TEXT)


SENSELESS = {
    "epoch": [-5, "x", None, 1.0, True, 1, 10**30, [], "1"],
    "batch": [-1, 15, 10**30, "x", None, 2.5, False],
    "loss_sum": [float("nan"), float("inf"), 10**400, "1", None, [1.0], True],
    "history": [None, {}, "x", [[1.0, 2.0]], [1.0], 3],
    "rng": [None, {}, [], "PCG64", 5],
    "digest": [None, 5, ""],
    "valid_digest": ["", "x", 5],
    "options": [None, [], {}, {"epochs": 0}, {"steps": "x"}, {"patience": -1}, {"speed": 3}],
}
"""Values of the notes of a new file, by name. Their checksums are right."""
SENSELESS_CASES = [(name, value) for name, values in SENSELESS.items() for value in values]


def assert_names_the_file(path):
    """Assert that `resume` raises ValueError, and that the message has the name of the file."""
    with pytest.raises(ValueError, match="m'") as caught:
        Trainer.resume(path, TEXT)
    assert str(path) in str(caught.value)


def resave(path, notes=None, arrays=None):
    """Write a checkpoint again, with other notes or arrays and right checksums."""
    model, old_arrays, old_notes = load_model(path)
    new_arrays = {**old_arrays, **(arrays or {})}
    save_model(model, path, arrays=new_arrays, notes={**old_notes, **(notes or {})})


@pytest.mark.parametrize(("name", "value"), SENSELESS_CASES, ids=str)
def test_resume_rejects_senseless_notes_although_the_checksums_are_right(checkpoint, name, value):
    path = checkpoint[0]
    resave(path, {name: value})
    assert_names_the_file(path)


@pytest.mark.parametrize("name", ["state", "inc", "has_uint32", "uinteger", "bit_generator"])
@pytest.mark.parametrize("value", [-1, 2**200, "x", None, 1.5])
def test_resume_rejects_a_senseless_random_generator(checkpoint, name, value):
    path, _, header, _ = checkpoint
    rng = json.loads(json.dumps(header["notes"]["rng"]))
    (rng["state"] if name in ("state", "inc") else rng)[name] = value
    resave(path, {"rng": rng})
    assert_names_the_file(path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("state", lambda x: x[:, :2]),
        ("state", lambda x: x.astype("float64")),
        ("state", lambda x: x * np.inf),
        ("state", lambda x: x[..., None]),
        ("optimizer.0.mean", lambda x: x[:1]),
        ("optimizer.0.mean", lambda x: x * np.nan),
        ("optimizer.1.square", lambda x: -1 - x),
        ("optimizer.lr", lambda x: x * np.nan),
        ("optimizer.lr", lambda x: -x),
        ("optimizer.steps", lambda x: -1 - x),
    ],
)
def test_resume_rejects_senseless_arrays_although_the_checksums_are_right(checkpoint, name, change):
    path, arrays, _, _ = checkpoint
    with np.errstate(invalid="ignore"):
        resave(path, arrays={name: change(arrays[name])})
    assert_names_the_file(path)


def test_the_state_is_required_within_an_epoch(checkpoint):
    path, arrays, header, _ = checkpoint
    model = load_model(path)[0]
    others = {name: array for name, array in arrays.items() if name.startswith("optimizer.")}
    save_model(model, path, arrays=others, notes=header["notes"])
    assert_names_the_file(path)


@pytest.mark.parametrize("notes", [{}, {"checksums": 3}, {"options": {}}, None])
def test_resume_rejects_a_model_without_a_training(checkpoint, notes):
    path, arrays, header, file_format = checkpoint
    header = json.dumps(header | {"notes": notes})
    save(arrays, path, metadata={"format": file_format, "header": header})
    with pytest.raises(ValueError, match=r"contains no training state|whole character model"):
        Trainer.resume(path, TEXT)


def test_weights_that_are_not_finite_are_rejected(checkpoint):
    path, arrays, header, file_format = checkpoint
    arrays["model.output.bias"][0] = -np.inf
    save(arrays, path, metadata={"format": file_format, "header": json.dumps(header)})
    with pytest.raises(ValueError, match=r"nan or inf in output\.bias"):
        load_model(path)


def test_a_link_is_kept_and_its_target_written(tmp_path):
    trainer = Trainer(TEXT, Architecture(hidden=4), OPTIONS)
    (tmp_path / "link").symlink_to("target")
    trainer.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert Trainer.resume(tmp_path / "target", TEXT).epoch == 0


# -- divergence ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("lr", [1e10, 1e30, 1e38])
def test_a_training_that_diverges_stops_and_says_where(lr, compiled):
    options = Options(batch_size=4, steps=10, lr=lr, compile=compiled)
    trainer = Trainer(TEXT, Architecture(hidden=4), options)
    with pytest.raises(
        ValueError, match=r"got a loss of \S+ in epoch 1, batch 2 of 14; use a smaller --lr"
    ):
        trainer.run(on_epoch=lambda *_: pytest.fail("nothing to save"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_epoch_whose_last_update_diverged_is_not_saved():
    trainer = Trainer(TEXT, Architecture(hidden=4), Options(batch_size=4, steps=1000, lr=1e30))
    assert trainer.batches == 1
    with pytest.raises(ValueError, match="on the held-out text after epoch 1"):
        trainer.run(on_epoch=lambda *_: pytest.fail("nothing to save"))


def test_a_gradient_that_is_not_finite_stops_before_the_update(monkeypatch):
    trainer, backward = Trainer(TEXT, Architecture(hidden=4), OPTIONS), Tensor.backward

    def overflowing(loss):
        backward(loss)
        trainer.model.output.bias.grad[0] = np.inf

    monkeypatch.setattr(Tensor, "backward", overflowing)
    before = weights(trainer)
    with pytest.raises(
        ValueError,
        match="got a gradient that is not finite in epoch 1, batch 1 of 14; use a smaller --lr",
    ):
        trainer.run()
    for name, array in before.items():
        np.testing.assert_array_equal(weights(trainer)[name], array)


def test_a_compiled_step_is_one_program_and_the_step_of_the_plain_trainer():
    """The same masks are drawn, and other batches need no other program."""
    architecture = Architecture(hidden=4, layers=2, dropout=0.5)
    plain, compiled = (
        Trainer(TEXT, architecture, Options(batch_size=4, steps=10, compile=compiled))
        for compiled in (False, True)
    )
    for x, y in text.batches(plain.training, 4, 10):
        assert compiled.step(x, y) == pytest.approx(plain.step(x, y), rel=1e-5)
    for name, array in weights(plain).items():
        np.testing.assert_allclose(weights(compiled)[name], array, rtol=1e-3, atol=1e-5)
    step = compiled._compiled_step
    assert len(step.programs) <= 4  # without and with a state, without and with Adam's moments
    assert all(program.backward is None for program in step.programs)
    assert step.uncompiled == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"epochs": 10**400},
        {"steps": 10**12},
        {"seed": 10**5000},
        {"patience": -1},
        {"steps": -1},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"clip": -1.0},
        {"holdout": 0.0},
        {"holdout": 0.9},
    ],
)
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Options(**wrong)


def test_a_text_that_is_too_short_says_how_much_it_takes():
    with pytest.raises(ValueError, match="at least 32 characters besides those held out"):
        Trainer("short", Architecture(), Options())


def test_the_demo_text_is_long_enough_to_train_on():
    assert len(demo_text()) > 50_000
