"""From runs to groups: everything but the seed is equal within one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rnnexp.analysis.columns import in_order, shown, sorted_values, varying
from rnnexp.analysis.intervals import student_mean, wilson
from rnnexp.analysis.survival import median_steps

LEARNING = ("solved", "learning", "at_chance", "worse_than_chance", "diverged")
GRADIENT = ("vanishing", "exploding", "stable", "borderline", "non_finite", "not_measured")
ENDS = {"FAILED": "failed", "KILLED": "killed", "RUNNING": "running"}

MEANS = {
    "rate": "grad/rate",
    "log10_ratio": "grad/log10_ratio",
    "predicted_rate": "theory/rate",
    "rate_bound": "theory/rate_bound",
    "loss": "val/loss",
    "error": "val/error",
    "steps_to_solve": "steps_to_solve",
    "clip_fraction": "grad/clip_fraction",
}
"""Name in the table over groups -> column of the table over runs."""

# Only finite numbers are metrics: the last one of a run that broke down is from before it did.
_STALE = {
    **dict.fromkeys(
        ("rate", "log10_ratio", "predicted_rate", "rate_bound"), ("verdict.gradient", "non_finite")
    ),
    **dict.fromkeys(("loss", "error"), ("verdict.learning", "diverged")),
}

CONSTANTS = {"floor_loss": "task/floor_loss", "floor_error": "task/floor_error"}

# Their values say what they are; of the others the key is shown too.
_SPEAK_FOR_THEMSELVES = ("activation", "task", "init", "optimizer")


def group_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per `group_hash`, in the order of the keys that vary.

    Columns: `group_hash`, `label`, the keys that vary; `runs`, `seeds` and `repeats` (runs passed over
    because there is a newer one, or a finished one, of the same `config_hash`).

    Counts: `n` runs with a verdict; among them `solved`, `learning`, `at_chance`, `worse_than_chance`,
    `diverged`, and `budget_exhausted`, which ran out of steps (neither solved nor diverged); beside them
    `failed`, `killed`, `running`, whose faults are none of the network's; `vanishing`, `exploding`, `stable`,
    `borderline`, `non_finite`, `not_measured` of the gradient at the end. Shares: `success_rate` with `_low`
    and `_high` (Wilson, 95 %, of `n`), `diverged_share`, `budget_exhausted_share` of `n`, `failed_share` of
    `runs`.

    Means over the runs with a verdict that have the number at their end, each with `_low`, `_high`
    (Student, 95 %) and `_n`: `rate` (nats per step), `log10_ratio` (decades) and the theory's
    `predicted_rate` and `rate_bound`, where the gradient is finite; `loss` and `error`, of runs that did not
    diverge; `steps_to_solve`, of solved ones; `clip_fraction`.

    `median_steps` with `_low` and `_high`: steps to the criterion by Kaplan-Meier over all runs with a
    verdict (`rnnexp.analysis.survival`); one that did not solve its task, a diverged one too, is censored at
    its budget, and inf is beyond that. All runs of a group have the same budget, so that what Kaplan and
    Meier estimate for the share solved by then is `success_rate`. `floor_loss`, `floor_error`: what the best
    constant predictor scores. `seconds`: of all runs together.

    Args:
        runs: From `load_runs`, or a part of it.
    """
    keys = varying(runs)
    kept = latest(runs)
    repeats = runs["group_hash"].value_counts() - kept["group_hash"].value_counts()
    rows = [
        {
            "group_hash": name,
            "label": label(members.iloc[0], keys),
            **{key: members[key].iloc[0] for key in keys},
            **_counts(members),
            "repeats": int(repeats[name]),
            **_means(members[_judged(members)]),
            **_survival(members[_judged(members)]),
        }
        for name, members in kept.groupby("group_hash", sort=False)
    ]
    return in_order(pd.DataFrame(rows), keys, runs)


def latest(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one run per `config_hash`: a finished one before others, then the newest.

    A repetition of the same configuration and seed is the same number again, and no further evidence.
    """
    ranked = runs.assign(_finished=runs["status"] == "FINISHED").sort_values(["_finished", "start"])
    return ranked.drop_duplicates("config_hash", keep="last").drop(columns="_finished").sort_index()


def label(row: pd.Series, keys: Sequence[str]) -> str:
    """Return what tells a group from the others: `tanh, seq_len 50, clip none`."""
    words = [shown(row[key]) if key in _SPEAK_FOR_THEMSELVES else f"{key} {shown(row[key])}" for key in keys]
    return ", ".join(words) or "all runs"


def _judged(runs: pd.DataFrame) -> pd.Series:
    return (runs["status"] == "FINISHED") & runs["verdict.learning"].notna()


def _counts(members: pd.DataFrame) -> dict[str, object]:
    judged = members[_judged(members)]
    n, runs = len(judged), len(members)
    exhausted = int(judged["budget_exhausted"].eq(True).sum())
    ends = {name: int((members["status"] == status).sum()) for status, name in ENDS.items()}
    learning = {verdict: int((judged["verdict.learning"] == verdict).sum()) for verdict in LEARNING}
    gradient = {verdict: int((judged["verdict.gradient"] == verdict).sum()) for verdict in GRADIENT}
    success = wilson(learning["solved"], n)
    return {
        "runs": runs,
        "seeds": " ".join(shown(seed) for seed in sorted_values(members["seed"])),
        "n": n,
        **learning,
        "budget_exhausted": exhausted,
        **ends,
        **gradient,
        "success_rate": success.value,
        "success_low": success.low,
        "success_high": success.high,
        "diverged_share": wilson(learning["diverged"], n).value,
        "budget_exhausted_share": wilson(exhausted, n).value,
        "failed_share": ends["failed"] / runs,
        "seconds": members["seconds"].sum(),
    }


def _means(judged: pd.DataFrame) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, column in MEANS.items():
        mean = student_mean(_numbers(_not_stale(judged, name), column).to_numpy())
        found |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high, f"{name}_n": mean.n}
    return found | {name: _numbers(judged, column).mean() for name, column in CONSTANTS.items()}


def _survival(judged: pd.DataFrame) -> dict[str, float]:
    solved = (judged["verdict.learning"] == "solved").to_numpy()
    train_steps = np.where(solved, _numbers(judged, "steps_to_solve"), _numbers(judged, "steps"))
    known = np.isfinite(train_steps)
    median = median_steps(train_steps[known], solved[known])
    return {"median_steps": median.value, "median_steps_low": median.low, "median_steps_high": median.high}


def _not_stale(judged: pd.DataFrame, name: str) -> pd.DataFrame:
    if name not in _STALE:
        return judged
    verdict, broken = _STALE[name]
    return judged[judged[verdict] != broken]


def _numbers(runs: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of numbers; of nans where no run has it."""
    if column not in runs.columns:
        return pd.Series(float("nan"), index=runs.index)
    return pd.to_numeric(runs[column])
