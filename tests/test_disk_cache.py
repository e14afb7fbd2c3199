"""The cache of the catalogue changes nothing but time."""

from __future__ import annotations

from pathlib import Path

import pytest

from archbuilder import catalogue, disk_cache
from tests.conftest import Call

KEY = b"key"


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


def test_the_catalogue_is_the_same_made_kept_and_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = catalogue.catalogue.__wrapped__()
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "bundled", lambda: pytest.fail("it was kept"))
        assert catalogue.catalogue.__wrapped__() == made
    kept = folder / catalogue.KEPT
    key = disk_cache.package_key()
    disk_cache.write(catalogue.KEPT, key, b'[{"name": 1}]')
    assert catalogue.catalogue.__wrapped__() == made
    kept.unlink()
    assert catalogue.catalogue.__wrapped__() == made


def test_the_key_follows_the_files_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "archbuilder"
    (package / "specs").mkdir(parents=True)
    (package / "specs" / "a.yaml").write_text("a")
    (package / "code.py").write_text("1")
    monkeypatch.setattr(disk_cache, "files", lambda _: package)
    keys = {disk_cache.package_key()}
    (package / "specs" / "a.yaml").write_text("b")
    keys.add(disk_cache.package_key())
    (package / "code.py").write_text("2")
    keys.add(disk_cache.package_key())
    assert len(keys) == 3


@pytest.mark.parametrize("options", [(), ("--level", "stage"), ("--json",)])
def test_a_summary_is_the_same_made_kept_and_made_anew(folder: Path, call: Call, options: tuple[str, ...]) -> None:
    made = call("build", "resnet20_v1", *options)
    assert made[0] == 0
    [kept] = folder.iterdir()
    assert call("build", "resnet20_v1", *options) == made
    kept.write_bytes(b"damaged")
    assert call("build", "resnet20_v1", *options) == made
    kept.unlink()
    assert call("build", "resnet20_v1", *options) == made


def test_a_kept_text_is_not_made_again() -> None:
    assert disk_cache.kept_text("this", lambda: "text") == "text"
    assert disk_cache.kept_text("this", lambda: pytest.fail("it was kept")) == "text"
    assert disk_cache.kept_text("that", lambda: "other") == "other"


@pytest.mark.parametrize("arguments", [("--set", "stages.0.units=1"), ()])
def test_what_a_user_may_change_is_not_kept(
    folder: Path, call: Call, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "mine.yaml").write_text("archbuilder: 1\nname: mine\nextends: resnet20_v1\n")
    assert call("build", "resnet20_v1" if arguments else tmp_path / "mine.yaml", *arguments)[0] == 0
    assert not folder.exists()
