"""What a run prints to be pasted makes the same run again."""

import shlex

import yaml

from rnnexp.runs import build
from rnnexp.runs.arguments import read_arguments


def job_of(*typed):
    asked = read_arguments(typed)
    return build.compose_job(asked.overrides, asked.menu)


def pasted(text):
    """The job of a printed command."""
    setting, _, rest = text.partition("python run.py ")
    return setting, job_of(*shlex.split(rest))


def test_the_folder_of_ones_own_is_typed_again(working_folder):
    own = working_folder / "my lab" / "task"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(yaml.safe_dump({"_target_": "rnnexp.tasks.Adding", "target": "mean"}))
    job = job_of("--config-dir=my lab", "task=mine", "seq_len=17")
    text = job.command([*job.overrides, "steps=3"])
    assert text == "python run.py '--config-dir=my lab' task=mine seq_len=17 steps=3"
    setting, again = pasted(text)
    assert (setting, again.config["task"], again.plan.train_steps) == ("", job.config["task"], 3)


def test_so_is_the_place_of_packages_where_there_are_plugins(working_folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{working_folder}/lab:/elsewhere")
    typed = ["plugins=[json]", "seq_len=17"]
    assert (
        job_of(*typed).command(typed) == "PYTHONPATH=lab:/elsewhere python run.py 'plugins=[json]' seq_len=17"
    )
    assert job_of("seq_len=17").command(["name=a b"]) == "python run.py 'name=a b'"
