"""A small JSON file that is replaced as a whole, without passwords."""

import json
from pathlib import Path
from typing import Any

from rnnexp.runtime.secrets import clean_all


class StateFile:
    """A mapping in a file that is replaced atomically: at any moment it holds the old or the new mapping.

    Args:
        path: The file; its folder is there.
    """

    def __init__(self, path: Path):
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return the mapping in the file; empty if the file does not exist or is not such a file."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):  # ValueError: no JSON, or not UTF-8
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, values: dict[str, Any]) -> None:
        """Replace the content of the file by `values`."""
        beside = self._path.with_name(f"{self._path.name}.partial")
        beside.write_text(json.dumps(clean_all(values), indent=1) + "\n", encoding="utf-8")
        beside.replace(self._path)

    def update(self, **values: object) -> None:
        """Add `values` to the mapping in the file; equal keys are replaced."""
        self.write(self.read() | values)
