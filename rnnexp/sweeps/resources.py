"""The resources of the workers: how many there are, their share of the cores, their GPU."""

from collections.abc import Mapping

THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
"""What NumPy's libraries and TensorFlow read when they are loaded."""

_DEVICES = "CUDA_VISIBLE_DEVICES"


def cores() -> int:
    """Return how many cores this process may use: affinity and the limit of a container counted."""
    import joblib

    return joblib.cpu_count()


def default_workers(cores: int, gpus: int, jobs: int) -> int:
    """Return how many jobs run at the same time: one for each GPU, else for each core, at most all.

    >>> default_workers(cores=8, gpus=0, jobs=40), default_workers(cores=8, gpus=2, jobs=40)
    (8, 2)
    """
    return max(1, min(gpus if gpus > 0 else cores, jobs))


def thread_limits(cores: int, workers: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that gives each of `workers` its share of `cores`; what is set stays.

    A single worker gets no limit, so that its jobs do what they do alone.

    >>> thread_limits(8, 3, {"OMP_NUM_THREADS": "1"})["TF_NUM_INTRAOP_THREADS"]
    '2'
    """
    if workers <= 1:
        return {}
    share = str(max(1, cores // workers))
    return {name: share for name in THREAD_VARIABLES if name not in environ}


def own_gpu(place: int, gpus: int, workers: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that shows a worker one GPU, of those that it may see; {} where there is none.

    Where workers outnumber the GPUs, they share them, and TensorFlow is told to take memory as it needs it.

    Args:
        place: The worker's place on its machine, from 0.
        gpus: GPUs that the driver offers.
        workers: Workers on the machine.
        environ: The environment; `CUDA_VISIBLE_DEVICES` in it is the choice, by number or by name.

    >>> own_gpu(place=1, gpus=2, workers=2, environ={"CUDA_VISIBLE_DEVICES": "4,6"})
    {'CUDA_VISIBLE_DEVICES': '6'}
    """
    if gpus == 0:
        return {}
    visible = [name.strip() for name in environ.get(_DEVICES, "").split(",") if name.strip()]
    names = visible[:gpus] or [str(number) for number in range(gpus)]
    shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if workers > len(names) else {}
    return {_DEVICES: names[place % len(names)], **shared}


def ray_settings(workers: int | None, address: str | None, gpus: float | None, here: int) -> list[str]:
    """Return the overrides for Ray's launcher whose values depend on the machine.

    Ray refuses settings of processors and memory when it joins a cluster; the launcher sends one of memory
    unless it is null. A job that does not ask for a GPU sees none.

    Args:
        workers: Jobs at a time on this machine; None on a cluster.
        address: Of a cluster; None for this machine.
        gpus: GPUs of each job; None for an equal share of this machine's.
        here: GPUs of this machine.

    >>> ray_settings(workers=4, address=None, gpus=None, here=2)
    ['++hydra.launcher.ray.init.num_cpus=4', '++hydra.launcher.ray.remote.num_gpus=0.5']
    >>> ray_settings(workers=None, address="host:6379", gpus=None, here=2)
    ['++hydra.launcher.ray.init.object_store_memory=null']
    """
    settings = ["++hydra.launcher.ray.init.object_store_memory=null"]
    if address is None:
        settings = [f"++hydra.launcher.ray.init.num_cpus={workers}"]
        if gpus is None and here > 0:
            gpus = min(1.0, here / (workers or 1))
    return settings if gpus is None else [*settings, f"++hydra.launcher.ray.remote.num_gpus={gpus:g}"]
