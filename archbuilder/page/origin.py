"""The section of a page that says where a network or a run comes from, and how to get it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from archbuilder.spec import Spec

if TYPE_CHECKING:
    from archbuilder.training.run.folder import Run

LONGEST = 300
"""The characters that are told of a fact which a run noted for people alone."""
WHOLE = "The whole spec, as spec.yaml"


@dataclass(frozen=True)
class Origin:
    """Facts, commands, and the spec with everything written out."""

    id: ClassVar[str] = "origin"
    template: ClassVar[str] = "origin.html"
    whole: ClassVar[str] = WHOLE
    title: str
    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    spec: str


def of_spec(spec: Spec, name: str) -> Origin:
    quoted = shlex.quote(name)
    commands = [f"archbuilder build {quoted}", f"archbuilder draw {quoted} -o network.svg"]
    if spec.training is not None:
        commands.append(f"archbuilder train {quoted}")
    return Origin("How to get it", (), tuple(commands), spec.dump())


def of_run(run: Run) -> Origin:
    data = run.environment["data"]
    lies = f" --data {shlex.quote(Path(data['path']).name)}" if data["path"] else ""
    commands = (f"archbuilder train spec.yaml{lies} --out again", "archbuilder evaluate again")
    facts = tuple((name, _cut(text)) for name, text in _facts(run) if text)
    return Origin("How to repeat it", facts, commands, run.environment["spec"])


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """What the run began with, on what, and what it left; the machine's name and the places of files are left out."""
    found, saved = run.environment, run.weights()
    data, first = found["data"], found.get("weights")
    yield "began", found.get("created", "").replace("+00:00", " UTC")
    if run.command:
        yield "by", shlex.join(["archbuilder", *map(_without_folder, run.command[1:])])
    yield "versions", ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    cores = f"{found['cores']} cores" if found.get("cores") else ""
    yield "machine", ", ".join(filter(None, [_text(found.get("platform")), _text(found.get("processor")), cores]))
    yield "computes on", ", ".join(filter(None, [_text(found.get("devices")), found.get("backend", "tensorflow")]))
    yield "precision", found["precision"].replace("_", " ")
    yield "seed", f"{found['seed']}"
    yield "data", f"{data['name']}, fingerprint {data['fingerprint'][:16]}"
    yield "frozen", ", ".join(found.get("frozen", []))
    yield "first weights", f"sha256 {first['sha256'][:16]}" if first else ""
    yield "weights", ", ".join(f"{which}, sha256 {one['sha256'][:16]}" for which, one in saved.items())
    for number, leg in enumerate(run.legs, 2):
        yield f"leg {number}", f"from iteration {leg.begins:,} to {leg.epochs:,} epochs {' '.join(leg.set)}".strip()


def _without_folder(word: str) -> str:
    """A word of a command, of a whole path its last part: the others are nobody else's business."""
    return Path(word).name if Path(word).is_absolute() else word


def _text(value: object) -> str:
    """A fact that no model describes: another version may have noted anything."""
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
