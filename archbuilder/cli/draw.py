"""archbuilder draw"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archbuilder.cli.options import SpecType, edits_option, print_notes
from archbuilder.cli.printing import say, write_document

if TYPE_CHECKING:
    from archbuilder.diagram.files import Picture
    from archbuilder.diagram.formats import Format

STANDARD_OUTPUT = Path("-")


@click.command()
@click.argument("specs", type=SpecType(), nargs=-1, required=True, metavar="SPEC...")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The file; its extension svg, png, pdf, dot or mmd says the format. - is standard output.  "
              "[default: SPEC.svg]")  # fmt: skip
@click.option("--format", "kind", type=click.Choice(["svg", "png", "pdf", "dot", "mermaid"]),
              help="The format, whatever the extension says.")  # fmt: skip
@click.option("--level", type=click.Choice(["stage", "unit", "layer"]),
              help="Stages with equal units folded, every unit, or every layer.  "
              "[default: stage; layer with --unit]")  # fmt: skip
@click.option("--unit", metavar="NAME", help="Draw one unit close up, such as stage2/unit1.")
@click.option("--title", metavar="TEXT", help="A title above the picture.")
@click.option("--totals", is_flag=True, help="Depth, parameters and multiply-adds below the title.")
@click.option("--legend", is_flag=True, help="What colours and lines mean, below the picture.")
@click.option("--direction", type=click.Choice(["down", "right"]), default="down", show_default=True,
              help="Where the network leads.")  # fmt: skip
@click.option("--theme", type=click.Choice(["light", "dark", "grey", "colour-blind"]), default="light",
              show_default=True, help="The colours.")  # fmt: skip
@click.option("--background", type=click.Choice(["theme", "none"]), default="theme", show_default=True,
              help="The paper; without one, arrows in SVG take the colour of the words around it.")  # fmt: skip
@click.option("--width", metavar="LENGTH", help="The width of the picture, such as 85mm, with type of 7pt at least.")
@edits_option
def command(
    specs: tuple[str, ...], output: Path | None, kind: Format | None, edits: tuple[str, ...], **asked: Any
) -> None:
    """Draw the network of SPEC, or several side by side with equal sizes at equal heights.

    Shortcuts are solid where they are the identity, dashed where they project, and dotted where they change the
    shape without weights.

    \b
    Examples:
      archbuilder draw resnet20_v1
      archbuilder draw resnet56_v2 -o resnet56.pdf --level unit
      archbuilder draw my_network.yaml -o wider.svg --set stages.2.filters=128
      archbuilder draw he2015/resnet50 --unit stage2/unit1 -o unit.svg
      archbuilder draw related/vgg19 he2015/plain34 he2015/resnet34 --level unit -o figure3.pdf
      archbuilder draw he2015/resnet18 -o column.pdf --width 85mm --theme grey --legend
      archbuilder draw resnet20_v1 -o - --format mermaid
    """
    from archbuilder.diagram.formats import EXTENSIONS, TEXTS, format_of, write
    from archbuilder.disk_cache import is_bundled, kept_text

    @cache
    def drawn() -> Picture:
        from archbuilder.diagram.options import Options
        from archbuilder.diagram.picture import picture
        from archbuilder.expansion.expansion import expand
        from archbuilder.graph.words import left_out
        from archbuilder.spec import load

        graphs = [expand(load(spec, edits)) for spec in specs]
        print_notes(note for graph in graphs for note in left_out(graph))
        return picture(graphs, Options(**asked))

    def content() -> bytes:
        if chosen not in TEXTS:
            return drawn().content(chosen)
        of = f"{chosen} {sorted(asked.items())}"
        return kept_text(specs, edits, of, lambda: drawn().content(chosen).decode()).encode()

    chosen = kind or ("svg" if output in (None, STANDARD_OUTPUT) else format_of(output))
    if output == STANDARD_OUTPUT:
        write_document(content())
        return
    if output is None:
        names = specs if all(map(is_bundled, specs)) else [name for name, _ in drawn().parts]
        extension = next(key for key, each in EXTENSIONS.items() if each == chosen)
        output = Path(f"{'-'.join(Path(name).name for name in names)}.{extension}")
    say(write(output, content))
