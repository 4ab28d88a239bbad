"""Weights of other sources, loaded by name after a report."""

import struct
from json import dumps

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import interop, nn


class Model(nn.Module):
    """A model with an embedding, two recurrent layers and a linear one."""

    def __init__(self, rng=0):
        super().__init__()
        self.embedding, self.gru, self.head = (
            nn.Embedding(5, 3, rng=rng),
            nn.GRU(3, 4, 2, rng=rng),
            nn.Linear(4, 5, rng=rng),
        )


class Tied(nn.Module):
    """A model whose two layers share one matrix."""

    def __init__(self, rng=0):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 4, rng=rng), nn.Linear(4, 5, rng=rng)
        self.head.weight = self.embedding.weight


def write_raw_file(path, entries):
    """Write a file byte by byte as the format is documented, for dtypes that NumPy does not have.

    Return its path.
    """
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, data) in entries.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(content), len(content) + len(data)],
        }
        content += data
    text = dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def assert_loaded(module, state):
    """Assert that a module has these parameters."""
    assert all(np.array_equal(array, state[name]) for name, array in module.state_dict().items())


def test_a_file_of_a_whole_model_is_loaded(tmp_path):
    source, target = Model(rng=1), Model(rng=2)
    tg.save(source.state_dict(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    report = interop.load_into(target, tmp_path / "model.safetensors")
    assert report.complete
    assert report.fitting == tuple(source.state_dict())
    assert str(report) == "Model: 11 of 11 parameters fit"
    assert_loaded(target, source.state_dict())


def test_a_file_written_byte_by_byte_as_pytorch_does_is_loaded(tmp_path):
    weight, bias = np.arange(6, dtype="<f4").reshape(2, 3), np.array([-0.5, 0.5], "<f4")
    path = write_raw_file(
        tmp_path / "x.safetensors",
        {"bias": ("F32", [2], bias.tobytes()), "weight": ("F32", [2, 3], weight.tobytes())},
    )
    layer = nn.Linear(3, 2)
    assert interop.load_into(layer, path).complete
    assert_loaded(layer, {"weight": weight, "bias": bias})


def test_the_report_names_everything_before_anything_changes(tmp_path):
    model = Model()
    before = model.state_dict()
    weights = Model(rng=5).state_dict()
    del weights["head.bias"]
    weights["gru.weight_ih_l0"] = weights["gru.weight_ih_l0"][:, :2]
    weights["embedding.weight"] = weights["embedding.weight"].astype(np.float64)
    weights["head.scale"] = np.ones(3)
    tg.save(weights, tmp_path / "x.safetensors")
    report = interop.compare(model, tmp_path / "x.safetensors")
    assert not report.complete
    assert report.missing == ("head.bias float32 (5,)",)
    assert report.unexpected == ("head.scale float64 (3,)",)
    assert report.misfits == (
        "embedding.weight: expected float32 (5, 3), got float64 (5, 3)",
        "gru.weight_ih_l0: expected float32 (12, 3), got float32 (12, 2)",
    )
    assert len(report.fitting) == 8
    parts = [
        "load_into: argument source: ",
        "head.bias",
        "head.scale",
        r"\(12, 2\)",
        "strict=False",
    ]
    with pytest.raises(ValueError, match=r"(.|\n)*".join(parts)):
        interop.load_into(model, tmp_path / "x.safetensors")
    assert_loaded(model, before)
    assert interop.load_into(model, tmp_path / "x.safetensors", strict=False) == report
    assert_loaded(model, {**before, **{name: weights[name] for name in report.fitting}})


def test_names_can_be_changed_and_entries_left_out():
    source = nn.GRU(3, 2, rng=1).state_dict()
    given = {f"rnn.{name}": array for name, array in source.items()} | {"steps": np.array(3)}
    for rename in (
        lambda name: None if name == "steps" else name.removeprefix("rnn."),
        {f"rnn.{n}": n for n in source} | {"steps": None},
    ):
        gru = nn.GRU(3, 2, rng=2)
        assert interop.load_into(gru, given, rename=rename).complete
        assert_loaded(gru, source)


def test_floats_are_cast_on_request():
    source = {
        name: array.astype(np.float16)
        for name, array in nn.Linear(3, 2, rng=1).state_dict().items()
    }
    layer = nn.Linear(3, 2, rng=2)
    assert (
        interop.compare(layer, source).misfits[0]
        == "weight: expected float32 (2, 3), got float16 (2, 3)"
    )
    assert interop.load_into(layer, source, cast=True).complete
    assert_loaded(layer, {name: array.astype(np.float32) for name, array in source.items()})
    integers = {**source, "bias": np.array([1, 2])}
    assert interop.compare(layer, integers, cast=True).misfits == (
        "bias: expected float32 (2,), got int64 (2,)",
    )


def test_numbers_that_the_dtype_cannot_hold_are_a_misfit():
    layer = nn.Linear(1, 2, rng=0).astype(np.float16)
    before, source = (
        layer.state_dict(),
        {"weight": np.array([[1e30], [np.inf]]), "bias": np.array([np.inf, np.nan])},
    )
    report = interop.compare(layer, source, cast=True)
    assert report.misfits == (
        "weight: expected float16 (2, 1), got float64 (2, 1) with numbers beyond 65504.0",
    )
    assert report.fitting == ("bias",)
    with pytest.raises(
        ValueError, match=r"load_into: argument source: (.|\n)*with numbers beyond 65504.0"
    ):
        interop.load_into(layer, source, cast=True)
    assert_loaded(layer, before)


def read_advice(layer, source, **options):
    """Return what the error of `load_into` advises."""
    with pytest.raises(ValueError, match="load_into: argument source") as refusal:
        interop.load_into(layer, source, **options)
    return str(refusal.value).rpartition("\n; ")[2]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("other", ["?", "i1", "u2", "i8", "u8", "f2", "f4", "f8"])
@pytest.mark.parametrize("number", [1, 1e30, 1e300])
@pytest.mark.parametrize("cast", [False, True])
def test_who_follows_the_advice_for_dtypes_loads_the_same_numbers(dtype, other, number, cast):
    largest = True if other == "?" else (np.finfo if other[0] == "f" else np.iinfo)(other).max
    number = min(number, int(largest))
    layer = nn.Linear(1, 1, bias=False, rng=0).astype(dtype)
    source = {"weight": np.array([[number]]).astype(other)}
    while not interop.compare(layer, source, cast=cast).complete:
        advice = read_advice(layer, source, cast=cast).partition(",")[0]
        _, is_conversion, wanted = advice.partition(".astype('")
        if advice.startswith("convert the module first") and layer.dtype != wanted[:-2]:
            layer.astype(wanted[:-2])
        elif is_conversion and source["weight"].dtype != wanted[:-2]:
            source = {"weight": source["weight"].astype(wanted[:-2])}
        else:
            assert (advice, cast) == ("pass cast=True", False)
            cast = True
    interop.load_into(layer, source, cast=cast)
    assert np.isfinite(layer.weight.data).all()
    np.testing.assert_allclose(layer.weight.data, float(number), rtol=1e-3)


def test_the_advice_names_nothing_that_was_passed_already():
    layer, source = nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=1).state_dict()
    strict = "or pass strict=False to load only what fits"
    other_names = {f"rnn.{name}": array for name, array in source.items()}
    assert read_advice(layer, other_names) == f"pass rename= to change names, {strict}"
    assert read_advice(layer, other_names, rename={"a": "b"}) == f"change rename=, {strict}"
    sizes = {**source, "bias": np.ones(3, "f4")}
    advice = f"build the module with the sizes of the arrays, {strict}"
    assert read_advice(layer, sizes, cast=True) == advice


def test_another_byte_order_is_not_another_dtype():
    source = nn.Linear(3, 2, rng=1).state_dict()
    layer = nn.Linear(3, 2, rng=2)
    assert interop.load_into(
        layer, {name: array.astype(">f4") for name, array in source.items()}
    ).complete
    assert_loaded(layer, source)
    assert layer.weight.dtype.isnative


def test_every_dtype_that_numpy_has_too_is_read(tmp_path):
    arrays = {
        code: np.arange(3).astype(code)
        for code in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
    }
    tg.save(arrays | {"empty": np.zeros((0, 2)), "number": np.float32(3)}, tmp_path / "x")
    entries = interop.compare(nn.Module(), tmp_path / "x").unexpected
    expected = [f"{code} {np.dtype(code)} (3,)" for code in arrays]
    assert sorted(entries) == sorted([*expected, "empty float64 (0, 2)", "number float32 ()"])


def test_bfloat16_is_read_exactly_as_float32(tmp_path):
    numbers = np.array(
        [[1.0, -2.5, 0.15625], [3.0, 2.0**100, -0.0]], "<f4"
    )  # that need no more than its eight bits
    halves = (numbers.view("<u4") >> 16).astype("<u2")
    entries = {
        "weight": ("BF16", [2, 3], halves.tobytes()),
        "bias": ("F32", [2], np.array([1, 2], "<f4").tobytes()),
    }
    layer = nn.Linear(3, 2)
    assert interop.load_into(layer, write_raw_file(tmp_path / "x.safetensors", entries)).complete
    assert layer.weight.data.tobytes() == numbers.tobytes()
    np.testing.assert_array_equal(layer.bias.data, [1, 2])


def test_a_shared_matrix_needs_one_entry_or_two_equal_ones():
    source = Tied(rng=1).state_dict()
    for name in ("embedding.weight", "head.weight"):
        model = Tied(rng=2)
        assert interop.load_into(
            model, {name: source[name], "head.bias": source["head.bias"]}
        ).complete
        assert_loaded(model, source)
        assert model.head.weight is model.embedding.weight
    model, before = Tied(rng=2), Tied(rng=2).state_dict()
    with pytest.raises(ValueError, match="one shared parameter"):
        interop.load_into(model, {**source, "head.weight": source["head.weight"] + 1})
    assert_loaded(model, before)


def test_converted_weights_are_loaded():
    layer = nn.LSTM(3, 2, rng=1)
    other = nn.LSTM(3, 2, rng=2)
    interop.load_into(other, interop.from_onnx_weights(interop.to_onnx_weights(layer.state_dict())))
    assert_loaded(other, layer.state_dict())


EIGHT = {"weight": ("F8_E4M3", [2, 3], bytes(6)), "bias": ("BF16", [2], bytes(4))}
WRONG = {
    "no module": (
        lambda _: interop.load_into({}, {}),
        TypeError,
        "load_into: argument module: expected a Module, got dict",
    ),
    "no arrays": (
        lambda _: interop.load_into(nn.Linear(3, 2), 5),
        TypeError,
        "load_into: argument source: .*got int 5",
    ),
    "an array of text": (
        lambda _: interop.compare(nn.Linear(3, 2), {"weight": "a"}),
        TypeError,
        r"compare: argument source\['weight'\]",
    ),
    "no file": (
        lambda folder: interop.load_into(nn.Linear(3, 2), folder / "none"),
        FileNotFoundError,
        "load_into: argument source: expected a file",
    ),
    "a name for nothing": (
        lambda _: interop.compare(nn.Linear(3, 2), {}, rename=5),
        TypeError,
        "compare: argument rename: .*got int 5",
    ),
    "one name for two": (
        lambda _: interop.compare(
            nn.Linear(3, 2), nn.Linear(3, 2).state_dict(), rename=lambda name: "weight"
        ),
        ValueError,
        "compare: argument rename: .*'weight' for 'bias' and for another",
    ),
    "a dtype of eight bits": (
        lambda folder: interop.compare(nn.Linear(3, 2), write_raw_file(folder / "x", EIGHT)),
        ValueError,
        r"compare: argument source: expected a whole safetensors file, got '.*/x' \(array 'weight' "
        r"has dtype F8_E4M3, expected one of BF16, BOOL, .*\); convert the array to float32",
    ),
}


def test_a_file_that_does_not_fit_is_named_in_the_error(tmp_path):
    path = tmp_path / "x.safetensors"
    source = Tied(rng=1).state_dict()
    tg.save(source | {"head.weight": source["head.weight"] + 1}, path)
    for module, message in ((nn.Linear(3, 2), "Linear: 0 of 2"), (Tied(rng=2), "one shared")):
        for given in (path, str(path), bytes(path)):
            with pytest.raises(
                ValueError, match=f"load_into: argument source: (.|\n)*{message}"
            ) as e:
                interop.load_into(module, given)
            assert f"got {str(path)!r}: " in str(e.value)


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_loading_raises_an_error_that_names_the_argument(tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tmp_path)


def test_a_damaged_file_raises_an_error_that_says_so(tmp_path):
    tg.save(nn.Linear(3, 2).state_dict(), tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    for content in (b"", whole[:20], whole[:-1]):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(
            ValueError, match="load_into: argument source: expected a whole safetensors file"
        ):
            interop.load_into(nn.Linear(3, 2), tmp_path / "x")
