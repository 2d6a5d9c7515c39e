"""Who may import whom: read from the sources, so that a module of tomorrow is held to the rule too."""

import ast
import functools
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnexp.runtime.extras import LAB

ROOT = Path(__file__).parents[1]

HOMES = {
    "hydra": ("rnnexp.cli", "rnnexp.runs", "rnnexp.sweeps"),
    "omegaconf": ("rnnexp.cli", "rnnexp.runs", "rnnexp.sweeps"),
    "mlflow": ("rnnexp.tracking", "rnnexp.analysis"),
    "matplotlib": ("rnnexp.plotting",),
}
"""The only modules that may name these packages."""

FLOORS = (
    ("runtime",),
    ("tasks", "theory", "tracking"),
    ("nn",),
    ("probes", "optim"),
    ("plotting", "analysis"),
    ("diagnosis",),
    ("training", "report"),
    ("runs",),
    ("sweeps",),
    ("treat",),
    ("cli",),
    ("python",),
    ("__main__",),
)
"""The rooms from the ground up: a room imports what lies below it, by whatever kind of import."""

TENSORFLOW = ("tensorflow", "keras")
NEVER_TENSORFLOW = ("rnnexp.analysis", "rnnexp.plotting")

LIGHT = (
    "rnnexp.nn.activations",
    "rnnexp.runtime.checks",
    "rnnexp.optim.clipping",
    "rnnexp.runtime.random",
    "rnnexp.nn.initializers",
    "rnnexp.optim.optimizers",
    "rnnexp.probes",
    "rnnexp.nn.cells.spec",
    "rnnexp.tasks",
    "rnnexp.theory",
    "rnnexp.diagnosis.verdict",
)
"""What a configuration is checked with: importing it loads none of the heavy packages."""
DIFFERENTIATE = (
    "rnnexp.probes.autodiff_jacobians",
    "rnnexp.probes.autodiff_lags",
    "rnnexp.probes.receptive_field",
    "rnnexp.probes.rollout",
)
"""What differentiates a cell and needs TensorFlow for it."""
HEAVY = (*TENSORFLOW, "hydra", "matplotlib", "mlflow", "pandas", "sklearn")

BEFORE_TENSORFLOW = (*NEVER_TENSORFLOW, "rnnexp.runs.build", "rnnexp.tracking", "rnnexp.cli", "run")
"""What a bad override is answered with, and what draws: importing it loads no TensorFlow."""

IMPORT_ALL = """
import importlib, json, sys
loaded = {}
for name in sys.argv[1:]:
    importlib.import_module(name)
    loaded[name] = sorted({module.partition(".")[0] for module in sys.modules})
print(json.dumps(loaded))
"""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path for path in [*sorted((ROOT / "rnnexp").rglob("*.py")), *ROOT.glob("run.py")]
}


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def members(packages: tuple[str, ...]) -> list[str]:
    """The modules of `packages`; a package that is not there yet has none."""
    return [module for module in SOURCES if within(module, packages)]


def nodes(tree: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """All nodes, or those that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if at_import and (in_function or for_types):
            continue
        yield node
        yield from nodes(node, at_import=at_import)


@functools.cache
def imports(module: str, *, at_import: bool = False) -> set[str]:
    """Names of the modules that `module` imports, their packages among them."""
    names = set()
    for node in nodes(ast.parse(SOURCES[module].read_text(encoding="utf-8")), at_import=at_import):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in SOURCES else str(node.module) for name in full}
    parts = [name.split(".") for name in names]
    return {".".join(part[: end + 1]) for part in parts for end in range(len(part))}


def reached(module: str) -> set[str]:
    """What an import of `module` imports, by way of the package's other modules too."""
    known: set[str] = set()
    waiting = {module}
    while waiting:
        names = imports(waiting.pop(), at_import=True) - known
        known |= names
        waiting |= names & SOURCES.keys()
    return known


def offending(names: set[str], forbidden: tuple[str, ...]) -> list[str]:
    return sorted(name for name in names if within(name, forbidden))


@pytest.mark.parametrize("package", HOMES)
def test_a_package_is_named_in_its_home_only(package):
    strangers = {module: offending(imports(module), (package,)) for module in SOURCES}
    assert {module for module, names in strangers.items() if names} <= set(members(HOMES[package]))


def floor(module: str) -> int:
    """How high the room of a module lies."""
    (found,) = [height for height, rooms in enumerate(FLOORS) if module.split(".")[1] in rooms]
    return found


def room(module: str) -> str:
    return module.split(".")[1]


def test_the_package_has_its_rooms_and_no_others():
    rooms = {room(module) for module in SOURCES if "." in module}
    assert rooms == {name for rooms in FLOORS for name in rooms}


@pytest.mark.parametrize("module", [name for name in SOURCES if "." in name])
def test_a_room_imports_from_below_it_only(module):
    named = {name for name in imports(module) if name.startswith("rnnexp.") and room(name) != room(module)}
    assert [name for name in sorted(named) if floor(name) >= floor(module)] == []


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: imports(module) & SOURCES.keys() for module in SOURCES}
    # Naming a module names its packages, too.
    graph = {module: {n for n in names if not within(module, (n,))} for module, names in graph.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", members(NEVER_TENSORFLOW))
def test_what_is_drawn_or_analysed_needs_no_tensorflow(module):
    assert offending(imports(module), (*TENSORFLOW, "rnnexp.runtime.deferred")) == []
    assert offending(reached(module), TENSORFLOW) == []


def test_a_look_at_a_keras_model_needs_no_package_of_the_lab():
    homes = ["rnnexp.diagnosis.keras_models", "rnnexp.plotting.gradient_flow", "rnnexp.nn.recurrent"]
    assert {home: offending(reached(home), tuple(LAB)) for home in homes} == {home: [] for home in homes}
    assert offending(reached("rnnexp.analysis"), tuple(LAB))  # the walk would see one


def test_importing_loads_no_more_than_it_must():
    light = ["rnnexp", *(module for module in members(LIGHT) if module not in DIFFERENTIATE)]
    rest = [module for module in members(BEFORE_TENSORFLOW) if module != "rnnexp.tracking.preloaded"]
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *light, *rest],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = json.loads(answer.stdout)
    assert {module: offending(set(loaded[module]), HEAVY) for module in light} == {
        module: [] for module in light
    }
    assert {module: offending(set(loaded[module]), TENSORFLOW) for module in rest} == {
        module: [] for module in rest
    }


def test_the_walk_sees_what_it_should():
    assert {"rnnexp", "rnnexp.nn.scan", "rnnexp.nn.elman_cell"} <= SOURCES.keys()
    deferred = "rnnexp.runtime.deferred"
    assert "tensorflow" in imports(deferred) - imports(deferred, at_import=True)
    assert {"tensorflow", "rnnexp.nn.activations"} <= imports("rnnexp.nn.scan", at_import=True)
    assert {"rnnexp.nn.scan", "rnnexp.runtime.checks", "keras"} <= reached("rnnexp.nn.recurrent")
    assert offending({"mlflow", "mlflow.entities", "mlflowers"}, ("mlflow",)) == ["mlflow", "mlflow.entities"]
