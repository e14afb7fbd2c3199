"""Files of torchvision's own, loaded as anybody would: the same outputs. Runs where torch and torchvision are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import archbuilder
from tests.processes import python

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("torchvision")), reason="needs torch and torchvision"
)
TOLERANCE = 1e-5
SAVE = """
import sys
import numpy as np, torch, torchvision
name, folder = sys.argv[1:]
torch.manual_seed(0)
network = getattr(torchvision.models, name)(weights=None).eval()
for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.running_mean.uniform_(-0.1, 0.1)
        module.running_var.uniform_(0.9, 1.1)
for key, weight in network.named_parameters():
    if "layer_scale" in key:
        torch.nn.init.uniform_(weight, 0.5, 1.5)
    elif weight.ndim == 1:
        torch.nn.init.uniform_(weight, 0.9, 1.1)
images = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)
with torch.no_grad():
    logits = network(torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
torch.save(network.state_dict(), f"{folder}/weights.pth")
np.savez(f"{folder}/said.npz", images=images, logits=logits)
"""


@pytest.mark.parametrize("name", ["convnext_tiny", "shufflenet_v2_x1_0"])
def test_the_function_is_that_of_torchvision(name: str, tmp_path: Path) -> None:
    import numpy as np

    done = python("-c", SAVE, name, tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "said.npz") as said:
        images, logits = said["images"], said["logits"]
    model = archbuilder.build(f"torchvision/{name}", weights=tmp_path / "weights.pth")
    ours = np.asarray(keras.Model(model.inputs[0], model.layers[-1].input)(images))
    assert np.abs(ours - logits).max() / np.abs(logits).max() < TOLERANCE
