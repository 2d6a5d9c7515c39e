"""Where the package lies, in a checkout or installed, and what follows: its menu, its data, its command."""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _checkout() -> Path | None:
    top = _PACKAGE.parent
    return top if (top / "run.py").is_file() and (top / "conf" / "config.yaml").is_file() else None


CHECKOUT = _checkout()
"""The folder with `run.py`, `conf` and the package; None where the package is installed."""

CONF = (_PACKAGE if CHECKOUT is None else CHECKOUT) / "conf"
"""The menu: at the top of a checkout, inside an installed package."""

COMMAND = "rnnexp" if CHECKOUT is None else "python run.py"
"""What is typed before the overrides of a run."""

PROGRAM = COMMAND.rpartition(" ")[2]
"""The name under which the command speaks."""


def data_folder() -> Path:
    """Return where `mlflow.db` lies by default: in a checkout beside `run.py`, else in the working folder."""
    return Path.cwd() if CHECKOUT is None else CHECKOUT


def command_line() -> list[str]:
    """Return what starts the command in a process of its own, from whatever folder."""
    start = ["-m", "rnnexp"] if CHECKOUT is None else [str(CHECKOUT / "run.py")]
    return [sys.executable, *start]
