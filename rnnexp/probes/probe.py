"""What a probe is: one quantity, how it is measured, and the names under which it is kept."""

import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from rnnexp.probes.trajectory import Trajectory

Result = TypeVar("Result")


class Metric(NamedTuple):
    """What a metric is.

    Attributes:
        meaning: In words, Markdown.
        unit: Its unit, such as "nats per step of lag", or "share".
        when: When a run has it; empty: always.
    """

    meaning: str
    unit: str
    when: str = ""


class Array(NamedTuple):
    """What an array of a look is.

    Attributes:
        meaning: In words, Markdown.
        shape: In the letters B T F H O; "()" is a number.
        unit: Its unit; empty: none.
        when: When a run has it; empty: always.
    """

    meaning: str
    shape: str
    unit: str = ""
    when: str = ""


class Probe(abc.ABC, Generic[Result]):
    """Measures one quantity on a `rnnexp.probes.trajectory.Trajectory`.

    A probe belongs to the catalogue `rnnexp.probes.catalogue.PROBES`, which drives what a look measures, the
    metrics and arrays that a run keeps, the tables of docs/metrics.md and one test of them all.

    Attributes:
        name: Of the probe. A figure of it is drawn by `draw` of `rnnexp/plotting/<name>.py`.
        page: It is explained in docs/<page>.md.
        has_figure: Whether a run draws figures/<name>.png.
        metric_table: Every metric that it yields, by its key.
        array_table: Every array that it yields, by its name. In the arrays of a run a name has `start_` or
            `end_` before it, of the look before training and of the last one.

    A name that depends on the cell holds `<state>`, in place of the name of one of its states.
    """

    name: ClassVar[str]
    page: ClassVar[str]
    has_figure: ClassVar[bool] = False
    metric_table: ClassVar[Mapping[str, Metric]]
    array_table: ClassVar[Mapping[str, Array]] = {}

    @abc.abstractmethod
    def measure(self, trajectory: "Trajectory") -> Result | None:
        """Return what is measured; None where the quantity is not defined for the cell."""

    @abc.abstractmethod
    def metrics(self, result: Result) -> dict[str, float]:
        """Return the numbers by their keys; some may not be finite."""

    def arrays(self, result: Result) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        return {}
