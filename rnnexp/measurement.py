"""One look at the network: the probes and the theory beside them, on a fixed batch.

The look is taken through a float64 twin of the network: what is measured is the gradient of the map that the
weights define, over 300 decades, and not the rounding of the training dtype, whose zeros and infinities show
in the profiles recorded at every training step.
"""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from rnnexp import activations, theory
from rnnexp.losses import last_step, sequence_losses
from rnnexp.network import RECURRENT
from rnnexp.probes import (
    ElmanJacobians,
    GradientProfile,
    JacobianProducts,
    LyapunovSpectrum,
    Spectrum,
    Units,
    measure_gradient,
    measure_jacobian,
    measure_lyapunov,
    measure_spectrum,
    measure_units,
)
from rnnexp.recording import recording
from rnnexp.scan import scan
from rnnexp.tasks import Batch

_JACOBIAN_SAMPLES = 4  # a full decomposition costs H^3 a step and sample; its spread over samples is small


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one look found.

    Attributes:
        step: Updates that the weights have behind them: the look is before training step `step`.
        gradient: The gradient over time.
        spectrum: Of W_hh.
        units: Saturated and dead units.
        jacobian: Singular values of dh_T/dh_1, of the first samples.
        lyapunov: The largest exponent along the driven trajectories, nats per step.
        predicted_rate: Mean-field rate, `rnnexp.theory.mean_field`, nats per step of lag, from the weights'
            and inputs' variances: sum_ij W_ij^2 / H of W_hh, and mean (W_xh^T x_t + b)^2 over the batch.
        rate_bound: ln(sigma_max sup|phi'|), nats per step of lag.
        orthogonal_rate: The mean-field rate if W_hh were orthogonal with gain 1, on the same inputs.
    """

    step: int
    gradient: GradientProfile
    spectrum: Spectrum
    units: Units
    jacobian: JacobianProducts
    lyapunov: LyapunovSpectrum
    predicted_rate: float
    rate_bound: float
    orthogonal_rate: float = math.nan

    def metrics(self) -> dict[str, float]:
        """Return the numbers under the names of the measurement contract; some may not be finite."""
        return {
            "grad/rate": self.gradient.rate,
            "grad/rate_low": self.gradient.rate_low,
            "grad/rate_high": self.gradient.rate_high,
            "grad/log10_ratio": self.gradient.log10_ratio,
            "grad/log10_ratio_low": self.gradient.ratio_low,
            "grad/log10_ratio_high": self.gradient.ratio_high,
            "grad/zero_share": self.gradient.zero_share,
            "grad/nonfinite_share": self.gradient.nonfinite_share,
            "jacobian/log10_sigma_max": self.jacobian.log10_sigma_max,
            "jacobian/log10_sigma_median": self.jacobian.log10_sigma_median,
            "lyapunov/lambda_1": self.lyapunov.lambda_1,
            "recurrent/spectral_radius": self.spectrum.spectral_radius,
            "recurrent/sigma_max": self.spectrum.sigma_max,
            "state/saturated": self.units.saturated,
            "state/dead": self.units.dead,
            "theory/rate": self.predicted_rate,
            "theory/rate_bound": self.rate_bound,
        }


class Probe:
    """Measures a network on one batch.

    Args:
        twin: A float64 network of the same architecture; its weights are overwritten at every look.
        activation: Name of phi.
        loss_kind: As `rnnexp.losses.sequence_losses` knows it.
        batch: The fixed batch, x (B, T, F).
        bootstrap: Resamples behind the intervals.
    """

    def __init__(
        self, twin: keras.Model, activation: str, loss_kind: str, batch: Batch, bootstrap: int = 1000
    ):
        self._twin = twin
        self._layer = twin.get_layer(RECURRENT)
        self._loss_kind = loss_kind
        self._x = tf.constant(batch.x, tf.float64)
        self._y = tf.constant(batch.y)
        self._steps = batch.x.shape[1]
        self._bootstrap = bootstrap
        self._phi, self._slope = activations.numpy_pair(activation)
        self._slope_bound = theory.slope_bound(self._slope)
        self._flow = tf.function(self._gradient_flow)

    def measure(self, weights: list[np.ndarray], step: int) -> Measurement:
        """Measure the network that has these weights.

        Args:
            weights: In the order of `keras.Model.get_weights`, of any dtype. They need not be finite: what
                cannot be measured of them is nan.
            step: Updates that they have behind them.

        Raises:
            ValueError: The weights are not those of such a network.
        """
        self._twin.set_weights(weights)
        log_norms, slopes, input_variance = (result.numpy() for result in self._flow())
        kernel = self._layer.cell.recurrent_kernel.numpy()
        spectrum = measure_spectrum(kernel)
        first = ElmanJacobians(slopes[:, :_JACOBIAN_SAMPLES], kernel)
        return Measurement(
            step=step,
            gradient=measure_gradient(log_norms, self._bootstrap),
            spectrum=spectrum,
            units=measure_units(slopes),
            jacobian=measure_jacobian(first, lags=[self._steps - 1]),
            lyapunov=measure_lyapunov(ElmanJacobians(slopes, kernel), exponents=1),
            predicted_rate=self._predict(float(input_variance)),
            rate_bound=theory.rate_bound(spectrum.sigma_max, self._slope_bound),
            orthogonal_rate=self._mean_field_rate(1.0, float(input_variance)),
        )

    def _gradient_flow(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return ln ||dl_b/dh_t|| (T, B), phi'(a_t) (T, B, H) and mean (W_xh^T x_t + b)^2.

        l_b is the loss of sample b at its last scored step. No sample touches another's states, so the
        gradient of their sum is that of each.
        """
        with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
            y, prediction = last_step(self._y, self._twin(self._x))
            loss = tf.reduce_sum(sequence_losses(self._loss_kind, y, prediction))
        (log_norms,) = tape.gradient(loss, list(record.taps.values()))
        projected = self._layer.project(self._x)
        pre_activations = self._pre_activations(projected)
        slopes = activations.slope(self._layer.cell.activation, pre_activations)
        # Some activations have a slope at nan; a unit whose state is lost is neither saturated nor dead.
        slopes = tf.where(tf.math.is_finite(pre_activations), slopes, math.nan)
        return log_norms, slopes, tf.reduce_mean(tf.square(projected))

    def _pre_activations(self, projected: tf.Tensor) -> tf.Tensor:
        """Return a_t = p_t + W_hh^T h_{t-1} of all steps, (T, B, H), from p (T, B, H)."""
        kernel = tf.convert_to_tensor(self._layer.cell.recurrent_kernel)
        initial = tf.zeros_like(projected[0])
        states = scan(projected, kernel, initial, self._layer.cell.activation).states
        before = tf.concat([initial[tf.newaxis], states], axis=0)[:-1]
        return projected + tf.matmul(before, kernel)

    def _predict(self, input_variance: float) -> float:
        kernel = self._layer.cell.recurrent_kernel.numpy()
        with np.errstate(over="ignore"):
            weight_variance = float(np.sum(np.square(kernel)) / len(kernel))
        return self._mean_field_rate(weight_variance, input_variance)

    def _mean_field_rate(self, weight_variance: float, input_variance: float) -> float:
        if not math.isfinite(weight_variance) or not math.isfinite(input_variance):
            return math.nan
        return theory.mean_field(self._phi, self._slope, weight_variance, input_variance, self._steps).rate
