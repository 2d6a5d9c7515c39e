"""A sweep on two nodes of Ray, through a tracking server, beside the same sweep with joblib.

Needs the packages of requirements/ray.txt, whose launcher does not fit into the environment of the others.
"""

import contextlib
import importlib.util
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from whole_sweeps import SECONDS, arrays, asked, histories, jobs, run_folders

from rnnexp.tracking.client import connect

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]

SWEEP = ("steps=30", "validation.every=10", "activation=tanh,relu", "seed=0,1", "tracking.experiment=rays")

CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print("address", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def server(tmp_path):
    """Return the address of a tracking server on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log, ended(subprocess.Popen(command, stdout=log, stderr=log)):
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health"):
                break
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield address


@pytest.fixture
def cluster():
    """Return the address of two nodes of Ray, with a processor each."""
    command = [sys.executable, "-c", CLUSTER]
    environ = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, env=environ, **pipes) as process:  # type: ignore[call-overload]
        lines = iter(process.stdout.readline, "")
        yield next(line.split()[1] for line in lines if line.startswith("address "))
        process.stdin.close()
        process.wait(SECONDS)


def by_configuration():
    return {job["config_hash"]: job for job in jobs()}


def spans(client, found):
    infos = [client.get_run(job["run_id"]).info for job in found]
    return [(info.start_time, info.end_time) for info in infos]


def test_two_nodes_of_ray_find_what_joblib_finds(tmp_path, monkeypatch, server, cluster):
    on_ray = (*SWEEP, "launcher=ray", f"launcher.address={cluster}")
    for name in ("rays", "joblibs"):
        (tmp_path / name).mkdir()

    monkeypatch.chdir(tmp_path / "joblibs")
    arguments = (*SWEEP, "launcher=joblib", "launcher.workers=2", f"tracking.uri={server}")
    assert asked(*arguments).returncode == 0
    expected = {key: Path(job["run_folder"]) for key, job in by_configuration().items()}
    others = {key: job["run_id"] for key, job in by_configuration().items()}

    monkeypatch.chdir(tmp_path / "rays")
    refused = asked(*on_ray, f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("run.py: tracking.uri: expected the address of a server, as the jobs")
    assert refused.stderr.count("\n") == 1
    assert list(Path().iterdir()) == []

    assert asked(*on_ray, f"tracking.uri={server}").returncode == 0
    client, found = connect(server), by_configuration()
    assert found.keys() == expected.keys()
    for key, job in found.items():
        mine, twin = arrays(job["run_folder"]), arrays(expected[key])
        assert mine.keys() == twin.keys()
        for name in twin:
            np.testing.assert_array_equal(mine[name], twin[name], err_msg=name, strict=True)
        assert histories(client, job["run_id"]) == histories(client, others[key])
    # A node takes one job at a time: two at once are on two nodes.
    in_order = sorted(spans(client, found.values()))
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(in_order))

    assert asked(*on_ray, f"tracking.uri={server}").returncode == 0
    assert [job["status"] for job in jobs()] == ["SKIPPED"] * 4
    assert len(run_folders()) == 4
