import pandas as pd
import pytest

from rnnexp.analysis import save_table
from rnnexp.runtime.checks import ArgumentError

TABLE = pd.DataFrame(
    {
        "seq_len": [10, 20],
        "val/loss": [0.5, None],
        "budget_exhausted": [True, False],
        "clip": ["none", "norm"],
    }
)


@pytest.mark.parametrize(("name", "read"), [("a.csv", pd.read_csv), ("a.parquet", pd.read_parquet)])
def test_what_is_written_is_read_back(tmp_path, name, read):
    path = save_table(TABLE, tmp_path / name)
    pd.testing.assert_frame_equal(read(path), TABLE)


def test_a_column_of_several_kinds_becomes_text(tmp_path):
    mixed = pd.DataFrame({"x": pd.Series([1, "a", None], dtype=object)})
    assert pd.read_parquet(save_table(mixed, tmp_path / "a.parquet"))["x"].tolist()[:2] == ["1", "a"]


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"^path: expected one of \.csv, \.parquet, received '\.txt'$"):
        save_table(TABLE, tmp_path / "a.txt")
