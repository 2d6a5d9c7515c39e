"""The contestants of PyTorch: `torch.nn.RNN` under Adam, which records nothing."""

from collections.abc import Callable
from typing import Any

from benchmarks.work import Shape, Train, batch_of


def sees_gpu() -> bool:
    """Return whether PyTorch is installed and sees a GPU."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def torch_loop(shape: Shape, device: str = "cpu") -> Train:
    """A training loop around `torch.nn.RNN`, which records nothing; on `"cuda"` it runs in cuDNN.

    Raises:
        ImportError: PyTorch is not installed.
    """
    step, wait = _torch_step(shape, device)

    def train(steps: int) -> None:
        for _ in range(steps):
            step()
        wait()

    return train


def torch_graph(shape: Shape) -> Train:
    """The same on a GPU, a step captured once as a CUDA graph: nothing of Python between its kernels.

    Raises:
        ImportError: PyTorch is not installed.
    """
    import torch

    step, wait = _torch_step(shape, "cuda", capturable=True)
    # What is allocated in the first steps must not be part of the graph, so they run on another stream.
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def train(steps: int) -> None:
        for _ in range(steps):
            graph.replay()
        wait()

    return train


def _torch_step(shape: Shape, device: str, **options: Any) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what takes a training step, and what waits for the last one; `options` are Adam's."""
    import torch

    batch = batch_of(shape)
    x, y = torch.from_numpy(batch.x).to(device), torch.from_numpy(batch.y).to(device)
    recurrent = torch.nn.RNN(2, shape.units, batch_first=True, device=device)
    readout = torch.nn.Linear(shape.units, 1, device=device)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *readout.parameters()], lr=1e-3, **options)

    def step() -> None:
        optimizer.zero_grad()
        states, _ = recurrent(x)
        torch.nn.functional.mse_loss(readout(states[:, -1]), y).backward()
        optimizer.step()

    def wait() -> None:
        # A GPU may still be at work on the last update.
        readout.bias.detach().cpu()

    return step, wait
