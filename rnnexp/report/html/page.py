"""The report as one self-contained HTML file."""

import json
from collections.abc import Mapping, Sequence

import jinja2
import pandas as pd
from plotly.offline import get_plotlyjs

from rnnexp.analysis.columns import is_config, known_sweeps, shown
from rnnexp.report.html import words
from rnnexp.report.html.axes import Axes
from rnnexp.report.html.curves import Curves
from rnnexp.report.html.headlines import headlines
from rnnexp.report.html.panels import Chart, length_charts, loss_charts, profile_charts
from rnnexp.report.html.phase_diagram import diagrams, quantities
from rnnexp.report.html.provenance import Recipe
from rnnexp.report.html.tables import list_groups, list_runs
from rnnexp.report.terminal import numbers
from rnnexp.runtime.config_keys import UNSCIENTIFIC

MOST_CHARTS = 120
"""Charts of one kind on a page; the table holds every group."""

_NAMED_FIRST = ("task", "cell", "init", "optimizer", "units", "batch_size", "steps")


def render(
    runs: pd.DataFrame,
    groups: pd.DataFrame,
    keys: Sequence[str],
    axes: Axes,
    curves: Mapping[int, Curves],
    made: Recipe,
    open_command: str | None,
) -> str:
    """Return the page.

    Args:
        runs: From `load_runs`.
        groups: From `axes.arranged`, like `keys` and `axes`; the index numbers them.
        keys: As above.
        axes: As above.
        curves: Number of a group -> its curves.
        made: How the runs were made.
        open_command: The command under which the links to MLflow work, or None where they work as they are.
    """
    offered = quantities(groups)
    profiles, losses = profile_charts(groups, axes, curves), loss_charts(groups, curves)
    lengths = length_charts(groups, curves)
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=_title(runs, keys, axes),
            subtitle=_subtitle(runs, len(groups)),
            stacked="layers" in runs and bool((runs["layers"] > 1).any()),
            question=_question(keys),
            settings=_settings(runs, keys),
            headlines=headlines(groups, axes),
            axes=axes,
            quantities=offered,
            first=_first(groups, [quantity.name for quantity in offered]),
            panels=diagrams(groups, axes, offered),
            profiles=profiles,
            losses=losses,
            lengths=lengths,
            columns=_columns(groups, axes),
            figures=_figures([*profiles, *losses, *lengths]),
            plotly=get_plotlyjs(),
            group_table=list_groups(groups, keys),
            left_out=len(profiles) == MOST_CHARTS < len(groups),
            run_count=words.count(len(runs), "run"),
            run_table=list_runs(runs, keys),
            recipe=made,
            open_command=open_command,
        )
    )


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("rnnexp.report.html"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _figures(charts: Sequence[Chart]) -> str:
    """Return the figures as JSON, escaped so that it cannot end the HTML element around it."""
    text = json.dumps([chart.figure for chart in charts], allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _title(runs: pd.DataFrame, keys: Sequence[str], axes: Axes) -> str:
    tasks = words.listed([str(task) for task in runs["task"].unique()])
    name = " × ".join(axes.order[::-1]) if keys else runs["run_name"].iloc[0]
    return f"{name}, task {tasks}"


def _subtitle(runs: pd.DataFrame, groups: int) -> str:
    sweeps = known_sweeps(runs)
    named = [f"sweep {sweeps[0]}"] if len(sweeps) == 1 else []
    together = f"{numbers.duration(float(runs['seconds'].sum()))} of computing"
    counts = [words.count(len(runs), "run"), words.count(groups, "group"), _seeds(runs)]
    return ", ".join([*counts, f"{runs['start'].min():%-d %B %Y}", together, *named])


def _seeds(runs: pd.DataFrame) -> str:
    seeds = sorted(runs["seed"].unique())
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    whole = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return (
        f"seeds {seeds[0]} to {seeds[-1]}"
        if whole
        else f"seeds {words.listed([str(seed) for seed in seeds])}"
    )


def _question(keys: Sequence[str]) -> str:
    ask = "How far back does the gradient reach, and does the network learn"
    return f"{ask}, as {words.listed(keys)} {'vary' if len(keys) > 1 else 'varies'}?" if keys else f"{ask}?"


def _settings(runs: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Return the settings that all runs share, the most important first."""
    fixed = [
        key
        for key in runs.columns
        if is_config(key)
        and key not in (*keys, "seed", "name", "experiment")
        and key.partition(".")[0] not in UNSCIENTIFIC
        and not key.endswith("._target_")
        and runs[key].map(shown).nunique() == 1
    ]
    first = [key for key in _NAMED_FIRST if key in fixed]
    return [(key, shown(runs[key].iloc[0])) for key in dict.fromkeys([*first, *fixed])]


def _first(groups: pd.DataFrame, offered: Sequence[str]) -> str:
    """Return the quantity that colours the diagram at first: the loss if no run solved its task."""
    return "loss" if not groups["solved"].any() and "loss" in offered else "success"


def _columns(groups: pd.DataFrame, axes: Axes) -> int:
    """Return how many charts stand side by side: one row of the diagram, or two."""
    values = groups[axes.x].nunique() if axes.x else 1
    return {1: 4, 2: 4, 3: 3, 4: 4}.get(values, 5)
