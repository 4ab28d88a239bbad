"""A time series: the Mackey-Glass equation, six steps ahead, against linear prediction from the last twenty values.

Run it with ``python examples/forecast.py [FOLDER]``; it takes about twenty seconds.
"""

import os
import sys

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # the matrices are small: threads would wait for each other

import numpy as np
from pictures import draw, plot

import tinygrad_rnn as tg

AHEAD, LAGS, WINDOW, HIDDEN, STEPS = 6, 20, 100, 32, 500


def mackey_glass(n, tau=17):
    """x' = 0.2 x(t−τ) / (1 + x(t−τ)¹⁰) − 0.1 x, in steps of one after ten of a tenth (Mackey and Glass, 1977)."""
    x, past = 1.2, [1.2] * (10 * tau)
    series = []
    for step in range(10 * (n + 200)):
        late = past[step % len(past)]
        past[step % len(past)] = x
        x += 0.1 * (0.2 * late / (1 + late**10) - 0.1 * x)
        if step % 10 == 9:
            series.append(x)
    return np.array(series[200:], dtype="float32") - 0.9


def linear_prediction(series, cut):
    """What a linear function of the last twenty values, fitted before `cut`, predicts after it; and the truth."""
    rows = np.stack([series[i : len(series) - AHEAD - LAGS + 1 + i] for i in range(LAGS)], axis=1)
    rows = np.concatenate([rows, np.ones((len(rows), 1), "float32")], axis=1)
    truth = series[LAGS - 1 + AHEAD :]
    fitted = np.linalg.lstsq(rows[: cut - LAGS - AHEAD], truth[: cut - LAGS - AHEAD], rcond=None)[0]
    return rows[cut - LAGS + 1 :] @ fitted, truth[cut - LAGS + 1 :]


def train(series):
    """A GRU that reads windows of the series, one value a step, and says after each what comes six steps later."""
    gru, head = tg.nn.GRU(1, HIDDEN, rng=0), tg.nn.Linear(HIDDEN, 1, rng=1)
    parameters = [*gru.parameters(), *head.parameters()]
    optimizer = tg.optim.Adam(parameters, lr=0.01)
    schedule = tg.optim.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        starts = rng.integers(0, len(series) - WINDOW - AHEAD, 16)
        x, y = (
            np.stack([series[s + later : s + later + WINDOW] for s in starts], 1)[:, :, None]
            for later in (0, AHEAD)
        )
        optimizer.zero_grad()
        output, _ = gru(x)
        loss = tg.nn.functional.mse_loss(
            head(output[20:]), y[20:]
        )  # the first values say too little
        loss.backward()
        tg.nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    return gru, head, loss


def main(folder="."):
    """Train, forecast what was held out, print the errors and return them."""
    series = mackey_glass(3000)
    cut = 2400
    linear, truth = linear_prediction(series, cut)
    gru, head, loss = train(series[:cut])
    with tg.no_grad():
        forecast = head(gru(series[:, None])[0]).data[cut : len(series) - AHEAD, 0]
    errors = {
        "the last value": float(
            np.mean((series[cut : len(series) - AHEAD] - series[cut + AHEAD :]) ** 2)
        ),
        "linear": float(np.mean((linear - truth) ** 2)),
        "GRU": float(np.mean((forecast - series[cut + AHEAD :]) ** 2)),
    }
    spread = series[cut:].std()
    print(
        "; ".join(f"{name}: {error**0.5 / spread:.4f}" for name, error in errors.items()),
        "(root mean square, of the spread)",
    )
    curves = {"truth": series[cut + AHEAD :][:200], "GRU": forecast[:200], "linear": linear[:200]}
    plot(folder, "forecast", curves, x="time", y="six steps ahead")
    draw(folder, "forecast_graph", loss, roll=True, fold="names", parameters="hide")
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:])
