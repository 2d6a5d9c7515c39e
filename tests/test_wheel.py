"""The package as others install it: one wheel, which holds the menu and the command."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rnnexp import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the built wheel."""
    builder = pytest.importorskip("hatchling.builders.wheel")
    (path,) = builder.WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"]
    )
    return Path(path)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return a folder that holds what the wheel holds, as site-packages would."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def asked(installed, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "rnnexp", *arguments],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def files(folder, *names):
    found = [path for name in names for path in (folder / name).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix() for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_its_menu_and_its_launcher(installed):
    metadata = f"rnnexp-{__version__}.dist-info"
    expected = files(ROOT, "rnnexp", "hydra_plugins") | {f"rnnexp/{name}" for name in files(ROOT, "conf")}
    assert files(installed, ".") - files(installed, metadata) == expected
    assert {
        "rnnexp/py.typed",
        "rnnexp/conf/config.yaml",
        "rnnexp/report/html/templates/page.html",
    } <= expected
    for name in files(ROOT, "conf"):
        assert (installed / "rnnexp" / name).read_bytes() == (ROOT / name).read_bytes()
    entry = (installed / metadata / "entry_points.txt").read_text()
    assert "rnnexp = rnnexp.__main__:main" in entry


def test_the_installed_command_composes_its_own_menu(installed, tmp_path):
    answer = asked(installed, "--cfg", "job", "--resolve", "clip=global_norm", "clip.threshold=2")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "threshold: 2\n" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_says_its_own_name(installed):
    helped = asked(installed, "--help")
    assert "  rnnexp -m key=a,b,... ..." in helped.stdout and "python run.py" not in helped.stdout
    wrong = asked(installed, "seqlen=3")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("rnnexp: seqlen: expected a key of the configuration, such as seq_len")


def test_an_installed_package_keeps_data_in_the_working_folder(installed, tmp_path):
    program = "from rnnexp.runs.build import compose_job as c; print(c([]).tracking.uri, c([]).output_dir)"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [f"sqlite:///{tmp_path}/mlflow.db", "outputs"]
