"""Forecast a time series six steps ahead: the Mackey-Glass equation.

A GRU is compared with a linear function of the last twenty values, and with the last value itself.
Run it with ``python examples/forecast.py [FOLDER]``; it takes about twenty seconds.
"""

import os
import sys

# The matrices are small: more threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pictures import draw, plot

import tinygrad_rnn as tg

AHEAD, LAGS, WINDOW, HIDDEN, STEPS = 6, 20, 100, 32, 500


def mackey_glass(n, tau=17):
    """Return n values of x' = 0.2 x(t−τ) / (1 + x(t−τ)¹⁰) − 0.1 x, at t = 0, 1, 2 …

    The equation is from Mackey and Glass, 1977. It is solved by Euler's method with steps of 0.1.
    """
    x, past = 1.2, [1.2] * (10 * tau)
    series = []
    for step in range(10 * (n + 200)):
        delayed = past[step % len(past)]
        past[step % len(past)] = x
        x += 0.1 * (0.2 * delayed / (1 + delayed**10) - 0.1 * x)
        if step % 10 == 9:
            series.append(x)
    return np.array(series[200:], dtype="float32") - 0.9


def linear_prediction(series, cut):
    """Return the predictions of a linear function of the last twenty values, and the true values.

    The function is fitted to the values before `cut`; the predictions are for those after it.
    """
    rows = np.stack([series[i : len(series) - AHEAD - LAGS + 1 + i] for i in range(LAGS)], axis=1)
    rows = np.concatenate([rows, np.ones((len(rows), 1), "float32")], axis=1)
    truth = series[LAGS - 1 + AHEAD :]
    before = slice(cut - LAGS - AHEAD)
    weights = np.linalg.lstsq(rows[before], truth[before], rcond=None)[0]
    return rows[cut - LAGS + 1 :] @ weights, truth[cut - LAGS + 1 :]


def train(series):
    """Train a GRU that reads a value at each step and predicts the value six steps later.

    Return the GRU, its linear head and the last loss.
    """
    gru, head = tg.nn.GRU(1, HIDDEN, rng=0), tg.nn.Linear(HIDDEN, 1, rng=1)
    parameters = [*gru.parameters(), *head.parameters()]
    optimizer = tg.optim.Adam(parameters, lr=0.01)
    schedule = tg.optim.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        starts = rng.integers(0, len(series) - WINDOW - AHEAD, 16)
        x, y = (
            np.stack([series[s + shift : s + shift + WINDOW] for s in starts], 1)[:, :, None]
            for shift in (0, AHEAD)
        )
        optimizer.zero_grad()
        output, _ = gru(x)
        # The first predictions do not count, because they follow too few values.
        loss = tg.nn.functional.mse_loss(head(output[20:]), y[20:])
        loss.backward()
        tg.nn.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    return gru, head, loss


def main(folder="."):
    """Train, forecast the held-out values, print the errors and return them by name."""
    series = mackey_glass(3000)
    cut = 2400
    linear, linear_truth = linear_prediction(series, cut)
    gru, head, loss = train(series[:cut])
    with tg.no_grad():
        forecast = head(gru(series[:, None])[0]).data[cut : len(series) - AHEAD, 0]
    last, truth = series[cut : len(series) - AHEAD], series[cut + AHEAD :]
    errors = {
        "the last value": float(np.mean((last - truth) ** 2)),
        "linear": float(np.mean((linear - linear_truth) ** 2)),
        "GRU": float(np.mean((forecast - truth) ** 2)),
    }
    spread = series[cut:].std()
    listed = "; ".join(f"{name}: {error**0.5 / spread:.4f}" for name, error in errors.items())
    print(listed, "(root mean square error, divided by the standard deviation)")
    curves = {"truth": truth[:200], "GRU": forecast[:200], "linear": linear[:200]}
    plot(folder, "forecast", curves, x="time", y="six steps ahead")
    draw(folder, "forecast_graph", loss, roll=True, fold="gate", parameters="hide")
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:])
