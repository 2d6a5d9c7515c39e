"""The job that is left to end by itself: it waits for its figures while the next one is at work."""

import contextlib
import logging
from collections.abc import Iterator

from rnnexp.sweep.underway import Underway

_POLL = 0.1  # seconds
_logger = logging.getLogger(__name__)


class Place:
    """Room for one job."""

    def __init__(self) -> None:
        self._job: Underway | None = None
        self._lock = contextlib.ExitStack()

    @property
    def free(self) -> bool:
        """Whether no job is there."""
        return self._job is None

    def leave(self, job: Underway) -> None:
        """Leave a job here; until it is written down what became of it, it is at work for the sweep."""
        self._lock.enter_context(job.folder.worker())
        job.leave()
        self._job = job

    def look(self, seconds: float = 0.0) -> None:
        """Wait up to `seconds` for the end of the job, and write down what became of it."""
        if self._job is None:
            return
        try:
            outcome = self._job.watch(seconds)
            if outcome is None:
                return
            self._job.folder.record(outcome)
        except Exception:  # which is not to be laid on the job that is at work
            _logger.exception("a job could not be looked after, or not be written down")
            if not self._job.ended:
                return
        self._job = None
        self._lock.close()

    def settle(self) -> None:
        """Wait until no job is left."""
        while not self.free:
            self.look(_POLL)


_places: list[Place] = []


@contextlib.contextmanager
def one_may_be_left() -> Iterator[None]:
    """Let one of the jobs that are done inside, by this process, be left; wait for it at the end."""
    place = Place()
    _places.append(place)
    try:
        yield
    finally:
        _places.remove(place)
        place.settle()


def place() -> Place | None:
    """Return where a job can be left; None where nobody would wait for it."""
    return _places[-1] if _places else None
