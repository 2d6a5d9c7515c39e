"""A small JSON file that is replaced as a whole, without passwords."""

import json
from pathlib import Path
from typing import Any

from rnnexp.runtime.secrets import clean_all


class StateFile:
    """A mapping in a file: a reader, or a kill at any moment, finds the old one or the new one.

    Args:
        path: The file; its folder is there.
    """

    def __init__(self, path: Path):
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return what the file holds; empty if it is not there or none of ours."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):  # ValueError: no JSON, or not UTF-8
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, values: dict[str, Any]) -> None:
        """Put `values` in the place of what the file holds."""
        beside = self._path.with_name(f"{self._path.name}.partial")
        beside.write_text(json.dumps(clean_all(values), indent=1) + "\n", encoding="utf-8")
        beside.replace(self._path)

    def update(self, **values: object) -> None:
        """Write `values` over what the file holds."""
        self.write(self.read() | values)
