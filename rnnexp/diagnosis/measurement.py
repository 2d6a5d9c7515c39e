"""One look at the network: the probes and the theory beside them, on a fixed batch.

The look is taken through a float64 twin of the network: what is measured is the gradient of the map that the
weights define, over 300 decades, and not the rounding of the training dtype, whose zeros and infinities show
in the profiles recorded at every training step.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from rnnexp.diagnosis import comparison
from rnnexp.diagnosis.comparison import Comparison
from rnnexp.diagnosis.laws import METRICS
from rnnexp.diagnosis.predictions import Predictions, predict
from rnnexp.diagnosis.truncation import TruncationBias, TruncationProbe
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.probes import GradientProfile, LyapunovSpectrum, Spectrum, Units, catalogue
from rnnexp.probes.probe import Probe
from rnnexp.probes.rollout import Rollout
from rnnexp.tasks import Batch

_NO_PREDICTIONS = Predictions()


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one look found.

    Attributes:
        step: Updates that the weights have behind them: the look is before training step `step`.
        results: What every probe found, by its name; a probe that does not apply to the cell is not there.
        predictions: What theory says, where it has laws of the cell.
        probes: All that measured: those of `rnnexp.probes.catalogue`, and those of the user's own.
        truncation: What truncated back-propagation changes; None where the network is trained without.
    """

    step: int
    results: Mapping[str, Any]
    predictions: Predictions = _NO_PREDICTIONS
    probes: Sequence[Probe[Any]] = catalogue.PROBES
    truncation: TruncationBias | None = None

    @property
    def gradient(self) -> GradientProfile:
        """The gradient over time."""
        return self.results["gradient_profile"]

    @property
    def lyapunov(self) -> LyapunovSpectrum:
        """The largest exponent along the driven trajectories."""
        return self.results["lyapunov"]

    @property
    def spectrum(self) -> Spectrum | None:
        """Of W_hh, or of the block of its candidate; None of a cell that has no recurrent kernel."""
        return self.results.get("spectrum")

    @property
    def units(self) -> Units:
        """Saturated and dead units; nan of a cell that does not tell."""
        return self.results.get("units", Units(math.nan, math.nan))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every law that applies, beside what was measured."""
        return self.predictions.comparisons

    def metrics(self) -> dict[str, float]:
        """Return the numbers under the names of the measurement contract; some may not be finite."""
        return {
            **catalogue.metrics(self.results, self.probes),
            "theory/rate": self.predictions.rate,
            "theory/rate_bound": self.predictions.rate_bound,
            **comparison.metrics(self.comparisons),
            **{f"truncation/{name}": value for name, value in self._bias().items()},
        }

    def _bias(self) -> dict[str, float]:
        return {} if self.truncation is None else self.truncation._asdict()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the step, the arrays of every probe, and what laws say, nan where none applies."""
        said = comparison.metrics(self.comparisons)
        laws = {key.replace("/", "_"): np.array(said.get(key, math.nan)) for key in METRICS}
        bias = {f"truncation_{name}": np.array(value) for name, value in self._bias().items()}
        return {"step": np.array(self.step), **catalogue.arrays(self.results, self.probes), **laws, **bias}


class Measurer:
    """Measures a network on one batch.

    Args:
        twin: A float64 network of the same architecture; its weights are overwritten at every look.
        spec: Of its cell.
        activation: Name of phi.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: The fixed batch, x (B, T, F).
        bootstrap: Resamples behind the intervals.
        probes: Further ones, beside those of the catalogue.
        truncated: The twin once more, truncated; None where the network is trained without.

    Raises:
        ArgumentError: As `rnnexp.probes.rollout.Rollout`.
    """

    def __init__(
        self,
        twin: keras.Model,
        spec: CellSpec,
        activation: str,
        loss_kind: str,
        batch: Batch,
        bootstrap: int = 1000,
        probes: Sequence[Probe[Any]] = (),
        truncated: keras.Model | None = None,
    ):
        self._truncation = None if truncated is None else TruncationProbe(twin, truncated, loss_kind, batch)
        self._probes = (*catalogue.PROBES, *probes)
        self._rollout = Rollout(twin, spec, activation, loss_kind, batch, bootstrap)

    def measure(self, weights: list[np.ndarray], step: int) -> Measurement:
        """Measure the network that has these weights.

        Args:
            weights: In the order of `keras.Model.get_weights`, of any dtype. They need not be finite: what
                cannot be measured of them is nan.
            step: Updates that they have behind them.

        Raises:
            ValueError: The weights are not those of such a network.
        """
        trajectory = self._rollout.trajectory(weights)
        results = catalogue.measure_all(trajectory, self._probes)
        found = Measurement(step, results, probes=self._probes)
        variances = found.results["states"].mean_square
        predictions = predict(
            trajectory, found.gradient, found.lyapunov, found.spectrum, variances, untrained=step == 0
        )
        bias = None if self._truncation is None else self._truncation.measure(weights)
        return dataclasses.replace(found, predictions=predictions, truncation=bias)
