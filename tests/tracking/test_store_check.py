import contextlib
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import MlflowTracker, ensure_store
from rnnexp.tracking.client import connect
from rnnexp.tracking.store_check import _migrations, check_store, is_known

API = "/api/2.0/mlflow/experiments/get"


def stamp(path: Path, revision: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def make_old_database(path: Path, revision: str) -> None:
    import sqlalchemy
    from alembic import command
    from mlflow.store.db import utils

    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    utils.InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        config = utils._get_alembic_config(f"sqlite:///{path}")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def previous_revision() -> str:
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils

    scripts = ScriptDirectory.from_config(utils._get_alembic_config(""))
    head = scripts.get_current_head()
    assert head is not None
    revision = scripts.get_revision(head).down_revision
    assert isinstance(revision, str)
    return revision


def run_mlflow_db(arguments: list[str]) -> None:
    from click.testing import CliRunner
    from mlflow.db import commands

    answer = CliRunner().invoke(commands, arguments)
    assert answer.exit_code == 0, answer.output


def test_a_database_of_this_mlflow_passes_and_stays_as_it_is(tracking_uri, tmp_path):
    before = (tmp_path / "mlflow.db").read_bytes()
    check_store(tracking_uri)
    assert (tmp_path / "mlflow.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_new_place_passes_and_nothing_is_created(tmp_path):
    check_store(f"sqlite:///{tmp_path}/a/b/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_passes(tmp_path):
    (tmp_path / "mlflow.db").touch()
    check_store(f"sqlite:///{tmp_path}/mlflow.db")


def test_the_head_revision_is_the_one_that_alembic_finds():
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils

    scripts = ScriptDirectory.from_config(utils._get_alembic_config(""))
    known, heads = _migrations()
    assert heads == set(scripts.get_heads())
    assert known == {script.revision for script in scripts.walk_revisions()}


def test_the_command_for_an_older_database_repairs_it(tracking_uri, tmp_path):
    path = tmp_path / "old db.db"  # a blank, so that the quotes in the command are tried too
    make_old_database(path, previous_revision())
    uri = f"sqlite:///{path}"
    with pytest.raises(
        ArgumentError, match="this one is older: copy it aside, then run `mlflow db upgrade"
    ) as old:
        check_store(uri)
    command = re.search("`mlflow db (.*?)`", str(old.value))
    assert command is not None
    run_mlflow_db(shlex.split(command[1]))
    check_store(uri)


def test_a_database_of_a_newer_mlflow_is_told_from_an_older_one(tracking_uri, tmp_path):
    stamp(tmp_path / "mlflow.db", "ffffffffffff")
    with pytest.raises(
        ArgumentError, match=r"a database of MLflow 3\.\S+ \(this one was made by a newer MLflow"
    ):
        check_store(tracking_uri)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_text("hello" * 1000)
    with pytest.raises(
        ArgumentError, match=r"tracking.uri: expected a SQLite database \(file is not a database\)"
    ):
        check_store(f"sqlite:///{tmp_path}/mlflow.db")


def test_somebody_elses_database_is_refused(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("CREATE TABLE recipes (name)")
    with pytest.raises(ArgumentError, match=r"a database that MLflow made \(this one holds other tables\)"):
        check_store(f"sqlite:///{tmp_path}/mlflow.db")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ArgumentError, match="expected a file that can be read and written"):
        check_store(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match=f"a folder that can be written, which {tmp_path}/file is not"):
        check_store(f"sqlite:///{tmp_path}/file/mlflow.db")


def test_a_busy_database_passes(tracking_uri, tmp_path):
    connection = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    with contextlib.closing(connection) as other:
        other.execute("BEGIN EXCLUSIVE")
        check_store(tracking_uri)


def test_neither_mlflow_nor_tensorflow_is_imported(tracking_uri):
    program = (
        "import sys; from rnnexp.tracking import check_store; check_store(sys.argv[1]);"
        "sys.exit(bool({'mlflow', 'sqlalchemy', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program, tracking_uri], check=True)


@contextlib.contextmanager
def serving(statuses: dict[str, int], bodies: dict[str, bytes] = {}) -> Iterator[str]:  # noqa: B006
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.get(self.path.partition("?")[0], 404))
            self.end_headers()
            self.wfile.write(bodies.get(self.path.partition("?")[0], b"{}"))

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def directly(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.usefixtures("directly")
class TestServers:
    @pytest.mark.parametrize(
        "statuses", [{"/health": 200, API: 200}, {"/health": 401, API: 200}, {"/health": 200, API: 500}]
    )
    def test_a_server_passes(self, statuses):
        with serving(statuses) as address:
            check_store(address)

    def test_a_path_in_front_is_kept(self):
        with serving({"/team/health": 200, f"/team{API}": 200}) as address:
            check_store(f"{address}/team")

    def test_another_server_is_refused(self):
        with serving({}) as address:
            expected = f"expected an MLflow server (this one answers 404 to /health), received '{address}'"
            with pytest.raises(ArgumentError, match=re.escape(expected)):
                check_store(address)

    def test_a_server_that_refuses_the_host_name_is_told_apart(self):
        expected = r"accepts this host name \(start it with `--allowed-hosts`\)"
        with serving({"/health": 200, API: 403}) as address, pytest.raises(ArgumentError, match=expected):
            check_store(address)

    @pytest.mark.parametrize("login", ["", "ann:hidden-word@"])
    def test_a_login_that_lacks_or_is_wrong(self, login, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        expected = ("another" if login else "a") + " login, which MLFLOW_TRACKING_USERNAME and "
        with serving({"/health": 200, API: 401}) as address:
            with pytest.raises(ArgumentError, match=f"tracking.uri: expected {expected}") as refused:
                check_store(address.replace("//", f"//{login}"))
            assert "hidden" not in str(refused.value)
            (tmp_path / ".netrc").touch()
            check_store(address)

    def test_a_prefix_that_was_forgotten(self):
        page = {API: b"<!doctype html>"}
        expected = "expected an MLflow server with its whole path"
        with serving({"/health": 200}, page) as address, pytest.raises(ArgumentError, match=expected):
            check_store(address)

    def test_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}"
            with pytest.raises(
                ArgumentError, match=f"running MLflow server .*refused.* received '{address}'"
            ):
                check_store(address)

    def test_a_silent_server_is_given_a_second(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with pytest.raises(ArgumentError, match=r"a running MLflow server \(timed out\)"):
                check_store(f"http://127.0.0.1:{silent.getsockname()[1]}")

    def test_a_login_is_not_repeated_in_the_message(self):
        with serving({}) as address:
            with pytest.raises(ArgumentError) as refused:
                check_store(address.replace("//", "//ann:secret@"))
            assert "secret" not in str(refused.value)


def test_a_database_knows_its_runs_until_they_are_deleted(tracking_uri, tmp_path):
    tracker = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "e"), "run")
    tracker.end("FINISHED")
    assert is_known(tracking_uri, tracker.run_id)
    assert not is_known(tracking_uri, "0" * 32)
    connect(tracking_uri).delete_run(tracker.run_id)
    assert not is_known(tracking_uri, tracker.run_id)
    assert not is_known(f"sqlite:///{tmp_path}/absent.db", tracker.run_id)
    assert not (tmp_path / "absent.db").exists()


@pytest.fixture
def server():
    """Answers as MLflow does: one run, one deleted run, a login wanted for the third, else 404."""
    answers = {
        "here": (200, b'{"run": {"info": {"lifecycle_stage": "active"}}}'),
        "gone": (200, b'{"run": {"info": {"lifecycle_stage": "deleted"}}}'),
        "locked": (401, b""),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, run_id = self.path.partition("?run_id=")
            assert path == "/api/2.0/mlflow/runs/get"
            code, body = answers.get(run_id, (404, b""))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("run_id", "known"), [("here", True), ("gone", False), ("locked", True), ("no", False)]
)
def test_a_server_is_asked(server, monkeypatch, run_id, known):
    monkeypatch.setenv("no_proxy", "*")
    assert is_known(server, run_id) is known


def test_who_cannot_be_asked_is_taken_to_know(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    assert is_known("postgresql://host/base", "any")
    assert is_known("http://127.0.0.1:1", "any")
