import math
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from rnnexp.report.html import words
from rnnexp.report.html.tables import list_groups, list_runs

COUNTS = ["learning", "at chance", "diverged", "failed", "killed", "running"]
RUN = {
    "run_name": "tanh-s0",
    "link": "http://host/run",
    "run_folder": "/runs/a",
    "activation": "tanh",
    "seed": 0,
    "status": "FINISHED",
    "verdict.learning": "at_chance",
    "verdict.gradient": "non_finite",
    "seconds": 2.25,
    "grad/rate": -0.25,
    "val/loss": 0.5,
    "val/error": 0.125,
}


def cells(listing, row=0):
    """Column -> entry of one row; every row has a cell for every column."""
    assert {tuple(entries) for entries in listing} == {tuple(listing[0])}
    return listing[row]


@pytest.fixture
def groups(table):
    return table(
        {"seq_len": 10, "solved": 2, "learning": 1, "rate": -0.5, "rate_low": -0.75, "rate_high": -0.25},
        {"seq_len": 200, "solved": 0, "at_chance": 3, "rate": math.nan, "error": 0.5, "clip_fraction": 0.25},
    )


def test_a_group_is_shown_by_words_and_sorted_by_numbers(groups):
    row = cells(list_groups(groups, ["seq_len"]))
    assert row["seq_len"] == ("10", 10, "")
    assert (row["n"][:2], row["solved"][:2], row["learning"][:2]) == (("3", 3), ("2", 2), ("1", 1))
    assert row["95 % interval"] == ("[10, 90] %", 0.1, "")
    assert row["growth rate (nats per step)"] == ("−0.5000 [−0.7500, −0.2500]", -0.5, "")
    assert row["floor"] == ("0.5", 0.5, "")


def test_what_is_missing_is_shown_and_sorted_as_such(groups):
    row = cells(list_groups(groups, ["seq_len"]), 1)
    for name in ("growth rate (nats per step)", "mean field", "decades", "loss", "median steps to criterion"):
        assert row[name] == (words.MISSING, "", "")
    assert row["error"].value == 0.5
    assert row["clipped"] == ("25 %", 0.25, "")


@pytest.mark.parametrize("name", ["failed", "killed", "running"])
def test_a_kind_of_failure_has_a_column_only_where_there_is_one(groups, name):
    listed = [column for column in list_groups(groups, [])[0] if column in COUNTS]
    assert listed == COUNTS[:3]
    groups.loc[1, name] = 2
    listing = list_groups(groups, [])
    assert [column for column in listing[0] if column in COUNTS] == [*COUNTS[:3], name]
    assert [cells(listing, row)[name].value for row in (0, 1)] == [0, 2]


def test_every_group_and_run_has_a_row_in_the_given_order(groups, runs):
    assert [row["seq_len"].value for row in list_groups(groups, ["seq_len"])] == [10, 200]
    assert [row["run"].text for row in list_runs(runs, [])] == runs["run_name"].tolist()


def test_a_run_is_shown_by_words_and_leads_to_its_page():
    row = cells(list_runs(pd.DataFrame([RUN]), ["activation"]))
    assert row["run"] == ("tanh-s0", "tanh-s0", "http://host/run")
    assert [row[name].text for name in ("activation", "seed", "status")] == ["tanh", "0", "finished"]
    assert [row[name].text for name in ("learning", "gradient")] == ["at chance", "non finite"]
    assert [row[name].text for name in ("rate", "loss", "error", "seconds")] == [
        "−0.2500",
        "0.5",
        "12 %",
        "2.2",
    ]
    assert [row[name].value for name in ("rate", "loss", "error", "seconds")] == [-0.25, 0.5, 0.125, 2.25]


def test_a_run_killed_early_shows_signs_for_missing_values():
    lacks = ["link", "run_folder", "verdict.learning", "verdict.gradient", "seconds", "activation"]
    killed = RUN | {"status": "KILLED"} | dict.fromkeys(lacks, math.nan)
    columns = [name for name in killed if "/" not in name]
    row = cells(list_runs(pd.DataFrame([killed])[columns], ["activation"]))
    assert row["run"] == ("tanh-s0", "tanh-s0", "")
    assert row["activation"] == ("-", "", "")
    assert row["learning"].text == row["gradient"].text == row["files"].text == words.MISSING
    for name in ("rate", "loss", "error", "seconds"):
        assert row[name] == (words.MISSING, "", "")


@pytest.mark.parametrize("folder", ["/runs/a", "/runs/100 %#1?/ö", "/runs/a%20b"])
def test_the_link_to_a_folder_leads_there(folder):
    entry = cells(list_runs(pd.DataFrame([RUN | {"run_folder": folder}]), []))["files"]
    assert entry.text == "folder"
    address = urlsplit(entry.link)
    assert (address.scheme, address.query, address.fragment) == ("file", "", "")
    assert Path(unquote(address.path)) == Path(folder)
