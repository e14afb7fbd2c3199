"""Writes docs/gallery.md and its pictures, as the commands on the page draw them: `python docs/gallery.py`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from archbuilder.cli.draw import command

DOCS = Path(__file__).parent
FOLDER = DOCS / "images" / "gallery"
PAGE = DOCS / "gallery.md"


class Figure(NamedTuple):
    """A picture of the page."""

    heading: str
    text: str
    file: str
    arguments: str
    """Those of `archbuilder draw`, without the file."""


FIGURES = (
    Figure(
        "A residual unit (He et al. 2015, figure 2)",
        "What arrives, the residual F, the shortcut, and their sum. The width is that of a column of the paper.",
        "figure2.svg",
        "he2015/resnet34 --unit stage1/unit2 --width 82mm",
    ),
    Figure(
        "Three networks of equal sizes (He et al. 2015, figure 3)",
        "VGG-19, the plain network of 34 layers and the residual one, upright; down the side stands the size of what\n"
        "layers return, and layers of one size stand at one height.",
        "figure3.svg",
        "related/vgg19 he2015/plain34 he2015/resnet34 --level unit --legend",
    ),
    Figure(
        "The basic unit and the bottleneck (He et al. 2015, figure 5)",
        "The unit of ResNet-34 beside that of ResNet-50.",
        "figure5.svg",
        "he2015/resnet34 he2015/resnet50 --unit stage1/unit2 --width 120mm",
    ),
    Figure(
        "Five places for norm and activation (He et al. 2016, figure 4)",
        "The original unit, norm after addition, ReLU before addition, ReLU alone before convolutions, and all before\n"
        "them. At the width of the paper's page they take two rows.",
        "figure4_2016.svg",
        "he2016/resnet110_original he2016/resnet110_norm_after_addition he2016/resnet110_relu_before_addition "
        "he2016/resnet110_relu_preactivation he2016/resnet110 --unit stage1/unit2 --width 174mm",
    ),
    Figure(
        "Six shortcuts (He et al. 2016, figure 2)",
        "The original shortcut and five that train worse: both paths halved, both gated, the shortcut alone gated, a\n"
        "convolution, dropout.",
        "figure2_2016.svg",
        "he2016/resnet110_original he2016/resnet110_constant_scaling he2016/resnet110_exclusive_gating "
        "he2016/resnet110_shortcut_gating he2016/resnet110_conv_shortcut he2016/resnet110_dropout_shortcut "
        "--unit stage1/unit2",
    ),
    Figure(
        "A whole network",
        "Equal units are drawn once. Shortcuts are solid where they are the identity, dashed where they have weights.",
        "resnet152.svg",
        "he2015/resnet152 --title ResNet-152 --totals --legend",
    ),
    Figure(
        "Units to which ever more channels arrive",
        "In DenseNet each unit adds its channels to those that it takes in; the frame says from how many to how many.",
        "densenet.svg",
        "related/densenet_bc100",
    ),
    Figure(
        "A column of a page, in grey",
        "The letters of a picture whose width is given are at least 7 points high.",
        "column.svg",
        "he2015/resnet18 --width 85mm --theme grey --legend",
    ),
    Figure(
        "From left to right, on a dark slide",
        "The transform H of a highway unit, its gate T and the carry C come to the merge on lines of their own.",
        "highway.svg",
        "related/highway19 --direction right --theme dark",
    ),
)
MERMAID = "plain20_v1"
INTRODUCTION = """\
# Gallery

Written by `python docs/gallery.py`; the tests fail where it differs from the code. Each picture is one command. All
options stand in [pictures](pictures.md).
"""


def written() -> dict[Path, str]:
    """All files of the gallery with what is in them."""
    pictures = {FOLDER / figure.file: drawn(f"{figure.arguments} -o -") for figure in FIGURES}
    return {PAGE: "\n".join([INTRODUCTION, *map(section, FIGURES), *mermaid()]), **pictures}


def drawn(arguments: str) -> str:
    """What `archbuilder draw` writes to standard output."""
    done = CliRunner().invoke(command, shlex.split(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def section(figure: Figure) -> str:
    line = f"$ archbuilder draw {figure.arguments} -o {figure.file}"
    return (
        f"## {figure.heading}\n\n{figure.text}\n\n```console\n{line}\n{figure.file}\n```\n\n"
        f"![{figure.heading}](images/gallery/{figure.file})\n"
    )


def mermaid() -> Iterator[str]:
    """The last picture, which GitHub draws itself."""
    yield "## As text, for GitHub\n\nGitHub draws what stands in a block of Mermaid, as this one does.\n"
    yield f"```console\n$ archbuilder draw {MERMAID} -o {MERMAID}.mmd\n{MERMAID}.mmd\n```\n"
    yield f"```mermaid\n{drawn(f'{MERMAID} --format mermaid -o -')}```\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
