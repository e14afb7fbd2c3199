"""Documentation that is not run is not true: every `console` block is run, and what it shows is compared."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from archbuilder.expansion.expansion import expand
from archbuilder.spec import load_text
from tests.conftest import Call
from tests.processes import run

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKING = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "examples").rglob("*.md"))]


class Command(NamedTuple):
    line: str
    shown: str
    """What the page shows of its output; `...` stands for any lines. Empty: nothing is compared."""


def console_blocks(page: Path) -> list[list[Command]]:
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [
        [Command(*part.split("\n", 1)) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]] for block in blocks
    ]


HEAVY = re.compile(r"archbuilder (train|evaluate|predict)|\.keras|--check|--weights")
"""What in a command line says that it loads TensorFlow."""
SHELL = frozenset("|&;<>$`*\n")
"""What in a command line says that it is more than one command and its arguments."""


def marks(commands: list[Command]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.keras] if any(HEAVY.search(command.line) for command in commands) else []


BLOCKS = [
    pytest.param(commands, id=f"{page.relative_to(ROOT)}-{number}", marks=marks(commands))
    for page in PAGES
    for number, commands in enumerate(console_blocks(page), 1)
]


def test_there_is_documentation_to_run() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("commands", BLOCKS)
def test_console_block(commands: list[Command], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("specs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    for command in commands:
        code, printed = entered(command.line, call)
        assert "Traceback" not in printed
        if command.shown.strip():
            assert re.fullmatch(_pattern(command.shown), printed.strip()), printed
        else:
            assert code == 0, printed


def entered(line: str, call: Call) -> tuple[int, str]:
    """The exit code and all that is printed; a command without a shell runs in this process, which has loaded it all."""
    program, *arguments = shlex.split(line)
    if program == "archbuilder" and SHELL.isdisjoint(line):
        code, out, err = call(*arguments)
        return code, out + err
    done = run("bash", "-c", line)
    return done.returncode, done.stdout + done.stderr


def _pattern(shown: str) -> str:
    """The shown text as a pattern, in which a line of dots stands for any lines."""
    return re.escape(shown.strip()).replace(re.escape("..."), r"[\s\S]*?")


SPECS = re.findall(
    r"^```yaml\n(archbuilder: 1\n.*?)^```", (ROOT / "docs" / "language.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)  # fmt: skip


@pytest.mark.parametrize("text", SPECS, ids=lambda text: text.partition("name: ")[2].partition("\n")[0])
def test_specs_of_the_language(text: str) -> None:
    spec = load_text(text)
    assert expand(spec) == expand(load_text(spec.dump()))
    assert expand(spec).left_out == ()


LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_lead_somewhere(page: Path) -> None:
    for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            file = page.parent / target if target else page
            assert file.exists(), target
            assert not heading or heading in _anchors(file), f"{target}#{heading}"


def _anchors(page: Path) -> set[str]:
    """The names that links have for the headings of a page: small letters and digits, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
