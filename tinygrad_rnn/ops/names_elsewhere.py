"""Names of PyTorch, JAX and Keras that this library does not have, and what to write instead.

In each table a name leads to an expression that computes the same, or to a sentence that begins
with "leave it out" or "there is none". A test runs every expression. In it ``x`` and ``y`` are
Tensors, ``a`` is an array, ``mask`` an array of booleans, and ``model`` a Module.
"""

from __future__ import annotations

from typing import Any

CPU = "leave it out, because NumPy computes on the CPU"
IN_PLACE = "leave out the _, because no function changes a Tensor: x = x + 1"
SMALL = "there is none, because this library is for recurrent networks; compose one of ops"

PACKAGE = {
    "Generator": "np.random.default_rng(0)",
    "GradientTape": "tg.grad((x * x).sum(), x)",
    "Size": "tuple(x.shape)",
    "Variable": "tg.Tensor(a, requires_grad=True)",
    "amax": "tg.max(x, axis=0)",
    "amin": "tg.min(x, axis=0)",
    "arange": "tg.Tensor(np.arange(3))",
    "argmax": "x.argmax(axis=1)",
    "argmin": "x.argmin(axis=1)",
    "array": "tg.Tensor([1.0, 2.0])",
    "as_tensor": "tg.Tensor(a)",
    "asarray": "tg.Tensor(a)",
    "autograd": "tg.grad((x * x).sum(), x)",
    "bmm": "tg.matmul(x, y.T)",
    "cat": "tg.concatenate([x, y], axis=0)",
    "chunk": "tg.split(x, 3, axis=1)",
    "clamp": "tg.clip(x, 0, 1)",
    "constant": "tg.Tensor([1.0, 2.0])",
    "cuda": CPU,
    "device": CPU,
    "div": "tg.divide(x, y)",
    "empty": 'tg.Tensor(np.empty((2, 3), "float32"))',
    "enable_grad": "leave it out, because recording is on outside of tg.no_grad()",
    "eye": 'tg.Tensor(np.eye(3, dtype="float32"))',
    "float16": "np.float16",
    "float32": "np.float32",
    "float64": "np.float64",
    "from_numpy": "tg.Tensor(a)",
    "full": 'tg.Tensor(np.full((2, 3), 7, "float32"))',
    "function": "tg.compile(model)",
    "index_select": "x[[1, 0]]",
    "int64": "np.int64",
    "is_tensor": "isinstance(x, tg.Tensor)",
    "jit": "tg.compile(model)",
    "lax": "tg.scan(cell, x, h)",
    "long": "np.int64",
    "lr_scheduler": "tg.optim.StepLR(optimizer, 10)",
    "manual_seed": "tg.nn.Linear(3, 2, rng=0)",
    "masked_fill": "tg.where(mask, 0.0, x)",
    "masked_select": "x[mask]",
    "mm": "tg.matmul(x, y.T)",
    "movedim": "tg.moveaxis(x, 0, 1)",
    "mul": "tg.multiply(x, y)",
    "mv": "tg.matmul(x, y[0])",
    "neg": "tg.negative(x)",
    "numpy": "np.tanh(x)",
    "ones": 'tg.Tensor(np.ones((2, 3), "float32"))',
    "ones_like": "tg.Tensor(np.ones_like(x))",
    "permute": "tg.transpose(x, (1, 0))",
    "pow": "tg.power(x, 2)",
    "rand": 'tg.Tensor(np.random.default_rng(0).random((2, 3), "float32"))',
    "randint": "tg.Tensor(np.random.default_rng(0).integers(5, size=(2, 3)))",
    "randn": 'tg.Tensor(np.random.default_rng(0).standard_normal((2, 3), "float32"))',
    "randperm": "np.random.default_rng(0).permutation(3)",
    "random": "np.random.default_rng(0)",
    "reduce_mean": "tg.mean(x, axis=0)",
    "reduce_sum": "tg.sum(x, axis=0)",
    "repeat_interleave": "tg.repeat(x, 2, axis=0)",
    "rsqrt": "1 / tg.sqrt(x)",
    "set_default_tensor_type": "tg.get_default_dtype()",
    "set_grad_enabled": "leave it out, and put what needs no graph under tg.no_grad()",
    "sub": "tg.subtract(x, y)",
    "t": "x.T",
    "tensor": "tg.Tensor([1.0, 2.0])",
    "unbind": "list(x)",
    "unsqueeze": "tg.expand_dims(x, 0)",
    "use_deterministic_algorithms": "leave it out, because every run gives the same bits",
    "value_and_grad": "tg.vjp(f, x)",
    "vmap": "there is none, because ops take batches: put the batch on the first axis",
    "zeros": 'tg.Tensor(np.zeros((2, 3), "float32"))',
    "zeros_like": "tg.Tensor(np.zeros_like(x))",
}
"""Names below ``torch``, ``jax`` and ``tf``."""

TENSOR = {
    "add": "x + y",
    "add_": IN_PLACE,
    "amax": "x.max(axis=0)",
    "amin": "x.min(axis=0)",
    "at": "tg.where(mask, 0.0, x)",
    "bfloat16": 'x.astype("float16")',
    "block_until_ready": "leave it out, because a result is there when its call returns",
    "bmm": "x @ y.T",
    "bool": 'x.astype("bool")',
    "chunk": "x.split(3, axis=1)",
    "clamp": "x.clip(0, 1)",
    "clamp_": "x.clip(0, 1)",
    "clone": "x.copy()",
    "contiguous": "leave it out, because every op takes every layout",
    "copy_": "x.detach().copy()",
    "cpu": CPU,
    "cuda": CPU,
    "detach_": "x.detach()",
    "device": CPU,
    "dim": "x.ndim",
    "div": "x / y",
    "div_": IN_PLACE,
    "double": 'x.astype("float64")',
    "eq": "x == y",
    "expand": "x.broadcast_to((4, 2, 3))",
    "expand_as": "x.broadcast_to(y.shape)",
    "fill_": "tg.Tensor(np.full_like(x, 7))",
    "float": 'x.astype("float32")',
    "ge": "x >= y",
    "grad_fn": "x.node",
    "gt": "x > y",
    "half": 'x.astype("float16")',
    "index_select": "x[[1, 0]]",
    "int": 'x.astype("int32")',
    "is_cuda": CPU,
    "is_leaf": "x.node is None",
    "le": "x <= y",
    "long": 'x.astype("int64")',
    "lt": "x < y",
    "masked_fill": "tg.where(mask, 0.0, x)",
    "masked_select": "x[mask]",
    "mm": "x @ y.T",
    "movedim": "tg.moveaxis(x, 0, 1)",
    "mul": "x * y",
    "mul_": IN_PLACE,
    "narrow": "x[:, 1:3]",
    "ne": "x != y",
    "neg": "-x",
    "nelement": "x.size",
    "new_zeros": "tg.Tensor(np.zeros((2, 3), x.dtype))",
    "numel": "x.size",
    "permute": "x.transpose(1, 0)",
    "pow": "x ** 2",
    "register_hook": "there is none; tg.backward_steps(loss) shows every gradient",
    "repeat_interleave": "x.repeat(2, axis=0)",
    "requires_grad_": "tg.Tensor(x.detach(), requires_grad=True)",
    "reshape_as": "x.reshape(y.shape)",
    "retain_grad": "(x * x).sum().backward(retain_grads=True)",
    "rsqrt": "1 / x.sqrt()",
    "sub": "x - y",
    "sub_": IN_PLACE,
    "t": "x.T",
    "to": 'x.astype("float64")',
    "type": 'x.astype("float64")',
    "type_as": "x.astype(y.dtype)",
    "unbind": "list(x)",
    "unflatten": "x.reshape(2, 3, 1)",
    "unsqueeze": "x.expand_dims(0)",
    "unsqueeze_": "x.expand_dims(0)",
    "view": "x.reshape(3, 2)",
    "view_as": "x.reshape(y.shape)",
    "zero_": "tg.Tensor(np.zeros_like(x))",
}
"""Methods and attributes of a ``torch.Tensor`` and of JAX's arrays."""

MODULE = {
    "add_module": 'setattr(model, "extra", tg.nn.Linear(2, 2))',
    "bfloat16": 'model.astype("float16")',
    "compile": "tg.compile(model)",
    "count_params": "sum(p.size for p in model.parameters())",
    "cpu": CPU,
    "cuda": CPU,
    "double": 'model.astype("float64")',
    "evaluate": "there is none; call the model on the data, under tg.no_grad()",
    "extra_repr": "model.describe()",
    "fit": "there is none; write a loop of loss.backward() and optimizer.step()",
    "flatten_parameters": "leave it out, because every op takes every layout",
    "float": 'model.astype("float32")',
    "get_parameter": 'dict(model.named_parameters())["0.weight"]',
    "get_weights": "list(model.state_dict().values())",
    "half": 'model.astype("float16")',
    "load_weights": 'tg.interop.load_into(model, "weights.safetensors")',
    "named_children": "list(model.children())",
    "predict": "there is none; call the model, under tg.no_grad()",
    "register_forward_hook": "there is none; call the modules one by one",
    "register_module": 'setattr(model, "extra", tg.nn.Linear(2, 2))',
    "register_parameter": 'setattr(model, "scale", tg.Tensor(a, requires_grad=True))',
    "requires_grad_": '[setattr(p, "requires_grad", False) for p in model.parameters()]',
    "save_weights": 'tg.save(model.state_dict(), "weights.safetensors")',
    "to": 'model.astype("float64")',
    "trainable_variables": "list(model.parameters())",
    "trainable_weights": "list(model.parameters())",
    "type": 'model.astype("float64")',
    "weights": "list(model.parameters())",
}
"""Methods and attributes of a ``torch.nn.Module`` and of Keras' layers."""

NN = {
    "BCEWithLogitsLoss": "tg.nn.functional.binary_cross_entropy_with_logits(x, mask)",
    "BatchNorm1d": SMALL,
    "Bidirectional": "tg.nn.GRU(3, 2, bidirectional=True)",
    "Conv1d": SMALL,
    "Conv2d": SMALL,
    "CrossEntropyLoss": "tg.nn.functional.cross_entropy(x, index)",
    "Dense": "tg.nn.Linear(3, 2)",
    "Flatten": "x.reshape(len(x), -1)",
    "Identity": "tg.nn.Sequential()",
    "Layer": "tg.nn.Module()",
    "LayerNormalization": "tg.nn.LayerNorm(3)",
    "LogSoftmax": "tg.log_softmax(x)",
    "MSELoss": "tg.nn.functional.mse_loss(x, y)",
    "MultiheadAttention": SMALL,
    "NLLLoss": "tg.nn.functional.nll_loss(tg.log_softmax(x), index)",
    "Parameter": "tg.Tensor(a, requires_grad=True)",
    "ReLU": "tg.relu(x)",
    "Sigmoid": "tg.sigmoid(x)",
    "SimpleRNN": "tg.nn.RNN(3, 2)",
    "Softmax": "tg.softmax(x)",
    "Softplus": "tg.softplus(x)",
    "Tanh": "tg.tanh(x)",
    "TimeDistributed": "tg.nn.Linear(3, 2)",
    "Transformer": SMALL,
    "clip_grad_norm": "tg.nn.clip_grad_norm_(model.parameters(), 1.0)",
    "utils": "tg.nn.clip_grad_norm_(model.parameters(), 1.0)",
}
"""Names below ``torch.nn`` and ``keras.layers``."""

FUNCTIONAL = {
    "gelu": "0.5 * x * (1 + tg.tanh(0.7978845608 * (x + 0.044715 * x**3)))",
    "layer_norm": "tg.nn.LayerNorm(3)(x)",
    "leaky_relu": "tg.where(x > 0, x, 0.01 * x)",
    "linear": "tg.linear(x, y)",
    "log_softmax": "tg.log_softmax(x)",
    "logsigmoid": "-tg.softplus(-x)",
    "one_hot": "tg.text.one_hot(index, 3)",
    "relu": "tg.relu(x)",
    "sigmoid": "tg.sigmoid(x)",
    "silu": "x * tg.sigmoid(x)",
    "softmax": "tg.softmax(x)",
    "softplus": "tg.softplus(x)",
    "tanh": "tg.tanh(x)",
}
"""Names below ``torch.nn.functional``."""

INIT = {
    "constant_": "np.full((2, 3), 7.0)",
    "glorot_uniform": "tg.nn.init.xavier_uniform((2, 3), rng=0)",
    "he_uniform": "tg.nn.init.kaiming_uniform((2, 3), rng=0)",
    "kaiming_uniform_": "tg.nn.init.kaiming_uniform((2, 3), rng=0)",
    "normal_": "tg.nn.init.normal((2, 3), rng=0)",
    "ones_": "tg.nn.init.ones((2, 3))",
    "orthogonal_": "tg.nn.init.orthogonal((2, 3), rng=0)",
    "uniform_": "tg.nn.init.uniform((2, 3), 1.0, rng=0)",
    "xavier_normal_": "tg.nn.init.xavier_normal((2, 3), rng=0)",
    "xavier_uniform_": "tg.nn.init.xavier_uniform((2, 3), rng=0)",
    "zeros_": "tg.nn.init.zeros((2, 3))",
}
"""Names below ``torch.nn.init`` and ``jax.nn.initializers``."""

OPTIM = {
    "adam": "tg.optim.Adam(model.parameters(), lr=0.1)",
    "adamw": "tg.optim.AdamW(model.parameters(), lr=0.1)",
    "clip_by_global_norm": "tg.nn.clip_grad_norm_(model.parameters(), 1.0)",
    "lr_scheduler": "tg.optim.StepLR(optimizer, 10)",
    "rmsprop": "tg.optim.RMSprop(model.parameters(), lr=0.1)",
    "sgd": "tg.optim.SGD(model.parameters(), lr=0.1)",
}
"""Names below ``torch.optim`` and ``optax``."""


def missing(owner: str, name: str, table: dict[str, str], of: Any = None) -> AttributeError:
    """Return the error for a name that `owner` does not have. It says what to write instead."""
    text = f"{owner} has no attribute {name!r}"
    if name not in table:
        return AttributeError(text, name=name, obj=of)
    hint = table[name]
    is_sentence = hint.startswith(("leave", "there"))
    return AttributeError(
        f"{text}; {hint}" if is_sentence else f"{text}; write {hint}, for example"
    )


# -- Tensor ----------------------------------------------------------------------------------------
# A method `__getattr__` would make every attribute of a Tensor slower to read, and a training step
# by an eighth. So each of these names is an attribute that raises the error.


class NameElsewhere:
    """An attribute that raises AttributeError, which says what to write instead."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise missing("Tensor", self.name, TENSOR)


class WithoutNamesElsewhere(type):
    """The type of `Tensor`: `dir` leaves the names in `TENSOR` out."""

    def __dir__(cls) -> list[str]:
        return [name for name in super().__dir__() if name not in TENSOR]


class NamesElsewhere(metaclass=WithoutNamesElsewhere):
    """A base of `Tensor`, which raises the errors for the names in `TENSOR`."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in TENSOR]


for each in TENSOR:
    setattr(NamesElsewhere, each, NameElsewhere(each))


class EntryCount(int):
    """The number of entries. ``x.size()``, as PyTorch writes the shape, is an AttributeError."""

    def __call__(self, *axis: int) -> Any:
        raise AttributeError("Tensor.size is a number, not a method; write x.shape or x.shape[0]")
