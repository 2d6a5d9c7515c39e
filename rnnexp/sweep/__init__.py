"""Sweeps to be trusted: jobs in processes of their own, skipped when done, gone on with when interrupted."""

from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.preview import preview
from rnnexp.sweep.request import Request
from rnnexp.sweep.supervision import VARIABLE, launched, supervise
from rnnexp.sweep.worker import do_job

__all__ = ["VARIABLE", "Request", "SweepFolder", "do_job", "launched", "preview", "supervise"]
