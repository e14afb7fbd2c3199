"""What reaches the terminal: as wide as it is, in its colours, and nothing that it would act on."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from importlib.abc import MetaPathFinder
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import archbuilder
from archbuilder import doctor
from archbuilder.catalogue import catalogue, render
from archbuilder.doctor import Finding
from archbuilder.formatting import aligned, wrapped
from tests.conftest import Call

ROOT = str(Path(archbuilder.__file__).parents[1])
WIDTHS = (40, 60, 80, 100, 120, 160, 200)
STRANGE = "mi\x1b[31m[red]\x07n\u202ee\\"
"""A name with what a terminal acts on, and with markup of rich."""
EACH = """
import sys
from archbuilder.cli import main
for line in sys.argv[1:]:
    sys.argv = ["archbuilder", *line.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
    print("AFTER")
"""
BAD = "archbuilder: 1\nname: bad\ninput: [8, 8, 3]\nstemm: []\n"
GOOD = """\
archbuilder: 1
extends: quickstart
name: mine
summary: "a \\e[2J b"
"""


def on_terminal(*arguments: str, cwd: Path, columns: int = 80, **environment: str) -> str:
    """What a command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    variables |= {"COLUMNS": str(columns), "TERM": "xterm", "PYTHONPATH": ROOT, **environment}
    command = [sys.executable, "-m", "archbuilder", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=variables):
        os.close(theirs)
        found = b""
        while chunk := _read(ours):
            found += chunk
    os.close(ours)
    return found.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody writes any more
        return b""


@pytest.mark.parametrize("width", WIDTHS)
def test_list_fits_each_width_with_whole_numbers(width: int) -> None:
    text = render(catalogue(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for entry in catalogue():
        lines = text.splitlines()
        start = next(index for index, line in enumerate(lines) if line.split(" ")[0] == entry.name)
        numbers = f"{lines[start]} {lines[start + 1] if width < 72 else ''}"
        assert re.search(rf" {entry.depth} +{entry.trainable:,} ", numbers), entry.name
        assert f"{entry.macs / 1e6:,.1f} M" in numbers


def test_list_shows_more_where_there_is_room() -> None:
    heads = [render(catalogue(), width).split("\n---")[0].split() for width in (40, 80, 120, 200)]
    assert [len(head) for head in heads] == [4, 4, 7, 8]  # `error %` is two words
    assert heads[-1] == render(catalogue()).splitlines()[0].split()


def test_list_in_a_pipe_is_plain_and_as_wide_as_its_content(call: Call) -> None:
    done = call("list")
    lines = done.out.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert len(lines[1]) == max(map(len, lines))
    assert all(any(entry.summary in line for line in lines) for entry in catalogue())
    assert all(character.isascii() or character in "±" for character in done.out)


@pytest.mark.parametrize(
    "variables", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_any_locale(variables: dict[str, str]) -> None:
    """The commands one after the other in one process, whose streams have the encoding."""
    lines = ["list", "list --markdown", "show resnet20_v1", "schedule resnet20_v1"]
    line = [sys.executable, "-c", EACH, *lines]
    done = subprocess.run(line, capture_output=True, env={**os.environ, "PYTHONPATH": ROOT, **variables}, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"AFTER") == len(lines)


@pytest.mark.parametrize("width", [40, 80, None])
def test_advice_of_doctor_is_whole(width: int | None, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    advice = "the processor does the work; for cards of NVIDIA: pip install 'tensorflow[and-cuda]' --extra-index-url x"
    monkeypatch.setattr("archbuilder.cli.doctor.load_tensorflow", lambda: None)
    monkeypatch.setattr("archbuilder.cli.doctor.terminal_width", lambda: width)
    monkeypatch.setattr(doctor, "examine", lambda: iter([Finding("GPUs", "", advice), Finding("data: cifar10", "/x")]))
    out = call("doctor").out
    assert " ".join(out.split()) == f"GPUs - {advice} data: cifar10 ok /x"
    assert width is None or max(map(len, out.splitlines())) <= width


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert wrapped("a  ", "x" * 50 + " y", 30) == f"a  {'x' * 50}\n   y"
    assert aligned([("a\nb", "1"), ("ccc", "22")], {1}) == ["a     1", "b", "ccc  22"]


def test_errors_have_colours_on_a_terminal_alone(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    shown = on_terminal("build", "bad.yaml", cwd=tmp_path)
    assert "\x1b[31m\x1b[1merror[unknown-key]:\x1b[0m there is no key" in shown
    assert "\x1b[2m  hint: did you mean 'stem'?\x1b[0m" in shown
    plain = on_terminal("build", "bad.yaml", cwd=tmp_path, NO_COLOR="1")
    assert "\x1b" not in plain
    assert plain == re.sub(r"\x1b\[\d+m", "", shown)
    assert "\x1b[31m\x1b[1merror:\x1b[0m there is no" in on_terminal("build", "nowhere", cwd=tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "build FILE", "build FILE --level layer", "validate FILE", "lint FILE", "verify FILE", "schedule FILE",
        "show FILE", "show FILE --resolved", "draw FILE -o FILE.dot", "build FILE.nowhere", "verify FILE --against FILE",
        "draw FILE -o FILE", "build quickstart --set FILE=1", "build quickstart --set name=FILE", "FILE", "build --FILE",
        "schedule FILE -o FILE", "validate BROKEN", "lint BROKEN", pytest.param("evaluate FILE", marks=pytest.mark.keras),
        pytest.param("predict FILE FILE", marks=pytest.mark.keras),
    ],
)  # fmt: skip
def test_nothing_strange_reaches_the_terminal(command: str, tmp_path: Path, call: Call) -> None:
    """In a pipe all but documents are clean, too."""
    (tmp_path / f"{STRANGE}.yaml").write_text(GOOD)
    (tmp_path / f"{STRANGE}broken.yaml").write_text(BAD)
    words = [
        word.replace("FILE", f"{STRANGE}.yaml").replace("BROKEN", f"{STRANGE}broken.yaml") for word in command.split()
    ]
    if command.startswith(("evaluate", "predict")):
        words = [*words[:1], *(word.removesuffix(".yaml") for word in words[1:])]
    done = call(*words, cwd=tmp_path)
    assert "Traceback" not in done.err
    assert done.out + done.err
    if not command.startswith("show"):
        assert not strange(done.out + done.err)


def strange(text: str) -> str:
    return "".join(character for character in text if not character.isprintable() and character != "\n")


@pytest.mark.parametrize("command", ["show FILE", "show FILE --resolved"])
def test_a_document_is_clean_on_a_terminal_and_whole_in_a_pipe(command: str, tmp_path: Path, call: Call) -> None:
    text = GOOD + "# é\u202e\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    words = command.replace("FILE", "mine.yaml").split()
    assert not strange(on_terminal(*words, cwd=tmp_path))
    piped = call(*words, cwd=tmp_path).out
    assert command == "show FILE --resolved" or piped == text


@pytest.mark.keras
def test_names_in_the_tables_of_training_are_no_markup() -> None:
    from archbuilder.training.reporting.tables import evaluation_table, summary_table

    score = {"images": 1, "accuracy": 0.5, "loss": 1.0}
    tables = [
        evaluation_table({"run": STRANGE, "weights": "best", "test": score}),
        summary_table({"network": STRANGE, "runs": [1], "test_error": {}, "published": []}),
    ]
    for table in tables:
        stream = StringIO()
        Console(file=stream, width=200, highlight=False).print(table)
        assert "mi?[31m[red]?n?e\\" in stream.getvalue()


def test_ctrl_c_is_no_error(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archbuilder.cli.verify.say", lambda *_: signal.raise_signal(signal.SIGINT))
    done = call("verify", "resnet20_v1", "--against", "resnet20_v1")
    assert (done.code, done.out, done.err) == (130, "", "stopped\n")


def test_ctrl_c_while_the_first_modules_are_loaded(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:
            if fullname == "archbuilder.cli.printing":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "archbuilder.cli.printing")
    monkeypatch.setattr(sys, "meta_path", [Stopped(), *sys.meta_path])
    assert call("list") == (130, "", "stopped\n")


def test_without_matplotlib_the_schedule_is_printed_all_the_same(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = call("schedule", "he2015/resnet20", "-o", tmp_path / "curve.svg")
    assert (done.code, done.out) == (4, call("schedule", "he2015/resnet20").out)
    assert done.err == "error: pictures of curves need matplotlib: pip install 'archbuilder[plot]'\n"
    data = call("schedule", "he2015/resnet20", "--json", "-o", tmp_path / "curve.svg")
    assert (data.code, data.out) == (4, call("schedule", "he2015/resnet20", "--json").out)
