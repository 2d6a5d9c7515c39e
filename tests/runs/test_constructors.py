import importlib
import sys

import pytest
from foreign_package import write_package
from jobs import job_of

from rnnexp import clipping
from rnnexp.nn.cells.gru import Gru
from rnnexp.runs.constructors import KINDS, construct, find_function
from rnnexp.runs.identity import former_identity, identity
from rnnexp.runs.menu import MENU
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.config_keys import COLLECTIONS, CONSTRUCTED

NORM = {"_target_": "rnnexp.clipping.Norm", "threshold": 2}


@pytest.fixture
def harmless(tmp_path, monkeypatch):
    """A package of somebody's own that may be imported."""
    write_package(tmp_path / "packages", "harmless", tmp_path / "mark", at_import=False)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    yield "harmless"
    for name in [name for name in sys.modules if name.partition(".")[0] == "harmless"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def test_every_group_that_constructs_has_a_kind():
    assert KINDS.keys() == {*CONSTRUCTED, *COLLECTIONS}


@pytest.mark.parametrize("group", CONSTRUCTED)
def test_the_menu_names_every_class_of_the_catalogue(group):
    kind = KINDS[group]
    named = {MENU.fields(group, option)["_target_"]: option for option in MENU.options(group)}
    assert named == {kind.target(name): name for name in kind.catalogue}
    assert {kind.named(target): name for target, name in named.items()} == {
        found: name for name, found in kind.catalogue.items()
    }


@pytest.mark.parametrize("target", ["norm", "rnnexp.clipping.Norm", f"{clipping.Norm.__module__}.Norm"])
def test_a_class_is_found_by_any_of_its_names(target):
    assert construct("clip", NORM | {"_target_": target}, ()) == clipping.Norm(2)


def test_the_top_level_gives_arguments_that_no_field_may_give():
    node = {"_target_": "rnnexp.tasks.Adding", "target": "mean"}
    assert construct("task", node, (), {"seq_len": 12}).seq_len == 12
    with pytest.raises(
        ArgumentError, match="^task.seq_len: expected a field of rnnexp.tasks.Adding, such as "
    ):
        construct("task", node | {"seq_len": 3}, (), {"seq_len": 12})
    with pytest.raises(ArgumentError, match="^seq_len: expected an integer of at least 10, received 3$"):
        construct("task", node, (), {"seq_len": 3})


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (NORM | {"threshold": 0}, "clip.threshold: expected auto or a finite number above 0, received 0"),
        (
            NORM | {"treshold": 1},
            "clip.treshold: expected a field of rnnexp.clipping.Norm, such as threshold, ",
        ),
        ({"_target_": "rnnexp.clipping.Norm"}, "clip.threshold: expected a value, received None"),
        (
            {},
            "clip._target_: expected one of rnnexp.clipping.NoClip, rnnexp.clipping.Value, rnnexp.clipping.",
        ),
    ],
)
def test_what_is_wrong_is_named(node, sentence):
    with pytest.raises(ArgumentError) as refused:
        construct("clip", node, ())
    assert str(refused.value).startswith(sentence)


def test_each_cell_has_fields_of_its_own():
    node = {"_target_": "keras.layers.GRUCell", "reset_after": False}
    assert construct("cell", node, ()) == Gru(reset_after=False)
    with pytest.raises(
        ArgumentError, match=r"^cell\.unit_forget_bias: expected a field of keras\.layers\.GRU"
    ):
        construct("cell", node | {"unit_forget_bias": True}, ())


def test_a_class_of_a_plugin_is_made_like_one_of_the_package(harmless):
    node = {"_target_": "harmless.parts.Mild", "scale": 3.0}
    made = construct("clip", node, (harmless,))
    assert isinstance(made, clipping.Clip)
    assert vars(made) == {"scale": 3.0}
    assert find_function("activation", "harmless.parts:marked", (harmless,))(2) == 2


@pytest.mark.parametrize("way", ["typed", "variable"])
def test_a_command_line_makes_a_plugin_part_of_the_run(harmless, monkeypatch, way):
    typed = ["plugins=[harmless]"]
    if way == "variable":
        monkeypatch.setenv("RNNEXP_PLUGINS", "harmless")
        typed = []
    clip = ["clip._target_=harmless.parts.Mild", "+clip.scale=3.0", "activation=harmless.parts:marked"]
    job = job_of(["tracking=none", *typed, *clip])
    assert type(job.plan.clip).__module__ == "harmless.parts"
    assert job.plan.activation == "harmless.parts:marked"
    assert job.config["plugins"] == ["harmless"]
    named = identity(job.config)
    assert named["clip"] == {"name": "harmless.parts.Mild", "scale": 3.0}
    assert named["activation"] == "harmless.parts:marked"
    others = [["+clip.scale=4.0", *clip[::2]], [clip[0], "+clip.scale=3.0"], clip[2:]]
    hashes = {job_of(["tracking=none", *typed, *other]).config_hash for other in (clip, *others)}
    assert len(hashes) == 4


def test_where_a_plugin_lies_is_no_part_of_the_run(harmless, tmp_path):
    line = ["tracking=none", "plugins=[harmless]", "clip._target_=harmless.parts.Mild"]
    before = job_of(line).hashes
    write_package(tmp_path / "elsewhere", "harmless", tmp_path / "mark", at_import=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "harmless"]:
        del sys.modules[name]
    sys.path.insert(0, str(tmp_path / "elsewhere"))
    try:
        assert job_of(line).hashes == before
    finally:
        sys.path.remove(str(tmp_path / "elsewhere"))


def test_a_foreign_class_of_the_same_name_has_another_identity():
    ours, others = {"clip": dict(NORM)}, {"clip": NORM | {"_target_": "mine.Norm"}}
    assert identity(ours) != identity(others)
    assert former_identity(ours) != former_identity(others)


PROBE = """
from rnnexp.probes.probe import Array, Metric, Probe


class Mine(Probe):
    name, page = {name!r}, "none"
    metric_table = {{{metric!r}: Metric("a", "b")}}
    array_table = {{{array!r}: Array("a", "()")}}

    def measure(self, trajectory):
        return 1.0

    def metrics(self, result):
        return {{}}
"""


@pytest.mark.parametrize(
    ("name", "metric", "array", "taken"),
    [
        ("mine", "mine/a", "mine", None),
        ("lags", "mine/a", "mine", "lags"),
        ("mine", "grad/median_lag", "mine", "grad/median_lag"),
        ("mine", "mine/a", "lag_log_norm", "lag_log_norm"),
    ],
)
def test_a_probe_takes_no_name_of_another(harmless, tmp_path, name, metric, array, taken):
    text = PROBE.format(name=name, metric=metric, array=array)
    (tmp_path / "packages" / "harmless" / "probes.py").write_text(text)
    line = ["tracking=none", "plugins=[harmless]", "+probes.one._target_=harmless.probes.Mine"]
    if taken is None:
        job = job_of(line)
        assert [probe.name for probe in job.plan.probes] == ["mine"]
        assert identity(job.config)["probes"] == {"one": {"name": "harmless.probes.Mine"}}
        line.append("+probes.two._target_=harmless.probes.Mine")
        name = "two"
    else:
        name = "one"
    with pytest.raises(ArgumentError, match=f"^probes.{name}: expected names that the probe .* has not"):
        job_of(line)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("probes=3", "probes: expected probes under names of their own, received 3"),
        ("+probes.a=3", "probes.a: expected a probe, with _target_, received 3"),
        (
            "+probes.a._target_=os.system",
            "probes.a._target_: expected a subclass of Probe in a package that pl",
        ),
        (
            "+probes.a={_target_: x.Y, b: {_target_: x.Y}}",
            "probes.a.b: expected plain values, as nothing is cal",
        ),
        (
            "+probes._target_=x.Y",
            "probes: expected plain values, as nothing is called here (without _target_)",
        ),
    ],
)
def test_a_wrong_probe_gets_one_sentence(typed, sentence):
    with pytest.raises(ArgumentError) as refused:
        job_of(["tracking=none", typed])
    assert str(refused.value).startswith(sentence)
