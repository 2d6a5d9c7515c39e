"""The notebooks of docs/ are run as they stand, and compared with what Jupyter has left in them."""

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def run(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell as a notebook does, and return its outputs: what it prints, and what its last line is."""
    *statements, last = ast.parse(source).body
    shown: Any = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(statements, []), "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        else:
            exec(compile(ast.Module([last], []), "cell", "exec"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    html = shown._repr_html_() if hasattr(shown, "_repr_html_") else None
    if html is not None:
        outputs.append({"data": {"text/html": [html]}, "output_type": "execute_result"})
    elif hasattr(shown, "_repr_png_"):
        outputs.append({"data": {"image/png": shown._repr_png_()}, "output_type": "execute_result"})
    return outputs


def run_all(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    names: dict[str, Any] = {}
    return [run("".join(cell["source"]), names) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def forms(outputs: list[dict[str, Any]]) -> list[str]:
    """What a cell shows, by its form; the progress of a run, which is text alone, is left out."""
    shown = [each["data"] for each in outputs if each["output_type"] != "stream"]
    return [form for data in shown for form in ("text/html", "image/png") if form in data]


def texts(outputs: list[dict[str, Any]]) -> list[str]:
    return ["".join(each["text"]) for each in outputs if each["output_type"] == "stream"]


def assert_holds_what_it_gives(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    kept = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found = run_all(notebook)
    assert list(map(forms, found)) == list(map(forms, kept))
    for outputs, expected in zip(found, kept, strict=True):
        for text in texts(expected):
            assert text in "".join(texts(outputs))
        for html in (each["data"]["text/html"] for each in outputs if "text/html" in each.get("data", {})):
            assert "data:image/png;base64," in html[0]
    assert sum(map(len, map(forms, kept))) >= 1


@pytest.mark.parametrize("name", ["gradient_flow", "notebooks/stuck_lstm"])
def test_a_notebook_prints_and_shows_what_it_holds(name):
    assert_holds_what_it_gives(DOCS / f"{name}.ipynb")


@pytest.mark.sweep
def test_the_notebook_of_a_sweep_does_too():
    assert_holds_what_it_gives(DOCS / "notebooks" / "phase_diagram.ipynb")


def test_every_notebook_is_tested():
    tested = {"gradient_flow", "stuck_lstm", "phase_diagram"}
    assert {path.stem for path in DOCS.rglob("*.ipynb")} == tested
