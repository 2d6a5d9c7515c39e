"""Time and memory of one training step over long sequences: `python -m benchmarks.long_sequences`.

Every row is a process of its own, whose peak is that of all it does: Python, TensorFlow, compiling, the data,
the training. Importing this module loads no TensorFlow.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

_ROOT = Path(__file__).parents[1]
_MEBIBYTE = 2**20
_UNIT_OF_PEAK = 1 if sys.platform == "darwin" else 1024  # bytes in one ru_maxrss


class Case(NamedTuple):
    """One row: what is trained, T, H, B, and whether XLA compiles it.

    `kind` is "nothing" (TensorFlow and the data alone), "SimpleRNN" (stock Keras), or "rnnexp", recording,
    with the `segment` of `rnnexp.RNN`.
    """

    kind: str
    steps: int
    units: int
    batch_size: int
    jit: bool = True
    segment: int | None = None


CASES = (
    *(Case("rnnexp", steps, 64, 4, segment=segment) for steps, segment in ((1000, 32), (10_000, 100))),
    Case("rnnexp", 100_000, 64, 4, segment=317),
    *(Case("rnnexp", steps, 64, 4) for steps in (1000, 10_000, 100_000)),
    Case("nothing", 10_000, 64, 8),
    Case("rnnexp", 10_000, 64, 8, segment=100),
    Case("rnnexp", 10_000, 64, 8, jit=False, segment=100),
    Case("rnnexp", 10_000, 64, 8),
    Case("SimpleRNN", 10_000, 64, 8, jit=False),
    Case("SimpleRNN", 10_000, 64, 8, jit=True),
)


def measure(repeats: int = 5) -> dict[str, Any]:
    """Measure all `CASES`, one process after the other.

    Args:
        repeats: Training steps behind the median, after one that compiles.

    Returns:
        `{"repeats": ..., "rows": [...]}`. A row holds the fields of its `Case`, `seconds` (median of a
        training step; None for "nothing") and `peak_mebibytes` (of the whole process).
    """
    return {"repeats": repeats, "rows": [_in_a_process(case, repeats) for case in CASES]}


def _in_a_process(case: Case, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.long_sequences", "--case", json.dumps(case)]
    answer = subprocess.run(
        [*command, "--repeats", str(repeats)], cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(answer.stdout.splitlines()[-1])


def _measured(case: Case, repeats: int) -> dict[str, Any]:
    """Train in this process, which has done nothing else."""
    from rnnexp.runtime.device import import_tensorflow

    import_tensorflow("cpu")
    seconds = _seconds(case, repeats)
    return {
        **case._asdict(),
        "seconds": statistics.median(seconds) if seconds else None,
        "peak_mebibytes": _peak() / _MEBIBYTE,
    }


def _peak() -> int:
    """Return the most memory that this process has held, in bytes.

    Linux hands `ru_maxrss` of the parent on to whom it starts, so there the kernel's own mark is read.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_OF_PEAK
    (mark,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(mark.split()[1]) * 1024


def _seconds(case: Case, repeats: int) -> list[float]:
    """Return seconds of every training step but the first."""
    import numpy as np
    import tensorflow as tf

    from rnnexp.tasks import Adding
    from rnnexp.training.data import stacked

    batch = Adding(case.steps).batch(0, "train", 0, case.batch_size)
    element = stacked([batch], 1, "float32") if case.kind == "rnnexp" else batch
    data = tf.data.Dataset.from_tensors(tuple(map(tf.constant, element)))
    if case.kind == "nothing":
        return []
    model = {"rnnexp": _rnnexp, "SimpleRNN": _simple_rnn}[case.kind](case)
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        model.fit(data, epochs=1, verbose=0, shuffle=False)
        # The update may still be under way when fit returns.
        np.asarray(model.trainable_variables[0])
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def _rnnexp(case: Case):
    """The project's training model, recording."""
    import keras

    from rnnexp.nn.elman_cell import ElmanCell
    from rnnexp.nn.recurrent import RNN
    from rnnexp.optim.clipping import NoClip
    from rnnexp.training.model import RecordingModel

    layers = [RNN(ElmanCell(case.units), segment=case.segment), keras.layers.Dense(1)]
    network = keras.Sequential([keras.Input((case.steps, 2)), *layers])
    model = RecordingModel(network, "squared_error", NoClip(), time_steps=case.steps, rows=10)
    model.compile(optimizer="adam", jit_compile=case.jit)
    return model


def _simple_rnn(case: Case):
    """Stock Keras, which records nothing."""
    import keras

    layers = [keras.layers.SimpleRNN(case.units), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((case.steps, 2)), *layers])
    model.compile(optimizer="adam", loss="mse", jit_compile=case.jit)
    return model


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"One training step, median of {result['repeats']}, and the peak of its process")
    for column in ("", "T", "H", "B", "XLA", "K", "s a step", "µs a step of time", "peak MiB"):
        table.add_column(column, justify="right" if column else "left")
    for row in result["rows"]:
        seconds = row["seconds"]
        table.add_row(
            *(row["kind"], *(str(row[key]) for key in ("steps", "units", "batch_size"))),
            *("yes" if row["jit"] else "no", "-" if row["segment"] is None else str(row["segment"])),
            *("-", "-") if seconds is None else (f"{seconds:.3f}", f"{1e6 * seconds / row['steps']:.1f}"),
            f"{row['peak_mebibytes']:.0f}",
        )
    Console(width=110).print(table)


def main() -> None:
    """Measure and print the table, or one case as a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_sequences", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="training steps (default: %(default)s)")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case is None:
        _print(measure(arguments.repeats))
    else:
        print(json.dumps(_measured(Case(*json.loads(arguments.case)), arguments.repeats)))


if __name__ == "__main__":
    main()
