"""What every job would do anew, done once before the jobs are forked.

Importing a module does nothing, with this one exception: a fork server can be told modules to import, and no
function to call. It imports this one last, and nobody else imports it.
"""

import gc
import sys
import tempfile
from pathlib import Path

import numpy as np

from rnnexp import plotting
from rnnexp.runtime import provenance
from rnnexp.runtime.threads import one_blas_thread
from rnnexp.tracking import model_artifact, packed_source


def warm_up() -> None:
    """Look up packages, draw once, and take what is in memory out of the garbage collector's sight.

    A collection goes through every object, half a million of them belong to imported modules, and each new
    Keras session asks for one: a third of a second in every job.
    """
    provenance.environment()
    provenance.versions()
    if "mlflow" in sys.modules:
        packed_source.archive()
        model_artifact.look_up_packages()
    with one_blas_thread():  # which has found the libraries of linear algebra then
        _draw()
    gc.collect()
    gc.freeze()


def _draw() -> None:
    """Let matplotlib load its fonts and read most formulas of a run's figures: 0.1 to 0.2 s of every job."""
    with tempfile.TemporaryDirectory() as folder:
        plotting.gradient_profile(Path(folder, "profile.png"), np.zeros(2))
        one = np.ones(1)
        plotting.spectrum_history(Path(folder, "history.png"), one, one, one[:, np.newaxis], one)


warm_up()
