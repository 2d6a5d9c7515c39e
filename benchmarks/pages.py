"""Results -> the tables of docs/speed.md and docs/gpu.md, each between its two marks."""

import json
import re
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import goals
from benchmarks.reasons import reason
from benchmarks.steps import FIT, FIT_XLA, FLOOR, JAX, ONE_PART, RECORDING, SILENT, TORCH

ROOT = Path(__file__).parents[1]
OF_GPU = ROOT / "benchmarks" / "h200.json"
"""What was measured on the one GPU that this project has seen, by hand: every time that was taken."""

PAGES = (ROOT / "docs" / "speed.md", ROOT / "docs" / "gpu.md")
_CONTESTANTS = {
    SILENT: "not recording",
    ONE_PART: "in one part",
    FIT: "Keras `fit`",
    FIT_XLA: "Keras `fit`, XLA",
    TORCH: "torch `nn.RNN`",
    JAX: "JAX `scan`",
    FLOOR: "floor",
}


def write(results: Mapping[str, Any]) -> None:
    """Bring the tables of all pages up to date."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), results), encoding="utf-8")


def filled(text: str, results: Mapping[str, Any]) -> str:
    """Return a page with every table that it has a place for.

    A place is `<!-- name -->` and `<!-- /name -->`, with the name of one of `TABLES`.

    Raises:
        KeyError: There is no such table, or the results do not hold what it shows.
    """
    return re.sub(
        r"<!-- (\w+) -->\n.*?<!-- /\1 -->",
        lambda place: f"<!-- {place[1]} -->\n{TABLES[place[1]](results)}\n<!-- /{place[1]} -->",
        text,
        flags=re.DOTALL,
    )


def _steps(results: Mapping[str, Any]) -> str:
    rows = []
    for row in results["steps"]["rows"]:
        ratios = [f"{row['ratios'][name]:.2f}x" if name in row["ratios"] else "-" for name in _CONTESTANTS]
        rows.append([_shape(row["shape"]), f"{row['milliseconds'][RECORDING]:.1f} ms", *ratios])
    return _table(["T, H, B", "rnnexp, recording", *_CONTESTANTS.values()], rows)


def _goals(results: Mapping[str, Any]) -> str:
    rows = [
        [each.goal.work, each.goal.against, each.goal.wanted, each.measured, _MET[each.met]]
        for each in goals.judge(results)
    ]
    return _table(["work", "against", "goal", "measured", ""], rows)


_MET = {True: "met", False: "**missed**"}


def _missed(results: Mapping[str, Any]) -> str:
    missed = [each for each in goals.judge(results) if not each.met]
    rows = [
        [each.goal.comparison, each.measured, each.goal.wanted, reason(each.goal.comparison)]
        for each in missed
    ]
    rows.append(_missed_on_gpu())
    return _table(["missed", "measured", "goal", "why"], rows)


def _processes(results: Mapping[str, Any]) -> str:
    names = {
        "help": "`python run.py --help`",
        "refusal": "`python run.py seq_len=-1`",
        "first step, rnnexp": "import and one training step at 200, 64, 64, as a run does it",
        "first step, stock Keras": "the same of stock `SimpleRNN` under `fit`",
        "rnnexp": "`python run.py activation=relu seq_len=200`, tracked in MLflow",
        "stock Keras": "the same training by stock Keras, with TensorBoard and CSV",
    }
    seconds = results["startup"]["seconds"] | results["whole_run"]["seconds"]
    return _table(["process", "seconds"], [[name, f"{seconds[key]:.1f}"] for key, name in names.items()])


def _long_sequences(results: Mapping[str, Any]) -> str:
    rows = [
        [
            row["kind"],
            _shape((row["steps"], row["units"], row["batch_size"])),
            "yes" if row["jit"] else "no",
            "-" if row["segment"] is None else str(row["segment"]),
            "-" if row["seconds"] is None else f"{row['seconds']:.2f}",
            f"{row['peak_mebibytes']:,.0f}",
        ]
        for row in results["long_sequences"]["rows"]
    ]
    return _table(["", "T, H, B", "XLA", "segment", "seconds a training step", "peak MiB"], rows)


def _machine(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    versions = [f"{name} {value}" for name, value in machine.items() if name not in _NO_VERSIONS]
    rounds = [f"{name} {part['rounds']}" for name, part in results.items() if "rounds" in part]
    where = f"{machine['processor']}, {machine['system']}"
    return textwrap.fill(f"{where}. {', '.join(versions)}. Rounds: {', '.join(rounds)}.", width=120)


def _missed_on_gpu() -> list[str]:
    """What a GPU's benchmark has no goal for, but every reader of the goals will ask."""
    milliseconds = _of_gpu()["milliseconds"]["200, 128, 128"]
    ours, theirs = (
        statistics.median(milliseconds[name]) for name in ("rnnexp, recording", "torch nn.RNN, cuDNN")
    )
    work = "step, recording, on an H200: 200, 128, 128 against torch nn.RNN (cuDNN)"
    return [work, f"{theirs / ours:.2f} x", "", "the host starts every kernel of every time step"]


def _gpu(results: Mapping[str, Any]) -> str:
    """Of the GPU that was lent once: medians, and the least and the most."""
    of_gpu = _of_gpu()
    shapes = list(of_gpu["milliseconds"])
    names = dict.fromkeys(name for taken in of_gpu["milliseconds"].values() for name in taken)
    rows = [[name, *(_spread(of_gpu["milliseconds"][shape].get(name)) for shape in shapes)] for name in names]
    machine = textwrap.fill(f"{of_gpu['machine']}. Milliseconds of {of_gpu['how']}.", width=120)
    return f"{_table(['a training step', *shapes], rows)}\n\n{machine}"


def _spread(taken: Sequence[float] | None) -> str:
    if taken is None:
        return "-"
    return f"{statistics.median(taken):.3g} ms ({min(taken):.3g} to {max(taken):.3g})"


def _of_gpu() -> dict[str, Any]:
    return json.loads(OF_GPU.read_text(encoding="utf-8"))


_NO_VERSIONS = ("processor", "system")

TABLES = {
    "steps": _steps,
    "goals": _goals,
    "missed": _missed,
    "processes": _processes,
    "long_sequences": _long_sequences,
    "machine": _machine,
    "gpu": _gpu,
}
"""What can stand in a place, by its name: results -> Markdown."""


def _shape(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
