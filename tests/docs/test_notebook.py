"""The notebook of docs/ is run as it stands. `python tests/docs/test_notebook.py` writes its outputs anew."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "docs" / "gradient_flow.ipynb"


def run(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell as a notebook does, and return its outputs: what it prints, and what its last line is."""
    *statements, last = source.split("\n")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            value = compile(last, "cell", "eval")
        except SyntaxError:
            exec(compile(source, "cell", "exec"), names)
            shown: Any = None
        else:
            exec(compile("\n".join(statements), "cell", "exec"), names)
            shown = eval(value, names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if hasattr(shown, "_repr_html_"):
        data = {"text/html": [shown._repr_html_()], "text/plain": repr(shown).splitlines(keepends=True)}
        outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
    return outputs


def run_all(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    names: dict[str, Any] = {}
    return [run("".join(cell["source"]), names) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_prints_and_shows_what_it_holds():
    notebook = json.loads(PATH.read_text(encoding="utf-8"))
    kept = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found = run_all(notebook)
    assert [[each["output_type"] for each in outputs] for outputs in found] == [
        [each["output_type"] for each in outputs] for outputs in kept
    ]
    for outputs, expected in zip(found, kept, strict=True):
        for output, other in zip(outputs, expected, strict=True):
            if output["output_type"] == "stream":
                assert output["text"] == other["text"]
            else:
                assert "data:image/png;base64," in output["data"]["text/html"][0]


if __name__ == "__main__":
    written = json.loads(PATH.read_text(encoding="utf-8"))
    cells = [cell for cell in written["cells"] if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(cells, run_all(written), strict=True), start=1):
        cell["execution_count"], cell["outputs"] = number, outputs
    PATH.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
