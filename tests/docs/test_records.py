"""What docs/metrics.md and docs/verdict.md say that a run leaves is what `experiment=smoke` leaves."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rnnexp.runs import build
from rnnexp.runs.run import run_job
from rnnexp.runtime.config_keys import GROUPS

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = "".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "rnnexp").rglob("*.py"))
ROW = re.compile(r"^\| (`.*?) \| .* \|(.*)\|$", flags=re.MULTILINE)
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one whole run."""
    root = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        run_job(build.compose_job(["experiment=smoke", "tracking=none", f"output_dir={root}"]))
    (path,) = root.glob("*/*")
    return path


def table(heading: str) -> tuple[set[str], set[str]]:
    """The names in the first column of the table under a heading: always there, and there at times.

    A row is of something that is there at times where its last column says when.
    """
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, flags=re.DOTALL | re.MULTILINE)
    always: set[str] = set()
    at_times: set[str] = set()
    for names, when in ROW.findall(section):
        (at_times if when.strip() else always).update(re.findall(r"`([^`]+)`", names))
    return always, at_times


def check(heading: str, found: set[str]) -> None:
    always, at_times = table(heading)
    assert len(always) >= 5
    assert always - found == set(), "on the page and not in the run"
    assert found - always - at_times == set(), "in the run and not on the page"


def test_the_metrics_are_those_of_the_table(folder: Path) -> None:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        check("Metrics", {row["key"] for row in csv.DictReader(file)})


def test_a_metric_that_is_there_at_times_is_one_of_the_package() -> None:
    _, at_times = table("Metrics")
    assert [key for key in at_times if key.rpartition("/")[2] not in SOURCES] == []


def test_what_is_said_is_said_of_metrics_of_the_table() -> None:
    """A number is read by its name, and a name that no run records would be nan without a word."""
    package = DOCS.parent / "rnnexp"
    said = [*package.glob("diagnosis/*.py"), *package.glob("report/terminal/*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in said)
    known = set.union(*table("Metrics"))
    groups = "|".join({name.partition("/")[0] for name in known if "/" in name})
    read = set(re.findall(rf"\"((?:{groups})/[a-z0-9_]+)\"", source))
    assert len(read) >= 20
    assert read - known == set()


def test_the_tags_are_those_of_the_table(folder: Path) -> None:
    tags = json.loads((folder / "tags.json").read_text(encoding="utf-8"))
    check("Tags", {re.sub(r"^version\..*", "version.<package>", tag) for tag in tags})


def test_the_parameters_are_those_of_the_table(folder: Path) -> None:
    params = json.loads((folder / "params.json").read_text(encoding="utf-8"))
    check("Parameters", {re.sub(rf"^({'|'.join(GROUPS)})\..*", "<group>.<key>", name) for name in params})


def test_the_files_are_those_of_the_table(folder: Path) -> None:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    check("Files", found)


def test_the_arrays_are_those_of_the_table(folder: Path) -> None:
    with np.load(folder / "gradient_flow.npz") as arrays:
        check("Arrays", set(arrays.files))


def test_the_verdict_in_words_reads_as_shown(folder: Path) -> None:
    page = (DOCS / "verdict.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    written = (folder / "verdict.txt").read_text(encoding="utf-8")
    written = re.sub(r" tracking=none output_dir=\S+", "", written)  # as this test has it
    assert NUMBER.sub("N", written) == NUMBER.sub("N", shown)
