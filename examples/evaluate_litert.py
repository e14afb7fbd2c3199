"""The accuracy of an exported network, by LiteRT's runtime alone: nothing here is archbuilder's.

archbuilder export runs/first -o first.tflite
python examples/evaluate_litert.py first.tflite                 # a network of digits, on the test images of quickstart
python examples/evaluate_litert.py first.tflite photos/test     # any other, on a folder with a folder for each class
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

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
    about: dict[str, Any] = json.loads(zipfile.ZipFile(model).read("archbuilder.json"))
    classes, taken = json.loads(about["classes"]), json.loads(about["input"])
    height, width, channels = taken["height"], taken["width"], taken["channels"]
    run = Interpreter(model).get_signature_runner()

    def answer(image: Image.Image) -> str:
        sized = image.convert("RGB" if channels == 3 else "L").resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(sized, np.float32).reshape(1, height, width, channels)
        return str(classes[run(images=pixels)["probabilities"].argmax()])

    labelled = list(images_in(Path(folder)) if folder else digits())
    right = sum(answer(image) == label for image, label in labelled)
    print(f"{right} of {len(labelled)} right: {right / len(labelled):.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
