"""What Ray's launcher is told that the configuration cannot say by itself."""


def ray_settings(workers: int | None, address: str | None, gpus: float | None, here: int) -> list[str]:
    """Return overrides for Hydra.

    Ray refuses to be told of processors and memory where it joins a cluster, and the launcher tells it of
    memory unless that is null. A job that does not ask for a GPU sees none.

    Args:
        workers: Jobs at a time on this machine; None on a cluster.
        address: Of a cluster; None for this machine.
        gpus: That each job asks for; None for what this machine has for each.
        here: GPUs of this machine.

    >>> ray_settings(workers=4, address=None, gpus=None, here=2)
    ['++hydra.launcher.ray.init.num_cpus=4', '++hydra.launcher.ray.remote.num_gpus=0.5']
    >>> ray_settings(workers=None, address="host:6379", gpus=None, here=2)
    ['++hydra.launcher.ray.init.object_store_memory=null']
    """
    told = ["++hydra.launcher.ray.init.object_store_memory=null"]
    if address is None:
        told = [f"++hydra.launcher.ray.init.num_cpus={workers}"]
        if gpus is None and here > 0:
            gpus = min(1.0, here / (workers or 1))
    return told if gpus is None else [*told, f"++hydra.launcher.ray.remote.num_gpus={gpus:g}"]
