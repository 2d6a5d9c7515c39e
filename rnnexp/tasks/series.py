"""The next values of a time series."""

import os
from collections.abc import Iterator

import numpy as np

from rnnexp.runtime import checks
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.random import generator
from rnnexp.tasks import forecasts
from rnnexp.tasks.csv_column import read_column
from rnnexp.tasks.named_series import SERIES
from rnnexp.tasks.task import Batch, Predict, Report, Stream, Task, held_out_share

_WINDOWS = 500
"""Most windows for measuring how far back a network looks."""


class Series(Task):
    """Forecast the next `horizon` values of a series from the last T.

        x_t = z_{s+t},  t = 1 .. T;    y = (z_{s+T+1}, ..., z_{s+T+horizon});    z = (v - mean) / std

    `x` is (B, T, 1), `y` (B, horizon), T = `seq_len`. The last `held_out` of the series v is held out: mean
    and std are those of the part before, and no training target lies in it. Training windows begin at random;
    `validation` yields every window whose targets are held out, once, in the order of time.

    The series is one that ships with statsmodels (`sunspots` per year; `co2` per week), one that is made
    (`mackey_glass`), or a column of a CSV file of one's own (`path`, `column`; see `read_column`).

    The floor is that of the best constants over the held-out windows, one for every step ahead:

        floor_loss = mean_j var(y_j),    floor_error = share of targets further than 1/2 from them

    `report` compares the network with forecasts that need none: the last value, the value of a season ago,
    and an autoregression, each on the same windows, with an interval of the difference.

    An error is the share of the `horizon` values that are missed by more than half a standard deviation.
    There is no criterion.

    Args:
        seq_len: T, at least 1; the training part needs `seq_len` + `horizon` values.
        source: `"sunspots"`, `"co2"` or `"mackey_glass"`; not read where there is a `path`.
        path: A CSV file, or None.
        column: The column of the file; None: the only one that holds no dates.
        horizon: Steps ahead, at least 1.
        season: Steps between a value and the one that the seasonal forecast takes for it; None: found in the
            training part (`season_of`).
        held_out: Share of the series that is held out, in [0.01, 0.99].

    Raises:
        ArgumentError: An argument is outside its domain, or the file is not what `read_column` reads.
    """

    loss = "squared_error"
    loss_unit = "squared error"
    tolerance = 0.5  # standard deviations of the training part
    criterion = None
    baseline = "last value"

    input_size = 1

    def __init__(
        self,
        seq_len: int,
        source: str = "sunspots",
        path: str | os.PathLike[str] | None = None,
        column: str | None = None,
        horizon: int = 1,
        season: int | None = None,
        held_out: float = 0.2,
    ):
        self.seq_len = self.time_steps = checks.integer("seq_len", seq_len, minimum=1)
        self.output_size = self.horizon = checks.integer("horizon", horizon, minimum=1)
        self.held_out = held_out_share(held_out)
        self.source, self.path, self.column = checks.choice("source", source, list(SERIES)), path, column
        values = SERIES[source]() if path is None else read_column(path, column)
        self._boundary = len(values) - round(len(values) * self.held_out)
        self._check_length(len(values))
        known = values[: self._boundary]
        self.mean, self.std = float(known.mean()), float(known.std())
        if self.std == 0:
            raise ArgumentError("column", "a series that varies before its held-out part", float(known[0]))
        self._z = (values - self.mean) / self.std
        self.season = None if season is None else checks.integer("season", season, 1, self._boundary)
        self._floors()

    def batch(self, seed: int, stream: Stream, index: int, batch_size: int) -> Batch:
        """Return `x` (B, T, 1) and `y` (B, horizon) of batch `index`."""
        first, last = self._starts(stream)
        return self._cut(generator(seed, stream, index).integers(first, last + 1, size=batch_size))

    def validation(self, seed: int, batch_size: int) -> Iterator[Batch]:
        """Yield every held-out window in the order of time; they are the same under every `seed`."""
        first, last = self._starts("validation")
        for start in range(first, last + 1, batch_size):
            yield self._cut(np.arange(start, min(start + batch_size, last + 1)))

    def baseline_losses(self, batch: Batch) -> np.ndarray:
        """Return the mean square of y less the last input, over the steps ahead of every window, (B,)."""
        return ((batch.y - batch.x[:, -1]).astype(np.float64) ** 2).mean(axis=1)

    def report(self, predict: Predict) -> Report:
        """Compare `predict` with forecasts that need no network, and measure how far back it looks.

        Its metrics are `val/visible_steps` and, of each forecast that applies, the loss and the difference:
        `task/last_value_loss`, `val/loss_below_last_value`, `val/loss_below_last_value_half_width`; the same
        of `task/seasonal_loss`, `val/loss_below_seasonal`, `val/loss_below_seasonal_half_width`; and of
        `task/autoregression_loss`, `val/loss_below_autoregression` and
        `val/loss_below_autoregression_half_width`.
        """
        x, y = self._all()
        own = predict(x)
        losses = np.mean((own - y) ** 2, axis=1)
        sentences, metrics = [], {}
        plain = self._plain_forecasts()
        for name, (words, forecast) in plain.items():
            other = np.mean((forecast - y) ** 2, axis=1)
            below, half_width = forecasts.paired_interval(other - losses, self.horizon)
            metrics[f"task/{name}_loss"] = float(other.mean())
            metrics[f"val/loss_below_{name}"] = below
            metrics[f"val/loss_below_{name}_half_width"] = half_width
            sentences.append(_compared(words, float(losses.mean()), float(other.mean()), below, half_width))
        time_steps, by_steps = self._loss_by_visible_steps(predict)
        metrics["val/visible_steps"] = float(_enough(time_steps, by_steps))
        sentences.append(
            f"It looks {metrics['val/visible_steps']:.0f} steps back: with the values before hidden its loss "
            "is within 5 % of what it is with all."
        )
        arrays = {name: self._in_units(forecast) for name, (_, forecast) in plain.items()}
        arrays |= {"truth": self._in_units(y), "network": self._in_units(own), "place": self._targets()}
        arrays |= {"visible_steps": time_steps, "visible_loss": by_steps}
        return Report(tuple(sentences), metrics, arrays, "forecast")

    def _check_length(self, length: int) -> None:
        name, needed = "seq_len", self.time_steps + self.horizon
        if self._boundary < needed:
            most = self._boundary - self.horizon
            expected = f"at most {most}, since {self._boundary} of the {length} values are for training"
            if most < 1:
                raise ArgumentError("path", f"{self.horizon + 1} values or more for training", self._boundary)
            raise ArgumentError(name, expected, self.seq_len)
        if length - self._boundary < self.horizon + 1:
            expected = f"at most {max(length - self._boundary - 1, 0)}, for two held-out windows"
            raise ArgumentError("horizon", expected, self.horizon)

    def _floors(self) -> None:
        y = self._z[self._targets()]
        constants = y.mean(axis=0)
        self.floor_loss = float(np.mean((y - constants) ** 2))
        self.floor_error = float(np.mean(np.abs(y - constants) > self.tolerance))

    def _starts(self, stream: Stream) -> tuple[int, int]:
        """The first and the last place where a window of the stream begins."""
        if stream == "train":
            return 0, self._boundary - self.time_steps - self.horizon
        return self._boundary - self.time_steps, len(self._z) - self.time_steps - self.horizon

    def _cut(self, starts: np.ndarray) -> Batch:
        x = self._z[starts[:, None] + np.arange(self.time_steps)]
        y = self._z[starts[:, None] + self.time_steps + np.arange(self.horizon)]
        return Batch(x.astype(np.float32)[:, :, None], y.astype(np.float32))

    def _all(self) -> Batch:
        first, last = self._starts("validation")
        return self._cut(np.arange(first, last + 1))

    def _targets(self) -> np.ndarray:
        """The places of all held-out targets, (n, horizon)."""
        first, last = self._starts("validation")
        return np.arange(first, last + 1)[:, None] + self.time_steps + np.arange(self.horizon)

    def _in_units(self, z: np.ndarray) -> np.ndarray:
        return z.astype(np.float64) * self.std + self.mean

    def _plain_forecasts(self) -> dict[str, tuple[str, np.ndarray]]:
        """Name -> what it is in words, and its forecasts (n, horizon)."""
        train, targets = self._z[: self._boundary], self._targets()
        found = {"last_value": ("the last value", forecasts.last_value(self._z, targets))}
        season = self.season or forecasts.season_of(train)
        if season is not None:
            words = f"the value of {season} steps ago"
            found["seasonal"] = (words, forecasts.seasonal(self._z, targets, season))
        model = forecasts.fit_autoregression(train, self.time_steps)
        words = f"an autoregression of {len(model.coefficients)} lags"
        found["autoregression"] = (words, forecasts.autoregressive(self._z, targets, model))
        return found

    def _loss_by_visible_steps(self, predict: Predict) -> tuple[np.ndarray, np.ndarray]:
        """Return some k up to T, rising, and the loss if only the last k inputs are visible.

        The inputs before them are replaced by the first visible one.
        """
        x, y = self._all()
        kept = slice(None, None, -(-len(x) // _WINDOWS))
        x, y = x[kept], y[kept]
        time_steps = np.unique(np.geomspace(1, self.time_steps, 24).astype(int))
        losses = []
        for visible in time_steps:
            hidden = x.copy()
            hidden[:, : self.time_steps - visible] = x[:, [self.time_steps - visible]]
            losses.append(np.mean((predict(hidden) - y) ** 2))
        return time_steps, np.array(losses)


def _enough(time_steps: np.ndarray, losses: np.ndarray) -> int:
    """Return the least of `time_steps` from which on the loss is within 5 % of the last one."""
    too_much = np.flatnonzero(~(losses <= 1.05 * losses[-1]))
    return int(time_steps[0] if not too_much.size else time_steps[min(too_much[-1] + 1, len(time_steps) - 1)])


def _compared(words: str, own: float, other: float, below: float, half_width: float) -> str:
    apart = "better than" if below > 0 else "worse than"
    verdict = "no different from" if abs(below) <= half_width else apart
    side = "below" if below >= 0 else "above"
    return (
        f"The network ({own:.3g}) is {verdict} {words} ({other:.3g}): "
        f"{abs(below):.3g} +- {half_width:.2g} {side} it on the same windows."
    )
