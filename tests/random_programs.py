"""Programs for the tests of the passes, by hand or by chance, and a check of any program."""

from __future__ import annotations

import numpy as np

from tinygrad_rnn.compile import instructions
from tinygrad_rnn.compile.instructions import Instruction, Loop, Program, State, Variable, walk
from tinygrad_rnn.compile.rewriting import write

FLOAT = np.dtype("float64")


def variable(*shape, name="", dtype=FLOAT):
    return Variable(name, shape, np.dtype(dtype))


def count(lines, function, inside=True):
    """Count the calls of a function, in loops too unless `inside` is False."""
    found = walk(lines) if inside else lines
    return sum(isinstance(line, Instruction) and line.function == function for line in found)


def loops(program):
    return [line for line in walk(program.lines) if isinstance(line, Loop)]


# -- checks ----------------------------------------------------------------------------------------


def validate(program):
    """Check that each variable is assigned once, and before it is read."""
    assigned = set()

    def assign(x, known):
        assert x not in assigned, f"{x} is assigned twice"
        assigned.add(x)
        known.add(x)

    def check(lines, known):
        for line in lines:
            assert not isinstance(line, Loop) or line.steps > 0
            if not isinstance(line, Loop):
                assert known.issuperset(line.uses), f"{line} reads a variable too early"
                assign(line.out, known)
                continue
            assert known.issuperset(whole for _, whole in line.slices)
            assert known.issuperset(state.start for state in line.states)
            within = set(known)
            for x in (*(x for x, _ in line.slices), *(state.inside for state in line.states)):
                assign(x, within)
            check(line.body, within)
            ends = [x for x, _ in (*line.stacks, *line.sums)] + [s.next for s in line.states]
            assert within.issuperset(ends)
            for x in line.results:
                assign(x, known)

    known = set()
    for x in program.inputs:
        assign(x, known)
    check(program.lines, known)
    assert known.issuperset(program.outputs)


def run(program, values, monkeypatch):
    """Interpret a program, and check that each value has the shape and dtype of its variable."""
    plain = instructions._run

    def checked(lines, values):
        for line in lines:
            plain([line], values)
            for y in line.results:
                if isinstance(values[y], np.ndarray):
                    assert (values[y].shape, values[y].dtype) == (y.shape, y.dtype), line
                elif y.is_number:
                    assert type(values[y]) is y.dtype

    with monkeypatch.context() as patch:
        patch.setattr(instructions, "_run", checked)
        return instructions.interpret(program, values)


# -- by hand ---------------------------------------------------------------------------------------


def gru(steps=4, batch=3, size=2, dtype=FLOAT):
    """Write a GRU with its backward pass, as the tracer records it, with a loss sum(h ** 2) / 2."""
    names = ("r", "z", "n")
    x = variable(steps, batch, size, name="x", dtype=dtype)
    h0 = variable(batch, size, name="h0", dtype=dtype)
    weights = {f"{kind}_{k}": variable(size, size, name=f"{kind}_{k}", dtype=dtype)
               for kind in "WU" for k in names}  # fmt: skip
    biases = {k: variable(size, name=f"b_{k}", dtype=dtype) for k in names}
    lines = []

    loop = Loop(steps, False)
    state = variable(batch, size, name="h", dtype=dtype)
    x_t = variable(batch, size, name="x_t", dtype=dtype)
    loop.slices.append((x_t, x))
    body = loop.body

    def sigmoid(a):
        return write(body, "reciprocal", write(body, "add", 1, _exp_of_minus(body, a)))

    def affine(a, k, u):
        left = write(body, "matmul", a, write(body, "transpose", weights[f"W_{k}"], axes=(1, 0)))
        right = write(body, "matmul", u, write(body, "transpose", weights[f"U_{k}"], axes=(1, 0)))
        return write(body, "add", write(body, "add", left, right), biases[k])

    r, z = sigmoid(affine(x_t, "r", state)), sigmoid(affine(x_t, "z", state))
    n = write(body, "tanh", affine(x_t, "n", write(body, "multiply", r, state)))
    keep = write(body, "multiply", z, state)
    new = write(body, "add", write(body, "multiply", write(body, "subtract", 1, z), n), keep)
    last = variable(batch, size, dtype=dtype)
    loop.states.append(State(h0, state, new, last))
    kept = {}
    for key, value in {"r": r, "z": z, "n": n, "h": state, "new": new}.items():
        kept[key] = variable(steps, *value.shape, name=key, dtype=dtype)
        loop.stacks.append((value, kept[key]))
    lines.append(loop)
    squares = write(lines, "multiply", kept["new"], kept["new"])
    loss = write(
        lines, "multiply", write(lines, "sum", squares, axis=(0, 1, 2), keepdims=False), 0.5
    )
    zeros = write(lines, "zeros", shape=(batch, size), dtype=np.dtype(dtype))
    back, gradients = _gru_backward(steps, batch, size, dtype, kept, x, weights, biases, zeros)
    lines.append(back)
    inputs = [x, h0, *weights.values(), *biases.values()]
    return Program(inputs, lines, [loss, last, *gradients])


def _exp_of_minus(body, a):
    return write(body, "exp", write(body, "negative", a))


def _gru_backward(steps, batch, size, dtype, kept, x, weights, biases, zeros):
    loop = Loop(steps, True)
    body = loop.body
    carried = variable(batch, size, name="g", dtype=dtype)
    inner = {}
    for key, whole in {**kept, "x": x}.items():
        inner[key] = variable(*whole.shape[1:], dtype=dtype)
        loop.slices.append((inner[key], whole))
    r, z, n, h = (inner[k] for k in "rznh")

    def op(function, *args, **settings):
        return write(body, function, *args, **settings)

    g = op("add", carried, inner["new"])
    g_n = op("multiply", g, op("subtract", 1, z))
    g_z = op("add", op("multiply", g, h), op("negative", op("multiply", g, n)))
    da_n = op("multiply", g_n, op("subtract", 1, op("multiply", n, n)))
    g_rh = op("matmul", da_n, weights["U_n"])
    da_r = op("multiply", op("multiply", g_rh, h), op("multiply", r, op("subtract", 1, r)))
    da_z = op("multiply", g_z, op("multiply", z, op("subtract", 1, z)))
    g_h = op("add", op("multiply", g, z), op("multiply", g_rh, r))
    g_h = op("add", g_h, op("matmul", da_r, weights["U_r"]))
    g_h = op("add", g_h, op("matmul", da_z, weights["U_z"]))
    da = {"r": da_r, "z": da_z, "n": da_n}
    loop.states.append(State(zeros, carried, g_h, variable(batch, size, dtype=dtype)))
    outputs = []

    def summed(value):
        outputs.append(variable(*value.shape, dtype=dtype))
        loop.sums.append((value, outputs[-1]))

    for k, value in da.items():
        u = op("multiply", r, h) if k == "n" else h
        summed(op("transpose", op("matmul", op("transpose", inner["x"], axes=(1, 0)), value),
                  axes=(1, 0)))  # fmt: skip
        summed(op("matmul", op("transpose", value, axes=(1, 0)), u))
        summed(op("sum", value, axis=(0,), keepdims=False))
    g_x = [op("matmul", value, weights[f"W_{k}"]) for k, value in da.items()]
    g_x = op("add", op("add", g_x[0], g_x[1]), g_x[2])
    outputs += [loop.states[0].last, variable(steps, batch, size, dtype=dtype)]
    loop.stacks.append((g_x, outputs[-1]))
    return loop, outputs


def inputs_of(program, seed=0):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(-1, 1, x.shape), x.dtype) for x in program.inputs]


# -- by chance -------------------------------------------------------------------------------------


class Chance:
    """Writes a program of random lines, in which loops hold lines and loops again."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.sizes = [int(n) for n in self.rng.integers(1, 4, 3)]
        if self.rng.random() < 0.05:
            self.sizes[0] = 0
        self.inputs = [variable(*self.shape(), name=f"i{k}") for k in range(4)]
        self.inputs += [variable(n, n, name=f"W{n}") for n in {*self.sizes}]
        lines = []
        values = self.lines(lines, list(self.inputs), int(self.rng.integers(4, 14)), depth=0)
        outputs = [self.pick(values) for _ in range(4)]
        self.program = Program(self.inputs, lines, [*outputs, outputs[0], *values[-6:]])

    def shape(self):
        rank = self.rng.integers(0, 4)
        return tuple(int(self.rng.choice(self.sizes)) for _ in range(rank))

    def pick(self, values, among=lambda x: True):
        # recent values more often: so programs become deep
        found = [x for x in values if among(x)]
        k = len(found) - 1 - int(self.rng.exponential(4))
        return found[k % len(found)] if found else None

    def lines(self, lines, values, number, depth):
        for _ in range(number):
            kinds = ("loop", "matmul", "matmul", "shared", "view", "reduce", "unary", "chain",
                     "weighted", "binary", "binary", "binary", "literal", "join", "rejoin", "parts",
                     "views", "number", "gates", "gates")  # fmt: skip
            kind = self.rng.choice(kinds[depth > 1 :])
            new = getattr(self, kind)(lines, values, depth)
            values.extend(x for x in new if x is not None)
        return values

    def binary(self, lines, values, depth):
        a = self.pick(values)

        def fits(x):
            try:
                return len(np.broadcast_shapes(a.shape, x.shape)) < 5
            except ValueError:
                return False

        b = self.pick(values, fits)
        return [write(lines, self.rng.choice(("add", "multiply", "subtract")), a, b)]

    def literal(self, lines, values, depth):
        number = self.rng.choice((0, 1, 2, 0.5))
        number = int(number) if number == int(number) else float(number)
        args = [self.pick(values), number]
        return [write(lines, self.rng.choice(("add", "multiply", "subtract")), *args)]

    def unary(self, lines, values, depth):
        function = self.rng.choice(("negative", "tanh", "arctan", "copy"))
        return [write(lines, function, self.pick(values))]

    def matmul(self, lines, values, depth):
        b = self.pick(values, lambda x: len(x.shape) in (1, 2) and x.shape)
        a = b and self.pick(values, lambda x: x.shape and x.shape[-1] == b.shape[0])
        return [write(lines, "tanh", write(lines, "matmul", a, b))] if a else []

    def shared(self, lines, values, depth):
        """Several products with one argument, as of gates."""
        a = self.pick(values, lambda x: len(x.shape) in (1, 2, 3))
        if a is None:
            return []
        new = []
        for _ in range(3):
            b = self.pick(values, lambda x: len(x.shape) == 2 and x.shape[0] == a.shape[-1])
            c = len(a.shape) == 2 and self.pick(
                values, lambda x: len(x.shape) == 2 and x.shape[1] == a.shape[0]
            )
            new += [write(lines, "matmul", a, b)] if b else []
            new += [write(lines, "matmul", c, a)] if c else []
        return new

    def weighted(self, lines, values, depth):
        """A sum of products with matrices."""
        matrices = [x for x in values if len(x.shape) == 2]
        total = None
        for _ in range(3):
            b = self.pick(matrices)
            a = b and self.pick(matrices, lambda x: x.shape[1] == b.shape[0])  # noqa: B023
            term = write(lines, "matmul", a, b) if a else None
            if total is None:
                total = term
            elif term is not None and term.shape == total.shape:
                total = write(lines, "add", total, term)
        return [total and write(lines, "arctan", total)]

    def parts(self, lines, values, depth):
        """A product with a concatenation, and slices of a product."""
        matrices = [x for x in values if len(x.shape) == 2]
        a = self.pick(matrices)
        c = a and self.pick(matrices, lambda x: x.shape[0] == a.shape[0])
        if not a:
            return []
        both = write(lines, "concatenate", a, c, axis=1)
        width = both.shape[1]
        inputs = [x for x in self.inputs if len(x.shape) == 2]
        b = self.pick(inputs, lambda x: x.shape[0] == width) or write(
            lines, "broadcast_to", self.pick(values, lambda x: not x.shape) or 0.5, shape=(width, 4)
        )
        product = write(lines, "matmul", both, b)
        parts = [write(lines, "index", product, index=(..., part))
                 for part in (slice(0, 1), slice(1, None))]  # fmt: skip
        return [write(lines, "tanh", part) for part in parts]

    def gates(self, lines, values, depth):
        """The same functions of the columns of two arrays, and sums of them."""
        x = self.pick(values, lambda x: x.shape and x.shape[-1] > 1)
        y = x and self.pick(values, lambda y: y.shape and y.shape[-1] == x.shape[-1]
                            and y.shape[:-1] in (x.shape[:-1], ()))  # fmt: skip
        found = []
        for part in (slice(0, 1), slice(1, 2), slice(2, 3))[: x.shape[-1] if x else 0]:
            a, b = (write(lines, "index", z, index=(..., part)) for z in (x, y))
            gate = write(lines, "tanh", write(lines, self.rng.choice(("add", "subtract")), a, b))
            found += [gate, write(lines, "multiply", gate, a), write(lines, "add", 1, gate)]
            axis = tuple(range(len(x.shape) - 1))
            found.append(write(lines, "sum", gate, axis=axis, keepdims=False))
        return found

    def number(self, lines, values, depth):
        """Plain numbers."""
        number = write(lines, "multiply", write(lines, "add", 1, 0.5), 2)
        return [write(lines, "multiply", self.pick(values), number)]

    def views(self, lines, values, depth):
        """Views of views."""
        x = self.pick(values, lambda x: len(x.shape) > 1)
        if x is None:
            return []
        size, rank = int(np.prod(x.shape)), len(x.shape)
        axes = (rank - 1, *range(rank - 1))
        turned = write(lines, "transpose", x, axes=axes)
        rows = write(lines, "reshape", turned, shape=(x.shape[-1], int(np.prod(x.shape[:-1]))))
        flat = write(lines, "reshape", write(lines, "reshape", x, shape=(size, 1)), shape=(size,))
        return [write(lines, "transpose", turned, axes=axes), rows, flat]

    def rejoin(self, lines, values, depth):
        """A concatenation of slices."""
        x = self.pick(values, lambda x: x.shape and x.shape[-1] > 1)
        if x is None:
            return []
        parts = [write(lines, "index", x, index=(..., part))
                 for part in (slice(0, 1), slice(1, None))]  # fmt: skip
        return [*parts, write(lines, "concatenate", *parts, axis=-1)]

    def chain(self, lines, values, depth):
        """A gradient times local derivatives."""
        g = self.pick(values)
        parts = []
        for _ in range(2):
            part = g
            for _ in range(2):
                c = self.pick(values, lambda x: x.shape in (g.shape, ()))
                part = write(lines, "multiply", *self.rng.permutation([part, c]).tolist())
                if self.rng.random() < 0.3:
                    part = write(lines, "negative", part)
            parts.append(part)
        return [write(lines, self.rng.choice(("add", "subtract")), *parts)]

    def reduce(self, lines, values, depth):
        x = self.pick(values, lambda x: x.shape)
        if x is None:
            return []
        axis = tuple(k for k in range(len(x.shape)) if self.rng.random() < 0.5)
        return [write(lines, "sum", x, axis=axis, keepdims=bool(self.rng.random() < 0.5))]

    def view(self, lines, values, depth):
        x = self.pick(values)
        match self.rng.integers(5):
            case 0:
                axes = tuple(int(k) for k in self.rng.permutation(len(x.shape)))
                return [write(lines, "transpose", x, axes=axes)]
            case 1 if x.shape:
                return [write(lines, "reshape", x, shape=(int(np.prod(x.shape)),))]
            case 2 if len(x.shape) < 3:
                shape = (int(self.rng.choice(self.sizes)), *x.shape)
                return [write(lines, "broadcast_to", x, shape=shape)]
            case 3 if x.shape and x.shape[0]:
                return [write(lines, "index", x, index=0)]
            case _ if x.shape and x.shape[-1] > 1:
                index = [(..., slice(0, 1)), (..., slice(1, None))]
                return [write(lines, "index", x, index=part) for part in index]
        return []

    def join(self, lines, values, depth):
        x = self.pick(values, lambda x: x.shape)
        y = x and self.pick(values, lambda y: y.shape[:-1] == x.shape[:-1] and y.shape)
        return [write(lines, "concatenate", x, y, axis=-1)] if y else []

    def loop(self, lines, values, depth):
        steps = int(self.rng.integers(1, 4))
        loop = Loop(steps, bool(self.rng.random() < 0.5))
        inside = []
        wholes = [x for x in values if x.shape[:1] == (steps,)]
        for whole in wholes[-4:]:
            inside.append(variable(*whole.shape[1:]))
            loop.slices.append((inside[-1], whole))
        starts = [self.pick(values) for _ in range(int(self.rng.integers(0, 4)))]
        states = [State(x, variable(*x.shape), x, variable(*x.shape)) for x in starts]
        for state in states:
            inside.append(state.inside)
        body_values = self.lines(
            loop.body, [*values, *inside], int(self.rng.integers(3, 12)), depth + 1
        )
        for state in states:
            fits = [x for x in body_values if x.shape == state.start.shape]
            state.next = self.pick(fits[len(fits) // 2 :])
        loop.states = states
        own = body_values[len(values) :]
        for ends in (loop.stacks, loop.sums):
            for _ in range(int(self.rng.integers(0, 5)) if own else 0):
                x = self.pick(own)
                shape = x.shape if ends is loop.sums else (steps, *x.shape)
                if len(shape) < 5:
                    ends.append((x, variable(*shape)))
        joins = [line for line in loop.body if getattr(line, "function", "") == "concatenate"]
        for x in dict.fromkeys(x for line in joins for x in line.uses):
            if x in own and self.rng.random() < 0.8:
                loop.stacks.append((x, variable(steps, *x.shape)))
        lines.append(loop)
        return loop.results
