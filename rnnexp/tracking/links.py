"""Addresses within MLflow's pages, which open on model training and not on traces of language models."""

LOCAL_PAGES = "http://127.0.0.1:5000"
"""Where `mlflow ui` shows a store that is no server."""

VIEW = "verdicts"
"""The name of the saved view in an address."""

_MODE = "workflowType=machine_learning"


def run_page(pages: str, experiment_id: str, run_id: str) -> str:
    """Return the address of the page of a run.

    >>> run_page("http://host:5000", "1", "c7cc")
    'http://host:5000/#/experiments/1/runs/c7cc?workflowType=machine_learning'
    """
    return f"{pages}/#/experiments/{experiment_id}/runs/{run_id}?{_MODE}"


def verdicts_page(pages: str, experiment_id: str) -> str:
    """Return the address of the view that lists the verdicts of an experiment.

    >>> verdicts_page("http://host:5000", "1")
    'http://host:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=verdicts'
    """
    return f"{pages}/#/experiments/{experiment_id}/runs?{_MODE}&viewStateShareKey={VIEW}"
