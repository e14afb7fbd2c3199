"""What all tests share: golden files, and a network small enough to be trained within a test.

In golden files, what is expected stands beside what leads to it; `--update-golden` rewrites it, and not in CI.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
KERAS_ONLY = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.keras\b", re.MULTILINE)
Golden = Callable[[str, str], None]
TINY = """\
archbuilder: 1
name: small/tiny
input: [8, 8, 1]
stem: [{conv: {filters: 8, kernel: 3}}, norm, relu]
unit: basic
shortcut: projection
stages: [{units: 1, filters: 8}]
head: [global_average_pool, {dropout: {rate: 0.1}}, {dense: {units: 10}}, softmax]
training:
  data: {source: digits, validation: {holdout: 0.1}}
  augment: [{pad_crop: {pad: 1}}]
  batch_size: 128
  stop: {epochs: 4}
  optimizer: {sgd: {momentum: 0.9, nesterov: true}}
  weight_decay: {coupled: 5e-4, kinds: [conv, dense]}
  learning_rate: {one_cycle: {peak: 0.1}}
  keep: {last: 2}
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Rewrite golden files from what the code gives.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("golden files are not rewritten in CI")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where tests that load TensorFlow are deselected, modules of nothing else are not even imported: it takes seconds."""
    if config.option.markexpr != "not keras" or collection_path.suffix != ".py":
        return None
    return True if KERAS_ONLY.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """All that is imported stays: the garbage collector need not look through it again and again."""
    if session.config.option.markexpr == "not keras" and "tensorflow" in sys.modules:
        raise pytest.UsageError("a module whose tests do without TensorFlow imports it")
    gc.collect()
    gc.freeze()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(path, text)`: the text is what stands in `tests/golden/path`."""

    def check(path: str, text: str) -> None:
        file = GOLDEN / path
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"{path} differs; see --update-golden"

    return check


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a spec: 11 iterations an epoch, 4 epochs."""
    path = tmp_path_factory.mktemp("specs") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path
