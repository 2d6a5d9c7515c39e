"""Jobs of one process in turn, where one that is trained ends beside the next that begins.

What a job does after its training (validate, draw, write) keeps one core busy for a second; the next one's
graph is traced meanwhile. A second job has to wait for the first to end: there are never more than two.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from rnnexp.device import gpu_count
from rnnexp.sweep.processors import cores


def may_overlap(launcher: str | None) -> bool:
    """Whether the next job may begin while one ends: not on one core, nor in the memory of one GPU.

    Other launchers have as many jobs at work as there are cores for.
    """
    return launcher == "basic" and cores() > 1 and gpu_count() == 0


class Turn:
    """That of one job.

    Args:
        before: The jobs that had their turn before and may not have ended.
    """

    def __init__(self, before: Sequence[Future] = ()):
        self._before = tuple(before)
        self._over = threading.Event()

    def end(self) -> None:
        """Let the next job begin."""
        self._over.set()

    def wait(self) -> None:
        """Wait until the next job may begin."""
        self._over.wait()

    def wait_for_those_before(self) -> bool:
        """Wait until the jobs before have ended; return whether there was one to wait for."""
        at_work = [future for future in self._before if not future.done()]
        for future in at_work:
            future.exception()
        return len(at_work) > 0


class Turns:
    """Those of all jobs of a process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._begun: list[Future] = []

    def take(self, job: Callable[[Turn], object]) -> None:
        """Return when the job has ended its turn, or has ended.

        Raises:
            Exception: What a job raised that has ended by now.
        """
        self._forget_ended()
        turn = Turn(self._begun)
        future = self._pool.submit(job, turn)
        future.add_done_callback(lambda _: turn.end())
        self._begun.append(future)
        turn.wait()
        self._forget_ended()

    def wait(self) -> None:
        """Wait until all jobs have ended.

        Raises:
            Exception: What one of them raised.
        """
        while self._begun:
            self._begun.pop(0).result()

    def _forget_ended(self) -> None:
        ended = [future for future in self._begun if future.done()]
        self._begun = [future for future in self._begun if future not in ended]
        for future in ended:
            future.result()


TURNS = Turns()
"""Those of this process."""
