"""What does not go together in a recipe and its network, or its data: an error of `train`, a warning of `lint`.

Commands that do not train take no notice of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from archbuilder.graph import ops
from archbuilder.graph.ops import show
from archbuilder.graph.words import op_name
from archbuilder.linting.recipe import Found, Recipe, Rule
from archbuilder.spec.augmentation import Colours, Lighting
from archbuilder.spec.document import Path
from archbuilder.spec.framing import Resize
from archbuilder.spec.normalisation import Channels

INPUT: Path = ("input",)
OUTPUTS: Path = ("outputs",)
MOST_OUTPUTS = 4
"""The most outputs that are named one by one."""
SOURCE: Path = ("training", "data", "source")


def _outputs(recipe: Recipe) -> Iterator[Found]:
    names = recipe.graph.outputs
    if len(names) > 1:
        shown = [f"{name} ({show(recipe.graph[name].shape)})" for name in names[:MOST_OUTPUTS]]
        rest = [f"{len(names) - MOST_OUTPUTS:,} more"] if len(names) > MOST_OUTPUTS else []
        *most, last = [*shown, *rest]
        message = f"the network has {len(names):,} outputs, {', '.join(most)} and {last}"
        yield Found(OUTPUTS, f"{message}: only one can be trained")


def _head(recipe: Recipe) -> Iterator[Found]:
    """An activation at the end, dropout and flatten left aside, has to be a softmax, and the very last layer."""
    if (last := recipe.end) is None:
        return
    node = last
    while isinstance(node.op, ops.Flatten | ops.Dropout):
        node = recipe.graph[node.inputs[0]]
    if node.op.family != "activation":
        return
    if op_name(node.op) != "softmax":
        message = f"the network ends in '{op_name(node.op)}', but cross_entropy is the loss of a softmax"
        yield Found(node.span, message, (OUTPUTS,))
    elif node is not last:
        yield Found(last.span, f"'{op_name(last.op)}' follows the softmax, which has to be the last layer")


def _classes(recipe: Recipe) -> Iterator[Found]:
    last = recipe.end
    if last is not None and len(last.shape) > 1:
        message = f"the output {last.name} is {show(last.shape)}: what can be trained is one number for each class"
        yield Found(last.span, message, (OUTPUTS,))
    elif recipe.data is not None and last is not None and last.shape != (recipe.data.classes,):
        ending = f"the network '{recipe.spec.name}' ends in {show(last.shape)}"
        dense = next((node for node in reversed(recipe.graph.nodes) if isinstance(node.op, ops.Dense)), last)
        yield Found(
            dense.span, f"{ending}, but {recipe.data.name} has {recipe.data.classes} classes", (OUTPUTS, SOURCE)
        )


def _images(recipe: Recipe) -> Iterator[Found]:
    shape, data = recipe.graph.input.shape, recipe.data
    if data is None or data.shape is None:
        return
    first = 2 if recipe.training.is_framed else 0  # framing brings images to the input's size
    if shape[first:] != data.shape[first:]:
        message = f"the images of {data.name} are {show(data.shape)}, but the input is {show(shape)}"
        yield Found(INPUT, message, (SOURCE,))


def _crops(recipe: Recipe) -> Iterator[Found]:
    """The crops of resized images; the shorter side must be as long as both sides of the input."""
    needed, training = max(recipe.graph.input.shape[:2]), recipe.training
    for key, steps in (("augment", training.augment), ("testing", training.testing)):
        for index, step in enumerate(steps):
            if isinstance(step, Resize) and step.sides and step.sides[0] < needed:
                message = f"the crop takes {needed} pixels, but the shorter side may come to {step.sides[0]}"
                yield Found(("training", key, index, "resize", "shorter_side"), message, (INPUT,))


def _colours(recipe: Recipe) -> Iterator[Found]:
    channels = recipe.graph.input.shape[-1]
    for index, step in enumerate(recipe.training.augment):
        known = (3,) if isinstance(step, Lighting) else (1, 3)
        if isinstance(step, Colours) and channels not in known:
            wanted = " or ".join(map(str, known))
            message = f"'{step.kind}' needs {wanted} channels, but the input has {channels}"
            yield Found(("training", "augment", index), message, (INPUT,))


def _means(recipe: Recipe) -> Iterator[Found]:
    channels, how = recipe.graph.input.shape[-1], recipe.training.normalise
    if isinstance(how, Channels) and len(how.mean) != channels:
        message = f"means are given for {len(how.mean)} channels, but the input has {channels}"
        yield Found(("training", "normalise", "channels", "mean"), message, (INPUT,))


def _decay(recipe: Recipe) -> Iterator[Found]:
    doubled = next((node for node in recipe.graph.nodes if any(weight.l2 for weight in node.weights)), None)
    if recipe.training.weight_decay is not None and doubled is not None:
        message = f"the recipe decays weights, and l2 of the layers does so too, such as that of {doubled.name}"
        yield Found(("training", "weight_decay"), message, (recipe.penalised,))


def _hold_out(recipe: Recipe) -> Iterator[Found]:
    if recipe.images is not None and recipe.learned_from is None:
        yield Found(
            ("training", "data", "validation"), f"all {recipe.images:,} training images are held out", (SOURCE,)
        )


FITTING = (
    Rule("many-outputs", "Training needs one output, such as `outputs: [head]`.", _outputs),
    Rule("head-without-loss", "End in softmax, or in the layer before it: its values are then taken for logits.",
         _head),
    Rule("classes-differ", "The last dense layer needs a unit for each class.", _classes),
    Rule("images-differ", "The input has to be as the images are; with `resize` or a crop in `augment` or `testing`, "
         "height and width may differ.", _images),
    Rule("crop-too-large", "`shorter_side` has to be at least as long as the longer side of the input.", _crops),
    Rule("colours-without-channels", "Leave it out, or train on images in colour.", _colours),
    Rule("means-differ", "Give a mean and a deviation for each channel, or take `channel_mean_std`, which finds them.",
         _means),
    Rule("decays-twice", "Say it once: l2 in the layers (Keras' meaning), or weight_decay in the recipe (the papers' "
         "meaning).", _decay),
    Rule("nothing-to-learn-from", "`holdout` is a number of images or a share, and has to leave some.", _hold_out),
)  # fmt: skip
