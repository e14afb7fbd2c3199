"""What a spec may come to at most: whatever it can multiply ends here, so that each command on it ends as well.

The bounds are far above all that was ever published; what exceeds one is refused with an error that names it.
"""

from __future__ import annotations

CHARACTERS = 250_000
"""Those of a document, and of all that it extends together."""
VALUES = 20_000
"""The values of a document, each key and each number; also of all that it extends together."""
DEPTH = 60
"""Collections within collections in a document, and templates, merges and conditions within each other."""
EXTENDS = 16
"""Specs that extend each other."""
TEMPLATE_PARAMETERS = 100
"""The parameters of a template."""
DIGITS = 18
"""The digits of an integer."""
NAME = 60
"""The characters of a name of a template, a parameter or a path."""
TEXT = 300
"""The characters of an expression, and of a text that is compared in one."""
INTEGER = 2**53
"""The largest integer that an expression may come to."""
FRACTION = 2**256
"""What the numerator and the denominator of a number in an expression stay below."""
SIZE = 1_000_000
"""Filters, units of a dense layer, kernels, strides and amounts of padding."""
SIDE = 2**14
"""The height and the width of an image, here and behind every layer."""
OUTPUTS = SIDE * SIDE * SIZE
"""The values behind a layer: as many filters as there may be, at each place of the largest image."""
UNITS = 10_000
"""The units of a stage."""
PARTS = 100
"""The parts of a network that are frozen, or that have a rate of their own."""
LAYERS = 50_000
"""The layers of a network."""
EXPANSIONS = 100_000
"""How often templates and shortcuts are expanded, those of units that repeat included."""
STEPS = 1_000_000
"""The layers, choices and parts of expressions that are looked at in all those expansions.

A path, or layers that are passed, count as ten, a layer of values that it had not before as twenty.
"""
PARAMETERS = 10**10
"""The weights of a network."""
ARROWS = 10_000
"""Those of a picture; the 1,202 layers of the deepest published network, each with norm and activation, have 4,810."""
CROSSED_ROWS = 2_500
"""The rows of boxes that all arrows cross of a picture that Graphviz lays out, which takes it some seconds then."""
MERMAID_ARROWS = 500
"""Those of a picture for Mermaid, which renders no more unless it is told so by the page around."""
LISTED_FOLDERS = 100_000
"""Folders in which `runs` looks for runs."""
SEARCHED_FOLDERS = 1_000
"""Folders, of those that are searched for specs, that are looked into for their names; also packages with specs."""
SEARCHED_SPECS = 1_000
"""The specs of one such folder or package that are listed."""
SUMMARISED = 2_000_000
"""The characters of all these specs that `list` reads for their summaries."""
