"""Every name means one thing: no module hides behind a function, and no package has the name of a function of the API."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import archbuilder

API = (
    "build", "bundled", "compare", "diff", "draw", "evaluate", "expand", "explain", "export", "family", "import_model",
    "lint", "load", "load_text", "new", "numbers", "predict", "report", "runs", "schedule", "summary", "train", "train_folds", "train_seeds",
    "verify",
)  # fmt: skip
"""The functions of `archbuilder`, and those that it will have."""
EXPORTING = {"archbuilder", "archbuilder.cli", "archbuilder.spec"}
"""The only packages that hold anything; what others are used for is imported from their modules."""


def packages() -> Iterator[ModuleType]:
    yield archbuilder
    for found in pkgutil.walk_packages(archbuilder.__path__, "archbuilder."):
        if found.ispkg:
            yield import_module(found.name)


def submodules(package: ModuleType) -> set[str]:
    return {found.name for found in pkgutil.iter_modules(package.__path__)}


def hiding(package: ModuleType) -> list[str]:
    """The submodules of a package that are hidden by something else of the same name."""
    found = {name: getattr(package, name, None) for name in submodules(package)}
    return [name for name, value in found.items() if value is not None and not isinstance(value, ModuleType)]


def exports(package: ModuleType) -> set[str]:
    """What a package holds besides its submodules."""
    public = {name for name in vars(package) if not name.startswith("_")}
    return public - submodules(package) - {"annotations"}


def test_no_module_is_hidden_by_a_function() -> None:
    assert [f"{package.__name__}.{name}" for package in packages() for name in hiding(package)] == []


def test_few_packages_export() -> None:
    assert {package.__name__ for package in packages() if exports(package)} == EXPORTING


def test_no_package_has_the_name_of_a_function() -> None:
    functions = {*API, *(name for name in archbuilder.__all__ if name[0].islower())}
    assert submodules(archbuilder) & functions == set()


def test_a_hidden_module_is_found() -> None:
    package = ModuleType("package")
    package.__path__ = archbuilder.__path__
    assert hiding(package) == []
    vars(package)["costs"] = len
    assert hiding(package) == ["costs"]
