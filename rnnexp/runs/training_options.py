"""What a plan says of its training beside the parts that are constructed: each checked against the task."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rnnexp.runs import heuristics
from rnnexp.runs.composition import not_chosen
from rnnexp.runs.constructors import construct, find
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.device import gpu_count
from rnnexp.tasks import Lengths, Task

LENGTH_FIELDS = ("length", "evaluate_at")
"""Fields of a task that can have any length, which are not of its constructor."""


class TaskNode(NamedTuple):
    """What the configuration says of a task.

    Attributes:
        constructed: `_target_` and the fields of the constructor.
        plugins: The packages that may be imported for it.
        length: As typed, of the batches; None of a task whose length is that of its data.
        evaluate_at: As typed, the lengths at which the trained network is scored.
    """

    constructed: Mapping[str, Any]
    plugins: Sequence[str]
    length: Any = None
    evaluate_at: Any = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "TaskNode":
        """Split the node of the task.

        Raises:
            ArgumentError: There is none, or its class is not found.
        """
        node, plugins = values.get("task"), values["plugins"]
        if not isinstance(node, Mapping):
            raise not_chosen("task", node)
        apart = {name: node[name] for name in LENGTH_FIELDS if name in node}
        found: Any = find("task", node.get("_target_"), plugins, "task") if apart else None
        if found is None or not found.any_length:
            return cls(node, plugins)
        return cls({name: value for name, value in node.items() if name not in apart}, plugins, **apart)

    def at(self, seq_len: int) -> Task:
        """Return the task at a length."""
        return construct("task", self.constructed, self.plugins, {"seq_len": seq_len})

    def at_each(self, key: str, lengths: Iterable[int]) -> tuple[Task, ...]:
        """Return the task at lengths that `key` names."""
        try:
            return tuple(self.at(length) for length in lengths)
        except ArgumentError as error:
            if error.name != "seq_len":
                raise
            raise ArgumentError(key, f"lengths that are each {error.expected}", error.received) from None


def lengths(node: TaskNode, values: Mapping[str, Any]) -> Lengths | None:
    """Return the lengths of the batches; None: all have that of the task.

    Raises:
        ArgumentError: They are no two lengths of the task, the one at which it is measured is not among them,
            or the scan is to keep segments.
    """
    given = node.length
    if given is None:
        return None
    if not _whole_numbers(given) or len(given) != 2 or given[0] >= given[1]:
        raise ArgumentError("task.length", "null or two lengths, the shorter one first, as [50,200]", given)
    node.at_each("task.length", given)
    shortest, longest = given
    if not shortest <= values["seq_len"] <= longest:
        expected = f"from {shortest} to {longest}, one of task.length, as the length that is measured"
        raise ArgumentError("seq_len", expected, values["seq_len"])
    if values["segment"] is not None:
        raise ArgumentError("segment", "null together with task.length", values["segment"])
    return Lengths(shortest, longest, node.at)


def evaluated(node: TaskNode) -> tuple[Task, ...]:
    """Return the task at the lengths of `task.evaluate_at`, the shortest first.

    Raises:
        ArgumentError: They are no lengths of the task.
    """
    if node.evaluate_at is None:
        return ()
    if not _whole_numbers(node.evaluate_at):
        raise ArgumentError("task.evaluate_at", "a list of lengths, as [500,5000]", node.evaluate_at)
    return node.at_each("task.evaluate_at", sorted(set(node.evaluate_at)))


def _whole_numbers(given: object) -> bool:
    return isinstance(given, list) and all(type(each) is int for each in given)


def stop(values: Mapping[str, Any], task: Task) -> Literal["steps", "solved"]:
    """Return when training ends.

    Raises:
        ArgumentError: It would be where the task is solved, and nothing says when that is.
    """
    if values["stop"] == "solved" and task.criterion is None:
        expected = "steps for this task, which has no criterion by which it would be solved"
        raise ArgumentError("stop", expected, values["stop"])
    return values["stop"]


def shards(values: Mapping[str, Any]) -> int:
    """Return the parts of a batch.

    Raises:
        ArgumentError: They would not be equal.
    """
    asked, batch_size = values["shards"], values["batch_size"]
    if asked == "auto":
        on_gpu = values["device"] != "cpu" and gpu_count() > 0
        return 1 if on_gpu else heuristics.parts_of_batch(batch_size, values["units"])
    if batch_size % asked != 0:
        raise ArgumentError("shards", f"auto or a divisor of {batch_size}, the batch_size", asked)
    return asked


def truncate(values: Mapping[str, Any], time_steps: int) -> int | None:
    """Return the steps after which the gradient is cut.

    Raises:
        ArgumentError: They are no fewer than the sequence has, or the scan is to keep segments.
    """
    asked = values["truncate"]
    if asked is None:
        return None
    if asked >= time_steps:
        raise ArgumentError("truncate", f"null or less than {time_steps}, the steps of a sequence", asked)
    if values["segment"] is not None:
        raise ArgumentError("segment", "null together with truncate", values["segment"])
    return asked


def segment(values: Mapping[str, Any], time_steps: int, whole: bool) -> int | None:
    """Return the segment asked for, else the one that the shape calls for; none where the scan is `whole`."""
    if values["segment"] is not None:
        return values["segment"]
    if whole:
        return None
    size = (values["batch_size"], values["units"], values["dtype"], values["layers"])
    return heuristics.segment_length(time_steps, *size)
