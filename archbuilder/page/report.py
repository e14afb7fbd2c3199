"""What a page is of: a spec or a run, or several that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archbuilder.errors import UsageError
from archbuilder.page.one import page_of_run, page_of_spec
from archbuilder.page.page import Page
from archbuilder.side_by_side.sides import Subject, run_folder
from archbuilder.spec import Spec, load
from archbuilder.spec.edits import Edits


@dataclass(frozen=True, slots=True)
class Options:
    """What a page is to have, and what is said for it beside spec or run."""

    images: int | None = None
    """How many images there are to learn from, where a spec does not say it."""
    data_path: Path | None = None
    """Where the data of a run lies, if not where it was."""
    with_pictures: bool = True
    """Whether the images of mistakes are looked for."""
    batch_size: int | None = None
    """That of the memory of training where several are compared, by default the first recipe's."""


def page(subjects: Sequence[Subject], edits: Edits = (), options: Options = Options()) -> Page:
    """The page of a spec or of a run, or of several that are compared; `edits` change a spec.

    Raises ArchbuilderError where one cannot be read.
    """
    folders = [folder for one in subjects if (folder := run_folder(one)) is not None]
    if edits and (folders or len(subjects) > 1):
        raise UsageError("--set changes one spec: leave it out for runs, and where several are compared")
    if options.images and (folders or len(subjects) > 1):
        raise UsageError("--images is for one spec: a run knows how many images it learned from")
    if options.data_path and not (folders and len(subjects) == 1):
        raise UsageError("--data is for one run: it says where the images of its mistakes lie")
    if len(subjects) > 1:
        from archbuilder.page.several import page_of_several

        return page_of_several(subjects, options.batch_size)
    if folders:
        return _page_of_folder(folders[0], options)
    [subject] = subjects
    spec = subject if isinstance(subject, Spec) else load(subject, edits)
    return page_of_spec(spec, str(spec.name if isinstance(subject, Spec) else subject), options.images)


def _page_of_folder(folder: Path, options: Options) -> Page:
    from archbuilder.training.run.several import runs_in

    runs = runs_in(folder)
    if len(runs) > 1:
        from archbuilder.page.several import page_of_sweep

        return page_of_sweep(folder, runs)
    return page_of_run(runs[0], options.data_path, options.with_pictures)
