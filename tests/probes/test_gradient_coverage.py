"""Intervals of redrawn batches hold the value of all batches together, for ten kinds of layers."""

import numpy as np
import pytest

from benchmarks import interval_coverage
from benchmarks.interval_coverage import coverage, kinds, log_norms, states


@pytest.fixture(scope="module")
def layers():
    return kinds(units=12, time_steps=16, updates=60)


def test_typical_intervals_hold_the_truth_95_times_in_100(layers):
    found = {name: coverage(layer, 240, 64, 250) for name, layer in layers.items()}
    assert len(found) == 10
    for quantity in ("rate", "ratio"):
        shares = {name: getattr(each, quantity) for name, each in found.items()}
        # The standard error of a share of 240 batches is 0.014.
        assert sum(0.93 <= share <= 0.97 for share in shares.values()) >= 8, shares
        assert min(shares.values()) >= 0.85, shares
    assert any(each.effective_samples < 5 for each in found.values())


def test_norms_are_those_of_central_differences(layers):
    layer = layers["tanh, trained, T / 2"]
    logs = log_norms(layer, 0, 3)
    x, y = interval_coverage.Adding(layer.time_steps).batch(0, "probe", 0, 3)
    inputs, kernel, bias, readout, constant = layer.weights

    def loss(step, h):
        for t in range(step, layer.time_steps):
            h = np.tanh(x[:, t] @ inputs + bias + h @ kernel)
        return ((h @ readout + constant - y) ** 2)[:, 0]

    hidden = states(layer, x)
    for step in (1, layer.time_steps // 2, layer.time_steps):
        differences = [
            (loss(step, hidden[step - 1] + shift) - loss(step, hidden[step - 1] - shift)) / 2e-6
            for shift in 1e-6 * np.eye(len(kernel))
        ]
        assert np.exp(logs[step - 1]) == pytest.approx(np.linalg.norm(differences, axis=0), rel=1e-5)


def test_training_lowers_the_loss(layers):
    untrained, trained = layers["tanh, orthogonal"], layers["tanh, trained, T / 2"]
    x, y = interval_coverage.Adding(trained.time_steps).batch(9, "probe", 0, 500)

    def loss(layer):
        _, _, _, readout, constant = layer.weights
        return np.mean((states(layer, x)[-1] @ readout + constant - y) ** 2)

    assert loss(trained) < loss(untrained)


def test_the_table_has_a_line_a_kind(capsys):
    interval_coverage.main(["--units", "4", "--time-steps", "10", "--updates", "1", "--batches", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert {line.count("|") for line in lines} == {7}
