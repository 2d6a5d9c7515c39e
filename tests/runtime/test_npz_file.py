"""Files of arrays: whole ones are read, and no pickle is loaded, here and in the whole package."""

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest

from rnnexp.runtime import npz_file

PACKAGE = Path(npz_file.__file__).parents[1]
UNPICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"}


class Harm:
    """Leaves a file where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("harm"),)


def pickled(path):
    np.savez(path, log_norms=np.array([Harm()], dtype=object), allow_pickle=True)


def test_arrays_are_read_as_they_were_written(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.float32(0.5))
    found = npz_file.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["x"], [0, 1, 2])
    assert found["y"].dtype == np.float32
    assert npz_file.read(tmp_path / "a.npz", ["x"]).keys() == {"x"}


def test_a_pickle_in_the_place_of_numbers_is_not_loaded(tmp_path):
    pickled(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Harm()))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(npz_file.DamagedFile, match="no .npz file of numbers"):
            npz_file.read(tmp_path / name)
    assert not Path("harm").exists()
    with np.load(tmp_path / "a.npz", allow_pickle=True) as stored:
        stored["log_norms"]
    assert Path("harm").exists()  # so that the file would do harm


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_told(tmp_path, share):
    np.savez(tmp_path / "a.npz", x=np.arange(1000))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: int(share * len(content))])
    with pytest.raises(npz_file.DamagedFile):
        npz_file.read(tmp_path / "a.npz")


def loads(tree):
    """Calls of a `load` of NumPy's, as text, and modules that unpickle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "np.load",
            "numpy.load",
            "joblib.load",
            "load",
        ):
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and "pickle" in ast.unparse(node.func):
            yield ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in named if name.partition(".")[0] in UNPICKLES)


def test_arrays_have_one_door_and_pickles_have_none():
    found = {
        (str(path.relative_to(PACKAGE)), call)
        for path in PACKAGE.rglob("*.py")
        for call in loads(ast.parse(path.read_text()))
    }
    assert found == {("runtime/npz_file.py", "np.load(file, allow_pickle=False)")}
