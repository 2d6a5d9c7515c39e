"""Runs a network through one batch, forwards and backwards, and returns its trajectory."""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnexp.nn import activations
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.nn.losses import last_step, sequence_losses
from rnnexp.nn.network import READOUT, RECURRENT, read_out
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording
from rnnexp.probes.autodiff_jacobians import CellDerivatives, CellJacobians, state_sizes
from rnnexp.probes.autodiff_lags import CellLags
from rnnexp.probes.lags import LagContributions
from rnnexp.probes.trajectory import Trajectory
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Batch


class DifferentiatedCell:
    """The derivatives of a cell, `rnnexp.probes.trajectory.Differentiated`; each is traced at its first use.

    Args:
        cell: A Keras cell, built.
        inputs: F.
    """

    def __init__(self, cell: Any, inputs: int):
        self._cell = cell
        self._inputs = inputs

    @functools.cached_property
    def derivatives(self) -> CellDerivatives:
        """The derivatives of the states by the states of the step before."""
        return CellDerivatives(self._cell, self._inputs)

    @functools.cached_property
    def _lags(self) -> CellLags:
        return CellLags(self._cell)

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
        """Return the contribution of each lag; None for a cell without a recurrent kernel.

        Args:
            x: The inputs, (T, B, F).
            before: S_{t-1} of every step, (T, B, N).
            last_adjoint: dl_b/dh_T, (B, H).
        """
        if getattr(self._cell, "recurrent_kernel", None) is None:
            return None
        others = before.shape[2] - last_adjoint.shape[1]
        return self._lags.measure(x, before, np.pad(last_adjoint, ((0, 0), (0, others))))


class Rollout:
    """Runs a network through one batch, forwards and backwards.

    Args:
        network: Of `rnnexp.nn.network.build_network`, in float64; every call overwrites its weights.
        spec: Of its cell.
        activation: Name of phi.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: x (B, T, F) and y.
        resamples: Number of resamples of the intervals over samples.

    Raises:
        ArgumentError: The spec does not name the states of the cell, or the cell's output has not the width
            of its first state.
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
        self._x_by_time = tf.transpose(self._x, (1, 0, 2))
        self._y = tf.constant(batch.y)
        layer = network.get_layer(RECURRENT)
        self._cell = layer.cell
        self._all_scored = layer.return_sequences
        # The same cell in a layer that returns every state, so that one pass over the batch suffices.
        self._recurrent = RNN(
            layer.cell, return_sequences=True, segment=layer.segment, name=RECURRENT, dtype="float64"
        )
        self._readout = network.get_layer(READOUT)
        self._differentiated = DifferentiatedCell(layer.cell, batch.x.shape[2])
        _check_states(spec, layer.cell)
        self._run = tf.function(self._forwards_and_backwards, autograph=False)

    def trajectory(self, weights: list[np.ndarray]) -> Trajectory:
        """Return the trajectory of the network that has these weights.

        Args:
            weights: In the order of `keras.Model.get_weights`, of any dtype. They need not be finite.

        Raises:
            ValueError: They are not those of such a network.
        """
        self._network.set_weights(weights)
        found = tf.nest.map_structure(_array, self._run())
        last_adjoint, log_norms, hidden, before, units, read_slopes = found
        return Trajectory(
            spec=self._spec,
            activation=self._activation,
            x=self._x_by_time.numpy(),
            before=before,
            hidden=hidden,
            log_norms=dict(zip(self._spec.states, log_norms, strict=True)),
            last_adjoint=last_adjoint,
            readout_kernel=self._readout.kernel.numpy(),
            units=units,
            read_slopes=read_slopes,
            factored=self._spec.factored(self._cell, units),
            recurrent_matrix=self._spec.recurrent_matrix(self._cell),
            recurrent_initializer=getattr(self._cell, "recurrent_initializer", None),
            resamples=self._resamples,
            differentiated=self._differentiated,
        )

    def _forwards_and_backwards(self) -> tuple[Any, ...]:
        """Return dl_b/dh_T, ln ||dl_b/ds_t|| of every state, h_t, S_{t-1}, `Units` and phi'(h_T) or None.

        Samples are independent, so the gradient of sum_b l_b by a state of sample b is that of l_b.
        """
        with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
            outputs = self._recurrent(self._x)
            scored = outputs if self._all_scored else outputs[:, -1]
            y, prediction = last_step(self._y, read_out(self._network, scored))
            loss = tf.reduce_sum(sequence_losses(self._loss_kind, y, prediction))
        to_outputs, *log_norms = tape.gradient(loss, [outputs, *record.taps.values()])
        hidden, before = self._states(tf.transpose(outputs, (1, 0, 2)))
        units = self._spec.units(self._cell, self._x_by_time, before)
        read_slopes = None
        if self._spec.read_through_activation:
            read_slopes = activations.slope(self._cell.activation, hidden[-1])
        return to_outputs[:, -1], log_norms, hidden, before, units, read_slopes

    def _states(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return h_t (T, B, H) and S_{t-1} (T, B, N), from the outputs if h is the only state."""
        if len(self._spec.states) == 1:
            (start,) = tf.nest.flatten(self._cell.get_initial_state(batch_size=outputs.shape[1]))
            return outputs, tf.concat([start[tf.newaxis], outputs[:-1]], axis=0)
        states = self._differentiated.derivatives.trajectory(self._x_by_time)
        return states[1:, :, : outputs.shape[2]], states[:-1]


def _check_states(spec: CellSpec, cell: Any) -> None:
    sizes = state_sizes(cell)
    if len(sizes) != len(spec.states):
        raise ArgumentError("cell.states", f"the names of {len(sizes)} states", spec.states)
    if cell.output_size != sizes[0]:
        raise ArgumentError("cell", f"an output of the width {sizes[0]} of its first state", cell.output_size)


def _array(tensor: tf.Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.numpy()
