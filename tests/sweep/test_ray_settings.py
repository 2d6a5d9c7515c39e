import pytest

from rnnexp.sweep.ray_settings import ray_settings

CORES = "++hydra.launcher.ray.init.num_cpus=4"
GPUS = "++hydra.launcher.ray.remote.num_gpus"


@pytest.mark.parametrize(
    ("gpus", "here", "expected"),
    [
        (None, 0, [CORES]),
        (None, 8, [CORES, f"{GPUS}=1"]),
        (None, 1, [CORES, f"{GPUS}=0.25"]),
        (2, 8, [CORES, f"{GPUS}=2"]),
    ],
)
def test_a_job_on_this_machine_asks_for_the_share_of_a_worker(gpus, here, expected):
    assert ray_settings(4, None, gpus, here) == expected


def test_a_cluster_is_told_nothing_of_this_machine():
    none = "++hydra.launcher.ray.init.object_store_memory=null"
    assert ray_settings(None, "host:1", None, 8) == [none]
    assert ray_settings(None, "host:1", 0.5, 0) == [none, f"{GPUS}=0.5"]
