"""The site that `make docs` has built works as a file, without a server and without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import needs_browser, open_page
from playwright.sync_api import Page, expect

SITE = Path(__file__).parents[2] / "build" / "site"

pytestmark = [
    needs_browser,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="make docs has not been run"),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_page(viewport={"width": 1440, "height": 1000}) as page:
        yield page


def test_the_search_finds_a_page_offline(page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((SITE / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("forget gate")
    found = page.get_by_role("dialog").get_by_role("option").filter(has_text="A model that does not learn")
    expect(found.first).to_be_visible(timeout=10_000)
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []


def test_the_code_of_a_figure_is_folded(page):
    page.goto((SITE / "jacobian.html").as_uri())
    code = page.get_by_text("style.paper_figure").first
    expect(code).to_be_hidden()
    page.get_by_text("The code of the figure").click()
    expect(code).to_be_visible()
