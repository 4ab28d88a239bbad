"""What is timed: the same training step in each engine.

A `Contestant` holds a model with its data and does one training step a call: forward, backward, SGD
update, zero gradients, each the way the engine's own documentation does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

RATE = 0.01
WEIGHTS = ("Wz", "Uz", "bz", "Wr", "Ur", "br", "Wh", "Uh", "bh", "Wy", "by")

Arrays = dict[str, np.ndarray]


class Size(NamedTuple):
    """Time steps, batch, vocabulary, hidden units."""

    T: int
    B: int
    V: int
    H: int


SIZES = {
    "tiny": Size(3, 2, 4, 2),
    "small": Size(32, 16, 64, 32),
    "medium": Size(64, 32, 64, 128),
    "large": Size(128, 64, 96, 256),
}


class Contestant(NamedTuple):
    """One engine with its model.

    Attributes
    ----------
    name : str
    step : callable
        One whole training step.
    probe : callable
        The loss and the gradient of the candidate's recurrent weights, at the present weights.
    """

    name: str
    step: Callable[[], Any]
    probe: Callable[[], tuple[float, np.ndarray]]


class Absent(NamedTuple):
    """An engine that is not installed."""

    name: str


def data(size: Size, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random characters: one-hot inputs (T, B, V) in float32 and integer targets (T, B)."""
    T, B, V, _ = size
    text = np.random.default_rng(seed).integers(0, V, (T + 1, B))
    return np.eye(V, dtype=np.float32)[text[:-1]], text[1:]


def uniform(size: Size, shapes: dict[str, tuple[int, ...]], seed: int = 1) -> Arrays:
    """Initial weights in ±1/√H, float32."""
    rng, bound = np.random.default_rng(seed), size.H**-0.5
    return {
        name: rng.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()
    }


# -- op by op: the GRU of the tutorial -------------------------------------------------------------


def gru_weights(size: Size) -> Arrays:
    """The eleven parameters of the tutorial's GRU and its linear layer."""
    _, _, V, H = size
    return uniform(
        size, dict(zip(WEIGHTS, [*([(V, H), (H, H), (H,)] * 3), (H, V), (V,)], strict=True))
    )


def gru_step(
    weights: Sequence[Any],
    x: Any,
    y: Any,
    h: Any,
    sigmoid: Any,
    tanh: Any,
    log_softmax: Any,
    one: Any = 1,
) -> tuple[Any, Any]:
    """Run one time step; return the new state and the loss of the step.

    Every engine runs this code, with its own tensors and functions.
    """
    Wz, Uz, bz, Wr, Ur, br, Wh, Uh, bh, Wy, by = weights
    z = sigmoid(x @ Wz + h @ Uz + bz)
    r = sigmoid(x @ Wr + h @ Ur + br)
    n = tanh(x @ Wh + (r * h) @ Uh + bh)
    h = z * h + (one - z) * n
    log_p = log_softmax(h @ Wy + by)
    return h, -(y * log_p).sum(-1).mean()


def gru_loss(p: dict[str, Any], xs: Any, ys: Any, h: Any, *functions: Any) -> Any:
    """The op-by-op model: the mean of the losses of all time steps."""
    weights = [p[name] for name in WEIGHTS]
    loss = 0
    for x, y in zip(xs, ys, strict=True):
        h, term = gru_step(weights, x, y, h, *functions)
        loss = loss + term
    return loss / len(xs)


def gru_inputs(size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray, Arrays]:
    """Inputs and one-hot targets (T, B, V), a zero state (B, H), and weights."""
    xs, targets = data(size)
    return (
        xs,
        np.eye(size.V, dtype=np.float32)[targets],
        np.zeros((size.B, size.H), np.float32),
        gru_weights(size),
    )


def ours_op_by_op(size: Size) -> Contestant:
    """The tutorial's GRU in tinygrad_rnn."""
    import tinygrad_rnn as tg

    xs, ys, h, weights = gru_inputs(size)
    p = {name: tg.Tensor(w, requires_grad=True, name=name) for name, w in weights.items()}
    xs, ys, h = list(tg.Tensor(xs)), list(tg.Tensor(ys)), tg.Tensor(h)

    def loss() -> Any:
        return gru_loss(p, xs, ys, h, tg.sigmoid, tg.tanh, tg.log_softmax)

    return stepper("tinygrad_rnn", tg.optim.SGD(p.values(), lr=RATE), loss, p["Uh"])


def torch_op_by_op(size: Size) -> Contestant:
    """The tutorial's GRU in eager PyTorch."""
    torch = one_threaded_torch()
    xs, ys, h, weights = gru_inputs(size)
    p = {name: torch.from_numpy(w).requires_grad_() for name, w in weights.items()}
    xs, ys, h = list(torch.from_numpy(xs)), list(torch.from_numpy(ys)), torch.from_numpy(h)

    def loss() -> Any:
        return gru_loss(p, xs, ys, h, torch.sigmoid, torch.tanh, lambda a: torch.log_softmax(a, -1))

    return stepper("torch", torch.optim.SGD(p.values(), lr=RATE), loss, p["Uh"])


def autograd_op_by_op(size: Size) -> Contestant:
    """The tutorial's GRU in HIPS autograd, with plain NumPy updates."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    if find_spec("scipy"):
        from autograd.scipy.special import expit as sigmoid
        from autograd.scipy.special import logsumexp

        def log_softmax(a: Any) -> Any:
            return a - logsumexp(a, axis=-1, keepdims=True)
    else:

        def sigmoid(a: Any) -> Any:
            return 0.5 * (anp.tanh(0.5 * a) + 1)

        def log_softmax(a: Any) -> Any:
            a = a - anp.max(a, axis=-1, keepdims=True)
            return a - anp.log(anp.sum(anp.exp(a), axis=-1, keepdims=True))

    xs, ys, h, p = gru_inputs(size)
    differentiate = value_and_grad(lambda p: gru_loss(p, xs, ys, h, sigmoid, anp.tanh, log_softmax))

    def step() -> None:
        _, gradients = differentiate(p)
        for name, g in gradients.items():
            p[name] -= RATE * g

    def probe() -> tuple[float, np.ndarray]:
        loss, gradients = differentiate(p)
        return float(loss), gradients["Uh"]

    return Contestant("autograd", step, probe)


def mygrad_op_by_op(size: Size) -> Contestant:
    """The tutorial's GRU in MyGrad as it comes, with plain NumPy updates."""
    import mygrad as mg
    from mygrad.nnet.activations import logsoftmax, sigmoid

    xs, ys, h, weights = gru_inputs(size)
    p = {name: mg.tensor(w) for name, w in weights.items()}
    xs, ys, h = (
        [mg.tensor(x, constant=True) for x in xs],
        [mg.tensor(y, constant=True) for y in ys],
        mg.tensor(h, constant=True),
    )
    one = np.ones((), np.float32)  # a Python 1 becomes an int64 array there, and the state float64

    def forward() -> Any:
        return gru_loss(p, xs, ys, h, sigmoid, mg.tanh, logsoftmax, one)

    def step() -> None:
        forward().backward()
        for w in p.values():
            w.data -= RATE * w.grad
            w.null_grad()

    def probe() -> tuple[float, np.ndarray]:
        loss = forward()
        loss.backward()
        gradient = p["Uh"].grad.copy()
        for w in p.values():
            w.null_grad()
        return float(loss.data), gradient

    return Contestant("mygrad", step, probe)


def unguarded_mygrad_op_by_op(size: Size) -> Contestant:
    """Return the same without MyGrad's memory guard, as its documentation advises for speed."""
    import mygrad as mg

    guarded = mygrad_op_by_op(size)

    def step() -> None:
        with mg.mem_guard_off:
            guarded.step()

    return guarded._replace(name="mygrad, fast", step=step)


def jax_op_by_op(size: Size) -> Contestant:
    """Return the tutorial's GRU in JAX, with `lax.scan`, compiled as one program.

    That is not an op-by-op engine, so it has no bar.
    """
    import jax

    xs, ys, h, weights = gru_inputs(size)
    xs, ys, h = jax.numpy.asarray(xs), jax.numpy.asarray(ys), jax.numpy.asarray(h)

    def loss(p: dict[str, Any]) -> Any:
        def step(h: Any, xy: Any) -> tuple[Any, Any]:
            return gru_step(
                [p[name] for name in WEIGHTS],
                *xy,
                h,
                jax.nn.sigmoid,
                jax.numpy.tanh,
                jax.nn.log_softmax,
            )

        return jax.lax.scan(step, h, (xs, ys))[1].mean()

    return compiled(loss, weights, "Uh")


# -- the layer: nn.GRU, nn.Linear and the cross-entropy of integer targets -------------------------


def layer_weights(size: Size, gates: int = 3) -> Arrays:
    """The parameters of a recurrent layer and of nn.Linear by PyTorch's names."""
    _, _, V, H = size
    layer = {
        "weight_ih_l0": (gates * H, V),
        "weight_hh_l0": (gates * H, H),
        "bias_ih_l0": (gates * H,),
        "bias_hh_l0": (gates * H,),
    }
    return uniform(size, {**layer, "weight": (V, H), "bias": (V,)})


def halves(weights: Arrays) -> tuple[Arrays, Arrays]:
    """The state dict of the GRU, and that of the linear layer."""
    head = {"weight", "bias"}
    return {k: w for k, w in weights.items() if k not in head}, {
        k: w for k, w in weights.items() if k in head
    }


def ours_layer(size: Size) -> Contestant:
    """tg.nn.GRU, its steps nodes of the graph."""
    import tinygrad_rnn as tg

    x, targets = data(size)
    gru, head = tg.nn.GRU(size.V, size.H), tg.nn.Linear(size.H, size.V)
    for module, state in zip((gru, head), halves(layer_weights(size)), strict=True):
        module.load_state_dict(state)

    def loss() -> Any:
        output, _ = gru(x)
        return tg.nn.functional.cross_entropy(head(output), targets)

    return stepper(
        "tinygrad_rnn",
        tg.optim.SGD([*gru.parameters(), *head.parameters()], lr=RATE),
        loss,
        gru.weight_hh_l0,
    )


def torch_layer(size: Size) -> Contestant:
    """torch.nn.GRU, one fused operation."""
    torch = one_threaded_torch()
    x, targets = map(torch.from_numpy, data(size))
    gru, head = torch.nn.GRU(size.V, size.H), torch.nn.Linear(size.H, size.V)
    for module, state in zip((gru, head), halves(layer_weights(size)), strict=True):
        module.load_state_dict({k: torch.from_numpy(w) for k, w in state.items()})

    def loss() -> Any:
        output, _ = gru(x)
        return torch.nn.functional.cross_entropy(head(output).flatten(0, 1), targets.flatten())

    return stepper(
        "torch",
        torch.optim.SGD([*gru.parameters(), *head.parameters()], lr=RATE),
        loss,
        gru.weight_hh_l0,
    )


def jax_layer(size: Size) -> Contestant:
    """nn.GRU in JAX: `lax.scan`, compiled as one program."""
    import jax

    def cell(p: dict[str, Any], h: Any, x: Any) -> tuple[Any, Any]:
        x_r, x_z, x_n = jax.numpy.split(x, 3, axis=-1)
        h_r, h_z, h_n = jax.numpy.split(h @ p["weight_hh_l0"].T + p["bias_hh_l0"], 3, axis=-1)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        h = z * h + (1 - z) * jax.numpy.tanh(x_n + r * h_n)
        return h, h

    return jax_scan(size, 3, cell)


def jax_lstm(size: Size) -> Contestant:
    """nn.LSTM in JAX, likewise."""
    import jax

    def cell(p: dict[str, Any], state: Any, x: Any) -> tuple[Any, Any]:
        h, c = state
        gates = x + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        i, f, g, o = jax.numpy.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
        h = jax.nn.sigmoid(o) * jax.numpy.tanh(c)
        return (h, c), h

    return jax_scan(size, 4, cell)


def jax_scan(size: Size, gates: int, cell: Callable[..., Any]) -> Contestant:
    """A recurrent layer with a linear layer and cross-entropy, as one program of JAX."""
    import jax

    x, targets = map(jax.numpy.asarray, data(size))
    zeros = jax.numpy.zeros((size.B, size.H), jax.numpy.float32)

    def loss(p: dict[str, Any]) -> Any:
        start = zeros if gates == 3 else (zeros, zeros)
        inputs = x @ p["weight_ih_l0"].T + p["bias_ih_l0"]
        _, output = jax.lax.scan(partial(cell, p), start, inputs)
        log_p = jax.nn.log_softmax(output @ p["weight"].T + p["bias"])
        return -jax.numpy.take_along_axis(log_p, targets[..., None], axis=-1).mean()

    return compiled(loss, layer_weights(size, gates), "weight_hh_l0")


# -- what contestants share ------------------------------------------------------------------------


def stepper(name: str, optimizer: Any, loss: Callable[[], Any], probed: Any) -> Contestant:
    """A contestant of an engine with PyTorch's manners: backward on the loss, and an optimizer."""

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    def probe() -> tuple[float, np.ndarray]:
        value = loss()
        value.backward()
        gradient = np.array(probed.grad)
        optimizer.zero_grad()
        return value.item(), gradient

    return Contestant(name, step, probe)


def compiled(loss: Callable[[dict[str, Any]], Any], weights: Arrays, probed: str) -> Contestant:
    """A contestant whose step, the update included, is one compiled JAX program."""
    import jax

    @jax.jit
    def advance(p: dict[str, Any]) -> dict[str, Any]:
        gradients = jax.grad(loss)(p)
        return {name: w - RATE * gradients[name] for name, w in p.items()}

    holder = {name: jax.numpy.asarray(w) for name, w in weights.items()}

    def step() -> None:
        holder.update(jax.block_until_ready(advance(holder)))

    def probe() -> tuple[float, np.ndarray]:
        value, gradients = jax.jit(jax.value_and_grad(loss))(holder)
        return float(value), np.asarray(gradients[probed])

    return Contestant("jax.jit", step, probe)


def one_threaded_torch() -> Any:
    """PyTorch, told to use one thread."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    return torch
