"""What a sweep found, in words made from its numbers."""

import math
from collections.abc import Iterator

import pandas as pd

from rnnexp.analysis import wilson
from rnnexp.analysis.columns import Value, is_numeric, shown
from rnnexp.analysis.groups import GRADIENT
from rnnexp.report.html import words
from rnnexp.report.html.axes import Axes, pick, values_of

_FEW_SEEDS = 5
_MOST_VALUES = 8
_CLOSE = 0.1  # nats per step: a decade every 23 steps
_OUTCOMES = {
    "solved": "solved the task",
    "learning": "ran out of steps while learning",
    "at_chance": "stayed at chance",
    "worse_than_chance": "ended worse than chance",
    "diverged": "diverged",
}


def headlines(groups: pd.DataFrame, axes: Axes) -> dict[str, str]:
    """Return the findings by what they are about, the most important first; without what groups cannot tell.

    Args:
        groups: From `analysis.group_runs`.
        axes: Where the keys go.
    """
    found = [
        ("Outcome", _outcome(groups)),
        ("Best", _best(groups)),
        ("Closest", _closest(groups)),
        ("Reach", _reach(groups, axes)),
        *_effects(groups, axes),
        ("Gradient", _gradient(groups)),
        ("Theory", _theory(groups)),
        ("Clipping", _clipping(groups)),
        ("Caution", _caution(groups)),
    ]
    return {topic: text for topic, text in found if text}


def _outcome(groups: pd.DataFrame) -> str:
    n = int(groups["n"].sum())
    said = [f"{number:,} {_OUTCOMES[name]}" for name, number in _totals(groups, *_OUTCOMES)]
    faults = [f"{number:,} {name}" for name, number in _totals(groups, "failed", "killed", "running")]
    outcome = (
        f"Of {words.count(n, 'run')} with a verdict, {words.listed(said)}." if n else "No run has a verdict."
    )
    return f"{outcome} Without one: {words.listed(faults)}." if faults else outcome


def _best(groups: pd.DataFrame) -> str:
    if not groups["solved"].any():
        return ""
    order = groups.sort_values(["success_rate", "n", "median_steps"], ascending=[False, False, True])
    best = order.iloc[0]
    share = words.interval(words.percent, best["success_low"], best["success_high"])
    text = f"{best['label']}: {best['solved']} of {words.count(int(best['n']), 'run')} solved the task"
    text += f", 95 % interval {share}"
    if math.isfinite(best["median_steps"]):
        text += f", half of all within {words.steps(best['median_steps'])} steps"
    also = int((groups["success_rate"] == best["success_rate"]).sum()) - 1
    return f"{text}. {words.count(also, 'other group').capitalize()} did as well." if also else f"{text}."


def _closest(groups: pd.DataFrame) -> str:
    relative = groups["loss"] / groups["floor_loss"].where(groups["floor_loss"] > 0, 1.0)
    if groups["solved"].any() or not relative.notna().any():
        return ""
    best = groups.iloc[int(relative.argmin())]
    return (
        f"No run solved the task. Closest is a loss of {words.loss(best['loss'])}{_of(groups, best)}, where "
        f"the best constant predictor has {words.loss(best['floor_loss'])}."
    )


def _reach(groups: pd.DataFrame, axes: Axes) -> str:
    """How far along a numeric x something was still solved."""
    if axes.x is None or axes.y is None or not is_numeric(groups[axes.x]) or not groups["solved"].any():
        return ""
    reached = []
    for value in values_of(groups, axes.y):
        solved = pick(groups, axes.y, value).query("solved > 0")[axes.x]
        reached.append(f"{shown(value)} {shown(solved.max()) if len(solved) else 'none'}")
    return f"The largest {axes.x} with a solved run is, by {axes.y}, {', '.join(reached)}."


def _effects(groups: pd.DataFrame, axes: Axes) -> Iterator[tuple[str, str]]:
    for key in axes.order[::-1]:
        values = values_of(groups, key)
        if 1 < len(values) <= _MOST_VALUES:
            yield f"By {key}", f"{'; '.join(_effect(groups, key, value) for value in values)}."


def _effect(groups: pd.DataFrame, key: str, value: Value) -> str:
    part = pick(groups, key, value)
    name, said = ("solved", "solved") if groups["solved"].any() else ("learning", "learned")
    text = f"{shown(value)}: {int(part[name].sum())} of {int(part['n'].sum())} {said}"
    diverged = int(part["diverged"].sum())
    return f"{text}, {diverged} diverged" if diverged else text


def _gradient(groups: pd.DataFrame) -> str:
    verdicts = _totals(groups, *GRADIENT)
    if not verdicts:
        return ""
    said = [f"{name.replace('_', '-')} in {number:,}" for name, number in verdicts]
    text = (
        f"At the end of training it is {words.listed(said)} of {words.count(int(groups['n'].sum()), 'run')}."
    )
    return " ".join([text, *_fastest(groups.dropna(subset="rate"))])


def _fastest(groups: pd.DataFrame) -> Iterator[str]:
    for what, sign in (("decay", -1), ("growth", 1)):
        there = groups[sign * groups["rate"] > 0]
        if len(there):
            row = there.iloc[int(there["rate"].abs().argmax())]
            steps = f"{math.log(10) / abs(row['rate']):,.3g}"
            rate = words.rate(row["rate"])
            yield f"Fastest {what}: {rate} nats per step, a decade every {steps} steps{_of(groups, row)}."


def _theory(groups: pd.DataFrame) -> str:
    gaps = (groups["rate"] - groups["predicted_rate"]).abs()
    known = groups.assign(gap=gaps).dropna(subset="gap")
    if not len(known):
        return ""
    worst, close = known.iloc[int(known["gap"].argmax())], int((known["gap"] <= _CLOSE).sum())
    text = (
        f"The mean-field rate of the final weights and the measured rate differ by {words.loss(worst['gap'])}"
    )
    if len(known) == 1:
        return f"{text} nats per step."
    most = f"{text} nats per step at most{_of(groups, worst)}"
    return f"{most}, by {_CLOSE} or less in {close} of {words.count(len(known), 'group')}."


def _clipping(groups: pd.DataFrame) -> str:
    clipped = groups[groups["clip_fraction"] > 0]
    if not len(clipped):
        return ""
    ranked = clipped.sort_values("clip_fraction")
    least, most = ranked.iloc[0], ranked.iloc[-1]
    text = f"It acted on {words.percent(least['clip_fraction'])} of the updates{_of(groups, least)}"
    if len(clipped) == 1:
        return f"{text}."
    return f"{text} to {words.percent(most['clip_fraction'])}{_of(groups, most)}."


def _caution(groups: pd.DataFrame) -> str:
    fewest = int(groups["n"].min())
    if fewest >= _FEW_SEEDS:
        return ""
    if fewest == 0:
        none = int((groups["n"] == 0).sum())
        return f"{words.count(none, 'group')} of {len(groups)} without a verdict on any run."
    allowed = words.percent(wilson(fewest, fewest).low)
    return (
        f"Few seeds: where {fewest} of {fewest} solve a task, the true share may be as low as {allowed}, and "
        "the intervals of means take them for normally scattered."
    )


def _totals(groups: pd.DataFrame, *names: str) -> list[tuple[str, int]]:
    """Return the counts over all groups that are not 0."""
    return [(name, total) for name in names if (total := int(groups[name].sum()))]


def _of(groups: pd.DataFrame, row: pd.Series) -> str:
    """Say which group, where there are several."""
    return f" ({row['label']})" if len(groups) > 1 else ""
