"""What all tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archbuilder.spec import Spec, load
from archbuilder.training.start import Start
from tests.faults.nursery import Nursery

if TYPE_CHECKING:
    from archbuilder.training.run.folder import Run


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    running = Nursery(tmp_path_factory.mktemp("nursery"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def spec(tiny: Path) -> Spec:
    return load(tiny)


@pytest.fixture(scope="session")
def whole(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was left alone."""
    from archbuilder.training import loop

    return loop.train(spec, Start(out=tmp_path_factory.mktemp("runs") / "whole"))


@pytest.fixture(scope="session")
def whole_folder(nursery: Nursery, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of a process that has only just been born: no test that asks for it loads TensorFlow itself."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert nursery.run("train", tiny, "--out", folder).code == 0
    return folder
