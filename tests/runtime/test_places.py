import subprocess
from pathlib import Path

from rnnexp.runtime import places

ROOT = Path(__file__).parents[2]


def test_a_checkout_holds_menu_data_and_command(tmp_path):
    assert (places.CHECKOUT, places.CONF, places.data_folder()) == (ROOT, ROOT / "conf", ROOT)
    assert (places.COMMAND, places.PROGRAM) == ("python run.py", "run.py")


def test_the_command_line_starts_from_any_folder(tmp_path):
    answer = subprocess.run([*places.command_line(), "seqlen=3"], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2 and answer.stderr.startswith("run.py: seqlen: expected")
