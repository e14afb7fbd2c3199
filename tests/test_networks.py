"""A count is right when published = graph = Keras, exactly. The one table of published numbers."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import pytest

import archbuilder
from archbuilder.graph.analysis import depth
from archbuilder.graph.ops import Multiply
from tests.zoo import graph_of, spec_of

KERAS_EXAMPLE = "Keras' CIFAR-10 example"
PAPER = "He et al. 2015, arXiv:1512.03385, section 4.2"
IMAGENET = "He et al. 2015, arXiv:1512.03385, table 1"
IDENTITY = "He et al. 2016, arXiv:1603.05027, table 4, and KaimingHe/resnet-1k-layers"
ORDERS = "He et al. 2016, arXiv:1603.05027, table 2: norm and activation change places, but not how many there are"
SHORTCUTS = "He et al. 2016, arXiv:1603.05027, table 1: ResNet-110 and what its shortcuts hold"
TORCHVISION = "num_params and _ops of torchvision's weights"
KERAS = "count_params of keras.applications"


class Published(NamedTuple):
    """Trainable and total parameters, multiply-adds as printed (None: nowhere published), depth, and the source."""

    trainable: int
    total: int
    macs: str | None
    depth: int
    source: str


PROJECTIONS = (16 * 32 + 32) + (32 * 64 + 64)
"""What the two projections of Keras' example hold, biases included; a plain network has none."""
GATES = 18 * (16 * 16 + 16) + (16 * 32 + 32) + 17 * (32 * 32 + 32) + (32 * 64 + 64) + 17 * (64 * 64 + 64)
"""A 1x1 convolution with bias in each of 54 units."""
CONVOLUTIONS = GATES + 18 * (16 + 32 + 64)
"""A 1x1 convolution with norm, which trains a scale and a shift, in each of 54 units."""
NORMS = 18 * 2 * (16 + 32 + 64)
"""The moving statistics of the latter."""
PROJECTION_NORMS = 2 * (64 + 128 + 256)
"""Post-activation ResNet-164 has a norm on each of its three projections, pre-activation has none."""

OF_CBAM = sum(
    units * ((c * (c // 16) + c // 16) + (c // 16 * c + c) + 7 * 7 * 2 + 2)
    for units, c in ((3, 256), (4, 512), (6, 1024), (3, 2048))
)
"""In each unit: two dense layers with biases, a 7x7 convolution of mean and maximum to one weight, and its norm.

That comes to 28,089,624 for the network, which is what osmr/imgclsmob counts."""
OF_RESNET34 = 21_797_672 - (512 * 1000 + 1000)
"""Without its dense layer."""
OF_UNET = sum(
    9 * arriving * filters + 9 * filters * filters + 2 * 2 * filters
    for arriving, filters in ((512 + 256, 256), (256 + 128, 128), (128 + 64, 64), (64 + 64, 32), (32, 16))
)
"""At each size: a 3x3 convolution of what came up and of what the encoder had there, another one, and their norms."""
OF_CLASSES = 9 * 16 * 21 + 21
OF_RESNET50 = 25_557_032 - (2048 * 1000 + 1000)
OF_PYRAMID = sum(c * 256 + 256 for c in (256, 512, 1024, 2048)) + 4 * (9 * 256 * 256 + 256)
"""A lateral 1x1 convolution from each stage, and a 3x3 convolution to each output, with biases."""

TABLE = {
    "resnet20_v1": Published(273_066, 274_442, "40.8 M", 20, KERAS_EXAMPLE),
    "resnet32_v1": Published(467_946, 470_218, "69.1 M", 32, KERAS_EXAMPLE),
    "resnet44_v1": Published(662_826, 665_994, "97.4 M", 44, KERAS_EXAMPLE),
    "resnet56_v1": Published(857_706, 861_770, "125.7 M", 56, KERAS_EXAMPLE),
    "resnet110_v1": Published(1_734_666, 1_742_762, "253.1 M", 110, KERAS_EXAMPLE),
    "resnet20_v2": Published(570_602, 574_090, "66.2 M", 20, KERAS_EXAMPLE),
    "resnet29_v2": Published(843_786, 849_002, None, 29, KERAS_EXAMPLE),
    "resnet56_v2": Published(1_663_338, 1_673_738, "193.1 M", 56, KERAS_EXAMPLE),
    "resnet110_v2": Published(3_302_442, 3_323_210, "383.4 M", 110, KERAS_EXAMPLE),
    "resnet164_v2": Published(4_941_546, 4_972_682, "573.8 M", 164, KERAS_EXAMPLE),
    "resnet1001_v2": Published(30_347_658, 30_539_498, "3524 M", 1001, KERAS_EXAMPLE),
    "he2015/resnet20": Published(269_722, 271_098, "40.6 M", 20, PAPER),
    "he2015/resnet32": Published(464_154, 466_426, "68.9 M", 32, PAPER),
    "he2015/resnet44": Published(658_586, 661_754, "97.2 M", 44, PAPER),
    "he2015/resnet56": Published(853_018, 857_082, "125.5 M", 56, PAPER),
    "he2015/resnet110": Published(1_727_962, 1_736_058, "252.9 M", 110, PAPER),
    "he2015/resnet1202": Published(19_421_274, 19_510_906, "2829 M", 1202, PAPER),
    "he2015/plain20": Published(269_722, 271_098, "40.6 M", 20, PAPER),
    "he2015/plain32": Published(464_154, 466_426, "68.9 M", 32, PAPER),
    "he2015/plain44": Published(658_586, 661_754, "97.2 M", 44, PAPER),
    "he2015/plain56": Published(853_018, 857_082, "125.5 M", 56, PAPER),
    "he2015/plain110": Published(1_727_962, 1_736_058, "252.9 M", 110, PAPER),
    "he2015/resnet20_b": Published(272_474, 274_042, "40.8 M", 20, PAPER),
    "he2015/resnet56_b": Published(855_770, 860_026, "125.7 M", 56, PAPER),
    "he2015/resnet20_c": Published(283_962, 286_010, "42.6 M", 20, PAPER),
    "he2015/resnet56_c": Published(900_858, 906_938, "132.3 M", 56, PAPER),
    "he2015/resnet18": Published(11_689_512, 11_699_112, "1.814 G", 18, IMAGENET),
    "he2015/plain18": Published(11_515_688, 11_523_496, "1.8 G", 18, IMAGENET),
    "he2015/resnet34": Published(21_797_672, 21_814_696, "3.664 G", 34, IMAGENET),
    "he2015/plain34": Published(21_623_848, 21_639_080, "3.6 G", 34, IMAGENET),
    "he2015/resnet34_a": Published(21_623_848, 21_639_080, "3.644 G", 34, IMAGENET),
    "he2015/resnet34_c": Published(22_716_840, 22_739_624, "3.831 G", 34, IMAGENET),
    "he2015/resnet50": Published(25_557_032, 25_610_152, "3.858 G", 50, IMAGENET),
    "he2015/resnet101": Published(44_549_160, 44_654_504, "7.570 G", 101, IMAGENET),
    "he2015/resnet152": Published(60_192_808, 60_344_232, "11.282 G", 152, IMAGENET),
    "he2016/resnet110": Published(1_727_962, 1_736_058, None, 110, IDENTITY),
    "he2016/resnet164": Published(1_703_258, 1_727_482, None, 164, IDENTITY),
    "he2016/resnet1001": Published(10_327_706, 10_476_922, None, 1001, IDENTITY),
    "he2016/resnet200": Published(64_666_152, 64_834_472, None, 200, "facebookarchive/fb.resnet.torch, preresnet.lua"),
    "he2016/resnet110_constant_scaling": Published(1_727_962, 1_736_058, "252.9 M", 110, SHORTCUTS),
    "he2016/resnet110_exclusive_gating": Published(1_727_962 + GATES, 1_736_058 + GATES, None, 110, SHORTCUTS),
    "he2016/resnet110_shortcut_gating": Published(1_727_962 + GATES, 1_736_058 + GATES, None, 110, SHORTCUTS),
    "he2016/resnet110_conv_shortcut": Published(
        1_727_962 + CONVOLUTIONS, 1_736_058 + CONVOLUTIONS + NORMS, None, 110, SHORTCUTS
    ),
    "he2016/resnet110_dropout_shortcut": Published(1_727_962, 1_736_058, "252.9 M", 110, SHORTCUTS),
    "torchvision/resnet18": Published(11_689_512, 11_699_112, "1.814 G", 18, TORCHVISION),
    "torchvision/resnet34": Published(21_797_672, 21_814_696, "3.664 G", 34, TORCHVISION),
    "torchvision/resnet50": Published(25_557_032, 25_610_152, "4.089 G", 50, TORCHVISION),
    "torchvision/resnet101": Published(44_549_160, 44_654_504, "7.801 G", 101, TORCHVISION),
    "torchvision/resnet152": Published(60_192_808, 60_344_232, "11.514 G", 152, TORCHVISION),
    "torchvision/resnext50_32x4d": Published(25_028_904, 25_097_128, "4.230 G", 50, TORCHVISION),
    "torchvision/resnext101_32x8d": Published(88_791_336, 88_994_216, "16.414 G", 101, TORCHVISION),
    "torchvision/wide_resnet50_2": Published(68_883_240, 68_951_464, "11.398 G", 50, TORCHVISION),
    "torchvision/densenet121": Published(7_978_856, 8_062_504, "2.834 G", 121, TORCHVISION),
    "torchvision/densenet169": Published(14_149_480, 14_307_880, "3.360 G", 169, TORCHVISION),
    "torchvision/densenet201": Published(20_013_928, 20_242_984, "4.291 G", 201, TORCHVISION),
    "torchvision/mobilenet_v2": Published(3_504_872, 3_538_984, "0.301 G", 53, TORCHVISION),
    "torchvision/mobilenet_v3_large": Published(5_483_032, 5_507_432, "0.217 G", 48, TORCHVISION),
    "torchvision/mobilenet_v3_small": Published(2_542_856, 2_554_968, "0.057 G", 36, TORCHVISION),
    "torchvision/efficientnet_b0": Published(5_288_548, 5_330_564, "0.386 G", 50, TORCHVISION),
    "torchvision/convnext_tiny": Published(28_589_128, 28_589_128, "4.456 G", 59, TORCHVISION),
    "torchvision/convnext_small": Published(50_223_688, 50_223_688, "8.684 G", 113, TORCHVISION),
    "torchvision/convnext_base": Published(88_591_464, 88_591_464, "15.355 G", 113, TORCHVISION),
    "torchvision/regnet_y_400mf": Published(4_344_144, 4_371_296, "0.402 G", 50, TORCHVISION),
    "torchvision/shufflenet_v2_x1_0": Published(2_278_604, 2_294_784, "0.145 G", 51, TORCHVISION),
    "torchvision/googlenet": Published(6_624_904, 6_639_464, "1.498 G", 22, TORCHVISION),
    "keras_applications/resnet50": Published(25_583_592, 25_636_712, None, 50, KERAS),
    "keras_applications/resnet101": Published(44_601_832, 44_707_176, None, 101, KERAS),
    "keras_applications/resnet152": Published(60_268_520, 60_419_944, None, 152, KERAS),
    "keras_applications/resnet50v2": Published(25_568_360, 25_613_800, None, 50, KERAS),
    "keras_applications/resnet101v2": Published(44_577_896, 44_675_560, None, 101, KERAS),
    "keras_applications/resnet152v2": Published(60_236_904, 60_380_648, None, 152, KERAS),
    "keras_applications/inception_resnet_v2": Published(55_813_192, 55_873_736, None, 176, KERAS),
    "keras_applications/mobilenet_v2": Published(3_504_872, 3_538_984, None, 53, KERAS),
    "keras_applications/densenet121": Published(7_978_856, 8_062_504, None, 121, KERAS),
    "keras_applications/convnext_tiny": Published(28_589_128, 28_589_128, "4.5 G", 59, KERAS),
    "related/vgg16": Published(138_357_544, 138_357_544, "15.470 G", 16, TORCHVISION),
    "related/vgg19": Published(143_667_240, 143_667_240, "19.632 G", 19, TORCHVISION),
    "related/alexnet": Published(60_965_224, 60_965_224, "724.4 M", 8, "Krizhevsky et al. 2012; Caffe's AlexNet"),
    "related/alexnet_torchvision": Published(61_100_840, 61_100_840, "0.714 G", 8, TORCHVISION),
    "related/se_resnet50": Published(28_088_024, 28_141_144, None, 50, "Hu et al. 2018, arXiv:1709.01507, table 2"),
    "related/resnet50_gn": Published(
        25_557_032, 25_557_032, "4.089 G", 50, "torchvision's ResNet-50, whose norms keep no statistics"
    ),
    "related/cbam_resnet50": Published(
        25_557_032 + OF_CBAM, 25_610_152 + OF_CBAM + 16 * 2, None, 50, "Jongchan/attention-module"
    ),
    "related/unet_resnet34": Published(
        OF_RESNET34 + OF_UNET + OF_CLASSES,
        OF_RESNET34 + (21_814_696 - 21_797_672) + OF_UNET + 2 * 2 * (256 + 128 + 64 + 32 + 16) + OF_CLASSES,
        None,
        44,
        "Ronneberger et al. 2015, arXiv:1505.04597, and table 1 of ResNet-34",
    ),
    "related/fpn_resnet50": Published(
        OF_RESNET50 + OF_PYRAMID,
        OF_RESNET50 + (25_610_152 - 25_557_032) + OF_PYRAMID,
        None,
        51,
        "Lin et al. 2017, arXiv:1612.03144, section 3",
    ),
    "related/densenet_bc100": Published(769_162, 793_150, "287.9 M", 100, "Huang et al. 2017, arXiv:1608.06993"),
    # Its name counts the three projections, but not the dense layer: 28 convolutions.
    "related/wide_resnet28_10": Published(36_479_194, 36_497_146, "5.2 G", 26, "szagoruyko/wide-residual-networks"),
}
ROUGHLY = {
    "he2015/resnet20": "0.27 M", "he2015/resnet32": "0.46 M", "he2015/resnet44": "0.66 M", "he2015/resnet56": "0.85 M",
    "he2015/resnet110": "1.7 M", "he2015/resnet1202": "19.4 M", "he2016/resnet110": "1.7 M", "he2016/resnet164": "1.7 M",
    "related/highway19": "2.3 M", "related/wide_resnet28_10": "36.5 M", "related/densenet_bc100": "0.8 M",
    "torchvision/resnext50_32x4d": "25.0 M", "torchvision/mobilenet_v3_small": "2.5 M",
    "torchvision/efficientnet_b0": "5.3 M", "torchvision/convnext_tiny": "29 M", "torchvision/convnext_small": "50 M",
    "torchvision/convnext_base": "89 M", "torchvision/regnet_y_400mf": "4.3 M", "torchvision/shufflenet_v2_x1_0": "2.3 M",
    "keras_applications/convnext_tiny": "29 M",
}  # fmt: skip
"""Trainable parameters as the papers print them, except where they count otherwise.

Those of MobileNetV2 and V3-Large print 3.4 M and 5.4 M."""
for _depth in (20, 32, 44, 56, 110):
    _twin = TABLE[f"resnet{_depth}_v1"]
    TABLE[f"plain{_depth}_v1"] = Published(
        _twin.trainable - PROJECTIONS, _twin.total - PROJECTIONS, None, _depth, KERAS_EXAMPLE
    )
for _order in ("original", "norm_after_addition", "relu_before_addition", "relu_preactivation"):
    TABLE[f"he2016/resnet110_{_order}"] = Published(1_727_962, 1_736_058, "252.9 M", 110, ORDERS)
    TABLE[f"he2016/resnet164_{_order}"] = Published(
        1_703_258 + PROJECTION_NORMS, 1_727_482 + 2 * PROJECTION_NORMS, None, 164, ORDERS
    )
OURS = {"quickstart", "resnet20_fast", "related/highway19", "related/highway32"}
"""Nobody published an exact count of these; the papers' "about 2.3 M" and "about 1.25 M" are checked below."""


WITHOUT_RECIPE = {"related/unet_resnet34", "related/fpn_resnet50"}
"""Their outputs are maps, which cannot be trained yet."""


def printed(macs: int, like: str) -> str:
    """Multiply-adds in the unit and with the decimals of `like`."""
    number, unit = like.split()
    decimals = len(number.partition(".")[2])
    return f"{macs / {'M': 1e6, 'G': 1e9}[unit]:.{decimals}f} {unit}"


def test_every_bundled_network_is_in_the_table() -> None:
    assert set(archbuilder.bundled()) == TABLE.keys() | OURS


@pytest.mark.parametrize("name", TABLE)
def test_published_is_graph(name: str) -> None:
    graph, published = graph_of(name), TABLE[name]
    assert (graph.trainable, graph.parameters, depth(graph)) == (published.trainable, published.total, published.depth)
    if published.macs is not None:
        assert printed(graph.macs, published.macs) == published.macs


@pytest.mark.parametrize("name", ROUGHLY)
def test_what_the_papers_print(name: str) -> None:
    assert printed(graph_of(name).trainable, ROUGHLY[name]) == ROUGHLY[name]


def test_resnet1001_without_its_norms_is_the_papers_count() -> None:
    """Table 4 of He et al. 2016 prints 10.2 M, which leaves the norms' scales and shifts out."""
    graph = graph_of("he2016/resnet1001")
    norms = graph.parameters - graph.trainable  # as many moving statistics as scales and shifts
    assert printed(graph.trainable - norms, "10.2 M") == "10.2 M"


def test_se_resnet50_with_pooling_and_weighing_is_the_papers_count() -> None:
    """Table 2 of Hu et al. 2018 prints 3.87 G, with an operation for each value that is pooled or weighed."""
    graph = graph_of("related/se_resnet50")
    weighed = sum(prod(node.shape) for node in graph.nodes if isinstance(node.op, Multiply))
    assert printed(graph.macs, "3.86 G") == "3.86 G"
    assert printed(graph.macs + 2 * weighed, "3.87 G") == "3.87 G"


def test_highway32_comes_near_its_published_size() -> None:
    assert abs(graph_of("related/highway32").trainable - 1_250_000) < 0.02 * 1_250_000


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Frees the models of a test, some of which take a gigabyte."""
    import gc

    import keras

    yield
    keras.backend.clear_session()
    gc.collect()


DEEP = [name for name, published in TABLE.items() if published.depth > 100]


@pytest.mark.keras
@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name for name in archbuilder.bundled()]
)
def test_graph_is_keras(name: str) -> None:
    from archbuilder.keras_model.build import build_model
    from archbuilder.keras_model.check import differences

    graph = graph_of(name)
    model = build_model(graph)
    assert differences(graph, model) == []
    if name in TABLE:
        assert model.count_params() == TABLE[name].total


@pytest.mark.keras
@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("name", DEEP)
def test_three_units_a_stage_are_keras(name: str) -> None:
    """The first, the last and one between them are all the kinds of units that a stage of a deep network has."""
    from archbuilder.keras_model.check import differences

    shorter = [f"stages.{number}.units=3" for number in range(len(spec_of(name).network.stages))]
    graph = archbuilder.expand(name, shorter)
    assert depth(graph) < 60
    assert differences(graph, archbuilder.build(name, shorter)) == []


@pytest.mark.keras
def test_gates_begin_nearly_shut() -> None:
    model = archbuilder.build("related/highway19")
    assert set(model.get_layer("stage1.unit2.gate.conv1").bias.numpy()) == {-2.0}
    assert set(model.get_layer("stage1.unit2.transform.conv1").bias.numpy()) == {0.0}


@pytest.mark.keras
def test_keras_pads_itself_where_that_is_the_same() -> None:
    names = [layer.name for layer in archbuilder.build("he2015/resnet20").layers]
    assert [name for name in names if name.endswith(".pad")] == [
        "stage2.unit1.residual.conv1.pad", "stage3.unit1.residual.conv1.pad",
    ]  # fmt: skip


@pytest.mark.parametrize("name", archbuilder.bundled())
def test_resolved_spec_loads_to_the_same_graph(name: str) -> None:
    dumped = spec_of(name).dump()
    loaded = archbuilder.load_text(dumped)
    assert archbuilder.expand(loaded) == graph_of(name)
    assert loaded.dump() == dumped


@pytest.mark.parametrize("name", archbuilder.bundled())
def test_every_bundled_spec_says_what_it_is(name: str) -> None:
    network = spec_of(name).network
    assert network.name == name
    assert network.summary
    assert network.source
    assert (network.training is None) == (name in WITHOUT_RECIPE)
