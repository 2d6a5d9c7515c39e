import json
import subprocess
import sys

from rnnexp.sweep import process

# As the fork server does it: import what it is told, in that order, in a process of its own.
PROGRAM = """
import gc, importlib, json, os, sys
*before, last = sys.argv[1:]
for name in before:
    importlib.import_module(name)
threads = len(os.listdir("/proc/self/task"))
importlib.import_module(last)
from mlflow.utils import requirements_utils
from tensorflow.python.eager import context
print(json.dumps({
    "threads": len(os.listdir("/proc/self/task")) - threads,
    "begun": context.context_safe() is not None and context.context_safe()._initialized,
    "frozen": gc.get_freeze_count(),
    "packages": requirements_utils._PACKAGES_TO_MODULES is not None,
}))
"""


def test_what_is_warm_has_begun_nothing_that_a_fork_would_lose():
    names = [*process._PRELOADED, *process._PRELOADED_FOR_MLFLOW, *process._LAST]
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found.pop("frozen") > 100_000
    assert found == {"threads": 0, "begun": False, "packages": True}
