"""A corpus of mutations of bundled specs, each of one kind: one line says it, both ways round, and effects add up."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest

from archbuilder.comparison.difference import Compared, Difference, difference, render
from archbuilder.expansion.expansion import expand
from archbuilder.outline.shapes import total
from archbuilder.spec import load, load_text
from tests.comparison.networks import network
from tests.conftest import Golden
from tests.zoo import spec_of

CIFAR, IMAGENET = "he2015/resnet20", "he2015/resnet50"


class Mutation(NamedTuple):
    base: str
    code: str
    edits: tuple[str, ...]
    common: tuple[str, ...] = ()
    """Edits of both sides."""


def of(base: str, code: str, *edits: str) -> Mutation:
    return Mutation(base, code, edits)


def given(common: tuple[str, ...], code: str, *edits: str) -> Mutation:
    return Mutation(CIFAR, code, edits, common)


CSV = ("training.data.source=csv",)
FOLD = ("training.data.validation={fold: {number: 1, of: 5}}",)
REGRESSION = ("training.loss=huber", "training.keep.best=validation_mae")
NETWORK = (
    of(CIFAR, "input", "input=[64, 64, 3]"),
    of(CIFAR, "input", "input=[32, 32, 1]"),
    of(CIFAR, "stages", "stages=[{units: 3, filters: 16}, {units: 3, filters: 32, stride: 2}]"),
    of(CIFAR, "units", "stages.1.units=4"),
    of(CIFAR, "units", "stages.0.units=5", "stages.1.units=5", "stages.2.units=5"),
    of("related/densenet_bc100", "units", "stages.1.units=12"),
    of("torchvision/efficientnet_b0", "units", "stages.2.units=3"),
    of("torchvision/convnext_tiny", "units", "stages.1.units=4"),
    of("torchvision/mobilenet_v2", "units", "stages.2.units=4"),
    of(CIFAR, "stem", "stem=[{conv: {filters: 16, kernel: 3}}, norm]"),
    of(IMAGENET, "stem", "stem=[{conv: {filters: 64, kernel: 7, stride: 2}}, norm, relu]"),
    of(IMAGENET, "stem", "stem.3={average_pool: {size: 3, stride: 2, padding: same}}"),
    of(IMAGENET, "stem",
       "stem=[{conv: {filters: 32, kernel: 3, stride: 2}}, norm, relu, {conv: {filters: 32, kernel: 3}}, norm, relu, "
       "{conv: {filters: 64, kernel: 3}}, norm, relu, {max_pool: {size: 3, stride: 2, padding: same}}]"),
    of(CIFAR, "conv", "stem.0.conv.kernel=5"),
    of(CIFAR, "conv", "stem.0.conv.stride=2"),
    of(CIFAR, "activation-function", "stem.2=gelu"),
    of(IMAGENET, "max-pool", "stem.3.max_pool.size=2"),
    of(IMAGENET, "max-pool-padding", "stem.3.max_pool.padding=symmetric"),
    of(CIFAR, "head", "head=[global_average_pool, {dropout: {rate: 0.2}}, {dense: {units: 10}}, softmax]"),
    of(CIFAR, "head", "head=[global_average_pool, {dense: {units: 64}}, relu, {dense: {units: 10}}, softmax]"),
    of(CIFAR, "head", "head=[global_max_pool, {dense: {units: 10}}, softmax]"),
    of(CIFAR, "head", "head=[flatten, {dense: {units: 10}}, softmax]"),
    of(CIFAR, "head", "head=[global_average_pool, {dense: {units: 10}}]"),
    of(CIFAR, "activation-function", "head=[global_average_pool, {dense: {units: 10}}, sigmoid]"),
    of(CIFAR, "dense-units", "head.1.dense.units=100"),
    of(CIFAR, "dense-bias", "head.1.dense.bias=false"),
    of("related/vgg16", "dense-units", "head.1.dense.units=2048"),
    of(CIFAR, "stage1", "stages.0.after=[dropout: {rate: 0.1}]"),
    of("related/densenet_bc100", "stage1", "stages.0.after=[norm, relu, {conv: {filters: 108, kernel: 1}}]"),
    of(CIFAR, "shortcut", "shortcut=projection"),
    of(CIFAR, "shortcut", "shortcut=bare_projection"),
    of(CIFAR, "shortcut", "shortcut=projection_always"),
    of(CIFAR, "shortcut", "shortcut=none"),
    of(CIFAR, "shortcut", "stages.1.first={shortcut: projection}"),
    of(IMAGENET, "shortcut", "shortcut=zero_pad"),
    of(CIFAR, "unit-kind", "unit=bottleneck"),
    of(IMAGENET, "unit-kind", "unit=basic"),
    of(CIFAR, "activation-order", "unit=preactivated_basic"),
    of(IMAGENET, "activation-order", "unit=preactivated_bottleneck"),
    of("he2016/resnet110_relu_before_addition", "activation-order", "unit=basic"),
    of(CIFAR, "unit-layers", "unit={basic: {attention: squeeze_excitation}}"),
    of(CIFAR, "unit-layers", "unit={basic: {attention: cbam}}"),
    of(CIFAR, "unit-layers", "unit={basic: {attention: efficient_channel_attention}}"),
    of(CIFAR, "unit-layers", "unit={basic: {before_sum: [stochastic_depth: {rate: 0.1}]}}"),
    of(CIFAR, "unit-layers", "unit={basic: {before_sum: [stochastic_depth: {rate: '${0.1 * index / count}'}]}}"),
    of(CIFAR, "unit-layers", "unit={basic: {before_sum: [dropout: {rate: 0.1}]}}"),
    of(CIFAR, "unit-layers", "unit={basic: {before_sum: [scale: {factor: 0, learned: scalar}]}}"),
    of(CIFAR, "unit-layers", "unit={basic: {activation: prelu}}"),
    of("resnet20_v2", "unit-layers", "stages.1.first={preactivate: false}"),
    of("resnet20_v2", "unit-layers", "stages.0.first.preactivate=true"),
    of(CIFAR, "activation-function", "unit={basic: {activation: gelu}}"),
    of(CIFAR, "stride", "stages.2.stride=1"),
    of(CIFAR, "stride", "stages.1.stride=4"),
    of(CIFAR, "stride", "stages.1.stride=1", "stages.1.last={stride: 2}"),
    of(IMAGENET, "stride", "unit={bottleneck: {stride_on: spatial}}"),
    of(IMAGENET, "stride", "stages.1.stride_on=spatial"),
    of(CIFAR, "widths", "stages.0.filters=32"),
    of("related/wide_resnet28_10", "widths", "stages.0.filters=320"),
    of("related/densenet_bc100", "widths", "stages.1.growth=24"),
    of("torchvision/mobilenet_v2", "widths", "stages.2.expansion=4"),
    of("torchvision/mobilenet_v2", "widths", "stages.1.filters=32"),
    of(IMAGENET, "expansion", "unit={bottleneck: {expansion: 2}}"),
    of(IMAGENET, "expansion", "stages.2.expansion=2"),
    of(IMAGENET, "conv-groups", "unit={bottleneck: {groups: 32}}"),
    of(CIFAR, "conv-dilation", "stages.0.dilation=2"),
    of(CIFAR, "conv-bias", "defaults.conv.bias=true"),
    of("related/vgg16", "conv-bias", "defaults.conv.bias=false"),
    of(CIFAR, "conv-padding", "defaults.conv.padding=same"),
    of(CIFAR, "norm-epsilon", "defaults.norm.epsilon=1e-3"),
    of(CIFAR, "norm-momentum", "defaults.norm.momentum=0.99"),
    of(CIFAR, "norm-scale", "defaults.norm.scale=false"),
    of(CIFAR, "norm", "defaults.norm={over: group, groups: 8}"),
    of(CIFAR, "norm", "defaults.norm={over: layer}"),
    of(CIFAR, "outputs", "outputs=[stage2, head]"),
    of("related/fpn_resnet50", "layers", "stages.1.units=5"),
    of("related/unet_resnet34", "norm-epsilon", "defaults.norm.epsilon=1e-2"),
    of(CIFAR, "conv-l2", "defaults.conv.l2=1e-4"),
    of(CIFAR, "conv-initializer", "defaults.conv.initializer=glorot_uniform"),
    of(CIFAR, "norm-zero-scale", "unit={basic: {norm: [norm: {zero_scale: true}]}}"),
)  # fmt: skip
RECIPE = (
    of(CIFAR, "data.source", "training.data.source=cifar100"),
    of(CIFAR, "data.validation", "training.data.validation=test"),
    of(CIFAR, "data.validation.amount", "training.data.validation={holdout: 1000}"),
    of(CIFAR, "data.validation", "training.data.validation={fold: {number: 2, of: 5}}"),
    of(CIFAR, "data.validation", "training.data.validation=null"),
    given(FOLD, "data.validation", "training.data.validation={fold: {number: 2, of: 10}}"),
    of(CIFAR, "data.test", "training.data.test={holdout: 0.2}"),
    of(CIFAR, "data.on_unreadable", "training.data.on_unreadable={skip: 0.1}"),
    of(CIFAR, "data.source", "training.data.source={csv: {path: table.csv, labels: [cat, dog]}}"),
    given(CSV, "data.source.labels", "training.data.source={csv: {labels: [cat, dog]}}"),
    given(CSV, "data.source.image", "training.data.source={csv: {image: photo}}"),
    given(CSV, "data.source.part", "training.data.source={csv: {part: set}}"),
    of(CIFAR, "colours", "training.colours=bgr"),
    of(CIFAR, "normalise", "training.normalise=channel_mean_std"),
    of(CIFAR, "augment", "training.augment=[flip: horizontal]"),
    of(CIFAR, "augment", "training.augment=[pad_crop: {pad: 4}, flip: horizontal, cutout: 16]"),
    of(CIFAR, "augment", "training.augment=[flip: horizontal, pad_crop: {pad: 4}]"),
    of(CIFAR, "augment", "training.augment=[shift: {fraction: 0.1}, flip: horizontal]"),
    of(CIFAR, "augment.0.pad_crop.pad", "training.augment=[pad_crop: {pad: 2}, flip: horizontal]"),
    of(CIFAR, "augment.1.flip.direction", "training.augment=[pad_crop: {pad: 4}, flip: vertical]"),
    of(IMAGENET, "testing", "training.testing=[resize: {shorter_side: 256}, centre_crop]"),
    of(CIFAR, "batch_size", "training.batch_size=256"),
    of(CIFAR, "accumulate", "training.accumulate=4"),
    of(CIFAR, "synchronise_norms", "training.synchronise_norms=true"),
    of(CIFAR, "stop", "training.stop={epochs: 100}"),
    of(CIFAR, "stop", "training.stop={iterations: 32000}"),
    of(CIFAR, "early_stopping", "training.early_stopping={patience: 5}"),
    of(CIFAR, "loss.label_smoothing", "training.loss={cross_entropy: {label_smoothing: 0.1}}"),
    of(CIFAR, "loss", "training.loss=binary_cross_entropy"),
    of(CIFAR, "loss", "training.loss=mean_squared_error", "training.keep.best=validation_mae"),
    given(REGRESSION, "loss.delta", "training.loss={huber: {delta: 2.0}}"),
    given(REGRESSION, "keep.best", "training.keep.best=validation_loss"),
    of(CIFAR, "class_weights", "training.class_weights=balanced"),
    of(CIFAR, "class_weights", "training.class_weights={cat: 2, dog: 0.5}"),
    of(CIFAR, "class_weights", "training.class_weights=[1, 1, 1, 1, 1, 1, 1, 1, 1, 3]"),
    of(CIFAR, "sampling", "training.sampling=balanced"),
    of(CIFAR, "freeze", "training.freeze=[stem, stage1]"),
    of(CIFAR, "rate_factors", "training.rate_factors={head: 10, stem: 0.1}"),
    of(CIFAR, "optimizer", "training.optimizer=adam"),
    of(CIFAR, "optimizer", "training.optimizer={rmsprop: {momentum: 0.9, epsilon: 1e-3}}"),
    of(CIFAR, "optimizer.momentum", "training.optimizer.sgd.momentum=0.8"),
    of(CIFAR, "optimizer.nesterov", "training.optimizer.sgd.nesterov=true"),
    of(CIFAR, "weight_decay", "training.weight_decay=null"),
    of(CIFAR, "weight_decay.coupled", "training.weight_decay.coupled=5e-4"),
    of(CIFAR, "weight_decay", "training.weight_decay={coupled: null, decoupled: 1e-4}"),
    of(CIFAR, "weight_decay.kinds", "training.weight_decay.kinds=[conv, dense, norm, bias]"),
    of(CIFAR, "clip", "training.clip={norm: 1.0}"),
    of(CIFAR, "moving_average", "training.moving_average={decay: 0.99}"),
    of(CIFAR, "learning_rate", "training.learning_rate={exponential: {initial: 0.1, factor: 0.97, every: 2.4}}"),
    of(CIFAR, "learning_rate", "training.learning_rate={cosine: {initial: 0.1}}"),
    of(CIFAR, "learning_rate", "training.learning_rate={steps: {initial: 0.1, unit: epochs, drops: {80: 0.01}}}"),
    of(CIFAR, "learning_rate.initial", "training.learning_rate.steps.initial=0.2"),
    of(CIFAR, "learning_rate.drops", "training.learning_rate.steps.drops={32000: 0.01}"),
    of(CIFAR, "learning_rate.warmup", "training.learning_rate.steps.warmup={iterations: 400}"),
    of("resnet20_v1", "learning_rate.plateau", "training.learning_rate.steps.plateau=null"),
    of("resnet20_v1", "learning_rate.plateau.patience", "training.learning_rate.steps.plateau.patience=9"),
    of(CIFAR, "keep.best", "training.keep.best=validation_loss"),
    of(CIFAR, "keep.last", "training.keep.last=5"),
    of(CIFAR, "precision", "training.precision=float32"),
    of(CIFAR, "seed", "training.seed=7"),
)  # fmt: skip


def side(base: str, edits: tuple[str, ...] = (), called: str = "") -> Compared:
    spec = load(base, edits) if edits else spec_of(base)
    is_recipe = edits and all(edit.startswith("training") for edit in edits)
    graph = network(base, () if is_recipe else edits)
    return Compared(replace(graph, name=called or base), spec.training)


@cache
def both_ways(mutation: Mutation) -> tuple[Difference, Difference]:
    base, common = mutation.base, mutation.common
    plain, mutant = side(base, common), side(base, (*common, *mutation.edits), "mutant")
    return difference(plain, mutant), difference(mutant, plain)


def name_of(mutation: Mutation) -> str:
    return f"{mutation.base}: {mutation.edits[0][:40]}"


@pytest.mark.parametrize("mutation", NETWORK, ids=name_of)
def test_one_line_says_a_change_of_the_network(mutation: Mutation) -> None:
    for found in both_ways(mutation):
        [change] = (*found.network, *found.recipe)
        assert change.code == mutation.code, render(found)
        assert total(one.effect for one in found.network) == found.after.costs - found.before.costs
        assert not found.same


@pytest.mark.parametrize("mutation", RECIPE, ids=name_of)
def test_one_line_says_a_change_of_the_recipe(mutation: Mutation) -> None:
    for found in both_ways(mutation):
        [change] = found.recipe
        assert change.code == f"training.{mutation.code}", render(found)
        assert not found.network


def test_the_corpus_has_no_catch_all() -> None:
    """Nor a kind of change that says the same whatever changed."""
    assert "further" not in {mutation.code for mutation in NETWORK}
    assert len(NETWORK) >= 60
    assert len({mutation.code for mutation in NETWORK}) >= 30


def test_the_sentences(golden: Golden) -> None:
    lines = []
    for mutation in (*NETWORK, *RECIPE):
        found, _ = both_ways(mutation)
        lines += [
            f"{mutation.base} {' '.join((*mutation.common, *mutation.edits))}",
            *(f"  {one.message}" for one in (*found.network, *found.recipe)),
        ]
    golden("diff/sentences.txt", "\n".join(lines) + "\n")


def test_several_changes_add_up() -> None:
    found = difference(side(CIFAR), side("resnet56_v2"))
    assert len(found.network) > 3
    assert total(one.effect for one in found.network) == found.after.costs - found.before.costs


SPELLINGS = (
    (CIFAR, ("stem.0.conv.kernel=[3, 3]",
             "head=[{average_pool: {size: 8, stride: 1}}, flatten, {dense: {units: 10}}, softmax]")),
    (CIFAR, ("training.weight_decay.kinds=[dense, conv]", "training.loss=cross_entropy")),
    (CIFAR, ("unit={basic: {activation: relu, attention: []}}", "training.optimizer=sgd")),
    (CIFAR, ("stages.0.after=[dropout: {rate: 0}]", "outputs=[head]")),
    (CIFAR, ("name=other", "summary=Another name.")),
)  # fmt: skip


@pytest.mark.parametrize(("base", "edits"), SPELLINGS)
def test_two_spellings_do_not_differ(base: str, edits: tuple[str, ...]) -> None:
    spec = load(base, edits)
    found = difference(side(base), Compared(expand(spec), spec.training))
    assert found.same, render(found)
    assert "are the same network and recipe" in render(found)


def test_a_resolved_spec_does_not_differ() -> None:
    for name in ("resnet20_v2", "torchvision/mobilenet_v2", "related/fpn_resnet50"):
        spec = load_text(spec_of(name).dump(), "resolved")
        assert difference(side(name), Compared(expand(spec), spec.training)).same


def test_a_recipe_that_is_not_said() -> None:
    whole, bare = side(CIFAR), replace(side(CIFAR), recipe=None)
    for found in (difference(whole, bare), difference(bare, whole)):
        assert [one.code for one in found.recipe] == ["training"]
    assert difference(bare, bare).same
