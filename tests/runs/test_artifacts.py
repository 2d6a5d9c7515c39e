import dataclasses
import math

import matplotlib.image
import numpy as np
import pytest
from looks import look
from plans import small_plan

from rnnexp.diagnosis import laws
from rnnexp.diagnosis.comparison import Comparison
from rnnexp.diagnosis.predictions import Predictions
from rnnexp.diagnosis.verdict import Validation
from rnnexp.optim import clipping
from rnnexp.optim.clipping import GlobalNorm, NoClip
from rnnexp.optim.optimizers import Sgd
from rnnexp.plotting.arrays import read_arrays
from rnnexp.plotting.run_figures import catalogue, draw_figures, read_run
from rnnexp.probes.spectrum import SpectrumHistory
from rnnexp.runs import artifacts
from rnnexp.tasks import Adding
from rnnexp.training.record import History, Recorded
from rnnexp.training.replica import Result, Validated

T, H, B, N = 12, 6, 4, 30

PLAN = small_plan(
    task=Adding(T),
    clip=GlobalNorm(2.0),
    optimizer=Sgd(),
    units=H,
    batch_size=B,
    train_steps=N,
    steps_per_execution=1,
    probe_every=100,
    probe_batch_size=B,
    bootstrap=10,
    validation_every=10,
    checkpoint_every=0,
)


def measurement(step, lost=False, steps=T):
    normal = np.random.default_rng(step).standard_normal
    log_norms = np.full((steps, B), np.nan) if lost else normal((steps, B))
    kernel = np.full((H, H), np.nan) if lost else normal((H, H))
    rate = math.nan if lost else -0.1
    return look(step, log_norms, kernel, Predictions(rate=rate, rate_bound=rate))


def record(count=N, steps=T):
    generator = np.random.default_rng(0)
    scalars = generator.random((count, 4))
    scalars[:, 3] = scalars[:, 3] > 0.5
    return Recorded(np.arange(count), generator.standard_normal((count, steps)).astype(np.float32), scalars)


def result(kept, validations=(10, 20, N), diverged_at=None, lost=False, steps=T):
    scores = [Validated(step, Validation(1 / step, 0.1, 0.5, step == N, 0.0, 0.1)) for step in validations]
    history = History(kept, clipped=3, seconds=1.0, diverged_at=diverged_at)
    taken = len(kept.train_steps)
    start = measurement(0, steps=steps)
    end = measurement(taken - 1, lost, steps) if taken else start
    spectra = SpectrumHistory.empty(H).extended(0, start.spectrum).extended(end.step, end.spectrum)
    return Result(start, end, history, spectra, scores, diverged_at, taken)


def test_the_arrays_come_back_with_their_infinities(tmp_path):
    found = result(record())
    found.history.kept.log_norms[3, :3] = (-np.inf, np.inf, np.nan)
    artifacts.save_arrays(tmp_path / "arrays.npz", PLAN, found)
    kept = found.history.kept
    expected = {
        "steps": np.arange(N),
        "log_norms": kept.log_norms,
        "loss": kept.scalars[:, 0],
        "global_norm": kept.scalars[:, 1],
        "clipped_norm": kept.scalars[:, 2],
        "clipped": kept.scalars[:, 3] == 1,
        **{f"start_{name}": array for name, array in found.start.arrays().items()},
        **{f"end_{name}": array for name, array in found.end.arrays().items()},
        "spectrum_steps": np.array([0, N - 1]),
        "spectral_radius": np.array([each.spectrum.spectral_radius for each in (found.start, found.end)]),
        "nonnormality": np.array([each.spectrum.nonnormality for each in (found.start, found.end)]),
        "singular_values": np.stack([each.spectrum.singular_values for each in (found.start, found.end)]),
        "validation_steps": np.array([10, 20, N]),
        "validation_loss": np.array([1 / 10, 1 / 20, 1 / N]),
        "floor_loss": np.array(PLAN.task.floor_loss),
        "loss_unit": np.array(PLAN.task.loss_unit),
        "clip_threshold": np.array(2.0),
        "diverged_at": np.array(-1),
        "gated": np.array(False),
    }
    looked = {"start_log_norm", "end_eigenvalues", "start_lag_log_norm", "end_state_quantiles"}
    assert looked <= expected.keys()
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as stored:
        assert set(stored.files) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(stored[name], array, err_msg=name)
            assert stored[name].dtype == array.dtype


def test_the_arrays_of_a_run_without_steps_keep_their_shapes(tmp_path):
    artifacts.save_arrays(tmp_path / "arrays.npz", PLAN, result(Recorded.empty(T), validations=()))
    with np.load(tmp_path / "arrays.npz") as stored:
        assert stored["log_norms"].shape == (0, T)
        assert stored["validation_steps"].shape == stored["loss"].shape == (0,)
        assert stored["start_log_norm"].shape == (T,)


def test_theory_is_kept_of_the_start_and_of_the_end(tmp_path):
    law = Comparison(laws.MEAN_FIELD, -0.2, -0.1, -0.11, -0.09)
    found = result(record())
    looks = [
        dataclasses.replace(each, predictions=Predictions(comparisons=(law,)))
        for each in (found.start, found.end)
    ]
    artifacts.save_theory(tmp_path / "theory.csv", dataclasses.replace(found, start=looks[0], end=looks[1]))
    header, *rows = (tmp_path / "theory.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("step,quantity,measured")
    assert [row.partition(",")[0] for row in rows] == ["0", str(N - 1)]
    untrained = result(Recorded.empty(T), validations=())
    artifacts.save_theory(tmp_path / "theory.csv", dataclasses.replace(untrained, start=looks[0]))
    assert len((tmp_path / "theory.csv").read_text(encoding="utf-8").splitlines()) == 2


def every_step_lost():
    lost = record()
    lost.log_norms[:] = np.nan
    lost.scalars[:, :3] = np.nan
    return result(lost, validations=(), diverged_at=0, lost=True)


def lost_in_the_middle():
    lost = record()
    lost.log_norms[N // 2 :] = np.inf
    lost.log_norms[: N // 4] = -np.inf
    lost.scalars[N // 2 :, :3] = np.inf
    found = result(lost, diverged_at=N // 2, lost=True)
    found.validations[-1] = Validated(N, Validation(math.nan, math.nan, 1.0, True, math.nan, math.nan))
    return found


RUNS = {
    "nothing but nan": every_step_lost,
    "lost in the middle": lost_in_the_middle,
    "one step, of one time step": lambda: result(record(1, steps=1), validations=(1,), steps=1),
}


@pytest.fixture
def drawn(tmp_path):
    """Save the arrays of a result, and draw them."""

    def draw(found, plan=PLAN):
        artifacts.save_arrays(tmp_path / "gradient_flow.npz", plan, found)
        return draw_figures(read_run(tmp_path), tmp_path / "figures")

    return draw


@pytest.mark.parametrize("make", RUNS.values(), ids=RUNS)
def test_every_run_has_its_figures(make, drawn):
    paths, lacking = drawn(make())
    assert [path.stem for path in paths] == [name for name in catalogue() if name != "sensitivity"]
    assert lacking.keys() == {"sensitivity"}  # of a trajectory, which these looks do not have
    for path in paths:
        image = matplotlib.image.imread(path)
        assert min(image.shape[:2]) > 300
        assert len(np.unique(image[..., :3].sum(axis=2))) > 20  # shades


def test_a_run_without_steps_has_the_figures_of_its_start(drawn):
    paths, _ = drawn(result(Recorded.empty(T), validations=(1,)))
    assert [path.stem for path in paths] == ["gradient_profile", "lags", "spectrum", "states"]


@pytest.mark.parametrize("name", clipping.CATALOGUE)
def test_only_a_threshold_of_the_global_norm_is_saved(name, tmp_path):
    clip = NoClip() if name == "none" else clipping.CATALOGUE[name](0.5)  # type: ignore[call-arg]
    path = tmp_path / "gradient_flow.npz"
    artifacts.save_arrays(path, dataclasses.replace(PLAN, clip=clip), result(record()))
    threshold = float(read_arrays(path)["clip_threshold"])
    assert threshold == 0.5 if name in ("global_norm", "pascanu") else math.isnan(threshold)
