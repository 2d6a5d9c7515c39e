"""The figures at the end of a run, drawn from its folder once its arrays are saved."""

import logging
import shlex
from pathlib import Path

from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.places import COMMAND
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking import Tracker

_logger = logging.getLogger(__name__)


def draw_figures(folder: RunFolder, tracker: Tracker, signals: Interruption, form: str) -> str:
    """Draw the figures of a run, keep them with its tracker, and return where they are.

    A signal, or a figure that cannot be drawn, loses the figures only: the function then returns the command
    that draws them. The signal stays pending in `signals`.

    Args:
        folder: Of the run; its arrays are saved.
        tracker: Of the run.
        signals: Where signals arrive; if one is pending already, nothing is drawn.
        form: The format, such as png; none: nothing is drawn.
    """
    command = f"{COMMAND} report {shlex.quote(str(folder.path))}"
    if form == "none":
        return command
    try:
        signals.check()
        paths = _draw(folder.path, form)
        for path in paths or []:
            tracker.artifact(path, "figures")
    except Killed as killed:
        _logger.warning("%s while figures were drawn, all else is recorded; draw them: %s", killed, command)
        return command
    return command if paths is None else str(folder.figures)


def _draw(folder: Path, form: str) -> list[Path] | None:
    """Return the files of the figures; None if drawing failed, for a reason in the log."""
    # Imported here, since it imports matplotlib: a run that is refused does not wait for it.
    from rnnexp.plotting.run_figures import draw_figures, read_run

    try:
        return draw_figures(read_run(folder), folder / "figures", form).paths
    except Exception as error:
        _logger.error("figures could not be drawn (%s: %s)", type(error).__name__, error)
        _logger.info("where it failed:", exc_info=True)
        return None
