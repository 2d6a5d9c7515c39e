"""The processes that draw the figures of a worker's jobs; two jobs at a time have their own."""

import multiprocessing.context
import multiprocessing.process
import os
from multiprocessing.connection import Connection

from rnnexp.runs.artist import help_out

_NICE = 10
"""A tenth of a core where all are busy: they are to come to an end on a machine with other users too."""


class Artists:
    """Processes that draw (`rnnexp.runs.artist.help_out`), kept from job to job.

    A fork copies what it touches, and drawing touches much: forked for every job, two of them cost it a
    twentieth of a second more.

    Args:
        context: How processes are started.
        count: How many.

    Attributes:
        connections: One to each, for the job at work.
    """

    def __init__(self, context: multiprocessing.context.BaseContext, count: int):
        pairs = [context.Pipe() for _ in range(count)]
        self.connections = [ours for ours, _ in pairs]
        self._processes = [_started(context, theirs) for _, theirs in pairs]

    @property
    def ready(self) -> bool:
        """Whether all are there, and none has answered a job that did not wait for it."""
        alive = all(process.is_alive() for process in self._processes)
        return alive and not any(connection.poll() for connection in self.connections)

    def dismiss(self) -> None:
        """Let them end once they have drawn what they were asked for, and nobody is connected any more."""
        for connection in self.connections:
            connection.close()


_kept: list[Artists] = []


def at_hand(context: multiprocessing.context.BaseContext, count: int) -> Artists:
    """Return some for a job: of those that this process kept, where they are ready for another, else new."""
    while _kept:
        found = _kept.pop()
        if found.ready:
            return found
        found.dismiss()
    return Artists(context, count)


def keep(found: Artists) -> None:
    """Keep those of a job that has ended well for another one."""
    _kept.append(found)


def _draw(connection: Connection) -> None:
    """Draw what comes, after whatever else there is to compute: the next job, as a rule."""
    os.nice(_NICE)
    help_out(connection)


def _started(context, connection) -> multiprocessing.process.BaseProcess:
    process = context.Process(target=_draw, args=(connection,), daemon=True)
    process.start()
    connection.close()
    return process
