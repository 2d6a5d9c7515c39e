"""Treat the stuck runs: python experiments/clinic/measure.py [--aside] [--runs FOLDER].

Every run is kept in the folder as it ends, and the same command goes on with what is missing. The
recommendations are tried on the cases that are not kept aside; with --aside on all. The cases of the third
round get no baselines.
"""

import argparse
import csv
import hashlib
import itertools
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import autotrainer
import trials
from cases import Case, drawn, part
from trials import Trial

from rnnexp.diagnosis.recommendations import merged, recommend

STUDY = Path(__file__).parent
FIELDS = ("case", "part", "arm", "overrides", "verdict", "error", "loss", "train_steps")
SHOWN = 3  # recommendations that are tried
LATER = ("clip=autoclip", "clip=agc", "cell.chrono=", "cell.forget_bias=")
"""Remedies that the rules were told of after the second round; the arm "former" goes without."""

BASELINES = {"clip": ("clip=global_norm",), "lstm": ("cell=lstm",)}


class Runs:
    """Runs that are done once, and read from a folder when they are asked for again.

    Args:
        folder: Where they lie; made if need be.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def __call__(self, overrides: Sequence[str]) -> Trial:
        """Return what the run with these overrides became."""
        key = hashlib.sha256(" ".join(sorted(overrides)).encode()).hexdigest()[:16]
        path = self._folder / f"{key}.pickle"
        if path.is_file():
            return pickle.loads(path.read_bytes())
        trial = trials.run(overrides)
        partial = path.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(trial))
        partial.replace(path)
        print(f"{trial.verdict:17s} {trial.seconds:5.1f} s  {' '.join(overrides)}", flush=True)
        return trial


def rows_of(
    case: Case, run: Callable[[Sequence[str]], Trial], recommended: bool, compared: bool = True
) -> Iterator[dict[str, object]]:
    """Yield the rows of a case, without its part.

    Args:
        case: The case.
        run: What runs it.
        recommended: Whether the recommendations are tried.
        compared: Whether the baselines are.
    """
    untreated = run(case.overrides)
    yield _row(case, "untreated", (), untreated)
    if recommended:
        yield from recommendations(case, run)
        yield from recommendations(case, run, "former", but=LATER)
    if compared:
        yield from baselines(case, run)


def baselines(case: Case, run: Callable[[Sequence[str]], Trial]) -> Iterator[dict[str, object]]:
    """Yield the rows of what anybody would try, and of AUTOTRAINER's strategies."""
    untreated = run(case.overrides)
    for arm, overrides in {**BASELINES, "steps": (f"steps={5 * untreated.evidence.train_steps}",)}.items():
        typed = merged(case.overrides, overrides)
        if set(typed) != set(case.overrides):
            yield _row(case, arm, overrides, run(typed))
    for number, tried in enumerate(autotrainer.treat(untreated, run), start=1):
        added = [each for each in tried.overrides if each not in case.overrides]
        yield _row(case, f"autotrainer {number}", added, tried)


def recommendations(
    case: Case, run: Callable[[Sequence[str]], Trial], name: str = "recommendation", but: Sequence[str] = ()
) -> Iterator[dict[str, object]]:
    """Yield the rows of the first three recommendations, each on the untreated case, up to one that cures.

    Args:
        case: The case.
        run: What runs it.
        name: Of the arm, before the number.
        but: How the overrides of those begin that are left out.
    """
    untreated = run(case.overrides)
    named = [each for each in recommend(untreated.evidence) if not each.overrides[0].startswith(tuple(but))]
    for number, advised in enumerate(named[:SHOWN], start=1):
        arm = f"{name} {number}"
        if any(override.startswith("seq_len=") for override in advised.overrides):
            # A shorter sequence is another task: it cures nothing.
            nothing = dict.fromkeys(("error", "loss", "train_steps"), "")
            yield _keys(case, arm, advised.overrides) | {"verdict": "another task"} | nothing
        else:
            tried = run(merged(case.overrides, advised.overrides))
            yield _row(case, arm, advised.overrides, tried)
            if tried.solved:
                return


def _row(case: Case, arm: str, overrides: Sequence[str], trial: Trial) -> dict[str, object]:
    return _keys(case, arm, overrides) | {
        "verdict": trial.verdict,
        "error": f"{trial.error:.4f}",
        "loss": f"{trial.loss:.4g}",
        "train_steps": trial.train_steps,
    }


def _keys(case: Case, arm: str, overrides: Sequence[str]) -> dict[str, object]:
    return {"case": case.name, "part": "", "arm": arm, "overrides": " ".join(overrides)}


def main() -> int:
    """Do what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("outputs/clinic"), help="where every run is kept")
    parser.add_argument("--table", type=Path, default=STUDY / "results.csv")
    parser.add_argument("--aside", action="store_true", help="measure the cases that were kept aside, too")
    arguments = parser.parse_args()
    run, solved = Runs(arguments.runs), list[Case]()

    def stuck(case: Case) -> bool:
        if run(case.overrides).solved:
            solved.append(case)
        return case not in solved

    cases = list(drawn(stuck))
    parts = [part(place) for place in range(len(cases))]
    recommended = [arguments.aside or each in ("tuning", "first aside") for each in parts]
    for case in itertools.compress(cases, recommended):
        list(recommendations(case, run))  # before the baselines, of which there are more
    rows = [_row(case, "solved untreated", (), run(case.overrides)) for case in solved]
    for case, mine, asked in zip(cases, parts, recommended, strict=True):
        rows += [row | {"part": mine} for row in rows_of(case, run, asked, mine != "third aside")]
        write(arguments.table, rows)
    return 0


def write(table: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write the table as a whole."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
