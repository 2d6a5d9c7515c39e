"""Who draws the figures of a run: other processes while the run goes on, or, without any, the run itself."""

import contextlib
import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

_logger = logging.getLogger(__name__)


class _Help(NamedTuple):
    """The connections to the processes that draw, and what is done before they are waited for."""

    helpers: Sequence[Connection] = ()
    before_waiting: Callable[[], None] = lambda: None


_help: contextvars.ContextVar[_Help | None] = contextvars.ContextVar("rnnexp_help", default=None)


class Drawing(NamedTuple):
    """A figure that is to be drawn: where it goes, and what draws it there."""

    path: Path
    draw: Callable[[], None]


@contextlib.contextmanager
def helped(
    helpers: Sequence[Connection], before_waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Let the processes at the other ends, which do `help_out`, draw the figures of the runs inside.

    Args:
        helpers: Connections to them.
        before_waiting: Called when a run has only its figures to wait for.
    """
    token = _help.set(_Help(helpers, before_waiting))
    try:
        yield
    finally:
        _help.reset(token)


class Artist:
    """Draws the figures of one run.

    Drawing needs no TensorFlow and takes as long as all else after the training; beside it, it takes half of
    that. A helper that fails costs nothing but time: what it has not drawn is drawn here, and what cannot be
    drawn raises here.
    """

    def __init__(self) -> None:
        self._begun: dict[Path, Drawing] = {}
        self._drawn: set[Path] = set()
        given = _help.get() or _Help()
        self._before_waiting = given.before_waiting
        self._asked = [_Asked(connection) for connection in given.helpers]

    def begin(self, drawings: Iterable[Drawing]) -> None:
        """Have figures drawn, but those of paths that were begun before; each by whom least is asked of."""
        for drawing in drawings:
            if drawing.path in self._begun:
                continue
            self._begun[drawing.path] = drawing
            for asked in self._asked:
                self._drawn |= asked.answers(wait=False)
            if self._asked:
                min(self._asked, key=lambda asked: asked.left).ask(drawing)

    def finish(self) -> list[Path]:
        """Wait for all figures and return their paths, in the order in which they were begun."""
        self._before_waiting()
        for asked in self._asked:
            self._drawn |= asked.answers(wait=True)
        for path, drawing in self._begun.items():
            if path not in self._drawn:
                drawing.draw()
                self._drawn.add(path)
        return list(self._begun)


class _Asked:
    """Another process and how many drawings it was asked for and has not answered."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self.left = 0

    def ask(self, drawing: Drawing) -> None:
        with self._noted():
            self._connection.send(drawing)
            self.left += 1

    def answers(self, wait: bool) -> set[Path]:
        """Return the paths of what it has drawn since; `wait`: until it has answered everything."""
        drawn = set()
        with self._noted():
            while self.left > 0 and (wait or self._connection.poll()):
                path, succeeded = self._connection.recv()
                self.left -= 1
                if succeeded:
                    drawn.add(path)
        return drawn

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Say so where the process is gone, and expect nothing more of it."""
        try:
            yield
        except (EOFError, OSError) as error:
            self.left = 0
            _logger.warning("a process that draws is gone (%s): drawing here", type(error).__name__)


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
