import json
import os

import pytest

from rnnexp.runtime import secrets
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://u:p@h:1/x", "https://h:1/x"),
        ("http://ann@h:1", "http://h:1"),
        ("postgresql://ann:a/b?c@h/d", "postgresql://h/d"),
        ("mysql+pymysql://ann:a@b/c@h:3/d", "mysql+pymysql://h:3/d"),
        ("postgresql://h/d?user=ann&password=a%2Fb", "postgresql://h/d?user=ann&password=***"),
        ("https://h/?access_token=abc&x=1", "https://h/?access_token=***&x=1"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dabc", "mssql+pyodbc:///?odbc_connect=***"),
        ("say 'http://u:p@h' and http://v:q@i", "say 'http://h' and http://i"),
        ("http://h:1/#/runs?viewStateShareKey=verdicts", "http://h:1/#/runs?viewStateShareKey=verdicts"),
        ("http://h/x@y", "http://h/x@y"),
        ("sqlite:////a@b:c/d@e", "sqlite:////a@b:c/d@e"),
    ],
)
def test_an_address_is_told_without_secrets(address, shown):
    assert secrets.without_login(address) == shown


@pytest.mark.parametrize("form", ["a/secret word", "a%2Fsecret%20word", "a%2fsecret%20word"])
def test_a_password_is_known_again_in_every_form(form):
    secrets.learn(f"http://ann:{form}@h")
    for said in (form, "a/secret word", "a%2Fsecret%20word"):
        assert secrets.clean(f"login failed with {said}") == "login failed with ***"


def test_passwords_of_the_environment_are_known(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "of-the-environment")
    assert secrets.clean("(of-the-environment)") == "(***)"


def test_errors_and_state_files_tell_no_password(tmp_path):
    address = "http://ann:hidden-word@h"
    assert str(ArgumentError("uri", "another", address)) == "uri: expected another, received 'http://h'"
    StateFile(tmp_path / "a.json").write({"list": [address, 1], "nested": {address: None}})
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "list": ["http://h", 1],
        "nested": {"http://h": None},
    }


def test_an_address_is_handed_over_in_the_environment_alone():
    typed = ["seed=1", "tracking.uri=http://ann:hidden-word@h"]
    with secrets.handed_over("http://ann:hidden-word@h"):
        variable = os.environ[secrets.ADDRESS_VARIABLE]
        assert secrets.as_handed_over(typed) == ["seed=1", "tracking.uri=${oc.env:RNNEXP_TRACKING_ADDRESS}"]
    assert variable == "http://ann:hidden-word@h"
    assert secrets.ADDRESS_VARIABLE not in os.environ
    with secrets.handed_over("http://h"):
        assert secrets.as_handed_over(["tracking.uri=http://h"]) == ["tracking.uri=http://h"]
