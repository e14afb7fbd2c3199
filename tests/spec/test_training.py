"""The training section: the two recipes, what is read back, and where its mistakes are shown."""

import pytest

from archbuilder.errors import SpecError
from archbuilder.spec import Spec, augmentation, data, load_text, optimization
from archbuilder.spec.learning_rate import OneCycle, Steps, WarmUp
from archbuilder.spec.training import Keep, Training

NETWORK = """
archbuilder: 1
name: net
input: [8, 8, 1]
head: [flatten, {dense: {units: 10}}]
"""
KERAS_EXAMPLE = """training:
  data: {source: cifar10, validation: test}
  normalise: pixel_mean
  augment:
    - shift: {fraction: 0.1, fill: nearest}
    - flip: horizontal
  batch_size: 32
  stop: {epochs: 200}
  loss: {cross_entropy: {label_smoothing: 0}}
  optimizer: adam
  learning_rate:
    steps: {initial: 1e-3, unit: epochs, drops: {81: 1e-4, 121: 1e-5, 161: 1e-6, 181: 0.5e-6}}
  keep: {best: validation_accuracy, every_epochs: 1, last: 3}
  precision: float32
  seed: 0
"""
PAPER = """training:
  data: {source: cifar10, validation: {holdout: 5000}}
  normalise: pixel_mean
  augment: [{pad_crop: {pad: 4}}, {flip: horizontal}]
  batch_size: 128
  stop: {iterations: 64000}
  optimizer: {sgd: {momentum: 0.9, nesterov: false}}
  weight_decay: {coupled: 1e-4, kinds: [conv, dense]}
  learning_rate: {steps: {initial: 0.1, drops: {32000: 0.01, 48000: 0.001}, unit: iterations}}
"""
SHORT = """training:
  data: {source: {image_folder: {path: photos}}, validation: {holdout: 0.2}}
  stop: {epochs: 5}
  optimizer: adamw
  weight_decay: {decoupled: 0.05}
  learning_rate: {one_cycle: {peak: 1e-3, warmup: {iterations: 10}}}
"""


def load(section: str) -> Spec:
    return load_text(NETWORK + section, "spec.yaml")


def training(section: str) -> Training:
    found = load(section).training
    assert found is not None
    return found


def test_recipe_of_keras_example() -> None:
    recipe = training(KERAS_EXAMPLE)
    assert recipe.data == data.Data(source=data.Cifar10(), validation=data.OnTest())
    assert recipe.augment == (
        augmentation.Shift(fraction=0.1, fill="nearest"),
        augmentation.Flip(direction="horizontal"),
    )
    assert (recipe.batch_size, recipe.stop.epochs, recipe.stop.iterations) == (32, 200, None)
    assert recipe.optimizer == optimization.Adam(beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    assert recipe.learning_rate == Steps(
        initial=1e-3, unit="epochs", drops={81: 1e-4, 121: 1e-5, 161: 1e-6, 181: 0.5e-6}
    )
    assert recipe.weight_decay is None


def test_papers_recipe() -> None:
    recipe = training(PAPER)
    assert recipe.data.validation == data.Holdout(amount=5000)
    assert recipe.augment == (augmentation.PadCrop(pad=4), augmentation.Flip())
    assert recipe.optimizer == optimization.Sgd(momentum=0.9, nesterov=False)
    assert recipe.weight_decay == optimization.WeightDecay(coupled=1e-4, kinds=("conv", "dense"))
    assert recipe.learning_rate == Steps(initial=0.1, drops={32000: 0.01, 48000: 0.001})


def test_what_a_recipe_leaves_out() -> None:
    recipe = training(SHORT)
    assert recipe.data.source == data.ImageFolder(path="photos")
    assert (recipe.batch_size, recipe.precision, recipe.seed, recipe.augment) == (128, "auto", 0, ())
    assert recipe.loss == optimization.CrossEntropy()
    assert recipe.keep == Keep(best="validation_accuracy", last=3, every_epochs=1)
    assert recipe.learning_rate == OneCycle(peak=1e-3, warmup=WarmUp(iterations=10, initial=0.1, shape="linear"))
    digits = training(SHORT.replace("{image_folder: {path: photos}}, validation: {holdout: 0.2}", "digits"))
    assert digits.data == data.Data(source=data.Digits())
    assert digits.data.held_out(100) == data.Holdout(amount=0.1).count(100) == 10


ALL = SHORT.replace("one_cycle: {peak: 1e-3, warmup: {iterations: 10}}", "piecewise: {unit: epochs, points: {0: 0, 2.5: 0.1}, "
    "warmup: {until: {training_error: 0.8}, shape: constant}, plateau: {combine: multiplied}}") + """\
  accumulate: 4
  clip: {norm: 1.0}
  moving_average: {decay: 0.99}
  early_stopping: {watch: validation_accuracy, patience: 3}
"""  # fmt: skip


@pytest.mark.parametrize("section", [KERAS_EXAMPLE, PAPER, SHORT, ALL])
def test_a_dumped_recipe_loads_to_itself(section: str) -> None:
    spec = load(section)
    assert load_text(spec.dump(), "dump.yaml").training == spec.training


MISTAKES = [
    ("validation: test", "validation: {holdout: 1.5}", "bad-training", "1.5"),
    ("validation: test", "validation: {holdout: 0}", "bad-training", "0"),
    ("validation: test", "validation: {holdut: 5}", "unknown-kind", "holdut"),
    ("validation: test", "validation: {fold: {number: 6, of: 5}}", "bad-training", "number"),
    ("validation: test", "validation: {fold: {number: 0, of: 5}}", "bad-value", "0"),
    ("validation: test", "validation: {fold: {number: 1, of: 1}}", "bad-value", "1"),
    ("source: cifar10", "source: cifar", "unknown-kind", "cifar"),
    ("source: cifar10", "source: {npz: {file: x}}", "unknown-key", "file"),
    ("pixel_mean", "pixel_men", "unknown-kind", "pixel_men"),
    ("fraction: 0.1", "fraction: 1.5", "bad-value", "1.5"),
    ("flip: horizontal", "flip: sideways", "bad-value", "sideways"),
    ("flip: horizontal", "flop: horizontal", "unknown-kind", "flop"),
    ("batch_size: 32", "batch_size: 0", "bad-value", "0"),
    ("{epochs: 200}", "{epochs: 200, iterations: 5}", "bad-training", "{epochs: 200, iterations: 5}"),
    ("{epochs: 200}", "{}", "bad-training", "{}"),
    ("label_smoothing: 0", "label_smoothing: 1", "bad-value", "1"),
    ("cross_entropy:", "hinge:", "unknown-kind", "hinge"),
    ("optimizer: adam", "optimizer: adagrad", "unknown-kind", "adagrad"),
    ("optimizer: adam", "optimizer: {adam: {beta1: 0.9}}", "unknown-key", "beta1"),
    ("optimizer: adam", "optimizer: adamw", "bad-training", "optimizer"),
    ("seed: 0", "weight_decay: {coupled: 1e-4, decoupled: 1e-4}", "bad-training", "{coupled: 1e-4, decoupled: 1e-4}"),
    ("seed: 0", "weight_decay: {coupled: 1e-4, kinds: []}", "bad-training", "[]"),
    ("seed: 0", "weight_decay: {coupled: 1e-4, kinds: [convs]}", "bad-value", "convs"),
    ("seed: 0", "weight_decay: {l2: 1e-4}", "unknown-key", "l2"),
    ("seed: 0", "seed: -1", "bad-value", "-1"),
    ("121: 1e-5", "80: 1e-5", "bad-rate", "80"),
    ("121: 1e-5", "later: 1e-5", "bad-rate", "later"),
    ("121: 1e-5", "121: -1e-5", "bad-value", "-1e-5"),
    ("unit: epochs", "unit: fraction", "bad-rate", "81"),
    ("unit: epochs, drops: {81:", "unit: iterations, drops: {80.5:", "bad-rate", "80.5"),
    ("    steps:", "    step:", "unknown-kind", "step"),
    ("unit: epochs", "warmup: {initial: 0.1}, unit: epochs", "bad-rate", "{initial: 0.1}"),
    ("last: 3", "last: none", "bad-value", "none"),
    ("unit: epochs", "plateau: {patience: 5}, unit: epochs", "bad-rate", "{patience: 5}"),
    ("  learning_rate:", "  learning_rate:\n    plateau: {initial: 0.1}", "bad-rate", "plateau"),
    (
        "unit: epochs",
        "warmup: {until: {training_error: 0.8}}, unit: epochs",
        "bad-rate",
        "{until: {training_error: 0.8}}",
    ),
    ("unit: epochs", "warmup: {epochs: 1, fraction: 0.1}, unit: epochs", "bad-rate", "{epochs: 1, fraction: 0.1}"),
    ("seed: 0", "clip: {norm: 1, value: 1}", "bad-training", "{norm: 1, value: 1}"),
    ("seed: 0", "moving_average: {decay: 1}", "bad-value", "1"),
    ("seed: 0", "accumulate: 33", "bad-training", "accumulate"),
    ("seed: 0", "accumulate: 2\n  synchronise_norms: true", "bad-training", "synchronise_norms"),
    ("seed: 0", "xla: true\n  synchronise_norms: true", "bad-training", "xla"),
    ("seed: 0", "early_stopping: {watch: loss}", "bad-value", "loss"),
]


@pytest.mark.parametrize(("old", "new", "code", "token"), MISTAKES)
def test_a_mistake_is_shown_at_its_token(old: str, new: str, code: str, token: str) -> None:
    assert KERAS_EXAMPLE.count(old) == 1
    section = KERAS_EXAMPLE.replace(old, new)
    with pytest.raises(SpecError) as caught:
        load(section)
    shown = [(one.code, one.span) for one in caught.value.diagnostics]
    assert (code, token) in [(c, span.text[span.column - 1 :][: span.length]) for c, span in shown if span is not None]


def test_boundaries_in_epochs_and_fractions_need_not_be_whole() -> None:
    drops = training(KERAS_EXAMPLE.replace("81: 1e-4", "80.5: 1e-4")).learning_rate
    assert isinstance(drops, Steps)
    assert list(drops.drops) == [80.5, 121, 161, 181]
