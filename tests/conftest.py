"""What all tests share: golden files, the command line, and a network small enough to be trained within a test.

In golden files, what is expected stands beside what leads to it; `--update-golden` rewrites it, and not in CI.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
KERAS_ONLY = (
    "augmentation", "cli/test_train.py", "data/test_encoded.py", "data/test_framing.py", "data/test_normalisation.py",
    "exporting/test_code_runs.py", "importing/test_weights.py",
    "faults/test_kills.py", "faults/test_legs.py", "faults/test_processes.py", "faults/test_refusals.py", "faults/test_resources.py",
    "faults/test_resume.py", "faults/test_strange_runs.py", "keras_model/test_any_graph.py",
    "keras_model/test_layers.py", "keras_model/test_receptive_field.py",
    "keras_model/test_same_function.py",
    "keras_model/test_silence.py", "training/jax",
    "training/run/test_folder.py", "training/tensorflow", "training/test_any_graph.py", "training/test_contact_sheet.py",
    "training/test_evaluation.py", "training/test_family.py", "training/test_labels.py", "training/test_memory.py", "training/test_objective.py",
    "training/test_notebook.py", "training/test_prediction.py", "training/test_recipes.py", "training/test_sweep.py", "weights/test_fine_tuning.py",
    "weights/test_keras_files.py", "weights/test_same_function.py", "training/test_trackers.py", "test_walk.py",
)  # fmt: skip
"""Folders and modules whose tests all need Keras: they carry the mark, and are not imported where it is deselected."""
LONG = (
    "training/jax", "training/tensorflow/test_distribution.py", "exporting", "training/tensorflow/test_cluster.py",
    "training/tensorflow/test_unit_loop.py", "faults", "keras_model", "test_networks.py", "fuzz", "test_docs.py", "training",
    "test_examples.py", "test_walk.py", "weights",
)  # fmt: skip
"""What takes longest, in the order in which it begins: at the end, it would keep one process busy alone."""
LIGHT = "not keras"
XLA = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""XLA, that of JAX included, takes much longer to optimise a program than a test takes to run it."""
os.environ.setdefault("XLA_FLAGS", XLA)
# On processors with AVX-512, oneDNN's gradient of a 1x1 convolution with a stride kills the process where fewer than 16 channels
# arrive. Training goes round that; the gradients of Keras models do not, by which tests find receptive fields.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
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


def place_among(path: Path, parts: tuple[str, ...]) -> int:
    """The number of the part that a file is of, and behind the last where it is of none."""
    return next((number for number, part in enumerate(parts) if path.is_relative_to(HERE / part)), len(parts))


def needs_keras(path: Path) -> bool:
    return place_among(path, KERAS_ONLY) < len(KERAS_ONLY)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Importing TensorFlow takes seconds."""
    return True if config.option.markexpr == LIGHT and needs_keras(collection_path) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    if needs_keras(item.path):
        item.add_marker(pytest.mark.keras)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes runs only where it is asked for; what is long comes first, and light tests come last."""
    items.sort(key=lambda item: (place_among(item.path, LONG), not needs_keras(item.path)))
    if "slow" in config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if not item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)


def pytest_collection_finish(session: pytest.Session) -> None:
    """All that is imported stays: the garbage collector need not look through it again and again."""
    if session.config.option.markexpr == LIGHT and "tensorflow" in sys.modules:
        raise pytest.UsageError("a module that imports TensorFlow is not among KERAS_ONLY in tests/conftest.py")
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


class Done(NamedTuple):
    """What a command line came to: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call(*arguments)` runs `archbuilder` within this process, which takes a tenth of the time of another one."""
    from archbuilder.cli import main

    def run(*arguments: object, cwd: Path | None = None) -> Done:
        monkeypatch.setattr(sys, "argv", ["archbuilder", *map(str, arguments)])
        if cwd:
            monkeypatch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a spec: 11 iterations an epoch, 4 epochs."""
    path = tmp_path_factory.mktemp("specs") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path
