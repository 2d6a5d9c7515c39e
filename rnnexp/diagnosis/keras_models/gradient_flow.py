"""One call: a model and a batch in, the gradient at every time step of every recurrent layer out."""

import dataclasses
import logging
import weakref
from typing import Any

import keras
import tensorflow as tf

from rnnexp.diagnosis.keras_models.backward import BackwardPass, Found
from rnnexp.diagnosis.keras_models.data import Batch, check_targets, first_batch, specs_of
from rnnexp.diagnosis.keras_models.reachable import layers_by_path
from rnnexp.diagnosis.keras_models.recommendations import setup_of
from rnnexp.diagnosis.keras_models.result import GradientFlow, StateFlow
from rnnexp.runtime.checks import ArgumentError, boolean, positive

_logger = logging.getLogger(__name__)
_KEPT = 8
"""Traced passes kept for one model: losses, shapes and modes that take turns."""

_passes: weakref.WeakKeyDictionary[keras.Model, list[tuple]] = weakref.WeakKeyDictionary()
"""For every model its traced passes, each as (what it was traced for, pass), the oldest first."""


def gradient_flow(
    model: keras.Model,
    x: Any,
    y: Any = None,
    loss: Any = None,
    training: bool = False,
    *,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    verify: bool = False,
    decades: float = 3.0,
) -> GradientFlow:
    """Measure ln ||dl_b/dh_t|| at every step of every recurrent layer of a Keras model.

        l_b = loss of sample b,   L = mean_b l_b (or sum_b l_b, where the loss sums over the batch)
        dl_b/dh_t = B dL/dh_t of sample b, from one backward pass

    h_t is a state that a step of the layer hands on: h, and c of an LSTM; every state of every cell of a
    stack. The derivative is the total one, through all that reads the state after its step: the layer's
    outputs at t and all later steps. The states of one step are varied one at a time: c with h held.
    Layers that couple samples in training mode (batch normalisation) let other samples' losses in.

    Nothing is recompiled or left changed: weights, variables wherever they are kept, layer states, metrics,
    optimizer, random generators and the functions that `fit`, `evaluate` and `predict` compiled are as
    before, even after an exception. The pass is traced once for a model, loss and shape, and costs about one
    training step then. Layers run in Keras' own loop instead of a fused (cuDNN) kernel.

    Every pass compares its loss with that of a plain forward pass, and says so where they differ.

    Args:
        model: A built `keras.Model` with any mix of `keras.layers.RNN` and its subclasses (SimpleRNN, LSTM,
            GRU, ConvLSTM, `rnnexp.RNN`), also in Bidirectional, TimeDistributed or nested models, and of
            cells that the model calls itself, step by step: these are one sequence.
        x: One batch of inputs, as for `fit`: an array or tensor (B, ...), or a list or dictionary of them.
            Arrays of floats are taken in Keras' float type, tensors as they are; a ragged tensor is padded,
            with a mask, for a model that does not take it. Or a `tf.data.Dataset` or `PyDataset`, whose first
            batch is taken (without its shuffling), or a tuple (x, y, sample_weight).
        y: Its targets, as for `fit`.
        loss: A Keras loss, its name, a callable (y, prediction) or whatever `compile` takes; it replaces the
            compiled loss. None takes the total loss that the model was compiled with. A callable that returns
            one number is taken for the mean over the batch.
        training: Whether layers run in training mode (dropout on), with random numbers that are not used up.
        sample_weight: As for `fit`; it is part of l_b.
        class_weight: As for `fit`.
        verify: Whether to compare dl/dh_t with a central difference too, at three steps of every state that
            is its cell's output or beside it; see `GradientFlow.checked`.
        decades: D of the verdicts, see `rnnexp.diagnosis.verdict.gradient_verdict`.

    Raises:
        ArgumentError: The model is no Keras model, is not built, has no recurrent layer or no loss; or the
            data do not fit, and which of them.

    Examples:
        >>> import numpy as np
        >>> layers = [keras.Input((20, 3)), keras.layers.LSTM(8, name="lstm"), keras.layers.Dense(1)]
        >>> model = keras.Sequential(layers)
        >>> flow = gradient_flow(model, np.ones((4, 20, 3)), np.ones((4, 1)), loss="mse")
        >>> flow.layers["lstm"]["h"].log_norms.shape
        (20, 4)
    """
    if not isinstance(model, keras.Model):
        raise ArgumentError("model", "a keras.Model", type(model).__name__)
    if not model.built:
        raise ArgumentError("model", "a built model (call or fit it once, or give it an Input)", model.name)
    if loss is None and not model.compiled:
        raise ArgumentError("loss", "a Keras loss or a callable, since the model is not compiled", None)
    decades, training = positive("decades", decades), boolean("training", training)
    batch = first_batch(model, x, y, sample_weight, class_weight)
    check_targets(model, loss, batch.y)
    found = _run(model, batch, loss, training, boolean("verify", verify))
    if not found.states:
        raise ArgumentError("model", *_without_states(model, found))
    for warning in found.warnings:
        _logger.warning("%s", warning)
    layers = _by_layer(found.states, decades)
    return GradientFlow(model.name, found.loss, layers, found.warnings, found.checked, setup_of(model))


def _without_states(model: keras.Model, found: Found) -> tuple[str, str]:
    if found.warnings:
        return "a model whose recurrent layers can be seen at work", "; ".join(found.warnings)
    held = [path for path, layer in layers_by_path(model) if isinstance(layer, keras.layers.RNN)]
    if held:
        return (
            "a model that calls its recurrent layers",
            f"{model.name}, which does not call {', '.join(held)}",
        )
    return "a model that holds and calls a keras.layers.RNN", model.name


def _run(model: keras.Model, batch: Batch, loss: Any, training: bool, verify: bool) -> Found:
    """Take the pass that was traced for the like before, or a new one; keep it if it succeeds."""
    passes = _passes.setdefault(model, [])
    purpose = _purpose(model, batch, loss, training)
    for known, backward in passes:
        if known == purpose:
            return backward.run(batch, verify)
    backward = BackwardPass(model, loss, training, batch)
    result = backward.run(batch, verify)
    passes[:] = [*passes, (purpose, backward)][-_KEPT:]
    return result


def _purpose(model: keras.Model, batch: Batch, loss: Any, training: bool) -> tuple:
    """What a trace depends on; equal for calls that may share one."""
    layers = [(id(layer), layer.trainable) for layer in model._flatten_layers()]
    compiled: list[Any] = []
    if model.compiled:
        # Compared by identity: a model that is compiled anew has new ones.
        parts = (model._compile_loss, model.optimizer)
        compiled += [None if part is None else weakref.ref(part) for part in parts]
        scales = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) and model.optimizer.built
        compiled += [model.run_eagerly, model.jit_compile, scales]
    return training, loss, specs_of(tuple(batch)), layers, compiled, tf.config.functions_run_eagerly()


def _by_layer(states: list[StateFlow], decades: float) -> dict[str, dict[str, StateFlow]]:
    layers: dict[str, dict[str, StateFlow]] = {}
    for state in states:
        layers.setdefault(state.layer, {})[state.state] = dataclasses.replace(state, decades=decades)
    return layers
