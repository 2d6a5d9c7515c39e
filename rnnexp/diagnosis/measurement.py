"""One measurement of the network on a fixed batch: all probes, and the predictions of theory beside them.

Of several layers all probes are of the lowest, through which every way from an input to the loss leads; what
is measured of the others is named in `rnnexp.probes.upper_layers`.

A float64 twin of the network is measured, so that the gradient has a range of 300 decades. The zeros and
infinities of the training dtype show in the profiles that are recorded at every training step.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from rnnexp.diagnosis import comparison
from rnnexp.diagnosis.comparison import Comparison, Measured
from rnnexp.diagnosis.laws import METRICS
from rnnexp.diagnosis.predictions import Predictions, measured, predict
from rnnexp.diagnosis.truncation import TruncationBias, TruncationProbe
from rnnexp.nn.cells.spec import CellSpec
from rnnexp.probes import GradientProfile, Spectrum, catalogue, upper_layers
from rnnexp.probes.probe import Probe
from rnnexp.probes.rollout import Rollout
from rnnexp.probes.upper_layers import measure_upper
from rnnexp.tasks import Batch

_NO_PREDICTIONS = Predictions()


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The results of one measurement.

    Attributes:
        step: Number of updates before it: it is taken before training step `step`.
        results: The result of every probe by its name, without probes that do not apply to the cell.
        predictions: The predictions of theory, if any law applies to the cell.
        probes: All probes: those of `rnnexp.probes.catalogue`, and the user's own.
        truncation: What truncated back-propagation changes; None where the network is trained without.
        upper: The results of the layers above the lowest, from layer 2 on.
    """

    step: int
    results: Mapping[str, Any]
    predictions: Predictions = _NO_PREDICTIONS
    probes: Sequence[Probe[Any]] = catalogue.PROBES
    truncation: TruncationBias | None = None
    upper: Sequence[upper_layers.Results] = ()

    @property
    def gradient(self) -> GradientProfile:
        """The gradient over time."""
        return self.results["gradient_profile"]

    @property
    def spectrum(self) -> Spectrum | None:
        """The spectrum of W_hh, or of the candidate's block; None if the cell has no recurrent kernel."""
        return self.results.get("spectrum")

    @property
    def layers(self) -> tuple[Mapping[str, Measured], ...]:
        """What laws speak of, as measured in every layer, the lowest first (`measured`)."""
        every = (self.results, *self.upper)
        return tuple(measured(each["gradient_profile"], each["lyapunov"]) for each in every)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparison of every law that applies with its measurement."""
        return self.predictions.comparisons

    def metrics(self) -> dict[str, float]:
        """Return the numbers by metric key; some may not be finite."""
        return {
            **catalogue.metrics(self.results, self.probes),
            **upper_layers.metrics(self.upper),
            "theory/rate": self.predictions.rate,
            "theory/rate_bound": self.predictions.rate_bound,
            **comparison.metrics(self.comparisons),
            **{f"truncation/{name}": value for name, value in self._bias().items()},
        }

    def _bias(self) -> dict[str, float]:
        return {} if self.truncation is None else self.truncation._asdict()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the step, the arrays of every probe and the predictions of the laws, nan for none."""
        said = comparison.metrics(self.comparisons)
        laws = {key.replace("/", "_"): np.array(said.get(key, math.nan)) for key in METRICS}
        bias = {f"truncation_{name}": np.array(value) for name, value in self._bias().items()}
        found = catalogue.arrays(self.results, self.probes) | upper_layers.arrays(self.upper)
        return {"step": np.array(self.step), **found, **laws, **bias}


class Measurer:
    """Measures a network on one batch.

    Args:
        twin: A float64 network of the same architecture; every measurement overwrites its weights.
        spec: Of its cells.
        activation: Name of phi.
        loss_kind: As `rnnexp.nn.losses.sequence_losses` knows it.
        batch: The fixed batch, x (B, T, F).
        bootstrap: Resamples behind the intervals.
        probes: Further probes, beside those of the catalogue.
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
            weights: In the order of `keras.Model.get_weights`, of any dtype. If they are not finite, what
                cannot be measured is nan.
            step: Number of updates so far.

        Raises:
            ValueError: The weights are not those of such a network.
        """
        trajectory, *above = self._rollout.trajectories(weights)
        results = catalogue.measure_all(trajectory, self._probes)
        return Measurement(
            step,
            results,
            predict(trajectory, results, untrained=step == 0),
            self._probes,
            None if self._truncation is None else self._truncation.measure(weights),
            measure_upper(above),
        )
