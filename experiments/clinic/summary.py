"""Print the tables of the README from results.csv: python experiments/clinic/summary.py."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from rnnexp.analysis.intervals import Interval, wilson

STUDY = Path(__file__).parent
PARTS = {"tuned": ("tuning", "first aside"), "aside": ("second aside",), "left": ("third aside",)}
THREE, FORMER = "first three in turn", "the same without later remedies"
ARMS = {
    "first recommendation": ("recommendation 1",),
    THREE: ("recommendation 1", "recommendation 2", "recommendation 3"),
    FORMER: ("former 1", "former 2", "former 3"),
    "clip=global_norm": ("clip",),
    "cell=lstm": ("lstm",),
    "five times the steps": ("steps",),
    "AUTOTRAINER's strategies": tuple(f"autotrainer {number}" for number in range(1, 11)),
}
"""Treatment -> the rows that are its runs, in the order in which they are tried."""


def read(table: Path = STUDY / "results.csv") -> pd.DataFrame:
    """Return the rows of the stuck runs and their treatments."""
    rows = pd.read_csv(
        table, keep_default_na=False, na_values={"error": [""], "loss": [""], "train_steps": [""]}
    )
    return rows[rows["arm"] != "solved untreated"]


def first_round(table: Path = STUDY / "first_round.csv") -> Iterator[str]:
    """Yield what the rules of the first round cured of the cases tuned on, and of those then kept aside."""
    rows = pd.read_csv(table, keep_default_na=False)
    yield _line(["rules of the first round", "tuned on (20)", "kept aside (10)"])
    yield _line(["---"] * 3)
    for arm in list(ARMS)[:2]:
        found = []
        for part in ("tuning", "first aside"):
            cases = rows[rows["part"] == part]
            solved = cases[cases["arm"].isin(ARMS[arm]) & (cases["verdict"] == "solved")]["case"].nunique()
            found.append(_share(wilson(solved, cases["case"].nunique())))
        yield _line([arm, *found])


def cured(rows: pd.DataFrame, arm: str) -> pd.Series:
    """Return for every case, in the order of the table, whether one of the treatment's runs solved it."""
    solved = rows[rows["arm"].isin(ARMS[arm]) & (rows["verdict"] == "solved")]["case"]
    cases = rows["case"].drop_duplicates()
    return pd.Series(cases.isin(solved).to_numpy(), index=cases.to_numpy())


def share(rows: pd.DataFrame, arm: str, part: str) -> Interval:
    """Return the share of the cases of a part that the treatment cured, with Wilson's 95 % interval.

    It is of no case where the treatment was not tried on the part.
    """
    rows = rows[rows["part"].isin(PARTS[part])]
    found = cured(rows, arm)
    return wilson(int(found.sum()), len(found) if rows["arm"].isin(ARMS[arm]).any() else 0)


def as_added(rows: pd.DataFrame, table: Path = STUDY / "as_added.csv") -> pd.DataFrame:
    """Return the rows with what the first three did when AutoClip and AGC came right behind another clip.

    The table holds the cases in which that was something else.
    """
    former = read(table)
    replaced = rows["case"].isin(former["case"]) & rows["arm"].isin(ARMS[THREE])
    return pd.concat([rows[~replaced], former])


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the cases on which all treatments were tried: those of the first two rounds."""
    return rows[rows["part"].isin(PARTS["tuned"] + PARTS["aside"])]


def cost(rows: pd.DataFrame, arm: str) -> tuple[float, float]:
    """Return runs, and training steps over those of the untreated run, in the mean over cases."""
    untreated = rows[rows["arm"] == "untreated"].set_index("case")["train_steps"]
    tried = rows[rows["arm"].isin(ARMS[arm]) & rows["train_steps"].notna()]
    steps = tried.groupby("case")["train_steps"].sum().reindex(untreated.index, fill_value=0)
    return len(tried) / len(untreated), float((steps / untreated).mean())


def shares(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table of shares."""
    counts = {part: rows[rows["part"].isin(names)]["case"].nunique() for part, names in PARTS.items()}
    names = {"tuned": "tuned on", "aside": "kept aside", "left": "all others"}
    titles = [f"{name} ({counts[part]})" for part, name in names.items()]
    yield _line(["cured by", *titles, "runs", "training steps"])
    yield _line(["---"] * 6)
    lines = [(arm, rows, arm) for arm in ARMS]
    lines.insert(2, ("the same in their first order", as_added(rows), THREE))
    for label, tried, arm in lines:
        found = (share(tried, arm, part) for part in PARTS)
        runs, steps = cost(compared(tried), arm)
        yield _line([label, *map(_share, found), f"{runs:.1f}", f"{steps:.1f} x"])


def differing(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table of cases where later remedies change what the first three in turn do."""
    yield _line(["case", "with later remedies", "without"])
    yield _line(["---"] * 3)
    for case, tries in rows.groupby("case", sort=False):
        known, former = _tries(tries, THREE), _tries(tries, FORMER)
        if known != former:
            yield _line([f"{case}{_mark(tries['part'].iloc[0])}", known, former])


def _tries(rows: pd.DataFrame, arm: str) -> str:
    """Return what was tried of a treatment, in turn, with what became of it."""
    tried = rows[rows["arm"].isin(ARMS[arm])]
    found = tried["verdict"].map(lambda verdict: "cured" if verdict == "solved" else "-")
    return ", ".join(f"`{typed}`: {became}" for typed, became in zip(tried["overrides"], found, strict=True))


def _mark(part: str) -> str:
    return {"second aside": " (aside)", "third aside": " (other)"}.get(part, "")


def cases(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of the table of cases on which all treatments were tried."""
    rows, arms = compared(rows), [arm for arm in ARMS if arm != FORMER]
    yield _line(["case", "untreated", *arms])
    yield _line(["---"] * (len(arms) + 2))
    first = rows[rows["arm"] == "recommendation 1"].set_index("case")
    untreated = rows[rows["arm"] == "untreated"].set_index("case")
    marks = {arm: cured(rows, arm).map({True: "cured", False: "-"}) for arm in arms}
    for case, row in untreated.iterrows():
        name = f"{case}{_mark(row['part'])}"
        tried = f"`{first['overrides'][case]}`: " if case in first.index else ""
        others = [marks[arm][case] for arm in arms[1:]]
        verdict = row["verdict"].replace("_", " ")
        yield _line([name, verdict, f"{tried}{marks['first recommendation'][case]}", *others])


def _share(found: Interval) -> str:
    count = round(found.value * found.n) if found.n else 0
    return f"{count}: {found.value:.0%} [{found.low:.0%}, {found.high:.0%}]" if found.n else "-"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    found = read()
    print(*shares(found), "", *first_round(), "", *differing(found), "", *cases(found), sep="\n")
