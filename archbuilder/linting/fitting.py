"""What does not go together in a recipe and its network, or its data: an error of `train`, a warning of `lint`.

Commands that do not train take no notice of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from archbuilder.formatting import counted, first_ten
from archbuilder.graph import ops
from archbuilder.graph.ops import show
from archbuilder.graph.parts import hint_for, left
from archbuilder.graph.words import op_name
from archbuilder.linting.recipe import Found, Recipe, Rule
from archbuilder.spec.augmentation import Colours, Lighting
from archbuilder.spec.data import Fold, Known, LabelKind
from archbuilder.spec.document import Path
from archbuilder.spec.framing import Resize
from archbuilder.spec.normalisation import Channels

INPUT: Path = ("input",)
OUTPUTS: Path = ("outputs",)
MOST_OUTPUTS = 4
"""The most outputs that are named one by one."""
SOURCE: Path = ("training", "data", "source")
LOSS: Path = ("training", "loss")
ACTIVATIONS: Mapping[LabelKind, str | None] = {"classes": "softmax", "flags": "sigmoid", "numbers": None}
"""The activation that a network may end in, by what its loss learns from."""


def _outputs(recipe: Recipe) -> Iterator[Found]:
    names = recipe.graph.outputs
    if len(names) > 1:
        shown = [f"{name} ({show(recipe.graph[name].shape)})" for name in names[:MOST_OUTPUTS]]
        rest = [f"{len(names) - MOST_OUTPUTS:,} more"] if len(names) > MOST_OUTPUTS else []
        *most, last = [*shown, *rest]
        message = f"the network has {len(names):,} outputs, {', '.join(most)} and {last}"
        yield Found(OUTPUTS, f"{message}: only one can be trained")


def _head(recipe: Recipe) -> Iterator[Found]:
    """An activation at the end, dropout and flatten left aside, has to be the loss's own, and the very last layer."""
    if (last := recipe.end) is None:
        return
    node = last
    while isinstance(node.op, ops.Flatten | ops.Dropout):
        node = recipe.graph[node.inputs[0]]
    if node.op.family != "activation":
        return
    loss, own, name = recipe.training.loss.kind, ACTIVATIONS[recipe.training.labels], op_name(node.op)
    if name != own:
        wanted = f"a {own}" if own else "numbers as they are"
        yield Found(node.span, f"the network ends in '{name}', but {loss} is the loss of {wanted}", (OUTPUTS, LOSS))
    elif node is not last:
        yield Found(last.span, f"'{op_name(last.op)}' follows the {own}, which has to be the last layer")


def _labels(recipe: Recipe) -> Iterator[Found]:
    """A loss of classes learns from classes, one of numbers from numbers; flags may be those of classes."""
    if recipe.data is None or recipe.data.labels == (wanted := recipe.training.labels):
        return
    if wanted == "flags" and recipe.data.labels == "classes":
        return
    message = f"{recipe.training.loss.kind} learns from {wanted}, but the images of {recipe.data.name} have"
    yield Found(LOSS, f"{message} {recipe.data.labels}", (SOURCE,))


def _classes(recipe: Recipe) -> Iterator[Found]:
    last = recipe.end
    if last is not None and len(last.shape) > 1:
        message = f"the output {last.name} is {show(last.shape)}: what can be trained is one number for each class"
        yield Found(last.span, message, (OUTPUTS,))
    elif recipe.data is not None and last is not None and last.shape[0] not in _widths(recipe, recipe.data):
        ending = f"the network '{recipe.spec.name}' ends in {show(last.shape)}"
        dense = next((node for node in reversed(recipe.graph.nodes) if isinstance(node.op, ops.Dense)), last)
        yield Found(dense.span, f"{ending}, but {recipe.data.name} has {_said(recipe.data)}", (OUTPUTS, SOURCE, LOSS))


def _widths(recipe: Recipe, data: Known) -> set[int]:
    """How many units the last layer may have; the sigmoid of one tells two classes apart."""
    of_two = recipe.training.labels == "flags" and data.labels == "classes" and data.classes == 2
    return {data.classes} | ({1} if of_two else set())


def _said(data: Known) -> str:
    match data.labels:
        case "classes":
            return f"{data.classes} classes"
        case "flags":
            return f"{data.classes} labels"
        case "numbers":
            return counted(data.classes, "number")
        case _:
            assert_never(data.labels)


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


def _order_of_colours(recipe: Recipe) -> Iterator[Found]:
    channels = recipe.graph.input.shape[-1]
    if recipe.training.colours == "bgr" and channels != 3:
        yield Found(("training", "colours"), f"'bgr' needs 3 channels, but the input has {channels}", (INPUT,))


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


def _until(recipe: Recipe) -> Iterator[Found]:
    """A warm-up until an error is reached needs answers that are right or wrong."""
    warmup = recipe.rate.warmup
    if recipe.training.is_regression and warmup and warmup.until:
        message = f"{recipe.training.loss.kind} has no share of wrong answers, until which a warm-up could last"
        yield Found(recipe.rate_path("warmup", "until", "training_error"), message, (LOSS,))


def _class_weights(recipe: Recipe) -> Iterator[Found]:
    """Weights of classes, and classes that are drawn alike, need one class an image."""
    given, kind = recipe.training.class_weights, recipe.data.labels if recipe.data else recipe.training.labels
    for key, is_said in (("class_weights", given is not None), ("sampling", recipe.training.sampling == "balanced")):
        if is_said and (kind == "numbers" or (kind == "flags" and recipe.data is not None)):
            what = "numbers" if kind == "numbers" else "several labels"
            yield Found(("training", key), f"'{key}' goes by the class of an image, but what is learned are {what}")
    if given is None or recipe.data is None or kind != "classes":
        return
    if isinstance(given, tuple) and len(given) != recipe.data.classes:
        message = f"{counted(len(given), 'weight')} for {recipe.data.name}, which has {_said(recipe.data)}"
        yield Found(("training", "class_weights"), message, (SOURCE,))
    elif isinstance(given, tuple) and not any(given):
        yield Found(("training", "class_weights"), "with a weight of 0 for each class, nothing is learned")
    if isinstance(given, dict) and recipe.data.names:
        names = {*recipe.data.names}
        for name in given:
            if name not in names:
                message = f"{recipe.data.name} has no class '{name}': {first_ten(recipe.data.names)}"
                yield Found(("training", "class_weights", name), message, (SOURCE,))


def _parts(recipe: Recipe) -> Iterator[Found]:
    """Parts that are frozen or have a rate of their own are parts of the network."""
    training, graph = recipe.training, recipe.graph
    frozen: list[Path] = [("training", "freeze", index) for index in range(len(training.freeze))]
    rated: list[Path] = [("training", "rate_factors", part) for part in training.rate_factors]
    known, trained = left(graph, ()), left(graph, training.freeze)
    for part, place in zip([*training.freeze, *training.rate_factors], [*frozen, *rated], strict=True):
        if part not in known:
            yield Found(place, f"there is no part '{part}' with weights in {graph.name}; {hint_for(graph, part)}")
        elif place in rated and part not in trained:
            yield Found(place, f"'{part}' is frozen, so that a factor of its rate changes nothing")
    if training.freeze and not trained:
        message = f"with {', '.join(training.freeze)} frozen, nothing of {graph.name} is left to train"
        yield Found(("training", "freeze"), message)


def _no_test(recipe: Recipe) -> Iterator[Found]:
    if recipe.data is not None and not recipe.data.has_test and recipe.training.data.test is None:
        yield Found(("training", "data"), f"{recipe.data.name} has no test images of its own", (SOURCE,))


def _two_tests(recipe: Recipe) -> Iterator[Found]:
    if recipe.data is not None and recipe.data.has_test and recipe.training.data.test is not None:
        message = f"{recipe.data.name} has test images of its own, so that none are set apart"
        yield Found(("training", "data", "test"), message, (SOURCE,))


def _hold_out(recipe: Recipe) -> Iterator[Found]:
    if recipe.images is None or recipe.learned_from is not None:
        return
    validation = recipe.training.data.validation
    message = f"all {recipe.images:,} training images are held out"
    if isinstance(validation, Fold):
        message = f"{recipe.images:,} training images cannot be parted into {validation.of:,} folds"
    yield Found(("training", "data", "validation"), message, (SOURCE,))


LABELS = Rule(
    "labels-without-loss",
    "Take `loss: cross_entropy` for one class an image, `loss: binary_cross_entropy` for two classes or several "
    "labels, `loss: mean_squared_error` for numbers.",
    _labels,
)
FITTING = (
    Rule("many-outputs", "Training needs one output, such as `outputs: [head]`.", _outputs),
    Rule("head-without-loss", "End in the loss's own activation, or in the layer before it: softmax for "
         "cross_entropy, sigmoid for binary_cross_entropy, none for mean_squared_error and huber.",
         _head),
    LABELS,
    Rule("classes-differ", "The last dense layer needs a unit for each class, label or number; of two classes, the "
         "sigmoid of one unit tells.", _classes),
    Rule("images-differ", "The input has to be as the images are; with `resize` or a crop in `augment` or `testing`, "
         "height and width may differ.", _images),
    Rule("crop-too-large", "`shorter_side` has to be at least as long as the longer side of the input.", _crops),
    Rule("colours-without-channels", "Leave it out, or train on images in colour.", _colours),
    Rule("order-without-colours", "Leave `colours` out, or train on images in colour.", _order_of_colours),
    Rule("means-differ", "Give a mean and a deviation for each channel, or take `channel_mean_std`, which finds them.",
         _means),
    Rule("decays-twice", "Say it once: l2 in the layers (Keras' meaning), or weight_decay in the recipe (the papers' "
         "meaning).", _decay),
    Rule("class-weights-differ", "Such as `class_weights: balanced`, `{cat: 2, dog: 1}`, or a list with one number for "
         "each class; `sampling: balanced` is for classes, too.", _class_weights),
    Rule("until-without-classes", "Say how long it lasts, such as `warmup: {epochs: 5}`: numbers are never wrong.",
         _until),
    Rule("part-differs", "Name parts as `build --summary` shows them, such as `freeze: [stem, stage1, norms]` "
         "and `rate_factors: {head: 10}`.", _parts),
    Rule("no-test-images", "`data: {..., test: {holdout: 0.2}}` sets a fifth of the images apart, by class.", _no_test),
    Rule("two-tests", "Leave `test` out, or the data's own test part.", _two_tests),
    Rule("nothing-to-learn-from", "`holdout` is a number of images or a share, and has to leave some; each fold needs "
         "an image.", _hold_out),
)  # fmt: skip
