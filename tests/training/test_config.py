import dataclasses
import inspect
import re
from typing import Any

import pytest

from rnnexp.training.config import Plan

FIELDS: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Plan))


def test_every_field_is_documented_in_its_place():
    assert re.findall(r"^ {4}(\w+): \S", inspect.getdoc(Plan) or "", re.MULTILINE) == list(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_no_plan_field_has_a_default(name):
    others = {other: value for other, value in FIELDS.items() if other != name}
    with pytest.raises(TypeError, match=f"'{name}'"):
        Plan(**others)


def test_a_plan_does_not_change_but_has_variants():
    plan = Plan(**FIELDS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seed = 1  # type: ignore[misc]
    assert dataclasses.replace(plan, seed=1) != plan == Plan(**FIELDS)
