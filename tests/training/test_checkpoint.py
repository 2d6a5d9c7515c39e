import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.nn.network import build_network
from rnnexp.optim import optimizers
from rnnexp.optim.clipping import NoClip
from rnnexp.optim.optimizers import Adam, Optimizer, RmsProp, Sgd
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.model import RecordingModel
from rnnexp.training.record import History, Recorded

T, B, H = 12, 4, 6
TASK = Adding(T)
VALIDATIONS = np.array([[5.0, 0.2, np.inf, 0.9, 0.0], [10.0, np.nan, np.nan, 1.0, 1.0]])
SPECTRA = np.random.default_rng(3).standard_normal((4, 6))

OPTIMIZERS: dict[str, Optimizer] = {
    **{name: optimizer() for name, optimizer in optimizers.CATALOGUE.items()},
    "sgd with momentum": Sgd(momentum=0.9, nesterov=True),
    "rmsprop with momentum": RmsProp(momentum=0.9),
}


def build(seed=0, optimizer=None, units=H, dtype="float32", steps=T):
    task = Adding(steps)
    network = build_network(task, ElmanCell(units, dtype=dtype), seed)
    model = RecordingModel(network, TASK.loss, NoClip(), time_steps=steps)
    model.compile(optimizer=(optimizer or Adam()).build())
    return model


def take_steps(model, start, stop):
    for index in range(start, stop):
        x, y = TASK.batch(0, "train", index, B)
        model.step(tf.constant(x, model.network.inputs[0].dtype), tf.constant(y))


def state(model):
    return [np.asarray(value) for value in (*model.network.variables, *model.optimizer.variables)]


def assert_same(arrays, others):
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(array, other)
        assert array.dtype == other.dtype


def record(model):
    """The record of the model, with what a record may hold."""
    recorded = model.read(0)
    recorded.log_norms[0, :3] = (-np.inf, np.inf, np.nan)
    return recorded


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model after three steps, and its checkpoint."""
    model, path = build(), tmp_path_factory.mktemp("state") / "checkpoint.npz"
    take_steps(model, 0, 3)
    checkpoint.save(path, model, History(record(model), 2, 1.5, diverged_at=2), VALIDATIONS, SPECTRA)
    return model, path


@pytest.fixture
def path(written, tmp_path):
    """A copy of the checkpoint that the test may damage."""
    copy = tmp_path / "checkpoint.npz"
    copy.write_bytes(written[1].read_bytes())
    return copy


@pytest.mark.parametrize(
    ("optimizer", "dtype"), [*((name, "float32") for name in OPTIMIZERS), ("adam", "float64")]
)
def test_a_model_goes_on_as_if_it_had_not_been_saved(optimizer, dtype, tmp_path):
    model, other = (build(seed, OPTIMIZERS[optimizer], dtype=dtype) for seed in (0, 1))
    take_steps(model, 0, 3)
    before = state(model)
    checkpoint.save(tmp_path / "state.npz", model, History.empty(T), VALIDATIONS, SPECTRA)
    assert_same(state(model), before)
    checkpoint.load(tmp_path / "state.npz", other)
    assert_same(state(other), before)
    assert other.steps_taken == 3
    take_steps(model, 3, 5)
    take_steps(other, 3, 5)
    assert_same(state(other), state(model))
    assert_same([other.read(3).log_norms], [model.read(3).log_norms])


def test_history_and_tables_come_back(written):
    model, path = written
    history, validations, spectra, _ = checkpoint.load(path, build(1))
    expected = record(model)
    assert_same(
        [history.kept.train_steps, history.kept.log_norms, history.kept.scalars, validations, spectra],
        [expected.train_steps, expected.log_norms, expected.scalars, VALIDATIONS, SPECTRA],
    )
    assert (history.clipped, history.seconds, history.diverged_at) == (2, 1.5, 2)
    assert checkpoint.steps_in(path) == 3


def test_a_run_that_has_not_begun_can_be_saved(tmp_path):
    model, other = build(), build(1)
    checkpoint.save(tmp_path / "state.npz", model, History.empty(T), np.zeros((0, 5)), np.zeros((0, 3 + H)))
    history, validations, spectra, _ = checkpoint.load(tmp_path / "state.npz", other)
    assert history.kept.log_norms.shape == (0, T)
    assert history.diverged_at is None
    assert validations.shape == (0, 5) and spectra.shape == (0, 3 + H)
    assert_same(state(other), state(model))


def cut_short(file, **arrays):
    file.write(b"PK")
    raise_over()


def raise_over(*arguments):
    raise OSError("no space left")


FAILURES = {
    "while it is written": (np, "savez", cut_short),
    "before it is on the disk": (os, "fsync", raise_over),
    "before it is renamed": (Path, "replace", raise_over),
}


@pytest.mark.parametrize(("owner", "name", "failing"), FAILURES.values(), ids=FAILURES)
def test_a_failure_leaves_the_old_file(owner, name, failing, path, monkeypatch):
    old = path.read_bytes()
    model = build(1)
    take_steps(model, 0, 4)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="^no space left$"):
        patch.setattr(owner, name, failing)
        checkpoint.save(path, model, History.empty(T), VALIDATIONS, SPECTRA)
    assert path.read_bytes() == old
    checkpoint.save(path, model, History.empty(T), VALIDATIONS, SPECTRA)
    assert checkpoint.steps_in(path) == 4
    assert list(path.parent.iterdir()) == [path]


OTHERS = {
    "of other units": {"units": H + 1},
    "of another optimizer": {"optimizer": Sgd()},
    "of an optimizer with as many variables": {"optimizer": RmsProp(momentum=0.5)},
    "of another dtype": {"dtype": "float64"},
    "of another length": {"steps": T + 1},
}


@pytest.mark.parametrize("arguments", OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_another_model_changes_nothing(arguments, written):
    _, path = written
    model = build(1, **arguments)
    model.optimizer.build(model.network.trainable_variables)
    before = state(model)
    with pytest.raises(ArgumentError) as raised:
        checkpoint.load(path, model)
    expected = f"a checkpoint of this model, {len(before)} variables"
    assert str(raised.value) == f"resume: expected {expected}, received {str(path)!r}"
    assert_same(state(model), before)
    assert model.steps_taken == 0


def refused(path, model):
    """Whether the file is refused in the words that it should be, else what of it was loaded."""
    try:
        history, *tables, _ = checkpoint.load(path, model)
    except ArgumentError as error:
        assert str(error).startswith("resume: expected a ") and str(error).endswith(f"received {str(path)!r}")
        return None
    return [*state(model), history.kept.train_steps, history.kept.log_norms, history.kept.scalars, *tables]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(share, path):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    model = build(1)
    before = model.network.get_weights()
    with pytest.raises(ArgumentError, match=r"^resume: expected a whole checkpoint \(remove this one, "):
        checkpoint.load(path, model)
    with pytest.raises(ArgumentError, match=r"^resume: expected a whole checkpoint \(remove this one, "):
        checkpoint.steps_in(path)
    assert_same(model.network.get_weights(), before)


def test_a_byte_that_changed_is_refused_or_does_not_matter(written, path):
    content = path.read_bytes()
    model = build(1)
    whole = refused(path, model)
    places = np.random.default_rng(0).integers(len(content), size=300)
    # The directory at the end of the file is small, and has the most ways to be wrong.
    for place in [*places, *range(len(content) - 100, len(content))]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        loaded = refused(path, model)
        if loaded is not None:
            assert_same(loaded, whole)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x80\x04N."])
def test_what_is_no_checkpoint_is_refused(content, path):
    path.write_bytes(content)
    assert refused(path, build(1)) is None


def test_another_programs_arrays_are_refused(path):
    np.savez(path, steps=np.arange(3))
    assert refused(path, build(1)) is None
    np.save(path.with_suffix(".npy"), np.arange(3))
    path.with_suffix(".npy").replace(path)
    assert refused(path, build(1)) is None


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="state.npz"):
        checkpoint.load(tmp_path / "state.npz", build())


def test_a_checkpoint_holds_what_was_read_so_far(tmp_path):
    """Steps that the device still holds are not part of it: whoever saves reads first."""
    model = build()
    take_steps(model, 0, 3)
    checkpoint.save(tmp_path / "state.npz", model, History(Recorded.empty(T), 0, 0.0), VALIDATIONS, SPECTRA)
    history, *_ = checkpoint.load(tmp_path / "state.npz", model)
    assert len(history.kept.train_steps) == 0
