"""The accuracy of an exported network, by ONNX Runtime alone: nothing here is archbuilder's.

archbuilder export runs/first -o first.onnx
python examples/evaluate_onnx.py first.onnx                 # a network of digits, on the test images of quickstart
python examples/evaluate_onnx.py first.onnx photos/test     # any other, on a folder with a folder for each class
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

AT_ONCE = 100
Labelled = tuple[Image.Image, str]


def digits() -> Iterator[Labelled]:
    """Every fifth image of each digit."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.round(data.images * (255 / 16)).astype(np.uint8)
    for digit in range(10):
        for index in np.flatnonzero(data.target == digit)[::5]:
            yield Image.fromarray(pixels[index]), str(digit)


def images_in(folder: Path) -> Iterator[Labelled]:
    for path in sorted(folder.glob("*/*")):
        with Image.open(path) as image:
            yield image.copy(), path.parent.name


def main(model: str, folder: str | None = None) -> None:
    session = onnxruntime.InferenceSession(model)
    about: dict[str, Any] = session.get_modelmeta().custom_metadata_map
    classes, taken = json.loads(about["classes"]), json.loads(about["input"])
    height, width, channels = taken["height"], taken["width"], taken["channels"]
    entry = session.get_inputs()[0].name

    def pixels(image: Image.Image) -> Any:
        sized = image.convert("RGB" if channels == 3 else "L").resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(sized).reshape(height, width, channels)

    labelled = list(images_in(Path(folder)) if folder else digits())
    right = 0
    for start in range(0, len(labelled), AT_ONCE):
        batch = labelled[start : start + AT_ONCE]
        [probabilities] = session.run(None, {entry: np.stack([pixels(image) for image, _ in batch])})
        answers = [classes[index] for index in probabilities.argmax(axis=1)]
        right += sum(answer == label for answer, (_, label) in zip(answers, batch, strict=True))
    print(f"{right} of {len(labelled)} right: {right / len(labelled):.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
