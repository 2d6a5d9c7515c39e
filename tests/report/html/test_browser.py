"""The page in a browser: its script, its style, its charts on screen and paper, no word to the network."""

import itertools

import pytest
from browser import needs_browser, open_page
from playwright.sync_api import expect

import rnnexp
from rnnexp.report.html.write import write_report

pytestmark = needs_browser

PLOTS = 16


@pytest.fixture(scope="module")
def report(sweep, tmp_path_factory):
    """The report, which the tests only read."""
    return write_report(rnnexp.load_runs(sweep), tmp_path_factory.mktemp("report") / "report.html").page


@pytest.fixture(scope="module")
def window():
    """A narrow window; a page that is loaded again in the same one is a sixth of the work."""
    with open_page(viewport={"width": 600, "height": 900}, offline=True) as window:
        window.set_default_timeout(60_000)
        yield window


@pytest.fixture
def page(window, report):
    """The report loaded anew; whatever it complains of or asks for fails the test."""
    complaints, requests = [], []
    listeners = {
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
        "request": lambda request: requests.append(request.url),
    }
    for event, listener in listeners.items():
        window.on(event, listener)
    window.emulate_media(color_scheme="light")
    window.mouse.move(0, 0)
    window.goto(report.as_uri())
    yield window
    for event, listener in listeners.items():
        window.remove_listener(event, listener)
    assert complaints == []
    assert requests == [report.as_uri()]


def column(page, name):
    """The values of a column of the first table, from top to bottom."""
    return page.evaluate(
        """name => {
          const table = document.querySelector(".sortable");
          const place = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent.trim() === name);
          return [...table.tBodies[0].rows].map(row => row.cells[place].dataset.value);
        }""",
        name,
    )


def drawn(page):
    return page.locator(".plot:has(.main-svg)")


def line_colour(page):
    return page.locator(".plot").first.locator(".js-line").last.evaluate("line => line.style.stroke")


def test_a_click_on_a_head_sorts_the_table(page):
    head = page.locator(".sortable").first.get_by_role("button", name="seq_len")
    for expected in (["10"] * 4 + ["20"] * 4, ["20"] * 4 + ["10"] * 4):
        head.click()
        assert column(page, "seq_len") == expected
    page.locator(".sortable").first.get_by_role("button", name="mean field").click()
    *numbers, last, second_last = column(page, "mean field")
    assert all(float(low) <= float(high) for low, high in itertools.pairwise(numbers))
    assert (last, second_last) == ("", "")  # two groups diverged, and come last


def test_the_colour_of_the_diagram_can_be_chosen(page):
    def paint():
        return page.locator(".cell").first.evaluate("cell => getComputedStyle(cell).backgroundColor")

    before = paint()
    expect(page.locator(".cell .show-success").first).to_be_visible()
    page.get_by_text("growth rate (nats per step)").first.click()
    expect(page.locator(".cell .show-rate").first).to_be_visible()
    expect(page.locator(".cell .show-success").first).to_be_hidden()
    assert paint() != before


def test_charts_are_drawn_on_scroll_and_tell_numbers_on_hover(page):
    assert drawn(page).count() < PLOTS
    plot = page.locator(".plot").first
    plot.scroll_into_view_if_needed()
    expect(plot.locator(".js-line")).to_have_count(4)
    plot.hover()
    expect(plot.locator(".hoverlayer")).to_contain_text("at the end")
    expect(plot.locator(".hoverlayer")).to_contain_text("lag ")


def test_a_frame_magnifies_and_two_clicks_go_back(page):
    plot = page.locator(".plot").first
    plot.scroll_into_view_if_needed()
    expect(plot.locator(".js-line")).to_have_count(4)
    box = plot.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    left, top = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4

    def span():
        return plot.evaluate("plot => plot.layout.xaxis.range[1] - plot.layout.xaxis.range[0]")

    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + box["width"] / 2, top + box["height"] / 2, steps=5)
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('.plot').layout.xaxis.range[1] < 8")
    assert span() == pytest.approx(9 / 2, rel=0.1)
    page.mouse.dblclick(left, top)
    page.wait_for_function("() => document.querySelector('.plot').layout.xaxis.range[1] > 8.99")
    assert span() == pytest.approx(9)


def test_by_night_and_on_paper_the_charts_have_other_colours(page):
    page.locator(".plot").first.scroll_into_view_if_needed()
    expect(page.locator(".plot").first.locator(".js-line")).to_have_count(4)
    light = line_colour(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".plot").first.locator(".js-line").last).not_to_have_css("stroke", light)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert line_colour(page) == light
    assert drawn(page).count() == PLOTS
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert line_colour(page) != light


def test_it_fits_the_window_and_is_drawn_before_it_is_printed(page):
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert drawn(page).count() < PLOTS
    assert page.pdf().startswith(b"%PDF")
    expect(drawn(page)).to_have_count(PLOTS)


def test_a_chart_is_saved_as_a_drawing(page, tmp_path):
    page.locator(".plot").first.scroll_into_view_if_needed()
    plot = drawn(page).first
    plot.hover()
    with page.expect_download() as download:
        plot.locator(".modebar-btn").click()
    assert download.value.suggested_filename.endswith(".svg")
    text = download.value.path().read_text()
    assert text.startswith("<svg") and "lag T" in text
