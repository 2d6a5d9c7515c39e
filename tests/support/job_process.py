"""Stands for the process of a job, which does nothing but open a run and end."""

import contextlib
from typing import ClassVar

from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder


class JobProcess:
    """A process that ends as the class says."""

    job: ClassVar[Job]
    found: ClassVar[RunFolder | None]
    last: ClassVar["JobProcess"]
    code: int = 0
    error = ""
    opens = True
    status = "FINISHED"
    waits = 1
    finishing = False
    obeys: int | None = None

    def __init__(self, job, found, console, environ):
        type(self).job, type(self).found = job, found
        self.received: list[int] = []
        type(self).last = self
        self.left = self.waits
        self.folder = None
        self._held = contextlib.ExitStack()
        if self.opens:
            self.folder = RunFolder.create(job.output_dir, job.name) if found is None else found
            self._held.enter_context(self.folder.held())
            verdicts = {"verdict.learning": "solved", "verdict.gradient": "stable"}
            self.folder.update(run_id="r", status="RUNNING", config_hash=job.config_hash, store="none")
            self.end = {"status": self.status} | ({"verdicts": verdicts} if self.code == 0 else {})

    def wait(self, seconds):
        self.left -= 1
        if self.obeys in self.received or (self.obeys is None and self.left < 0):
            if self.folder is not None:
                self.folder.update(**self.end)
            self._held.close()
            return self.code
        return None

    def send(self, number):
        self.received.append(number)
