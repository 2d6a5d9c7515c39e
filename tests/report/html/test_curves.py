import math

import numpy as np
import pytest

from rnnexp.report.html.curves import group_curves, over_seeds, read_arrays
from rnnexp.runtime.checks import ArgumentError


def test_a_band_holds_what_numpy_says_of_the_finite_values():
    values = np.random.default_rng(0).normal(size=(5, 40))
    values[1, 3], values[2, 4], values[:, 7] = np.inf, -np.inf, np.nan
    band = over_seeds(list(values))
    for place, column in enumerate(values.T):
        finite = column[np.isfinite(column)]
        expected = [np.median(finite), finite.min(), finite.max()] if finite.size else [np.nan] * 3
        found = [band.middle[place], band.low[place], band.high[place]]
        assert found == pytest.approx(expected, nan_ok=True)


def test_profiles_are_ratios_by_lag_in_decades(arrays):
    curves = group_curves([arrays(-0.2, 10), arrays(-0.2, 10)], [None, None])
    expected = -0.2 * np.arange(10) / math.log(10)
    for band, factor in ((curves.end, 1), (curves.start, 2)):
        assert band.middle == pytest.approx(factor * expected, abs=1e-12)
        assert band.high - band.low == pytest.approx(0, abs=1e-12)


def test_losses_are_medians_of_blocks(arrays):
    run = arrays(0.1, 5)
    run["loss"] = np.random.default_rng(1).normal(size=200)
    run["loss"][7] = np.nan
    curves = group_curves([run], [None])
    expected = [np.nanmedian(run["loss"][2 * block : 2 * block + 2]) for block in range(100)]
    assert curves.loss.middle == pytest.approx(expected)
    assert curves.loss.x == pytest.approx(np.arange(100) * 2 + 1)


def test_a_run_that_diverged_ends_where_it_did(arrays):
    curves = group_curves([arrays(0.1, 5), arrays(0.1, 5, diverged_at=50)], [None, 50])
    ((step, loss),) = curves.diverged
    assert (step, loss) == (50, pytest.approx(math.exp(-0.485), abs=0.02))
    assert np.isfinite(curves.loss.middle).all()


def test_clipped_updates_are_shares_over_all_seeds(arrays):
    curves = group_curves([arrays(0.1, 5, clipped=0.5), arrays(0.1, 5)], [None, None])
    assert curves.clipped == pytest.approx([0.5] * 25 + [0.0] * 25)


def test_validations_are_means_over_the_seeds_that_have_them(arrays):
    first, second = arrays(0.1, 5), arrays(0.1, 5)
    second["validation_loss"] = np.array([0.6, np.nan])
    steps, losses = group_curves([first, second], [None, None]).validation
    assert steps.tolist() == [100, 200]
    assert losses == pytest.approx([0.5, 0.2])


def test_a_run_without_training_has_profiles_only(arrays):
    run = arrays(-0.2, 10)
    run |= {
        name: run[name][:0] for name in ("steps", "loss", "clipped", "validation_steps", "validation_loss")
    }
    curves = group_curves([run], [None])
    assert np.isnan(curves.loss.middle).all()
    assert np.isfinite(curves.end.middle).all()


def test_damaged_arrays_are_refused(tmp_path):
    path = tmp_path / "gradient_flow.npz"
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ArgumentError, match=r"^gradient_flow\.npz: expected the arrays of a run \("):
        read_arrays(path)
    np.savez(path, steps=np.arange(3))
    with pytest.raises(ArgumentError, match="loss"):
        read_arrays(path)
