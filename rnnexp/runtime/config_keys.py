"""The keys of the configuration, by which its values are checked and the records of runs are read."""

import re
from collections.abc import Sequence

_LONG_NUMBER = re.compile(r"-?(?=[\d.]{17})\d+\.\d+(e[+-]?\d+)?")  # of 16 digits or more

CONSTRUCTED = (
    *("task", "cell", "init", "clip", "optimizer", "schedule", "constraint", "regularizer", "phase"),
)
"""The groups whose fields are checked by the constructor that they name."""

GROUPS = (*CONSTRUCTED, "tracking", "launcher", "experiment")
"""The groups of the configuration: keys whose values are choices, each a file."""

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
