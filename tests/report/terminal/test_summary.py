import dataclasses
import io
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from rnnexp.diagnosis import laws
from rnnexp.diagnosis.comparison import Comparison
from rnnexp.report.terminal import Summary, print_summary
from rnnexp.tracking import Place

ROOT = Path(__file__).parents[3]
FOLDER = "/data/rnn-lab/outputs/2026-03-04/11-22-33-123456-" + "x" * 80

VANISHING = Summary(
    configuration="adding, T=200, tanh [smart], glorot_uniform, global_norm clip 1, adam 0.001, seed 0",
    gradient_verdict="vanishing",
    learning_verdict="at_chance",
    loss=0.16691,
    floor_loss=1 / 6,
    loss_unit="squared error",
    error=0.8432,
    floor_error=0.846,
    rate=-0.14251,
    rate_low=-0.149,
    rate_high=-0.1361,
    log10_ratio=-12.314,
    ratio_low=-12.94,
    ratio_high=-11.8,
    notes=("validated on 10,048 fresh sequences",),
    seconds=72.3,
    steps_per_second=812.4,
    figures=FOLDER,
    place=Place("/data/rnn-lab/mlflow.db", f"mlflow ui --backend-store-uri sqlite:///{FOLDER}/mlflow.db"),
)
RATE = (-0.14251, -0.149, -0.1361)
EXPONENT = (-0.1401, -0.1501, -0.1301)
COMPARED = dataclasses.replace(
    VANISHING,
    lambda_1=EXPONENT[0],
    lambda_1_low=EXPONENT[1],
    lambda_1_high=EXPONENT[2],
    rate_rms=RATE[0],
    rate_rms_low=RATE[1],
    rate_rms_high=RATE[2],
    effective_samples=30.0,
    comparisons=(
        Comparison(laws.MEAN_FIELD, -0.2599, *RATE),
        Comparison(laws.AT_VARIANCE, -0.1553, *RATE),
        Comparison(laws.OF_SLOPES, -0.1391, *RATE),
        Comparison(laws.CLOSURE, -0.1391, *RATE),
        Comparison(laws.BOUND, -0.0201, *RATE),
        Comparison(laws.EXPONENT_OF_SLOPES, -0.1251, *EXPONENT),
    ),
)
DIVERGED = Summary(
    configuration="copying, T=1000, relu",
    gradient_verdict="non_finite",
    learning_verdict="diverged",
    loss=math.nan,
    error=math.nan,
    rate=math.nan,
    log10_ratio=math.inf,
    notes=("diverged at step 312",),
)


def shown(summary, width=80, **options):
    written = io.StringIO()
    print_summary(summary, Console(file=written, width=width, **options))
    return written.getvalue()


def row(text, label):
    (found,) = [line for line in text.splitlines() if line.startswith(label)]
    return " ".join(found.removeprefix(label).split())


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_finding_is_there(width):
    text = shown(VANISHING, width)
    assert row(text, "gradient") == "vanishing 2.1 trillion times smaller at the first step"
    assert row(text, "learning") == "at chance no better than the baseline, as far as can be told"
    assert row(text, "note") == "validated on 10,048 fresh sequences"
    assert row(text, "log10 first/last gradient") == "-12.31 [-12.94, -11.80]"
    assert row(text, "rate (nats per step)") == "-0.1425 [-0.1490, -0.1361]"
    assert row(text, "loss (squared error)") == "0.1669 0.1667 best constant"
    assert row(text, "error") == "84.32 % 84.60 % best constant"
    assert row(text, "time") == "1 min 12 s, 812 steps/s"


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_theory_is_a_line_below_what_it_is_of(width):
    lines = [" ".join(line.split()) for line in shown(COMPARED, width).splitlines()]
    first = lines.index("rate (nats per step) -0.1425 [-0.1490, -0.1361]")
    assert lines[first + 1 : first + 9] == [
        "upper bound -0.0201 holds",
        "rms rate (nats per step) -0.1425 [-0.1490, -0.1361]",
        "mean field -0.2599",
        "at measured q -0.1553",
        "from measured slopes -0.1391",
        "this kernel (closure) -0.1391 agrees",
        "lambda_1 (nats per step) -0.1401 [-0.1501, -0.1301]",
        "from measured slopes -0.1251 off by +0.0150",
    ]


def test_every_layer_has_a_rate():
    upper = {2: (-0.05, -0.06, -0.04), 3: (math.nan, math.nan, math.nan)}
    text = shown(dataclasses.replace(COMPARED, upper_rates=upper), width=100)
    assert "at the first step, in layer 1" in text
    _, lowest, network = re.split(r"^(?:layer 1|network) *$", text, flags=re.MULTILINE)
    assert "-0.1425" in row(lowest, "rate (nats per step)") and "-0.1401" in row(lowest, "lambda_1")
    assert row(lowest, "layer 2, rate").endswith("-0.0500 [-0.0600, -0.0400]")
    assert row(lowest, "layer 3, rate") == "not measured"
    assert "0.1669" in row(network, "loss")
    assert "layer" not in shown(COMPARED)


def test_an_rms_that_few_samples_rule_has_no_interval():
    few = dataclasses.replace(COMPARED, rate_rms_low=math.nan, rate_rms_high=math.nan, effective_samples=2.34)
    assert row(shown(few), "rms rate (nats per step)") == "-0.1425 2.3 samples decide"
    assert "rms rate" not in shown(VANISHING)


def test_a_theory_equal_to_the_one_above_is_left_out():
    same = Comparison(laws.AT_VARIANCE, -0.25991, *RATE)
    found = (COMPARED.comparisons[0], same, *COMPARED.comparisons[2:])
    text = shown(dataclasses.replace(COMPARED, comparisons=found))
    assert "measured q" not in text
    assert text.count("from measured slopes") == 2


def test_mean_field_is_compared_with_the_rate_over_kernels():
    found = Comparison(laws.OVER_KERNELS, -0.35, -0.33, -0.45, -0.21)
    text = shown(dataclasses.replace(COMPARED, comparisons=(found,)))
    assert row(text, "rms rate, kernels redrawn") == "-0.3300 [-0.4500, -0.2100]"
    assert row(text, "  mean field") == "-0.3500 agrees"


def test_a_bound_equal_to_the_prediction_above_is_still_shown():
    found = (Comparison(laws.MEAN_FIELD, 0.0, *RATE), Comparison(laws.BOUND, 0.0, *RATE))
    assert "upper bound" in shown(dataclasses.replace(COMPARED, comparisons=found))


def test_a_violated_bound_is_a_fault():
    found = (Comparison(laws.BOUND, -0.3, *RATE),)
    assert row(shown(dataclasses.replace(COMPARED, comparisons=found)), "  upper bound") == (
        "-0.3000 violated: a fault"
    )


def test_a_ratio_is_compared_in_decades():
    found = (Comparison(laws.GLOROT, 0.0636, -0.2225, -0.2225, -0.2225),)
    text = shown(dataclasses.replace(COMPARED, comparisons=found))
    assert row(text, "  Glorot growth") == "0.06 off by +0.29"


def test_a_cell_without_theory_has_no_lines_of_it():
    text = shown(dataclasses.replace(COMPARED, comparisons=()))
    lines = text.splitlines()
    (first,) = [number for number, line in enumerate(lines) if line.startswith("rate (nats per step)")]
    assert lines[first + 1].startswith("rms rate (nats per step)")
    assert lines[first + 2].startswith("lambda_1 (nats per step)")
    assert lines[first + 3].startswith("loss")
    assert "lambda" not in shown(VANISHING)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("summary", "most"), [(VANISHING, 20), (COMPARED, 25)])
def test_it_is_compact_and_fits(width, summary, most):
    short = dataclasses.replace(
        summary, figures="figures", place=Place("/data/rnn-lab/mlflow.db", "mlflow ui")
    )
    lines = shown(short, width).splitlines()
    assert len(lines) <= most
    assert max(len(line.rstrip()) for line in lines) <= width


def test_a_text_is_told_in_bits_too():
    text = shown(dataclasses.replace(VANISHING, loss=math.log(4), loss_unit="nats per character"))
    assert row(text, "loss (nats per character)").startswith("1.386 2.000 bits 0.1667")


def test_the_verdict_in_words_is_wrapped_and_whole():
    words = "The gradient loses a decade every 16 steps. " * 5
    assert " ".join(words.split()) in " ".join(shown(dataclasses.replace(VANISHING, words=words)).split())


def test_paths_and_commands_are_never_broken():
    lines = [line.rstrip() for line in shown(VANISHING).splitlines()]
    assert f"figures     {FOLDER}" in lines
    assert f"open with   {VANISHING.place.open_command}" in lines


def test_brackets_of_the_configuration_are_not_markup():
    assert "tanh [smart]" in shown(VANISHING)


@pytest.mark.parametrize("absent", [None, math.nan])
def test_what_was_not_measured_says_so(absent):
    numbers = [field.name for field in dataclasses.fields(Summary) if field.type == float | None]
    assert len(numbers) == 19
    text = shown(Summary("adding", **dict.fromkeys(numbers, absent)))
    labels = ["gradient", "learning", "log10 first/last gradient", "rate (nats per step)", "loss", "error"]
    assert [row(text, label) for label in [*labels, "time"]] == ["not measured"] * 7
    assert "nan" not in text and "None" not in text
    assert not any(word in text for word in ["mean field", "best constant", "lambda", "figures", "stored"])


def test_a_number_that_broke_down_is_a_finding_not_a_gap():
    text = shown(DIVERGED)
    assert row(text, "gradient") == "non-finite a gradient is not finite"
    assert row(text, "log10 first/last gradient") == "inf"
    assert [row(text, label) for label in ("rate (nats per step)", "loss", "error")] == ["not finite"] * 3
    assert "diverged at step 312" in text


def test_a_gradient_that_is_zero_at_h_1_says_so():
    text = shown(Summary("adding", gradient_verdict="vanishing", log10_ratio=-math.inf))
    assert row(text, "gradient") == "vanishing nothing at all reaches the first step"


@pytest.mark.parametrize("verdict", ["vanishing", "exploding", "stable", "borderline", "non_finite"])
def test_every_gradient_verdict_is_explained(verdict):
    line = row(shown(Summary("adding", gradient_verdict=verdict, log10_ratio=4.0)), "gradient")
    assert line.startswith(verdict.replace("_", "-")) and len(line) > len(verdict) + 10


@pytest.mark.parametrize("verdict", ["solved", "learning", "at_chance", "diverged"])
def test_every_learning_verdict_is_explained(verdict):
    line = row(shown(Summary("adding", learning_verdict=verdict)), "learning")
    assert line.startswith(verdict.replace("_", " ")) and len(line) > len(verdict) + 10


def test_colour_only_repeats_the_words(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = shown(VANISHING, force_terminal=True, color_system="standard")
    assert "\x1b[1;33mvanishing" in coloured
    assert "\x1b" not in shown(VANISHING)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "33m" not in shown(VANISHING, force_terminal=True, color_system="standard")


def test_the_status_heads_the_summary():
    assert shown(dataclasses.replace(DIVERGED, status="FINISHED")).startswith("finished ")
    assert shown(dataclasses.replace(DIVERGED, status="killed")).startswith("killed ")


def test_a_terminal_that_knows_only_ascii_can_show_it():
    raw = io.BytesIO()
    output = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=80)
    print_summary(VANISHING, output)
    output.file.flush()
    assert b"vanishing" in raw.getvalue()


def test_the_import_is_light():
    program = (
        "import sys, rnnexp.report.terminal;"
        "heavy = {'tensorflow', 'keras', 'mlflow', 'matplotlib', 'pandas', 'sklearn', 'hydra', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"
