"""What predictors without a memory score on a user's own data, and the model's loss beside them, paired."""

import dataclasses
import operator
from typing import Any

import keras
import numpy as np

from rnnexp.diagnosis.keras_models.data import first_batch
from rnnexp.diagnosis.keras_models.preservation import preserved
from rnnexp.runtime.checks import choice
from rnnexp.runtime.mean_intervals import mean_interval

_SQUARED, _ABSOLUTE = "mean_squared_error", "mean_absolute_error"
_TOKENS = "sparse_categorical_crossentropy"
_NAMES = {
    "mse": _SQUARED,
    _SQUARED: _SQUARED,
    "mae": _ABSOLUTE,
    _ABSOLUTE: _ABSOLUTE,
    _TOKENS: _TOKENS,
    "categorical_crossentropy": "categorical_crossentropy",
    "binary_crossentropy": "binary_crossentropy",
}
"""The losses that are known, by the names that they are given by -> their names in Keras."""
_ROWS = 256


@dataclasses.dataclass(frozen=True)
class Floor:
    """A predictor that needs no memory.

    Attributes:
        name: best constant, last value, or bigram.
        loss: Its mean loss, in the unit of the model's.
        below: Mean of its loss of a sample minus the model's: above 0, the model is better.
        half_width: Half of the 95 % interval of `below`.
    """

    name: str
    loss: float
    below: float
    half_width: float

    def __repr__(self) -> str:
        better = (
            "better"
            if self.below > self.half_width
            else "worse"
            if self.below < -self.half_width
            else "no better"
        )
        gain = f"{abs(self.below):.2g} +- {self.half_width:.2g}"
        return f"{self.name}: {self.loss:.4g}; the model is {better} by {gain}"


@dataclasses.dataclass(frozen=True)
class Floors:
    """The model's loss, and the floors beside it.

    Attributes:
        loss: Mean loss of the model, without added losses.
        floors: Best constant, and last value or bigram where the data are series or tokens.
    """

    loss: float
    floors: tuple[Floor, ...]

    def __repr__(self) -> str:
        return "\n".join([f"loss {self.loss:.4g}", *map(repr, self.floors)])


def floors(model: keras.Model, x: Any, y: Any, loss: str | None = None) -> Floors:
    """Compare a model with predictors that need no memory, on the same samples.

        best constant   the mean of y (squared error), its median (absolute), its frequencies (cross-entropy)
        last value      y_{t-1} for y_t, of series (B, T, O), from the second step on
        bigram          P(y_t | y_{t-1}) of tokens (B, T), counted with each sequence left out

    All are counted on y itself, so the constant is the best that there is for these data. l_b is the mean of
    the loss of sample b over all its numbers.

    Args:
        model: A built model of one output.
        x: Inputs, as for `gradient_flow`; as many samples as there are.
        y: Targets.
        loss: mse, mae, sparse_categorical_crossentropy, categorical_crossentropy or binary_crossentropy; None
            takes the compiled one. Whether outputs are logits is read from the compiled loss.

    Raises:
        ArgumentError: The loss is none of these, or the data do not fit.

    Examples:
        >>> model = keras.Sequential([keras.Input((5, 1)), keras.layers.GRU(1)])
        >>> y = np.array([[0.0], [1.0]])
        >>> floors(model, np.zeros((2, 5, 1)), y, loss="mse").floors[0].loss
        0.25
    """
    name, logits = _named(model, loss)
    batch = first_batch(model, x, y)
    targets: Any = np.asarray(batch.y)
    predicted = _predictions(model, batch.x)
    if name == _TOKENS:
        targets = targets.reshape(predicted.shape[:-1]).astype(int)
    else:
        targets = targets.reshape(predicted.shape).astype(np.float64)
    own = _losses(name, targets, predicted, logits)
    constant = _constant(name, targets, predicted.shape[-1])
    found = [_beside("best constant", own, _losses(name, targets, constant))]
    if name in (_SQUARED, _ABSOLUTE) and targets.ndim == 3 and targets.shape[1] > 1:
        found.append(_beside("last value", own[:, 1:], _losses(name, targets[:, 1:], targets[:, :-1])))
    if name == _TOKENS and targets.ndim == 2 and targets.shape[1] > 1:
        found.append(_bigram(targets, own, predicted.shape[-1]))
    return Floors(float(own.mean()), tuple(found))


def _named(model: keras.Model, loss: str | None) -> tuple[str, bool]:
    """Return the name of the loss in Keras, and whether it takes logits."""
    compiled = getattr(model, "loss", None) if model.compiled else None
    given = compiled if loss is None else loss
    name = given if isinstance(given, str) else getattr(given, "name", None) or getattr(given, "__name__", "")
    return _NAMES[choice("loss", name, tuple(_NAMES))], bool(getattr(compiled, "from_logits", False))


def _predictions(model: keras.Model, x: Any) -> np.ndarray:
    """The model's output for all samples, some at a time; nothing of the model is changed."""
    samples = len(keras.tree.flatten(x)[0])
    parts = []
    with preserved(model, training=False):
        for start in range(0, samples, _ROWS):
            rows = slice(start, start + _ROWS)
            part = keras.tree.map_structure(operator.itemgetter(rows), x)
            parts.append(np.asarray(model(part, training=False)))
    return np.concatenate(parts).astype(np.float64)


def _losses(loss: str, y: np.ndarray, predicted: np.ndarray, from_logits: bool = False) -> np.ndarray:
    """The loss at every place: (B, ...) without the axis of the outputs."""
    options = {} if loss in (_SQUARED, _ABSOLUTE) else {"from_logits": from_logits}
    return np.asarray(keras.losses.get(loss)(y, predicted, **options))


def _constant(loss: str, y: np.ndarray, outputs: int) -> np.ndarray:
    """The best constant, of the shape of a prediction."""
    if loss == _TOKENS:
        counts = np.bincount(y.ravel(), minlength=outputs)
        return np.broadcast_to(counts / counts.sum(), (*y.shape, outputs))
    rows = y.reshape(-1, outputs)
    best = np.median(rows, axis=0) if loss == _ABSOLUTE else rows.mean(axis=0)
    return np.broadcast_to(best, y.shape)


def _beside(name: str, own: np.ndarray, floor: np.ndarray) -> Floor:
    """Compare two arrays of losses (B, ...), sample by sample."""
    gains = (floor - own).reshape(len(own), -1).mean(axis=1)
    return Floor(name, float(floor.mean()), *mean_interval(gains))


def _bigram(y: np.ndarray, own: np.ndarray, tokens: int) -> Floor:
    """P(y_t | y_{t-1}) of all other sequences, with one count spread over all tokens."""
    pairs = np.zeros((tokens, tokens))
    np.add.at(pairs, (y[:, :-1], y[:, 1:]), 1.0)
    losses = np.empty(y[:, 1:].shape)
    for row, sequence in enumerate(y):
        before, after = sequence[:-1], sequence[1:]
        alone = np.zeros_like(pairs)
        np.add.at(alone, (before, after), 1.0)
        others = pairs - alone
        chosen, total = others[before, after], others[before].sum(axis=1)
        losses[row] = -np.log((chosen + 1 / tokens) / (total + 1))
    return _beside("bigram", own[:, 1:], losses)
