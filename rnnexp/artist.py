"""Who draws the figures of a run: another process while the run goes on, or, without one, the run itself."""

import contextlib
import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

_logger = logging.getLogger(__name__)
_helper: contextvars.ContextVar[Connection | None] = contextvars.ContextVar("rnnexp_helper", default=None)


class Drawing(NamedTuple):
    """A figure that is to be drawn: where it goes, and what draws it there."""

    path: Path
    draw: Callable[[], None]


@contextlib.contextmanager
def helped(helper: Connection) -> Iterator[None]:
    """Let the process at the other end, which does `help_out`, draw the figures of the runs inside."""
    token = _helper.set(helper)
    try:
        yield
    finally:
        _helper.reset(token)


class Artist:
    """Draws the figures of one run.

    Drawing needs no TensorFlow and takes as long as all else after the training; beside it, it takes no time.
    A helper that fails costs nothing but time: what it has not drawn is drawn here, and what cannot be drawn
    raises here.
    """

    def __init__(self) -> None:
        self._helper = _helper.get()
        self._begun: dict[Path, Drawing] = {}

    def begin(self, drawings: Iterable[Drawing]) -> None:
        """Have figures drawn, but those of paths that were begun before."""
        fresh = [drawing for drawing in drawings if drawing.path not in self._begun]
        self._begun |= {drawing.path: drawing for drawing in fresh}
        if self._helper is None:
            return
        try:
            for drawing in fresh:
                self._helper.send(drawing)
        except OSError as error:
            self._go_on_alone(error)

    def finish(self) -> list[Path]:
        """Wait for all figures and return their paths, in the order in which they were begun."""
        left = dict(self._begun)
        for path in self._drawn_elsewhere():
            del left[path]
        for drawing in left.values():
            drawing.draw()
        return list(self._begun)

    def _drawn_elsewhere(self) -> Iterator[Path]:
        if self._helper is None:
            return
        try:
            for _ in self._begun:
                path, drawn = self._helper.recv()
                if drawn:
                    yield path
        except (EOFError, OSError) as error:
            self._go_on_alone(error)

    def _go_on_alone(self, error: Exception) -> None:
        _logger.warning("the process that draws is gone (%s): drawing here", type(error).__name__)
        self._helper = None


def help_out(work: Connection) -> None:
    """Draw what comes until the other end is closed; answer each with its path and whether it is drawn."""
    waiting: queue.SimpleQueue[Drawing | None] = queue.SimpleQueue()

    def receive() -> None:
        # All that comes is taken at once: whoever sends does not wait for the figure before.
        with contextlib.suppress(EOFError, OSError):
            while True:
                waiting.put(work.recv())
        waiting.put(None)

    threading.Thread(target=receive, daemon=True).start()
    with contextlib.suppress(OSError):
        while (drawing := waiting.get()) is not None:
            work.send((drawing.path, _try(drawing)))


def _try(drawing: Drawing) -> bool:
    try:
        drawing.draw()
    except Exception:
        return False
    return True
