"""The folders that a configuration is composed from: this package's `conf`, and the user's own."""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import hydra
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
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
            path = loader.get_search_path()
            if self.added is not None:
                path.prepend("command-line", f"file://{self.added}", SearchPathQuery(provider="schema"))
            loader.repository = _ParsedOnce(path)
            yield loader


class _ParsedOnce(ConfigRepository):
    """Hydra's reader of choices, which parses a file again only if it has changed.

    Parsing is a third of the time that composing takes, and a sweep is composed once for every value.
    """

    _parsed: ClassVar[dict[tuple[object, ...], ConfigResult | None]] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None or source.scheme() != "file":
            return super().load_config(config_path)
        name = config_path if config_path.endswith(".yaml") else f"{config_path}.yaml"
        file = Path(source.path, name).resolve()
        state = file.stat()
        key = (source.provider, config_path, file, state.st_ino, state.st_mtime_ns, state.st_size)
        if key not in self._parsed:
            self._parsed[key] = super().load_config(config_path)
        return copy.deepcopy(self._parsed[key])  # since Hydra changes what it is given


MENU = Menu()
"""The menu of this package."""
