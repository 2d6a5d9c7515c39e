import numpy as np
import pytest

from rnnexp.plotting.arrays import Arrays, MissingArray, read_arrays
from rnnexp.runtime.checks import ArgumentError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "gradient_flow.npz"
    np.savez_compressed(path, steps=np.arange(1000), loss_unit=np.str_("nats"))
    return path


def test_arrays_and_single_values_come_back(path):
    arrays = read_arrays(path)
    assert arrays["steps"].tolist() == list(range(1000))
    assert str(arrays["loss_unit"]) == "nats"
    assert set(read_arrays(path, ["steps"])) == {"steps"}


def test_an_array_of_a_later_version_is_named(path):
    with pytest.raises(
        MissingArray, match="the array end_rate, which older runs and some cells do not have"
    ) as raised:
        read_arrays(path)["end_rate"]
    assert raised.value.array == "end_rate"


@pytest.mark.parametrize("where", ["head", "middle", "tail", "everything"])
def test_a_damaged_file_is_one_sentence(path, where):
    content = bytearray(path.read_bytes())
    part = {
        "head": slice(0, 4),
        "middle": slice(60, 160),
        "tail": slice(-30, None),
        "everything": slice(None),
    }
    content[part[where]] = b"\xff" * len(content[part[where]])
    path.write_bytes(bytes(content))
    with pytest.raises(
        ArgumentError, match=r"^gradient_flow\.npz: expected the arrays of a run \("
    ) as raised:
        read_arrays(path)
    assert "\n" not in str(raised.value) and "pickle" not in str(raised.value)


def test_a_folder_without_arrays_is_none_of_a_run(tmp_path):
    with pytest.raises(ArgumentError, match="expected the folder of a run, which holds this file"):
        read_arrays(tmp_path / "gradient_flow.npz")


def test_a_run_is_trained_once_it_took_a_step():
    trained = Arrays(steps=np.arange(3), end_step=np.array(9))
    assert trained.trained and trained.measured_later
    untrained = Arrays(steps=np.arange(0), end_step=np.array(0))
    assert not untrained.trained and not untrained.measured_later
