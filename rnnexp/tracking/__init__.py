"""Where the records of a run go: the only part of the package that talks to MLflow.

Importing it imports neither MLflow nor TensorFlow.
"""

from rnnexp.tracking.address import resolve
from rnnexp.tracking.flatten import flatten
from rnnexp.tracking.links import Place
from rnnexp.tracking.mirror import Mirror
from rnnexp.tracking.mlflow_tracker import MlflowTracker
from rnnexp.tracking.parent_run import ParentRun
from rnnexp.tracking.records import Point, Status, points
from rnnexp.tracking.store import ensure_store
from rnnexp.tracking.store_check import check_store
from rnnexp.tracking.tracker import Tracker
from rnnexp.tracking.upload import Upload

__all__ = [
    "Mirror",
    "MlflowTracker",
    "ParentRun",
    "Place",
    "Point",
    "Status",
    "Tracker",
    "Upload",
    "check_store",
    "ensure_store",
    "flatten",
    "points",
    "resolve",
]
