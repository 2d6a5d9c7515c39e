"""What a run found, for its summary in the terminal."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

from rnnexp.diagnosis.comparison import Comparison, Measured


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run found. Of one that had finished in an earlier command only the verdicts are known.

    Attributes:
        configuration: The run in one line.
        seed: Of the run.
        folder: Of the run.
        gradient_verdict: vanishing, exploding, stable, borderline, non_finite or not_measured.
        learning_verdict: solved, learning, at_chance, worse_than_chance or diverged.
        numbers: The metrics of the run by their names; a number that is absent or nan was not measured.
        loss_unit: What one unit of `val/loss` and `task/floor_loss` is.
        layers: What was measured of every layer, the lowest first (`rnnexp.diagnosis.predictions.measured`).
        comparisons: What theory says of the lowest layer, one line each.
        notes: Sentences that the reader must not miss, such as "diverged at step 312".
        words: The verdict in words, a paragraph.
        remedies: Commands of what to try, the first one first.
        places: Where figures and records are, by their labels.
    """

    configuration: str
    seed: int
    folder: Path
    gradient_verdict: str | None = None
    learning_verdict: str | None = None
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    loss_unit: str = ""
    layers: tuple[Mapping[str, Measured], ...] = ({},)
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    words: str = ""
    remedies: tuple[str, ...] = ()
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, metric: str) -> float:
        """The number of that name; nan where there is none."""
        return self.numbers.get(metric, math.nan)

    def measured(self, quantity: str) -> Measured:
        """Return what was measured of the lowest layer, or of kernels drawn anew; nan where nothing was."""
        compared = {
            each.law.quantity: Measured(each.measured, each.low, each.high) for each in self.comparisons
        }
        return (compared | dict(self.layers[0])).get(quantity, Measured(math.nan, math.nan, math.nan))
