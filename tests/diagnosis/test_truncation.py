import math

import numpy as np
import pytest
from made_evidence import VANISHING, evidence

from rnnexp.diagnosis.truncation import TruncationBias, TruncationProbe
from rnnexp.diagnosis.words import describe
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.tasks import Batch, RecallReal

T = 6
U, W, B, V, C = 0.7, 1.1, 0.2, -0.9, 0.1
"""One linear unit, h_t = U x_t + W h_{t-1} + B, and its readout y = V h_T + C."""


def by_hand(x, y, steps):
    """dL/d(U, W, B, V, C) of the squared error, of which the last `steps` steps hand the gradient on."""
    states = [0.0]
    for value in x:
        states.append(U * value + W * states[-1] + B)
    to_state = 2 * (V * states[-1] + C - y)
    kept = range(T - steps + 1, T + 1)
    to_u, to_w, to_b = (
        sum(W ** (T - t) * part(t) for t in kept)
        for part in (lambda t: x[t - 1], lambda t: states[t - 1], lambda t: 1.0)
    )
    return to_state * np.array([V * to_u, V * to_w, V * to_b, states[-1], 1.0])


@pytest.mark.parametrize("truncate", [1, 2, 4, T])
def test_it_is_that_of_a_linear_unit(truncate):
    x, y = np.random.default_rng(0).standard_normal(T), 0.4

    def network(length):
        cell = ElmanCell(1, activation="linear", dtype="float64")
        return build_network(RecallReal(T), cell, seed=0, truncate=length)

    batch = Batch(x.reshape(1, T, 1), np.array([[y]]))
    probe = TruncationProbe(network(None), network(truncate), "squared_error", batch)
    shapes = [(1, 1), (1, 1), (1,), (1, 1), (1,)]
    weights = [np.full(*pair) for pair in zip(shapes, (U, W, B, V, C), strict=True)]
    found = probe.measure(weights)
    full, cut = by_hand(x, y, T), by_hand(x, y, truncate)
    sizes = np.linalg.norm(full), np.linalg.norm(cut)
    assert found.norm_ratio == pytest.approx(sizes[1] / sizes[0], rel=1e-12)
    assert found.cosine == pytest.approx(full @ cut / sizes[0] / sizes[1], rel=1e-12)


def test_of_a_gradient_of_zero_there_is_no_direction():
    found = TruncationBias.of(np.zeros(3), np.ones(3))
    assert math.isnan(found.cosine)
    assert found.norm_ratio == 0


def test_words_name_what_is_left():
    cut = {"truncate": 20, "truncation_norm_ratio": 0.31, "truncation_cosine": 0.84}
    said = [text for text, _ in describe(evidence(**cut))]
    expected = "what is left has 0.31 of the norm of the whole gradient, and a cosine of 0.840 with it."
    assert f"Training cuts the gradient every 20 steps: {expected}" in said
    assert not any("cuts the gradient" in text for text, _ in describe(VANISHING))
