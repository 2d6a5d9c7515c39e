"""The way of a network through a batch: what every probe is given.

    S_t = cell(x_t, S_{t-1}),   J_t = dS_t/dS_{t-1},   dl_b/ds_t of every state s

S (B, N) are all states of the cell side by side, h first: h of an Elman cell, h and c of an LSTM.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnexp.nn.cells.spec import CellSpec, Factored, Units
from rnnexp.nn.losses import last_step, sequence_losses
from rnnexp.nn.network import READOUT, RECURRENT
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording
from rnnexp.probes.autodiff_jacobians import CellDerivatives, CellJacobians, state_sizes
from rnnexp.probes.autodiff_lags import CellLags
from rnnexp.probes.jacobians import ElmanJacobians, Jacobians
from rnnexp.probes.lags import LagContributions, measure_lags
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Batch


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """What a network did on one batch, with the weights that it had; to be measured before they change.

    Attributes:
        spec: Of the cell.
        activation: Name of phi.
        x: The inputs, (T, B, F).
        before: S_{t-1} of every step t, (T, B, N).
        hidden: h_t, the first state, (T, B, H).
        log_norms: ln ||dl_b/ds_t||, (T, B), of every state s by its name, h first. l_b is the loss of sample
            b at its last scored step.
        last_adjoint: dl_b/dh_T, (B, H).
        units: What is inside the units, or None.
        readout_kernel: W_hy, (H, O), of the outputs y_t = W_hy^T h_t + c.
        factored: The derivatives of the cell in closed form, or None.
        recurrent_matrix: The matrix (H, H) whose spectrum is shown, or None.
        recurrent_initializer: Of the recurrent kernel, or None.
        resamples: How many the intervals over samples are made of.
        differentiated: The cell under automatic differentiation.
    """

    spec: CellSpec
    activation: str
    x: np.ndarray
    before: np.ndarray
    hidden: np.ndarray
    log_norms: Mapping[str, np.ndarray]
    last_adjoint: np.ndarray
    readout_kernel: np.ndarray
    units: Units | None
    factored: Factored | None
    recurrent_matrix: np.ndarray | None
    recurrent_initializer: Any
    resamples: int
    differentiated: "DifferentiatedCell"

    @functools.cached_property
    def jacobians(self) -> Jacobians:
        """J_t of all samples: in closed form where the cell hands one out, else by differentiation."""
        return self.first_jacobians(self.x.shape[1])

    def first_jacobians(self, samples: int) -> Jacobians:
        """Return J_t of the first samples."""
        first = slice(None, samples)
        if self.factored is not None:
            return ElmanJacobians(self.factored.slopes[:, first], self.factored.kernel)
        return CellJacobians(self.differentiated.derivatives, self.x[:, first], self.before[:, first])

    def lags(self) -> LagContributions | None:
        """Return what each lag contributes to the gradient of the recurrent kernel, if there is one."""
        if self.factored is not None:
            return measure_lags(self.hidden, self.factored.slopes, self.factored.kernel, self.last_adjoint)
        if not self.differentiated.has_recurrent_kernel:
            return None
        carried = self.before.shape[2] - self.last_adjoint.shape[1]
        last_adjoint = np.pad(self.last_adjoint, ((0, 0), (0, carried)))
        return self.differentiated.lags.measure(self.x, self.before, last_adjoint)

    def pull_back(self, index: int, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradients by S_{t-1} (B', K, N) and by x_t (B', K, F) from those by S_t.

        Args:
            index: t - 1.
            vectors: K gradients by S_t of each of the first B' samples, (B', K, N).
        """
        samples, count, _ = vectors.shape
        if self.factored is not None:
            to_pre_activations = vectors * self.factored.slopes[index, :samples, np.newaxis]
            return (
                to_pre_activations @ self.factored.kernel.T,
                to_pre_activations @ self.factored.input_kernel.T,
            )
        rows = (np.repeat(array[index, :samples], count, axis=0) for array in (self.x, self.before))
        pulled = self.differentiated.derivatives.pull_inputs(*rows, vectors.reshape(samples * count, -1))
        by_state, by_input = (gradient.numpy().reshape(samples, count, -1) for gradient in pulled)
        return by_state, by_input


class DifferentiatedCell:
    """The derivatives of a cell, each traced when it is first asked for.

    Args:
        cell: A Keras cell, built.
        inputs: F.
    """

    def __init__(self, cell: Any, inputs: int):
        self._cell = cell
        self._inputs = inputs
        self.has_recurrent_kernel = getattr(cell, "recurrent_kernel", None) is not None

    @functools.cached_property
    def derivatives(self) -> CellDerivatives:
        """Of the states by the states before."""
        return CellDerivatives(self._cell, self._inputs)

    @functools.cached_property
    def lags(self) -> CellLags:
        """Of the loss by the recurrent kernel, lag by lag."""
        return CellLags(self._cell)


class Rollout:
    """Runs a network through one batch, forwards and backwards.

    Args:
        network: Of `rnnexp.nn.network.build_network`, in float64; its weights are overwritten at every call.
        spec: Of its cell.
        activation: Name of phi.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: x (B, T, F) and y.
        resamples: How many the intervals over samples are made of.

    Raises:
        ArgumentError: The spec does not name the states of the cell, or the cell hands on another tensor than
            one of the width of its first state.
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
        # The same cell in a layer that hands out every state: one pass over the batch tells everything.
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
        last_adjoint, log_norms, hidden, before, units = found
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
            factored=self._spec.factored(self._cell, units),
            recurrent_matrix=self._spec.recurrent_matrix(self._cell),
            recurrent_initializer=getattr(self._cell, "recurrent_initializer", None),
            resamples=self._resamples,
            differentiated=self._differentiated,
        )

    def _forwards_and_backwards(self) -> tuple[Any, ...]:
        """Return dl_b/dh_T, ln ||dl_b/ds_t|| of every state, h_t, S_{t-1} and what is inside the units.

        No sample touches another's states, so the gradient of the sum of the l_b is that of each.
        """
        with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
            outputs = self._recurrent(self._x)
            scored = outputs if self._all_scored else outputs[:, -1]
            y, prediction = last_step(self._y, self._readout(scored))
            loss = tf.reduce_sum(sequence_losses(self._loss_kind, y, prediction))
        to_outputs, *log_norms = tape.gradient(loss, [outputs, *record.taps.values()])
        hidden, before = self._states(tf.transpose(outputs, (1, 0, 2)))
        units = self._spec.units(self._cell, self._x_by_time, before)
        return to_outputs[:, -1], log_norms, hidden, before, units

    def _states(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return h_t (T, B, H) and S_{t-1} (T, B, N), from the outputs where they are all states."""
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
