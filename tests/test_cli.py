import contextlib
import re
import shlex
import socket
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from jobs import job_of

from rnnexp import cli
from rnnexp.runs.job import check_job
from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweeps import supervision
from rnnexp.sweeps.request import Request


@pytest.fixture(autouse=True)
def own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store/mlflow.db")
    monkeypatch.setenv("SEED", "7")


def refusal(capsys, *arguments):
    """The sentence with which a command line is refused, after all that holds for every refusal."""
    started = time.process_time()
    with pytest.raises(SystemExit) as refused:
        cli.check(arguments)
    # The values of a sweep are composed one by one.
    assert time.process_time() - started < SECONDS * (2 if "-m" in arguments else 1)
    printed = capsys.readouterr()
    assert refused.value.code == 2
    assert printed.out == ""
    assert re.fullmatch(r"run\.py: \S+: expected .+, received .+\n", printed.err), printed.err
    assert [path.name for path in Path.cwd().iterdir()] == []
    return printed.err.removeprefix("run.py: ").removesuffix("\n")


SECONDS = 1.5  # of the processor: what else is at work on the machine is not counted
AT_LEAST = "expected an integer of at least"
POSITIVE = "expected a finite number above 0"
THRESHOLD = "expected auto or a finite number above 0"
KEY = "expected a key of the configuration"
UNKNOWN = f"{KEY} (python run.py --help lists them)"
COMPOSED = "configuration: expected values that can be composed, received "
QUOTED = "override: expected key=value, odd characters in quotes of their own: 'key=\"a b: c\"', received "
TASKS = (
    "task: expected one of adding, characters, connected, copying, delayed_xor, digits, latch, narma10, "
    "parity, recall_real, series, temporal_order, words, received "
)
CELLS = "antisymmetric, conv_elman, cornn, elman, gru, indrnn, leaky, lru, lstm, lt_rnn, mingru"
CLIPS = "clip: expected one of agc, autoclip, global_norm, none, norm, pascanu, value, zclip, received "
LISTED = "expected values that can be listed, such as a,b or range(1,4), received "

# A command line as a shell reads it, and how the sentence that it gets begins.
REFUSED = [
    ("seqlen=200", f"seqlen: {KEY}, such as seq_len, received 'seqlen=200'"),
    ("clip=norm clip.treshold=2", f"clip.treshold: {KEY}, such as clip.threshold, received "),
    ("taks=adding", f"taks: {KEY}, such as task, received 'taks=adding'"),
    ("init.foo=1", "init.foo: expected one of init.gain, init.input, received 'init.foo=1'"),
    ("+record.evry=1", f"record.evry: {KEY}, such as record.every, received 1"),
    ("+foo=1", f"foo: {UNKNOWN}, received 1"),
    ("+clip.foo=1", "clip.foo: expected no field, as rnnexp.clipping.NoClip takes none, received 1"),
    ("task=nope", f"{TASKS}'nope'"),
    ("task=null", f"{TASKS}'null'"),
    (
        "init=zeros",
        "init: expected one of antisymmetric, gaussian, glorot_uniform, henaff, identity, normal, ",
    ),
    ("clip=hard", f"{CLIPS}'hard'"),
    ("optimizer=lamb", "optimizer: expected one of adam, rmsprop, sgd, received 'lamb'"),
    ("cell=lsmt", f"cell: expected one of {CELLS} (did you mean lstm?), received 'lsmt'"),
    ("cell=gru cell.unit_forget_bias=true", "cell.unit_forget_bias: expected to come with cell=lstm, "),
    ("+cell.foo=1", "cell.foo: expected a field of rnnexp.ElmanCell, such as use_bias, received 1"),
    ("~cell", f"cell: expected one of {CELLS}, received None"),
    ("launcher=pbs", "launcher: expected one of basic, joblib, ray, submitit, received 'pbs'"),
    (
        "launcher=joblib launcher.address=a",
        "launcher.address: expected to come with launcher=ray, which has ",
    ),
    (
        "-m launcher.workers=2",
        "launcher.workers: expected 1 with launcher=basic (launcher=joblib takes more), received 2",
    ),
    ("-m treat=true seed=0,1", "treat: expected false for a sweep or several replicas, received True"),
    ("treat=true replicas=2", "treat: expected false for a sweep or several replicas, received True"),
    (
        "experiment=smoke_sweep",
        "experiment: expected python run.py -m, as it sweeps activation, seed, received 'smoke_sweep'",
    ),
    ("experiment=none", "experiment: expected one of "),
    ("seqlen=3 task=nope", f"{TASKS}'nope'"),
    ("seq_len=0", f"seq_len: {AT_LEAST} 1, received 0"),
    ("replicas=2,3", "replicas: expected one value (for several: python run.py -m), received 'replicas=2,3'"),
    (
        "-m replicas=4 seed=2",
        "replicas: expected 1 in a sweep, which lists its seeds (seed=range(2,6)), received 4",
    ),
    ("-m units=8,9 replicas=1,2", "replicas: expected 1 in a sweep, which lists its seeds (seed=range(0,2))"),
    (
        "clip.threshold=nan",
        "clip.threshold: expected to come with clip=global_norm or clip=norm or clip=pasc",
    ),
    ("schedule.every=3", "schedule.every: expected to come with schedule=staircase, which has it, received "),
    ("constraint=spectral constraint.radius=1", "constraint.radius: expected one of constraint.limit, const"),
    (
        "-m report=true,false",
        "report: expected values that make different runs, as the same run is done once",
    ),
    ("tracking=none tracking.uri=a", "tracking.uri: expected to come with tracking=mlflow, which has it"),
    ("init.gain=nan", f"init.gain: {POSITIVE}, received nan"),
    ("~clip", f"{CLIPS}None"),
    ("~seed", "seed: expected a value, received None"),
    ("~tracking.experiment", "tracking.experiment: expected a value, received None"),
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
    ("-m seed=0,1 name=a,b", "name: expected values that make different runs, as the same run is done once"),
    ("-m seed=0,0,1", "seed: expected values that make different runs, as the same run is done once (resume"),
    (
        "-m tracking.every=1,2 units=3",
        "tracking.every: expected values that make different runs, as the same",
    ),
    ("-m dry_run=true,false", "dry_run: expected one value for all jobs of a sweep, received 'both'"),
    ("-m dry_run=true,false resume=false", "dry_run: expected one value for all jobs of a sweep, received"),
    ("hydra.mode=MULTIRUN seq_len=10,0", f"seq_len: {AT_LEAST} 1, received 0"),
    ("hydra.mode=sweep", COMPOSED),
    ("--config-name=nothing", COMPOSED),
    ("--config-dir=nowhere", "--config-dir: expected a folder that is there, received "),
    (
        "--multirum seed=0,1",
        "--multirum: expected a flag of Hydra with what it takes (python run.py --hydra-",
    ),
    ("--cfg=job seq_len=0", f"seq_len: {AT_LEAST} 1, received 0"),
    ("--cfg=job seqlen=3", f"seqlen: {KEY}, such as seq_len, received 'seqlen=3'"),
    ("--info=config clip=hard", f"{CLIPS}'hard'"),
    ("--help seqlen=3", f"seqlen: {KEY}, such as seq_len, received 'seqlen=3'"),
    ("-m 'init=glob(*)' units=14", "init.nonzero: expected at most 14, the units, received 15"),
]

# Values of keys that are there: what refuses them does not see how they were typed.
VALUES = [
    ("activation=rleu", "activation: expected one of tanh, relu, sigmoid, linear, "),
    ("cell.use_bias=3", "cell.use_bias: expected true or false, received 3"),
    ("cell=lstm cell.recurrent_activation=sig", "cell.recurrent_activation: expected one of tanh, relu, "),
    ("cell=lstm cell.chrono=2", "cell.chrono: expected an integer of at least 3, received 2"),
    ("cell=lru units=7", "units: expected an even number, two for every complex one, received 7"),
    ("cell=mingru constraint=max_norm", "cell: expected a cell with a recurrent kernel for constraint="),
    ("cell=lru regularizer=orthogonal", "cell: expected a cell with a recurrent kernel for regularizer="),
    ("cell=mingru constraint=spectral", "cell: expected a cell with recurrent matrices (H, H) for constrai"),
    ("init.input=0", "init.input: expected a finite number above 0, received 0"),
    (
        "cell._target_=os.system",
        "cell._target_: expected one of rnnexp.ElmanCell, keras.layers.LSTM",
    ),
    ("launcher=joblib launcher.workers=0", f"launcher.workers: {AT_LEAST} 1, received 0"),
    ("resume=again", "resume: expected true, false or null, received 'again'"),
    ("dry_run=1", "dry_run: expected true or false, received 1"),
    ("treat=maybe", "treat: expected true or false, received 'maybe'"),
    ("seq_len=-5", f"seq_len: {AT_LEAST} 1, received -5"),
    ("seq_len=abc", f"seq_len: {AT_LEAST} 1, received 'abc'"),
    ("seq_len=1e3", f"seq_len: {AT_LEAST} 1, received 1000.0"),
    ("units=0", f"units: {AT_LEAST} 1, received 0"),
    ("batch_size=0", f"batch_size: {AT_LEAST} 1, received 0"),
    ("steps=-1", f"steps: {AT_LEAST} 0, received -1"),
    ("seed=-1", "seed: expected an integer from 0 to 2147483647, received -1"),
    ("replicas=0", f"replicas: {AT_LEAST} 1, received 0"),
    ("replicas=x", f"replicas: {AT_LEAST} 1, received 'x'"),
    ("replicas=2 seed=2147483647", "seed: expected an integer from 0 to 2147483647, received 2147483648"),
    ("probe.every=0", f"probe.every: {AT_LEAST} 1, received 0"),
    ("record.every=0.5", f"record.every: {AT_LEAST} 1, received 0.5"),
    ("validation.every=never", f"validation.every: {AT_LEAST} 1, received 'never'"),
    ("checkpoint.every=-1", f"checkpoint.every: {AT_LEAST} 0, received -1"),
    ("dtype=float8", "dtype: expected one of float32, float64 (did you mean float64?), received 'float8'"),
    ("clip=global_norm clip.threshold=0", f"clip.threshold: {THRESHOLD}, received 0"),
    ("clip=global_norm clip.threshold=-1", f"clip.threshold: {THRESHOLD}, received -1"),
    ("clip=value clip.threshold=nan", f"clip.threshold: {POSITIVE}, received nan"),
    ("clip=pascanu clip.threshold=auto", f"clip.threshold: {POSITIVE} (clip=norm and clip=global_norm take"),
    ("schedule=cosine schedule.final=1", "schedule.final: expected a number in [0, 1), received 1"),
    ("stop=solved task=characters", "stop: expected steps for this task, which has no criterion by which it"),
    ("truncate=200", "truncate: expected null or less than 100, the steps of a sequence, received 200"),
    ("task.length=[200,50]", "task.length: expected null or two lengths, the shorter one first, as [50,200]"),
    ("task.evaluate_at=[0]", "task.evaluate_at: expected lengths that are each an integer of at least 2, re"),
    ("cell=lru cell.r_min=2", "cell.r_max: expected a number above 2, r_min, and at most 1, received 1.0"),
    ("phase=flossing cell=lstm", "cell: expected elman, whose exponents phase=flossing differentiates, rece"),
    (
        "figures.format=jpg",
        "figures.format: expected one of png, svg, pdf, none (did you mean png?), received",
    ),
    ("tracking.diff=0", "tracking.diff: expected true or false, received 0"),
    (f"seq_len={2**31}", "seq_len: expected an integer from 1 to 2147483647, received 2147483648"),
    ("init=sparse units=14", "init.nonzero: expected at most 14, the units, received 15"),
    ("optimizer.learning_rate=0", f"optimizer.learning_rate: {POSITIVE}, received 0"),
    ("task=digits", "seq_len: expected 64 (pixels) or 8 (rows), received 100"),
    ("task=temporal_order seq_len=9", f"seq_len: {AT_LEAST} 10, received 9"),
    ("task=series task.path=no.csv", "task.path: expected a readable CSV file in UTF-8, received 'no.csv'"),
    (
        "task=series seq_len=247",
        "seq_len: expected at most 246, since 247 of the 309 values are for training, ",
    ),
    ("task=words task.path=no.txt", "task.path: expected a readable UTF-8 text file, received 'no.txt'"),
    ("task=copying task.symbols=1", f"task.symbols: {AT_LEAST} 2, received 1"),
    ("task=characters task.path=/missing", "task.path: expected a readable UTF-8 text file, received "),
    ("clip._target_=os.system", "clip._target_: expected one of rnnexp.clipping.NoClip, "),
    (
        "clip._target_=rnnexp.optim.optimizers.Adam",
        "clip._target_: expected one of rnnexp.clipping.NoClip, ",
    ),
    (
        "clip._target_=rnnexp.clipping.No",
        "clip._target_: expected one of rnnexp.clipping.NoClip, ",
    ),
    ("record=5", f"record: {KEY}, such as record.every, received 5"),
    ("output_dir=null", "output_dir: expected a text, received None"),
    (
        "'name=${nothing}'",
        "name: expected values that can be composed, received \"Interpolation key 'nothing'",
    ),
    (
        f"tracking.experiment={'x' * 501}",
        "tracking.experiment: expected a text of at most 500 characters, re",
    ),
    ("tracking.experiment=''", "tracking.experiment: expected a text, received ''"),
    (
        "'tracking.experiment=\"a\nb\"'",
        "tracking.experiment: expected a text on one line, of characters that",
    ),
    ("'name=\"a\nb\"'", "name: expected a text on one line, of characters that print, received 'a\\nb'"),
    ("'name=\"a\x1b[31m\"'", "name: expected a text on one line, of characters that print, received 'a\\x1b"),
    (
        "'seed=${oc.env:SEED}'",
        "seed: expected an integer from 0 to 2147483647, while oc.env gives a text (see",
    ),
    (
        "'optimizer.learning_rate=${oc.env:SEED}'",
        f"optimizer.learning_rate: {POSITIVE}, while oc.env gives a",
    ),
    ("'seed=${oc.env:NOTHING}'", "seed: expected values that can be composed, received 'KeyError raised w"),
    ("activation=mine:", "activation: expected one of tanh, relu, "),
    ("plugins=3", "plugins: expected names of packages, such as [mine], received 3"),
]


@pytest.mark.parametrize(("line", "sentence"), REFUSED, ids=[repr(line) for line, _ in REFUSED])
def test_a_wrong_command_line_gets_one_sentence(capsys, line, sentence):
    assert refusal(capsys, *shlex.split(line)).startswith(sentence)


@pytest.mark.parametrize(("line", "sentence"), VALUES, ids=[repr(line) for line, _ in VALUES])
def test_a_wrong_value_gets_one_sentence(line, sentence):
    with pytest.raises(ArgumentError) as refused:
        check_job(job_of(shlex.split(line)))
    assert str(refused.value).startswith(sentence)
    assert re.fullmatch(r"\S+: expected .+, received .+", str(refused.value))
    assert list(Path.cwd().iterdir()) == []


def test_a_gpu_where_there_is_none(capsys, monkeypatch):
    monkeypatch.setattr("rnnexp.runtime.device.gpu_count", lambda: 0)
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


def test_a_file_where_the_store_keeps_its_files(capsys, tmp_path_factory):
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "mlartifacts").touch()
    sentence = f"tracking.uri: expected a database beside which {place}/mlartifacts is a folder that can be"
    assert refusal(capsys, f"tracking.uri=sqlite:///{place}/mlflow.db").startswith(sentence)


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
    cli.check(["tracking=none"])


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
    cli.check(arguments)
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job", "seq_len=7"], ["-c", "job"], ["--info"]])
def test_what_hydra_shows_is_no_run(arguments):
    assert cli.check(arguments) is None


@pytest.fixture
def own(tmp_path_factory):
    """A folder of configurations of the user's own, with an experiment and a sweep."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "experiment").mkdir()
    (folder / "own.yaml").write_text("defaults:\n  - config\n  - _self_\nunits: 5\n")
    (folder / "experiment" / "mine.yaml").write_text("# @package _global_\nunits: 6\n")
    (folder / "experiment" / "dry.yaml").write_text("# @package _global_\ndry_run: true\n")
    sweep = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '0,1'}}}\n"
    (folder / "experiment" / "many.yaml").write_text(sweep)
    return folder


DOORS = [
    # The flags, with {own} for the folder, and the units and jobs that they lead to.
    ("--config-dir={own} experiment=mine", 6, 1),
    ("-cd {own} --config-name=own", 5, 1),
    ("--config-dir {own} -cn own.yaml", 5, 1),
    ("--run --config-dir={own} experiment=mine", 6, 1),
    ("'hydra.searchpath=[file://{own}]' experiment=mine", 6, 1),
    ("--config-path={conf} seed=0", 64, 1),
    ("--config-dir={own} experiment=many", 64, 2),
    ("--config-dir={own} -m experiment=mine seed=0,1", 6, 2),
    ("hydra.mode=MULTIRUN seed=0,1", 64, 2),
    ("seed=0,1 --multirun units=7", 7, 2),
]


@pytest.mark.parametrize(("line", "units", "jobs"), DOORS, ids=[line for line, *_ in DOORS])
def test_every_flag_leads_through_the_same_door(monkeypatch, capsys, own, line, units, jobs):
    conf = Path(__file__).parents[1] / "conf"
    arguments = shlex.split(line.format(own=own, conf=conf))
    previewed: list[Request] = []
    monkeypatch.setattr("rnnexp.sweeps.preview.preview", lambda request, _: previewed.append(request))
    cli.start([*arguments, "dry_run=true"], pytest.fail)
    (request,) = previewed
    assert (request.first.plan.units, len(request.jobs), request.sweeping) == (units, jobs, jobs > 1)
    assert refusal(capsys, *arguments, "seq_len=0") == f"seq_len: {AT_LEAST} 1, received 0"


def test_a_file_may_ask_for_a_dry_run(monkeypatch, capsys, own):
    monkeypatch.setattr(sys, "argv", ["run.py"])
    cli.start([f"--config-dir={own}", "experiment=dry"], pytest.fail)
    assert "jobs   1: 1 to run" in capsys.readouterr().out


def test_a_sweep_of_ones_own_is_supervised_in_full(monkeypatch, own):
    seen = []

    def supervise(request, arguments):
        seen.append(request)
        return 0

    monkeypatch.setattr(supervision, "supervise", supervise)
    with pytest.raises(SystemExit):
        cli.start([f"--config-dir={own}", "experiment=many"], pytest.fail)
    (request,) = seen
    assert (*request.menu.flags, *request.typed) == (f"--config-dir={own}", "experiment=many")
    assert request.jobs == (("seed=0", "experiment=many"), ("seed=1", "experiment=many"))


def asked(*arguments):
    request = cli.check(arguments)
    assert request is not None
    return request


def test_a_sweep_is_known_before_it_begins():
    request = asked("-m", "activation=tanh,relu", "seed=range(3)", "launcher=joblib", "launcher.workers=5")
    assert (request.sweeping, request.launcher, request.workers, request.folder) == (True, "joblib", 5, None)
    assert len(request.jobs) == 6
    assert request.jobs[1] == ("activation=tanh", "seed=1", "launcher=joblib", "launcher.workers=5")
    assert request.first.plan.seed == 0
    assert asked("-m", "hydra.sweep.dir=some/where").folder == "some/where"
    assert not asked("seed=1").sweeping


def test_replicas_are_the_runs_of_their_seeds():
    request = asked("units=8", "replicas=3", "seed=4")
    assert not request.sweeping
    assert request.jobs == tuple(("units=8", "replicas=1", f"seed={seed}") for seed in (4, 5, 6))
    assert (request.swept, request.first.plan.seed) == (("seed",), 4)
    assert asked("units=8", "replicas=1").jobs == (("units=8", "replicas=1"),)
    assert asked("-m", "seed=0,1", "replicas=1").sweeping


def test_what_an_experiment_sweeps_can_be_narrowed():
    request = asked("-m", "experiment=activation_length_clipping", "seed=0", "clip=none")
    assert len(request.jobs) == 15
    assert request.name == "activation_length_clipping"
    assert {job[:4] for job in request.jobs} == {
        (f"activation={activation}", f"seq_len={length}", "clip=none", "seed=0")
        for activation in ("tanh", "relu", "sigmoid")
        for length in (25, 50, 100, 200, 400)
    }


def test_every_value_that_an_experiment_sweeps_is_checked(capsys):
    overrides = ("experiment=smoke_sweep", "hydra.sweeper.params.seed='0,-1'")
    expected = "seed: expected an integer from 0 to 2147483647, received -1"
    assert refusal(capsys, "-m", *overrides) == expected


@pytest.mark.parametrize(("cores", "gpus", "workers"), [(8, 0, 3), (2, 0, 2), (8, 1, 1)])
def test_joblib_has_a_worker_for_each_gpu_else_for_each_core(monkeypatch, cores, gpus, workers):
    monkeypatch.setattr(cli, "cores", lambda: cores)
    monkeypatch.setattr(cli, "gpu_count", lambda: gpus)
    assert asked("-m", "launcher=joblib", "seed=0,1,2").workers == workers


def test_what_is_asked_for_is_done(monkeypatch, capsys):
    done = []

    def supervise(request, main):
        main()
        return 7

    monkeypatch.setattr(supervision, "supervise", supervise)
    with pytest.raises(SystemExit) as ended:
        cli.start(["-m", "seed=0,1"], lambda: done.append("sweep"))
    assert ended.value.code == 7
    cli.start(["seed=0"], lambda: done.append("main"))
    cli.start(["--help"], lambda: done.append("main"))
    assert done == ["sweep", "main", "main"]
    cli.start(["-m", "seed=0,1", "dry_run=true"], lambda: done.append("main"))
    cli.start(["seed=0", "dry_run=true"], lambda: done.append("main"))
    assert len(done) == 3
    assert "jobs   2: 2 to run" in capsys.readouterr().out


def test_a_sweep_that_is_refused_gets_one_sentence(monkeypatch, capsys):
    def refuse(request, arguments):
        raise ArgumentError("sweep", "another", "this")

    monkeypatch.setattr(supervision, "supervise", refuse)
    with pytest.raises(SystemExit) as refused:
        cli.start(["-m", "seed=0,1"], pytest.fail)
    assert refused.value.code == 2
    assert capsys.readouterr().err == "run.py: sweep: expected another, received 'this'\n"


SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"


RAY_CLUSTER = ("-m", "seed=0,1", "tracking=none", "launcher=ray", "launcher.address=host:1")


@pytest.fixture
def launchers():
    """What the plugins of Ray and Slurm tell Hydra, as far as our files speak of it."""
    store = ConfigStore.instance()
    ray = {"_target_": RAY, "ray": {"init": {"address": None, "num_cpus": 1}}}
    for name, node in {"ray": ray, "submitit_slurm": {"_target_": SLURM, "array_parallelism": 256}}.items():
        store.store(group="hydra/launcher", name=name, node=node)
    yield
    for name in ("ray", "submitit_slurm"):
        del store.repo["hydra"]["launcher"][f"{name}.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["launcher=submitit"],
        ["launcher=ray", "launcher.address=host:1"],
    ],
)
def test_jobs_on_several_machines_need_a_server(capsys, launchers, arguments):
    sentence = refusal(capsys, "-m", "seed=0,1", *arguments)
    assert sentence.startswith(
        "tracking.uri: expected the address of a server, as the jobs run on several machines and a SQLite"
        " file serves one, received 'sqlite:///"
    )
    assert asked("-m", "seed=0,1", "tracking=none", *arguments).workers in (None, 2)


def test_a_cluster_is_not_told_how_many_workers_it_has(capsys, launchers):
    sentence = refusal(capsys, *RAY_CLUSTER, "launcher.workers=2")
    assert sentence.startswith("launcher.workers: expected null with launcher.address, as the nodes of the")
    assert asked(*RAY_CLUSTER).workers is None


def test_ray_on_this_machine_takes_a_file(launchers):
    assert asked("-m", "seed=range(4)", "launcher=ray", "launcher.workers=3").workers == 3
