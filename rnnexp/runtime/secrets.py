"""Passwords of addresses: taken out of all text that leaves the process, by whatever way.

Files, logs, tags, notes, errors and the terminal pass their text through `clean`. It finds the login and the
secret parameters in any address, and everywhere the passwords that this process has met (`learn`), as they
are, decoded or percent-encoded.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from rnnexp.runtime.config_keys import key_of

MASK = "***"
"""What stands in the place of a secret."""

ADDRESS_VARIABLE = "RNNEXP_TRACKING_ADDRESS"
"""The environment variable that hands an address with a login over, where Hydra would write it down."""

_OF_MLFLOW = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_SHORTEST = 6  # a shorter password may be a part of any word
# A password may hold a slash or a question mark: a login reaches to the last @.
_LOGIN = re.compile(r"(?<=://)(?=[^/@\s\"'<>]*[:@])([^\s\"'<>]*)@")
_PARAMETER = re.compile(
    r"([?&;][^=&\s\"']*(?:pass|pwd|secret|token|credential|signature|api_?key|access_?key|odbc_connect)"
    r"[^=&\s\"']*=)([^&\s\"'#]+)",
    re.IGNORECASE,
)
_known: set[str] = set()


def without_login(address: str) -> str:
    """Return an address, or a text with addresses, without logins and the values of secret parameters.

    >>> without_login("http://ann:secret@host:5000")
    'http://host:5000'
    >>> without_login("postgresql://host/runs?user=ann&password=a/b")
    'postgresql://host/runs?user=ann&password=***'
    """
    return _PARAMETER.sub(rf"\1{MASK}", _LOGIN.sub("", address))


def clean(text: str) -> str:
    """Return `text` without logins, secret parameters and the passwords that this process has met."""
    for secret in _all_known():
        text = text.replace(secret, MASK)
    return without_login(text)


def clean_all(value: Any) -> Any:
    """Return nested mappings and lists with all their texts cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean_all(key): clean_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_all(item) for item in value]
    return value


def learn(address: str) -> None:
    """Remember the passwords of an address, which others may quote without it."""
    login = address.partition("://")[2].rpartition("@")[0]
    for secret in (login.partition(":")[2], *(found.group(2) for found in _PARAMETER.finditer(address))):
        forms = {secret, unquote(secret), quote(unquote(secret), safe="")}
        _known.update(form for form in forms if len(form) >= _SHORTEST and form != MASK)


def masked(address: str) -> str:
    """Return what may be shown of an address that is malformed: nothing before its last @."""
    _, at, host = address.rpartition("@")
    return without_login(MASK + at + host if at else address)


@contextlib.contextmanager
def handed_over(address: str | None) -> Iterator[None]:
    """Put an address with a secret into the environment, from where `as_handed_over` lets Hydra take it."""
    if address is None or without_login(address) == address:
        yield
        return
    os.environ[ADDRESS_VARIABLE] = address
    try:
        yield
    finally:
        del os.environ[ADDRESS_VARIABLE]


def as_handed_over(overrides: Sequence[str]) -> list[str]:
    """Return the overrides as Hydra may write them down: `tracking.uri` names the variable."""
    if ADDRESS_VARIABLE not in os.environ:
        return list(overrides)
    others = [one for one in overrides if key_of(one) != "tracking.uri"]
    return [*others, f"tracking.uri=${{oc.env:{ADDRESS_VARIABLE}}}"]


def _all_known() -> list[str]:
    """Return the passwords, the longest first: one may be a part of another."""
    of_mlflow = {os.environ.get(name, "") for name in _OF_MLFLOW}
    return sorted(_known | {text for text in of_mlflow if len(text) >= _SHORTEST}, key=len, reverse=True)
