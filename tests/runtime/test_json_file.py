import json

import pytest

from rnnexp.runtime.json_file import StateFile


def test_what_is_written_is_read_and_updates_keep_the_rest(tmp_path):
    file = StateFile(tmp_path / "state.json")
    assert file.read() == {}
    file.write({"a": 1, "b": None})
    file.update(b=[2], c="x")
    assert file.read() == {"a": 1, "b": [2], "c": "x"}
    assert json.loads((tmp_path / "state.json").read_text()) == file.read()
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_file_that_is_cut_short_counts_as_empty(tmp_path):
    (tmp_path / "state.json").write_text('{"a": 1')
    file = StateFile(tmp_path / "state.json")
    assert file.read() == {}
    file.update(b=2)
    assert file.read() == {"b": 2}


@pytest.mark.parametrize("content", [b"[1]", b"3", b'"text"', b"\xff\xfe", b"[" * 100_000, b""])
def test_a_file_that_is_no_mapping_counts_as_empty(tmp_path, content):
    (tmp_path / "state.json").write_bytes(content)
    assert StateFile(tmp_path / "state.json").read() == {}
