"""What ships and what is kept changes nothing but time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archbuilder import catalogue, disk_cache
from archbuilder.comparison import sketch
from tests.conftest import Call

KEY = b"key"
make_sketches = cache(sketch.make_sketches)
"""Made once for all tests, which takes seconds."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "archbuilder"


def test_what_is_kept_is_read_back_by_its_key_only(folder: Path) -> None:
    assert disk_cache.read("x", KEY) is None
    disk_cache.write("x", KEY, b"one\ntwo")
    assert disk_cache.read("x", KEY) == b"one\ntwo"
    assert disk_cache.read("x", b"other") is None
    disk_cache.write("x", b"other", b"three")
    assert disk_cache.read("x", KEY) is None
    assert [path.name for path in folder.iterdir()] == ["x"]


@pytest.mark.parametrize("damage", [b"", b"key", b"key\nsum\none", b"\xff" * 20, b"key\n" * 500_000])
def test_what_is_damaged_is_not_read(folder: Path, damage: bytes) -> None:
    disk_cache.write("x", KEY, b"one")
    (folder / "x").write_bytes(damage)
    assert disk_cache.read("x", KEY) is None


def test_what_cannot_be_written_is_not_kept(folder: Path) -> None:
    folder.write_text("a file where the folder belongs")
    disk_cache.write("x", KEY, b"one")
    assert disk_cache.read("x", KEY) is None


@pytest.mark.parametrize(
    ("name", "make", "form"),
    [(catalogue.KEPT, catalogue.make_catalogue, disk_cache.rows(catalogue.Entry)),
     (sketch.KEPT, make_sketches, disk_cache.rows(sketch.Sketch))],
)  # fmt: skip
def test_what_ships_is_what_the_code_gives(
    name: str, make: Callable[[], Any], form: disk_cache.Form[Any], request: pytest.FixtureRequest
) -> None:
    made = make()
    if request.config.getoption("--update-golden"):
        disk_cache.ship(name, form.dump(made))
    shipped = disk_cache.shipped(
        name, lambda: pytest.fail("another library, or other specs; see --update-golden"), form
    )
    assert shipped == made, "see --update-golden"


def test_what_ships_for_other_specs_is_kept_as_it_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = disk_cache.rows(sketch.Sketch)
    monkeypatch.setattr(disk_cache, "yaml_key", lambda: KEY)
    monkeypatch.setattr(sketch, "make_sketches", make_sketches)
    made = sketch.bundled_sketches()[:2]
    assert made[0].name == "plain20_v1"
    assert [path.name for path in folder.iterdir()] == [sketch.KEPT]
    assert disk_cache.shipped("few", lambda: made, form) == made
    assert disk_cache.shipped("few", lambda: pytest.fail("it was kept"), form) == made
    for damage in (b'[{"name": 1}]', b"no JSON"):
        disk_cache.write("few", disk_cache.package_key(), damage)
        assert disk_cache.shipped("few", lambda: made[1:], form) == made[1:]
    (folder / "few").unlink()
    assert disk_cache.shipped("few", lambda: made, form) == made


def test_the_key_follows_the_files_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "archbuilder"
    (package / "specs").mkdir(parents=True)
    (package / "specs" / "a.yaml").write_text("a")
    (package / "code.py").write_text("1")
    monkeypatch.setattr(disk_cache, "files", lambda _: package)

    def keys() -> tuple[bytes, bytes]:
        return disk_cache.package_key(), disk_cache.yaml_key()

    first = keys()
    (package / "specs").rename(package.parent / "specs")
    assert keys() == first, "a checkout"
    (package.parent / "specs" / "a.yaml").write_text("b")
    second = keys()
    (package / "code.py").write_text("2")
    third = keys()
    assert len({first[0], second[0], third[0]}) == 3
    assert first[1] != second[1] == third[1]


@pytest.mark.parametrize("command", [
    ("build", "resnet20_v1"), ("build", "resnet20_v1", "--level", "stage"), ("build", "resnet20_v1", "--json"),
    ("build", "resnet20_v1", "--memory", "16GiB"), ("build", "resnet20_v1", "quickstart", "--csv"),
    ("draw", "resnet20_v1", "-o", "-"), ("draw", "resnet20_v1", "quickstart", "-o", "-", "--format", "mermaid"),
    ("diff", "resnet20_v1", "quickstart"), ("diff", "resnet20_v1", "resnet20_v1", "--json"),
    ("compare", "resnet20_v1", "quickstart"), ("family", "he2015/resnet20", "--units", "3,5"),
    ("explain", "bottleneck"), ("list", "--units"),
])  # fmt: skip
def test_a_text_is_the_same_made_kept_and_made_anew(folder: Path, call: Call, command: tuple[str, ...]) -> None:
    made = call(*command)
    assert made.code == (1 if command == ("diff", "resnet20_v1", "quickstart") else 0)
    [kept] = folder.iterdir()
    assert call(*command) == made
    kept.write_bytes(b"damaged")
    assert call(*command) == made
    kept.unlink()
    assert call(*command) == made


def test_a_kept_text_is_not_made_again() -> None:
    assert disk_cache.kept_text(["quickstart"], (), "this", lambda: "text") == "text"
    assert disk_cache.kept_text(["quickstart"], (), "this", lambda: pytest.fail("it was kept")) == "text"
    assert disk_cache.kept_text(["quickstart"], (), "that", lambda: "other") == "other"
    assert disk_cache.kept_text(["resnet20_v1"], (), "this", lambda: "of another") == "of another"


@pytest.mark.parametrize("command", ["build", "draw"])
def test_what_is_in_the_folder_of_a_run_is_not_kept(
    folder: Path, call: Call, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    shown = []
    for name in ("one", "other"):
        (tmp_path / "run" / "spec.yaml").write_text(f"archbuilder: 1\nname: {name}\nextends: quickstart\n")
        shown.append(call(command, "run", *(("-o", "-") if command == "draw" else ())))
    assert shown[0].code == shown[1].code == 0
    assert "one" in shown[0].out
    assert "other" in shown[1].out
    assert not folder.exists()


def test_no_path_is_the_name_of_a_bundled_spec() -> None:
    assert disk_cache.is_bundled("he2015/resnet18")
    place = disk_cache.specs_folder()
    for name in (f"{place}/quickstart", f"../{place.name}/quickstart", "he2015/../quickstart", "he2015", "", "none"):
        assert not disk_cache.is_bundled(name)


@pytest.mark.parametrize("arguments", [("--set", "stages.0.units=1"), ()])
def test_what_a_user_may_change_is_not_kept(
    folder: Path, call: Call, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "mine.yaml").write_text("archbuilder: 1\nname: mine\nextends: resnet20_v1\n")
    mine = "resnet20_v1" if arguments else tmp_path / "mine.yaml"
    assert call("build", mine, *arguments).code == call("build", mine, "--csv", *arguments).code == 0
    assert call("diff", "resnet20_v1", mine, *arguments).code == (1 if arguments else 0)
    assert not folder.exists()
