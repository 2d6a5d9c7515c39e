import keras
import numpy as np
import pytest
import scipy.stats
from keras import layers as kl

from rnnexp.diagnosis.keras_models import floors
from rnnexp.runtime.checks import ArgumentError

B, T, C = 6, 5, 3
DRAW = np.random.default_rng(0)


class Given(kl.Layer):
    """A model whose prediction is its input."""

    def call(self, x):
        return x


def echo(shape, **compiling):
    model = keras.Sequential([keras.Input(shape), Given()])
    if compiling:
        model.compile("sgd", **compiling)
    return model


@pytest.mark.parametrize(("loss", "best", "cost"), [("mse", np.mean, np.square), ("mae", np.median, np.abs)])
def test_series_have_the_best_constant_and_the_last_value(loss, best, cost):
    x, y = DRAW.normal(size=(2, B, T, C)).cumsum(axis=2)
    found = floors(echo((T, C)), x, y, loss=loss)
    own = cost(x - y)
    assert found.loss == pytest.approx(own.mean(), rel=1e-5)
    constant, last = found.floors
    at_best = cost(y - best(y, axis=(0, 1)))
    assert (constant.name, last.name) == ("best constant", "last value")
    assert constant.loss == pytest.approx(at_best.mean(), rel=1e-5)
    assert last.loss == pytest.approx(cost(np.diff(y, axis=1)).mean(), rel=1e-5)
    gains = (at_best - own).mean(axis=(1, 2))
    assert constant.below == pytest.approx(gains.mean(), rel=1e-4)
    assert constant.half_width == pytest.approx(
        scipy.stats.t.ppf(0.975, B - 1) * gains.std(ddof=1) / np.sqrt(B), rel=1e-4
    )


def test_tokens_get_unigram_and_leave_one_out_bigram_floors():
    y = DRAW.integers(0, C, size=(B, T))
    x = DRAW.dirichlet(np.ones(C), size=(B, T))
    model = echo((T, C), loss="sparse_categorical_crossentropy")
    unigram, bigram = floors(model, x, y).floors
    shares = np.array([np.mean(y == token) for token in range(C)])
    assert unigram.loss == pytest.approx(-np.sum(shares * np.log(shares)), rel=1e-6)
    losses = []
    for b in range(B):
        others = [sequence for n, sequence in enumerate(y) if n != b]
        for t in range(1, T):
            after = [s[k] for s in others for k in range(1, T) if s[k - 1] == y[b, t - 1]]
            losses.append(-np.log((after.count(y[b, t]) + 1 / C) / (len(after) + 1)))
    assert bigram.loss == pytest.approx(np.mean(losses), rel=1e-6)


@pytest.mark.parametrize("logits", [False, True])
def test_classes_and_logits(logits):
    p = DRAW.dirichlet(np.ones(C), size=B)
    y = np.eye(C)[DRAW.integers(0, C, size=B)]
    loss = keras.losses.CategoricalCrossentropy(from_logits=logits)
    found = floors(echo((C,), loss=loss), np.log(p) if logits else p, y)
    assert found.loss == pytest.approx(-np.mean(np.sum(y * np.log(p), axis=1)), rel=1e-5)
    mean = y.mean(axis=0)
    assert found.floors[0].loss == pytest.approx(-np.mean(np.log(mean[y.argmax(axis=1)])), rel=1e-5)


def test_binary_targets_of_one_axis():
    p, y = DRAW.uniform(0.1, 0.9, size=(B, 1)), np.array([0, 1, 1, 0, 1, 1])
    found = floors(echo((1,), loss="binary_crossentropy"), p, y)
    assert found.loss == pytest.approx(-np.mean(np.log(np.where(y == 1, p[:, 0], 1 - p[:, 0]))), rel=1e-5)
    share = y.mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found.floors[0].loss == pytest.approx(entropy, rel=1e-6)


def test_a_perfect_model_beats_the_floor_and_the_mean_does_not():
    y = np.tile([[1.0], [-1.0]], (B // 2, C))
    constant = floors(echo((C,)), np.tile(y.mean(axis=0), (B, 1)), y, loss="mse")
    perfect = floors(echo((C,)), y, y, loss="mse")
    assert "no better" in repr(constant)
    assert "the model is better by" in repr(perfect)


def test_a_loss_without_a_closed_floor_is_refused():
    with pytest.raises(ArgumentError, match="^loss: "):
        floors(echo((C,), loss="hinge"), np.zeros((B, C)), np.zeros((B, C)))
