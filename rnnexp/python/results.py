"""What a run and a sweep found, as objects that show themselves in a notebook."""

import base64
import collections
import dataclasses
import functools
import html
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnexp.analysis.folder_reader import read_folder
from rnnexp.analysis.runs import table_of
from rnnexp.diagnosis.recommendations import merged
from rnnexp.plotting.arrays import Arrays, read_arrays
from rnnexp.report import figures
from rnnexp.report.html import words
from rnnexp.runs.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

    from rnnexp.analysis.run_record import RunRecord

_VERDICTS = ("verdict.gradient", "verdict.learning")
_WORDS = "mlflow.note.content"


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawn figure: a notebook shows it where it is the last line of a cell.

    Attributes:
        png: The file's content.
    """

    png: bytes

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return self.png, {"width": self.width}

    @property
    def width(self) -> int:
        """The width at which it is shown, pixels of the page: half its own."""
        return int.from_bytes(self.png[16:20], "big") // 2

    def __repr__(self) -> str:
        return f"<Picture of {len(self.png):,} bytes>"

    @property
    def html(self) -> str:
        """The picture as an element of a page."""
        content = base64.b64encode(self.png).decode()
        return f'<img src="data:image/png;base64,{content}" width="{self.width}">'


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A run that has ended, read from its folder.

    Attributes:
        folder: Of the run.
    """

    folder: Path

    @functools.cached_property
    def _state(self) -> dict[str, Any]:
        return RunFolder(self.folder).state()

    @functools.cached_property
    def _record(self) -> "RunRecord":
        return read_folder(self.folder)

    @property
    def name(self) -> str:
        """Its name."""
        return self._record.run_name

    @property
    def status(self) -> str:
        """FINISHED, FAILED or KILLED."""
        return self._record.status

    @property
    def overrides(self) -> list[str]:
        """What was asked for, as it would be typed."""
        return list(self._state.get("overrides", []))

    @property
    def verdict(self) -> dict[str, str]:
        """The verdicts: `gradient` (vanishing, stable, ...) and `learning` (solved, at_chance, ...)."""
        verdicts = self._state.get("verdicts", {})
        return {key.removeprefix("verdict."): verdicts[key] for key in _VERDICTS if key in verdicts}

    @property
    def words(self) -> str:
        """The verdict in words."""
        return self._record.tags.get(_WORDS, "")

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of every metric, such as `grad/rate` and `val/loss`."""
        return dict(self._record.metrics)

    @functools.cached_property
    def arrays(self) -> Arrays:
        """The raw arrays, such as `end_log_norm` (T, B), by name."""
        return read_arrays(RunFolder(self.folder).arrays)

    @property
    def figures(self) -> dict[str, Path]:
        """The files of the figures by name."""
        return {path.stem: path for path in sorted((self.folder / "figures").glob("*.*"))}

    @property
    def remedies(self) -> list[list[str]]:
        """What to try, the first one first: `rnnexp.run(*remedy)`."""
        return [merged(self.overrides, remedy) for remedy in self._state.get("remedies", [])]

    def plot(self, figure: str = "gradient_profile", path: str | Path | None = None) -> Picture:
        """Draw one figure from the arrays, and write it to `path` too (.png, .pdf, .svg) if there is one.

        Raises:
            ArgumentError: There is no such figure, or the file cannot be written.
        """
        return _drawn(lambda file: figures.draw_one(str(self.folder), None, figure, file), path)

    def __repr__(self) -> str:
        found = self.verdict
        said = [f"gradient {found['gradient']}", found["learning"]] if found else [self.status.lower()]
        loss, floor = (self.metrics.get(key) for key in ("val/loss", "task/floor_loss"))
        if loss is not None and floor is not None:
            said.append(f"loss {loss:.4g} (best constant {floor:.4g})")
        return f"<Run {self.name}: {', '.join(said).replace('_', ' ')}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: verdicts, numbers, words, what to try, and the gradient over time."""
        tried = "".join(f"<li><code>rnnexp.run{tuple(remedy)!r}</code></li>" for remedy in self.remedies)
        parts = [
            f"<p><b>{html.escape(self.name)}</b><br>{html.escape(_verdicts(self.verdict))}</p>",
            f"<table>{''.join(_row(*row) for row in self._numbers())}</table>",
            f"<p>{html.escape(self.words)}</p>",
            f"<p>To try:</p><ul>{tried}</ul>" if tried else "",
            self.plot().html if RunFolder(self.folder).arrays.is_file() else "",
            f"<p><small>{html.escape(str(self.folder))}</small></p>",
        ]
        return "".join(parts)

    def _numbers(self) -> Iterator[tuple[str, str, str]]:
        """Yield what was measured, its value, and what to compare it with."""
        found = collections.defaultdict(lambda: math.nan, self.metrics)
        for prefix, where in self._layers():
            for label, name, form in (
                ("gradient at the first step over that at the last, decades", "log10_ratio", words.decades),
                ("its rate, nats per step", "rate", words.rate),
            ):
                key = f"{prefix}grad/{name}"
                interval = words.interval(form, found[f"{key}_low"], found[f"{key}_high"])
                yield f"{label}{where}", form(found[key]), interval
        for label, form in (("loss", words.loss), ("error", words.percent)):
            yield label, form(found[f"val/{label}"]), f"{form(found[f'task/floor_{label}'])} best constant"

    def _layers(self) -> list[tuple[str, str]]:
        """Return the prefix of each layer's metrics, and what its labels end with: nothing of one layer."""
        found = {key.partition("/")[0] for key in self.metrics if key.startswith("layer_")}
        upper = sorted(found, key=lambda name: int(name.removeprefix("layer_")))
        lowest = ("", ", layer 1" if upper else "")
        return [lowest, *((f"{name}/", f", {name.replace('_', ' ')}") for name in upper)]


class Runs(Sequence[Run]):
    """The runs of a sweep, or the replicas of one call.

    Args:
        folders: Of the runs.
        folder: Of the sweep; None of replicas.
        failed: What became of jobs that have no finished run, a line each.
    """

    def __init__(self, folders: Sequence[Path], folder: Path | None = None, failed: Sequence[str] = ()):
        self._runs = [Run(path) for path in folders]
        self.folder, self.failed = folder, tuple(failed)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, place: Any) -> Any:
        return self._runs[place]

    @functools.cached_property
    def table(self) -> "pd.DataFrame":
        """One row a run, with the columns of `rnnexp.load_runs`."""
        return table_of(run.folder for run in self._runs)

    @property
    def report(self) -> Path | None:
        """The page of the sweep, None where there is none."""
        page = None if self.folder is None else self.folder / "report.html"
        return page if page is not None and page.is_file() else None

    def plot(self, figure: str = "success", path: str | Path | None = None) -> Picture:
        """Draw the phase diagram of success, rate, ratio, loss or clip, to `path` too if there is one.

        Raises:
            ArgumentError: There is no such figure.
        """
        return _drawn(lambda file: figures.draw_sweep(self.table, figure, file), path)

    def __repr__(self) -> str:
        lines = [f"{len(self)} runs", *(f"  {run!r}" for run in self), *(f"  {line}" for line in self.failed)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the phase diagram, and the runs under it."""
        rows = "".join(_row(run.name, _verdicts(run.verdict), run.status.lower()) for run in self)
        failed = "".join(f"<p>{html.escape(line)}</p>" for line in self.failed)
        picture = self.plot().html if len(self) else ""
        return f"{picture}<details><summary>{len(self)} runs</summary><table>{rows}</table></details>{failed}"


def _drawn(draw: Callable[[Path], Path], path: str | Path | None) -> Picture:
    """Return what `draw` draws into a file, and draw it into the file `path` too if there is one."""
    if path is not None:
        draw(Path(path))
    with tempfile.TemporaryDirectory() as folder:
        return Picture(draw(Path(folder) / "figure.png").read_bytes())


def _verdicts(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {verdict.replace('_', ' ')}" for name, verdict in found.items()) or "no verdict"


def _row(*cells: str) -> str:
    columns = "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in cells)
    return f"<tr>{columns}</tr>"
