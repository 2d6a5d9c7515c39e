import io
import subprocess
import sys
import zipfile
from pathlib import Path

import rnnexp
from rnnexp.tracking import packed_source

HOME = Path(rnnexp.__file__).parent

# Runs where the package is not to be found.
READER = """
import sys
sys.path.insert(0, sys.argv[1])
import rnnexp
from rnnexp import theory
from rnnexp.theory.lags import fitted_rate
from rnnexp.tracking import packed_source
assert rnnexp.__doc__ and rnnexp.theory is theory
sys.stdout.buffer.write(packed_source.archive())
"""


def test_packed_source_imports_alone_and_repacks_identically(tmp_path):
    package = packed_source.write(tmp_path)
    assert sorted(path.name for path in package.iterdir()) == ["__init__.py", "source.zip"]
    command = [sys.executable, "-I", "-c", READER, str(tmp_path)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr.decode()
    assert answer.stdout == (package / "source.zip").read_bytes()


def test_it_is_the_whole_source():
    with zipfile.ZipFile(io.BytesIO(packed_source.archive())) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    source = [path for path in HOME.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert packed == {str(path.relative_to(HOME.parent)): path.read_bytes() for path in source}


def test_the_same_source_gives_the_same_bytes():
    assert packed_source.archive.__wrapped__() == packed_source.archive()
