"""Runs a network through one batch, forwards and backwards, and returns its trajectory."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.nn.losses import last_step, sequence_losses
from rnnexp.nn.network import READOUT, read, read_out, recurrent_layers
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording
from rnnexp.probes.autodiff_jacobians import CellDerivatives, CellJacobians, state_sizes
from rnnexp.probes.autodiff_lags import CellLags
from rnnexp.probes.lags import LagContributions
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Batch


class DifferentiatedCell:
    """The derivatives of a cell with its present weights.

    Args:
        cell: A Keras cell, built.
        inputs: F.
    """

    def __init__(self, cell: Any, inputs: int):
        self.derivatives = CellDerivatives(cell, inputs)
        self._lags = None if getattr(cell, "recurrent_kernel", None) is None else CellLags(cell)

    def jacobians(self, x: np.ndarray, before: np.ndarray) -> CellJacobians:
        """Return J_t of inputs x (T, B, F) and states S_{t-1} before every step, (T, B, N)."""
        return CellJacobians(self.derivatives, x, before)

    def pull_inputs(
        self, x: np.ndarray, before: np.ndarray, gradients: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return gradients by S_{t-1} (R, N) and by x_t (R, F), from gradients by S_t (R, N), for R rows."""
        by_state, by_input = self.derivatives.pull_inputs(x, before, gradients)
        return by_state.numpy(), by_input.numpy()

    def lags(self, x: np.ndarray, before: np.ndarray, last_adjoint: np.ndarray) -> LagContributions | None:
        """Return what each lag contributes to dl_b/dh_T (B, H); None without a recurrent kernel."""
        if self._lags is None:
            return None
        others = before.shape[2] - last_adjoint.shape[1]
        return self._lags.measure(x, before, np.pad(last_adjoint, ((0, 0), (0, others))))


class Rollout:
    """Runs a network through one batch, forwards and backwards.

    Args:
        network: Of `rnnexp.nn.network.build_network`, in float64; every call overwrites its weights.
        spec: Of its cells.
        activation: Name of phi.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: x (B, T, F) and y.
        resamples: Number of resamples of the intervals over samples.

    Raises:
        ArgumentError: The spec does not name the states of the cells, or a cell's output has not the width of
            its first state.
    """

    def __init__(
        self,
        network: keras.Model,
        spec: CellSpec,
        activation: str,
        loss_kind: str,
        batch: Batch,
        resamples: int = 1000,
    ):
        self._network = network
        self._spec = spec
        self._activation = activation
        self._loss_kind = loss_kind
        self._resamples = resamples
        self._x = tf.constant(batch.x, tf.float64)
        self._y = tf.constant(batch.y)
        layers = recurrent_layers(network)
        self._all_scored = layers[-1].return_sequences
        features = [batch.x.shape[2], *(layer.cell.output_size for layer in layers[:-1])]
        self._layers = [_Layer(layer, spec, inputs) for layer, inputs in zip(layers, features, strict=True)]
        self._readout = network.get_layer(READOUT)
        self._run = tf.function(self._forwards_and_backwards, autograph=False)

    def trajectory(self, weights: list[np.ndarray]) -> Trajectory:
        """Return the trajectory of the lowest layer, as `trajectories`."""
        return self.trajectories(weights)[0]

    def trajectories(self, weights: list[np.ndarray]) -> list[Trajectory]:
        """Return the trajectory of every layer of the network that has these weights, the lowest first.

        Args:
            weights: In the order of `keras.Model.get_weights`, of any dtype. They need not be finite.

        Raises:
            ValueError: They are not those of such a network.
        """
        self._network.set_weights(weights)
        found: list[_Run] = tf.nest.map_structure(
            lambda tensor: None if tensor is None else tensor.numpy(), self._run()
        )
        readouts = [None] * (len(found) - 1) + [self._readout.kernel.numpy()]
        parts = zip(self._layers, found, readouts, strict=True)
        return [self._trajectory(layer, run, readout) for layer, run, readout in parts]

    def _trajectory(self, layer: "_Layer", run: "_Run", readout_kernel: np.ndarray | None) -> Trajectory:
        found = run._asdict() | {"log_norms": dict(zip(self._spec.states, run.log_norms, strict=True))}
        return Trajectory(
            spec=self._spec,
            activation=self._activation,
            **found,
            readout_kernel=readout_kernel,
            factored=self._spec.factored(layer.cell, run.units),
            recurrent_matrix=self._spec.recurrent_matrix(layer.cell),
            recurrent_initializer=getattr(layer.cell, "recurrent_initializer", None),
            resamples=self._resamples,
            differentiated=layer.differentiated,
        )

    def _forwards_and_backwards(self) -> list["_Run"]:
        """Return what happened in every layer.

        Samples are independent, so the gradient of sum_b l_b by a state of sample b is that of l_b.
        """
        count, below, inputs, outputs = len(self._spec.states), self._x, [], []
        with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
            for number, layer in enumerate(self._layers, start=1):
                inputs.append(below)
                outputs.append(layer.every_state(below))
                if number < len(self._layers):
                    below = read(self._network, number, outputs[-1])
            scored = outputs[-1] if self._all_scored else outputs[-1][:, -1]
            y, prediction = last_step(self._y, read_out(self._network, scored))
            loss = tf.reduce_sum(sequence_losses(self._loss_kind, y, prediction))
        to_outputs, log_norms = tape.gradient(loss, (outputs, list(record.taps.values())))
        parts = zip(self._layers, inputs, outputs, to_outputs, strict=True)
        return [
            layer.run(x, states, adjoint[:, -1], log_norms[place * count : (place + 1) * count])
            for place, (layer, x, states, adjoint) in enumerate(parts)
        ]


class _Run(NamedTuple):
    """What happened in one layer, with the names of `Trajectory`, as tensors or arrays."""

    x: Any
    before: Any
    hidden: Any
    log_norms: Any
    last_adjoint: Any
    units: Any
    read_slopes: Any


class _Layer:
    """One recurrent layer of a network: the same cell in a layer that returns every state.

    One pass over the batch then suffices.
    """

    def __init__(self, layer: RNN, spec: CellSpec, inputs: int):
        _check_states(spec, layer.cell)
        self.cell: Any = layer.cell
        self.every_state = RNN(
            layer.cell, return_sequences=True, segment=layer.segment, name=layer.name, dtype="float64"
        )
        self.differentiated = DifferentiatedCell(layer.cell, inputs)
        self._spec = spec

    def run(
        self, x: tf.Tensor, outputs: tf.Tensor, last_adjoint: tf.Tensor, log_norms: list[tf.Tensor]
    ) -> _Run:
        """Return what happened on inputs x (B, T, F) that led to outputs (B, T, H)."""
        x_by_time = tf.transpose(x, (1, 0, 2))
        hidden, before = self._states(x_by_time, tf.transpose(outputs, (1, 0, 2)))
        units = self._spec.units(self.cell, x_by_time, before)
        read_slopes = None
        if self._spec.read_through_activation:
            read_slopes = activations.slope(self.cell.activation, hidden[-1])
        return _Run(x_by_time, before, hidden, log_norms, last_adjoint, units, read_slopes)

    def _states(self, x: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return h_t (T, B, H) and S_{t-1} (T, B, N), from the outputs if h is the only state."""
        if len(self._spec.states) == 1:
            (start,) = tf.nest.flatten(self.cell.get_initial_state(batch_size=outputs.shape[1]))
            return outputs, tf.concat([start[tf.newaxis], outputs[:-1]], axis=0)
        states = self.differentiated.derivatives.trajectory(x)
        return states[1:, :, : outputs.shape[2]], states[:-1]


def _check_states(spec: CellSpec, cell: Any) -> None:
    sizes = state_sizes(cell)
    if len(sizes) != len(spec.states):
        raise ArgumentError("cell.states", f"the names of {len(sizes)} states", spec.states)
    if cell.output_size != sizes[0]:
        raise ArgumentError("cell", f"an output of the width {sizes[0]} of its first state", cell.output_size)
