"""Write the sample calls of every op and composition as a file that a type checker can read.

`check_types.py` runs both checkers on it: a stub that refuses a right call is found, whoever adds
the function. In the file ``t`` is a Tensor and ``a`` an array, in place of the sampled arrays.
"""

import numpy as np
from internals import Op, Sampler, cases, compositions

import tinygrad_rnn as tg

HEAD = """import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import Tensor

t = Tensor([1.0])
a = np.ones(1)
"""


def write_value(value, floats):
    """Return an argument as code, with `floats` in place of arrays of floating numbers."""
    if isinstance(value, np.ndarray):
        return floats if value.dtype.kind == "f" else "a"
    if isinstance(value, list | tuple):
        inner = ", ".join(write_value(each, floats) for each in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)"
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    if isinstance(value, np.dtype | type):
        return f"np.{np.dtype(value).name}"
    return {"inf": "np.inf", "-inf": "-np.inf", "Ellipsis": "..."}.get(repr(value), repr(value))


def write_call(name, args, settings, floats):
    """Return one call as code."""
    written = [write_value(arg, floats) for arg in args]
    written += [f"{key}={write_value(value, floats)}" for key, value in settings.items()]
    return f"tg.{name}({', '.join(written)})"


def sample_calls():
    """Yield (name, args, settings) for each sample call of a public op or composition."""
    rng = np.random.default_rng(0)
    for name in tg.ops.__all__:
        function = getattr(tg.ops, name)
        if isinstance(function, Op):
            for arrays, settings in cases(function, rng):
                yield name, [list(arrays)] if function.variadic else list(arrays), settings
    for made in compositions.values():
        name = made.function.__name__
        if getattr(tg, name, None) is not made.function:
            continue
        drawn = made.sample(Sampler(rng))
        for args in drawn if isinstance(drawn, list) else [drawn]:
            settings = args[-1] if isinstance(args[-1], dict) else {}
            given = list(args[:-1] if settings else args)
            yield name, given, settings


def write_file():
    """Return the text of the file: each call with Tensors, and with arrays."""
    lines = [
        write_call(name, args, settings, floats)
        for name, args, settings in sample_calls()
        for floats in ("t", "a")
    ]
    written = [line for line in dict.fromkeys(lines) if "<" not in line]  # no functions in lists
    return HEAD + "\n".join(written) + "\n"


if __name__ == "__main__":
    print(write_file())
