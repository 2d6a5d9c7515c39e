"""What recording into MLflow needs of it: the fork server of a sweep imports this once for all jobs.

The last line is for the first model that a process saves: MLflow reads then which module is of which package,
a third of a second, and keeps it.
"""

import alembic.command  # noqa: F401
import mlflow.models.rag_signatures
import mlflow.pyfunc
import mlflow.store.tracking.sqlalchemy_store
import mlflow.tensorflow  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401
from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

warn_dependency_requirement_mismatches(["mlflow"])
