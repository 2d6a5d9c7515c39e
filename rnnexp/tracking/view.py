"""How MLflow's pages show a new experiment: as model training, with a saved view of the verdicts.

A fresh experiment shows neither tags nor parameters, and the runs of a sweep folded under their parent. The
view is one tag of the experiment, as MLflow's menu Views writes it: it is there for everybody.
"""

import json

KEY = "verdicts"
"""Ends the address of the view: `#/experiments/<id>/runs?viewStateShareKey=verdicts`."""

_COLUMNS = (
    *("metrics.`grad/rate`", "metrics.`val/error`"),
    *("params.`activation`", "params.`seq_len`", "params.`clip`"),
    *("tags.`verdict.gradient`", "tags.`verdict.learning`"),
)

# Any order but that of creation lists the runs of a sweep themselves, not folded under their parent.
_STATE = {
    "searchFilter": "tags.`verdict.learning` LIKE '%'",
    "orderByKey": "metrics.`grad/rate`",
    "orderByAsc": True,
    "startTime": "ALL",
    "selectedColumns": _COLUMNS,
}


def view_tags() -> dict[str, str]:
    """Return the tags of an experiment that set its kind and its saved view."""
    view = {"name": "Verdicts", "createdAt": 0, "updatedAt": 0, "state": json.dumps(_STATE)}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{KEY}": json.dumps(view),
    }
