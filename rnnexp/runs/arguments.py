"""What was typed after the command: Hydra's flags, and the overrides."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from rnnexp.runs.menu import MENU, Menu
from rnnexp.runtime.checks import ArgumentError, nearest
from rnnexp.runtime.places import COMMAND

_EXPECTED = f"a flag of Hydra with what it takes ({COMMAND} --hydra-help lists them)"
_SHOWN = ("help", "hydra_help", "cfg", "shell_completion", "info")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A parsed command line.

    Attributes:
        overrides: `key=value` and the like, in their order.
        menu: Where the configuration is composed from.
        sweeping: Whether a flag asks for a sweep.
        shown: What Hydra shows instead of running: `"cfg"`, `"info"`, `"help"`, ...; None for a run.
        others: The other flags.
    """

    overrides: tuple[str, ...]
    menu: Menu
    sweeping: bool
    shown: str | None
    others: tuple[str, ...]

    @property
    def typed(self) -> list[str]:
        """The same command line with its flags first, the only order that Hydra always accepts."""
        return [*self.menu.flags, *self.others, *["--multirun"] * self.sweeping, *self.overrides]


def read_arguments(arguments: Sequence[str]) -> Arguments:
    """Parse a command line as Hydra does.

    Raises:
        ArgumentError: A flag is unknown, lacks its value, or would load a pickle.
    """
    given, unknown = _parser().parse_known_intermixed_args(list(arguments))
    if unknown:
        flags = ["--multirun", "--config-dir", "--config-name", "--config-path", "--cfg", "--info", "--help"]
        near = nearest(unknown[0], flags)
        expected = f"{_EXPECTED}, such as {near}" if near else _EXPECTED
        raise ArgumentError(unknown[0].partition("=")[0], expected, unknown[0])
    if given.experimental_rerun is not None:
        expected = "the command itself, as that flag loads a pickle, which may hold any code"
        raise ArgumentError("--experimental-rerun", expected, given.experimental_rerun)
    return Arguments(
        overrides=tuple(given.overrides),
        menu=_menu(given.config_path, given.config_name, given.config_dir),
        sweeping=given.multirun,
        shown=next((name for name in _SHOWN if getattr(given, name)), None),
        others=tuple(_others(given)),
    )


def _parser() -> argparse.ArgumentParser:
    def refuse(message: str) -> NoReturn:
        flag, _, problem = message.partition(": ")
        named = flag.startswith("argument ")
        name = flag.removeprefix("argument ").partition("/")[0] if named else "flags"
        raise ArgumentError(name, _EXPECTED, problem if named else message)

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]  # argparse's own prints a usage text
    return parser


def _menu(path: str | None, name: str | None, added: str | None) -> Menu:
    if path is not None and "://" in path:
        raise ArgumentError("--config-path", "a folder", path)
    folder = MENU.folder if path is None else (MENU.folder.parent / path).resolve()
    more = None if added is None else Path(added).absolute()
    for flag, place in (("--config-path", folder), ("--config-dir", more)):
        if place is not None and not place.is_dir():
            raise ArgumentError(flag, "a folder that is there", str(place))
    return Menu(folder, MENU.name if name is None else name.removesuffix(".yaml"), more)


def _others(given: argparse.Namespace) -> list[str]:
    flags = [f"--{name}" for name in ("help", "hydra-help", "shell-completion", "resolve", "run")]
    found = [flag for flag in flags if getattr(given, flag[2:].replace("-", "_"))]
    valued = {"--cfg": given.cfg, "--info": given.info, "--package": given.package}
    return [*found, *(f"{flag}={value}" for flag, value in valued.items() if value is not None)]
