import subprocess
import sys

import pytest

PRINT = """
import sys
from rich.console import Console
from rnnexp.runtime import output
output.protect()
for number in range(3):
    Console().print('line', number)
    print('error', file=sys.stderr)
print('\u0394t from http://ann:hidden@h', end='')
open('end', 'w')
"""
SHELL = {
    "read": "",
    "closed": ">&- 2>&-",
    "full": ">/dev/full 2>&1",
    "without a reader": "2>&1 | true",
    "latin-1": "",
    "ascii": "",
}


@pytest.mark.parametrize("kind", SHELL)
def test_output_that_cannot_be_written_ends_nothing(kind, tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(PRINT)
    monkeypatch.setenv("PYTHONIOENCODING", kind if kind in ("latin-1", "ascii") else "utf-8")
    command = f"{sys.executable} {script} {SHELL[kind]}"
    answer = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    delta = "\u0394" if kind == "read" else "?"
    shown = b"" if SHELL[kind] else f"line 0\nline 1\nline 2\n{delta}t from http://h".encode()
    assert (answer.returncode, answer.stdout) == (0, shown)
    assert answer.stderr == (b"" if SHELL[kind] else b"error\n" * 3)
    assert (tmp_path / "end").exists()
