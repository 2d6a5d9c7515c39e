import itertools
import json

import numpy as np
import pandas as pd
import pytest
import yaml

import rnnexp
from rnnexp.analysis import group_runs, varying
from rnnexp.analysis.groups import ENDS, GRADIENT, LEARNING
from rnnexp.report.html.axes import choose_axes
from rnnexp.runtime.provenance import config_hash, group_hash
from rnnexp.tracking import Point, Tracker

RATES = {"tanh": -0.2, "relu": 0.1}
STEPS = 200


def arrays(rate, seq_len, *, clipped=0.0, diverged_at=None):
    """What a run leaves whose gradient grows by exactly `rate` nats per step of lag."""
    steps = np.arange(STEPS if diverged_at is None else diverged_at + 1)
    profile = rate * np.arange(seq_len)[::-1].astype(float)
    loss = np.exp(-steps / 100.0)
    if diverged_at is not None:
        loss[-1] = np.inf
    return {
        "steps": steps,
        "loss": loss,
        "clipped": steps < clipped * len(steps),
        "start_log_norm": 2 * profile,
        "end_log_norm": profile,
        "validation_steps": np.array([100, 200]),
        "validation_loss": np.array([0.4, 0.2]),
    }


def write_run(folder, config, choices, tags, metrics, kept):
    tracker = Tracker(folder, folder.name)
    tracker.params(config)
    tracker.params(choices)
    hashes = {"config_hash": config_hash(config), "group_hash": group_hash(config), "sweep_id": "sweep-1"}
    tracker.tags(
        hashes
        | {"run_folder": folder, "git.sha": "0123abc", "git.dirty": False, "version.keras": "3.15"}
        | tags
    )
    tracker.metrics(Point(key, value, STEPS) for key, value in metrics.items())
    np.savez_compressed(folder / "gradient_flow.npz", **kept)
    tracker.end("FINISHED")


def write_sweep(root, clips=("none", "norm"), lengths=(10, 20), seeds=(0, 1)):
    """tanh vanishes and solves, relu without a clip diverges, relu with one learns."""
    for number, (activation, seq_len, clip, seed) in enumerate(
        itertools.product(RATES, lengths, clips, seeds)
    ):
        diverged = activation == "relu" and clip == "none"
        learning = "diverged" if diverged else "solved" if activation == "tanh" else "learning"
        config = {
            "activation": activation,
            "seq_len": seq_len,
            "clip": {"_target_": clip},
            "seed": seed,
            "units": 8,
        }
        overrides = [
            f"activation={activation}",
            f"seq_len={seq_len}",
            f"clip={clip}",
            f"seed={seed}",
            "units=8",
        ]
        folder = root / "today" / f"{number:02d}-{activation}"
        metrics = {
            "grad/rate": RATES[activation],
            "grad/log10_ratio": RATES[activation] * seq_len / np.log(10),
        }
        metrics |= {"theory/rate": RATES[activation] + 0.05, "theory/rate_bound": 0.3, "task/floor_loss": 0.5}
        metrics |= {"val/loss": 0.2, "val/error": 0.1, "grad/clip_fraction": 0.25 if clip == "norm" else 0.0}
        write_run(
            folder,
            config,
            {"task": "adding", "clip": clip},
            {
                "verdict.learning": learning,
                "verdict.gradient": "non_finite"
                if diverged
                else "vanishing"
                if activation == "tanh"
                else "stable",
                "budget_exhausted": learning == "learning",
                **({"diverged_at": 50} if diverged else {}),
            },
            metrics,
            arrays(
                RATES[activation],
                seq_len,
                clipped=0.25 * (clip == "norm"),
                diverged_at=50 if diverged else None,
            ),
        )
        (folder / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    return root


@pytest.fixture(scope="session")
def sweep(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="session")
def loaded(sweep):
    table = rnnexp.load_runs(sweep)
    return table, group_runs(table)


@pytest.fixture
def runs(loaded):
    return loaded[0].copy()


@pytest.fixture
def groups(loaded):
    return loaded[1].copy()


@pytest.fixture
def axes(runs, groups):
    return choose_axes(groups, varying(runs))


@pytest.fixture
def table():
    """A table over groups with the keys given, and counts and means that can be set."""

    def make(*rows, **common):
        means = ["rate", "log10_ratio", "predicted_rate", "rate_bound", "loss", "error"]
        means += ["median_steps", "clip_fraction"]
        counts = [*LEARNING, *GRADIENT, *ENDS.values(), "budget_exhausted"]
        base: dict[str, object] = dict.fromkeys(counts, 0) | {"n": 3, "runs": 3, "floor_loss": 0.5}
        base |= {f"{name}{end}": float("nan") for name in means for end in ("", "_low", "_high")}
        full = [base | common | row for row in rows]
        for row in full:
            row.setdefault("success_rate", row["solved"] / row["n"] if row["n"] else float("nan"))
            row.setdefault("success_low", 0.1)
            row.setdefault("success_high", 0.9)
            row.setdefault("label", json.dumps({key: row[key] for key in row if key not in base}))
        return pd.DataFrame(full)

    return make


@pytest.fixture(name="arrays")
def arrays_fixture():
    return arrays


@pytest.fixture(name="write_sweep")
def write_sweep_fixture():
    return write_sweep
