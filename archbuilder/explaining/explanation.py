"""An explanation of a word: as a value, as text and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbuilder.aliases import Json
from archbuilder.formatting import aligned, wrapped
from archbuilder.spec.library import Plural


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting or a parameter."""

    name: str
    default: str | None
    """As it is written in YAML; None where it must be given."""
    description: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a word means, where it stands, what it takes, and an example."""

    name: str
    what: str
    """What it is, such as `a unit` or `a learning rate, at training.learning_rate`."""
    summary: str
    settings: tuple[Setting, ...]
    example: str
    """YAML that can stand in a spec."""
    source: str = ""
    choices: tuple[str, ...] = ()
    """What may stand there."""
    text: str = ""
    """The file of a unit or a shortcut."""
    plural: Plural | None = None

    def to_json(self) -> Json:
        return {
            "name": self.name, "what": self.what, "summary": self.summary, "source": self.source,
            "settings": [{"name": one.name, "default": one.default, "description": one.description,
                          "required": one.default is None} for one in self.settings],
            "choices": list(self.choices), "example": self.example, "yaml": self.text,
        }  # fmt: skip

    def __str__(self) -> str:
        return render(self)


def render(found: Explanation) -> str:
    """What it is, its settings, an example, and of a template its file."""
    lines = [f"{found.name}: {found.what}", "", found.summary]
    if found.source:
        lines.append(f"source: {found.source}")
    if found.choices:
        lines += ["", f"one of: {', '.join(found.choices)}"]
    if found.settings:
        rows = [
            (f"  {one.name}", "required" if one.default is None else one.default, one.description)
            for one in found.settings
        ]
        lines += ["", "parameters:" if found.text else "settings:", *aligned(rows)]
    lines += ["", "example:", *(f"  {line}" for line in found.example.rstrip().split("\n"))]
    if found.text:
        lines += ["", "its file:", *(f"  {line}".rstrip() for line in found.text.rstrip().split("\n"))]
    return "\n".join(lines)


def render_words(found: Sequence[Explanation], width: int | None) -> str:
    """A line for each word, its summary folded to the width of the terminal."""
    longest = max(len(one.name) for one in found)
    return "\n".join(wrapped(f"{one.name.ljust(longest)}  ", one.summary, width) for one in found)
