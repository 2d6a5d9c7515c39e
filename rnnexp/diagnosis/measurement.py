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

from rnnexp.diagnosis import comparison, predictions
from rnnexp.diagnosis.comparison import Comparison
from rnnexp.nn.cells.spec import Recipe
from rnnexp.nn.losses import last_step, sequence_losses
from rnnexp.nn.network import READOUT, RECURRENT
from rnnexp.nn.recurrent import RNN
from rnnexp.nn.taps import recording
from rnnexp.probes import (
    GradientProfile,
    JacobianProducts,
    LagContributions,
    LyapunovSpectrum,
    Spectrum,
    States,
    Units,
    measure_gradient,
    measure_jacobian,
    measure_lyapunov,
    measure_spectrum,
)
from rnnexp.probes.trajectory import inspector
from rnnexp.tasks import Batch

_JACOBIAN_SAMPLES = 4  # a full decomposition costs H^3 a step and sample; its spread over samples is small


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one look found.

    Attributes:
        step: Updates that the weights have behind them: the look is before training step `step`.
        gradient: The gradient over time.
        spectrum: Of W_hh; of a gated cell, of the block of its candidate.
        units: Saturated and dead units; of a gated cell, of its gates.
        jacobian: Singular values of dS_T/dS_1, of the first samples; S is h, of an LSTM h and c side by side.
        hidden: The states over time, `rnnexp.probes.measure_states`; of an LSTM h.
        lags: What each lag contributes to dL/dW_hh, L the mean loss at the last scored step; of a gated cell,
            to the gradient of its whole recurrent kernel.
        lyapunov: The largest exponent along the driven trajectories, nats per step.
        predicted_rate: Mean-field rate, `rnnexp.theory.mean_field`, nats per step of lag, from the weights'
            and inputs' variances: sum_ij W_ij^2 / H of W_hh, and mean (W_xh^T x_t + b)^2 over the batch.
        rate_bound: ln(sigma_max sup|phi'|), nats per step of lag.
        orthogonal_rate: The mean-field rate if W_hh were orthogonal with gain 1, on the same inputs.
        carry: The gradient by the c of an LSTM, dl/dc_t from c_1 to c_{T-1}: no step reads c_T, and what goes
            from c_t through h_t of the same step is part of dl/dh_t. None where there is no c, or T = 1.
        comparisons: Every theory that applies, beside what was measured (`rnnexp.diagnosis.predictions`).

    The theory's rates are nan for gated cells, of which they say nothing.
    """

    step: int
    gradient: GradientProfile
    spectrum: Spectrum
    units: Units
    hidden: States
    lags: LagContributions
    jacobian: JacobianProducts
    lyapunov: LyapunovSpectrum
    predicted_rate: float
    rate_bound: float
    orthogonal_rate: float = math.nan
    carry: GradientProfile | None = None
    comparisons: tuple[Comparison, ...] = ()

    def metrics(self) -> dict[str, float]:
        """Return the numbers under the names of the measurement contract; some may not be finite."""
        carry = {}
        if self.carry is not None:
            carry = {"grad/rate_c": self.carry.rate, "grad/log10_ratio_c": self.carry.log10_ratio}
        return {
            "grad/rate": self.gradient.rate,
            "grad/rate_low": self.gradient.rate_low,
            "grad/rate_high": self.gradient.rate_high,
            "grad/log10_ratio": self.gradient.log10_ratio,
            "grad/log10_ratio_low": self.gradient.ratio_low,
            "grad/log10_ratio_high": self.gradient.ratio_high,
            "grad/median_lag": self.lags.median_lag,
            "grad/zero_share": self.gradient.zero_share,
            "grad/nonfinite_share": self.gradient.nonfinite_share,
            "jacobian/log10_sigma_max": self.jacobian.log10_sigma_max,
            "jacobian/log10_sigma_median": self.jacobian.log10_sigma_median,
            "lyapunov/lambda_1": self.lyapunov.lambda_1,
            "recurrent/spectral_radius": self.spectrum.spectral_radius,
            "recurrent/sigma_max": self.spectrum.sigma_max,
            "recurrent/nonnormality": self.spectrum.nonnormality,
            "state/saturated": self.units.saturated,
            "state/dead": self.units.dead,
            "state/effective_rank": self.hidden.final_effective_rank,
            "theory/rate": self.predicted_rate,
            "theory/rate_bound": self.rate_bound,
            **carry,
            **comparison.metrics(self.comparisons),
        }


class Probe:
    """Measures a network on one batch.

    Args:
        twin: A float64 network of the same architecture; its weights are overwritten at every look.
        recipe: Of its cell.
        activation: Name of phi.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: The fixed batch, x (B, T, F).
        bootstrap: Resamples behind the intervals.
    """

    def __init__(
        self,
        twin: keras.Model,
        recipe: Recipe,
        activation: str,
        loss_kind: str,
        batch: Batch,
        bootstrap: int = 1000,
    ):
        self._twin = twin
        self._loss_kind = loss_kind
        self._x = tf.constant(batch.x, tf.float64)
        self._y = tf.constant(batch.y)
        self._bootstrap = bootstrap
        layer = twin.get_layer(RECURRENT)
        self._all_scored = layer.return_sequences
        # The same cell in a layer that hands out every state: a look is one pass over the batch.
        self._recurrent = RNN(
            layer.cell, return_sequences=True, segment=layer.segment, name=RECURRENT, dtype="float64"
        )
        self._readout = twin.get_layer(READOUT)
        self._inspector = inspector(recipe, layer, activation, self._x, _JACOBIAN_SAMPLES)
        self._flow = tf.function(self._gradient_flow, autograph=False)

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
        last_adjoint, (by_h, *by_c), observed = tf.nest.map_structure(
            lambda found: found.numpy(), self._flow()
        )
        seen = self._inspector.inspect(last_adjoint, *observed)
        gradient = measure_gradient(by_h, self._bootstrap)
        lyapunov = measure_lyapunov(seen.jacobians, exponents=1)
        spectrum = measure_spectrum(seen.kernel)
        compared: list[Comparison] = []
        if seen.known is not None:
            compared = predictions.comparisons(seen.known, gradient, lyapunov, spectrum, untrained=step == 0)
        return Measurement(
            step=step,
            gradient=gradient,
            spectrum=spectrum,
            units=seen.units,
            hidden=seen.hidden,
            lags=seen.lags,
            jacobian=measure_jacobian(seen.few, lags=[len(by_h) - 1]),
            lyapunov=lyapunov,
            predicted_rate=seen.predicted_rate,
            rate_bound=seen.rate_bound,
            orthogonal_rate=seen.orthogonal_rate,
            carry=measure_gradient(by_c[0][:-1], self._bootstrap) if by_c and len(by_h) > 1 else None,
            comparisons=tuple(compared),
        )

    def _gradient_flow(self) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """Return dl_b/dh_T (B, H), ln ||dl_b/ds_t|| (T, B) of every state s, h first, and what is observed.

        l_b is the loss of sample b at its last scored step. No sample touches another's states, so the
        gradient of their sum is that of each.
        """
        with tf.GradientTape() as tape, recording(tape, per_sample=True) as record:
            states = self._recurrent(self._x)
            scored = states if self._all_scored else states[:, -1]
            y, prediction = last_step(self._y, self._readout(scored))
            loss = tf.reduce_sum(sequence_losses(self._loss_kind, y, prediction))
        to_states, *log_norms = tape.gradient(loss, [states, *record.taps.values()])
        return to_states[:, -1], log_norms, self._inspector.observe(tf.transpose(states, (1, 0, 2)))
