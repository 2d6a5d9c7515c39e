import itertools
import math

import numpy as np
import pytest

from rnnexp.probes.jacobians import ElmanJacobians, GivenJacobians
from rnnexp.probes.orthonormal_frame import Frame


def orthonormal(samples, size, count, rng):
    return np.linalg.qr(rng.normal(size=(samples, size, count)))[0]


def network(rng, steps=40, samples=2, units=6, smallest=0.1):
    slopes = rng.uniform(smallest, 1, size=(steps, samples, units))
    return ElmanJacobians(slopes, rng.normal(size=(units, units)) / math.sqrt(units))


def total(stretches):
    """Nats by which every vector grew, of stretches that keep their order."""
    return np.sum([stretch.log_growth for stretch in stretches], axis=0)


def reordered(sums, stretch):
    return sums if stretch.order is None else np.take_along_axis(sums, stretch.order, axis=1)


@pytest.mark.parametrize("stops", [[40], [1, 2, 3, 17, 40], range(41)])
def test_vectors_times_transfers_are_the_product(stops):
    rng = np.random.default_rng(0)
    chain = network(rng).forward()
    start = orthonormal(2, 6, 4, rng)
    frame, transfer = Frame(chain, start), np.eye(4)
    for stop in stops:
        for stretch in frame.advance(stop):
            transfer = stretch.transfer @ transfer
        expected = chain.apply(0, stop, start)
        size = np.abs(expected).max()
        assert frame.vectors @ transfer == pytest.approx(expected, abs=1e-12 * size)
        gram = frame.vectors.swapaxes(1, 2) @ frame.vectors
        assert gram == pytest.approx(np.broadcast_to(np.eye(4), gram.shape), abs=1e-13)


def test_growths_add_up_to_volumes():
    rng = np.random.default_rng(1)
    jacobians = network(rng, steps=30)
    frame = Frame(jacobians.forward(), orthonormal(2, 6, 6, rng))
    growth = total(frame.advance(30))
    expected = sum(np.linalg.slogdet(jacobians.step(index))[1] for index in range(30))
    assert growth.sum(axis=1) == pytest.approx(expected, abs=1e-8)


def stretches(jacobians, steps, rng):
    samples, states = jacobians.shape[1:]
    return list(Frame(jacobians.forward(), orthonormal(samples, states, states, rng)).advance(steps))


def test_a_frame_that_nothing_bends_is_rarely_straightened():
    rng = np.random.default_rng(2)
    kernel = orthonormal(1, 8, 8, rng)[0]
    assert len(stretches(ElmanJacobians(np.ones((1000, 2, 8)), kernel), 1000, rng)) < 40


def test_the_stretches_follow_the_worst_sample():
    rng = np.random.default_rng(3)
    slopes = np.ones((400, 2, 4))
    slopes[:, 1, 0] = math.exp(-3)
    few = len(stretches(ElmanJacobians(slopes[:, :1], np.eye(4)), 400, rng))
    # 3 nats a step: at most 5 steps within 16 nats.
    assert 400 / 5 <= len(stretches(ElmanJacobians(slopes, np.eye(4)), 400, rng)) < 200
    assert few < 20


def test_a_bend_that_no_history_announces_is_taken_back():
    rng = np.random.default_rng(4)
    slopes = np.ones((200, 1, 4))
    slopes[100:104, 0, 0] = math.exp(-12)
    found = stretches(ElmanJacobians(slopes, np.eye(4)), 200, rng)
    growth = total(found)[0]
    assert growth.sum() == pytest.approx(-48, abs=1e-6)
    spreads = [np.ptp(stretch.log_growth) for stretch in found]
    assert max(spreads) <= 16


@pytest.mark.parametrize("exponent", [-400.0, 200.0])
def test_uniform_growth_neither_overflows_nor_underflows(exponent):
    rng = np.random.default_rng(5)
    jacobians = ElmanJacobians(np.full((50, 1, 3), math.exp(exponent)), np.eye(3))
    growth = total(stretches(jacobians, 50, rng))
    assert growth == pytest.approx(50 * exponent, rel=1e-13)


def test_a_saturated_unit_keeps_its_precision():
    rng = np.random.default_rng(6)
    slopes = np.ones((60, 1, 5))
    slopes[::2, 0, 1] = 1e-40
    kernel = rng.normal(size=(5, 5))
    growth = total(stretches(ElmanJacobians(slopes, kernel), 60, rng))
    expected = 60 * np.linalg.slogdet(kernel)[1] - 30 * 40 * math.log(10)
    assert growth.sum() == pytest.approx(expected, abs=1e-9)


def test_a_dead_unit_loses_one_vector_for_good():
    rng = np.random.default_rng(7)
    slopes = rng.uniform(0.5, 1, size=(50, 2, 5))
    slopes[10, 0, 3] = 0
    frame = Frame(ElmanJacobians(slopes, rng.normal(size=(5, 5))).forward(), orthonormal(2, 5, 5, rng))
    growth = total(frame.advance(50))
    assert np.isneginf(growth[0]).sum() == 1
    assert np.isfinite(growth[1]).all()
    assert np.sum(~np.any(frame.vectors[0], axis=0)) == 1


def test_a_leading_vector_that_dies_spares_the_others():
    # The leading vector settles on the first unit to within rounding; then that unit dies.
    rng = np.random.default_rng(8)
    matrices = np.broadcast_to(np.diag([1.0, 0.5, 0.25]), (200, 1, 3, 3)).copy()
    matrices[150, 0, 0, 0] = 0
    frame = Frame(GivenJacobians(matrices).forward(), orthonormal(1, 3, 3, rng))
    for _ in frame.advance(100):
        pass
    growth = np.zeros((1, 3))
    for stretch in frame.advance(200):
        growth = reordered(growth, stretch) + stretch.log_growth
    assert np.sort(growth[0])[1:] == pytest.approx([100 * math.log(0.25), 100 * math.log(0.5)], abs=1e-9)
    assert np.isneginf(growth.min())


def test_reordering_between_stretches_is_allowed():
    rng = np.random.default_rng(9)
    chain = network(rng).forward()
    start = orthonormal(2, 6, 6, rng)
    frame, transfer = Frame(chain, start), np.broadcast_to(np.eye(6), (2, 6, 6))
    for stretch, seed in zip(frame.advance(40), itertools.count(), strict=False):
        order = np.random.default_rng(seed).permuted(np.tile(np.arange(6), (2, 1)), axis=1)
        transfer = np.take_along_axis(stretch.transfer @ transfer, order[:, :, np.newaxis], axis=1)
        frame.reorder(order)
    expected = chain.apply(0, 40, start)
    assert frame.vectors @ transfer == pytest.approx(expected, abs=1e-12 * np.abs(expected).max())
