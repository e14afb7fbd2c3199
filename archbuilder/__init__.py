"""archbuilder: residual networks from declarative YAML specs.

A public name is imported when it is first asked for, so that a command that needs none of them does not wait for them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archbuilder.api import (
        build,
        compare,
        diff,
        draw,
        evaluate,
        expand,
        explain,
        export,
        family,
        import_model,
        lint,
        new,
        numbers,
        predict,
        report,
        resume,
        runs,
        summary,
        train,
        train_folds,
        train_seeds,
        verify,
    )  # fmt: skip
    from archbuilder.errors import ArchbuilderError, DivergedError, MissingError, SpecError, UsageError
    from archbuilder.spec import Spec, bundled, load, load_text
    from archbuilder.weights.choices import Choices

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """A public name, from the lightest module that has it; it is looked for once."""
        from importlib import import_module

        if name == "__version__":
            from importlib.metadata import version

            return globals().setdefault(name, version("archbuilder"))
        if name in __all__:
            for home in ("archbuilder.errors", "archbuilder.spec", "archbuilder.api"):
                found = getattr(import_module(home), name, None)
                if found is not None:
                    return globals().setdefault(name, found)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'", name=name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "ArchbuilderError", "Choices", "DivergedError", "MissingError", "Spec", "SpecError", "UsageError", "build",
    "bundled", "compare", "diff", "draw", "evaluate", "expand", "explain", "export", "family", "import_model", "lint",
    "load", "load_text", "new", "numbers", "predict", "report", "resume", "runs", "summary", "train", "train_folds",
    "train_seeds", "verify",
]  # fmt: skip
