"""The processes that draw the figures of a worker's jobs, beside whichever job is at work."""

import multiprocessing.context
import multiprocessing.process

from rnnexp.artist import help_out


class Artists:
    """Processes that draw (`rnnexp.artist.help_out`), kept from job to job.

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
    """Return those of this process: the ones before where they are ready for another job, else new ones."""
    if not (_kept and _kept[0].ready):
        dismiss()
        _kept.append(Artists(context, count))
    return _kept[0]


def dismiss() -> None:
    """Let those of this process go: a job that did not end well may have left half a question to them."""
    while _kept:
        _kept.pop().dismiss()


def _started(context, connection) -> multiprocessing.process.BaseProcess:
    process = context.Process(target=help_out, args=(connection,), daemon=True)
    process.start()
    connection.close()
    return process
