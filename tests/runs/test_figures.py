"""What happens to the figures of a run, and to the run, when drawing is stopped or fails."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from jobs import job_of
from matplotlib.image import imread

from rnnexp.plotting.run_figures import catalogue
from rnnexp.report.command import main
from rnnexp.runs.figures import draw_figures
from rnnexp.runs.run import run_job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking import Tracker

SMALL = (
    *("units=4", "seq_len=6", "batch_size=4", "steps=6", "jit=false", "probe.bootstrap=100"),
    *("tracking=none", "tracking.model=false", "validation.sequences=50"),
)
SECONDS = 120


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a run that has ended."""
    root = tmp_path_factory.mktemp("outputs")
    run_job(job_of([*SMALL, f"output_dir={root}"]))
    (path,) = root.glob("*/*")
    return RunFolder(path)


class Stopping(Tracker):
    """Is told to stop while it keeps a figure."""

    signals = Interruption()

    def artifact(self, path, folder=""):
        self.signals.receive(signal.SIGINT)


def test_the_command_draws_the_pixels_of_the_run_again(done, tmp_path, capsys):
    assert main([str(done.path), "--out", str(tmp_path)]) == 0
    assert f"figures  {tmp_path}: loss.png, " in capsys.readouterr().out
    names = sorted(path.name for path in done.figures.iterdir())
    assert len(names) == len(catalogue()) and names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        np.testing.assert_array_equal(imread(done.figures / name), imread(tmp_path / name), strict=True)


def test_a_signal_costs_figures_and_nothing_else(done, tmp_path, caplog):
    tracker = Stopping(tmp_path, "run")
    answer = draw_figures(done, tracker, tracker.signals, "png")
    assert answer == f"python run.py report {done.path}"
    assert "stopped by SIGINT while figures were drawn" in caplog.text and answer in caplog.text
    with pytest.raises(Killed):
        tracker.signals.check()


def test_after_a_signal_nothing_is_drawn(done, tmp_path):
    signals = Interruption()
    with signals.deferred():
        signals.receive(signal.SIGTERM)
        tracker = Tracker(tmp_path / "records", "run")
        assert draw_figures(done, tracker, signals, "svg").startswith("python run.py report ")
    assert not list(done.figures.glob("*.svg"))


def test_a_figure_that_fails_is_said_and_the_run_goes_on(tmp_path, caplog):
    folder = RunFolder(tmp_path)
    folder.arrays.write_bytes(b"PK")
    answer = draw_figures(folder, Tracker(tmp_path, "run"), Interruption(), "png")
    assert answer == f"python run.py report {tmp_path}"
    assert "figures could not be drawn (ArgumentError: gradient_flow.npz: " in caplog.text


def whole(png):
    return png.read_bytes()[-8:-4] == b"IEND"


def test_ctrl_c_while_drawing_leaves_a_finished_run(capsys):
    def press_after_the_first_figure():
        deadline = time.monotonic() + SECONDS
        figures = Path("outputs").glob("*/*/figures/*.png")
        while not any(map(whole, figures)) and time.monotonic() < deadline:
            time.sleep(0.01)
            figures = Path("outputs").glob("*/*/figures/*.png")
        os.kill(os.getpid(), signal.SIGINT)

    finger = threading.Thread(target=press_after_the_first_figure)
    with pytest.raises(Killed) as ended:
        finger.start()
        run_job(job_of(SMALL))
    finger.join()
    (path,) = Path("outputs").glob("*/*")
    assert ended.value.exit_code == 130
    assert len(list((path / "figures").glob("*.png"))) < len(catalogue())
    assert json.loads((path / "run.json").read_text())["status"] == "FINISHED"
    assert f"python run.py report {path}" in capsys.readouterr().out


def test_the_format_changes_no_hash():
    hashes = {job_of([*SMALL, f"figures.format={form}"]).hashes for form in ("png", "pdf", "none")}
    assert len(hashes) == 1
