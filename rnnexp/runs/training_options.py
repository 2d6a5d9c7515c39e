"""What a plan says of its training beside the parts that are constructed: each checked against the task."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rnnexp.runs import heuristics
from rnnexp.runs.constructors import construct, find
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.device import gpu_count
from rnnexp.tasks import Lengths, Task

LENGTH_FIELDS = ("length", "evaluate_at")
"""Fields of a task that can have any length, which are not of its constructor."""


class TaskNodes(NamedTuple):
    """What the configuration says of a task.

    Attributes:
        constructed: `_target_` and the fields of the constructor.
        lengths: Those of `LENGTH_FIELDS` that are given; none of a task whose length is that of its data.
    """

    constructed: Mapping[str, Any]
    lengths: Mapping[str, Any]


def task_nodes(node: Mapping[str, Any], plugins: Sequence[str]) -> TaskNodes:
    """Split the node of a task.

    Raises:
        ArgumentError: Its class is not found.
    """
    if not any(name in node for name in LENGTH_FIELDS):
        return TaskNodes(node, {})
    found: Any = find("task", node.get("_target_"), plugins, "task")
    if not found.any_length:
        return TaskNodes(node, {})
    apart = {name: value for name, value in node.items() if name in LENGTH_FIELDS}
    return TaskNodes({name: value for name, value in node.items() if name not in apart}, apart)


def task_of_length(node: Mapping[str, Any], plugins: Sequence[str], seq_len: int) -> Task:
    """Return the task that `node` describes, at a length."""
    return construct("task", node, plugins, {"seq_len": seq_len})


def lengths(values: Mapping[str, Any], task: Task) -> Lengths | None:
    """Return the lengths of the batches; None: all have that of the task.

    Raises:
        ArgumentError: They are no two lengths of the task, the one at which it is measured is not among them,
            or the scan is to keep segments.
    """
    nodes = task_nodes(values["task"], values["plugins"])
    given = nodes.lengths.get("length")
    if given is None:
        return None
    if not _whole_numbers(given) or len(given) != 2 or given[0] >= given[1]:
        raise ArgumentError("task.length", "null or two lengths, the shorter one first, as [50,200]", given)
    shortest, longest = given
    for length in given:
        _at("task.length", values, length)
    if not shortest <= task.seq_len <= longest:
        expected = f"from {shortest} to {longest}, one of task.length, as the length that is measured"
        raise ArgumentError("seq_len", expected, task.seq_len)
    if values["segment"] is not None:
        raise ArgumentError("segment", "null together with task.length", values["segment"])
    return Lengths(shortest, longest, functools.partial(task_of_length, nodes.constructed, values["plugins"]))


def evaluated(values: Mapping[str, Any]) -> tuple[Task, ...]:
    """Return the task at the lengths of `task.evaluate_at`, the shortest first.

    Raises:
        ArgumentError: They are no lengths of the task.
    """
    given = task_nodes(values["task"], values["plugins"]).lengths.get("evaluate_at")
    if given is None:
        return ()
    if not _whole_numbers(given):
        raise ArgumentError("task.evaluate_at", "a list of lengths, as [500,5000]", given)
    return tuple(_at("task.evaluate_at", values, length) for length in sorted(set(given)))


def _whole_numbers(given: object) -> bool:
    return isinstance(given, list) and all(type(each) is int for each in given)


def _at(key: str, values: Mapping[str, Any], length: int) -> Task:
    """Return the task at a length that `key` names."""
    nodes = task_nodes(values["task"], values["plugins"])
    try:
        return task_of_length(nodes.constructed, values["plugins"], length)
    except ArgumentError as error:
        if error.name != "seq_len":
            raise
        raise ArgumentError(key, f"lengths that are each {error.expected}", error.received) from None


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
