"""Specs, which archbuilder reads as files: it never imports this package."""

raise SystemExit("acme_specs was imported")
