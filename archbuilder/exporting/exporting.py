"""From a run or a spec to a file: written beside its place, compared with the original, and named where it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from archbuilder.aliases import Json
from archbuilder.atomic_files import whole_entries
from archbuilder.errors import ArchbuilderError, UsageError
from archbuilder.exporting.calibration import Accuracy, accuracy
from archbuilder.exporting.comparing import Comparison, compare
from archbuilder.exporting.folding import folded
from archbuilder.exporting.formats import DEFAULT, Format, LayerError, Options
from archbuilder.exporting.handover import Handover, of_run, of_spec
from archbuilder.formatting import percent, printable
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import Spec, edit, load
from archbuilder.spec.edits import Edits
from archbuilder.training.run.folder import Run, Which
from archbuilder.training.run.several import runs_in
from archbuilder.weights.choices import DEFAULT as NO_CHOICES
from archbuilder.weights.choices import Choices

Subject = str | Path | Spec | Run
"""A spec, by its name or path, or a run, by its folder."""
_WHICH: tuple[Which, ...] = get_args(Which)
_OF_SAVED_MODEL = "saved_model.pb"
"""What a folder has to hold to be replaced."""
_AMPLIFIED = (
    "some networks, such as deep ones without shortcuts, amplify each rounding; --no-compare writes it all the same"
)


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    files: tuple[Path, ...]
    """All files and folders, `path` first."""
    format: str
    comparison: Comparison | None
    """How far it is from the original; None where it was not compared."""
    notes: tuple[str, ...]
    """What a person should know."""
    accuracy: Accuracy | None = None
    """What integers cost on the test set of a run."""
    layers: tuple[LayerError, ...] = ()
    """What they cost each layer, where the format says it."""

    def to_json(self) -> Json:
        compared = self.comparison.to_json() if self.comparison else None
        files = [str(file) for file in self.files]
        return {**asdict(self), "path": str(self.path), "files": files, "comparison": compared}


def export(
    handover: Handover, path: Path, kind: Format, options: Options = DEFAULT, *, compared: bool = True,
    force: bool = False,
) -> Exported:  # fmt: skip
    """Writes a handover in a format.

    Raises UsageError where something is there already and `force` is not given, MissingError where a package is not
    installed, ArchbuilderError where what is written does not answer as the original does.
    """
    kind.require_options(options)
    kind.require(compared)
    require_free(kind.files(path), force)
    if kind.needs_keras or compared:
        load_tensorflow()
    with whole_entries(kind.files(path)) as folder:
        written = folder / path.name
        metadata = handover.metadata(kind.name, kind.bound if compared else None)
        if kind.bound is None and compared:
            metadata["compared"] = "by accuracy on the test set"
        handed = folded(handover) if options.fold_norms else handover
        layers = kind.module().write(handed, written, options, metadata) or ()
        file = kind.module().load(written, handed) if compared else None
        comparison = compare(handover, file) if file else None
        worth = accuracy(handover, file) if file and kind.bound is None else None
        if comparison is not None and kind.bound is not None:
            _require_equal(comparison, kind.name, kind.bound, path)
        if worth is not None:
            _require_worth(worth, path)
    notes = (*handover.notes, *_notes(handover, comparison, worth, kind))
    return Exported(path, kind.files(path), kind.name, comparison, notes, worth, tuple(layers))


def _notes(handover: Handover, comparison: Comparison | None, worth: Accuracy | None, kind: Format) -> Iterator[str]:
    if kind.name == "keras":
        from archbuilder.exporting.keras_file import notes

        yield from notes(handover.graph)
    if comparison is not None and kind.bound is not None and comparison.apart < kind.bound:
        yield f"all images give nearly the same (two differ by {comparison.apart:.1g}): the comparison says little"
    if comparison is not None and kind.bound is None and comparison.apart < comparison.difference:
        yield f"two of the images differ by less than that ({comparison.apart:.1g}): accuracy alone counts"
    if kind.bound is None and worth is None:
        yield "its accuracy was not measured: there is no test set"


def require_free(files: tuple[Path, ...], force: bool) -> None:
    """Raises UsageError rather than overwriting; with `force`, only for folders that are none of TensorFlow's."""
    for file in files:
        if not (file.exists() or file.is_symlink()):
            continue
        if not force:
            raise UsageError(f"{file} is there already: --force overwrites it")
        if file.is_dir() and any(file.iterdir()) and not (file / _OF_SAVED_MODEL).is_file():
            raise UsageError(f"{file} is a folder of something else, which --force does not overwrite")


def _require_worth(worth: Accuracy, path: Path) -> None:
    if not worth.holds:
        raise ArchbuilderError(
            f"{printable(str(path))} is not written: {told_worth(worth)}, which is too far from the original\n"
            "  hint: float16 is half as large and costs nothing"
        )


def told_worth(worth: Accuracy) -> str:
    """What a network is worth before and after."""
    if worth.metric == "mae":
        shown = f"mean absolute error {worth.exported:.4g} (original {worth.original:.4g})"
    else:
        shown = f"accuracy {percent(worth.exported)} (original {percent(worth.original)})"
    return f"{shown} on {worth.images:,} test images"


def _require_equal(comparison: Comparison, name: str, bound: float, path: Path) -> None:
    if not comparison.worst <= bound:
        raise ArchbuilderError(
            f"{printable(str(path))} is not written: what {name} gives differs by {comparison.worst:.2g} from the "
            f"original, and at most {bound:g} is let through (two images differ by {comparison.apart:.2g})\n"
            f"  hint: {_AMPLIFIED}"
        )


def handover_of(
    subject: Subject, weights: str | Path | None = None, choices: Choices = NO_CHOICES, edits: Edits = (), *,
    bare: bool = False,
) -> Handover:  # fmt: skip
    """What is handed over of a run, whose `weights` are best or final, or of a spec, whose `weights` are a file.

    Raises ArchbuilderError where there is none, UsageError where that is not told.
    """
    run = subject if isinstance(subject, Run) else _run_of(subject)
    if run is None:
        assert not isinstance(subject, Run)
        return _of_spec(subject, weights, choices, edits, bare)
    if edits:
        raise UsageError(
            f"edits change a spec, and {printable(str(run.folder))} is a run: its network is as it learned"
        )
    wanted = str(weights or "best")
    which = next((one for one in _WHICH if one == wanted), None)
    if which is None:
        raise UsageError(f"the weights of a run are best or final, not {printable(wanted)}")
    return of_run(run, which, bare=bare)


def _run_of(subject: str | Path | Spec) -> Run | None:
    from archbuilder.side_by_side.sides import run_folder

    folder = run_folder(subject)
    if folder is None:
        return None
    runs = runs_in(folder)
    if len(runs) > 1:
        names = ", ".join(printable(str(run.folder)) for run in runs[:3])
        raise UsageError(f"there are {len(runs)} runs in {printable(str(folder))}: name one, such as {names}")
    return runs[0]


def _of_spec(
    subject: str | Path | Spec, weights: str | Path | None, choices: Choices, edits: Edits, bare: bool
) -> Handover:
    spec = edit(subject, edits) if isinstance(subject, Spec) else load(subject, edits)
    path = None if weights is None else Path(weights)
    if path is not None and str(path) in _WHICH and not path.exists():
        raise UsageError(f"{path} weights are those of a run, and {printable(spec.name)} is a spec: --weights FILE")
    return of_spec(spec, path, choices, bare=bare)
