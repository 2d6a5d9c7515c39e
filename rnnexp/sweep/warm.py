"""What every job would do anew, done once before the jobs are forked.

Importing a module does nothing, with this one exception: a fork server can be told modules to import, and no
function to call. It imports this one last, and nobody else imports it.
"""

import gc
import sys

from rnnexp import provenance
from rnnexp.tracking import saved_model


def warm_up() -> None:
    """Look up the installed packages, and take what is in memory out of the garbage collector's sight.

    A collection goes through every object, half a million of them belong to imported modules, and each new
    Keras session asks for one: a third of a second in every job.
    """
    provenance.environment()
    provenance.versions()
    if "mlflow" in sys.modules:
        saved_model.look_up_packages()
    gc.collect()
    gc.freeze()


warm_up()
