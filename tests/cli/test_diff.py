"""The command `diff`: what it prints, its exit codes, revisions of a repository, and git's driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import archbuilder
from archbuilder.errors import UsageError
from archbuilder.spec import revisions
from archbuilder.spec.files import MOST_BYTES
from tests.conftest import TINY, Call

WIDER = TINY.replace("filters: 8}]", "filters: 16}]")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with `net/mine.yaml`, which extends `net/base.yaml`, committed twice."""
    folder = tmp_path / "repository"
    (folder / "net").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(Path(archbuilder.__file__).parent.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    git("init", "-q")
    (folder / "net" / "base.yaml").write_text(TINY)
    (folder / "net" / "mine.yaml").write_text("archbuilder: 1\nextends: base.yaml\nname: mine\n")
    commit("first")
    (folder / "net" / "base.yaml").write_text(WIDER)
    commit("second")
    return folder


def git(*arguments: str) -> str:
    who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    done = subprocess.run(["git", *who, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(message: str) -> None:
    git("add", ".")
    git("commit", "-q", "-m", message)


def test_exit_codes(call: Call, tiny: Path) -> None:
    assert call("diff", "he2015/resnet20", "he2015/resnet20").code == 0
    assert call("diff", "he2015/resnet20", "--set", "shortcut=projection").code == 1
    assert call("diff", "he2015/resnet20").code == 2
    assert call("diff", "he2015/resnet20", tiny, tiny).code == 2
    assert call("diff", "he2015/resnet20", "he2015/resnet21").code == 4
    assert call("diff", "he2015/resnet20", "--set", "unit=basik").code == 3


def test_what_it_prints(call: Call) -> None:
    done = call("diff", "he2015/resnet20", "--set", "shortcut=projection", "--set", "training.batch_size=64")
    lines = done.out.splitlines()
    assert lines[0] == "from he2015/resnet20 to he2015/resnet20 as edited"
    assert [line.rpartition(": ")[2] for line in lines if line.startswith("- shortcuts")] == [
        "+2,752 parameters, +262,144 multiply-adds"
    ]
    assert "- the batch size is 64, that of he2015/resnet20 128" in lines
    assert lines[-1].split(maxsplit=1) == ["difference", "+2,752 parameters, +262,144 multiply-adds"]


def test_json(call: Call) -> None:
    found = json.loads(call("diff", "he2015/resnet20", "he2015/resnet32", "--json").out)
    assert (found["same"], [one["code"] for one in found["network"]], found["recipe"]) == (False, ["units"], [])
    assert found["network"][0]["effect"] == found["difference"]
    assert found["before"]["name"] == "he2015/resnet20"


def test_in_python() -> None:
    found = archbuilder.diff("he2015/resnet20", "he2015/resnet20", {"training.batch_size": 64})
    assert [one.message for one in found.recipe] == ["the batch size is 64, that of he2015/resnet20 128"]
    spec = archbuilder.load("he2015/resnet20")
    assert archbuilder.diff(spec, spec).same


def test_revisions_with_what_they_extend(call: Call, repository: Path) -> None:
    done = call("diff", "HEAD~1:net/mine.yaml", "HEAD:net/mine.yaml")
    assert done.code == 1
    assert "- units are 16 wide, those of HEAD~1:net/mine.yaml 8: +" in done.out
    assert call("diff", "HEAD:net/mine.yaml", "net/mine.yaml").code == 0
    assert call("diff", ":net/mine.yaml", "HEAD:net/mine.yaml").code == 0
    os.chdir("net")
    assert call("diff", "HEAD^{/second}:./mine.yaml", "mine.yaml").code == 0


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("-x:mine.yaml", 2, "a revision does not begin with '-'"),
        ("--output=x:mine.yaml", 2, "a revision does not begin with '-'"),
        ("HEAD:mine.yaml", 4, "git knows no HEAD:mine.yaml"),
        ("nowhere:net/mine.yaml", 4, "git knows no nowhere:net/mine.yaml"),
        ("HEAD:\x1b[2Jmine.yaml", 4, "git knows no HEAD:?[2Jmine.yaml"),
    ],
)
def test_revisions_that_are_not_there(call: Call, repository: Path, name: str, code: int, told: str) -> None:
    done = call("diff", "--", name, "net/mine.yaml")
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert "\x1b" not in done.err


def test_outside_of_a_repository(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "is in no git repository" in call("diff", "HEAD:mine.yaml", "he2015/resnet20", cwd=tmp_path).err


def test_a_revision_reaches_nothing_outside_its_folder(call: Call, repository: Path) -> None:
    Path("net/mine.yaml").write_text("archbuilder: 1\nextends: ../base.yaml\nname: mine\n")
    Path("base.yaml").write_text(TINY)
    commit("outside")
    done = call("diff", "HEAD:net/mine.yaml", "he2015/resnet20")
    assert (done.code, "files in its own folder or below" in done.err) == (3, True)
    assert "HEAD:net/mine.yaml:2:10" in done.err


def test_a_large_file_of_a_revision_is_refused(call: Call, repository: Path) -> None:
    Path("net/mine.yaml").write_text("#" * (MOST_BYTES + 1))
    commit("large")
    assert "is larger than 1,000,000 bytes" in call("diff", "HEAD:net/mine.yaml", "he2015/resnet20").err


def test_git_is_called_so_that_no_name_is_an_option(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    run = subprocess.run

    def spy(command: list[str], **options: Any) -> Any:
        seen.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", spy)
    file = revisions.revision_file("HEAD:net/base.yaml")
    assert file is not None
    assert file.text() == WIDER
    assert [command[1:] for command in seen if "HEAD:net/base.yaml" in command] == [
        ["rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD:net/base.yaml"]
    ]
    assert all(isinstance(command, list) for command in seen)
    with pytest.raises(UsageError):
        revisions.revision_file("-HEAD:net/base.yaml")


def test_as_the_driver_of_git(repository: Path) -> None:
    """`git diff` shows what changed in each kind of file: changed, new, deleted, and one that is no spec."""
    (repository / ".gitattributes").write_text("*.yaml diff=archbuilder\n")
    git("config", "diff.archbuilder.command", f"{sys.executable} -m archbuilder diff --git")
    (repository / "net" / "mine.yaml").write_text("archbuilder: 1\nextends: base.yaml\nname: mine\nunit: bottleneck\n")
    (repository / "net" / "new.yaml").write_text(TINY)
    (repository / "net" / "other.yaml").write_text("jobs: []\n")
    git("add", ".")
    shown = git("diff", "HEAD")
    assert "from a/net/mine.yaml to b/net/mine.yaml" in shown
    assert "- units are bottlenecks (1x1, 3x3, 1x1), those of a/net/mine.yaml basic (3x3, 3x3)" in shown
    assert "net/new.yaml is new: depth 4, " in shown
    assert "b/net/other.yaml:1:1: error[unknown-key]" in shown
    assert "git diff --no-ext-diff" in shown
    assert "net/new.yaml is deleted: " in git("diff", "HEAD", "-R", "--", "net/new.yaml")


def test_the_driver_exits_with_zero(call: Call, repository: Path) -> None:
    paths = ("net/mine.yaml", "net/mine.yaml", "0" * 40, "100644", "net/base.yaml", "0" * 40, "100644")
    assert call("diff", "--git", *paths).code == 0
    assert call("diff", "--git", *paths, "net/new.yaml", "similarity index 90%").code == 0
    assert "net/mine.yaml is unmerged" in call("diff", "--git", "net/mine.yaml").out
    assert call("diff", "--git", "one", "two").code == 2
