"""Hold a program at a moment: every Python that finds this folder on its path reads this file when it starts.

HELD_AT is an audit event of Python's (`open`, `os.rename`, `os.remove`, `sqlite3.connect`), a pattern of the
path that it names, and how often that passes before; HELD is a file that has a byte for every process that is
held. Who comes there waits for the end of its process, with the event still to happen.
"""

import fnmatch
import os
import sys
import time
from pathlib import Path


def _hold(event: str, arguments: tuple) -> None:
    global _passing
    # The path that is opened or removed, or to which something is renamed.
    if event == _event and fnmatch.fnmatch(str(arguments[event == "os.rename"]), _pattern):
        _passing -= 1
        if _passing < 0:
            with Path(os.environ["HELD"]).open("ab") as file:
                file.write(b".")
            time.sleep(3600)


if "HELD_AT" in os.environ:
    _event, _pattern, _times = os.environ["HELD_AT"].split()
    _passing = int(_times)
    sys.addaudithook(_hold)
