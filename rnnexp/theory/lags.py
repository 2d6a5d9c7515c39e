"""From the gain of every step to one rate per step of lag, as the measurement fits it."""

import numpy as np

from rnnexp.runtime.checks import ArgumentError


def lag_profile(log_gains: np.ndarray) -> np.ndarray:
    """Return the profile that a gradient of norm 1 at h_T has, by lag k = 0 ... T-1, (T, ...), nats.

        p_0 = 0,   p_k = sum_{s=T-k+1}^{T} g_s,   g_s = ln ||dl/dh_{s-1}|| - ln ||dl/dh_s||

    Args:
        log_gains: g_2 ... g_T in the order of time, (T-1, ...), nats per step. -inf makes all longer lags so.
    """
    with np.errstate(invalid="ignore"):
        back = np.cumsum(np.asarray(log_gains, dtype=np.float64)[::-1], axis=0)
    return np.concatenate([np.zeros((1, *back.shape[1:])), back])


def rms_rate(log_gains: np.ndarray) -> float:
    """Return the fitted rate of the root mean square over the profiles of `log_gains`, (T-1, ...).

        p_k = 1/2 ln mean exp(2 lag_profile_k)

    nan where a gain is nan, or fewer than two lags are finite.
    """
    from scipy.special import logsumexp  # not above, as no command line should wait for it

    profiles = lag_profile(log_gains).reshape(len(log_gains) + 1, -1)
    if np.isnan(profiles).any():
        return np.nan
    return fitted_rate(0.5 * (logsumexp(2 * profiles, axis=1) - np.log(profiles.shape[1])))


def fitted_rate(profile: np.ndarray) -> float:
    """Return the least-squares slope of a profile against the lag, nats per step of lag.

        rate = sum_k (k - k_mean) p_k / sum_k (k - k_mean)^2  =  sum_k 6 k (T-k) / (T (T^2-1)) (p_k - p_{k-1})

    A mean of the steps' gains with a parabola as its weight, so that a transient at either end counts little.

    Args:
        profile: ln ||dl/dh_{T-k}|| by lag k, (T,).

    Returns:
        The rate; nan where fewer than two lags are finite.

    Raises:
        ArgumentError: `profile` is not (T,).

    >>> round(fitted_rate(np.array([0.0, -0.5, -1.0, -np.inf])), 6)
    -0.5
    """
    profile = np.asarray(profile, dtype=np.float64)
    if profile.ndim != 1:
        raise ArgumentError("profile", "an array (T,)", profile.shape)
    return float(fitted_lines(profile[np.newaxis])[0][0])


def fitted_lines(profiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and intercepts of the least-squares lines through profiles by lag, (R, T), each (R,).

    Lags whose entry is not finite are left out; nan where fewer than two are left.
    """
    lag = np.arange(profiles.shape[1], dtype=np.float64)
    usable = np.isfinite(profiles)
    count = usable.sum(axis=1)
    # A row with fewer than two usable lags has the slope 0/0 = nan, as intended.
    with np.errstate(invalid="ignore"):
        mean_lag = usable @ lag / count
        mean = np.where(usable, profiles, 0.0).sum(axis=1) / count
        lag_deviation = np.where(usable, lag - mean_lag[:, np.newaxis], 0.0)
        deviation = np.where(usable, profiles - mean[:, np.newaxis], 0.0)
        slope = np.sum(lag_deviation * deviation, axis=1) / np.sum(lag_deviation**2, axis=1)
    return slope, mean - slope * mean_lag
