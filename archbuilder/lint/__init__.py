"""Recipes that contradict themselves: rules, and what they find in a spec."""

from archbuilder.lint.linting import lint
from archbuilder.lint.rules import RULES

__all__ = ["RULES", "lint"]
