"""What to change, in the terms of the user's own model."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import keras

from rnnexp.diagnosis.keras_models.reachable import layers_by_path
from rnnexp.diagnosis.keras_models.training_history import TrainingHistory

_FORGET = 1.0
"""Bias of an LSTM's forget gate that Keras starts with: sigmoid(1) = .73 a step."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """How a model is set up.

    Attributes:
        cells: Path of a recurrent layer or cell -> class names, the most special first.
        optimizer: Class name of the optimizer; None where the model is not compiled.
        clips: The clipping that it has, such as {"clipnorm": 1.0}.
    """

    cells: dict[str, tuple[str, ...]]
    optimizer: str | None
    clips: dict[str, float]


def setup_of(model: keras.Model) -> Setup:
    """Return how a model is set up."""
    cells = {
        path: tuple(
            kind.__name__ for kind in (*type(getattr(layer, "cell", layer)).__mro__, *type(layer).__mro__)
        )
        for path, layer in layers_by_path(model)
        if hasattr(layer, "state_size")
    }
    optimizer = model.optimizer if model.compiled else None
    clips = {name: getattr(optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
    given = {name: value for name, value in clips.items() if value is not None}
    return Setup(cells, None if optimizer is None else type(optimizer).__name__, given)


def recommendations(
    verdicts: Sequence[tuple[str, str, str]],
    time_steps: dict[str, int],
    setup: Setup,
    training: TrainingHistory | None,
) -> list[str]:
    """Return sentences, the most urgent first; where nothing is to be changed, one that says so and why.

    Args:
        verdicts: Layer, state and verdict on its gradient.
        time_steps: Layer -> T, the steps that the verdict is about.
        setup: Of the model.
        training: Loss and norm of the updates so far, if they are known.
    """
    found = list(_on_norms(verdicts, setup, training))
    vanishing = list(dict.fromkeys(layer for layer, _, verdict in verdicts if verdict == "vanishing"))
    # An LSTM remembers in c: where that lasts, h alone is no fault.
    lasting = {layer for layer, state, verdict in verdicts if state.endswith("c") and verdict != "vanishing"}
    found += [_on_vanishing(layer, time_steps[layer], setup) for layer in vanishing if layer not in lasting]
    if verdicts and all(verdict == "not_measured" for *_, verdict in verdicts):
        found.append("One step, or a state that nothing reads, says nothing about time: give whole sequences")
    if verdicts and not found:
        found.append(_nothing(sorted(lasting.intersection(vanishing))))
    return found


def _nothing(kept_in_c: Sequence[str]) -> str:
    """What is said where no state asks for a change; `kept_in_c`: layers of which h vanishes and c not."""
    if not kept_in_c:
        return "Nothing to change: no gradient is found to vanish or to explode"
    layers = ", ".join(kept_in_c)
    return f"Nothing to change: in {layers} the gradient vanishes in h and not in c, which is what counts"


def _on_norms(verdicts, setup: Setup, training: TrainingHistory | None) -> Iterator[str]:
    exploding = [layer for layer, _, verdict in verdicts if verdict in ("exploding", "non_finite")]
    spike = training.spike_step if training is not None else None
    if not exploding and spike is None:
        return
    optimizer = setup.optimizer or "Adam"
    why = f"the gradient of {exploding[0]} explodes" if exploding else f"the norm jumps at update {spike}"
    if "global_clipnorm" in setup.clips:
        clip = f"global_clipnorm={setup.clips['global_clipnorm']:g}"
        yield f"{clip} is set already: lower the learning rate, since {why}"
    elif training is None or not training.proposed > 0:
        yield (
            f"Clip the gradient, since {why}: keras.optimizers.{optimizer}(..., global_clipnorm=...); "
            "rnnexp.GradientFlowMonitor finds the number"
        )
    else:
        number = training.proposed
        share = training.clipped_share(number)
        yield (
            f"Clip the gradient, since {why}: keras.optimizers.{optimizer}(..., global_clipnorm={number:g}) "
            f"would have clipped {share:.0%} of {len(training.global_norm)} updates"
        )
    if "clipnorm" in setup.clips:
        yield "clipnorm is per variable in Keras, and turns the direction: global_clipnorm keeps it"


def _on_vanishing(layer: str, time_steps: int, setup: Setup) -> str:
    kinds = next(
        (names for path, names in setup.cells.items() if layer == path or layer.startswith(f"{path}/")), ()
    )
    start = f"The gradient of {layer} does not reach back over {time_steps} steps"
    bias = math.log(max(time_steps - 1, 2))
    if any("LSTM" in kind for kind in kinds):
        return (
            f"{start}: start its forget gate at a bias of up to ln(T - 1) = {bias:.1f} (Keras' "
            f"unit_forget_bias is {_FORGET:g}), by setting the second quarter of cell.bias"
        )
    if any("GRU" in kind for kind in kinds):
        return (
            f"{start}: start its update gate at a bias of up to ln(T - 1) = {bias:.1f}, "
            "by setting the first third of cell.bias"
        )
    return (
        f"{start}: put keras.layers.LSTM or GRU in its place, or start it with "
        'recurrent_initializer=keras.initializers.Identity() and activation="relu"'
    )
