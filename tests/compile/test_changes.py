"""Whatever changes between calls of a compiled function is followed, or refused by name."""

import collections
import dataclasses

import numpy as np
import pytest
from eager_twins import Keywords, assert_same, check_twins, look_at

import tinygrad_rnn as tg

nn, F, optim = tg.nn, tg.nn.functional, tg.optim

SCALE, TABLE, NOTES, WEIGHT = 1.0, np.ones(3), {"power": 2}, tg.Tensor(np.ones(3, "float32"))


class Settings:
    """Settings of the user's own class."""

    def __init__(self):
        self.scale, self.steps, self.names = 1.0, [1.0, 2.0], {"shift": 0.5}


class Model(nn.Module):
    """A model that reads all kinds of things."""

    def __init__(self):
        super().__init__()
        self.layer, self.drop = (
            nn.GRU(3, 4, num_layers=2, dropout=0.3, rng=0),
            nn.Dropout(0.2, rng=1),
        )
        self.head = nn.Linear(4, 3, rng=2)
        self.factor, self.parts, self.table = 1.0, [1.0, 2.0], np.linspace(1, 2, 3)
        self.settings = Settings()
        self.shift = tg.Tensor(np.zeros(3, "float32"))
        self.activation = tg.tanh

    def forward(self, x):
        y = self.head(self.drop(self.layer(x)[0])) * self.factor
        y = self.activation(y * self.parts[0] + self.shift) / self.parts[-1]
        y = y * self.settings.scale * self.settings.steps[0] + self.settings.names["shift"]
        return y * self.table.astype("float32") * float(self.table.mean())


def make():
    model = Model()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    rngs = [model.layer.rng, model.drop.rng]

    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x) * SCALE * NOTES["power"] * TABLE.sum() * WEIGHT.sum(), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, {"model": model, "optimizer": optimizer, "rngs": rngs}


def floats(rng, *shape):
    """Draw float32 numbers."""
    return rng.standard_normal(shape).astype("float32")


def data(rng):
    """Draw a batch."""
    return floats(rng, 5, 2, 3), floats(rng, 5, 2, 3)


def _write(m, o):
    m.table[1] = 5.0


def _assign_data(m, o):
    for p in m.parameters():
        p.data = p.data * 0.5


def _load(m, o):
    m.load_state_dict(Model().state_dict())


def _freeze(m, o):
    for p in m.layer.parameters():
        p.requires_grad = False


def _thaw(m, o):
    for p in m.layer.parameters():
        p.requires_grad = True


def _set(path, value):
    """Return a change of one attribute, given by its path."""

    def change(m, o):
        *parents, name = path.split(".")
        thing = {"m": m, "o": o}[parents[0]]
        for parent in parents[1:]:
            thing = getattr(thing, parent)
        setattr(thing, name, value)

    return change


def _new_weight(m, o):
    m.shift = tg.Tensor(np.full(3, 0.25, "float32"))


def _new_grads(m, o):
    for p in m.parameters():
        p.grad = np.ones_like(p.data)


def _load_optimizer(m, o):
    o.load_state_dict({**o.state_dict(), "lr": np.array(0.5)})


CHANGES = {
    "rate": _set("o.lr", 0.1),
    "rate_0": _set("o.lr", 0),
    "betas": _set("o.betas", (0.5, 0.6)),
    "decay": _set("o.weight_decay", 0.5),
    "amsgrad": _set("o.amsgrad", True),
    "attribute": _set("m.factor", 3.0),
    "integer": _set("m.factor", 1),
    "bool": _set("m.factor", True),
    "list": lambda m, o: m.parts.__setitem__(0, 0.5),
    "longer": lambda m, o: m.parts.append(4.0),
    "own": _set("m.settings.scale", 2.0),
    "own_list": lambda m, o: m.settings.steps.insert(0, 3.0),
    "own_dict": lambda m, o: m.settings.names.update(shift=1.0),
    "write": _write,
    "new_array": _set("m.table", np.zeros(3)),
    "data": _assign_data,
    "load": _load,
    "freeze": _freeze,
    "thaw": _thaw,
    "eval": lambda m, o: m.eval(),
    "train": lambda m, o: m.train(),
    "new_tensor": _new_weight,
    "function": _set("m.activation", tg.sigmoid),
    "grads": _new_grads,
    "dropout": _set("m.drop.p", 0.5),
    "load_optimizer": _load_optimizer,
    "tensor_written": lambda m, o: m.shift.data.__setitem__(0, 2.0),
}


@pytest.mark.filterwarnings("ignore:compile")
def test_each_change_is_followed():
    """One after the other, on one compiled step."""
    changes = [*CHANGES.values()]

    def change(call, step, things):
        if call:
            changes[call - 1](things["model"], things["optimizer"])

    check_twins(make, data, len(changes) + 1, between=change, programs=len(changes))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_and_its_return(name):
    """The program of before is right again, or a new one is made."""

    def change(call, step, things):
        if call == 2:
            CHANGES[name](things["model"], things["optimizer"])

    check_twins(make, data, 4, between=change, programs=4)


def test_globals(monkeypatch):
    values = [("SCALE", 2.0), ("TABLE", np.full(3, 2.0)), ("NOTES", {"power": 3})]
    values += [
        ("WEIGHT", tg.Tensor(np.full(3, 2.0, "float32"))),
        ("WEIGHT", tg.Tensor(np.ones(4, "float32"))),
    ]

    def change(call, step, things):
        if call:
            monkeypatch.setitem(globals(), *values[call - 1])
        NOTES["power"] += call == 5

    check_twins(make, data, 6, between=change, programs=8)


SHAPES = [(5, 2), (5, 3), (7, 2), (1, 2), (5, 1), (5, 2), (40, 2)]
DTYPES = ["float32", "float64", "float16", "int64", "bool", "float32"]


def test_other_sizes_and_dtypes():
    def sized(rng):
        n, b = SHAPES[sized.call // 2 % len(SHAPES)]
        sized.call += 2
        return floats(rng, n, b, 3), floats(rng, n, b, 3)

    sized.call = 0
    check_twins(make, sized, len(SHAPES), programs=len(SHAPES) + 1)

    def f():
        w = tg.Tensor(np.full(3, 0.5, "float32"), requires_grad=True)
        return lambda x: (x * w + np.abs(x)).sum(), [w]

    kinds = iter(DTYPES)
    check_twins(f, lambda rng: (rng.random((2, 3)) * 3).astype(next(kinds)), 6, programs=6)


@pytest.mark.parametrize("kind", ["tracked", "untracked", "array", "list", "float", "int", "zero"])
def test_kinds_of_arguments(kind):
    """Each kind of argument after each other kind."""
    kinds = {
        "tracked": lambda: tg.Tensor([1.0, 2.0], requires_grad=True),
        "untracked": lambda: tg.Tensor([2.0, 3.0]),
        "array": lambda: np.array([1.0, 2.0]),
        "list": lambda: [1.0, 2.0],
        "float": lambda: 0.0,
        "int": lambda: 0,
        "zero": lambda: -0.0,
        "bool": lambda: True,
        "none": lambda: None,
    }

    def f(x):
        if x is None:
            return tg.Tensor(0.0)
        return tg.arctan2(tg.multiply(x, 1.0), tg.Tensor([-1.0, -1.0])), tg.Tensor([1, 2]) * x

    fast = tg.compile(f)
    for other in (kind, *kinds, kind):
        assert_same(f(kinds[other]()), fast(kinds[other]()))


@dataclasses.dataclass
class Batch:
    """A batch of the user's own class, whose content may change."""

    x: object
    scale: float = 1.0


def test_objects_as_arguments_are_followed():
    def f(batch):
        return batch.x * batch.scale

    def g(batch):
        return batch["x"] * batch["scale"]

    batch, fast = Batch(tg.Tensor([1.0, 2.0])), tg.compile(f)
    table, quick = collections.OrderedDict(x=np.ones(2), scale=2.0), tg.compile(g)
    for change in (
        lambda: None,
        lambda: setattr(batch, "x", tg.Tensor([3.0, 4.0])),
        lambda: setattr(batch, "scale", 5.0),
        lambda: batch.x.data.__setitem__(0, 7.0),
        lambda: table.update(scale=3.0),
        lambda: table.update(x=np.full(2, 3.0)),
        lambda: table["x"].__setitem__(0, 9.0),
    ):
        change()
        assert_same(f(batch), fast(batch))
        assert_same(g(table), quick(table))


def test_an_array_that_is_read_twice_and_written():
    """Once by an op, and once by NumPy alone, in which case its numbers are constants."""
    table = np.array([1.0, 2.0])

    def f(x):
        return x * table + (5.0 if table[0] > 1 else table.sum())

    fast, x = tg.compile(f), tg.Tensor([1.0, 2.0])
    for entry in (1.0, 3.0, -2.0, 1.0):
        table[0] = entry
        assert_same(f(x), fast(x))


def test_whether_there_is_a_gradient_is_followed():
    def make():
        w = tg.Tensor(np.ones(3), requires_grad=True)

        def f(x):
            norm = 0.0 if w.grad is None else (w.grad * w.grad).sum()
            has = "none" if w.grad is None else "some"
            (w * x).sum().backward()
            return has, norm, w.grad

        return f, [w]

    def remove(call, f, things):
        if call == 3:
            things[0].grad = None
        if call == 5:
            things[0].grad = np.ones(3, "float32")

    check_twins(make, lambda rng: rng.random(3), 7, between=remove, programs=3)


def test_in_place_arithmetic_on_parameters_and_gradients():
    def make():
        w = tg.Tensor(np.ones(3), requires_grad=True)

        def f(x):
            w.grad = None
            loss = (w * w * x).sum()
            loss.backward()
            w.grad *= 0.5
            w.data -= 0.1 * w.grad
            return loss

        return f, [w]

    check_twins(make, lambda rng: rng.random(3))

    def keep():
        w = tg.Tensor(np.ones(3), requires_grad=True)
        w.grad = np.ones(3)

        def f():
            w.grad *= 0.5

        return f, [w]

    check_twins(keep, lambda rng: (Keywords(),))


@pytest.mark.filterwarnings("ignore:compile")
def test_a_model_is_followed_when_it_is_called_alone():
    eager, twin = Model().eval(), Model().eval()
    fast = tg.compile(twin)
    x = data(np.random.default_rng(0))[0]
    for change in CHANGES.values():
        for model in (eager, twin):
            if change not in (CHANGES["train"],):
                optimizer = optim.Adam(Model().parameters())
                change(model, optimizer)
        results = eager(x), fast(x)
        assert_same(*results)
        for model, y in zip((eager, twin), results, strict=True):
            model.zero_grad()
            if y.requires_grad:
                (y * y).sum().backward()
        assert_same(look_at(eager), look_at(twin))


def test_learning_rates_that_are_read_are_followed():
    def make():
        w = tg.Tensor(np.ones(3), requires_grad=True)
        optimizer = optim.SGD([w], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            ((w * x) ** 2).sum().backward()
            optimizer.step()
            return optimizer.lr, optimizer.param_groups[0]["lr"] * 2

        return step, [w, optimizer]

    def change(call, step, things):
        things[1].lr = (0.1, 0.2, 0.1, 0.3)[call]

    check_twins(make, lambda rng: rng.random(3), 4, between=change, programs=4)


@pytest.mark.parametrize("write", ["data", "grad", "entry", "whole"])
def test_writes_in_place_reach_all_that_share_the_memory(write):
    """Another Tensor or array shows the same numbers, and may be an input of the program too."""

    def make(read):
        whole = np.ones((2, 3))
        w = tg.Tensor(np.zeros(3), requires_grad=True)
        v = tg.Tensor(np.zeros(3))
        w.data, v.data = whole[0], whole[0]
        w.grad = whole[1]

        def f(x):
            if write == "data":
                w.data -= 0.1 * x
            elif write == "grad":
                w.grad *= x
            elif write == "entry":
                w.data[1] = x[0]
            else:
                w.data[...] = x
            return (x * (v if read else 2)).sum()

        return f, [w, v, tg.Tensor(whole)], whole

    for read in (False, True):
        (plain, _, expected), (function, *_, found) = make(read), make(read)
        fast, rng = tg.compile(function), np.random.default_rng(0)
        for _ in range(3):
            x = rng.random(3) + 0.5
            assert fast(x).item() == pytest.approx(plain(x).item(), rel=1e-12)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
