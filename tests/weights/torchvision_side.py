"""torchvision's half of `test_torchvision`, run as a program of its own: its extension crashes beside TensorFlow's."""

from __future__ import annotations

import sys
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SIDE = 64
NETWORKS = ("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2")
COUNTED = (*NETWORKS, "resnet101", "resnet152", "vgg16", "vgg19", "alexnet")


def images() -> Array:
    """Two random images `(2, height, width, 3)`."""
    return np.random.default_rng(1).standard_normal((2, SIDE, SIDE, 3), dtype=np.float32)


def weight(key: str, shape: tuple[int, ...]) -> Array:
    """A random tensor in torch's layout, by its name alone, with which outputs stay finite and depend on the image."""
    random = np.random.default_rng(crc32(key.encode()))
    if len(shape) == 1 and key.endswith(("weight", "running_var")):
        return random.uniform(0.5, 1.0, shape).astype(np.float32)
    scale = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
    return random.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def main(path: str) -> None:
    """Saves logits, names of tensors and settings of norms of each network, and the counts that are published."""
    import torch
    import torchvision

    saved = {}
    for name in NETWORKS:
        model = getattr(torchvision.models, name)(weights=None).eval()
        state = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
        drawn = {key: torch.from_numpy(weight(key, tuple(value.shape))) for key, value in state.items()}
        model.load_state_dict(drawn, strict=False)
        with torch.no_grad():
            saved[f"{name}/logits"] = model(torch.from_numpy(images().transpose((0, 3, 1, 2)).copy())).numpy()
        saved[f"{name}/keys"] = np.array(sorted(state))
        norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        saved[f"{name}/norms"] = np.array(sorted({(norm.eps, 1 - norm.momentum) for norm in norms}))
    for name in COUNTED:
        published = torchvision.models.get_model_weights(name).IMAGENET1K_V1.meta
        saved[f"{name}/counts"] = np.array([published["num_params"], published["_ops"]])
    np.savez(path, **saved)


if __name__ == "__main__":
    main(sys.argv[1])
