import functools
import json

import numpy as np
import pytest
import scipy.stats

from rnnexp.diagnosis.measurement import Measurer
from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.gate_biases import GateBiases
from rnnexp.nn.initializers import Normal, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding

H, TASK = 400, Adding(20)


def bias(spec, seed=2):
    cell = spec.build(H, "tanh", Normal(seed=1), Orthogonal(seed=seed), "float64")
    return cell.bias_initializer((4 * H,) if isinstance(spec, Lstm) else (2, 3 * H), "float64")


def test_chrono_gives_an_lstm_memories_of_all_lengths():
    admit, keep, candidate, out = np.split(bias(Lstm(chrono=50)), 4)
    # u ~ U(1, 49); a true law gives a smaller p-value once in a thousand seeds.
    assert scipy.stats.kstest(np.exp(keep), scipy.stats.uniform(1, 48).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(admit, -keep)
    assert not candidate.any() and not out.any()
    kept = 1 / (1 + np.exp(-keep))
    # 1 / (1 - sigma(b)), the steps for which a state is kept, lie between 2 and T_max.
    assert (1 / (1 - kept)).min() >= 2 and (1 / (1 - kept)).max() <= 50 * (1 + 1e-12)


def test_chrono_opens_the_update_gate_of_a_gru_alone():
    inputs, recurrent = bias(Gru(chrono=50, reset_bias=-1.0))
    keep, reset, candidate = np.split(inputs, 3)
    assert scipy.stats.kstest(np.exp(keep), scipy.stats.uniform(1, 48).cdf).pvalue > 1e-3
    assert (reset == -1).all() and not candidate.any() and not recurrent.any()


def test_seeds_draw_different_biases_and_the_same_seed_the_same():
    drawn = {bias(Lstm(chrono=50), seed).tobytes() for seed in (0, 1, 2, 2)}
    assert len(drawn) == 3


@functools.cache
def rate_of_c(forget_bias):
    """The rate of dl/dc_t of an LSTM whose weights are as good as 0, so that nothing is written to c."""
    spec = Lstm(forget_bias=forget_bias)
    cell = spec.build(3, "tanh", Normal(1e-9, seed=1), Orthogonal(1e-9, seed=2), "float64")
    network, batch = build_network(TASK, cell, seed=3), TASK.batch(0, "probe", 0, 4)
    found = Measurer(network, spec, "tanh", TASK.loss, batch, 20).measure(network.get_weights(), 0)
    return found.metrics()["grad/rate_c"]


@pytest.mark.parametrize("forget_bias", [-1.0, 3.0])
def test_c_forgets_at_the_rate_that_its_bias_sets(forget_bias):
    assert rate_of_c(forget_bias) == pytest.approx(-np.log1p(np.exp(-forget_bias)), abs=1e-6)


def test_a_configuration_brings_it_back():
    made = GateBiases((0.5, -1.0), (1.0, 0.0), longest=30, seed=7)
    back = GateBiases.from_config(json.loads(json.dumps(made.get_config())))
    np.testing.assert_array_equal(back((8,)), made((8,)))
    assert made((8,)).dtype == np.float32 and made((2, 8), "float64").dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "shape", "name"),
    [
        (((0.0,), (1.0, 2.0)), (4,), "factors"),
        (((None,), (1.0,)), (4,), "constants"),
        (((0.0,), (1.0,), 2), (4,), "longest"),
        (((0.0,), (1.0,), 9, -1), (4,), "seed"),
        (((0.0, 0.0), (1.0, 0.0)), (5,), "shape"),
    ],
)
def test_what_it_does_not_take_is_named(arguments, shape, name):
    with pytest.raises(ArgumentError, match=f"^{name}: expected"):
        GateBiases(*arguments)(shape)
