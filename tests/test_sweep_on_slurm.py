"""A sweep by Slurm's launcher, with small scripts in place of Slurm's programs.

Needs the packages of requirements/slurm.txt.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest
from whole_sweeps import asked, jobs, run_folders

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
]

# Keeps the script, tells the number of the job, and starts each task with what Slurm would tell it.
SBATCH = """
import os, re, shutil, subprocess, sys
script, number = sys.argv[-1], os.getpid()
shutil.copy(script, os.environ["KEPT"])
first, last = re.search(r"--array=(\\d+)-(\\d+)", open(script).read()).groups()
for task in range(int(first), int(last) + 1):
    told = {"SLURM_JOB_ID": f"{number}{task}", "SLURM_ARRAY_JOB_ID": f"{number}"}
    told |= {"SLURM_ARRAY_TASK_ID": f"{task}"}
    told |= {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": "0"}
    told |= {"SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here", "SLURM_CPUS_PER_TASK": "1"}
    nowhere = subprocess.DEVNULL
    subprocess.Popen(["bash", script], env=os.environ | told, stdout=nowhere, stderr=nowhere)
print("Submitted batch job", number)
"""
SRUN = """
import os, sys
first = next(n for n, word in enumerate(sys.argv) if word.endswith("python"))
os.execv(sys.argv[first], sys.argv[first:])
"""
SACCT = """
import re, sys
print("JobID|State|NodeList")
for job in re.findall(r"\\d+", " ".join(sys.argv[1:])):
    print(f"{job}_[0-8]|RUNNING|here")
"""


@pytest.fixture
def slurm(tmp_path):
    """Return the environment in which Slurm's programs are found; KEPT names what was submitted."""
    (tmp_path / "bin").mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": ""}.items():
        (tmp_path / "bin" / name).write_text(f"#!{sys.executable}\n{text}")
        (tmp_path / "bin" / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    return {"PATH": path, "KEPT": str(tmp_path / "submitted")}


def test_each_job_is_a_task_of_slurm_with_a_gpu_of_its_own(slurm):
    arguments = (
        *("launcher=submitit", "launcher.workers=2", "launcher.gpus=1", "hydra.launcher.partition=long"),
        *("steps=5", "seed=0,1,2", "tracking=none"),
    )
    dry = asked(*arguments, "dry_run=true", environ=slurm)
    assert (dry.returncode, list(Path().glob("outputs"))) == (0, [])
    assert "jobs   3: 3 to run" in dry.stdout
    assert not Path(slurm["KEPT"]).exists()

    assert asked(*arguments, environ=slurm).returncode == 0
    assert [job["status"] for job in jobs()] == ["FINISHED"] * 3
    submitted = Path(slurm["KEPT"]).read_text()
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", submitted, re.MULTILINE))
    assert options.items() >= {"array": "0-2%2", "partition": "long", "gpus-per-node": "1"}.items()

    assert asked(*arguments, environ=slurm).returncode == 0
    assert [job["status"] for job in jobs()] == ["SKIPPED"] * 3
    assert len(run_folders()) == 3


def test_a_file_for_jobs_of_several_machines_is_refused(slurm):
    refused = asked("launcher=submitit", "seed=0,1", "tracking=mlflow", environ=slurm)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("run.py: tracking.uri: expected the address of a server, as the jobs")
    assert list(Path().iterdir()) == [Path("bin")]
