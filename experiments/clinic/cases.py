"""The cases: a task that a healthy configuration solves, with one fault put into it."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rnnexp.diagnosis.recommendations import merged

_COMMON = ("units=32", "batch_size=32", "optimizer.learning_rate=0.003")

HEALTHY = {
    "adding": (
        "task=adding",
        "seq_len=40",
        "steps=2000",
        "activation=relu",
        "init=identity",
        "clip=global_norm",
    ),
    "temporal_order": ("task=temporal_order", "seq_len=30", "steps=2000"),
    "latch": ("task=latch", "seq_len=50", "steps=1000"),
    "delayed_xor": ("task=delayed_xor", "seq_len=30", "task.delay=10", "steps=2000"),
    "copying": ("task=copying", "seq_len=10", "task.symbols=2", "task.recall=3", "steps=2000"),
    "parity": ("task=parity", "seq_len=15", "steps=2000"),
}
"""Configurations that solve their task within their steps, with Adam at 0.003."""

FAULTS = {
    "sigmoid": ("activation=sigmoid", "init=orthogonal"),
    "softplus": ("activation=softplus", "init=glorot_uniform", "clip=none"),
    "relu-glorot": ("activation=relu", "init=glorot_uniform", "clip=none"),
    "relu-large-gain": ("activation=relu", "init=gaussian", "init.gain=2", "clip=none"),
    "relu-identity-unclipped": ("activation=relu", "init=identity", "init.gain=1.2", "clip=none"),
    "tanh-small-gain": ("activation=tanh", "init=gaussian", "init.gain=0.5"),
    "tanh-large-gain": ("activation=tanh", "init=gaussian", "init.gain=3", "clip=none"),
    "tanh-sparse": ("activation=tanh", "init=sparse", "init.gain=0.5"),
    "sgd": ("optimizer=sgd",),
    "sgd-large-rate": ("optimizer=sgd", "optimizer.learning_rate=1", "clip=none"),
    "sgd-tight-clip": (
        "optimizer=sgd",
        "optimizer.learning_rate=0.1",
        "clip=global_norm",
        "clip.threshold=0.01",
    ),
    "adam-large-rate": ("optimizer.learning_rate=0.1",),
    "adam-small-rate": ("optimizer.learning_rate=0.00003",),
    "rmsprop-large-rate": ("optimizer=rmsprop", "optimizer.learning_rate=0.03", "clip=none"),
    "few-steps": ("steps={fifth}",),
    "narrow": ("units=3",),
    "long": ("seq_len={triple}", "clip=none"),
    "long-tanh": ("seq_len={triple}", "activation=tanh", "init=glorot_uniform", "clip=none"),
    "leaky": ("cell=leaky", "cell.rate=0.02", "activation=tanh", "init=glorot_uniform"),
    "gru-sigmoid": ("cell=gru", "activation=sigmoid", "optimizer.learning_rate=0.0003"),
    "lstm-small-rate": ("cell=lstm", "activation=tanh", "init=orthogonal", "optimizer.learning_rate=0.0001"),
    "lstm-relu-large-gain": ("cell=lstm", "activation=relu", "init=gaussian", "init.gain=2", "clip=none"),
}
"""What people do to such a configuration, as overrides."""

ASIDE = 3


class Round(NamedTuple):
    """How many cases there are at its end, and at most of one fault and of one task."""

    cases: int
    per_fault: int
    per_task: int


ROUNDS = (Round(30, 2, 6), Round(40, 3, 10), Round(len(HEALTHY) * len(FAULTS), len(HEALTHY), len(FAULTS)))
"""The second was drawn when the rules had been tuned on the first; the third is all that is left."""


class Case(NamedTuple):
    """A task with a fault.

    Attributes:
        task: Its name in `HEALTHY`.
        fault: Its name in `FAULTS`.
    """

    task: str
    fault: str

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.task}-{self.fault}"

    @property
    def overrides(self) -> list[str]:
        """What is typed."""
        healthy = merged(_COMMON, HEALTHY[self.task])
        chosen = dict(override.split("=") for override in healthy)
        sizes = {"fifth": int(chosen["steps"]) // 5, "triple": 3 * int(chosen["seq_len"])}
        overrides = merged(healthy, [override.format(**sizes) for override in FAULTS[self.fault]])
        if "optimizer=sgd" in overrides and not any("learning_rate" in each for each in FAULTS[self.fault]):
            overrides = [each for each in overrides if not each.startswith("optimizer.learning_rate")]
        return overrides


def drawn(stuck: Callable[[Case], bool], rounds: Sequence[Round] = ROUNDS) -> Iterator[Case]:
    """Yield the cases of the study: those that are stuck, in the order of a hash of their names.

    A round takes them up to its limits. One that is solved without treatment gives its place to the next.
    """
    faults, tasks, count = Counter[str](), Counter[str](), 0
    pairs = itertools.starmap(Case, itertools.product(HEALTHY, FAULTS))
    ordered = sorted(pairs, key=lambda case: _place(case.name))
    for limits in rounds:
        for case in list(ordered):
            full = faults[case.fault] >= limits.per_fault or tasks[case.task] >= limits.per_task
            if count == limits.cases or full:
                continue
            ordered.remove(case)
            if stuck(case):
                faults[case.fault] += 1
                tasks[case.task] += 1
                count += 1
                yield case


def part(place: int) -> str:
    """Return to which part the case at a place of `drawn` belongs, from 0.

    Every third of the first round was kept aside at first, and tuned on after it was measured. The other
    rounds are kept aside as a whole.
    """
    if place >= ROUNDS[1].cases:
        return "third aside"
    if place >= ROUNDS[0].cases:
        return "second aside"
    return "first aside" if place % ASIDE == ASIDE - 1 else "tuning"


def _place(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
