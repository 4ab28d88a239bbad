"""Programs by chance, for the tests of the compiler: any shapes, dtypes, loops and states."""

from contextlib import contextmanager

import numpy as np

from tinygrad_rnn.compile.instructions import (
    Instruction,
    Loop,
    Place,
    Program,
    State,
    Variable,
    compute,
    interpret,
)

UNARY = ["tanh", "exp", "negative", "absolute", "square", "sin", "isfinite", "sign", "positive"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "less", "greater_equal", "arctan2"]
WORDS = ["", "", "", "h", "x", "z", "W", "dh", "t", "T", "np", "sum", "lambda", "h_prev", "one"]


def roll(x, *, by):
    """Return x with its entries moved: a function whose source goes into a program."""
    return np.concatenate([np.ravel(x)[by:], np.ravel(x)[:by]]).reshape(np.shape(x))


class Chance:
    """Builds one program, with an example value of every variable.

    Parameters
    ----------
    seed : int
    dtypes : sequence of str
        The dtypes of the inputs.
    """

    def __init__(self, seed, dtypes=("float64", "float64", "float32", "int64", "bool", "float16")):
        self.rng = np.random.default_rng(seed)
        self.dtypes = dtypes
        self.value = {}
        self.size = self.rng.integers(0 if seed % 10 == 0 else 1, 4, 3)
        self.steps = int(self.rng.integers(1, 5))

    def program(self):
        """Return a program and two lists of inputs."""
        inputs = [self.variable(self.array()) for _ in range(self.rng.integers(2, 6))]
        if self.rng.random() < 0.3:
            inputs.append(self.variable(float(self.rng.normal())))
        lines = []
        seen = self.body(lines, list(inputs), int(self.rng.integers(3, 14)), 0)
        outputs = [self.one_of(seen) for _ in range(self.rng.integers(1, 7))]
        first = [self.copy(self.value[x]) for x in inputs]
        return Program(inputs, lines, outputs), first, [self.other(x) for x in first]

    # -- values ------------------------------------------------------------------------------------

    def one_of(self, things):
        """Return one of some things; the last ones are likelier."""
        n = len(things)
        return things[max(int(self.rng.integers(n)), int(self.rng.integers(n)))]

    def array(self, shape=None, dtype=None):
        """Return an array by chance."""
        if shape is None:
            shape = tuple(int(self.one_of(self.size)) for _ in range(self.rng.integers(0, 4)))
            shape = (self.steps, *shape) if self.rng.random() < 0.3 else shape
        numbers = self.rng.normal(size=shape) * 2
        return np.asarray(numbers).astype(dtype or self.rng.choice(self.dtypes))

    def other(self, x):
        """Return another value of the same kind."""
        return self.array(x.shape, x.dtype) if isinstance(x, np.ndarray) else x + 0.5

    @staticmethod
    def copy(x):
        """Return an array of its own."""
        return x.copy() if isinstance(x, np.ndarray) else x

    def variable(self, value):
        """Return a variable with an example value."""
        number = type(value) in (int, float, bool)
        name, note = self.one_of(WORDS), self.one_of(["", "", "y = x"])
        x = (
            Variable(name, (), type(value))
            if number
            else Variable(name, np.shape(value), value.dtype, note)
        )
        self.value[x] = value if number else np.asarray(value)
        return x

    # -- lines -------------------------------------------------------------------------------------

    def body(self, lines, seen, count, depth):
        """Add lines, and return all values that may be read after them."""
        for _ in range(count):
            if depth < 2 and self.rng.random() < (0.25 if depth == 0 else 0.08):
                seen = seen + self.loop(lines, seen, depth)
            else:
                for _ in range(20):
                    if (y := self.line(lines, seen)) is not None:
                        seen = [*seen, y]
                        break
        return seen

    def line(self, lines, seen):
        """Add one instruction if its arguments fit, and return its result."""
        a, b = self.one_of(seen), self.one_of(seen)
        alike = [x for x in seen if (x.shape, x.dtype) == (a.shape, a.dtype)]
        b = self.one_of(alike) if self.rng.random() < 0.6 else b
        function, args, settings = self.choice(a, b)
        values = [self.value[x] if isinstance(x, Variable) else x for x in args]
        try:
            with np.errstate(all="ignore"):
                value = compute(function, values, settings)
        except (TypeError, ValueError, IndexError, ZeroDivisionError, np.exceptions.AxisError):
            return None
        if type(value) not in (int, float, bool):
            if not isinstance(value, np.ndarray | np.generic) or value.size > 500:
                return None
            with np.errstate(all="ignore"):
                if not np.all(np.abs(value.astype(float)) < 1e3):  # also not NaN
                    return None
        elif not abs(value) < 1e3:
            return None
        y = self.variable(value)
        lines.append(Instruction(function, tuple(args), settings, y))
        return y if function != "expect" else None

    def choice(self, a, b):
        """Return a function with arguments and settings, which may not fit."""
        rng, n = self.rng, len(a.shape)
        axes = tuple(int(i) for i in np.flatnonzero(rng.random(n) < 0.5))
        axis = int(rng.integers(max(n, 1)))
        number = [2, -1, 0.5, 1.0, True][rng.integers(5)]
        kind = int(rng.integers(20))
        if kind < 4:
            return str(rng.choice(UNARY)), [a], {}
        if kind < 8:
            return str(rng.choice(BINARY)), [a, b], {}
        if kind < 10:
            pair = [a, number] if rng.random() < 0.5 else [number, a]
            return str(rng.choice(BINARY)), pair, {}
        if kind < 12:
            return "matmul", [a, b], {}
        return [
            ("sum", [a], {"axis": axes, "keepdims": bool(rng.random() < 0.5)}),
            (str(rng.choice(["max", "all", "prod"])), [a], {"axis": axes, "keepdims": False}),
            ("transpose", [a], {"axes": tuple(int(i) for i in rng.permutation(n))}),
            ("reshape", [a], {"shape": (int(np.prod(a.shape)),)}),
            ("index", [a], {"index": self.index(a)}),
            ("broadcast_to", [a], {"shape": (2, *a.shape)}),
            (
                "concatenate",
                [a, b, a][: rng.integers(1, 4)],
                {"axis": axis - n * int(rng.integers(2))},
            ),
            self.rare(a, b, axis),
        ][kind - 12]

    def rare(self, a, b, axis):
        """Return a function that is none of the arithmetic."""
        places = [lambda: self.rng.integers(0, max(a.shape[0], 1), 3) if a.shape else 0][0]()
        return [
            ("where", [a, b, 0], {}),
            ("astype", [a], {"dtype": np.dtype(self.rng.choice(self.dtypes))}),
            ("copy", [a], {}),
            ("zeros", [], {"shape": a.shape, "dtype": np.dtype("float32")}),
            ("index_arrays", [a], {"index": (places,)}),
            ("scatter", [a], {"count": 1, "indices": [0], "shape": (2, *a.shape)}),
            ("scatter", [a, b], self.scattered(a)),
            ("item", [a], {}),
            ("call", [a], self.called(np.squeeze)),
            ("call", [a], self.called(np.flip)),
            ("call", [a], self.called(roll, by=1)),
            ("expect", [True], {}),
        ][self.rng.integers(12)]

    def scattered(self, a):
        """Return the settings of a scatter that joins two arrays, with a gap or without."""
        n, more = (a.shape or (1,))[0], int(self.rng.integers(2))
        indices = [slice(n + more, None), slice(0, n)]
        return {"count": 2, "indices": indices, "shape": (2 * n + more, *a.shape[1:])}

    @staticmethod
    def called(function, **named):
        """Return the settings of a call with one argument."""
        return {"function": function, "positional": [Place(0)], "named": named}

    def index(self, a):
        """Return an index of integers, slices, None and dots."""
        entries = [
            int(self.rng.integers(n)) if n and self.rng.random() < 0.4
            else slice(*sorted(int(i) for i in self.rng.integers(0, n + 1, 2)))
            for n in a.shape[: self.rng.integers(len(a.shape) + 1)]
        ]  # fmt: skip
        if self.rng.random() < 0.3:
            entries.insert(int(self.rng.integers(len(entries) + 1)), None)
        return (..., *entries) if len(entries) == len(a.shape) else tuple(entries)

    # -- loops -------------------------------------------------------------------------------------

    def loop(self, lines, seen, depth):
        """Add a loop, and return what it leaves behind."""
        loop = Loop(self.steps, bool(self.rng.random() < 0.5))
        arrays = [x for x in seen if not x.is_number]
        for whole in [x for x in arrays if x.shape and x.shape[0] == self.steps][-4:]:
            if self.rng.random() < 0.7:
                loop.slices.append((self.variable(self.value[whole][0]), whole))
        starts = [self.one_of(arrays) for _ in range(self.rng.integers(0, 4))] if arrays else []
        insides = [self.variable(self.value[x]) for x in starts]
        inner = [*seen, *(x for x, _ in loop.slices), *insides]
        inner = self.body(loop.body, inner, int(self.rng.integers(2, 12)), depth + 1)
        mine = [x for x in inner if x not in seen] or inner
        for start, inside in zip(starts, insides, strict=True):
            kind = start.shape, start.dtype
            fit = [x for x in inner if not x.is_number and (x.shape, x.dtype) == kind]
            fit = [x for x in fit if x in mine] or fit
            last = self.variable(self.value[start])
            loop.states.append(State(start, inside, self.one_of(fit), last))
        kept = [x for x in mine if not x.is_number]
        for _ in range(self.rng.integers(0, 4) if kept else 0):
            x = self.one_of(kept)
            whole = self.variable(np.stack([self.value[x]] * self.steps))
            loop.stacks.append((x, whole))
        for _ in range(self.rng.integers(0, 3) if kept else 0):
            x = self.one_of(kept)
            total = self.variable(np.sum(np.stack([self.value[x]]), axis=0))
            loop.sums.append((x, total))
        lines.append(loop)
        return loop.results


def program_by_chance(seed, **settings):
    """Return a program whose numbers stay finite, and two lists of inputs for it."""
    for more in range(100):
        chance = Chance(seed + 100_003 * more, **settings)
        program, first, second = chance.program()
        with np.errstate(all="ignore"):
            try:
                results = interpret(program, first) + interpret(program, second)
            except ArithmeticError:
                continue
        if all(np.all(np.abs(np.asarray(y, float)) < 1e4) for y in results):
            return program, first, second
    raise AssertionError(seed)


class Builder:
    """Builds a program line by line; shapes and dtypes follow from example values."""

    def __init__(self):
        self.value, self.inputs, self.lines = {}, [], []

    def new(self, value, name, note=""):
        """Return a variable with an example value."""
        x = Variable(name, np.shape(value), np.asarray(value).dtype, note)
        self.value[x] = np.asarray(value)
        return x

    def input(self, name, value):
        """Return an input of the program."""
        self.inputs.append(self.new(value, name))
        return self.inputs[-1]

    def __call__(self, function, /, *args, name="", note="", **settings):
        """Add an instruction, and return its result."""
        value = compute(function, [self.value.get(x, x) for x in args], settings)
        y = self.new(value, name, note)
        self.lines.append(Instruction(function, args, settings, y))
        return y

    @contextmanager
    def loop(self, steps, slices=(), states=(), reverse=False):
        """Write a loop: what the block adds is its body.

        Yields the loop with its inside variables: of the slices, then of the states.
        """
        loop, outer = Loop(steps, reverse), self.lines
        for name, whole in slices:
            loop.slices.append((self.new(self.value[whole][0], name), whole))
        insides = [self.new(self.value[start], name) for name, start in states]
        self.lines = loop.body
        yield loop, *[x for x, _ in loop.slices], *insides
        self.lines = outer
        loop.states = [
            State(start, inside, after, self.new(self.value[start], f"{after.name}_T"))
            for (_, start), inside, after in zip(states, insides, loop.states, strict=True)
        ]
        outer.append(loop)

    def stack(self, loop, x, name):
        """Keep all steps of a value."""
        whole = self.new(np.stack([self.value[x]] * loop.steps), name)
        loop.stacks.append((x, whole))
        return whole

    def sum(self, loop, x, name):
        """Keep the sum of a value over all steps."""
        total = self.new(self.value[x], name)
        loop.sums.append((x, total))
        return total

    def program(self, *outputs):
        """Return the program, and its inputs."""
        return Program(self.inputs, self.lines, list(outputs)), [self.value[x] for x in self.inputs]


def rnn_step(T, B, I, H):  # noqa: E741
    """Return a program: a plain RNN, and the gradient of the sum of its states."""
    rng, b = np.random.default_rng(0), Builder()
    x, h0 = b.input("x", rng.standard_normal((T, B, I))), b.input("h_0", np.zeros((B, H)))
    W, U = b.input("W", rng.standard_normal((I, H))), b.input("U", rng.standard_normal((H, H)))
    xW = b("matmul", x, W, name="xW")
    with b.loop(T, [("a", xW)], [("", h0)]) as (loop, a, h_prev):
        h = b("tanh", b("add", a, b("matmul", h_prev, U)), name="h", note="h = tanh(x W + h U)")
        loop.states.append(h)
        hs, h_prevs = b.stack(loop, h, "hs"), b.stack(loop, h_prev, "")
    zero = b("zeros", shape=(B, H), dtype=np.dtype("float64"), name="zero")
    U_T = b("transpose", U, axes=(1, 0))
    with b.loop(T, [("h", hs), ("h_prev", h_prevs)], [("dh_next", zero)], True) as parts:
        loop, h, h_prev, dh_next = parts
        dh = b("add", 1.0, dh_next, name="dh")
        slope = b("subtract", 1.0, b("multiply", h, h), name="slope")
        da = b("multiply", dh, slope, name="da", note="da = dh (1 - h^2)")
        loop.states.append(b("matmul", da, U_T, name="dh_prev"))
        back = b("matmul", b("transpose", h_prev, axes=(1, 0)), da)
        dU = b.sum(loop, back, "dU")
    return b.program(hs, dU)


def sigmoid(b, a, name):
    """Add the lines of 1 / (1 + exp(-a))."""
    e = b("exp", b("negative", a))
    return b("reciprocal", b("add", 1, e), name=name, note=f"{name} = σ(...)")


def gru_step(T, B, I, H, dtype="float32"):  # noqa: E741
    """Return a training step of a GRU as a program: forwards, backwards, and a step of SGD."""
    rng, b = np.random.default_rng(0), Builder()

    def array(*shape):
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(dtype)

    x, h0 = b.input("x", array(T, B, I)), b.input("h0", array(B, H))
    W, U = b.input("W", array(I, 3 * H)), b.input("U", array(H, 3 * H))
    bias, c = b.input("b", array(3 * H)), b.input("c", array(H))
    y = b.input("y", array(T, B, H))
    first, last = slice(0, 2 * H), slice(2 * H, 3 * H)
    xW = b("add", b("matmul", x, W), bias, name="xW", note="for all steps at once")
    rzx = b("index", xW, index=(..., first))
    nx = b("index", xW, index=(..., last))
    U_rz = b("copy", b("index", U, index=(..., first)), name="U_rz")
    U_n = b("copy", b("index", U, index=(..., last)), name="U_n")
    with b.loop(T, [("rz_x", rzx), ("n_x", nx)], [("h_prev", h0)]) as (loop, rz_x, n_x, h_prev):
        rz = sigmoid(b, b("add", b("matmul", h_prev, U_rz), rz_x), "rz")
        r = b("index", rz, index=(..., slice(0, H)), name="r")
        z = b("index", rz, index=(..., slice(H, 2 * H)), name="z")
        a = b("add", b("matmul", h_prev, U_n), c, name="a")
        n = b("tanh", b("add", n_x, b("multiply", r, a)), name="n", note="n = tanh(...)")
        h = b("add", b("multiply", z, b("subtract", h_prev, n)), n, name="h", note="h = z h + n")
        loop.states.append(h)
        hs, h_prevs = b.stack(loop, h, "hs"), b.stack(loop, h_prev, "")
        ns, rzs, As = b.stack(loop, n, "ns"), b.stack(loop, rz, ""), b.stack(loop, a, "as")
    error = b("subtract", hs, y, name="error")
    loss = b("sum", b("multiply", error, error), axis=(0, 1, 2), keepdims=False, name="loss")
    dhs = b("multiply", 2.0, error, name="dhs")
    zero = b("zeros", shape=(B, H), dtype=np.dtype(dtype))
    slices = [("dh_y", dhs), ("h_prev", h_prevs), ("n", ns), ("rz", rzs), ("a", As)]
    U_rzT, U_nT = b("transpose", U_rz, axes=(1, 0)), b("transpose", U_n, axes=(1, 0))
    with b.loop(T, slices, [("dh_next", zero)], True) as (loop, dh_y, h_prev, n, rz, a, dh_next):
        r = b("index", rz, index=(..., slice(0, H)), name="r")
        z = b("index", rz, index=(..., slice(H, 2 * H)), name="z")
        dh = b("add", dh_y, dh_next, name="dh", note="dh = dh_y + dh_next")
        dn = b("multiply", dh, b("subtract", 1, z), name="dn")
        da_n = b("multiply", dn, b("subtract", 1, b("square", n)), name="da_n")
        dz = b("multiply", dh, b("subtract", h_prev, n), name="dz")
        dr = b("multiply", da_n, a, name="dr")
        da = b("multiply", da_n, r, name="da")
        d_rz = b("concatenate", dr, dz, axis=1, name="d_rz")
        da_rz = b("multiply", d_rz, b("multiply", rz, b("subtract", 1, rz)), name="da_rz")
        back = b("multiply", dh, z)
        back = b("add", back, b("matmul", da_rz, U_rzT))
        loop.states.append(b("add", back, b("matmul", da, U_nT), name="dh_prev"))
        ends = [b.stack(loop, v, name) for v, name in ((da_n, ""), (da, ""), (da_rz, ""))]

    def rows(v):
        return b("reshape", v, shape=(T * B, b.value[v].shape[-1]))

    da_ns, das, da_rzs = map(rows, ends)
    hT = b("transpose", rows(h_prevs), axes=(1, 0))
    xT = b("transpose", rows(x), axes=(1, 0))
    dU = b("concatenate", b("matmul", hT, da_rzs), b("matmul", hT, das), axis=1, name="dU")
    dx = b("concatenate", da_rzs, da_ns, axis=1)
    dW = b("matmul", xT, dx, name="dW")
    db = b("sum", dx, axis=(0,), keepdims=False, name="db")
    dc = b("sum", das, axis=(0,), keepdims=False, name="dc")
    new = [b("subtract", p, b("multiply", 0.1, g), name=f"new_{p.name}")
           for p, g in ((W, dW), (U, dU), (bias, db), (c, dc))]  # fmt: skip
    return b.program(loss, hs, *new)
