"""Jobs of command lines, for tests that are not about composing them.

Hydra takes 70 ms for every command line, of which the choices take nearly all.
"""

import copy
import functools
from collections.abc import Sequence

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from rnnexp.runs import build
from rnnexp.runs.composition import compose, parse
from rnnexp.runs.job import Job
from rnnexp.runtime.config_keys import GROUPS


@functools.cache
def _composed(choices: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    """Return the configuration of these choices without Hydra's own, and what is chosen in each group."""
    config = compose(choices)
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return own, dict(config.hydra.runtime.choices)


def job_of(overrides: Sequence[str]) -> Job:
    """Return the job that `rnnexp.runs.build.compose_job` returns, its choices composed once in a process.

    Raises:
        ArgumentError: An override is wrong, or asks for several replicas; names its dotted key.
    """
    return build.make_job(*_with_values(overrides), overrides)


def jobs_of(overrides: Sequence[str]) -> list[Job]:
    """Return likewise what `rnnexp.runs.build.compose_jobs` returns: a job for every replica."""
    return build.make_jobs(*_with_values(overrides), overrides)


def _with_values(overrides: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
    """Return a configuration and its choices; values of keys that are there are put in one by one."""
    values: list[Override] = []
    choices: list[str] = []
    for text in overrides:
        override = parse(text)
        key = override.get_key_element()
        if override.type is OverrideType.CHANGE and key not in GROUPS and not key.startswith("hydra"):
            values.append(override)
        else:
            choices.append(text)
    composed, chosen = _composed(tuple(choices))
    config = copy.deepcopy(composed)
    for override in values:
        OmegaConf.update(config, override.get_key_element(), override.value(), merge=True)
    return config, chosen
