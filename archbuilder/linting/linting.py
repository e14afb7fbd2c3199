"""All rules on one spec."""

from __future__ import annotations

from archbuilder.errors import Diagnostic
from archbuilder.linting.recipe import Recipe
from archbuilder.linting.rules import RULES
from archbuilder.spec.document import Place
from archbuilder.spec.loading import Spec, sorted_by_place


def lint(spec: Spec) -> list[Diagnostic]:
    """The contradictions in the recipe of a spec, in order; raises SpecError if it has no recipe."""
    recipe = Recipe(spec)
    return sorted_by_place(
        Diagnostic(rule.code, found.message, Place(spec.document, found.path).key_span, rule.why, "warning")
        for rule in RULES
        for found in rule.check(recipe)
    )
