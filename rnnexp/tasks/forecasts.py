"""Forecasts that need no network: the last value, the value of a season ago, an autoregression."""

from typing import NamedTuple

import numpy as np

from rnnexp.runtime.extras import explained


class Autoregression(NamedTuple):
    """z_t = constant + sum_i coefficients_i z_{t-i} + noise, i = 1 .. p."""

    constant: float
    coefficients: np.ndarray


def last_value(series: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the value before the first target for every target, (n, h).

    Args:
        series: z, (N,).
        targets: Places of the targets in z, (n, h), every row consecutive.
    """
    return np.repeat(series[targets[:, :1] - 1], targets.shape[1], axis=1)


def seasonal(series: np.ndarray, targets: np.ndarray, season: int) -> np.ndarray:
    """Return the newest known value a whole number of seasons before every target, (n, h)."""
    ahead = np.arange(targets.shape[1])
    return series[targets - season * (ahead // season + 1)]


def autoregressive(series: np.ndarray, targets: np.ndarray, model: Autoregression) -> np.ndarray:
    """Return the autoregression's forecast of every target from the values before the first, (n, h)."""
    order = len(model.coefficients)
    known = series[targets[:, :1] - 1 - np.arange(order)]  # newest first
    forecasts = []
    for _ in range(targets.shape[1]):
        forecasts.append(model.constant + known @ model.coefficients)
        known = np.concatenate([forecasts[-1][:, None], known[:, :-1]], axis=1)
    return np.stack(forecasts, axis=1)


def fit_autoregression(series: np.ndarray, longest: int) -> Autoregression:
    """Return the autoregression of at most `longest` lags that Akaike's criterion prefers.

    It is fitted by statsmodels (conditional maximum likelihood, which is least squares).
    """
    # Here, since statsmodels takes a second or two to import.
    with explained():
        from statsmodels.tsa.ar_model import AutoReg, ar_select_order

    most = max(1, min(longest, len(series) // 4))
    lags = ar_select_order(series, most, ic="aic").ar_lags or [1]
    constant, *coefficients = AutoReg(series, lags).fit().params
    return Autoregression(float(constant), np.array(coefficients))


def season_of(series: np.ndarray) -> int | None:
    """Return the lag after which the differences of the series repeat themselves; None where they do not.

    It is the first peak of their autocorrelation that comes within a fifth of the highest, beyond the first
    lag without a positive one and up to a third of the length.
    """
    change = np.diff(series) - np.diff(series).mean()
    correlation = np.correlate(change, change, "full")[len(change) - 1 :][: len(series) // 3]
    down = np.flatnonzero(correlation <= 0)
    if not down.size or correlation[down[0] :].max() <= 0:
        return None
    beyond = correlation[down[0] :]
    high = np.flatnonzero(beyond >= 0.8 * beyond.max())
    # The first run of high lags is one peak; its top is the season.
    run = high[: np.argmax(np.diff(high, append=len(beyond) + 1) > 1) + 1]
    return int(down[0] + run[beyond[run].argmax()])


def paired_interval(difference: np.ndarray, ahead: int) -> tuple[float, float]:
    """Return the mean of a series of differences and half its 95 % interval, which allows for dependence.

        half_width = 1.96 sqrt((g_0 + 2 sum_{k=1..K} (1 - k/(K+1)) g_k) / n),    K = max(ahead - 1, n^(1/3))

    with g_k the autocovariances: consecutive forecasts miss by the same shock. The test is that of Diebold
    and Mariano 1995 (https://doi.org/10.1080/07350015.1995.10524599), the variance that of Newey and West
    1987 (https://doi.org/10.2307/1913610).

    Args:
        difference: (n,), in the order of time.
        ahead: Steps that a forecast reaches ahead.
    """
    n = len(difference)
    centred = difference - difference.mean()
    bandwidth = min(max(ahead - 1, round(n ** (1 / 3))), n - 1)
    weights = [1 - k / (bandwidth + 1) for k in range(1, bandwidth + 1)]
    covariances = [float(centred[k:] @ centred[: n - k]) / n for k in range(bandwidth + 1)]
    variance = covariances[0] + 2 * sum(w * g for w, g in zip(weights, covariances[1:], strict=True))
    return float(difference.mean()), 1.96 * float(np.sqrt(max(variance, 0.0) / n))
