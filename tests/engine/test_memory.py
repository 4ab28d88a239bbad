"""Memory: freed with the last reference, flat over a thousand steps, linear in the time steps."""

import gc
import subprocess
import sys
import tracemalloc
import weakref
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from internals import Architecture, Node, Options, Trainer

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.text import sample

X = np.random.default_rng(0).standard_normal((5, 2, 3)).astype("f4")
TEXT = "the cat sat on the mat and the dog sat on the log. " * 6
TESTS = str(Path(__file__).parents[1])


def compute_loss(layer):
    """Return the sum of the squared outputs of a layer."""
    output, _ = layer(X)
    return (output**2).sum()


# -- reference cycles ------------------------------------------------------------------------------


def differentiate(make):
    compute_loss(make()).backward()


def train_layer(make):
    gru = nn.GRU(3, 4, rng=0)
    optimizer = make(gru.parameters())
    schedule = tg.optim.StepLR(optimizer, 2)
    for _ in range(3):
        optimizer.zero_grad()
        compute_loss(gru).backward()
        nn.clip_grad_norm_(gru.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    optimizer.load_state_dict(optimizer.state_dict())


def run_scan(folder):
    start = tg.Tensor(np.zeros((2, 3), "f4"), requires_grad=True)

    def cell(x, state):
        new = tg.tanh(x + state["h"])
        return (new, x), {"h": new}

    (output, _), state = tg.scan(cell, (tg.Tensor(X))[:], {"h": start}, reverse=True)
    (output.sum() + tg.detach(state)["h"].sum()).backward(retain_grads=True)


def compute_second_order(folder):
    gru = nn.GRU(3, 4, rng=0)
    parameters = list(gru.parameters())
    penalty = sum((g**2).sum() for g in tg.grad(compute_loss(gru), parameters, create_graph=True))
    penalty.backward()
    x, v = tg.Tensor(np.ones(3)), np.ones(3)
    tg.hvp(lambda x: (x**3).sum(), x, v)
    tg.jvp(tg.tanh, x, v)
    tg.vjp(tg.tanh, x)
    tg.jacobian(tg.tanh, x)
    tg.gradcheck(lambda x: (x * x).sum(), tg.Tensor(np.ones(3), requires_grad=True))


def stop_backward_steps_early(folder):
    for step in tg.backward_steps(compute_loss(nn.GRU(3, 4, rng=0))):
        if step.number == 3:
            break


def catch_errors(folder):
    gru, kept = nn.GRU(3, 4, rng=0), []
    for wrong in (
        lambda: gru(X.astype("f8")),
        lambda: compute_loss(gru).backward([1.0, 2.0]),
        lambda: gru(X)[0].backward(),
    ):
        try:
            wrong()
        except (ValueError, TypeError) as error:
            kept.append(str(error))
    loss = compute_loss(gru)
    loss.backward()
    try:
        loss.backward()
    except RuntimeError as error:
        kept.append(str(error))
    assert len(kept) == 4


def train_model(folder, **options):
    architecture = Architecture(hidden=4, embedding=2, layers=2, dropout=0.1)
    trainer = Trainer(TEXT, architecture, Options(epochs=1, batch_size=2, steps=10, **options))
    trainer.run(on_batch=lambda now: None, on_epoch=lambda *_: trainer.save(folder / "m"))
    sample(trainer.model, trainer.model.vocab, "the", 10, rng=0)
    assert Trainer.resume(folder / "m", TEXT).evaluate() < 9


def save_and_load(folder):
    tg.save(nn.LSTM(3, 4, rng=0).state_dict(), folder / "x")
    nn.LSTM(3, 4, rng=0).load_state_dict(tg.load(folder / "x"))


def use_lengths(folder):
    output, _ = nn.GRU(3, 4, 2, bidirectional=True, zoneout=0.1, rng=0)(X, lengths=[5, 2])
    (output**2).sum().backward()


def scan_compiled_cell(folder):
    cell = tg.compile(nn.GRUCell(3, 4, rng=0))
    output, _ = tg.scan(cell, tg.Tensor(X), tg.Tensor(np.zeros((2, 4), "f4")))
    output.sum().backward()
    assert "def forward" in cell.source


def draw(folder, **options):
    figure = tg.graph(compute_loss(nn.GRU(3, 4, rng=0)), **options)
    figure.text(), figure.dot(), figure.nodes, figure.edges, figure.notes, repr(figure)
    figure.save(folder / "x.dot")


SCENES = {
    "rnn": lambda folder: differentiate(lambda: nn.RNN(3, 4, nonlinearity="relu", rng=0)),
    "gru": lambda folder: differentiate(
        lambda: nn.GRU(3, 4, 2, bidirectional=True, dropout=0.2, reset="before", rng=0)
    ),
    "lstm": lambda folder: differentiate(lambda: nn.LSTM(3, 4, 2, rng=0)),
    "any cell": lambda folder: differentiate(
        lambda: nn.Recurrent(lambda size, rng: nn.GRUCell(size, 4, rng=rng), 3, rng=0)
    ),
    "lengths and masks": use_lengths,
    "scan": run_scan,
    "second order": compute_second_order,
    "sgd": lambda folder: train_layer(lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9)),
    "adam": lambda folder: train_layer(tg.optim.Adam),
    "rmsprop": lambda folder: train_layer(tg.optim.RMSprop),
    "training, sampling, checkpoints": train_model,
    "training compiled": lambda folder: train_model(folder, compile=True),
    "weights": save_and_load,
    "compiled layer": lambda folder: differentiate(lambda: tg.compile(nn.GRU(3, 4, rng=0))),
    "compiled cell": scan_compiled_cell,
    "drawing": draw,
    "drawing rolled up": lambda folder: draw(folder, roll=True),
    "drawing with values": lambda folder: draw(folder, show="value,grad"),
    "flow": lambda folder: repr(tg.bptt.flow(compute_loss(nn.GRU(3, 4, rng=0)))),
    "values": lambda folder: tg.bptt.values(compute_loss(nn.GRU(3, 4, rng=0))),
    "playback": lambda folder: [
        str(step) for step in tg.backward_steps(compute_loss(nn.GRU(3, 4, rng=0)))
    ],
    "playback left early": stop_backward_steps_early,
    "errors": catch_errors,
    "export": lambda folder: tg.interop.to_onnx(nn.GRU(3, 4, rng=0).eval(), X, folder / "x.onnx"),
}


@contextmanager
def collect_garbage():
    """Give a list, and fill it after the block with the objects that only the collector frees."""
    found = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def is_of_package(item):
    """Return whether an object's class, or a function, is defined in this package."""
    kind = item if isinstance(item, FunctionType) else type(item)
    return (kind.__module__ or "tinygrad_rnn").split(".")[0] == "tinygrad_rnn"


def count_live():
    return sum(issubclass(type(o), tg.Tensor | Node) for o in gc.get_objects())


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_nothing_waits_for_the_cycle_collector(scene, tmp_path):
    scene(tmp_path)  # the first run imports modules and fills caches
    with collect_garbage() as found:
        before = count_live()
        scene(tmp_path)
        assert count_live() == before
    assert not [item for item in found if is_of_package(item)]
    assert not [item for item in found if isinstance(item, np.ndarray | FunctionType)]


def test_the_check_on_cycles_can_fail():
    with collect_garbage() as found:
        before = count_live()
        circle = [tg.Tensor([1.0])]
        circle.append(circle)
        del circle
        assert count_live() == before + 1
    assert any(isinstance(item, tg.Tensor) for item in found if is_of_package(item))


HOLDERS = {
    "layer": lambda: nn.GRU(3, 4, rng=0),
    "model": lambda: nn.Sequential(nn.Linear(3, 4, rng=0), tg.tanh),
    "compiled": lambda: tg.compile(nn.GRU(3, 4, rng=0)),
    "optimizer": lambda: tg.optim.Adam(nn.GRU(3, 4, rng=0).parameters()),
    "trainer": lambda: Trainer(TEXT, Architecture(hidden=4), Options(batch_size=2)),
    "drawing": lambda: tg.graph(compute_loss(nn.GRU(3, 4, rng=0))),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_a_deleted_holder_frees_its_tensors(make):
    with collect_garbage():
        held = make()
        if isinstance(held, nn.Module):
            held(X)
        elif isinstance(held, Trainer):
            held.run(stop=iter([False, False, True]).__next__)
        refs = [weakref.ref(held)]
        refs += [weakref.ref(p) for p in (held.parameters() if isinstance(held, nn.Module) else ())]
        del held
        assert [ref() for ref in refs] == [None] * len(refs)


# -- a thousand steps ------------------------------------------------------------------------------

FLAT = """
import gc, os, sys
import numpy as np
import tinygrad_rnn as tg
from pathlib import Path
from tinygrad_rnn import nn
from tinygrad_rnn.text import sample

folder, tests = Path(sys.argv[1]), sys.argv[4]
sys.path.insert(0, tests)
from internals import Architecture, Options, Trainer

gc.disable()
X = np.random.default_rng(0).standard_normal((3, 2, 3)).astype("f4")
TEXT = "the cat sat on the mat and the dog sat on the log. " * 100  # an epoch is below 200 steps

def resident():
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # without /proc only the peak is known
        import resource
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

def live():
    return sum(issubclass(type(o), tg.Tensor) for o in gc.get_objects())

def training(compile=False):
    options = Options(epochs=10**6, batch_size=4, steps=8, compile=compile)
    trainer = Trainer(TEXT, Architecture(hidden=16, embedding=8), options)
    def steps(n):
        left = iter(range(n))
        trainer.run(stop=lambda: next(left, None) is None)
        trainer.save(folder / "m")
    return steps

def sampling():
    model = Trainer(TEXT, Architecture(hidden=16, embedding=8), Options()).model.eval()
    return lambda n: sample(model, model.vocab, "the", n, rng=0)

def drawing(form):
    gru = nn.RNN(3, 4, rng=0)
    def steps(n):
        for _ in range(n):
            figure = tg.graph((gru(X)[0] ** 2).sum())
            figure.save(folder / "x.txt")
            figure.save(folder / f"x.{form}")
    return steps

def following():
    gru = nn.RNN(3, 4, rng=0)
    def steps(n):
        for _ in range(n):
            tg.bptt.flow((gru(X)[0] ** 2).sum())
            for step in tg.backward_steps((gru(X)[0] ** 2).sum()):
                str(step)
    return steps

steps, STEPS = eval(sys.argv[2]), int(sys.argv[3])
steps(STEPS // 5)  # until caches and the allocator's arenas have their full size
before = resident(), live()
steps(STEPS)
after = resident(), live()
print(after[0] - before[0], after[1] - before[1], before[0])
"""


def measure_growth(scene, folder, steps, code=FLAT):
    """Return the bytes that a process grew by over these steps, and the Tensors left over.

    The cycle collector is off.
    """
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder), scene, str(steps), TESTS],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.stderr == ""
    return [int(number) for number in run.stdout.split()[:2]]


FEW_PAGES = 3 * 2**19
"""The bytes that a process may grow by in a thousand steps: 1.5 kB a step.

An array that is kept, with its Tensor and Node, would take more.
"""


@pytest.mark.parametrize(
    "scene", ["training()", "training(compile=True)", "sampling()", "drawing('dot')"]
)
def test_memory_is_flat_over_a_thousand_steps(scene, tmp_path):
    grown, tensors = measure_growth(scene, tmp_path, 1000)
    assert tensors == 0
    assert grown < FEW_PAGES


@pytest.mark.parametrize(("scene", "steps"), [("drawing('svg')", 25), ("following()", 250)])
def test_memory_is_flat_over_rendering_and_backward_steps(scene, steps, tmp_path):
    """Rendering, gradient flow and backward steps take longer, so they run fewer steps."""
    grown, tensors = measure_growth(scene, tmp_path, steps)
    assert tensors == 0
    assert grown < FEW_PAGES


def test_the_check_on_resident_memory_can_fail(tmp_path):
    leaking = FLAT.replace(
        "def live",
        "kept = []\ndef leak():\n"
        "    return lambda n: kept.extend(tg.Tensor(np.ones(500)) for _ in range(n))\n\ndef live",
    )
    grown, tensors = measure_growth("leak()", tmp_path, 1000, leaking)
    assert tensors == 1000
    assert grown > FEW_PAGES


# -- the peak --------------------------------------------------------------------------------------

LENGTHS = (64, 128, 256, 512)
LAYERS = {
    "rnn": lambda: nn.RNN(16, 32, rng=0),
    "gru": lambda: nn.GRU(16, 32, rng=0),
    "lstm": lambda: nn.LSTM(16, 32, rng=0),
    "gru compiled": lambda: tg.compile(nn.GRU(16, 32, rng=0)),
}


def measure_peak(layer, head, steps):
    """Return the peak of memory of one training step, in bytes, above what was in use before."""
    x = np.random.default_rng(0).standard_normal((steps, 4, 16)).astype("f4")

    def step():
        output, _ = layer(x)
        loss = (head(output) ** 2).mean()
        layer.zero_grad()
        head.zero_grad()
        loss.backward()

    step()  # fills the caches for this length
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        step()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_the_peak_of_a_training_step_is_linear_in_time(make):
    """Each further time step takes the same memory, and twice as many take twice as much."""
    layer, head = make(), nn.Linear(32, 5, rng=0)
    peaks = [measure_peak(layer, head, steps) for steps in LENGTHS]
    line = np.polyval(np.polyfit(LENGTHS, peaks, 1), LENGTHS)
    np.testing.assert_allclose(peaks, line, rtol=0.05)
    assert peaks[-1] / peaks[-2] == pytest.approx(2, rel=0.05)
