"""What predictors without a memory score on a user's own data, and the model's loss beside them, paired."""

import dataclasses
import operator
from typing import Any, Literal

import keras
import numpy as np

from rnnexp.diagnosis.keras_models.data import first_batch
from rnnexp.diagnosis.keras_models.preservation import preserved
from rnnexp.runtime.checks import choice
from rnnexp.runtime.mean_intervals import mean_interval

Kind = Literal["squared", "absolute", "tokens", "classes", "binary"]
_NAMES: dict[str, Kind] = {
    "mse": "squared",
    "mean_squared_error": "squared",
    "mae": "absolute",
    "mean_absolute_error": "absolute",
    "sparse_categorical_crossentropy": "tokens",
    "categorical_crossentropy": "classes",
    "binary_crossentropy": "binary",
}
_ROWS = 256
_LEAST = 1e-7
"""Of a probability, as Keras' losses clip them."""


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
    kind, logits = _kind(model, loss)
    batch = first_batch(model, x, y)
    targets: Any = np.asarray(batch.y)
    predicted = _probabilities(kind, _predictions(model, batch.x), logits)
    targets = targets.reshape(predicted.shape[:-1] if kind == "tokens" else predicted.shape)
    own = _losses(kind, targets, predicted)
    constant = _constant(kind, targets, predicted.shape[-1])
    found = [_beside("best constant", own, _losses(kind, targets, constant))]
    if kind in ("squared", "absolute") and targets.ndim == 3 and targets.shape[1] > 1:
        found.append(_beside("last value", own[:, 1:], _losses(kind, targets[:, 1:], targets[:, :-1])))
    if kind == "tokens" and targets.ndim == 2 and targets.shape[1] > 1:
        found.append(_bigram(targets, own, predicted.shape[-1]))
    return Floors(float(own.mean()), tuple(found))


def _kind(model: keras.Model, loss: str | None) -> tuple[Kind, bool]:
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


def _probabilities(kind: Kind, outputs: np.ndarray, logits: bool) -> np.ndarray:
    """Values, or probabilities that sum to one."""
    if kind in ("squared", "absolute"):
        return outputs
    if kind == "binary":
        return 1 / (1 + np.exp(-outputs)) if logits else outputs
    if logits:
        outputs = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return outputs / outputs.sum(axis=-1, keepdims=True)


def _losses(kind: Kind, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The loss at every place: (B, ...) without the axis of the outputs."""
    if kind == "tokens":
        labels = y.reshape(predicted.shape[:-1]).astype(int)
        chosen = np.take_along_axis(predicted, labels[..., np.newaxis], axis=-1)[..., 0]
        return -np.log(np.clip(chosen, _LEAST, 1))
    y = y.astype(np.float64).reshape(predicted.shape)
    if kind == "classes":
        return -np.sum(y * np.log(np.clip(predicted, _LEAST, 1)), axis=-1)
    if kind == "binary":
        p = np.clip(predicted, _LEAST, 1 - _LEAST)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p), axis=-1)
    difference = np.abs(predicted - y)
    return np.mean(difference**2 if kind == "squared" else difference, axis=-1)


def _constant(kind: Kind, y: np.ndarray, outputs: int) -> np.ndarray:
    """The best constant, of the shape of a prediction."""
    if kind == "tokens":
        counts = np.bincount(y.astype(int).ravel(), minlength=outputs)
        return np.broadcast_to(counts / counts.sum(), (*y.shape, outputs))
    rows = y.astype(np.float64).reshape(-1, outputs)
    best = np.median(rows, axis=0) if kind == "absolute" else rows.mean(axis=0)
    return np.broadcast_to(best, y.shape)


def _beside(name: str, own: np.ndarray, floor: np.ndarray) -> Floor:
    """Compare two arrays of losses (B, ...), sample by sample."""
    gains = (floor - own).reshape(len(own), -1).mean(axis=1)
    return Floor(name, float(floor.mean()), *mean_interval(gains))


def _bigram(y: np.ndarray, own: np.ndarray, tokens: int) -> Floor:
    """P(y_t | y_{t-1}) of all other sequences, with one count spread over all tokens."""
    y = y.astype(int)
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
