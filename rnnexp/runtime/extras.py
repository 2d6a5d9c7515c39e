"""Packages that only an extra of this one brings."""

import contextlib
from collections.abc import Iterator

LAB = frozenset(
    {
        *("hydra", "jinja2", "joblib", "mlflow", "omegaconf", "pandas", "pebble", "plotly", "pyarrow"),
        *("sklearn", "statsmodels", "yaml"),
    }
)
"""What the extra `lab` brings, by the names under which it is imported."""


class MissingPackage(ModuleNotFoundError):
    """A package of the extra `lab` is not installed."""


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Say which extra brings a package that is missing inside.

    Raises:
        MissingPackage: One is missing; its text is one sentence with the command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in LAB:
            raise
        sentence = f"this needs {package}, which comes with: pip install 'rnnexp[lab]'"
        raise MissingPackage(sentence, name=error.name) from None
