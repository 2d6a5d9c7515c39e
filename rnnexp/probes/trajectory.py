"""The trajectory of a recurrent layer on a batch: the input of every probe.

    S_t = cell(x_t, S_{t-1}),   J_t = dS_t/dS_{t-1},   dl_b/ds_t of every state s

S (B, N) are all states of the cell side by side, h first: h of an Elman cell, h and c of an LSTM.
`rnnexp.probes.rollout.Rollout` runs a network and returns its trajectory.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnexp.nn.cells.spec import CellSpec, Factored, Units
from rnnexp.probes.jacobians import ElmanJacobians, Jacobians


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """The states and gradients of a layer on one batch. Measure it before the weights change.

    Of several layers, each has its own: what lies below it is its input, and what lies above it counts in
    dl_b/ds_t as a part of the way from its states to the loss.

    Attributes:
        spec: Of the cell.
        activation: Name of phi.
        x: The inputs, (T, B, F): of a layer upon another, what it reads of the states there, (T, B, H).
        before: S_{t-1} of every step t, (T, B, N).
        hidden: h_t, the first state, (T, B, H).
        log_norms: ln ||dl_b/ds_t||, (T, B), of every state s by its name, h first. l_b is the loss of sample
            b at its last scored step.
        last_adjoint: dl_b/dh_T, (B, H).
        units: Slopes and pre-activations of the units, or None.
        readout_kernel: W_hy, (H, O), of the outputs y_t = W_hy^T h_t + c; None of a layer below another.
        factored: The derivatives of the cell in closed form, or None.
        recurrent_matrix: The matrix (H, H) whose spectrum is shown, or None.
        recurrent_initializer: Of the recurrent kernel, or None.
        resamples: Number of resamples of the intervals over samples.
        differentiated: The cell under automatic differentiation, `rnnexp.probes.rollout.DifferentiatedCell`.
        read_slopes: phi'(h_T), (B, H), of outputs y_t = W_hy^T phi(h_t) + c; None where they are as above.
    """

    spec: CellSpec
    activation: str
    x: np.ndarray
    before: np.ndarray
    hidden: np.ndarray
    log_norms: Mapping[str, np.ndarray]
    last_adjoint: np.ndarray
    readout_kernel: np.ndarray | None
    units: Units | None
    factored: Factored | None
    recurrent_matrix: np.ndarray | None
    recurrent_initializer: Any
    resamples: int
    differentiated: Any
    read_slopes: np.ndarray | None = None

    @property
    def read_at_end(self) -> bool:
        """Whether the loss at the last scored step reads h_T alone, so that dl_b/dh_{t-1} = J_t^T dl_b/dh_t.

        It is so of the highest layer. Of the others, the layer above reads every h_t.
        """
        return self.readout_kernel is not None

    @functools.cached_property
    def jacobians(self) -> Jacobians:
        """J_t of all samples: in closed form if the cell has one, else by automatic differentiation."""
        return self.first_jacobians(self.x.shape[1])

    def first_jacobians(self, samples: int) -> Jacobians:
        """Return J_t of the first samples."""
        first = slice(None, samples)
        if self.factored is not None:
            return ElmanJacobians(self.factored.slopes[:, first], self.factored.kernel)
        return self.differentiated.jacobians(self.x[:, first], self.before[:, first])

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
        x, before = (np.repeat(array[index, :samples], count, axis=0) for array in (self.x, self.before))
        pulled = self.differentiated.pull_inputs(x, before, vectors.reshape(samples * count, -1))
        by_state, by_input = (gradient.reshape(samples, count, -1) for gradient in pulled)
        return by_state, by_input
