"""The language of specs: its models, its library of units and shortcuts, and how a spec is loaded."""

from archbuilder.spec.loading import Spec, bundled, edit, load, load_text, require_training

__all__ = ["Spec", "bundled", "edit", "load", "load_text", "require_training"]
