"""Whether a spec is right: everything that is wrong with it, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from archbuilder.aliases import Json
from archbuilder.errors import ArchbuilderError, Diagnostic, SpecError
from archbuilder.expansion.expansion import expand, with_others
from archbuilder.spec import load


@dataclass(frozen=True)
class Verdict:
    """The verdict on a spec: all that is wrong with it; nothing if the exit code is 0."""

    spec: str
    exit_code: int
    message: str
    diagnostics: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        return self.message

    def to_json(self) -> Json:
        problems = [diagnostic.to_json() for diagnostic in self.diagnostics]
        missing = [{"code": "missing", "message": self.message}] if self.exit_code and not problems else []
        return {"spec": self.spec, "valid": self.exit_code == 0, "problems": problems or missing}


def validate(spec: str) -> Verdict:
    """Loads and expands a spec, and says what came of it."""
    try:
        expand(load(spec))
    except SpecError as known:
        error = with_others(known)
        return Verdict(spec, error.exit_code, str(error), error.diagnostics)
    except ArchbuilderError as other:
        return Verdict(spec, other.exit_code, f"error: {other}")
    return Verdict(spec, 0, f"{spec}: valid")
