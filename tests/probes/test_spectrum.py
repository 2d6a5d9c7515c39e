import numpy as np
import pytest

from rnnexp.probes.spectrum import SpectrumHistory, measure_spectrum
from rnnexp.runtime.checks import ArgumentError

H = 3
KERNELS = {step: np.random.default_rng(step).standard_normal((H, H)) for step in (0, 5, 12)}
"""Recurrent kernels by the update after which they were measured."""


def test_non_normal_two_by_two():
    # Both eigenvalues are a; sigma_max^2 is the larger root of x^2 - (2a^2 + b^2) x + a^4.
    a, b = 0.9, 4.0
    trace = 2 * a**2 + b**2
    sigma_max = np.sqrt((trace + np.sqrt(trace**2 - 4 * a**4)) / 2)
    spectrum = measure_spectrum(np.array([[a, b], [0.0, a]]))
    assert spectrum.spectral_radius == pytest.approx(a, abs=1e-12)
    assert spectrum.sigma_max == pytest.approx(sigma_max, rel=1e-14)


def test_rotation_has_complex_eigenvalues_of_modulus_one():
    angle = 0.3
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    spectrum = measure_spectrum(rotation)
    assert np.sort(np.angle(spectrum.eigenvalues)) == pytest.approx([-angle, angle], abs=1e-14)
    assert spectrum.spectral_radius == pytest.approx(1, abs=1e-14)
    assert spectrum.sigma_max == pytest.approx(1, abs=1e-14)


def test_eigenvalues_solve_the_characteristic_equation_sorted():
    kernel = np.random.default_rng(0).normal(size=(12, 12))
    spectrum = measure_spectrum(kernel)
    assert spectrum.eigenvalues.dtype == np.complex128
    assert np.all(np.diff(np.abs(spectrum.eigenvalues)) <= 1e-12)
    assert spectrum.eigenvalues.sum() == pytest.approx(np.trace(kernel), abs=1e-11)
    for eigenvalue in spectrum.eigenvalues:
        smallest = np.linalg.svd(kernel - eigenvalue * np.eye(12), compute_uv=False)[-1]
        assert smallest < 1e-12


def test_both_sizes_agree_with_power_iteration():
    kernel = np.random.default_rng(1).normal(size=(30, 30))
    vector, growth = np.ones(30), []
    for _ in range(2000):
        vector = kernel.T @ (kernel @ vector)
        growth.append(np.linalg.norm(vector))
        vector /= growth[-1]
    spectrum = measure_spectrum(kernel)
    assert spectrum.sigma_max == pytest.approx(np.sqrt(growth[-1]), rel=1e-12)
    # Gelfand: ||A^k||^(1/k) -> spectral radius from above.
    power, log_norm = kernel.copy(), 0.0
    for _ in range(16):
        norm = np.linalg.norm(power, 2)
        log_norm, power = 2 * (log_norm + np.log(norm)), (power / norm) @ (power / norm)
    log_norm += np.log(np.linalg.norm(power, 2))
    assert spectrum.spectral_radius == pytest.approx(np.exp(log_norm / 2**16), rel=1e-3)
    assert spectrum.spectral_radius <= spectrum.sigma_max


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.9, 4.0, 0.9), (0.5, -1e-9, 0.2), (0.0, 3.0, 0.0), (1e200, 7e200, 0)]
)
def test_departure_of_a_triangular_matrix_is_its_upper_entry(a, b, c):
    spectrum = measure_spectrum(np.array([[a, b], [0.0, c]]))
    assert spectrum.departure == pytest.approx(abs(b), rel=1e-15)
    assert spectrum.nonnormality == pytest.approx(abs(b) / np.hypot(np.hypot(a, b), c), rel=1e-14)


def test_the_departure_of_a_jordan_block():
    # ||W||_F^2 - sum |lambda|^2 = H - 1, whatever stands on the diagonal.
    for size, value in [(2, 0.0), (5, 0.5), (64, 0.9)]:
        block = value * np.eye(size) + np.eye(size, k=1)
        assert measure_spectrum(block).departure == pytest.approx(np.sqrt(size - 1), rel=1e-14)
    assert measure_spectrum(np.eye(64, k=1)).nonnormality == pytest.approx(1, rel=1e-14)


def test_normal_kernels_do_not_depart():
    rng = np.random.default_rng(0)
    square = rng.normal(size=(30, 30))
    orthogonal = np.linalg.qr(square)[0]
    normal = orthogonal @ np.diag(rng.normal(size=30)) @ orthogonal.T
    for kernel in (orthogonal, normal, square + square.T, square - square.T, 3 * np.eye(4), np.zeros((3, 3))):
        assert measure_spectrum(kernel).nonnormality < 1e-13


def test_departure_matches_its_definition_for_complex_pairs():
    for seed in range(5):
        kernel = np.random.default_rng(seed).normal(size=(20, 20))
        spectrum = measure_spectrum(kernel)
        assert np.abs(spectrum.eigenvalues.imag).max() > 1
        squares = np.sum(kernel**2) - np.sum(np.abs(spectrum.eigenvalues) ** 2)
        assert spectrum.departure == pytest.approx(np.sqrt(squares), rel=1e-11)
        assert spectrum.nonnormality == pytest.approx(np.sqrt(squares / np.sum(kernel**2)), rel=1e-11)


def test_the_departure_is_that_of_every_orthogonal_basis():
    rng = np.random.default_rng(3)
    kernel = np.triu(rng.normal(size=(12, 12)))
    basis = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    expected = np.linalg.norm(np.triu(kernel, 1))
    assert measure_spectrum(basis @ kernel @ basis.T).departure == pytest.approx(expected, rel=1e-12)


def test_singular_values_are_the_roots_of_the_gram_matrix():
    kernel = np.random.default_rng(4).normal(size=(12, 12))
    spectrum = measure_spectrum(kernel)
    squares = np.linalg.eigvalsh(kernel.T @ kernel)[::-1]
    np.testing.assert_allclose(spectrum.singular_values, np.sqrt(squares), rtol=1e-9)
    assert spectrum.sigma_max == spectrum.singular_values[0]


def test_float32_is_measured_in_float64():
    kernel = np.random.default_rng(2).normal(size=(5, 5)).astype(np.float32)
    assert measure_spectrum(kernel).sigma_max == measure_spectrum(kernel.astype(np.float64)).sigma_max


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_non_finite_kernel_gives_nan(value):
    kernel = np.eye(3)
    kernel[1, 2] = value
    spectrum = measure_spectrum(kernel)
    assert np.isnan(spectrum.eigenvalues).all()
    assert spectrum.eigenvalues.shape == (3,)
    assert np.isnan(spectrum.spectral_radius)
    assert np.isnan(spectrum.sigma_max)
    assert np.isnan([*spectrum.singular_values, spectrum.departure, spectrum.nonnormality]).all()
    assert spectrum.singular_values.shape == (3,)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (0, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"recurrent_kernel: expected a non-empty array \(H, H\)"):
        measure_spectrum(np.zeros(shape))


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
