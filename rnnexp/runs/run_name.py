"""The name of a run, made from its overrides."""

from collections.abc import Sequence

from rnnexp.runtime.config_keys import GROUPS, rounded

# Keys with their own place in the name, and keys that do not change the network.
_LEFT_OUT = (
    *("activation", "seq_len", "seed", "output_dir", "tracking", "resume", "name", "experiment", "launcher"),
    *("hydra", "device", "record", "probe", "validation", "verdict", "checkpoint", "dry_run"),
    *("treat", "report", "figures", "plugins", "replicas", "jit", "shards", "segment", "steps_per_execution"),
)
_LONGEST = 120


def run_name(activation: str, seq_len: int, seed: int, overrides: Sequence[str]) -> str:
    """Return activation, length, the other overrides and the seed, in characters that are safe in file names.

    >>> run_name("relu", 200, 1, ["activation=relu", "clip=norm", "clip.threshold=0.5", "units=8", "seed=1"])
    'relu-T200-norm-threshold0.5-units8-s1'
    """
    # Of a key that was typed twice the last value counts.
    typed = dict(override.lstrip("+").partition("=")[::2] for override in overrides if override[0] != "~")
    others = [_shown(key, value) for key, value in typed.items() if key.partition(".")[0] not in _LEFT_OUT]
    first, last = [activation, f"T{seq_len}"], f"s{seed}"
    middle = "-".join(map(_plain, [*first, *others]))
    return f"{middle[: _LONGEST - len(last) - 1]}-{last}"


def _shown(key: str, value: str) -> str:
    group, _, field = key.partition(".")
    value = rounded(value)
    if group not in GROUPS:
        return f"{key}{value}"
    return f"{field}{value}" if field else value


def _plain(part: str) -> str:
    return "".join(character if character.isalnum() or character in "._" else "_" for character in part)
