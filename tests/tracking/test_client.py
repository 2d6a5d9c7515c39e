import logging
import warnings

import pytest

from rnnexp.tracking.client import quietly


def test_warnings_are_back_afterwards():
    with quietly():
        warnings.warn("unheard", stacklevel=1)
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_notes_are_off_and_warnings_on():
    with quietly():
        pass
    logger = logging.getLogger("mlflow.store.db.utils")
    assert not logger.isEnabledFor(logging.INFO)
    assert logger.isEnabledFor(logging.WARNING)


def test_a_level_that_the_user_sets_is_left_alone(monkeypatch):
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "INFO")
    logger = logging.getLogger("mlflow")
    monkeypatch.setattr(logger, "level", logging.INFO)
    with quietly():
        pass
    assert logger.level == logging.INFO


def test_usage_is_not_reported():
    from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY

    with quietly():
        assert MLFLOW_DISABLE_TELEMETRY.get() is True
