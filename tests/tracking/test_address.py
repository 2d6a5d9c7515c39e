import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.address import is_server, resolve, sqlite_path


def test_command_line_overrides_variable_overrides_default(tmp_path):
    environ = {"MLFLOW_TRACKING_URI": "http://variable:5000"}
    assert resolve("http://option:5000", environ, tmp_path) == "http://option:5000"
    assert resolve(None, environ, tmp_path) == "http://variable:5000"
    assert resolve(None, {}, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


def test_an_empty_variable_counts_as_absent(tmp_path):
    assert resolve(None, {"MLFLOW_TRACKING_URI": ""}, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("given", ["sqlite:///a/b.db", "sqlite:///./a/b.db", "sqlite:///c/../a/b.db"])
def test_a_relative_file_lies_in_the_root(given, tmp_path):
    assert resolve(given, {}, tmp_path) == f"sqlite:///{tmp_path}/a/b.db"


def test_an_absolute_file_stays_where_it_is(tmp_path):
    assert resolve("sqlite:////data/m.db?timeout=5", {}, tmp_path) == "sqlite:////data/m.db?timeout=5"


def test_the_file_is_found_again_in_the_address(tmp_path):
    assert sqlite_path(resolve("sqlite:///a b.db?timeout=5", {}, tmp_path)) == tmp_path / "a b.db"
    assert sqlite_path("http://host:5000") is None


def test_an_encoded_path_is_decoded_as_sqlalchemy_does(tmp_path):
    import sqlalchemy

    resolved = resolve("sqlite:///a%20b.db", {}, tmp_path)
    assert sqlalchemy.make_url(resolved).database == f"{tmp_path}/a b.db"


@pytest.mark.parametrize("name", ["a%b", "a%20b", "what?"])
def test_a_database_path_with_percent_or_question_is_refused(name, tmp_path):
    with pytest.raises(
        ArgumentError, match=r"tracking\.uri: expected a database whose path holds neither % nor \?"
    ):
        resolve(None, {}, tmp_path / name)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("sqlite:///~/m.db", {}, tmp_path / "elsewhere") == f"sqlite:///{tmp_path}/m.db"


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ("http://host:5000/", "http://host:5000"),
        ("https://host/mlflow", "https://host/mlflow"),
        ("postgresql+psycopg://u:p@host/db", "postgresql+psycopg://u:p@host/db"),
        ("mysql://host/db", "mysql://host/db"),
        ("databricks", "databricks"),
    ],
)
def test_servers_and_other_databases_pass(given, resolved, tmp_path):
    assert resolve(given, {}, tmp_path) == resolved


@pytest.mark.parametrize(
    "given",
    [
        "",
        "./mlruns",
        "mlruns",
        "file:///tmp/mlruns",
        "mlflow.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://m.db",
        "http://",
        "http://host:port",
        "ftp://host",
        "mysql",
        5000,
    ],
)
def test_anything_else_is_refused_in_one_sentence(given, tmp_path):
    with pytest.raises(ArgumentError) as refused:
        resolve(given, {}, tmp_path)
    expected = "sqlite:///FILE or http://HOST:PORT (MLflow no longer takes a folder such as ./mlruns)"
    assert str(refused.value) == f"tracking.uri: expected {expected}, received {given!r}"


def test_a_bad_variable_is_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"^MLFLOW_TRACKING_URI: expected sqlite:"):
        resolve(None, {"MLFLOW_TRACKING_URI": "./mlruns"}, tmp_path)


def test_servers_are_told_from_files():
    assert is_server("http://a")
    assert is_server("https://a")
    assert not is_server("sqlite:////a")


@pytest.mark.parametrize(
    "given", ["http:/ann:hidden-word@host", "ann:hidden-word@host:80", "http://a:hidden/word@h"]
)
def test_a_malformed_address_is_told_without_its_login(given, tmp_path):
    with pytest.raises(ArgumentError) as error:
        resolve(given, {}, tmp_path)
    assert "hidden" not in str(error.value) and "received '***@h" in str(error.value)
