import numpy as np

from rnnexp.probes import measure_spectrum
from rnnexp.probes.spectrum_history import SpectrumHistory

H = 3
KERNELS = {step: np.random.default_rng(step).standard_normal((H, H)) for step in (0, 5, 12)}


def history():
    found = SpectrumHistory.empty(H)
    for step, kernel in KERNELS.items():
        found = found.extended(step, measure_spectrum(kernel))
    return found


def test_every_look_is_a_row():
    found = history()
    assert found.train_steps.tolist() == list(KERNELS) and found.train_steps.dtype == np.int64
    for row, kernel in enumerate(KERNELS.values()):
        sigma = np.linalg.svd(kernel, compute_uv=False)
        eigenvalues = np.linalg.eigvals(kernel)
        departure = np.sqrt(np.sum(sigma**2) - np.sum(np.abs(eigenvalues) ** 2))
        np.testing.assert_allclose(found.singular_values[row], sigma, rtol=1e-12)
        np.testing.assert_allclose(found.spectral_radius[row], np.abs(eigenvalues).max(), rtol=1e-12)
        np.testing.assert_allclose(found.nonnormality[row], departure / np.linalg.norm(kernel), rtol=1e-9)


def test_a_second_look_at_the_same_step_changes_nothing():
    found = history()
    assert found.extended(5, measure_spectrum(np.eye(H))) is found


def test_the_table_holds_everything():
    found = history()
    again = SpectrumHistory.from_table(found.table())
    np.testing.assert_array_equal(again.table(), found.table())
    assert again.train_steps.tolist() == found.train_steps.tolist()
    assert SpectrumHistory.empty(H).table().shape == (0, 3 + H)


def test_weights_that_are_lost_are_nan():
    found = SpectrumHistory.empty(H).extended(7, measure_spectrum(np.full((H, H), np.inf)))
    assert found.train_steps.tolist() == [7]
    assert np.isnan(found.table()[0, 1:]).all()
