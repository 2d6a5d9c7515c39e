"""What befalls a sweep in the soak test: kills, a tracking server that dies or hangs, a disk that is full."""

import collections
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

SECRET = "soak-secret-4711"
_SIZE = "600m"


class Victim(Protocol):
    """A command with processes of its own."""

    def first(self) -> list[int]:
        """Return the process that the user sees."""

    def processes(self) -> list[int]:
        """Return all its processes."""


class Server:
    """An MLflow server that can be killed, stopped and started again; its store lies below `folder`."""

    def __init__(self, folder: Path):
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Its address, with a login that it does not ask for."""
        return f"http://ann:{SECRET}@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self._folder}/runs.db"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        with (self._folder / "server.txt").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            time.sleep(0.1)
        raise RuntimeError("the server does not start")

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            if number == signal.SIGKILL:
                self._process.wait()


class Chaos:
    """What befalls the sweep."""

    def __init__(self, sweep: Victim, server: Server, disk: Path | None, seed: int):
        self._sweep, self._server, self._disk = sweep, server, disk
        self._chance = random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()

    def strike(self) -> None:
        """Do one thing at random."""
        acts = [self.kill_one, self.kill_first, self.kill_all, self.stop_first, self.server_dies, self.hangs]
        act = self._chance.choice(acts if self._disk is None else [*acts, self.disk_full])
        self.counts[act.__name__] += 1
        act()

    def kill_one(self) -> None:
        """Kill -9 any process of the sweep."""
        if found := self._sweep.processes():
            self._kill([self._chance.choice(found)])

    def kill_first(self) -> None:
        """Kill -9 the process that the user sees."""
        self._kill(self._sweep.first())

    def kill_all(self) -> None:
        """Kill -9 all processes of the sweep."""
        while found := [pid for pid in self._sweep.processes() if _alive(pid)]:
            self._kill(found)

    def stop_first(self) -> None:
        """Press Ctrl-C, close the terminal, or SIGTERM."""
        self._kill(self._sweep.first(), self._chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))

    def server_dies(self) -> None:
        """Kill the server, and start it a while later."""
        self._server.signal(signal.SIGKILL)
        time.sleep(self._chance.uniform(0.0, 10.0))
        self._server.start()

    def hangs(self) -> None:
        """Let the server answer nothing for a while."""
        self._server.signal(signal.SIGSTOP)
        time.sleep(self._chance.uniform(1.0, 10.0))
        self._server.signal(signal.SIGCONT)

    def disk_full(self) -> None:
        """Leave no room on the disk for a while."""
        filler = (self._disk or Path()) / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"\0" * 2**16):
                pass
        time.sleep(self._chance.uniform(0.5, 5.0))
        filler.unlink()

    def _kill(self, processes: Sequence[int], number: int = signal.SIGKILL) -> None:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Path | None]:
    """Mount a tmpfs on `folder`; yield None where that is not allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
