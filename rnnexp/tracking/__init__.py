"""Where the records of a run go: the only part of the package that talks to MLflow.

Importing it imports neither MLflow nor TensorFlow.
"""

from rnnexp.tracking.address import resolve
from rnnexp.tracking.destination import Destination
from rnnexp.tracking.file_tracker import FileTracker
from rnnexp.tracking.find_runs import run_with_tags
from rnnexp.tracking.flatten import flatten
from rnnexp.tracking.mirrored_tracker import MirroredTracker
from rnnexp.tracking.mlflow_tracker import MlflowTracker
from rnnexp.tracking.parent_run import ParentRun
from rnnexp.tracking.store import ensure_store
from rnnexp.tracking.store_check import check_store
from rnnexp.tracking.tracker import Point, Status, Tracker, points

__all__ = [
    "Destination",
    "FileTracker",
    "MirroredTracker",
    "MlflowTracker",
    "ParentRun",
    "Point",
    "Status",
    "Tracker",
    "check_store",
    "ensure_store",
    "flatten",
    "points",
    "resolve",
    "run_with_tags",
]
