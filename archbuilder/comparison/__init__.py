"""Whether one network is another, and why not: over graphs alone."""

from archbuilder.comparison.comparison import compare
from archbuilder.comparison.nearest import nearest, nearest_bundled
from archbuilder.comparison.result import Comparison, render

__all__ = ["Comparison", "compare", "nearest", "nearest_bundled", "render"]
