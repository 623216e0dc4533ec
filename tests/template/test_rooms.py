"""Which folder may import which: a template that its owner reads, and an emulator that is a package by itself."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support import ROOT
from tools.size import imports

EMULATOR = Path("emulator/azureml_emulator")
MODEL = {path.stem for path in (ROOT / "model").glob("*.py")}  # training runs by path, so they are top-level modules
TEMPLATE = {"scripts", "demo", "tools", "model"} | MODEL
FORBIDDEN = {
    "emulator": TEMPLATE,
    str(EMULATOR): {"tests", "benchmarks"},
    "scripts": {"azureml_emulator", "demo", "tests", "tools", "model"} | MODEL,
    "scripts/lib": {f"scripts.{path.stem}" for path in (ROOT / "scripts").glob("*.py")} - {"scripts.__init__"},
    "scripts/lib/decisions": {
        *("azure", "mlflow", "requests", "subprocess"),
        *(f"scripts.lib.{room}" for room in ("azure", "github", "cli", "doctor", "setup")),
    },
    "model": {"scripts", "azureml_emulator", "demo", "tests", "tools"},
    "demo": {"tests", "tools", "model"} | MODEL,
}


def imported(folder: str | Path) -> Iterator[tuple[Path, str]]:
    """Each Python file below a folder with each module that it imports."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        yield from ((file.relative_to(ROOT), name) for name in imports(file))


def within(name: str, module: str) -> bool:
    return f"{name}.".startswith(f"{module}.")


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    """Nothing in it imports a module that lies on the other side of its wall."""
    found = list(imported(folder))

    assert found
    assert [(str(file), name) for file, name in found if any(within(name, wall) for wall in FORBIDDEN[folder])] == []


def test_imports_are_absolute() -> None:
    """The rules here read whole names."""
    everything = [
        it for folder in ("scripts", "demo", "model", "emulator", "tests", "tools") for it in imported(folder)
    ]

    assert [(str(file), name) for file, name in everything if name.startswith(".")] == []


def test_the_emulator_s_tests_are_its_own() -> None:
    """What they import from `tests` lies in emulator/tests."""
    modules = {
        name.split(".")[1] for _, name in imported("emulator/tests") if within(name, "tests") and name != "tests"
    }

    assert modules
    assert [name for name in modules if not (ROOT / "emulator" / "tests" / name).exists()] == []


@pytest.mark.parametrize(("folder", "package"), [("scripts/lib", "scripts.lib"), (EMULATOR, "azureml_emulator")])
def test_folders_do_not_import_each_other(folder: str | Path, package: str) -> None:
    """Between the folders all imports run one way."""
    rooms = {path.name for path in (ROOT / folder).iterdir() if (path / "__init__.py").exists()}
    graph: dict[str, set[str]] = {room: set() for room in rooms}
    for room in rooms:
        for _, name in imported(Path(folder, room)):
            other = name.removeprefix(f"{package}.").split(".")[0] if within(name, package) else room
            graph[room] |= {other} & rooms - {room}

    assert len(rooms) > 3
    TopologicalSorter(graph).prepare()  # raises CycleError with the rooms


def test_the_emulator_does_not_look_where_it_lies() -> None:
    """A package may lie anywhere, in an archive even: its data are found by importlib.resources."""
    files = list((ROOT / EMULATOR).rglob("*.py"))

    assert files
    assert [str(file.relative_to(ROOT)) for file in files if "__file__" in file.read_text(encoding="utf-8")] == []
