"""The accuracy of an exported network, by the runtime of its format alone: nothing here is archbuilder's.

archbuilder export runs/first -o first.onnx
python examples/evaluate_exported.py first.onnx                 # a network of digits, on the test images of quickstart
python examples/evaluate_exported.py first.onnx photos/test     # any other, on a folder with a folder for each class

Takes ONNX, LiteRT, `.keras`, SavedModel, and code in Keras or PyTorch with its weights beside it, of a run that learned
classes. Whole images are brought to the size of the input: where the spec cuts out the middle, `evaluate` finds more.
"""

import json
import runpy
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Answers = Callable[[Any], Any]
"""From float32 of 0 to 255, (images, height, width, channels), to a row of probabilities for each image."""
About = dict[str, Any]
"""What is said of the network, as JSON: its `classes`, its `input` and its `outputs`."""
AT_ONCE = 500


def onnx(path: Path) -> tuple[About, Answers]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    about = session.get_modelmeta().custom_metadata_map
    return about, lambda pixels: session.run(None, {"images": pixels.astype(np.uint8)})[0]


def litert(path: Path) -> tuple[About, Answers]:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path)).get_signature_runner()
    return _in_archive(path), lambda pixels: np.concatenate([run(images=one[None])["probabilities"] for one in pixels])


def keras_file(path: Path) -> tuple[About, Answers]:
    import keras

    return _in_archive(path), keras.models.load_model(path, compile=False).predict_on_batch


def saved_model(path: Path) -> tuple[About, Answers]:
    import tensorflow as tf

    network = tf.saved_model.load(path)
    about = json.loads((path / "assets.extra" / "archbuilder.json").read_text("utf-8"))
    return about, lambda pixels: network.serve(tf.constant(pixels))["probabilities"].numpy()


def code(path: Path) -> tuple[About, Answers]:
    """Of Keras the network is a function, of PyTorch a class: what comes last in the file."""
    names = runpy.run_path(str(path))
    *_, network = (thing for thing in names.values() if getattr(thing, "__module__", "") == "<run_path>")
    if "keras" in names:
        import h5py

        model, weights = network(), path.with_suffix(".h5")
        model.load_weights(weights, by_name=True)
        with h5py.File(weights) as file:
            about = {key: file.attrs[f"archbuilder/{key}"].tobytes() for key in ("classes", "input", "outputs")}
        return about, model.predict_on_batch
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file

    model, weights = network().eval(), path.with_suffix(".safetensors")
    model.load_state_dict(load_file(weights))
    with safe_open(weights, "pt") as file:
        about = file.metadata()
    return about, torch.no_grad()(lambda pixels: model(torch.from_numpy(pixels).movedim(-1, 1)).numpy())


def _in_archive(path: Path) -> About:
    about: About = json.loads(zipfile.ZipFile(path).read("archbuilder.json"))
    return about


RUNTIMES = {".onnx": onnx, ".tflite": litert, ".keras": keras_file, ".py": code}


def digits() -> Iterator[tuple[Image.Image, str]]:
    """Every fifth image of each digit."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.round(data.images * (255 / 16)).astype(np.uint8)
    for digit in range(10):
        for index in np.flatnonzero(data.target == digit)[::5]:
            yield Image.fromarray(pixels[index]), str(digit)


def images_in(folder: Path) -> Iterator[tuple[Image.Image, str]]:
    for path in sorted(folder.glob("*/*")):
        with Image.open(path) as image:
            yield image.copy(), path.parent.name


def main(model: str, folder: str | None = None) -> None:
    path = Path(model)
    runtime = saved_model if path.is_dir() else RUNTIMES.get(path.suffix)
    if runtime is None:
        sys.exit(f"{path} has none of the suffixes {', '.join(RUNTIMES)}")
    about, answers = runtime(path)
    classes, taken = json.loads(about["classes"]), json.loads(about["input"])
    names = [output["name"] for output in json.loads(about["outputs"])]
    if names != ["probabilities"] or not classes or taken["values"] != "pixels from 0 to 255":
        sys.exit(f"{path} does not give the probabilities of classes that it names, for pixels")
    height, width, channels = taken["height"], taken["width"], taken["channels"]

    def pixels(image: Image.Image) -> Any:
        sized = image.convert("RGB" if channels == 3 else "L").resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(sized, np.float32).reshape(height, width, channels)

    labelled = list(images_in(Path(folder)) if folder else digits())
    if not labelled:
        sys.exit(f"there are no images in the folders of {folder}")
    right = 0
    for start in range(0, len(labelled), AT_ONCE):
        images, labels = zip(*labelled[start : start + AT_ONCE], strict=True)
        found = answers(np.stack([pixels(image) for image in images])).argmax(axis=1)
        right += sum(classes[index] == label for index, label in zip(found, labels, strict=True))
    print(f"{right} of {len(labelled)} right: {right / len(labelled):.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
