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

    A signal, or a figure that cannot be drawn, costs figures and nothing else: what is returned then is the
    command that draws them, and whoever handles `signals` still learns of the signal.

    Args:
        folder: Of the run; its arrays are saved.
        tracker: Of the run.
        signals: Where they arrive; one that has come before draws nothing.
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
    """Return the files of the figures; None where drawing failed, which the log explains."""
    # Only here, since it imports matplotlib: a run that is refused has not waited for it.
    from rnnexp.plotting.run_figures import draw_run

    try:
        return draw_run(folder, form=form).paths
    except Exception as error:
        _logger.error("figures could not be drawn (%s: %s)", type(error).__name__, error)
        _logger.info("where it failed:", exc_info=True)
        return None
