import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rnnexp
from rnnexp.analysis import group_runs, varying
from rnnexp.report.html import write
from rnnexp.report.html.write import write_report
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import Tracker

TABLES = ["runs.csv", "runs.parquet", "groups.csv", "groups.parquet"]
FILES = sorted(["report.html", *TABLES])


@pytest.fixture
def few(runs):
    """One group of tanh and one of relu, two seeds each."""
    return runs[(runs["seq_len"] == 10) & (runs["clip"] == "norm")].reset_index(drop=True)


@pytest.fixture
def page(tmp_path):
    return tmp_path / "report.html"


def contents(page):
    """Name -> bytes of everything in the folder of the page; of a folder, None."""
    paths = sorted(page.parent.iterdir())
    return {path.name: path.read_bytes() if path.is_file() else None for path in paths}


def test_the_page_and_the_tables_are_all_that_is_written(few, tmp_path):
    page = tmp_path / "new" / "folder" / "report.html"
    report = write_report(few, page)
    assert report.page == page
    assert report.tables == [page.with_name(name) for name in TABLES]
    assert sorted(contents(page)) == FILES
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>")


def test_the_written_tables_hold_the_returned_runs_and_groups(few, page):
    report = write_report(few, page)
    assert report.keys == varying(few) == ["activation"]
    expected = group_runs(few).sort_values("group_hash", ignore_index=True)
    pd.testing.assert_frame_equal(report.groups.sort_values("group_hash", ignore_index=True), expected)
    for read, suffix in (pd.read_csv, "csv"), (pd.read_parquet, "parquet"):
        groups, runs = (read(page.with_name(f"{name}.{suffix}")) for name in ("groups", "runs"))
        assert groups["group_hash"].tolist() == report.groups["group_hash"].tolist()
        np.testing.assert_array_equal(groups["rate"], report.groups["rate"])
        assert runs["run_id"].tolist() == few["run_id"].tolist()


def test_a_second_build_replaces_the_first(few, page):
    write_report(few, page)
    first = contents(page)
    (page.parent / "notes.txt").write_text("mine")
    write_report(few[few["activation"] == "relu"], page)
    second = contents(page)
    assert second.pop("notes.txt") == b"mine"
    assert sorted(second) == FILES
    assert not set(first.values()) & set(second.values())
    write_report(few, page)
    assert {name: text for name, text in contents(page).items() if name != "notes.txt"} == first


@pytest.mark.parametrize("before", [False, True], ids=["first", "second"])
@pytest.mark.parametrize(("step", "kind"), [("render", OSError), ("save_table", KeyboardInterrupt)])
def test_a_build_that_ends_early_leaves_what_was_there(few, page, monkeypatch, before, step, kind):
    if before:
        write_report(few, page)
    found = contents(page)

    def ending(*_):
        raise kind("the end")

    monkeypatch.setattr(write, step, ending)
    with pytest.raises(kind, match="the end"):
        write_report(few[:2], page)
    assert contents(page) == found


@pytest.mark.parametrize("taken", TABLES)
@pytest.mark.parametrize("before", [False, True], ids=["first", "second"])
def test_where_one_file_cannot_be_put_in_place_none_is(few, page, taken, before):
    if before:
        write_report(few, page)
        page.with_name(taken).unlink()
    page.with_name(taken).mkdir()
    found = contents(page)
    with pytest.raises(OSError, match=taken):
        write_report(few[:2], page)
    assert contents(page) == found


def test_an_interrupt_between_two_files_puts_the_first_back(few, page, monkeypatch):
    write_report(few, page)
    found = contents(page)
    replace = Path.replace

    def interrupted(path, target):
        if target == page.with_name("groups.csv") and not begun:
            begun.append(path)
            raise KeyboardInterrupt
        return replace(path, target)

    begun: list[Path] = []
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report(few[:2], page)
    assert contents(page) == found


@pytest.mark.parametrize("name", TABLES)
def test_a_page_does_not_take_the_name_of_a_table(few, page, name):
    with pytest.raises(ArgumentError, match=rf"^page: expected another name than .*, received '{name}'$"):
        write_report(few, page.with_name(name))
    assert contents(page) == {}


def test_damaged_arrays_are_refused_before_anything_is_written(few, page):
    damaged = page.parent / "damaged"
    damaged.mkdir()
    (damaged / "gradient_flow.npz").write_bytes(b"PK")
    page = page.parent / "new" / "report.html"
    with pytest.raises(ArgumentError, match=r"gradient_flow\.npz"):
        write_report(few.assign(run_folder=str(damaged)), page)
    assert not page.parent.exists()


@pytest.mark.parametrize(
    ("address", "command"),
    [
        (None, None),
        ("http://host:5000", None),
        ("sqlite:////a b/mlflow.db", ["mlflow", "ui", "--backend-store-uri", "sqlite:////a b/mlflow.db"]),
    ],
)
def test_the_page_says_how_a_store_is_opened_that_is_no_server(few, page, monkeypatch, address, command):
    given = []

    def render(*content):
        given.append(content)
        return "page"

    monkeypatch.setattr(write, "render", render)
    monkeypatch.setattr(write, "collect_files", lambda *_: {})
    write_report(few, page, address)
    *_, opened = given[0]
    assert (opened if opened is None else shlex.split(opened)) == command


@pytest.mark.parametrize("status", ["FINISHED", "FAILED"])
def test_the_run_of_a_configuration_that_counts_is_drawn(few, page, monkeypatch, status):
    """The newest, but a finished one before others: the same that the table counts."""
    asked = []

    def collect_files(runs, *_):
        asked.append(runs["run_id"].tolist())
        return {}

    monkeypatch.setattr(write, "collect_files", collect_files)
    again = few[:1].assign(run_id="again", status=status)
    write_report(pd.concat([few, again], ignore_index=True), page)
    drawn, typed = asked
    counted = "again" if status == "FINISHED" else few["run_id"][0]
    assert sorted(drawn) == sorted([*few["run_id"][1:], counted])
    assert typed == [few["run_id"][0]]


def test_a_sweep_whose_runs_all_go_on_makes_a_page(tmp_path, page):
    for seed in range(2):
        tracker = Tracker(tmp_path / "runs" / f"s{seed}", f"s{seed}")
        tracker.params({"activation": "tanh", "task": "adding", "seed": seed})
        tracker.tags({"config_hash": str(seed), "group_hash": "a"})
    report = write_report(rnnexp.load_runs(tmp_path / "runs"), page)
    assert report.groups[["n", "running"]].values.tolist() == [[0, 2]]
    assert "2 running" in page.read_text(encoding="utf-8")
