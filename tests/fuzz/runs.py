"""Folders of runs: those of a training of a few iterations, edited, damaged and linked elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.conftest import TINY
from tests.fuzz.case import Case, Content, Fifo, Kind, Link
from tests.fuzz.damage import VALUES, damaged, with_changes

WHOLE = "ARCHBUILDER_FUZZ_RUN"
"""The variable of the environment that names the folder of a sound run; see `make`."""
JSON = ("environment.json", "weights.json", "result.json", "manifest.json", "progress.json")
LINKS = ("/etc/passwd", "/dev/zero", "..", "elsewhere", "/", ".")
COMMANDS: tuple[tuple[str, ...], ...] = (("look", "run"),) * 8 + (("predict", "run", "none.png"), ("evaluate", "run"))


def make(folder: Path) -> None:
    """Trains a small network for an epoch."""
    import archbuilder

    spec = folder.with_name("tiny.yaml")
    spec.write_text(TINY, "utf-8")
    archbuilder.train(spec, out=folder, epochs=1)


@cache
def whole() -> dict[str, bytes]:
    """The files of the sound run."""
    folder = Path(os.environ[WHOLE])
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(random: Random) -> Case:
    files: dict[str, Content] = dict(whole())
    for _ in range(random.choice((1, 1, 2, 3))):
        name = random.choice(sorted(files))
        content = files[name]
        if isinstance(content, bytes):
            files[name] = _changed(name, content, random)
    if random.random() < 0.15:
        placed: list[Content] = [Fifo(), *map(Link, LINKS)]
        files[random.choice(sorted(files))] = random.choice(placed)
    if random.random() < 0.1:
        del files[random.choice(sorted(files))]
    if random.random() < 0.8:
        _sign(files)
    return Case({f"run/{name}": content for name, content in files.items()}, random.choice(COMMANDS))


def _changed(name: str, content: bytes, random: Random) -> bytes:
    if name.endswith((*JSON, "metrics.jsonl")) and random.random() < 0.8:
        with suppress(ValueError):  # of bytes that were damaged the time before
            first, *rest = content.splitlines(keepends=True) if name.endswith("jsonl") else [content]
            return b"\n".join((_json(first, random), *rest))
    return damaged(content, random, tuple(whole().values()))


def _json(content: bytes, random: Random) -> bytes:
    return json.dumps(with_changes(json.loads(content), random, (*VALUES, *VALUES, "[" * 9_000))).encode()


def _sign(files: dict[str, Content]) -> None:
    """Gives changed files the sums of what they hold now, so that they are looked at."""
    for name in [name for name in files if name.endswith(("manifest.json", "weights.json"))]:
        try:
            content = json.loads(_bytes(files[name]))
            _sign_each(content, name, files)
            files[name] = json.dumps(content).encode()
        except (ValueError, TypeError, KeyError, AttributeError):
            continue


def _sign_each(content: Any, name: str, files: dict[str, Content]) -> None:
    if name.endswith("weights.json"):
        for which in content:
            content[which].update(_sum(files[f"{which}.weights.h5"]))
        return
    for file in content["files"]:
        content["files"][file] = _sum(files[str(Path(name).with_name(file))])


def _sum(content: Content) -> dict[str, object]:
    return {"size": len(_bytes(content)), "sha256": hashlib.sha256(_bytes(content)).hexdigest()}


def _bytes(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    raise TypeError(content)


RUNS = Kind(run, needs_keras=True)
