"""The MLflow run that was opened and whose id was lost, because its process was killed before it noted it."""

from collections.abc import Mapping

from rnnexp.tracking.client import connect


def run_with_tags(uri: str, experiment_id: str, tags: Mapping[str, str]) -> str | None:
    """Return the id of the newest run of an experiment that has all these tags, None where none has.

    Raises:
        MlflowException: The store does not answer.
    """
    query = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    found = connect(uri).search_runs([experiment_id], query, max_results=1)
    return found[0].info.run_id if found else None


def _quoted(value: str) -> str:
    """Return the value in the quotes that it does not hold: those of MLflow's filters know no escape."""
    quote = '"' if "'" in value else "'"
    return f"{quote}{value}{quote}"
