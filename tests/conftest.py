"""What every test gets: a working folder of its own, and a tracking database that costs no time to make."""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnexp.runtime.threads import one_blas_thread
from rnnexp.tracking import ensure_store

ROOT = Path(__file__).parents[1]
LONG_FIRST = [ROOT / "tests", ROOT / "tests" / "training", ROOT / "tests" / "runs"]
"""Folders whose files take longest: whole commands, then trainings."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: at the end no process waits long for another."""
    items.sort(key=lambda item: [item.path.parent != folder for folder in LONG_FIRST])


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run the test in a fresh folder, with no tracking address in the environment or left in MLflow.

    Whatever a test writes without saying where lands there, never in the project. Programs that a test starts
    find the package, installed or not.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield tmp_path
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


@pytest.fixture(scope="module", autouse=True)
def graph_rewriting() -> Iterator[None]:
    """Keep TensorFlow from rewriting every graph before it runs, a tenth of the time of the suite.

    The rewriting pays in long runs; a test runs most of its graphs once. What is started as a process of its
    own, and with it every whole command, keeps it. A module that compares such a process to the bit with this
    one keeps it too, by a fixture of this name that does nothing.
    """
    if "tensorflow" not in sys.modules:
        yield
        return
    optimizer = sys.modules["tensorflow"].config.optimizer
    optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> None:
    """Exempt what is there from the collector, which Keras calls whenever it clears its session."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Keep linear algebra to one thread: with as many processes as cores, several would wait for each other.

    What is started as a process of its own chooses for itself.
    """
    with one_blas_thread():
        yield


@pytest.fixture(scope="session", autouse=True)
def hang_ups() -> None:
    """Let SIGHUP through, which `nohup` would have every process of the suite ignore."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def tracking_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database without runs; copy it, never write into it."""
    path = tmp_path_factory.mktemp("tracking") / "mlflow.db"
    ensure_store(f"sqlite:///{path}", "Default")
    return path


@pytest.fixture
def tracking_uri(tmp_path: Path, tracking_template: Path) -> str:
    """Return the address of an MLflow database of the test's own, `mlflow.db` in its folder."""
    return f"sqlite:///{shutil.copy(tracking_template, tmp_path / 'mlflow.db')}"
