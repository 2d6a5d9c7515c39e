import subprocess
import sys

import pytest

PRINT = """
from rich.console import Console
from rnnexp.sweeps.progress import Output
for number in range(3):
    Console(file=Output()).print('line', number)
open('end', 'w')
"""
SHELL = {"read": "", "closed": ">&-", "full": ">/dev/full", "without a reader": "| true"}


@pytest.mark.parametrize("kind", SHELL)
def test_output_that_cannot_be_written_ends_nothing(kind, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PRINT)
    command = f"{sys.executable} {script} {SHELL[kind]}"
    answer = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == ("line 0\nline 1\nline 2\n" if kind == "read" else "")
    assert (tmp_path / "end").exists()
