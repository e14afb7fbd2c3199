"""Specs, and edits of specs: the bundled ones and the bad ones of the tests, damaged as text and as values."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

from archbuilder.errors import SpecError
from archbuilder.spec import bundled
from archbuilder.spec.document import parse
from archbuilder.spec.loading import locate
from tests.conftest import GOLDEN, TINY
from tests.fuzz.case import Case, Content, Fifo, Kind
from tests.fuzz.damage import VALUES, paths_in, with_changes

PIECES = (
    "{", "}", "[", "]", ":", ": ", "- ", "\n", "\t", "'", '"', "#", "$", "${", "${units}", "&a ", "*a", "!!x ", "0", "-1", "1e999",
    ".nan", ".inf", "~", "<<: *a", "99999999999", "9" * 5_000, "conv", "basic", "none", "stride", "\u2028", "\x00", "é", "%YAML 9\n",
    "---\n", "...\n", "|\n", ">\n", '"\\UFFFFFFFF"', '"\\x1b[31m"', "? ", "2001-01-01", "0x1F", "1_000", "yes", "\ufeff", "extends: ",
    "repeat: 100000000", "choices: [1, 3]", "{if: 1}", "templates: ",
    "point: a", "{from: a}", "from: stage1", "{each: [1, 2]}", "$unit", "${0.1 / 3}", "${max(1, 2)}", "keeps: shape", "[" * 70, "{a: " * 70,
)  # fmt: skip
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("validate",), ("validate", "--json"), ("build", "--summary"), ("build", "--level", "layer"), ("build", "--json"),
    ("draw", "-o", "x.dot", "--level", "layer"), ("draw", "-o", "x.dot"), ("verify",), ("lint",), ("show",), ("show", "--resolved"),
    ("schedule",), ("schedule", "--json", "--images", "1000"),
)  # fmt: skip
EDITS = (
    "stages.0.units={}", "stages.-1.filters={}", "stages.9.units={}", "stages.²={}", "input={}", "input.0={}", "head={}",
    "training={}", "training.batch_size={}", "training.learning_rate={}", "training.stop.epochs={}", "stages={}", "stem.+={}",
    "unit={}", "shortcut={}", "name={}", "extends={}", "parameters={}", "templates={}", "defaults.conv={}", "={}", "{}={}", "{}",
    "a.b.c={}", "stages.0={}", "stages[0].units={}", "stages.٣.units={}", "training.augment={}", "outputs={}", "..={}",
)  # fmt: skip


@cache
def corpus() -> tuple[str, ...]:
    """Good specs and bad ones, as text."""
    bad = [path.read_text("utf-8", "replace") for path in sorted((GOLDEN / "errors").glob("*.yaml"))]
    return (
        TINY,
        *(locate(name).read_text("utf-8") for name in bundled()),
        *(text for text in bad if len(text) < 20_000),
    )


@cache
def trees() -> tuple[Any, ...]:
    """What of it is YAML, as values."""
    found = []
    for text in corpus():
        try:
            found.append(parse(text, "x.yaml").data)
        except SpecError:
            continue
    return tuple(found)


def spec(random: Random) -> Case:
    text = _as_values(random) if random.random() < 0.5 else _as_text(random)
    first, *options = random.choice(COMMANDS)
    return Case({"x.yaml": text.encode("utf-8", "surrogatepass")}, (first, "x.yaml", *options))


def _as_values(random: Random) -> str:
    """JSON is YAML, but for what numbers are called that are not finite."""
    text = json.dumps(
        with_changes(random.choice(trees()), random),
        ensure_ascii=random.random() < 0.5,
        indent=random.choice((None, 1)),
    )
    return text.replace("Infinity", ".inf").replace("NaN", ".nan")


def _as_text(random: Random) -> str:
    text = random.choice(corpus())
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        start, length = random.randrange(len(text) + 1), random.choice((0, 1, 3, 30, 300))
        piece = random.choice(PIECES) if random.random() < 0.7 else _line(random)
        text = text[:start] + piece + text[start + length :]
    return text


def _line(random: Random) -> str:
    return random.choice(random.choice(corpus()).splitlines() or [""]) + "\n"


def edit(random: Random) -> Case:
    """One to three edits of a bundled spec."""
    name = (
        random.choice(bundled())
        if random.random() < 0.6
        else random.choice(("resnet20_v1", "quickstart", "resnet20_v2"))
    )
    first, *options = random.choice([one for one in COMMANDS if one[0] != "validate"])
    edits = [part for _ in range(random.choice((1, 1, 2, 3))) for part in ("--set", _edit(name, random))]
    return Case({}, (first, name, *options, *edits))


def _edit(name: str, random: Random) -> str:
    value = random.choice(VALUES) if random.random() < 0.7 else random.choice(PIECES)
    text = value if isinstance(value, str) else json.dumps(value)
    if random.random() < 0.5:
        return random.choice(EDITS).replace("{}", text.replace("\0", ""))
    tree = parse(locate(name).read_text("utf-8"), "x.yaml").data
    path = ".".join(map(str, random.choice(paths_in(tree))))
    return f"{path}={text}".replace("\0", "")


def argument(random: Random) -> Case:
    """A path where a spec is expected, or a name that is none; files that are no text."""
    names = (
        "x.yaml",
        "resnet20_v1",
        "RESNET20",
        "x\x1b[31m.yaml",
        "\udce9.yaml",
        "a" * 300 + ".yaml",
        "",
        ".",
        "..",
        "/",
        "-",
        "é.yaml",
        "fifo.yaml",
    )
    files: dict[str, Content] = {
        "x.yaml": random.choice(
            (b"", b"\xff\xfe", b"\x00" * 100, TINY.encode("utf-16"), random.randbytes(300), TINY.encode()[:40])
        ),
        "fifo.yaml": Fifo(),
    }
    first, *options = random.choice(COMMANDS)
    return Case(files, (first, random.choice(names), *options))


SPECS, EDITS_OF_SPECS, ARGUMENTS = Kind(spec), Kind(edit), Kind(argument)
