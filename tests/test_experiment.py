import contextlib
import re
import shlex
import socket
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from rnnexp import clipping, experiment, initializers, optimizers, tasks
from rnnexp.checks import ArgumentError

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store/mlflow.db")


def composed(*overrides):
    return experiment.compose_job(overrides)


def refusal(capsys, *arguments):
    """The sentence with which a command line is refused, after all that holds for every refusal."""
    with pytest.raises(SystemExit) as refused:
        experiment.check(arguments)
    printed = capsys.readouterr()
    assert refused.value.code == 2
    assert printed.out == ""
    assert re.fullmatch(r"run\.py: \S+: expected .+, received .+\n", printed.err), printed.err
    assert [path.name for path in Path.cwd().iterdir()] == []
    return printed.err.removeprefix("run.py: ").removesuffix("\n")


AT_LEAST = "expected an integer of at least"
POSITIVE = "expected a finite number above 0"
KEY = "expected a key of the configuration"
UNKNOWN = f"{KEY} (python run.py --help lists them)"
COMPOSED = "configuration: expected values that can be composed, received "
QUOTED = "override: expected key=value, odd characters in quotes of their own: 'key=\"a b: c\"', received "
TASKS = "task: expected one of adding, characters, copying, digits, temporal_order, received "
CLIPS = "clip: expected one of global_norm, none, norm, value, received "
LISTED = "expected values that can be listed, such as a,b or range(1,4), received "

# A command line as a shell reads it, and how the sentence that it gets begins.
REFUSED = [
    ("seqlen=200", f"seqlen: {KEY}, such as seq_len, received 'seqlen=200'"),
    ("clip=norm clip.treshold=2", f"clip.treshold: {KEY}, such as clip.threshold, received "),
    ("taks=adding", f"taks: {KEY}, such as task, received 'taks=adding'"),
    ("init.foo=1", "init.foo: expected one of init.gain, received 'init.foo=1'"),
    ("+record.evry=1", f"record.evry: {KEY}, such as record.every, received 1"),
    ("+foo=1", f"foo: {UNKNOWN}, received 1"),
    ("+clip.foo=1", "clip: expected what rnnexp.clipping.NoClip takes, received "),
    ("activation=rleu", "activation: expected one of tanh, relu, sigmoid, linear, "),
    ("task=nope", f"{TASKS}'nope'"),
    ("task=null", f"{TASKS}'null'"),
    ("init=zeros", "init: expected one of gaussian, glorot_uniform, identity, orthogonal, sparse, "),
    ("clip=hard", f"{CLIPS}'hard'"),
    ("optimizer=lamb", "optimizer: expected one of adam, rmsprop, sgd, received 'lamb'"),
    ("launcher=pbs", "launcher: expected one of "),
    ("experiment=none", "experiment: expected one of "),
    ("seqlen=3 task=nope", f"{TASKS}'nope'"),
    ("seq_len=0", f"seq_len: {AT_LEAST} 1, received 0"),
    ("seq_len=-5", f"seq_len: {AT_LEAST} 1, received -5"),
    ("seq_len=abc", f"seq_len: {AT_LEAST} 1, received 'abc'"),
    ("seq_len=1e3", f"seq_len: {AT_LEAST} 1, received 1000.0"),
    ("units=0", f"units: {AT_LEAST} 1, received 0"),
    ("batch_size=0", f"batch_size: {AT_LEAST} 1, received 0"),
    ("steps=-1", f"steps: {AT_LEAST} 0, received -1"),
    ("seed=-1", "seed: expected an integer from 0 to 2147483647, received -1"),
    ("probe.every=0", f"probe.every: {AT_LEAST} 1, received 0"),
    ("record.every=0.5", f"record.every: {AT_LEAST} 1, received 0.5"),
    ("validation.every=never", f"validation.every: {AT_LEAST} 1, received 'never'"),
    ("checkpoint.every=-1", f"checkpoint.every: {AT_LEAST} 0, received -1"),
    ("dtype=float8", "dtype: expected one of float32, float64, received 'float8'"),
    ("clip=global_norm clip.threshold=0", f"clip.threshold: {POSITIVE}, received 0"),
    ("clip=global_norm clip.threshold=-1", f"clip.threshold: {POSITIVE}, received -1"),
    ("clip=value clip.threshold=nan", f"clip.threshold: {POSITIVE}, received nan"),
    ("clip.threshold=nan", "clip.threshold: expected to come with clip=global_norm or clip=norm or clip=val"),
    ("tracking=none tracking.uri=a", "tracking.uri: expected to come with tracking=mlflow, which have it"),
    ("init.gain=nan", f"init.gain: {POSITIVE}, received nan"),
    ("init=sparse units=14", "init.nonzero: expected at most 14, the units, received 15"),
    ("optimizer.learning_rate=0", f"optimizer.learning_rate: {POSITIVE}, received 0"),
    ("task=digits", "seq_len: expected 64 (pixels) or 8 (rows), received 100"),
    ("task=temporal_order seq_len=9", f"seq_len: {AT_LEAST} 10, received 9"),
    ("task=copying task.symbols=1", f"task.symbols: {AT_LEAST} 2, received 1"),
    ("task=characters task.path=/missing", "task.path: expected a readable UTF-8 text file, received "),
    ("clip._target_=os.system", "clip._target_: expected a Clip of rnnexp, received 'os.system'"),
    ("clip._target_=rnnexp.optimizers.Adam", "clip._target_: expected a Clip of rnnexp, received 'rnnexp."),
    ("clip._target_=rnnexp.clipping.No", "clip: expected what rnnexp.clipping.No takes, received "),
    ("~clip", f"{CLIPS}None"),
    ("~seed", "seed: expected a value, received None"),
    ("~tracking.experiment", "tracking.experiment: expected a value, received None"),
    ("record=5", f"record: {KEY}, such as record.every, received 5"),
    ("output_dir=null", "output_dir: expected a text, received None"),
    ("'name=${nothing}'", f"{COMPOSED}\"Interpolation key 'nothing' not found\""),
    ("hydra.nothing=1", COMPOSED),
    ("+task=copying", COMPOSED),
    ("seq_len", f"{QUOTED}'seq_len'"),
    ("=3", f"override: {UNKNOWN}, received '=3'"),
    ("'name=\"half'", f"{QUOTED}'name=\"half'"),
    ("'name=a\n{\x1b[31m'", f"{QUOTED}'name=a\\n{{\\x1b[31m'"),
    (
        "seq_len=10,20",
        "seq_len: expected one value (for several: python run.py -m), received 'seq_len=10,20'",
    ),
    ("-m seq_len=10,0", f"seq_len: {AT_LEAST} 1, received 0"),
    ("seed=0,1 --multirun task=adding,nope", f"{TASKS}'nope'"),
    ("-m clip=norm,none clip.threshold=1", "clip.threshold: expected to come with clip=global_norm or "),
    ("-m 'units=range(2,-1,-1)'", f"units: {AT_LEAST} 1, received 0"),
    ("-m 'init=glob(x*)'", f"init: {LISTED}'init=glob(x*)'"),
    ("-m 'seed=interval(0,1)'", f"seed: {LISTED}'seed=interval(0,1)'"),
    ("-m 'init=glob(*)' units=14", "init.nonzero: expected at most 14, the units, received 15"),
]


@pytest.mark.parametrize(("line", "sentence"), REFUSED, ids=[repr(line) for line, _ in REFUSED])
def test_a_wrong_command_line_gets_one_sentence(capsys, line, sentence):
    assert refusal(capsys, *shlex.split(line)).startswith(sentence)


def test_a_gpu_where_there_is_none(capsys, monkeypatch):
    monkeypatch.setattr("rnnexp.device.gpu_count", lambda: 0)
    sentence = "device: expected auto or cpu, as the CUDA driver offers no GPU here, received 'gpu'"
    assert refusal(capsys, "device=gpu") == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "task.path: expected a text file that is not empty, received "),
        ("a", "task.path: expected a text with two characters or more in both parts, received "),
        ("a" * 100, "seq_len: expected at most 9, since the shorter part of the text has 10 characters"),
    ],
)
def test_a_text_that_is_too_short(capsys, tmp_path_factory, text, sentence):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(text)
    assert refusal(capsys, "task=characters", f"task.path={path}").startswith(sentence)


def test_a_folder_that_cannot_be_made(capsys, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "file"
    file.touch()
    sentence = (
        f"output_dir: expected a folder that can be written, which {file} is not, received '{file}/runs'"
    )
    assert refusal(capsys, f"output_dir={file}/runs") == sentence


@pytest.fixture
def nobody(monkeypatch):
    """The address of a server that is not there."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_server_that_is_not_there(capsys, nobody, monkeypatch):
    sentence = "tracking.uri: expected a running MLflow server ([Errno 111] Connection refused), received "
    assert refusal(capsys, f"tracking.uri={nobody}") == f"{sentence}'{nobody}'"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    assert refusal(capsys) == f"{sentence}'{nobody}'"
    experiment.check(["tracking=none"])


def test_a_database_of_another_mlflow(capsys, tracking_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("old") / "mlflow.db"
    path.write_bytes(tracking_template.read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        # The first of MLflow's schema revisions, so that this database passes for an older one.
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    sentence = refusal(capsys, f"tracking.uri=sqlite:///{path}")
    assert sentence.startswith("tracking.uri: expected a database of MLflow ")
    assert f"run `mlflow db upgrade sqlite:///{path}`" in sentence


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["experiment=smoke", "tracking=none", "seed=0", "name='a b: c'"],
        ["-m", "seed=0,1", "clip=none,global_norm"],
        ["--multirun", "units=range(1,4)", "init=glob([g*,i*])"],
        ["task=characters", "output_dir=new/place", "resume=true"],
    ],
)
def test_a_right_command_line_passes_and_leaves_nothing(capsys, tmp_path, arguments):
    experiment.check(arguments)
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job", "seq_len=0"], ["-c", "job"], ["--info"]])
def test_what_is_asked_of_hydra_is_left_to_hydra(arguments):
    experiment.check(arguments)


def test_a_configuration_becomes_the_plan_that_it_describes():
    plan = composed(
        *("task=copying", "seq_len=7", "task.recall=3", "activation=relu", "init=identity", "init.gain=0.9"),
        *("clip=norm", "clip.threshold=2", "optimizer=sgd", "optimizer.momentum=0.5", "dtype=float64"),
        *("units=5", "steps=0", "jit=false", "verdict.decades=2", "cell.use_bias=false", "batch_size=3"),
    ).plan
    assert isinstance(plan.task, tasks.Copying)
    assert (plan.task.seq_len, plan.task.recall, plan.task.symbols) == (7, 3, 8)
    assert plan.initializer == initializers.Identity(gain=0.9, seed=1)
    assert plan.clip == clipping.Norm(2)
    assert plan.optimizer == optimizers.Sgd(0.01, momentum=0.5)
    assert (plan.activation, plan.units, plan.steps, plan.batch_size) == ("relu", 5, 0, 3)
    assert (plan.dtype, plan.jit, plan.use_bias, plan.decades) == ("float64", False, False, 2.0)


def test_seed_0_is_a_seed_and_no_two_weights_share_their_draw():
    def draws(seed):
        plan = composed(f"seed={seed}", "init=gaussian", "units=4").plan
        return plan.seed, plan.initializer((4, 4))

    (zero, first), (one, second) = draws(0), draws(1)
    assert (zero, one) == (0, 1)
    assert not np.array_equal(first, second)


def test_the_choices_of_the_groups_are_known():
    job = composed("task=copying", "experiment=smoke", "clip=norm")
    assert job.choices == {
        "task": "copying",
        "cell": "elman",
        "init": "orthogonal",
        "clip": "norm",
        "optimizer": "adam",
        "tracking": "mlflow",
        "launcher": "basic",
        "experiment": "smoke",
    }


def test_a_run_has_the_name_that_it_is_given_or_that_of_what_was_typed():
    assert composed("name=mine").name == "mine"
    assert composed("experiment=smoke", "activation=relu", "seed=3").name == "relu-T30-s3"


def test_paths_names_and_tracking_do_not_change_what_a_run_is():
    same = composed("tracking=none", "output_dir=elsewhere", "name=a", "resume=true")
    assert same.config_hash == composed().config_hash
    assert composed("steps=6000").config_hash != composed().config_hash


def test_the_address_of_the_store(tmp_path, monkeypatch):
    assert composed("tracking=none").tracking.uri is None
    assert composed().tracking.uri == f"sqlite:///{tmp_path}/store/mlflow.db"
    assert composed("tracking.uri=sqlite:///a.db").tracking.uri == f"sqlite:///{ROOT}/a.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert composed().tracking.uri == f"sqlite:///{ROOT}/mlflow.db"


def test_a_login_stays_out_of_the_records():
    job = composed("tracking.uri=http://ann:secret@host:5000")
    assert job.tracking.uri == "http://ann:secret@host:5000"
    assert job.tracking.store == job.config["tracking"]["uri"] == "http://host:5000"
    assert job.overrides == ("tracking.uri=http://host:5000",)


def test_one_wrong_key_of_many_is_found():
    with pytest.raises(ArgumentError, match="unts: expected a key of the configuration, such as units"):
        composed("task=copying", "task.recall=3", "unts=4", "seed=2")
