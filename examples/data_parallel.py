"""One model, trained by several processes that share each batch.

Every process builds the same model and takes its own part of the sequences. Before each step the
processes average their gradients. The parameters then equal those of one process on the whole
batch, except for rounding errors, which are printed. The example needs the extra ``mpi``. Run it
with ``mpiexec -n 2 python examples/data_parallel.py``; it takes a second or two.
"""

import sys

import numpy as np

import tinygrad_rnn as tg

STEPS, T, B, D, H = 20, 10, 8, 3, 6


def build():
    """Return a GRU with a linear layer, and an optimizer for both."""
    model = tg.nn.ModuleList([tg.nn.GRU(D, H, rng=0), tg.nn.Linear(H, 1, rng=1)])
    return model, tg.optim.Adam(model.parameters(), lr=0.01)


def batch(step):
    """Return sequences, and the sum of each over its features and steps, weighted by time."""
    x = np.random.default_rng(step).standard_normal((T, B, D)).astype("float32")
    return x, (x.sum(2) * np.linspace(0, 1, T, dtype="float32")[:, None]).sum(0)[:, None]


def train(part=slice(None), communicator=None):
    """Train on a part of each batch, and return the model and its last loss."""
    model, optimizer = build()
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
    """Train with all processes, then alone on whole batches, and compare the parameters."""
    world = tg.parallel.world()
    size = B // world.size
    together, loss = train(slice(world.rank * size, (world.rank + 1) * size), world)
    alone, _ = train()
    pairs = zip(together.parameters(), alone.parameters(), strict=True)
    difference = max(np.abs(p.data - q.data).max() for p, q in pairs)
    lines = world.gather(
        f"process {world.rank} of {world.size}: loss {loss:.4f}, "
        f"parameters apart by at most {difference:.1e}"
    )
    if lines:
        print("\n".join(lines))
    return 0 if difference < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
