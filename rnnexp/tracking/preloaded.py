"""What MLflow looks up when a process saves its first model: which module is of which installed package.

It takes a third of a second. The fork server of a sweep imports this, so that it is done once for all jobs.
"""

from rnnexp.tracking.client import quietly

with quietly():
    from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

warn_dependency_requirement_mismatches(["mlflow"])  # what it looks up is kept; it has nothing to warn of
