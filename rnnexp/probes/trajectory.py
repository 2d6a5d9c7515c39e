"""What a look at a network finds that depends on the kind of its cell, one class a kind."""

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from rnnexp import theory
from rnnexp.nn import activations
from rnnexp.nn.cells.spec import Recipe
from rnnexp.nn.initializers import Gaussian, GlorotUniform
from rnnexp.nn.recurrent import RNN
from rnnexp.probes import (
    ElmanJacobians,
    Jacobians,
    LagContributions,
    States,
    Units,
    measure_lags,
    measure_states,
    measure_units,
)
from rnnexp.probes.autodiff_jacobians import CellDerivatives, CellJacobians
from rnnexp.probes.autodiff_lags import CellLags

_SHORT = 2.0  # times sqrt(H): further on the mean over kernels is that of rare ones


@dataclass(frozen=True, eq=False, kw_only=True)
class Observed:
    """What was seen of an Elman layer on one batch.

    Attributes:
        kernel: W_hh, (H, H).
        slopes: phi'(a_1) ... phi'(a_T), (T, B, H).
        variances: q_t = mean_{b,i} a_t^2, (T,).
        slope: phi'.
        activation: Name of phi.
        mean_field_rate: `rnnexp.theory.mean_field(...).rate`, nats per step.
        rate_bound: ln(sigma_max sup |phi'|), nats per step.
        independent: Whether the initialiser of W_hh draws every entry by itself.
    """

    kernel: np.ndarray
    slopes: np.ndarray
    variances: np.ndarray
    slope: theory.Elementwise
    activation: str
    mean_field_rate: float
    rate_bound: float
    independent: bool = False

    @property
    def gain(self) -> float | None:
        """The g of W_hh = g I, else None."""
        gain = float(self.kernel[0, 0])
        return gain if np.array_equal(self.kernel, np.diag(np.full(len(self.kernel), gain))) else None

    @property
    def weight_variance(self) -> float:
        """Mean-field theory's sigma_w^2 = sum_ij W_ij^2 / H."""
        with np.errstate(over="ignore"):
            return float(np.sum(np.square(self.kernel)) / len(self.kernel))

    @property
    def short(self) -> bool:
        """Whether T-1 <= 2 sqrt(H): no eigenvalue has grown beyond the rest yet."""
        return len(self.slopes) - 1 <= _SHORT * theory.glorot_time_scale(len(self.kernel))


class Inspection(NamedTuple):
    """What one look found.

    Attributes:
        kernel: The matrix (H, H) whose spectrum is told: W_hh; of a gated cell, the candidate's block.
        jacobians: dS_t/dS_{t-1} of all samples, S being all states: h, or h and c.
        few: Those of the first samples, for what costs much.
        units: Saturated and dead units.
        hidden: The states over time; of an LSTM h. Of a gated cell without pre-activations and slopes.
        lags: What each lag contributes to the gradient of the recurrent kernel.
        predicted_rate: Mean-field rate from the weights' and inputs' variances, nats per step of lag.
        rate_bound: ln(sigma_max sup|phi'|), nats per step of lag.
        orthogonal_rate: The mean-field rate if W_hh were orthogonal with gain 1, on the same inputs.
        known: What `rnnexp.diagnosis.predictions.comparisons` takes; None where there is no theory.

    nan where there is no theory for the cell.
    """

    kernel: np.ndarray
    jacobians: Jacobians
    few: Jacobians
    units: Units
    hidden: States
    lags: LagContributions
    predicted_rate: float = math.nan
    rate_bound: float = math.nan
    orthogonal_rate: float = math.nan
    known: Observed | None = None


class Inspector(Protocol):
    """Looks at the weights that a network has now."""

    def observe(self, states: tf.Tensor) -> list[tf.Tensor]:
        """Return what is to be seen of h_1 .. h_T, (T, B, H); traced into the graph that makes them."""

    def inspect(self, last_adjoint: np.ndarray, *observed: np.ndarray) -> Inspection:
        """Return what there is to see.

        Args:
            last_adjoint: dl_b/dh_T, (B, H), of the loss at the last scored step.
            *observed: What `observe` told.
        """


def inspector(recipe: Recipe, layer: RNN, activation: str, x: tf.Tensor, few: int) -> Inspector:
    """Return what looks at a layer.

    Args:
        recipe: Of its cell.
        layer: In float64, built.
        activation: Name of phi.
        x: The inputs, (B, T, F).
        few: How many samples the costly probes are given.
    """
    if recipe.gated:
        return GatedInspector(recipe, layer, x, few)
    return ElmanInspector(layer, activation, x, few)


class ElmanInspector:
    """Looks at an Elman cell: Jacobians and rates in closed form."""

    def __init__(self, layer: RNN, activation: str, x: tf.Tensor, few: int):
        self._layer = layer
        self._x = x
        self._few = few
        self._steps = x.shape[1]
        self._activation = activation
        self._phi, self._slope = activations.numpy_pair(activation)
        self._slope_bound = theory.slope_bound(self._slope)

    def observe(self, states: tf.Tensor) -> list[tf.Tensor]:
        """Return h_t, a_t, phi'(a_t), all (T, B, H), and mean (W_xh^T x_t + b)^2."""
        projected = self._layer.project(self._x)
        before = tf.concat([tf.zeros_like(states[:1]), states[:-1]], axis=0)
        pre_activations = projected + tf.matmul(
            before, tf.convert_to_tensor(self._layer.cell.recurrent_kernel)
        )
        slopes = activations.slope(self._layer.cell.activation, pre_activations)
        input_variance = tf.reduce_mean(tf.square(projected))
        return [states, pre_activations, _where_finite(slopes, pre_activations), input_variance]

    def inspect(self, last_adjoint: np.ndarray, *observed: np.ndarray) -> Inspection:
        """Return what there is to see; arguments as `Inspector.inspect`."""
        states, pre_activations, slopes, input_variance = observed
        kernel = self._layer.cell.recurrent_kernel.numpy()
        sigma_max = float(np.linalg.norm(kernel, 2)) if np.isfinite(kernel).all() else math.nan
        with np.errstate(over="ignore"):
            weight_variance = float(np.sum(np.square(kernel)) / len(kernel))
        predicted_rate = self._mean_field_rate(weight_variance, float(input_variance))
        rate_bound = theory.rate_bound(sigma_max, self._slope_bound)
        initializer = self._layer.cell.recurrent_initializer
        hidden = measure_states(states, pre_activations, slopes)
        known = Observed(
            kernel=kernel,
            slopes=slopes,
            variances=hidden.mean_square,
            slope=self._slope,
            activation=self._activation,
            mean_field_rate=predicted_rate,
            rate_bound=rate_bound,
            independent=isinstance(initializer, Gaussian | GlorotUniform),
        )
        return Inspection(
            kernel,
            ElmanJacobians(slopes, kernel),
            ElmanJacobians(slopes[:, : self._few], kernel),
            measure_units(slopes),
            hidden,
            measure_lags(states, slopes, kernel, last_adjoint),
            predicted_rate=predicted_rate,
            rate_bound=rate_bound,
            orthogonal_rate=self._mean_field_rate(1.0, float(input_variance)),
            known=known,
        )

    def _mean_field_rate(self, weight_variance: float, input_variance: float) -> float:
        if not math.isfinite(weight_variance) or not math.isfinite(input_variance):
            return math.nan
        return theory.mean_field(self._phi, self._slope, weight_variance, input_variance, self._steps).rate


class GatedInspector:
    """Looks at an LSTM or a GRU: Jacobians of all states by automatic differentiation, and no theory.

    Units: `saturated` is the share of the gates' units (i, f, o, or z, r; not the candidate's) whose slope
    sigma' is under 0.01 at a typical step, which for the logistic sigma is |a| > 4.6: as good as open or shut
    for good. `dead` has no agreed meaning for units with gates and is nan.
    """

    def __init__(self, recipe: Recipe, layer: RNN, x: tf.Tensor, few: int):
        self._recipe = recipe
        self._cell = layer.cell
        self._x = tf.transpose(x, (1, 0, 2))
        self._few = few
        self._derivatives = CellDerivatives(layer.cell, x.shape[2])
        self._lags = CellLags(layer.cell)
        self._look = tf.function(self._gate_slopes, autograph=False)
        self._last = tf.function(self._step, autograph=False)

    def observe(self, states: tf.Tensor) -> list[tf.Tensor]:
        """Return nothing: all states are taken from the cell itself, step by step."""
        return []

    def inspect(self, last_adjoint: np.ndarray, *observed: np.ndarray) -> Inspection:
        """Return what there is to see; arguments as `Inspector.inspect`."""
        before = self._derivatives.trajectory(self._x)
        x, states, few = self._x.numpy(), before.numpy(), slice(None, self._few)
        blocks = np.split(self._cell.recurrent_kernel.numpy(), len(self._recipe.blocks), axis=1)
        units = measure_units(self._look(before).numpy())
        last = self._last(before[-1]).numpy()
        hidden = np.concatenate([states[1:, :, : self._cell.units], last[np.newaxis]])
        carried = states.shape[2] - last_adjoint.shape[1]
        return Inspection(
            blocks[self._recipe.blocks.index(self._recipe.candidate)],
            CellJacobians(self._derivatives, x, states),
            CellJacobians(self._derivatives, x[:, few], states[:, few]),
            dataclasses.replace(units, dead=math.nan),
            measure_states(hidden),
            self._lags.measure(x, states, np.pad(last_adjoint, ((0, 0), (0, carried)))),
        )

    def _step(self, before: tf.Tensor) -> tf.Tensor:
        """Return h_T (B, H) from S_{T-1} (B, N)."""
        return self._cell(self._x[-1], tf.split(before, len(self._recipe.states), axis=1))[0]

    def _gate_slopes(self, before: tf.Tensor) -> tf.Tensor:
        """Return sigma' of every unit of every gate, (T, B, (n - 1) H), from S_{t-1} (T, B, N)."""
        cell, blocks = self._cell, self._recipe.blocks
        pre_activations = tf.matmul(self._x, cell.kernel) + tf.matmul(
            before[..., : cell.units], cell.recurrent_kernel
        )
        if cell.bias is not None:
            # Of a GRU there are two, in rows.
            pre_activations += tf.reduce_sum(tf.reshape(cell.bias, (-1, cell.kernel.shape[1])), axis=0)
        each = zip(blocks, tf.split(pre_activations, len(blocks), axis=2), strict=True)
        gates = tf.concat([a for name, a in each if name != self._recipe.candidate], axis=2)
        return _where_finite(activations.slope(cell.recurrent_activation, gates), gates)


def _where_finite(slopes: tf.Tensor, pre_activations: tf.Tensor) -> tf.Tensor:
    """Some activations have a slope at nan; a unit whose state is lost is neither saturated nor dead."""
    return tf.where(tf.math.is_finite(pre_activations), slopes, math.nan)
