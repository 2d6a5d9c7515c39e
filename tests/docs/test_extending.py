"""docs/extending.md does what it says: its files are written, its commands taken, and its parts trained."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from rnnexp import cli
from rnnexp.nn import activations
from rnnexp.runs import build
from rnnexp.runs.arguments import read_arguments
from rnnexp.runs.composition import axes, parse
from rnnexp.runs.constructors import KINDS
from rnnexp.runs.menu import Menu
from rnnexp.runs.run import run_job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.config_keys import key_of
from rnnexp.tracking.client import connect

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^```bash\nPYTHONPATH=lab python run.py (.*)\n```$", flags=re.MULTILINE)
TINY = (
    *("seq_len=10", "units=8", "batch_size=8", "steps=5", "jit=false", "probe.bootstrap=100"),
    *("tracking=none", "tracking.diff=false", "figures.format=none"),
)
COMMANDS = COMMAND.findall(PAGE)
PARTS = (
    *("plugins=[mine]", "task=first", "activation=mine.activations:snake", "init=signs", "clip=squash"),
    *("optimizer=lion", "schedule=inverse_time", "constraint=symmetric", "regularizer=hebbian"),
    *("phase=sizing", "+probes=mean_state"),
)
"""One of every kind."""


@pytest.fixture
def lab(working_folder, monkeypatch):
    """The files of the page in the working folder, importable."""
    for name, body in FILE.findall(PAGE):
        path = working_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    (working_folder / "lab" / "mine" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(working_folder / "lab"))
    yield working_folder / "lab"
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def test_every_kind_has_its_file_and_its_command():
    files = [Path(name) for name, _ in FILE.findall(PAGE)]
    assert {path.parent.name for path in files if path.suffix == ".yaml"} == KINDS.keys()
    assert len(COMMANDS) == len(KINDS) + 1  # an activation has no file


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_taken(lab, command):
    asked = read_arguments(shlex.split(command))
    listed = axes([*map(parse, asked.overrides), *map(parse, TINY)], asked.sweeping)
    job = build.compose_job([axis[-1] for axis in listed], asked.menu)
    assert job.config["plugins"] == ["mine"]


def test_all_parts_of_the_page_train_as_typed(lab, monkeypatch):
    """But for the cell, whose adjoints no regularizer takes: it is trained where Keras loads its model."""
    assert {key_of(part) for part in PARTS} == {*KINDS, "activation", "plugins"} - {"cell"}
    job = build.compose_job([*PARTS, *TINY], Menu(added=lab / "conf"))
    monkeypatch.setenv("PYTHONPATH", str(lab), prepend=":")
    line = [sys.executable, str(ROOT / "run.py"), "--config-dir=lab/conf", *PARTS, *TINY]
    answer = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "finished" in answer.stdout
    (folder,) = (RunFolder(path.parent) for path in Path("outputs").glob("*/*/run.json"))
    state = folder.state()
    assert (state["status"], state["config_hash"]) == ("FINISHED", job.config_hash)
    (probe,) = job.plan.probes
    with np.load(folder.arrays) as arrays:
        assert {f"{look}_{name}" for look in ("start", "end") for name in probe.array_table} <= set(arrays)
    assert all(f"\n{key}," in (folder.path / "metrics.csv").read_text() for key in probe.metric_table)


def test_a_wrong_value_of_a_part_of_the_page_takes_one_sentence(lab, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.check([*shlex.split(COMMANDS[0]), *TINY, "task.scale=0"])
    sentence = "run.py: task.scale: expected a finite number above 0, received 0\n"
    assert (ended.value.code, capsys.readouterr().err) == (2, sentence)


def test_keras_loads_a_model_made_of_ones_own_parts(lab, tracking_uri):
    typed = ["plugins=[mine]", "cell=residual", "init=signs", "activation=mine.activations:snake", *TINY]
    typed += ["tracking=mlflow", f"tracking.uri={tracking_uri}"]
    assert run_job(build.compose_job(typed, Menu(added=lab / "conf"))) == []  # MLflow took all of it
    (path,) = Path("outputs").glob("*/*/model.keras")
    client = connect(tracking_uri)
    (run,) = client.search_runs(["0", "1"])
    assert run.info.status == "FINISHED"
    kept = client.download_artifacts(run.info.run_id, "model.keras")
    assert Path(kept).read_bytes() == path.read_bytes()
    mine = {"Residual": "cells", "snake": "activations", "Signs": "initializers"}
    parts = {name: vars(importlib.import_module(f"mine.{module}"))[name] for name, module in mine.items()}
    model = keras.models.load_model(path, custom_objects=parts)
    assert model.predict(np.zeros((2, 10, 2), np.float32), verbose=0).shape == (2, 1)


def test_without_permission_a_command_of_the_page_is_refused(lab):
    for command in COMMANDS:
        typed = [part for part in shlex.split(command) if not part.startswith("plugins=")]
        asked = read_arguments(typed)
        listed = axes([parse(override) for override in asked.overrides], asked.sweeping)
        with pytest.raises(ValueError, match=r"plugins=\[PACKAGE\]"):
            build.compose_job([axis[0] for axis in listed], asked.menu)
    assert not [name for name in sys.modules if name.partition(".")[0] == "mine"]


def test_the_documented_activation_has_the_right_slope(lab):
    import tensorflow as tf

    phi = activations.by_name("mine.activations:snake")
    a = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(activations.slope(phi, tf.constant(a)), 1 + np.sin(2 * a), atol=1e-12)
