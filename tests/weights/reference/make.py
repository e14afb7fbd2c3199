"""Writes what networks of torchvision, timm and keras.applications say: `python -m tests.weights.reference.make [NAME ...]`.

A name is a file's without `.json.gz`, say `torchvision/resnet18`; none means all. Each library is asked where it is
installed. torchvision and timm have a process of their own, since torchvision's extension crashes beside TensorFlow's.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.weights.reference.drawing import Array, difference, images, told, weight

HERE = Path(__file__).parent
Row = dict[str, Any]
SIDE = 64

TORCHVISION = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "wide_resnet50_2", "vgg16", "vgg19", "alexnet", "densenet121", "densenet169", "densenet201", "mobilenet_v2",
    "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "convnext_small", "convnext_base",
    "regnet_y_400mf", "shufflenet_v2_x1_0", "googlenet",
)  # fmt: skip
TIMM = ("seresnet50", "resnet50d", "resnet50_gn", "efficientnet_b0", "regnety_004")
KERAS = {
    "resnet50": "ResNet50", "resnet101": "ResNet101", "resnet152": "ResNet152", "resnet50v2": "ResNet50V2",
    "resnet101v2": "ResNet101V2", "resnet152v2": "ResNet152V2", "vgg16": "VGG16", "vgg19": "VGG19",
    "inception_resnet_v2": "InceptionResNetV2", "mobilenet_v2": "MobileNetV2", "densenet121": "DenseNet121",
    "convnext_tiny": "ConvNeXtTiny",
}  # fmt: skip
SPECS = {
    "torchvision/vgg16": "related/vgg16", "torchvision/vgg19": "related/vgg19",
    "torchvision/alexnet": "related/alexnet_torchvision", "keras_applications/vgg16": "related/vgg16",
    "keras_applications/vgg19": "related/vgg19", "timm/efficientnet_b0": "torchvision/efficientnet_b0",
    "timm/regnety_004": "torchvision/regnet_y_400mf", "timm/seresnet50": "timm/seresnet50.yaml",
    "timm/resnet50d": "timm/resnet50d.yaml", "timm/resnet50_gn": "related/resnet50_gn",
}  # fmt: skip
"""Bundled names that are not those of the files, and specs beside them."""
SIDES = {"vgg16": 224, "vgg19": 224, "alexnet": 224}
"""torchvision's networks that stretch a smaller image behind their convolutions."""
GAINS = (1, 1.1, 1.2, 1.3)
"""The first with which two images differ enough is taken; with 1.5, EfficientNet's own rounding grows to 6e-4."""
ENOUGH = 0.05
SMALLEST = 75
"""The side of the smallest image that keras.applications' Inception networks take."""


def of_torchvision(name: str, gain: float) -> Row:
    import torchvision

    silent = {"init_weights": False} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(weights=None, **silent)
    published = torchvision.models.get_model_weights(name).IMAGENET1K_V1.meta
    return {
        "library": f"torchvision {torchvision.__version__.partition('+')[0]}",
        "counts": {"trainable": published["num_params"], "macs": published["_ops"]},
        **of_torch(model, SIDES.get(name, SIDE), gain),
    }


def of_timm(name: str, gain: float) -> Row:
    import timm

    model = timm.create_model(name)
    return {
        "library": f"timm {timm.__version__}",
        "counts": {"trainable": sum(weight.numel() for weight in model.parameters())},
        **of_torch(model, SIDE, gain),
    }


def of_torch(model: Any, side: int, gain: float) -> Row:
    import torch

    model.eval()
    tensors = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    model.load_state_dict({key: torch.from_numpy(np.array(weight(key, shape, gain))) for key, shape in tensors.items()})
    with torch.no_grad():
        logits = model(torch.from_numpy(images(side, side).transpose((0, 3, 1, 2)).copy())).numpy()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    return {
        "input": [side, side, 3],
        "tensors": tensors,
        "norms": sorted({(norm.eps, round(1 - norm.momentum, 6)) for norm in norms}),
        **numbers(logits),
    }


def of_keras(name: str, gain: float) -> Row:
    import h5py
    import keras

    keras.backend.clear_session()  # layers without a name are counted in a process
    side = SMALLEST if name.startswith("inception") else SIDE
    bare = {"include_preprocessing": False} if name.startswith("convnext") else {}
    build = getattr(keras.applications, KERAS[name])
    model = build(weights=None, input_shape=(side, side, 3), classifier_activation=None, **bare)
    tensors = {}
    for path, layer in leaves(model):
        for variable in layer.weights:
            part = "variable" if variable.name.startswith("variable") else variable.name  # these are counted, too
            tensors[f"{path}/{part}"] = shape = tuple(variable.shape)
            variable.assign(weight(f"{path}/{part}", shape, gain))
    with TemporaryDirectory() as folder:
        model.save_weights(f"{folder}/x.weights.h5")
        with h5py.File(f"{folder}/x.weights.h5") as file:
            groups = dict(named(file))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    return {
        "library": f"keras {keras.__version__}",
        "input": [side, side, 3],
        "tensors": tensors,
        "groups": groups,
        "norms": sorted({(norm.epsilon, norm.momentum) for norm in norms}),
        "counts": {"total": build(weights=None).count_params()},
        **numbers(np.asarray(model(images(side, side), training=False))),
    }


def leaves(model: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """The layers that hold weights themselves, each with its name behind those of the models that it is in."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer, f"{within}{layer.name}/")
        elif layer.weights:
            yield f"{within}{layer.name}", layer


def named(group: Any, within: str = "") -> Iterator[tuple[str, str]]:
    """The groups with weights by the names of their layers, which stand beside the weights."""
    for child in group["layers"].values():
        name = str(child["vars"].attrs["name"])
        if "layers" in child:
            yield from named(child, f"{within}{name}/")
        elif len(child["vars"]):
            yield f"{within}{name}", child.name


def numbers(logits: Array) -> Row:
    """As many digits as a float32 has."""
    assert logits.shape == (2, 1000)
    assert np.isfinite(logits).all()
    return {"told": [[float(f"{number:.9g}") for number in image] for image in told(logits)]}


LIBRARIES: dict[str, tuple[Callable[[str, float], Row], tuple[str, ...]]] = {
    "torchvision": (of_torchvision, TORCHVISION),
    "timm": (of_timm, TIMM),
    "keras_applications": (of_keras, tuple(KERAS)),
}


def main(names: list[str]) -> None:
    for name in names or [
        f"{library}/{network}" for library, (_, networks) in LIBRARIES.items() for network in networks
    ]:
        library, network = name.split("/")
        for gain in GAINS:
            row = {"spec": SPECS.get(name, name), "gain": gain, **LIBRARIES[library][0](network, gain)}
            first, second = np.array(row["told"], np.float32)
            print(f"{name}: two images differ by {difference(first, second):.2g} with a gain of {gain}", flush=True)
            if difference(first, second) > ENOUGH:
                break
        else:
            sys.exit(f"{name}: too little depends on the image")
        path = HERE / f"{name}.json.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(json.dumps(row).encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
