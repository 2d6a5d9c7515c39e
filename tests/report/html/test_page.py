import json
import re
from html.parser import HTMLParser

import pytest
from plotly.offline import get_plotlyjs

import rnnexp
from rnnexp.report.html.write import write_report

VOID = {"meta", "input", "br", "path", "rect", "use", "link", "img"}


class Page(HTMLParser):
    """Checks that elements nest, and gathers anchors, ids, links and text."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


@pytest.fixture(scope="module")
def report(sweep, tmp_path_factory):
    return write_report(rnnexp.load_runs(sweep), tmp_path_factory.mktemp("report") / "report.html")


def written(report):
    """The page without the library that draws its charts, which is not this project's."""
    whole = report.page.read_text(encoding="utf-8")
    assert whole.count(get_plotlyjs()) == (1 if 'class="plot"' in whole else 0)
    return whole.replace(get_plotlyjs(), "")


@pytest.fixture(scope="module")
def text(report):
    return written(report)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_nothing_is_fetched_from_anywhere(text, page):
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.names)
    assert not [name for name, _ in page.attributes if name in ("src", "srcset", "data", "action", "poster")]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", text)
    assert all(link.startswith(("#", "file:///")) for link in page.links)
    assert "http" not in text


def test_every_anchor_has_its_place_and_no_id_comes_twice(page):
    anchors = {link[1:] for link in page.links if link.startswith("#")}
    assert anchors <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_every_group_has_a_cell_two_charts_and_a_row(report, page, text):
    groups = len(report.groups)
    assert groups == 8
    assert [f"group-{number}" in page.ids for number in range(groups)] == [True] * groups
    assert text.count('<figure class="chart">') == 2 * groups
    assert len(re.findall(r'<td class="cell( hatched)?" ', text)) == groups
    assert text.count('<td class="cell hatched"') == 2
    assert page.texts.count("2 diverged") == 2 + 2  # in the diagram, and over the charts of the loss


def test_it_says_what_it_is_about(page):
    assert "seq_len × activation × clip, task adding" in page.texts
    assert "16 runs" in page.texts
    assert any(text.startswith("16 runs, 8 groups, seeds 0 and 1, ") for text in page.texts)
    command = "python run.py -m activation=tanh,relu seq_len=10,20 clip=none,norm seed=0,1 units=8"
    assert command in page.texts
    assert "units=8" in page.texts
    assert "0123abc" in page.texts


def test_colours_can_be_switched_without_a_script(page, text):
    inputs = [value for name, value in page.attributes if name == "id" and value.startswith("show-")]
    assert inputs == ["show-success", "show-rate", "show-ratio", "show-loss", "show-clip"]
    for name in inputs:
        assert f".phase:has(#{name}:checked)" in text


def test_the_figures_are_json_in_the_order_of_their_places(report, page, text):
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', text)
    kinds = [figure["kind"] for figure in json.loads(figures)]
    places = [int(value) for name, value in page.attributes if name == "data-figure"]
    assert kinds == ["profile"] * 8 + ["loss"] * 8
    assert places == list(range(16))
    assert report.page.stat().st_size < 8e6


def test_names_from_outside_are_text(runs, tmp_path):
    hostile = runs.assign(run_name="<script>alert(1)</script>", activation='"><img src=x>')
    text = written(write_report(hostile, tmp_path / "report.html"))
    assert "<script>alert" not in text
    assert "<img" not in text
    Page(text)


@pytest.mark.parametrize("part", [slice(0, 1), slice(0, 2), slice(0, 4)])
def test_one_run_one_group_and_one_key_make_a_page(runs, tmp_path, part):
    report = write_report(runs[part], tmp_path / "report.html")
    page = Page(written(report))
    assert page.names.count("figure") >= 2 * len(report.groups)
    assert ("fieldset" in page.names) == (len(report.groups) > 1)


def test_runs_without_arrays_or_folders_make_a_page(runs, tmp_path):
    bare = runs.assign(run_folder=None, artifacts=str(tmp_path / "absent")).drop(
        columns=["diverged_at", "sweep_id"]
    )
    text = written(write_report(bare, tmp_path / "report.html"))
    assert '<figure class="chart">' not in text
    assert 'class="cell' in text


def test_where_nothing_was_solved_the_loss_is_shown_first(runs, tmp_path):
    lost = runs.assign(**{"verdict.learning": "learning"})
    text = written(write_report(lost, tmp_path / "report.html"))
    assert 'id="show-loss" checked' in text


def test_more_groups_than_charts_are_in_the_table(runs, tmp_path, monkeypatch):
    most = 5
    for module in ("page", "write"):
        monkeypatch.setattr(f"rnnexp.report.html.{module}.MOST_CHARTS", most)
    many = runs[:1].loc[[0] * (most + 2)].reset_index(drop=True)
    names = [f"n{number}" for number in many.index]
    many = many.assign(config_hash=names, group_hash=names, units=range(len(many)))
    text = written(write_report(many, tmp_path / "report.html"))
    assert text.count('<figure class="chart">') == 2 * most
    assert f"Charts of the first {most} groups; the table has all." in text
    assert f'id="group-{most + 1}"' in text


def test_a_page_of_stacked_layers_says_which_it_shows(runs, text, tmp_path):
    write_report(runs[:2].assign(layers=[1, 2]), tmp_path / "report.html")
    assert "of the lowest one" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "of the lowest one" not in text


def test_the_same_runs_make_the_same_page(runs, report, text, tmp_path):
    again = write_report(runs, tmp_path / "report.html")
    assert written(again) == text
