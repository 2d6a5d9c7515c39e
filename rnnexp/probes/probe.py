"""The probe: one measured quantity, with the names of its metrics and arrays."""

import abc
from collections.abc import Mapping
from typing import ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from rnnexp.probes.trajectory import Trajectory

Result = TypeVar("Result")


class Metric(NamedTuple):
    """The description of a metric.

    Attributes:
        meaning: In words, Markdown.
        unit: Its unit, such as "nats per step of lag", or "share".
        when: Which runs have it; empty: all.
        attribute: The attribute of the result that is the number; empty: the last part of the key.
    """

    meaning: str
    unit: str
    when: str = ""
    attribute: str = ""


class Array(NamedTuple):
    """The description of an array.

    Attributes:
        meaning: In words, Markdown.
        shape: In the letters B T F H O; "()" is a number.
        unit: Its unit; empty: none.
        when: Which runs have it; empty: all.
        attribute: The attribute of the result that is the array; empty: the name.
    """

    meaning: str
    shape: str
    unit: str = ""
    when: str = ""
    attribute: str = ""


class Probe(abc.ABC, Generic[Result]):
    """Measures one quantity on a `rnnexp.probes.trajectory.Trajectory`.

    A probe is listed in the catalogue `rnnexp.probes.catalogue.PROBES`. The catalogue determines what a run
    measures, which metrics and arrays it records, the tables of docs/metrics.md, and one test of all probes.

    Attributes:
        name: Its name. Its figure is drawn by `draw` in `rnnexp/plotting/<name>.py`.
        page: The page docs/<page>.md explains it.
        has_figure: Whether a run draws figures/<name>.png.
        metric_table: Every metric of the probe by its key.
        array_table: Every array of the probe by its name. The arrays of a run have the prefix `start_` for
            the measurement before training, and `end_` for the last one.

    In a name that depends on the cell, `<state>` stands for the name of a state. A result with an attribute
    for every row of the tables needs no `metrics` and `arrays` of the probe's own.
    """

    name: ClassVar[str]
    page: ClassVar[str]
    has_figure: ClassVar[bool] = False
    metric_table: ClassVar[Mapping[str, Metric]]
    array_table: ClassVar[Mapping[str, Array]] = {}

    @abc.abstractmethod
    def measure(self, trajectory: Trajectory) -> Result | None:
        """Return the result; None if the quantity is not defined for the cell."""

    def metrics(self, result: Result) -> dict[str, float]:
        """Return the numbers by their keys; some may not be finite."""
        names = {key: metric.attribute or key.rpartition("/")[2] for key, metric in self.metric_table.items()}
        return {key: getattr(result, name) for key, name in names.items()}

    def arrays(self, result: Result) -> dict[str, np.ndarray]:
        """Return the arrays by their names."""
        names = {name: array.attribute or name for name, array in self.array_table.items()}
        return {name: np.asarray(getattr(result, attribute)) for name, attribute in names.items()}
