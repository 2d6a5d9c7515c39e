"""The folders that a configuration is composed from: this package's `conf`, and the user's own."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from rnnexp.runtime.places import CONF


@dataclasses.dataclass(frozen=True)
class Menu:
    """The folders that hold the choices.

    Attributes:
        folder: The first one, which holds `name`.yaml (`--config-path`).
        name: The primary configuration (`--config-name`).
        added: A folder of the user's own (`--config-dir`).
    """

    folder: Path = CONF
    name: str = "config"
    added: Path | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that make another process compose from the same folders."""
        flags = {
            "--config-path": None if self.folder == CONF else self.folder,
            "--config-name": None if self.name == "config" else self.name,
            "--config-dir": self.added,
        }
        return tuple(f"{flag}={value}" for flag, value in flags.items() if value is not None)

    @classmethod
    def of(cls, settings: Any) -> "Menu":
        """Return the folders that Hydra composed from, as its own settings name them."""
        files = (source for source in settings.runtime.config_sources if source.schema == "file")
        found = {source.provider: source.path for source in files}
        added = found.get("command-line")
        name = settings.job.config_name.removesuffix(".yaml")
        return cls(Path(found.get("main", CONF)), name, None if added is None else Path(added))

    def compose(self, overrides: Sequence[str], hydra_too: bool = False) -> DictConfig:
        """Return the configuration of the overrides, with Hydra's own part if asked for."""
        with self._opened():
            return hydra.compose(self.name, list(overrides), return_hydra_config=hydra_too)

    def options(self, group: str, overrides: Sequence[str] = ()) -> list[str]:
        """Return the choices of a group; `overrides` may hold a `hydra.searchpath`."""
        with self._opened() as loader:
            return sorted(loader.get_group_options(group, config_name=self.name, overrides=list(overrides)))

    def fields(self, group: str, name: str) -> Any:
        """Return the fields of a choice; a launcher's file holds them under its group, beside Hydra's own."""
        with self._opened() as loader:
            found = loader.repository.load_config(f"{group}/{name}")
        return {} if found is None else found.config.get(group, found.config)

    def search_path(self) -> Any:
        """Return the `hydra.searchpath` that the configuration itself names."""
        with self._opened() as loader:
            found = loader.repository.load_config(self.name)
        return None if found is None else OmegaConf.select(found.config, "hydra.searchpath")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open the folders in the order that Hydra's own `main` gives them."""
        with hydra.initialize_config_dir(str(self.folder), version_base="1.3"):
            loader: Any = GlobalHydra.instance().config_loader()
            if self.added is not None:
                path = loader.get_search_path()
                path.prepend("command-line", f"file://{self.added}", SearchPathQuery(provider="schema"))
                loader.repository.initialize_sources(path)
            yield loader


MENU = Menu()
"""The menu of this package."""
