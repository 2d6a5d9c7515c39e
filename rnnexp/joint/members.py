"""The command lines that the replicas of one would have alone."""

from collections.abc import Sequence


def alone(overrides: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return the overrides of the single run of `seed` that is the same as a replica's.

    >>> alone(["units=8", "replicas=3", "seed=4"], 5)
    ('units=8', 'replicas=1', 'seed=5')
    """
    others = [override for override in overrides if _key(override) not in ("replicas", "seed")]
    # An experiment may ask for several.
    return (*others, "replicas=1", f"seed={seed}")


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
