"""Seeds together against seeds apart: `python -m benchmarks.replicas`.

Every way trains networks of the adding task under XLA with recording, clipping and Adam; what is compared is
seconds a training step and network. `ReplicatedModel` is timed beside R single runs one after another on all
cores, and beside two processes with one thread each, as in a sweep with `launcher=joblib` on two cores.
Starting a process and compiling are not in it.
"""

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rnnexp.runtime.device import import_tensorflow
from rnnexp.sweeps.resources import thread_limits

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from rnnexp.training.data import Block
    from rnnexp.training.model import RecordingModel

T, B = 200, 32
UNITS, REPLICAS = (16, 32, 64), (2, 4, 8)
ALONE, APART = "one after another", "two processes, one thread each"
WORKERS = 2
_EXECUTION = 10  # steps between returns to Python


def main() -> None:
    """Time all ways at every H, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="paired rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=0.3, help="of each in a round (default: %(default)s)"
    )
    arguments = parser.parse_args()
    _print(measure(rounds=arguments.rounds, seconds=arguments.seconds))


def measure(
    units: tuple[int, ...] = UNITS,
    replicas: tuple[int, ...] = REPLICAS,
    rounds: int = 7,
    seconds: float = 0.3,
) -> dict[str, Any]:
    """Time all ways, paired.

    Args:
        units: H, one row of the result each.
        replicas: R, one way each.
        rounds: Paired rounds.
        seconds: Of each way in a round.

    Returns:
        `rounds`, `seconds` and `rows`. A row has `units`, the median `milliseconds` a step and network of
        every way, and `times`: how many times as fast as `ALONE` a way is, the median over rounds.
    """
    import_tensorflow("cpu")
    with _Workers() as workers:
        rows = [_row(h, replicas, rounds, seconds, workers) for h in units]
    return {"rounds": rounds, "seconds": seconds, "rows": rows}


def _row(
    h: int, replicas: tuple[int, ...], rounds: int, seconds: float, workers: "_Workers"
) -> dict[str, Any]:
    from benchmarks import timing

    together = {_together(r): r for r in replicas}
    networks = {ALONE: 1, APART: WORKERS, **together}
    field = {ALONE: _single(h), APART: workers.train(h)}
    field |= {name: _replicated(h, r) for name, r in together.items()}
    taken = timing.paired(field, seconds, rounds)
    shares = {name: [value / networks[name] for value in values] for name, values in taken.items()}
    return {
        "units": h,
        "milliseconds": {name: 1e3 * statistics.median(values) for name, values in shares.items()},
        "times": {name: timing.median_ratio(shares[ALONE], values) for name, values in shares.items()},
    }


def _together(replicas: int) -> str:
    return f"{replicas} together"


def _model(h: int, seed: int) -> "RecordingModel":
    from rnnexp import tasks
    from rnnexp.nn.elman_cell import ElmanCell
    from rnnexp.nn.network import build_network
    from rnnexp.optim.clipping import GlobalNorm
    from rnnexp.runs import heuristics
    from rnnexp.training.model import RecordingModel

    task = tasks.Adding(T)
    network = build_network(task, ElmanCell(h), seed)
    parts = heuristics.parts_of_batch(B, h)  # as every run of this size
    model = RecordingModel(network, task.loss, GlobalNorm(1.0), time_steps=T, shards=parts)
    model.compile(optimizer="adam", jit_compile=True)
    return model


def _block(seed: int) -> "Block":
    from rnnexp import tasks
    from rnnexp.training.data import stacked

    return stacked([tasks.Adding(T).batch(seed, "train", 0, B)] * _EXECUTION, _EXECUTION, "float32")


def _single(h: int) -> Callable[[int], None]:
    model = _model(h, 0)
    return _fit(model, _block(0), lambda: model.steps_taken)


def _replicated(h: int, replicas: int) -> Callable[[int], None]:
    from rnnexp.training.replicated_model import ReplicatedModel

    models = [_model(h, seed) for seed in range(replicas)]
    together = ReplicatedModel(models)
    blocks = tuple(_block(seed) for seed in range(replicas))
    return _fit(together, blocks, lambda: [model.steps_taken for model in models])


def _fit(model: Any, block: tuple, wait: Callable[[], object]) -> Callable[[int], None]:
    """Return what takes n steps, in whole tens, and returns when `wait` knows that the last is done."""
    import tensorflow as tf

    from rnnexp.training.data import untuned

    data = untuned(tf.data.Dataset.from_tensors(block))

    def train(steps: int) -> None:
        model.fit(data.repeat(steps // _EXECUTION), epochs=1, verbose=0, shuffle=False)
        wait()

    return train


class _Workers:
    """Processes that each train one network, with their share of the threads, at the same time."""

    def __enter__(self) -> "_Workers":
        context = multiprocessing.get_context("spawn")
        pairs = [context.Pipe() for _ in range(WORKERS)]
        self._ends = [ours for ours, _ in pairs]
        self._processes = [
            context.Process(target=_work, args=(theirs, k)) for k, (_, theirs) in enumerate(pairs)
        ]
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *error: object) -> None:
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send(None)
            process.join()

    def train(self, h: int) -> Callable[[int], None]:
        """Return what lets all of them take n steps of a network of H = `h` and waits for the last."""

        def train(steps: int) -> None:
            for end in self._ends:
                end.send((h, steps))
            for end in self._ends:
                end.recv()

        return train


def _work(end: "Connection", seed: int) -> None:
    os.environ.update(thread_limits(WORKERS, WORKERS, os.environ))
    known: dict[int, Callable[[int], None]] = {}
    while (asked := end.recv()) is not None:
        h, steps = asked
        if not known:
            import_tensorflow("cpu")
        if h not in known:
            known[h] = _single(h)
        known[h](steps)
        end.send(None)


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    names = list(result["rows"][0]["times"])
    title = f"A training step of one network (T, B = {T}, {B}): milliseconds, and times as fast as alone"
    table = Table(title=title)
    for column in ("H", *names):
        table.add_column(column, justify="right")
    for row in result["rows"]:
        cells = [f"{row['milliseconds'][name]:.2f} ms  {row['times'][name]:.2f}x" for name in names]
        table.add_row(str(row["units"]), *cells)
    console = Console(width=140)
    console.print(table)
    console.print(f"medians of {result['rounds']} paired rounds of {result['seconds']} s each")


if __name__ == "__main__":
    main()
