"""The page in a browser that is there: its script, its style, no word to the network."""

import json
import re
import shutil
import subprocess

import pytest

from rnnexp.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

PROBE = """
<script>
const out = {};
const table = document.querySelector(".sortable");
const header = name => [...table.tHead.rows[0].cells].find(cell => cell.textContent.trim() === name);
const value = (row, name) => row.cells[header(name).cellIndex].dataset.value;
const values = name => [...table.tBodies[0].rows].map(row => value(row, name)).join(" ");
header("seq_len").firstChild.click(); out.up = values("seq_len");
header("seq_len").firstChild.click(); out.down = values("seq_len");
header("mean field").firstChild.click(); out.missing = values("mean field");
const shown = name => getComputedStyle(document.querySelector(`.cell .show-${name}`)).display;
const paint = () => getComputedStyle(document.querySelector(".cell")).backgroundColor;
out.before = [shown("success"), shown("rate"), paint()].join(" ");
document.querySelector("#show-rate").click(); out.after = [shown("success"), shown("rate")].join(" ");
out.changed = paint() !== out.before.split(" ").slice(2).join(" ");
out.wide = document.documentElement.scrollWidth <= window.innerWidth;
out.requests = performance.getEntriesByType("resource").length;
document.title = JSON.stringify(out);
</script>
"""


def test_it_sorts_switches_fits_and_asks_nobody(runs, tmp_path):
    page = write_report(runs, tmp_path / "report.html").page
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={tmp_path / 'browser'}",
    ]
    answer = subprocess.run(
        [str(BROWSER), *options, "--window-size=600,900", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (answered,) = re.findall(r"<title>({.*?})</title>", answer.stdout)
    found = json.loads(answered)
    missing = found.pop("missing").split(" ")
    numbers = [float(value) for value in missing if value]
    assert numbers == sorted(numbers)
    assert missing[len(numbers) :] == ["", ""]  # two groups diverged, and come last
    assert found.pop("before").startswith("block none ")
    assert found == {
        "up": "10 10 10 10 20 20 20 20",
        "down": "20 20 20 20 10 10 10 10",
        "after": "none block",
        "changed": True,
        "wide": True,
        "requests": 0,
    }
