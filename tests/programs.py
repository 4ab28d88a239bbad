"""Programs by chance, for the tests of the compiler: any shapes, dtypes, loops and states."""

import numpy as np

from tinygrad_rnn.compile.instructions import (
    Instruction,
    Loop,
    Program,
    State,
    Variable,
    compute,
    interpret,
)

UNARY = ["tanh", "exp", "negative", "absolute", "square", "sin", "isfinite", "sign", "positive"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "less", "greater_equal", "arctan2"]
WORDS = ["", "", "", "h", "x", "z", "W", "dh", "t", "T", "np", "sum", "lambda", "h_prev", "one", "c 1"]


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
            ("concatenate", [a, b, a][: rng.integers(1, 4)], {"axis": axis}),
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
        from tinygrad_rnn.compile.instructions import Place

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
            fit = [x for x in inner if not x.is_number and (x.shape, x.dtype) == (start.shape, start.dtype)]
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
