import pandas as pd
import pytest

from rnnexp.tracking import MlflowTracker, Point, Tracker, ensure_store

CONFIG = {
    "activation": "tanh",
    "seq_len": 10,
    "seed": 0,
    "dtype": "float32",
    "output_dir": "here",
    "task": {"_target_": "rnnexp.tasks.Adding", "target": "mean"},
    "clip": {"_target_": "rnnexp.clipping.NoClip"},
}
CHOICES = {"task": "adding", "clip": "none"}
METRICS = {"grad/rate": -0.25, "val/loss": 0.01, "task/floor_loss": 1 / 24}


def record(
    tracker, *, config=None, choices=None, tags=None, metrics=None, errors=((50, 0.4),), status="FINISHED"
):
    """Write a run as the project does; `errors` are (step, error) of its validations."""
    config = CONFIG | (config or {})
    tracker.params(config)
    tracker.params(CHOICES | (choices or {}))
    group = "-".join(str(value) for key, value in config.items() if key != "seed")[:60]
    hashes = {"config_hash": f"{group}-{config['seed']}", "group_hash": group, "sweep_id": "first"}
    verdicts = {"verdict.gradient": "stable", "verdict.learning": "learning", "budget_exhausted": True}
    tracker.tags(hashes | verdicts | {"git.sha": "0123", "git.dirty": False} | (tags or {}))
    tracker.metrics(Point("val/error", error, step) for step, error in errors)
    tracker.metrics(Point(key, value, 60) for key, value in (METRICS | (metrics or {})).items())
    tracker.end(status)
    return tracker


@pytest.fixture
def in_store(tracking_uri):
    experiment = ensure_store(tracking_uri, "study")

    def run(name="a", parent_id=None, **values):
        return record(
            MlflowTracker(
                tracking_uri, experiment, name, tags={"mlflow.parentRunId": parent_id} if parent_id else None
            ),
            **values,
        )

    return run


@pytest.fixture
def in_folder(tmp_path):
    def run(name="a", **values):
        return record(Tracker(tmp_path / "outputs" / "today" / name, name), **values)

    return run


@pytest.fixture
def frame():
    """Rows of the table over runs, from what differs; the group and the seed name the configuration."""

    def make(*rows):
        base = {
            "status": "FINISHED",
            "seed": 0,
            "activation": "tanh",
            "verdict.learning": "learning",
            "verdict.gradient": "stable",
            "budget_exhausted": True,
            "seconds": 2.0,
        }
        full = [base | {"start": number} | row for number, row in enumerate(rows)]
        for row in full:
            row.setdefault("group_hash", f"{row['activation']}{row.get('seq_len', '')}{row.get('clip', '')}")
            row.setdefault("config_hash", f"{row['group_hash']}-{row['seed']}")
        return pd.DataFrame(full)

    return make
