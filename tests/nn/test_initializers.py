import json

import keras
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from rnnexp.nn import initializers
from rnnexp.nn.initializers import (
    CATALOGUE,
    Antisymmetric,
    Gaussian,
    GlorotUniform,
    Henaff,
    Identity,
    Normal,
    Orthogonal,
    PerBlock,
    Sparse,
)
from rnnexp.runtime import random
from rnnexp.runtime.checks import ArgumentError

SQUARE_ONLY = (Identity, Sparse, Henaff, Antisymmetric)
family = pytest.mark.parametrize("initializer", CATALOGUE.values(), ids=CATALOGUE)


@family
def test_same_arguments_draw_the_same_bytes(initializer):
    assert initializer(seed=3)((20, 20)).tobytes() == initializer(seed=3)((20, 20)).tobytes()


@family
def test_one_object_draws_the_same_matrix_at_every_call(initializer):
    draw = initializer(seed=3)
    np.testing.assert_array_equal(draw((20, 20)), draw((20, 20)))


@pytest.mark.parametrize("initializer", sorted({*CATALOGUE.values()} - {Identity}, key=str))
def test_seeds_draw_different_matrices(initializer):
    # Seed 0 is a seed as any other, not "no seed".
    drawn = {initializer(seed=seed)((20, 20)).tobytes() for seed in range(4)}
    assert len(drawn) == 4


@family
def test_gain_is_a_factor(initializer):
    # A power of two scales without rounding: exact.
    unit = initializer(gain=1.0, seed=5)((20, 20), "float64")
    np.testing.assert_array_equal(initializer(gain=4.0, seed=5)((20, 20), "float64"), 4 * unit)


@family
def test_every_dtype_is_a_rounding_of_the_float64_draw(initializer):
    draw = initializer(gain=0.7, seed=5)
    exact = draw((20, 20), "float64")
    assert exact.dtype == np.float64
    assert draw((20, 20)).dtype == np.float32
    np.testing.assert_array_equal(draw((20, 20)), exact.astype(np.float32))
    np.testing.assert_array_equal(draw((20, 20), np.float16), exact.astype(np.float16))


@family
def test_config_round_trip(initializer):
    draw = initializer(gain=np.float32(0.5), seed=np.int64(7))
    copy = initializer.from_config(json.loads(json.dumps(draw.get_config())))
    assert copy == draw
    assert hash(copy) == hash(draw)
    assert eval(repr(draw), vars(initializers)) == draw
    assert draw != initializer(gain=0.5, seed=8)


def test_equality_tells_classes_apart():
    assert Gaussian() != Orthogonal()
    assert Sparse(nonzero=3) != Sparse(nonzero=4)
    assert Gaussian() != "gaussian"


@family
@pytest.mark.parametrize("gain", [0, -1.0, np.inf, np.nan, "1", None, True])
def test_gain_outside_its_domain(initializer, gain):
    with pytest.raises(ArgumentError, match="gain: expected a finite number above 0, received"):
        initializer(gain=gain)


@family
@pytest.mark.parametrize("seed", [-1, 0.0, None, True])
def test_seed_outside_its_domain(initializer, seed):
    with pytest.raises(ArgumentError, match="seed: expected an integer of at least 0, received"):
        initializer(seed=seed)


@family
def test_shape_has_two_sizes(initializer):
    with pytest.raises(ArgumentError, match=r"shape: expected two sizes .*, received \(20,\)"):
        initializer()((20,))
    with pytest.raises(ArgumentError, match="shape: expected an integer of at least 1, received 0"):
        initializer()((20, 0))


@pytest.mark.parametrize("initializer", SQUARE_ONLY)
def test_square_only(initializer):
    with pytest.raises(ArgumentError, match=r"shape: expected a square matrix, received \(20, 30\)"):
        initializer()((20, 30))


@pytest.mark.parametrize("shape", [(300, 300), (40, 900)])
def test_glorot_uniform_follows_its_law(shape):
    gain = 1.5
    limit = gain * np.sqrt(6 / (shape[0] + shape[1]))
    weights = GlorotUniform(gain, seed=1)(shape, "float64")
    assert np.abs(weights).max() <= limit
    law = scipy.stats.uniform(-limit, 2 * limit)
    # A true law gives a smaller p-value once in a thousand seeds.
    assert scipy.stats.kstest(weights.ravel(), law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(300, 300), (40, 900)])
def test_gaussian_variance_is_gain_squared_over_fan_in(shape):
    gain = 1.5
    weights = Gaussian(gain, seed=1)(shape, "float64")
    law = scipy.stats.norm(0, gain / np.sqrt(shape[0]))
    assert scipy.stats.kstest(weights.ravel(), law.cdf).pvalue > 1e-3
    # Relative deviation of a variance estimate: sqrt(2 / n); five of them.
    assert np.var(weights) == pytest.approx(gain**2 / shape[0], rel=5 * np.sqrt(2 / weights.size))


def test_normal_has_its_gain_as_standard_deviation():
    weights = Normal(0.001, seed=1)((40, 900), "float64")
    assert scipy.stats.kstest(weights.ravel(), scipy.stats.norm(0, 0.001).cdf).pvalue > 1e-3


@pytest.mark.parametrize("units", [1, 6, 401])
def test_henaff_rotates_the_plane_of_every_two_units(units):
    weights = Henaff(0.9, seed=3)((units, units), "float64")
    # exp of the skew-symmetric blocks, by another route than sine and cosine.
    skew = scipy.linalg.logm(weights / 0.9).real
    angles = np.diag(skew, -1)[::2]
    expected = np.zeros((units, units))
    expected[np.arange(1, units, 2), np.arange(0, units - 1, 2)] = angles
    np.testing.assert_allclose(skew, expected - expected.T, atol=1e-9)
    np.testing.assert_allclose(0.9 * scipy.linalg.expm(expected - expected.T), weights, atol=1e-9)
    np.testing.assert_allclose(weights.T @ weights, 0.81 * np.eye(units), atol=1e-12)
    if units > 100:
        assert scipy.stats.kstest(angles, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


def test_antisymmetric_turns_and_does_not_stretch():
    weights = Antisymmetric(0.9, seed=3)((300, 300), "float64")
    np.testing.assert_array_equal(weights, -weights.T)
    upper = weights[np.triu_indices(300, 1)]
    assert scipy.stats.kstest(upper, scipy.stats.norm(0, 0.9 / np.sqrt(300)).cdf).pvalue > 1e-3
    eigenvalues = np.linalg.eigvals(weights)
    np.testing.assert_allclose(eigenvalues.real, 0, atol=1e-12)
    # Wigner's semicircle: radius 2 gain, fourth moment twice the square of the second.
    assert np.abs(eigenvalues).max() == pytest.approx(1.8, rel=0.05)
    second, fourth = np.mean(eigenvalues.imag**2), np.mean(eigenvalues.imag**4)
    assert fourth / second**2 == pytest.approx(2, rel=0.05)


def test_gaussian_preserves_the_length_of_a_state():
    # E ||W^T h||^2 = gain^2 ||h||^2 when fan_in is the axis that the product sums over.
    state = np.ones(400)
    weights = Gaussian(0.5, seed=2)((400, 4000), "float64")
    mean_square = np.mean((weights.T @ state) ** 2)
    assert mean_square == pytest.approx(0.25 * np.mean(state**2), rel=5 * np.sqrt(2 / 4000))


def test_gaussian_obeys_the_circular_law():
    weights = Gaussian(0.9, seed=0)((150, 150), "float64")
    # Finite-size corrections are of order H^(-1/2) and H^(-2/3); 12 % covers both at H = 150.
    assert np.abs(np.linalg.eigvals(weights)).max() == pytest.approx(0.9, rel=0.12)
    assert np.linalg.norm(weights, 2) == pytest.approx(1.8, rel=0.12)


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (30, 7), (7, 30)])
def test_orthogonal_has_all_singular_values_at_the_gain(shape):
    weights = Orthogonal(1.3, seed=4)(shape, "float64")
    singular = np.linalg.svd(weights, compute_uv=False)
    assert len(singular) == min(shape)
    np.testing.assert_allclose(singular, 1.3, rtol=1e-13)
    # Rounding to float32 moves a singular value by at most sqrt(H) * 2^-24 of the gain, at H = 64: 5e-7.
    singular = np.linalg.svd(Orthogonal(1.3, seed=4)(shape).astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(singular, 1.3, rtol=5e-7)


def test_orthogonal_columns_are_gram_schmidt_of_the_draw():
    # Gram-Schmidt gives R a positive diagonal by construction: the sign fix is checked without signs.
    columns = random.generator(9, "weights").standard_normal((8, 5)).T
    basis: list[np.ndarray] = []
    for column in columns:
        rest = column - sum((column @ unit) * unit for unit in basis)
        basis.append(rest / np.linalg.norm(rest))
    np.testing.assert_allclose(Orthogonal(seed=9)((8, 5), "float64"), np.array(basis).T, atol=1e-12)


def test_orthogonal_is_uniform_over_the_group():
    # Under Haar's measure E tr Q = 0 and E (tr Q)^2 = 1; LAPACK's own signs give a mean far from 0.
    traces = [np.trace(Orthogonal(seed=seed)((4, 4), "float64")) for seed in range(2000)]
    assert abs(np.mean(traces)) < 5 / np.sqrt(2000)
    # The variance of (tr Q)^2 is E (tr Q)^4 - 1 = 2.
    assert np.mean(np.square(traces)) == pytest.approx(1, abs=5 * np.sqrt(2 / 2000))


def test_identity():
    np.testing.assert_array_equal(Identity(0.5, seed=1)((3, 3)), [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])


@pytest.mark.parametrize(("units", "nonzero"), [(50, 15), (50, 1), (50, 50), (1, 1), (7, 2)])
def test_sparse_rows_and_radius(units, nonzero):
    weights = Sparse(nonzero, gain=0.95, seed=6)((units, units), "float64")
    assert (np.count_nonzero(weights, axis=1) == nonzero).all()
    # Gelfand: rho = lim ||W^k||^(1/k), a second route without an eigenvalue; 2^20 steps by squaring.
    assert _gelfand_radius(weights, squarings=20) == pytest.approx(0.95, rel=1e-4)
    assert np.abs(np.linalg.eigvals(weights)).max() == pytest.approx(0.95, rel=1e-9)
    rounded = Sparse(nonzero, gain=0.95, seed=6)((units, units)).astype(np.float64)
    assert np.abs(np.linalg.eigvals(rounded)).max() == pytest.approx(0.95, rel=1e-5)


def test_sparse_entries_are_gaussian_and_evenly_spread():
    weights = Sparse(15, seed=1)((200, 200), "float64")
    entries = weights[weights != 0]
    # The scale is common, so a sample standardised by its own root mean square tests the shape.
    assert scipy.stats.kstest(entries / np.sqrt(np.mean(entries**2)), "norm").pvalue > 1e-3
    incoming = np.count_nonzero(weights, axis=0)
    # Binomial(200, 15/200) each: mean 15, variance 13.9; every column within 5 deviations.
    assert np.abs(incoming - 15).max() < 5 * np.sqrt(15 * (1 - 15 / 200))
    assert np.count_nonzero(np.diag(weights)) > 0


def test_sparse_nonzero_at_least_one():
    with pytest.raises(ArgumentError, match="nonzero: expected an integer of at least 1, received 0"):
        Sparse(nonzero=0)


def test_sparse_nonzero_at_most_the_units():
    with pytest.raises(ArgumentError, match="nonzero: expected at most 10, the units of a row, received 15"):
        Sparse(nonzero=15)((10, 10))


def test_sparse_nilpotent_draw(monkeypatch):
    class Underflowing:
        """Draws places as usual and entries that have underflowed to 0."""

        def __init__(self):
            self.permuted = np.random.default_rng(0).permuted
            self.standard_normal = np.zeros

    monkeypatch.setattr(initializers.random, "generator", lambda seed, stream: Underflowing())
    message = "seed: expected a draw with an eigenvalue other than 0, received 2"
    with pytest.raises(ArgumentError, match=message):
        Sparse(3, seed=2)((10, 10))


@family
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_keras_layer_holds_the_draw(initializer, dtype):
    layer = keras.layers.SimpleRNN(16, recurrent_initializer=initializer(gain=0.9, seed=3), dtype=dtype)
    layer.build((None, 5, 16))
    expected = initializer(gain=0.9, seed=3)((16, 16), dtype)
    kernel = keras.ops.convert_to_numpy(layer.cell.recurrent_kernel)
    np.testing.assert_array_equal(kernel.astype(np.float64), expected.astype(np.float64))


@family
def test_saved_model_brings_its_initializer_back(initializer, tmp_path):
    keras.saving.register_keras_serializable("rnnexp")(initializer)
    draw = initializer(gain=0.9, seed=3)
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(16, kernel_initializer=draw)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].kernel_initializer == draw
    np.testing.assert_array_equal(loaded.get_weights()[0], draw((16, 16)))


@family
def test_per_block_draws_each_block_alone(initializer):
    draw = initializer(gain=0.7, seed=5)
    blocks = np.split(PerBlock(draw, 3, first=1)((20, 60), "float64"), 3, axis=1)
    np.testing.assert_array_equal(blocks[1], draw((20, 20), "float64"))
    for block in blocks:
        singular = np.linalg.svd(block, compute_uv=False)
        if initializer in (Orthogonal, Henaff):
            np.testing.assert_allclose(singular, 0.7, rtol=1e-12)
    distinct = {block.tobytes() for block in blocks}
    assert len(distinct) == (1 if initializer is Identity else 3)


@family
def test_per_block_comes_back_from_its_configuration(initializer):
    keras.saving.register_keras_serializable("rnnexp")(PerBlock)
    keras.saving.register_keras_serializable("rnnexp")(initializer)
    draw = PerBlock(initializer(gain=0.7, seed=5), 4, first=2)
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(draw))
    assert revived == draw == PerBlock.from_config(draw.get_config())
    assert (revived.gain, revived.seed) == (0.7, 5)
    assert revived != PerBlock(initializer(gain=0.7, seed=6), 4, first=2)


def test_apart_is_the_same_law_with_another_seed():
    sparse = Sparse(nonzero=3, gain=0.5, seed=2)
    assert sparse.apart(5) == Sparse(nonzero=3, gain=0.5, seed=7)
    assert PerBlock(sparse, 4, first=2).apart(5) == PerBlock(sparse.apart(5), 4, first=2)


def test_per_block_takes_blocks_that_are_square():
    with pytest.raises(ArgumentError) as error:
        PerBlock(Orthogonal(), 4)((5, 15))
    assert str(error.value) == "shape: expected 4 square blocks side by side, received (5, 15)"
    for blocks, first, name in [(0, 0, "blocks"), (3, 3, "first"), (3, -1, "first")]:
        with pytest.raises(ArgumentError, match=f"^{name}: expected an integer"):
            PerBlock(Orthogonal(), blocks, first)


def _gelfand_radius(matrix, squarings):
    log_norm = 0.0
    power = matrix
    for _ in range(squarings):
        norm = np.linalg.norm(power)
        power = (power / norm) @ (power / norm)
        log_norm = 2 * (log_norm + np.log(norm))
    return np.exp((log_norm + np.log(np.linalg.norm(power))) / 2**squarings)
