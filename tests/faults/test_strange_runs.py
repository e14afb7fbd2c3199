"""Run folders that were edited, damaged or made by strangers: one clear error each, and nothing outside is touched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from archbuilder.errors import ArchbuilderError
from archbuilder.training import loop
from archbuilder.training.evaluation import evaluate
from archbuilder.training.prediction import predict
from archbuilder.training.run.folder import Run
from archbuilder.training.run.several import Sweep, runs_in
from archbuilder.training.sweep import resume_seeds
from tests.training.runs import stop_at

JSON = ("environment.json", "weights.json", "checkpoints/*/manifest.json", "checkpoints/*/progress.json")


@pytest.fixture(scope="session")
def stopped(spec: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    stop_at(spec, 3, folder)
    return folder


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "run"))


def outcomes(folder: Path, tmp_path: Path) -> dict[str, str]:
    """What each command says of a run, the empty text where it does what it should; anything but our errors is raised."""
    uses: dict[str, Callable[[], object]] = {
        "metrics": lambda: Run.open(folder).metrics(), "result": lambda: Run.open(folder).result,
        "predict": lambda: list(predict(Run.open(folder), [tmp_path / "none.png"])),
        "evaluate": lambda: evaluate(runs_in(folder)), "resume": lambda: loop.resume(folder),
    }  # fmt: skip
    return {name: outcome(use) for name, use in uses.items()}


def outcome(use: Callable[[], object]) -> str:
    try:
        use()
    except ArchbuilderError as error:
        assert not any(word in str(error) for word in ("pydantic", "Errno", "validation error", "h5py"))
        return str(error)
    return ""


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"3", b"null", b"{", b"[" * 100_000, b'{"a": ' * 500, b"\xff\xfe", b"{}", b"NaN", b"{}" + b" " * 2**24, None],
    ids=range(12),
)  # fmt: skip
def test_an_environment_of_another_form(content: bytes | None, run: Path, tmp_path: Path) -> None:
    change(run / "environment.json", content)
    said = outcomes(run, tmp_path)
    assert all("environment.json cannot be read" in said[use] for use in ("predict", "evaluate", "resume")), said


def change(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def keys(content: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path] if path else []
    if isinstance(content, dict):
        found += [one for key, value in content.items() for one in keys(value, (*path, key))]
    return found


def with_value(content: Any, path: tuple[str, ...], values: list[Any]) -> Any:
    """The content with another value, or with none, at a path."""
    content = json.loads(json.dumps(content))
    at = content
    for key in path[:-1]:
        at = at[key]
    at.pop(path[-1])
    if values:
        at[path[-1]] = values[0]
    return content


def look(run: Run) -> None:
    """At all that is read before anything is computed."""
    for use in (lambda: run.classes, run.weights, lambda: run.checkpoints(2).latest(lambda _: None)):
        outcome(use)


def signed(run: Path) -> None:
    """Gives changed files of checkpoints the sums of what they hold now."""
    for manifest in run.glob("checkpoints/*/manifest.json"):
        try:
            content = json.loads(manifest.read_text())
            for name in content["files"]:
                whole = (manifest.parent / name).read_bytes()
                content["files"][name] = {"size": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
            manifest.write_text(json.dumps(content))
        except (ValueError, TypeError, KeyError):
            continue


@pytest.mark.parametrize("values", [[], [None], ["x"], [[]], [{}], [-1], [1.5], [10**30]], ids=str)
@pytest.mark.parametrize("name", JSON)
def test_any_value_of_any_file(name: str, values: list[Any], run: Path, tmp_path: Path) -> None:
    """Each key in turn, with a value of each kind: the reading parts never raise anything but our errors."""
    for file in run.glob(name):
        whole = file.read_bytes()
        for path in keys(json.loads(whole)):
            file.write_text(json.dumps(with_value(json.loads(whole), path, values)))
            if "progress" in name:
                signed(run)
            look(Run.open(run))
        file.write_bytes(whole)
        signed(run)


def test_checkpoints_that_unpack_to_much(run: Path) -> None:
    arrays_of(run / "checkpoints", much)
    told: list[str] = []
    assert Run.open(run).checkpoints(2).latest(told.append) is None
    assert told
    assert all("would unpack to" in text for text in told)


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def untrained(path: Path) -> None:
    path.write_text(path.read_text().partition("training:")[0])


EDITS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "spec not UTF-8": ("spec.yaml", lambda path: path.write_bytes(b"\xff" + path.read_bytes()), "not UTF-8"),
    "spec of another size": ("spec.yaml", lambda path: path.write_text(path.read_text().replace("filters: 8", "filters: 9")), ""),
    "spec that is empty": ("spec.yaml", lambda path: path.write_text(""), ""),
    "spec without end": ("spec.yaml", lambda path: path.write_bytes(b"#" * 5_000_000), "larger than"),
    "normaliser of another shape": ("normaliser.npz", lambda path: normaliser(path, np.ones((3, 3, 3), np.float32)), "8x8x1"),
    "normaliser of text": ("normaliser.npz", lambda path: normaliser(path, np.array(["a"])), "not in float32"),
    "normaliser of NaN": ("normaliser.npz", lambda path: normaliser(path, np.full(1, np.nan, np.float32)), "no offset has"),
    "normaliser of objects": ("normaliser.npz", lambda path: normaliser(path, np.array([{}])), "objects"),
    "normaliser that unpacks to much": ("normaliser.npz", lambda path: much(path, "offset"), "would unpack to"),
    "normaliser of nothing": ("normaliser.npz", lambda path: normaliser(path, np.zeros(1, np.float32)), "no scale has"),
    "normaliser that is none": ("normaliser.npz", lambda path: path.write_bytes(b"PK and more"), "no zip archive"),
    "normaliser without a key": ("normaliser.npz", lambda path: np.savez(path, a=np.ones(1)), "offset"),
    "normaliser that is gone": ("normaliser.npz", Path.unlink, "not there"),
    "normaliser that is a FIFO": ("normaliser.npz", fifo, "no ordinary file"),
    "weights of another network": ("best.weights.h5", lambda path: weights(path, 3), "does not fit|cannot be read"),
    "weights that declare much": ("best.weights.h5", lambda path: weights(path, 30_000), "next to nothing"),
    "weights that are none": ("best.weights.h5", lambda path: path.write_bytes(b"\x89HDF\r\n"), "damaged"),
    "weights that are a FIFO": ("best.weights.h5", fifo, "is damaged"),
    "weights that are a folder": ("best.weights.h5", directory, "is damaged"),
    "weights that nothing tells of": ("weights.json", Path.unlink, "weights.json does not tell of it"),
    "a spec that is a FIFO": ("spec.yaml", fifo, "no ordinary file"),
    "a spec that is a folder": ("spec.yaml", directory, "folder"),
    "a spec without training": ("spec.yaml", untrained, "spec.yaml cannot be read: it does not say how"),
    "a result that is a FIFO": ("result.json", fifo, "result.json cannot be read: it is no ordinary file"),
    "a result that is a folder": ("result.json", directory, "result.json cannot be read"),
    "classes that are too few": ("environment.json", lambda path: environment(path, ["a"]), "1 classes"),
    "metrics without iteration": ("metrics.jsonl", lambda path: path.write_text('{"epoch": 1}\n'), "line 1.*iteration is missing"),
    "metrics that are no JSON": ("metrics.jsonl", lambda path: path.write_text("[" * 9999 + "\n"), "line 1.*no JSON"),
    "metrics that are a folder": ("metrics.jsonl", directory, "folder"),
    "metrics that are a FIFO": ("metrics.jsonl", fifo, "no ordinary file"),
    "a result of another form": ("result.json", lambda path: path.write_text('{"best": {}}'), r"best\.epoch is missing"),
    "a lock that is a FIFO": (".lock", fifo, "remove it"),
    "arrays of another shape": ("checkpoints", lambda path: arrays(path, np.zeros(3, np.float32)), "does not fit the network"),
    "arrays of text": ("checkpoints", lambda path: arrays(path, np.array("a")), "does not fit the network"),
}  # fmt: skip


def normaliser(path: Path, values: Any) -> None:
    np.savez(path, offset=values, scale=values, allow_pickle=True)


def environment(path: Path, classes: list[str]) -> None:
    content = json.loads(path.read_text())
    content["data"]["classes"] = classes
    path.write_text(json.dumps(content))


def weights(path: Path, size: int) -> None:
    """Others under the sum that the run knows them by, such as one dataset that declares much and stores nothing."""
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (size, size), "f4", chunks=(size, 1) if size > 99 else None)
    content, whole = json.loads((path.parent / "weights.json").read_text()), path.read_bytes()
    content["best"].update(size=len(whole), sha256=hashlib.sha256(whole).hexdigest())
    (path.parent / "weights.json").write_text(json.dumps(content))


def arrays(folder: Path, value: Any) -> None:
    def change(path: Path) -> None:
        with np.load(path) as state:
            content = dict.fromkeys(state.files, value)
        np.savez(path, **content)

    arrays_of(folder, change)


def arrays_of(folder: Path, change: Callable[[Path], object]) -> None:
    for path in folder.glob("*/state.npz"):
        change(path)
    signed(folder.parent)


def much(path: Path, name: str = "arrays") -> None:
    np.savez_compressed(path, allow_pickle=True, **{name: np.zeros(70_000_000, np.uint8)})


@pytest.mark.parametrize("edit", EDITS)
def test_edits(edit: str, run: Path, tmp_path: Path) -> None:
    name, act, reason = EDITS[edit]
    act(run / name)
    said = "\n".join(outcomes(run, tmp_path).values())
    assert said.strip()
    assert re.search(reason, said), said


LINKS = (
    "spec.yaml", "environment.json", "metrics.jsonl", "normaliser.npz", "weights.json", "result.json", ".lock",
    ".holder.json", "best.weights.h5", "final.weights.h5", "checkpoints",
)  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_no_link_in_a_run_is_followed(name: str, run: Path, tmp_path: Path) -> None:
    """Whatever it leads to stays as it was, and nothing is added to it."""
    other = tmp_path / "other"
    if (run / name).exists():
        (run / name).rename(other)
    else:
        other.write_text("of somebody else")
    before = contents(other)
    (run / name).symlink_to(other)
    said = outcomes(run, tmp_path)
    assert all("is a link" in text for text in said.values()), said
    assert contents(other) == before


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {str(file): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("name", ["metrics.jsonl", ".holder.json", "result.json", "best.weights.h5", "normaliser.npz"])
def test_links_under_the_names_of_unfinished_files(name: str, run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("of somebody else")
    (run / f".writing-{name}").symlink_to(victim)
    (run / f".writing-folder-{name}").symlink_to(tmp_path)
    assert loop.resume(run).result is not None
    assert victim.read_text() == "of somebody else"
    assert not list(run.glob(".writing-*"))


def test_links_among_checkpoints(run: Path, tmp_path: Path) -> None:
    """A checkpoint that is a link is damaged, and goes; what it leads to stays."""
    newest = max((run / "checkpoints").iterdir())
    newest.rename(tmp_path / "other")
    newest.symlink_to(tmp_path / "other")
    before = contents(tmp_path / "other")
    (run / "checkpoints" / ".writing-iteration-00000099").symlink_to(tmp_path / "other")
    state = min((run / "checkpoints").glob("iteration-*")) / "state.npz"
    state.rename(tmp_path / "state.npz")
    state.symlink_to(tmp_path / "state.npz")
    assert loop.resume(run).result is not None
    assert contents(tmp_path / "other") == before
    assert not [path for path in (run / "checkpoints").rglob("*") if path.is_symlink()]


def test_a_lock_of_two_names(run: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("of somebody else")
    (run / ".lock").unlink()
    (run / ".lock").hardlink_to(tmp_path / "victim")
    assert "remove it" in outcome(lambda: loop.resume(run))
    assert (tmp_path / "victim").read_text() == "of somebody else"


@pytest.mark.parametrize("name", ["sweep.json", "summary.json", "seed-3"])
def test_links_in_a_sweep(name: str, spec: Any, tmp_path: Path) -> None:
    plan = {"spec": spec.dump(), "seeds": [3], "data": None, "weights": None, "freeze": []}
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(plan))
    other = tmp_path / "other"
    if name == "seed-3":
        other.mkdir()
    else:
        other.write_text(json.dumps(plan))
    (tmp_path / "sweep" / name).unlink(missing_ok=True)
    (tmp_path / "sweep" / name).symlink_to(other)
    sweep = Sweep.open(tmp_path / "sweep")
    use = (lambda: sweep.summary) if name == "summary.json" else (lambda: resume_seeds(tmp_path / "sweep"))
    assert "is a link" in outcome(use)
    assert not other.is_dir() or not list(other.iterdir())
