"""Where a run is, for a human who looks for it, and the addresses within MLflow's pages.

The addresses open on model training and not on traces of language models.
"""

import shlex
from typing import NamedTuple

from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.address import is_server

VIEW = "verdicts"
"""The name of the saved view in an address."""

_LOCAL_PAGES = "http://127.0.0.1:5000"
_MODE = "workflowType=machine_learning"


class Place(NamedTuple):
    """Where the records of a run are.

    Attributes:
        where: A path, or the address of a page; None where there are none.
        open_command: The command that shows them, None where `where` can be opened as it is.
        page: The address in MLflow's pages that lists the verdicts, None without MLflow.
    """

    where: str | None = None
    open_command: str | None = None
    page: str | None = None

    def labelled(self) -> dict[str, str]:
        """Return what there is of it, under the label that it has in the terminal."""
        found = {"stored in": self.where, "open with": self.open_command, "verdicts": self.page}
        return {label: text for label, text in found.items() if text is not None}


NOWHERE = Place()


def pages_of(uri: str) -> str:
    """Return the address of MLflow's pages over a store: of a server, or where `open_command` shows them."""
    return without_login(uri) if is_server(uri) else _LOCAL_PAGES


def open_command(uri: str) -> str | None:
    """Return the command that serves MLflow's pages over a store, or None for a server."""
    return None if is_server(uri) else f"mlflow ui --backend-store-uri {shlex.quote(without_login(uri))}"


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
