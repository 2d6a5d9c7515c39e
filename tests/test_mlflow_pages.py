"""MLflow's pages over a small sweep, as its user meets them: real commands, a real server, a real browser."""

import contextlib
import math
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import needs_browser, open_page
from mlflow.entities import Run
from playwright.sync_api import Locator, Page, expect

from rnnexp.tracking.client import connect

pytestmark = [needs_browser, pytest.mark.sweep]

ROOT = Path(__file__).parents[1]
SECONDS = 60

LENGTHS = (5, 10, 20)
RATES = (0.001, 0.1)
SWEEP = (f"seq_len={','.join(map(str, LENGTHS))}", "activation=tanh,relu")
NUMBERS = (SWEEP[0], f"optimizer.learning_rate={','.join(map(str, RATES))}", "tracking.experiment=numbers")
TINY = ("units=4", "batch_size=4", "steps=4", "jit=false", "probe.bootstrap=100", "tracking.model=false")

# The assistant opens by itself before a reader who has never closed it, and covers a quarter of the page.
ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""

# Plotly draws the lines over parallel axes on a canvas, where no locator sees them.
PAINTED = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, at) => at % 4 === 3 && value > 0);
}"""


def call(folder: Path, *arguments: str) -> None:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, check=True, timeout=300, capture_output=True
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    """The address of a store with six runs, their sweep's run and its report."""
    folder = tmp_path_factory.mktemp("sweep")
    uri = f"sqlite:///{folder}/mlflow.db"
    call(folder, str(ROOT / "run.py"), "-m", *SWEEP, *TINY, f"tracking.uri={uri}")
    call(folder, "-m", "rnnexp.report", "--where", uri)
    return uri


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory) -> Iterator[str]:
    """The address of the experiment in the pages over the store, as `mlflow ui` serves them."""
    log = tmp_path_factory.mktemp("server") / "log"
    port = free_port()
    options = ("--backend-store-uri", store, "--port", str(port), "--workers", "1")
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "ui", *options],
            stdout=file,
            stderr=file,
            cwd=log.parent,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/#/experiments/{number_of(store, 'rnnexp')}"
        finally:
            process.terminate()
            process.wait(SECONDS)


@pytest.fixture(scope="module")
def numbers(store: str, server: str, tmp_path_factory) -> str:
    """The address of a second experiment in the same pages: six runs that differ in two numbers."""
    folder = tmp_path_factory.mktemp("numbers")
    call(folder, str(ROOT / "run.py"), "-m", *NUMBERS, *TINY, f"tracking.uri={store}")
    return f"{server.rpartition('/')[0]}/{number_of(store, 'numbers')}"


@pytest.fixture(scope="module")
def browsed(server: str) -> Iterator[Page]:
    with open_page(viewport={"width": 1700, "height": 1000}) as page:
        page.set_default_timeout(1000 * SECONDS)
        page.add_init_script(ASSISTANT)
        yield page


@pytest.fixture
def page(browsed: Page) -> Page:
    """A page without a past: MLflow's own keeps what was marked and opened."""
    expect.set_options(timeout=1000 * SECONDS)
    browsed.goto("about:blank")
    return browsed


def free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=SECONDS):
            return
        time.sleep(0.1)
    raise RuntimeError(f"MLflow's server did not start:\n{log.read_text()}")


def number_of(store: str, experiment: str) -> str:
    return connect(store).get_experiment_by_name(experiment).experiment_id


def runs_of(
    store: str, filter: str = "tags.`verdict.learning` LIKE '%'", experiment: str = "rnnexp"
) -> list[Run]:
    return list(connect(store).search_runs([number_of(store, experiment)], filter))


def open_verdicts(page: Page, server: str) -> Locator:
    """The table of the saved view, once it is filled."""
    page.goto(f"{server}/runs?viewStateShareKey=verdicts")
    expect(page.get_by_text(f"{len(LENGTHS) * 2} matching runs")).to_be_visible()
    return page.get_by_role("grid")


def compare(page: Page, server: str, *rows: int) -> None:
    """Mark rows of the table and press Compare."""
    table = open_verdicts(page, server)
    for row in rows:
        box = table.get_by_role("checkbox", name=re.compile("toggle row selection")).nth(row)
        box.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name=f"Comparing {len(rows)} Runs")).to_be_visible()


def as_typed(store: str) -> list[tuple[float, float, float]]:
    """Length, learning rate and `grad/rate` of each run; the first two as on the command line, no metrics."""
    found = {}
    for run in runs_of(store, experiment="numbers"):
        typed = (int(run.data.params["seq_len"]), float(run.data.params["optimizer.learning_rate"]))
        found[typed] = run.data.metrics["grad/rate"]
    return [(length, rate, found[length, rate]) for length in LENGTHS for rate in RATES]


def becomes(page: Page, read: Callable[[], Any], expected: object) -> None:
    """Assert that `read` returns `expected`, once the page has drawn what was chosen last."""
    end = time.monotonic() + SECONDS
    while (found := read()) != expected and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert found == expected


def open_artifact(page: Page, server: str, run: Run, path: str) -> None:
    page.goto(f"{server}/runs/{run.info.run_id}/artifacts/{path}")
    expect(page.get_by_text(path, exact=True).first).to_be_visible()


def test_the_saved_view_shows_swept_parameters_and_verdicts(page, server, store):
    table = open_verdicts(page, server)
    for name in ("grad/rate", "val/error", "activation", "seq_len", "verdict.gradient", "verdict.learning"):
        expect(table.get_by_role("columnheader", name=name).first).to_be_visible()
    for run in runs_of(store):
        row = table.get_by_role("row").filter(has_text=str(run.data.metrics["grad/rate"])[:10])
        said = [run.data.params[key] for key in ("activation", "seq_len")]
        said += [run.data.tags[key] for key in ("verdict.gradient", "verdict.learning")]
        for word in said:
            expect(row.get_by_role("gridcell", name=word, exact=True)).to_be_visible()


def test_a_run_has_a_section_of_charts_for_each_kind_of_metric(page, server, store):
    run = runs_of(store, "params.activation = 'tanh' and params.seq_len = '20'")[0]
    page.goto(f"{server}/runs/{run.info.run_id}/model-metrics")
    kinds = {name.partition("/")[0] for name in run.data.metrics}
    assert {"with", "grad", "jacobian", "lyapunov", "recurrent", "state", "theory", "train", "val"} <= kinds
    sections = page.locator("[role=button]")
    for kind in kinds:
        number = sum(name.startswith(f"{kind}/") for name in run.data.metrics)
        section = sections.filter(has_text=re.compile(rf"^{kind}\s*\({number}\)"))
        expect(section).to_be_attached()
    # Charts far below the window are not drawn.
    page.get_by_placeholder("Search metric charts").fill("global_norm")
    expect(page.get_by_text("global_norm_max", exact=True)).to_be_visible()


def test_two_runs_are_compared_by_differing_parameters(page, server):
    compare(page, server, 0, len(LENGTHS) * 2 - 1)
    parameters = page.locator("table").filter(has_text="activation").first
    page.get_by_role("switch", name="Show diff only").first.check()
    expect(parameters.get_by_role("row")).to_have_text([re.compile("activation"), re.compile("seq_len")])


def test_a_comparison_opens_with_what_tells_its_runs_apart(page, numbers):
    compare(page, numbers, *range(len(LENGTHS) * len(RATES)))
    axes = page.locator(".js-plotly-plot .axis-title")
    expect(axes).to_have_text(["optimizer.learning_rate", "seq_len", "with/seq_len"])


def test_parallel_coordinates_show_configuration_numbers(page, numbers, store):
    compare(page, numbers, *range(len(LENGTHS) * len(RATES)))
    page.get_by_role("button", name="Clear All").click()
    names = ["with/seq_len", "with/learning_rate", "grad/rate"]
    page.get_by_role("combobox").and_(page.locator("[type=search]")).nth(1).click(force=True)
    for name in names:
        options = page.locator(".du-bois-light-select-item-option")
        options.filter(has_text=re.compile(f"^{name}$")).click()
    plot = page.locator(".js-plotly-plot")
    expect(plot.locator(".axis-title")).to_have_text(names)
    values = "plot => plot.data[0].dimensions.map(axis => axis.values)"
    becomes(page, lambda: sorted(zip(*plot.evaluate(values), strict=True)), as_typed(store))
    becomes(page, lambda: plot.locator("canvas.gl-canvas-focus").evaluate(PAINTED), True)


def test_contours_are_drawn_over_numbers_of_the_configuration(page, numbers, store):
    compare(page, numbers, *range(len(LENGTHS) * len(RATES)))
    page.get_by_role("tab", name="Contour Plot").click()
    for axis, metric in {"X": "with/seq_len", "Y": "with/log10_learning_rate", "Z": "grad/rate"}.items():
        page.get_by_label(f"{axis}-axis:").click()
        page.get_by_role("option", name=metric, exact=True).click()
    plot = page.locator(".js-plotly-plot")
    values = "plot => [plot.data[0].x, plot.data[0].y, plot.data[0].z]"
    expected = [(length, math.log10(rate), found) for length, rate, found in as_typed(store)]
    becomes(page, lambda: sorted(zip(*plot.evaluate(values), strict=True)), expected)
    expect(plot.locator(".contourlines path").first).to_be_visible()
    expect(plot.locator(".xtitle")).to_have_text("with/seq_len")
    expect(plot.locator(".ytitle")).to_have_text("with/log10_learning_rate")


def test_the_heat_map_is_shown(page, server, store):
    run = runs_of(store)[0]
    open_artifact(page, server, run, "figures/gradient_heatmap.png")
    picture = page.get_by_role("img", name="figures/gradient_heatmap.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 500


def test_the_report_is_shown_in_the_run_of_the_sweep(page, server, store):
    (parent,) = runs_of(store, "tags.`sweep.at_chance` LIKE '%'")
    open_artifact(page, server, parent, "report/report.html")
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", level=1)).to_have_text("seq_len × activation, task adding")
    expect(report.locator(".phase .cell")).to_have_count(len(LENGTHS) * 2)
    report.locator(".plot").first.scroll_into_view_if_needed()
    expect(report.locator(".plot .js-line").first).to_be_attached()
