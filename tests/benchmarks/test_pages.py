import json

import pytest

from benchmarks import pages

RESULTS = json.loads((pages.ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_of_the_result_file(page):
    text = page.read_text(encoding="utf-8")
    assert pages.filled(text, RESULTS) == text
    assert "<!-- /" in text


@pytest.mark.parametrize("name", pages.TABLES)
def test_every_table_stands_on_a_page(name):
    assert any(f"<!-- {name} -->" in page.read_text(encoding="utf-8") for page in pages.PAGES)


def test_only_text_between_the_marks_is_replaced():
    text = "before\n<!-- goals -->\nold\n<!-- /goals -->\nafter\n"
    filled = pages.filled(text, RESULTS)
    assert filled.startswith("before\n<!-- goals -->\n| work |")
    assert filled.endswith("<!-- /goals -->\nafter\n")
    assert "old" not in filled


def test_a_contestant_that_a_row_does_not_have_is_a_dash():
    row = RESULTS["steps"]["rows"][-1]
    short = {name: ratio for name, ratio in row["ratios"].items() if name != pages.TORCH}
    results = {"steps": {"rows": [row | {"ratios": short}]}}
    cells = pages.filled("<!-- steps -->\n<!-- /steps -->", results).splitlines()[3].split(" | ")
    place = 2 + list(pages._CONTESTANTS).index(pages.TORCH)
    assert cells[place] == "-"


def test_a_place_without_a_table_is_named():
    with pytest.raises(KeyError, match="nothing_of_the_kind"):
        pages.filled("<!-- nothing_of_the_kind -->\n<!-- /nothing_of_the_kind -->", RESULTS)
