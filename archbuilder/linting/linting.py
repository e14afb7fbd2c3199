"""All rules on one spec."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from archbuilder.errors import Diagnostic, Span, SpecError
from archbuilder.linting.fitting import FITTING, LABELS, LOSS, SOURCE
from archbuilder.linting.recipe import Found, Recipe, Rule
from archbuilder.linting.rules import RULES
from archbuilder.spec.document import Document
from archbuilder.spec.loading import Spec, sorted_by_place, spec_error


def lint(spec: Spec) -> list[Diagnostic]:
    """The contradictions in the recipe of a spec, in order; raises SpecError if it has no recipe."""
    return sorted_by_place(_diagnostics((*FITTING, *RULES), Recipe.of(spec), "warning"))


def require_fitting(recipe: Recipe) -> None:
    """Raises SpecError with all in which the recipe does not fit its network or its data."""
    if errors := _diagnostics(FITTING, recipe, "error"):
        raise spec_error(errors, recipe.spec.document)


def labels_error(recipe: Recipe, message: str) -> SpecError:
    """What is wrong with labels that were read, at the loss that they do not fit."""
    rule = replace(LABELS, check=lambda _: iter([Found(LOSS, message, (SOURCE,))]))
    return spec_error(_diagnostics([rule], recipe, "error"), recipe.spec.document)


def _diagnostics(rules: Iterable[Rule], recipe: Recipe, severity: Literal["error", "warning"]) -> list[Diagnostic]:
    """What the rules find; the same at the same place is one, such as a crop in training and in testing."""
    document = recipe.spec.document
    return list(
        dict.fromkeys(
            Diagnostic(rule.code, found.message, _span(found, document), rule.why, severity)
            for rule in rules
            for found in rule.check(recipe)
        )
    )


def _span(found: Found, document: Document) -> Span | None:
    """The place that was changed last: by an edit, else in the user's own file, else in one that it extends."""
    own = document.span(())

    def distance(span: Span) -> int:
        return 0 if span.file == "--set" else 1 if own is not None and span.file == own.file else 2

    others = (one for one in found.others if isinstance(one, Span) or one in document.values)
    places = [one if isinstance(one, Span) else document.key_span(one) for one in (found.place, *others) if one]
    return min((span for span in places if span is not None), key=distance, default=None)
