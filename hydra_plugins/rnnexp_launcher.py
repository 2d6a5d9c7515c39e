"""The launcher of this machine, where Hydra looks for launchers: every run of Hydra imports this module."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class LocalLauncherConf:
    """What `hydra/launcher=local` chooses; `launcher.workers` says how many jobs run at the same time."""

    _target_: str = "hydra_plugins.rnnexp_launcher.LocalLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalLauncherConf, provider="rnnexp")


class LocalLauncher(Launcher):
    """One process a job, on this machine (`rnnexp.sweeps.launcher`)."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra hands over; a process of its own gets a job, and no function of the main module."""
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Do all jobs; what became of each is in the folder of the sweep."""
        # Only here: whoever asks for help, or has mistyped a key, has not waited for it.
        from rnnexp.sweeps.launcher import launch

        loader: Any = self._context.config_loader
        launch(self._config, loader, job_overrides, initial_job_idx)
        return [JobReturn(status=JobStatus.COMPLETED) for _ in job_overrides]
