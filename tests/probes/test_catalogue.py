"""Every probe of the catalogue keeps the contract of `Probe`, so that a new one is tested by being listed."""

import functools
import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest

from rnnexp.nn.cells.elman import Elman
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.probes import catalogue
from rnnexp.probes.catalogue import PROBES
from rnnexp.probes.rollout import Rollout
from rnnexp.tasks import Adding

ROOT = Path(__file__).parents[2]
TASK, H, B = Adding(7), 4, 5
SPECS = {"elman": Elman(), "lstm": Lstm()}
MAY_BE_NAN = {("lstm", "state/dead")}
"""Metrics without a meaning for a cell."""

each_probe = pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])


@functools.cache
def trajectory(name):
    cell = SPECS[name].build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), "float64")
    network = build_network(TASK, cell, seed=3)
    rollout = Rollout(network, SPECS[name], "tanh", TASK.loss, TASK.batch(0, "probe", 0, B), 50)
    return rollout.trajectory(network.get_weights())


def matches(table, name):
    """Whether a name is one of a table, of which `<state>` stands for any state."""
    patterns = [re.escape(key).replace("<state>", "[a-z]+") for key in table]
    return any(re.fullmatch(pattern, name) for pattern in patterns)


@each_probe
@pytest.mark.parametrize("name", SPECS)
def test_a_probe_yields_what_its_tables_name(probe, name, tmp_path):
    found = probe.measure(trajectory(name))
    if found is None:
        assert all(row.when for row in probe.metric_table.values())
        return
    metrics, arrays = probe.metrics(found), probe.arrays(found)
    assert len(metrics) >= len(probe.metric_table) and len(arrays) >= len(probe.array_table)
    assert all(matches(probe.metric_table, key) for key in metrics)
    assert all(matches(probe.array_table, key) for key in arrays)
    for key, value in metrics.items():
        assert type(value) is float
        assert math.isfinite(value) or (name, key) in MAY_BE_NAN
    np.savez(tmp_path / "arrays.npz", **arrays)
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as stored:
        assert set(stored.files) == set(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(stored[key], array)


@each_probe
def test_a_probe_is_explained_and_drawn_where_it_says(probe):
    assert (ROOT / "docs" / f"{probe.page}.md").is_file()
    if probe.has_figure:
        assert importlib.util.find_spec(f"rnnexp.plotting.{probe.name}") is not None


def test_names_are_there_once():
    for names in (
        [probe.name for probe in PROBES],
        [key for probe in PROBES for key in probe.metric_table],
        [key for probe in PROBES for key in probe.array_table],
    ):
        assert len(names) == len(set(names))


def test_the_tables_of_the_page_are_those_of_the_catalogue():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert catalogue.metric_rows() in page, (
        "docs/metrics.md: python -m rnnexp.probes.catalogue prints its rows"
    )
    assert catalogue.array_rows() in page, (
        "docs/metrics.md: python -m rnnexp.probes.catalogue prints its rows"
    )


def test_all_of_it_together():
    found = catalogue.measure_all(trajectory("lstm"))
    assert "grad/rate_c" in catalogue.metrics(found)
    assert catalogue.arrays(found)["log_norm_c"].shape == (6,)
