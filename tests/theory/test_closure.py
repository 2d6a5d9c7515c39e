import math

import numpy as np
import pytest

from rnnexp.probes import measure_gradient
from rnnexp.runtime.checks import ArgumentError
from rnnexp.theory import closure_profile, closure_rate, decoupled_rate

H = 12


@pytest.fixture
def kernel():
    return np.random.default_rng(0).normal(size=(H, H)) / math.sqrt(H)


def sent_back(kernel, slopes, last):
    """ln ||dl_b/dh_t||, (T, B), by a loop over samples and steps."""
    found = np.empty(slopes.shape[:2])
    for sample, gradient in enumerate(last):
        for step in range(len(slopes) - 1, -1, -1):
            found[step, sample] = math.log(math.sqrt(sum(gradient**2)))
            gradient = kernel @ np.diag(slopes[step, sample]) @ gradient
    return found


def test_one_sample_is_exact(kernel):
    rng = np.random.default_rng(1)
    slopes, last = rng.uniform(size=(30, 1, H)), rng.normal(size=(1, H))
    measured = sent_back(kernel, slopes, last)
    np.testing.assert_allclose(closure_profile(kernel, slopes, last), measured[::-1, 0], atol=1e-10)


def test_slopes_that_all_samples_share_are_exact(kernel):
    rng = np.random.default_rng(2)
    slopes = np.broadcast_to(rng.uniform(size=(30, 1, H)), (30, 7, H))
    last = rng.normal(size=(7, H))
    measured = measure_gradient(sent_back(kernel, slopes, last), bootstrap=1)
    np.testing.assert_allclose(closure_profile(kernel, slopes, last), measured.log_norm[::-1], atol=1e-10)
    assert closure_rate(kernel, slopes, last) == pytest.approx(measured.rate_rms, abs=1e-12)


def test_one_step_is_exact_over_all_slope_gradient_pairs(kernel):
    """Every slope vector meets every gradient once, so that the mean of products is the product of means."""
    rng = np.random.default_rng(3)
    slopes, last = rng.uniform(size=(5, H)), rng.normal(size=(4, H))
    pairs = np.repeat(slopes, 4, axis=0), np.tile(last, (5, 1))
    both = np.stack([np.ones_like(pairs[0]), pairs[0]])
    squares = [np.sum((kernel @ (s * g)) ** 2) for s, g in zip(*pairs, strict=True)]
    found = closure_profile(kernel, both, pairs[1])
    assert found[1] == pytest.approx(0.5 * math.log(np.mean(squares)), abs=1e-12)


def test_fresh_slopes_have_the_rate_of_the_law(kernel):
    """Monte Carlo: with 20,000 samples of independent slopes the law holds within 0.003 nats per step."""
    rng = np.random.default_rng(4)
    slopes = (rng.uniform(size=(12, 20_000, H)) < 0.6) * 1.0
    gradient = np.tile(rng.normal(size=H), (20_000, 1))
    last, log_norms = gradient, []
    for at_step in slopes[::-1]:
        with np.errstate(divide="ignore"):
            log_norms.append(np.log(np.linalg.norm(gradient, axis=1)))
        gradient = (at_step * gradient) @ kernel.T
    measured = measure_gradient(np.array(log_norms[::-1]), bootstrap=1).rate_rms
    assert closure_rate(kernel, slopes, last) == pytest.approx(measured, abs=0.003)


def test_slopes_that_last_break_it_and_the_law_of_g_i_holds():
    rng = np.random.default_rng(5)
    slopes = np.broadcast_to(rng.uniform(0.2, 1.0, size=(1, 300, 3)), (40, 300, 3))
    gain = 1.1 * np.eye(3)
    measured = measure_gradient(sent_back(gain, slopes, np.ones((300, 3))), bootstrap=1).rate_rms
    assert decoupled_rate(1.1, slopes) == pytest.approx(measured, abs=1e-10)
    assert closure_rate(gain, slopes, np.ones((300, 3))) < measured - 0.1


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_magnitudes_shift_the_profile_and_keep_the_rate(kernel, scale):
    rng = np.random.default_rng(6)
    slopes, last = rng.uniform(size=(2000, 3, H)) / 2, rng.normal(size=(3, H))
    plain, scaled = closure_profile(kernel, slopes, last), closure_profile(kernel, slopes, scale * last)
    np.testing.assert_allclose(scaled, plain + math.log(scale), atol=1e-8)
    assert plain[-1] < -1000


def test_what_nothing_passes_or_is_not_finite(kernel):
    slopes = np.ones((5, 2, H))
    slopes[2] = 0
    profile = closure_profile(kernel, slopes, np.ones((2, H)))
    assert np.isfinite(profile[:3]).all() and np.isneginf(profile[3:]).all()
    assert math.isfinite(closure_rate(kernel, slopes, np.ones((2, H))))
    assert np.isneginf(closure_profile(kernel, slopes, np.zeros((2, H)))).all()
    slopes[2] = math.nan
    assert math.isnan(closure_rate(kernel, slopes, np.ones((2, H))))
    assert math.isnan(closure_rate(kernel, slopes[:1] + 1, np.ones((2, H))))


def test_shapes_are_checked(kernel):
    with pytest.raises(ArgumentError, match=r"slopes: expected a non-empty array \(T, B, H\)"):
        closure_rate(kernel, np.ones((2, 2)), np.ones((2, H)))
    with pytest.raises(ArgumentError, match="kernel: expected an array of shape"):
        closure_rate(kernel[:2], np.ones((2, 2, H)), np.ones((2, H)))
    with pytest.raises(ArgumentError, match="last_adjoint: expected an array of shape"):
        closure_rate(kernel, np.ones((2, 2, H)), np.ones((3, H)))
