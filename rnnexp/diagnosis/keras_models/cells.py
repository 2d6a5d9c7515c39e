"""The Jacobians of any Keras model's recurrent layers, on the sequences that the model feeds them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from rnnexp.diagnosis.keras_models.calls import numbered
from rnnexp.diagnosis.keras_models.data import first_batch
from rnnexp.diagnosis.keras_models.instrumentation import Sites, instrumented
from rnnexp.diagnosis.keras_models.preservation import preserved
from rnnexp.diagnosis.keras_models.ways import functions_run_eagerly
from rnnexp.nn.step_derivatives import is_float
from rnnexp.probes import JacobianProducts, LyapunovSpectrum, measure_jacobian, measure_lyapunov
from rnnexp.probes.autodiff_jacobians import CellDerivatives, CellJacobians
from rnnexp.runtime.checks import ArgumentError


def jacobian(model: keras.Model, x: Any, lags: Sequence[int] | None = None) -> dict[str, JacobianProducts]:
    """Measure the Jacobian products of every recurrent layer of a model.

        dS_T/dS_{T-k} = J_T ... J_{T-k+1},   J_t = dS_t/dS_{t-1},   S_t all states of a layer side by side

    By automatic differentiation of one step of the cell, whatever cell it is; where a step is masked, J is
    the identity. The model is left as it was.

    Args:
        model: A built model.
        x: One batch of inputs, as for `gradient_flow`.
        lags: As for `rnnexp.probes.measure_jacobian`.

    Returns:
        Path of a layer, as in `GradientFlow.layers` -> singular values.

    Raises:
        ArgumentError: The model has no recurrent layer that runs in Keras' loop, or a lag is out of range.

    Examples:
        >>> half = keras.initializers.Identity(0.5)
        >>> layer = keras.layers.SimpleRNN(3, "linear", recurrent_initializer=half, name="rnn")
        >>> model = keras.Sequential([keras.Input((5, 2)), layer])
        >>> found = jacobian(model, np.ones((1, 5, 2)), lags=[4])["rnn"]
        >>> np.exp(found.log_sigma).round(4)
        array([[[0.0625, 0.0625, 0.0625]]])
    """
    return {path: measure_jacobian(each, lags) for path, each in _jacobians(model, x)}


def lyapunov(
    model: keras.Model, x: Any, exponents: int | None = None, warm_up: int | None = None
) -> dict[str, LyapunovSpectrum]:
    """Measure the Lyapunov exponents of every recurrent layer of a model, driven by its inputs.

        lambda_i = lim 1/T ln sigma_i(dS_T/dS_0)      nats per step

    Args:
        model: A built model.
        x: One batch of inputs, as for `gradient_flow`.
        exponents: As for `rnnexp.probes.measure_lyapunov`.
        warm_up: As there.

    Returns:
        Path of a layer, as in `GradientFlow.layers` -> exponents.

    Raises:
        ArgumentError: The model has no recurrent layer that runs in Keras' loop, or an argument is out of
            range.

    Examples:
        >>> layer = keras.layers.SimpleRNN(2, "linear", recurrent_initializer="identity", name="rnn")
        >>> model = keras.Sequential([keras.Input((20, 1)), layer])
        >>> lyapunov(model, np.ones((1, 20, 1)))["rnn"].lambda_1
        0.0
    """
    return {path: measure_lyapunov(each, exponents, warm_up) for path, each in _jacobians(model, x)}


class _Run(NamedTuple):
    """One call of a recurrent layer: what its loop was given, in numbers."""

    layer: keras.layers.RNN
    sequences: np.ndarray
    initial_state: Any
    mask: np.ndarray | None


class _Runs(Sites):
    """Notes what every loop is given, and taps nothing."""

    def __init__(self, tape: tf.GradientTape):
        super().__init__(tape, strict=False, values=[])
        self.runs: list[tuple[str, _Run]] = []

    def loop(self, layer, path, sequences, initial_state, mask=None, training=False):
        mask = keras.tree.flatten(mask)[0] if keras.tree.is_nested(mask) else mask
        if self._sees(path):
            states = list(initial_state) if keras.tree.is_nested(initial_state) else [initial_state]
            states = keras.tree.map_structure(np.asarray, states)
            run = _Run(layer, np.asarray(sequences), states, None if mask is None else np.asarray(mask))
            self.runs.append((path, run))
        return keras.layers.RNN.inner_loop(layer, sequences, initial_state, mask, training)

    def step(self, cell, path, call, inputs, states, *args, **kwargs):
        return call(inputs, states, *args, **kwargs)


class _FlatCell:
    """A cell as a map of matrices: all of an input, and of each state, in one row a sample.

    The last column of an input says whether the step counts; where not, the states stay.
    """

    def __init__(self, run: _Run):
        self._cell = run.layer.cell
        self._structure = run.initial_state
        flat = keras.tree.flatten(run.initial_state)
        if not all(map(is_float, flat)):
            raise ArgumentError("model", f"states of floating numbers in {run.layer.name}", "others")
        self._start = [state.reshape(len(state), -1) for state in flat]
        self._shapes = [state.shape[1:] for state in flat]
        self._input_shape = run.sequences.shape[2:]
        self.state_size = [state.shape[1] for state in self._start]
        self.compute_dtype = getattr(self._cell, "compute_dtype", "float32")

    def get_initial_state(self, batch_size: Any = None) -> list[np.ndarray]:
        """Return the states that the layer started from."""
        return [tf.constant(state, self.compute_dtype) for state in self._start]

    def __call__(self, inputs: tf.Tensor, states: list[tf.Tensor]) -> tuple[None, list[tf.Tensor]]:
        """Take one step."""
        x = tf.reshape(inputs[:, :-1], (-1, *self._input_shape))
        shaped = [tf.reshape(s, (-1, *shape)) for s, shape in zip(states, self._shapes, strict=True)]
        _, new_states = self._cell(x, keras.tree.pack_sequence_as(self._structure, shaped))
        flat = [
            tf.reshape(new, tf.shape(old))
            for new, old in zip(keras.tree.flatten(new_states), states, strict=True)
        ]
        counts = inputs[:, -1:] > 0
        chosen = [tf.where(counts, new, old) for new, old in zip(flat, states, strict=True)]
        for new, old in zip(chosen, states, strict=True):
            new.set_shape(old.shape)
        return None, chosen


def _jacobians(model: keras.Model, x: Any) -> Iterator[tuple[str, CellJacobians]]:
    batch = first_batch(model, x)
    with preserved(model, training=False), tf.GradientTape() as tape:
        runs = _Runs(tape)
        with functions_run_eagerly(True), instrumented(model, runs):
            model(batch.x, **({"training": False} if model._call_has_training_arg else {}))
    if not runs.runs:
        raise ArgumentError("model", "a model that calls a keras.layers.RNN", model.name)
    names = numbered(path for path, _ in runs.runs)
    for name, (_, run) in zip(names, runs.runs, strict=True):
        with preserved(model, training=False):
            yield name, _along(run)


def _along(run: _Run) -> CellJacobians:
    x, mask = run.sequences, run.mask
    samples, time_steps = x.shape[:2]
    counts = np.ones((samples, time_steps, 1)) if mask is None else mask.reshape(samples, time_steps, 1)
    rows = np.concatenate([x.reshape(samples, time_steps, -1), counts], axis=2).swapaxes(0, 1)
    rows = rows[::-1] if run.layer.go_backwards else rows
    cell = _FlatCell(run)
    rows = rows.astype(cell.compute_dtype)
    derivatives = CellDerivatives(cell, rows.shape[2])
    return CellJacobians(derivatives, rows, derivatives.trajectory(rows).numpy()[:-1])
