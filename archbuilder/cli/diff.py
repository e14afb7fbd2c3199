"""archbuilder diff"""

from __future__ import annotations

import sys

import click

from archbuilder.cli.options import SpecType, edits_option, json_option, json_text, print_notes, without_collection
from archbuilder.cli.printing import report, say
from archbuilder.errors import ArchbuilderError, UsageError


@click.command()
@click.argument("sides", type=SpecType(), nargs=-1, metavar="A [B]")
@json_option
@click.option("--git", "is_driver", is_flag=True, help="Be git's external diff: take its seven arguments, exit with 0.")
@edits_option
def command(sides: tuple[str, ...], as_json: bool, is_driver: bool, edits: tuple[str, ...]) -> None:
    """Say what changes from A to B, in the network and in its recipe, and what each change costs.

    A and B are specs, REV:path of a git repository, folders of runs, or .keras files. Edits by --set apply to B;
    without B, they lead from A to A as edited. Exit code 0 if nothing changes, 1 if something does. The keys of --json
    are in docs/diff.md, which also says how to make git show its own diffs so.

    \b
    Examples:
      archbuilder diff he2015/resnet20 resnet20_v1
      archbuilder diff he2015/resnet20 --set shortcut=projection
      archbuilder diff HEAD:mine.yaml mine.yaml
      archbuilder diff runs/first runs/second --json
    """
    if is_driver:
        _drive(sides)
        return
    if len(sides) == 1 and edits:
        sides = (*sides, *sides)
    if len(sides) != 2:
        raise UsageError("two sides are needed, A and B, or A and what --set changes in it")
    from archbuilder.disk_cache import kept_text

    answer = kept_text(sides, edits, f"diff {as_json}", lambda: _difference(sides, edits, as_json))
    code, _, text = answer.partition(" ")
    say(text)
    sys.exit(int(code))


def _difference(sides: tuple[str, ...], edits: tuple[str, ...], as_json: bool) -> str:
    """The exit code, and behind a blank what changes."""
    with without_collection():
        from archbuilder.comparison.difference import difference
        from archbuilder.graph.words import left_out
        from archbuilder.side_by_side.sides import side

        before, after = side(sides[0]), side(sides[1], edits)
        print_notes(note for one in (before, after) for note in left_out(one.graph))
        found = difference(before, after)
    return f"{0 if found.same else 1} {json_text(found.to_json()) if as_json else found}"


def _drive(arguments: tuple[str, ...]) -> None:
    """What git calls for each file that differs; whatever is wrong with the file is part of what is shown."""
    from archbuilder.comparison.comparison import identity
    from archbuilder.comparison.difference import difference
    from archbuilder.comparison.result import total_words
    from archbuilder.side_by_side.sides import driver_sides

    try:
        path, before, after = driver_sides(arguments)
        if before is not None and after is not None:
            say(f"{difference(before, after)}\n")
        elif (there := before or after) is not None:
            say(f"{path} is {'new' if before is None else 'deleted'}: {total_words(identity(there.graph))}\n")
        else:
            say(f"{path} is unmerged\n")
    except UsageError:
        raise
    except ArchbuilderError as error:
        report(f"{error}\n  hint: git diff --no-ext-diff shows the file's lines\n", err=False)
