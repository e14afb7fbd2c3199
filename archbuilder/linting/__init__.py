"""Recipes that contradict themselves: rules, and what they find in a spec."""

from archbuilder.linting.linting import lint
from archbuilder.linting.rules import RULES

__all__ = ["RULES", "lint"]
