"""What a job needs beside its configuration: asked before anything is made for it."""

from rnnexp import tracking
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import check_root
from rnnexp.runtime.device import check_device


def check_job(job: Job) -> None:
    """Check what lies outside the configuration: the device, the folder of the runs, the tracking store.

    Raises:
        ArgumentError: There is no such device, or one of the others cannot be used.
    """
    check_machine(job)
    if job.tracking.uri is not None:
        tracking.check_store(job.tracking.uri)


def check_machine(job: Job) -> None:
    """Check what lies outside the configuration on this machine: a job of a sweep needs no MLflow to begin.

    Raises:
        ArgumentError: There is no such device, or the folder cannot be used.
    """
    check_device(job.plan.device)
    check_root(job.output_dir)
