"""The report as one self-contained HTML file."""

import dataclasses
import json
from collections.abc import Sequence

import jinja2
import pandas as pd
from plotly.offline import get_plotlyjs

from rnnexp.analysis.columns import is_config, known_sweeps, shown
from rnnexp.report.html import words
from rnnexp.report.html.axes import Axes
from rnnexp.report.html.headlines import headlines
from rnnexp.report.html.panels import Chart
from rnnexp.report.html.phase_diagram import diagrams, quantities
from rnnexp.report.html.provenance import Recipe
from rnnexp.report.html.tables import list_groups, list_runs
from rnnexp.report.terminal import numbers
from rnnexp.runtime.config_keys import UNSCIENTIFIC

MOST_CHARTS = 120
"""Charts of one kind on a page; the table holds every group."""

_NAMED_FIRST = ("task", "cell", "init", "optimizer", "units", "batch_size", "steps")


@dataclasses.dataclass(frozen=True)
class Content:
    """What the page shows.

    Attributes:
        runs: From `load_runs`.
        groups: From `analysis.group_runs`, in the order of the page; the index numbers them.
        keys: From `analysis.varying`.
        axes: Where the keys go.
        profiles: Charts of the gradient.
        losses: Charts of the loss.
        lengths: Charts of the error at other lengths.
        recipe: How the runs were made.
        open_command: The command under which the links to MLflow work, or None where they work as they are.
    """

    runs: pd.DataFrame
    groups: pd.DataFrame
    keys: Sequence[str]
    axes: Axes
    profiles: Sequence[Chart]
    losses: Sequence[Chart]
    lengths: Sequence[Chart]
    recipe: Recipe
    open_command: str | None


def render(content: Content) -> str:
    """Return the page."""
    offered = quantities(content.groups)
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=_title(content),
            subtitle=_subtitle(content),
            question=_question(content),
            settings=_settings(content.runs, content.keys),
            headlines=headlines(content.groups, content.axes),
            axes=content.axes,
            quantities=offered,
            first=_first(content.groups, [quantity.name for quantity in offered]),
            panels=diagrams(content.groups, content.axes, offered),
            profiles=content.profiles,
            losses=content.losses,
            lengths=content.lengths,
            columns=_columns(content),
            figures=_figures([*content.profiles, *content.losses, *content.lengths]),
            plotly=get_plotlyjs(),
            group_table=list_groups(content.groups, content.keys),
            left_out=len(content.profiles) == MOST_CHARTS < len(content.groups),
            run_count=words.count(len(content.runs), "run"),
            run_table=list_runs(content.runs, content.keys),
            recipe=content.recipe,
            open_command=content.open_command,
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


def _title(content: Content) -> str:
    tasks = words.listed([str(task) for task in content.runs["task"].unique()])
    keys = " × ".join(content.axes.order[::-1]) if content.keys else content.runs["run_name"].iloc[0]
    return f"{keys}, task {tasks}"


def _subtitle(content: Content) -> str:
    runs, start = content.runs, content.runs["start"].min()
    sweeps = known_sweeps(runs)
    named = f"sweep {sweeps[0]}" if len(sweeps) == 1 else ""
    together = f"{numbers.duration(float(runs['seconds'].sum()))} of computing"
    counts = [words.count(len(runs), "run"), words.count(len(content.groups), "group"), _seeds(runs)]
    return ", ".join([*counts, f"{start:%-d %B %Y}", together, *([named] if named else [])])


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


def _question(content: Content) -> str:
    ask = "How far back does the gradient reach, and does the network learn"
    return (
        f"{ask}, as {words.listed(list(content.keys))} {'vary' if len(content.keys) > 1 else 'varies'}?"
        if content.keys
        else f"{ask}?"
    )


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
    ranked = sorted(
        fixed, key=lambda key: _NAMED_FIRST.index(key) if key in _NAMED_FIRST else len(_NAMED_FIRST)
    )
    return [(key, shown(runs[key].iloc[0])) for key in ranked]


def _first(groups: pd.DataFrame, offered: Sequence[str]) -> str:
    """Return the quantity that colours the diagram at first: the loss if no run solved its task."""
    return "loss" if not groups["solved"].any() and "loss" in offered else "success"


def _columns(content: Content) -> int:
    """Return how many charts stand side by side: one row of the diagram, or two."""
    values = content.groups[content.axes.x].nunique() if content.axes.x else 1
    return {1: 4, 2: 4, 3: 3, 4: 4}.get(values, 5)
