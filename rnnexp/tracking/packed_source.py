"""The source of this package in two files: a hundred small ones take longer to write than a model."""

import functools
import io
import zipfile
from pathlib import Path

import rnnexp

_ARCHIVE = "source.zip"
_IMPORTER = f'''\
"""The package as it was when the model was saved: its source is in the archive beside this file."""

import pathlib
import zipimport

_archive = pathlib.Path(__file__).with_name("{_ARCHIVE}")
__path__ = [str(_archive / __name__)]
exec(zipimport.zipimporter(str(_archive)).get_code(__name__), globals())
'''


def write(folder: Path) -> Path:
    """Make a folder `rnnexp` in `folder` and return it: a package that imports as this one does.

    It is not bound to the version of Python that wrote it: the archive holds source.
    """
    package = folder / rnnexp.__name__
    package.mkdir()
    (package / "__init__.py").write_text(_IMPORTER, encoding="utf-8")
    (package / _ARCHIVE).write_bytes(archive())
    return package


@functools.cache
def archive() -> bytes:
    """Return the archive: the same bytes for the same source."""
    home = Path(rnnexp.__file__).parent
    if (home / _ARCHIVE).is_file():  # this process got the package from a model
        return (home / _ARCHIVE).read_bytes()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(home.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                # Without its date and rights, which `ZipInfo` leaves out.
                name = zipfile.ZipInfo(str(path.relative_to(home.parent)))
                file.writestr(name, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return written.getvalue()
