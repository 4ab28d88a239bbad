"""One model, trained by several processes that share each batch.

Every process builds the same model, takes its own part of the sequences, and averages the gradients with the others before each
step. The parameters are those of one process on the whole batch, but for rounding, which is printed. Needs the extra ``mpi``.
Run it with ``mpiexec -n 2 python examples/data_parallel.py``; it takes a second or two.
"""

import sys

import numpy as np

import tinygrad_rnn as tg

STEPS, T, B, D, H = 20, 10, 8, 3, 6


def built():
    """A GRU, a linear layer, and an optimizer for both."""
    model = tg.nn.ModuleList([tg.nn.GRU(D, H, rng=0), tg.nn.Linear(H, 1, rng=1)])
    return model, tg.optim.Adam(model.parameters(), lr=0.01)


def batch(step):
    """Sequences, and the sum of each of their three columns weighed by time."""
    x = np.random.default_rng(step).standard_normal((T, B, D)).astype("float32")
    return x, (x.sum(2) * np.linspace(0, 1, T, dtype="float32")[:, None]).sum(0)[:, None]


def train(part=slice(None), communicator=None):
    """Twenty steps on a part of each batch; the model after them."""
    model, optimizer = built()
    gru, head = model
    for step in range(STEPS):
        x, y = batch(step)
        optimizer.zero_grad()
        output, _ = gru(x[:, part])
        loss = tg.nn.functional.mse_loss(head(output[-1]), y[part])
        loss.backward()
        if communicator is not None:
            tg.parallel.average_gradients(model.parameters(), communicator)
        optimizer.step()
    return model, loss.item()


def main():
    """Train together, then alone on everything, and compare."""
    everywhere = tg.parallel.world()
    size = B // everywhere.size
    together, loss = train(slice(everywhere.rank * size, (everywhere.rank + 1) * size), everywhere)
    alone, _ = train()
    pairs = zip(together.parameters(), alone.parameters(), strict=True)
    apart = max(np.abs(p.data - q.data).max() for p, q in pairs)
    lines = everywhere.gather(
        f"process {everywhere.rank} of {everywhere.size}: loss {loss:.4f}, parameters apart by at most {apart:.1e}"
    )
    if lines:
        print("\n".join(lines))
    return 0 if apart < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
