"""What a configuration may name: everything here is tried with a package that marks each line it runs."""

import importlib
import pickle
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from foreign_package import write_package
from jobs import job_of

from rnnexp import cli
from rnnexp.runs.permissions import permitted
from rnnexp.runtime.checks import ArgumentError

ROOT = Path(__file__).parents[2]
SECONDS = 1.5  # of the processor: what else is at work on the machine is not counted
GLOBAL = "# @package _global_\n"


class Marks:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def place(tmp_path_factory, monkeypatch):
    """A folder with the packages `foreign` and `broken`, a pickle, and a `conf` that is still empty."""
    place = tmp_path_factory.mktemp("place")
    write_package(place, "foreign", place / "mark")
    write_package(place, "harmless", place / "mark", at_import=False)
    (place / "broken.py").write_text("raise RuntimeError('half\\ndone')\n")
    (place / "ends.py").write_text("raise SystemExit(0)\n")
    (place / "trap.pkl").write_bytes(pickle.dumps(Marks(place / "mark")))
    (place / "conf").mkdir()
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PLACE", str(place))
    monkeypatch.setenv("TARGET", "foreign.parts.leave")
    monkeypatch.setenv("CALL", "{_target_: foreign.parts.leave}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/store/mlflow.db")
    yield place
    for name in [name for name in sys.modules if name.partition(".")[0] in ("foreign", "harmless")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def refusal(capsys, place, *arguments):
    """The sentence that refuses a command line, which has run nothing and was fast."""
    started = time.process_time()
    with pytest.raises(SystemExit) as refused:
        cli.check(arguments)
    seconds = time.process_time() - started
    printed = capsys.readouterr()
    assert (refused.value.code, printed.out) == (2, "")
    assert re.fullmatch(r"run\.py: \S+: expected .+, received .+\n", printed.err), printed.err
    assert not (place / "mark").exists()
    assert not {"foreign", "broken"} & sys.modules.keys()
    assert seconds < SECONDS
    return printed.err.removeprefix("run.py: ")


def refusal_of_values(place, *arguments):
    """The sentence that refuses values of keys that are there, which have run nothing."""
    with pytest.raises(ArgumentError) as refused:
        job_of(arguments)
    assert not (place / "mark").exists()
    assert not {"foreign", "broken"} & sys.modules.keys()
    return str(refused.value)


PLAIN = "expected plain values, as nothing is called here (without _target_), received "
NAMED = "expected one of rnnexp.clipping.NoClip, rnnexp.clipping.Value, rnnexp.clipping.Norm, "
CALL = "{_target_: foreign.parts.leave}"
PICKLE = "{_target_: pandas.read_pickle, filepath_or_buffer: '${oc.env:PLACE}/trap.pkl'}"

TYPED = [
    # A command line as a shell reads it, and how the sentence begins that refuses it.
    ("'task.target={_target_: foreign.parts.leave}'", f"task.target: {PLAIN}"),
    ("'seed={_target_: foreign.parts.leave}' dry_run=true", f"seed: {PLAIN}"),
    ("clip._target_=foreign.parts.leave", f"clip._target_: {NAMED}"),
    ("clip._target_=os.system", f"clip._target_: {NAMED}"),
    ("'init.gain=${eval:1}'", "init.gain: expected values that can be composed, received "),
    ("activation=os:system", "activation: expected a function of a package that plugins=[PACKAGE] allows, "),
    ("plugins=[harmles] clip._target_=harmless.parts.Mild", f"clip._target_: {NAMED}"),
    ("+record._target_=foreign.parts.leave", f"record: {PLAIN}"),
    ("+_target_=foreign.parts.leave", f"_target_: {PLAIN}"),
    ("+clip._partial_=true", "clip: expected plain values, as nothing is called here (without _partial_)"),
    (
        "+clip._recursive_=false",
        "clip: expected plain values, as nothing is called here (without _recursive_",
    ),
    ("+clip._convert_=all", "clip: expected plain values, as nothing is called here (without _convert_)"),
    ("'+clip._args_=[1]'", "clip: expected plain values, as nothing is called here (without _args_)"),
    ("+hydra.callbacks.mine._target_=foreign.parts.leave", "hydra.callbacks: expected nothing, as no file "),
    ("hydra.launcher._target_=foreign.parts.leave", "hydra.launcher._target_: expected a plugin of Hydra, "),
    ("hydra.sweeper._target_=foreign.parts.leave", "hydra.sweeper._target_: expected a plugin of Hydra, and"),
    (
        "'hydra.sweeper.params={units: {_target_: foreign.parts.leave}}'",
        "configuration: expected values that can be composed, received ",
    ),
    (
        "hydra.job_logging.handlers.console.class=foreign.parts.leave",
        "hydra.job_logging.handlers.console.cla",
    ),
    ("hydra.hydra_logging.handlers.console.stream=ext://foreign.parts", "hydra.hydra_logging.handlers.conso"),
    ("'hydra.searchpath=[pkg://foreign]'", "hydra.searchpath: expected folders (file://FOLDER), or packages"),
    ("--config-path=pkg://foreign", "--config-path: expected a folder, received 'pkg://foreign'"),
    (
        "--experimental-rerun=trap.pkl",
        "--experimental-rerun: expected the command itself, as that flag loads",
    ),
    ("--cfg=job 'init.gain={_target_: foreign.parts.leave}'", f"init.gain: {PLAIN}"),
    ("--info=config clip._target_=foreign.parts.leave", f"clip._target_: {NAMED}"),
    ("--help hydra.hydra_logging.handlers.console.class=foreign.parts.leave", "hydra.hydra_logging.handlers"),
    ("-m seed=0,1 clip._target_=rnnexp.clipping.NoClip,foreign.parts.Mild", f"clip._target_: {NAMED}"),
]

VALUES = [
    # Values of keys that are there, which do not have to come by a whole command line.
    ("'cell.use_bias={_target_: foreign.parts.leave}'", f"cell.use_bias: {PLAIN}"),
    ("'init.gain={_target_: foreign.parts.leave}'", f"init.gain: {PLAIN}"),
    ("'init.gain=[{_target_: foreign.parts.leave}]'", f"init.gain.0: {PLAIN}"),
    ("'init.gain={a: [[{_target_: foreign.parts.leave}]]}'", f"init.gain.a.0.0: {PLAIN}"),
    ("clip=norm 'clip.threshold={_target_: foreign.parts.leave}'", f"clip.threshold: {PLAIN}"),
    ("'optimizer.learning_rate={_target_: foreign.parts.leave}'", f"optimizer.learning_rate: {PLAIN}"),
    ("'tracking.every={_target_: foreign.parts.leave}'", f"tracking.every: {PLAIN}"),
    ("'launcher.workers={_target_: foreign.parts.leave}'", f"launcher.workers: {PLAIN}"),
    ("'probe.every={_target_: foreign.parts.leave}'", f"probe.every: {PLAIN}"),
    ("'name={_target_: foreign.parts.leave}'", f"name: {PLAIN}"),
    ("init.gain=2 'init.gain={_target_: numpy.savetxt, fname: mark, X: [1]}'", f"init.gain: {PLAIN}"),
    ("clip._target_=foreign.parts.Mild", f"clip._target_: {NAMED}"),
    ("clip._target_=builtins.eval", f"clip._target_: {NAMED}"),
    ("clip._target_=pandas.read_pickle", f"clip._target_: {NAMED}"),
    ("clip._target_=joblib.load", f"clip._target_: {NAMED}"),
    ("clip._target_=numpy.savetxt", f"clip._target_: {NAMED}"),
    ("clip._target_=rnnexp.sweeps.artists.os.mkdir", f"clip._target_: {NAMED}"),
    ("clip._target_=rnnexp.runs.build.os.system", f"clip._target_: {NAMED}"),
    ("clip._target_=rnnexp.cli.run", f"clip._target_: {NAMED}"),
    ("clip._target_=rnnexp.optim.clipping.Clip", f"clip._target_: {NAMED}"),
    ("clip._target_=rnnexp.tasks.Adding", f"clip._target_: {NAMED}"),
    ("clip._target_=keras.layers.LSTMCell", f"clip._target_: {NAMED}"),
    ("clip._target_=7", f"clip._target_: {NAMED}"),
    ("clip._target_=null", f"clip._target_: {NAMED}"),
    ("'clip._target_=${oc.env:TARGET}'", f"clip._target_: {NAMED}"),
    ("'clip._target_=${now:%Y}'", f"clip._target_: {NAMED}"),
    ("'init.gain=\"${oc.decode:${oc.env:CALL}}\"'", f"init.gain: {PLAIN}"),
    ("'init.gain=\"${oc.create:${oc.decode:${oc.env:CALL}}}\"'", f"init.gain: {PLAIN}"),
    ("cell._target_=foreign.parts.Mild", "cell._target_: expected one of rnnexp.ElmanCell, "),
    ("task._target_=foreign.parts.Mild", "task._target_: expected one of rnnexp.tasks.Adding, "),
    ("init._target_=foreign.parts.Diagonal", "init._target_: expected one of rnnexp.initializers."),
    ("optimizer._target_=foreign.parts.Plain", "optimizer._target_: expected one of rnnexp.optim.optimizers"),
    (
        "activation=foreign.parts:marked",
        "activation: expected a function of a package that plugins=[PACKAGE]",
    ),
    ("activation=foreign.parts:leave.x", "activation: expected one of tanh, relu, "),
    ("plugins=[harmless.other] clip._target_=harmless.parts.Mild", f"clip._target_: {NAMED}"),
    ("plugins=[a-b]", "plugins: expected names of packages, such as [mine], received 'a-b'"),
    ("'plugins=[../place]'", "plugins: expected names of packages, such as [mine], received '../place'"),
    (
        "'plugins=${oc.env:TARGET}'",
        "plugins: expected names of packages, such as [mine], received '${oc.env:",
    ),
    ("'plugins=[3]'", "plugins: expected names of packages, such as [mine], received 3"),
]

WRITTEN = [
    # A file of experiments, and how the sentence begins that refuses it.
    (f"init: {{gain: {PICKLE}}}", f"init.gain: {PLAIN}"),
    (f"task: {{target: {CALL}}}", f"task.target: {PLAIN}"),
    (f"cell: {{use_bias: {CALL}}}", f"cell.use_bias: {PLAIN}"),
    (f"optimizer: {{learning_rate: {CALL}}}", f"optimizer.learning_rate: {PLAIN}"),
    (f"clip: {{more: [{CALL}]}}", f"clip.more.0: {PLAIN}"),
    (f"units: {CALL}", f"units: {PLAIN}"),
    (f"activation: {CALL}", f"activation: {PLAIN}"),
    (f"tracking: {{uri: {CALL}}}", f"tracking.uri: {PLAIN}"),
    (f"more: {CALL}\ninit: {{gain: '${{more}}'}}", f"init.gain: {PLAIN}"),
    ("clip: {_target_: foreign.parts.Mild}", f"clip._target_: {NAMED}"),
    ("clip: {_target_: '${name}'}\nname: foreign.parts.Mild", f"clip._target_: {NAMED}"),
    (
        "clip: {_target_: foreign.parts.Mild}\nplugins: [foreign]",
        "plugins: expected to be typed on the comma",
    ),
    (
        "activation: foreign.parts:marked\nplugins: foreign",
        "plugins: expected to be typed on the command lin",
    ),
    (
        "hydra: {job: {env_set: {RNNEXP_PLUGINS: foreign}}}",
        "hydra.job.env_set.RNNEXP_PLUGINS: expected to be",
    ),
    (
        "hydra: {job: {env_set: {LD_PRELOAD: a.so}}}",
        "hydra.job.env_set.LD_PRELOAD: expected to be typed, not",
    ),
    (
        "hydra: {overrides: {task: ['plugins=[foreign]']}}",
        "hydra.overrides: expected nothing, as only what is",
    ),
    (
        "hydra: {sweeper: {params: {plugins: foreign}}}",
        "hydra.sweeper.params.plugins: expected plugins to be",
    ),
    (
        f"hydra: {{callbacks: {{mine: {CALL}}}}}",
        "hydra.callbacks: expected nothing, as no file names what is",
    ),
    (
        f"hydra: {{launcher: {{more: {CALL}}}}}",
        "configuration: expected values that can be composed, ",
    ),
    (
        "hydra: {launcher: {more: '${oc.create:{_target_: os.system}}'}}",
        "configuration: expected values that can be composed, ",
    ),
    (f"hydra: {{sweeper: {{params: {{units: {CALL}}}}}}}", "hydra.sweeper.params.units._target_: expected "),
    ("hydra: {sweeper: {params: {a: '${oc.create:{_target_: b}}'}}}", "hydra.sweeper: expected values that"),
    ("hydra: {job_logging: {formatters: {mine: {(): os.system}}}}", "hydra.job_logging.formatters.mine.(): "),
    ("hydra: {job_logging: {handlers: {a: {class: os.system}}}}", "hydra.job_logging.handlers.a.class: exp"),
    ("hydra: {job_logging: {root: '${oc.create:{x: 1}}'}}", "hydra.job_logging"),
    ("init: {gain: !!python/object/apply:os.system [touch mark]}", "configuration: expected values that can"),
    ("init: [", "configuration: expected values that can be composed, received "),
    ("\0", "configuration: expected values that can be composed, received "),
]


@pytest.mark.parametrize(("line", "sentence"), TYPED, ids=[line for line, _ in TYPED])
def test_nothing_typed_is_called_before_it_is_known(capsys, place, line, sentence):
    assert refusal(capsys, place, *shlex.split(line)).startswith(sentence)


@pytest.mark.parametrize(("line", "sentence"), VALUES, ids=[line for line, _ in VALUES])
def test_a_value_calls_nothing_before_it_is_known(place, line, sentence):
    assert refusal_of_values(place, *shlex.split(line)).startswith(sentence)


@pytest.mark.parametrize(("text", "sentence"), WRITTEN, ids=[repr(text) for text, _ in WRITTEN])
def test_no_file_calls_anything(capsys, place, text, sentence):
    (place / "conf" / "experiment").mkdir()
    (place / "conf" / "experiment" / "mine.yaml").write_text(GLOBAL + text + "\n")
    line = [f"--config-dir={place}/conf", "experiment=mine", "dry_run=true"]
    assert refusal(capsys, place, *line).startswith(sentence)


def test_a_configuration_of_ones_own_imports_no_package(capsys, place):
    (place / "conf" / "own.yaml").write_text("hydra: {searchpath: ['pkg://foreign']}\n")
    line = [f"--config-dir={place}/conf", "--config-name=own"]
    assert refusal(capsys, place, *line).startswith("hydra.searchpath: expected folders (file://FOLDER), or")


ALLOWED = [
    (
        "clip._target_=harmless.parts.Stranger",
        "clip._target_: expected a subclass of rnnexp.clipping.Cl",
    ),
    (
        "clip._target_=harmless.parts.Diagonal",
        "clip._target_: expected a subclass of rnnexp.clipping.Cl",
    ),
    (
        "clip._target_=harmless.parts.Abstract",
        "clip._target_: expected a subclass of rnnexp.clipping.Cl",
    ),
    (
        "clip._target_=harmless.parts.Clip",
        "clip._target_: expected a subclass of rnnexp.clipping.Clip, ",
    ),
    (
        "clip._target_=harmless.parts.leave",
        "clip._target_: expected a subclass of rnnexp.clipping.Clip",
    ),
    ("clip._target_=harmless.parts.Midl", "clip._target_: expected a name in harmless.parts, such as Mild, "),
    (
        "clip._target_=harmless.parts.pathlib.Path",
        "clip._target_: expected a module that can be imported (Mod",
    ),
    (
        "clip._target_=harmless.parts.MARK.touch",
        "clip._target_: expected a module that can be imported (Modul",
    ),
    (
        "clip._target_=harmless",
        "clip._target_: expected a module that can be imported (ValueError: Empty modu",
    ),
    (
        "clip._target_=harmless.parts.Mild +clip.scael=1",
        "clip.scael: expected a field of harmless.parts.Mild,",
    ),
    (
        "clip._target_=harmless.parts.Fussy",
        "clip: expected what harmless.parts.Fussy takes (KeyError: 'nothin",
    ),
    (
        "activation=harmless.parts:plain",
        "activation: expected a function with the decorator rnnexp.nn.activat",
    ),
    ("activation=harmless.parts:Mild", "activation: expected a function of harmless.parts, received "),
    (
        "clip._target_=broken.Mild",
        "clip._target_: expected a module that can be imported (RuntimeError: half)",
    ),
    (
        "clip._target_=ends.Mild",
        "clip._target_: expected a module that can be imported (SystemExit: 0), recei",
    ),
    (
        "clip._target_=absent.Mild",
        "clip._target_: expected a module that can be imported (ModuleNotFoundError",
    ),
]


@pytest.mark.parametrize(("line", "sentence"), ALLOWED, ids=[line for line, _ in ALLOWED])
def test_a_class_of_a_plugin_is_compared_before_it_is_called(place, line, sentence):
    plugins = "plugins=[harmless,broken,ends,absent]"
    assert refusal_of_values(place, plugins, *shlex.split(line)).startswith(sentence)


PROCESSES = [
    ("--config-dir={place}/conf", "experiment=mine"),
    ("-m", "seed=0,1", "activation=foreign.parts:marked"),
]


@pytest.mark.parametrize("line", PROCESSES, ids=[" ".join(line) for line in PROCESSES])
def test_as_a_process_it_ends_with_2_in_time(place, line):
    (place / "conf" / "experiment").mkdir()
    (place / "conf" / "experiment" / "mine.yaml").write_text(f"{GLOBAL}init: {{gain: {PICKLE}}}\n")
    started = time.perf_counter()
    command = [sys.executable, str(ROOT / "run.py"), *(part.replace("{place}", str(place)) for part in line)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    print(f"refused after {time.perf_counter() - started:.2f} s")
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert not (place / "mark").exists()


@pytest.mark.parametrize(
    ("typed", "variable", "expected"),
    [
        (None, None, ()),
        ("mine", "", ("mine",)),
        (["mine", "yours.parts"], " yours.parts , theirs", ("mine", "yours.parts", "theirs")),
    ],
)
def test_packages_are_typed_or_in_the_environment(typed, variable, expected):
    environ = {} if variable is None else {"RNNEXP_PLUGINS": variable}
    assert permitted(typed, environ) == expected


def test_a_variable_that_names_no_package():
    with pytest.raises(ArgumentError, match="^RNNEXP_PLUGINS: expected names of packages, such as "):
        permitted(None, {"RNNEXP_PLUGINS": "a b"})
