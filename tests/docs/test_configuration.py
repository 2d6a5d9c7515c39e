"""docs/configuration.md says what the configuration says."""

import re
from pathlib import Path

import hydra

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
GROUPS = ("task", "cell", "init", "clip", "optimizer", "tracking")


def values(name: str) -> str:
    """The values of a group, as its row lists them."""
    row = re.search(rf"^\| `{name}` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert row is not None, name
    return row.group(1)


def test_defaults_are_those_of_the_configuration():
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = hydra.compose("config", return_hydra_config=True)
    row = re.search(r"\| `seq_len` `units` `batch_size` `steps` `seed` \| (.*) \|", PAGE)
    assert row is not None
    keys = ("seq_len", "units", "batch_size", "steps", "seed")
    assert [int(value) for value in row.group(1).split(",")] == [config[key] for key in keys]
    for group in GROUPS:
        assert re.findall(r"\w+", values(group))[0] == config.hydra.runtime.choices[group]


def test_every_choice_of_every_group_is_in_its_row():
    for group in GROUPS:
        for path in (ROOT / "conf" / group).glob("*.yaml"):
            assert re.search(rf"\b{path.stem}\b", values(group)), f"{group}={path.stem}"
