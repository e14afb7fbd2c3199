"""Images that are predicted are the images that are learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archbuilder.data.load import Images, load_data
from archbuilder.spec.data import Data
from archbuilder.spec.framing import Resize
from archbuilder.training.prediction import framed

KINDS = {
    "deep.png": Image.fromarray(np.arange(36, dtype=np.uint16).reshape(6, 6) * 1_800),
    "clear.png": Image.new("RGBA", (6, 6), (0, 0, 0, 90)),
    "palette.gif": Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6)).convert("P"),
    "ink.jpg": Image.new("CMYK", (9, 7), (10, 200, 90, 30)),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_the_same_in_training_testing_and_prediction(name: str, channels: int, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part / "x").mkdir(parents=True)
        KINDS[name].save(tmp_path / part / "x" / name)
    found = load_data(Data.model_validate({"source": "image_folder"}), (5, 4, channels), tmp_path)
    pixels, bits = framed(tmp_path / "test" / "x" / name, (5, 4, channels), [Resize()])
    assert bits == (16 if name == "deep.png" else 8)
    for images in (found.train, found.test):
        assert isinstance(images, Images)
        np.testing.assert_array_equal(images.pixels[0], pixels)
