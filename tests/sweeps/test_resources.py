import pytest

from rnnexp.sweeps import resources
from rnnexp.sweeps.resources import THREAD_VARIABLES, default_workers, own_gpu, ray_settings, thread_limits


@pytest.mark.parametrize(
    ("cores", "gpus", "jobs", "workers"),
    [(8, 0, 40, 8), (8, 0, 3, 3), (8, 4, 40, 4), (8, 4, 1, 1), (1, 0, 9, 1), (2, 16, 40, 16)],
)
def test_one_worker_for_each_gpu_else_for_each_core(cores, gpus, jobs, workers):
    assert default_workers(cores, gpus, jobs) == workers


@pytest.mark.parametrize(("cores", "workers", "share"), [(8, 2, "4"), (8, 3, "2"), (2, 4, "1")])
def test_the_cores_are_shared(cores, workers, share):
    limits = thread_limits(cores, workers, {})
    assert limits == dict.fromkeys(THREAD_VARIABLES, share)
    assert workers * int(share) <= max(cores, workers)


def test_a_single_worker_has_no_limit_and_what_is_set_stays():
    assert thread_limits(8, 1, {}) == {}
    limits = thread_limits(8, 2, {"OMP_NUM_THREADS": "7"})
    assert "OMP_NUM_THREADS" not in limits
    assert limits["TF_NUM_INTRAOP_THREADS"] == "4"


def test_this_machine_has_a_core():
    assert resources.cores() >= 1


@pytest.mark.parametrize("visible", [None, "", "3,1,0", "GPU-aa,GPU-bb"])
def test_two_workers_on_two_gpus_have_one_each(visible):
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    chosen = [own_gpu(place, 2, 2, environ) for place in (0, 1)]
    names = (visible or "0,1").split(",")[:2]
    assert chosen == [{"CUDA_VISIBLE_DEVICES": name} for name in names]


def test_more_workers_than_gpus_share_them_and_their_memory():
    chosen = [own_gpu(place, 2, 3, {}) for place in range(3)]
    assert [found["CUDA_VISIBLE_DEVICES"] for found in chosen] == ["0", "1", "0"]
    assert {found["TF_FORCE_GPU_ALLOW_GROWTH"] for found in chosen} == {"true"}


def test_without_a_gpu_nothing_is_said():
    assert own_gpu(0, 0, 2, {"CUDA_VISIBLE_DEVICES": "-1"}) == {}


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
def test_a_job_of_ray_here_asks_for_the_share_of_a_worker(gpus, here, expected):
    assert ray_settings(4, None, gpus, here) == expected


def test_a_cluster_is_told_nothing_of_this_machine():
    none = "++hydra.launcher.ray.init.object_store_memory=null"
    assert ray_settings(None, "host:1", None, 8) == [none]
    assert ray_settings(None, "host:1", 0.5, 0) == [none, f"{GPUS}=0.5"]
