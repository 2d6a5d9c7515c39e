"""The keys of the configuration, by which its values are checked and the records of runs are read."""

import re
from collections.abc import Sequence

_LONG_NUMBER = re.compile(r"-?(?=[\d.]{17})\d+\.\d+(e[+-]?\d+)?")  # of 16 digits or more

SCALARS = (
    "activation",
    "seq_len",
    "units",
    "layers",
    "batch_size",
    "steps",
    "stop",
    "seed",
    "replicas",
    "dtype",
    "device",
    "jit",
    "shards",
    "truncate",
    "segment",
    "steps_per_execution",
    "record.every",
    "probe.every",
    "probe.batch_size",
    "probe.bootstrap",
    "validation.every",
    "validation.sequences",
    "verdict.decades",
    "checkpoint.every",
    "figures.format",
    "tracking.kind",
    "tracking.every",
    "tracking.model",
    "tracking.diff",
    "tracking.patience",
    "tracking.uri",
    "tracking.experiment",
    "launcher.workers",
    "launcher.address",
    "launcher.gpus",
    "report",
    "plugins",
    "resume",
    "dry_run",
    "treat",
    "name",
    "output_dir",
)
"""The keys that hold one value, in the order in which a table shows them."""

GROUPS = (
    *("task", "cell", "init", "clip", "optimizer", "schedule", "constraint", "regularizer", "phase"),
    *("tracking", "launcher", "experiment"),
)
"""The groups of the configuration: keys whose values are choices, each a file."""

CONSTRUCTED = (
    *("task", "cell", "init", "clip", "optimizer", "schedule", "constraint", "regularizer", "phase"),
)
"""The groups whose fields are checked by the constructor that they name."""

COLLECTIONS = ("probes",)
"""Keys that hold any number of constructed objects, each under its own name."""

UNSCIENTIFIC = frozenset(
    {
        *("checkpoint", "dry_run", "figures", "hydra", "launcher", "name"),
        *("output_dir", "plugins", "replicas", "report", "resume", "tracking", "treat"),
    }
)
"""Top-level keys that cannot change a number: how a run is recorded, started, resumed and drawn.

`plugins` only allows packages to be imported; their classes are named by other keys. `device`, `dtype` and
`jit` are not among these keys: each changes the last digits.
"""


def key_of(override: str) -> str:
    """Return the key of an override.

    >>> key_of("+clip.threshold=2"), key_of("~task")
    ('clip.threshold', 'task')
    """
    return override.lstrip("+~").partition("=")[0]


def values_of(overrides: Sequence[str]) -> dict[str, str]:
    """Return the values of overrides by their keys, to be read: `rounded`."""
    return {key_of(override): rounded(override.partition("=")[2]) for override in overrides}


def rounded(text: str) -> str:
    """Return a number with twelve digits at most, as a sweep over range(0.1,1,0.1) means it; else `text`.

    >>> rounded("0.30000000000000004"), rounded("0.5"), rounded("tanh")
    ('0.3', '0.5', 'tanh')
    """
    return repr(float(f"{float(text):.12g}")) if _LONG_NUMBER.fullmatch(text) else text
