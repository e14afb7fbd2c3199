"""Training, measuring and predicting on JAX: as on TensorFlow to rounding, and resumed bit for bit."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from archbuilder.errors import UsageError
from archbuilder.training.loop import resume
from tests.processes import python
from tests.training.runs import figures

with_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is an extra")

SPEC = """\
archbuilder: 1
name: small
input: [8, 8, 1]
stem: [{conv: {filters: 8, kernel: 3, bias: true}}, norm, relu]
unit: basic
shortcut: projection
stages: [{units: 1, filters: 8}]
head: [global_average_pool, {dense: {units: 10}}, softmax]
training:
  data: {source: digits, validation: {holdout: 0.1}}
  augment: [{pad_crop: {pad: 1}}]
  batch_size: 200
  accumulate: 2
  clip: {norm: 0.5}
  moving_average: {decay: 0.9}
  stop: {iterations: 6}
  loss: {cross_entropy: {label_smoothing: 0.1}}
  class_weights: {3: 2, 7: 0.5}
  sampling: balanced
  rate_factors: {head: 3, stage1/unit1: 0.5}
  learning_rate: {constant: {rate: 0.05}}
"""
SGD = """\
  optimizer: {sgd: {momentum: 0.9, nesterov: true}}
  weight_decay: {coupled: 1e-3, kinds: [conv, dense]}
"""
ADAM = """\
  optimizer: adam
  weight_decay: {decoupled: 1e-3}
"""
RMSPROP = """\
  optimizer: {rmsprop: {momentum: 0.9, epsilon: 1e-3}}
  weight_decay: {coupled: 1e-3}
"""
RECIPES = {
    "sgd": SPEC + SGD,
    "adam": SPEC.replace("rate: 0.05", "rate: 0.002") + ADAM,
    "rmsprop": SPEC.replace("constant: {rate: 0.05}", "exponential: {initial: 0.002, factor: 0.5, every: 0.5}")
    + RMSPROP,
    "mixed": SPEC + "  precision: mixed_bfloat16\n" + SGD,
    "l2": re.sub(r"  (class_weights|sampling|rate_factors): .*\n", "", SPEC).replace(
        "bias: true}", "bias: true, l2: 1e-2}"
    )
    + "  optimizer: sgd\n",
}
OPS = """\
archbuilder: 1
name: ops
input: [8, 8, 1]
defaults: {norm: {over: group, groups: 2}}
stem:
  - conv: {filters: 8, kernel: 3, bias: true}
  - norm
  - prelu
  - pad: {amount: [[1, 2], [0, 3]], mode: reflect}
  - pad: {amount: [[3, 1], [1, 2]], mode: edge}
  - conv: {filters: 8, kernel: 3, padding: valid, stride: 2}
  - norm: {over: layer}
  - leaky_relu
  - upsample: {factor: 2, method: bilinear}
  - shuffle_channels: {groups: 2}
  - multiply:
      features: []
      channels: [global_max_pool, {channel_conv: {kernel: 3, bias: true}}, sigmoid]
  - multiply:
      features: []
      places: [{concat: {a: [{channel_pool: average}], b: [{channel_pool: max}]}}, {conv: {filters: 1, kernel: 3}}, sigmoid]
  - conv: {filters: 8, kernel: 3, stride: 2}
  - norm: {over: instance}
  - scale: {learned: channel, factor: 0.5, bias: true}
  - scale: {learned: scalar, factor: 2, bias: true}
  - conv_transpose: {filters: 8, kernel: 3, stride: 2}
  - conv_transpose: {filters: 6, kernel: 4, stride: 2, padding: symmetric, bias: true}
  - upsample: {factor: 2}
  - slice_channels: {start: 1, stop: 5}
head: [global_average_pool, {scale: {learned: channel, factor: 1}}, {slice_channels: {stop: 3}}, {dense: {units: 10}}, softmax]
training:
  data: {source: digits, validation: {holdout: 0.1}}
  batch_size: 200
  accumulate: 2
  stop: {iterations: 6}
  learning_rate: {constant: {rate: 0.05}}
"""
RECIPES["ops"] = OPS + SGD
WITHOUT_CLASSES = re.sub(r"  (loss|class_weights|sampling): .*\n", "", RECIPES["sgd"]).replace(", softmax]", "]")
RECIPES["numbers"] = WITHOUT_CLASSES.replace("digits", "{npz: {path: numbers.npz}}") + "  loss: {huber: {delta: 0.7}}\n"
RECIPES["labels"] = WITHOUT_CLASSES.replace("digits", "{npz: {path: labels.npz}}") + "  loss: binary_cross_entropy\n"
RESUMED = """
import sys
from pathlib import Path
from archbuilder.errors import UsageError
from archbuilder.training import loop
from archbuilder.training.start import Start
from archbuilder.spec import load
from tests.training.runs import Notes
def kill():
    raise KeyboardInterrupt
for kind in ("dropping", "numbers"):
    loop.train(load(f"{kind}.yaml"), Start(out=Path(kind, "whole")))
    try:
        loop.train(load(f"{kind}.yaml"), Start(out=Path(kind, "killed")), reporter=Notes(2, kill))
    except KeyboardInterrupt:
        loop.resume(Path(kind, "killed"))
    more = {"epochs": 3, "edits": ["training.learning_rate={cosine: {initial: 0.02}}"]}
    loop.resume(Path(kind, "whole"), **more)
    try:
        loop.resume(Path(kind, "killed"), **more, reporter=Notes(3, kill))
    except KeyboardInterrupt:
        loop.resume(Path(kind, "killed"), **more)
try:
    loop.train(load("dropping.yaml", ["training.precision=mixed_float16"]), Start(out=Path("mixed")))
except UsageError as error:
    print(error)
print("tensorflow" in sys.modules)
"""
AUGMENTED = """
import numpy as np
from keras import config, ops
from archbuilder.augmentation.augmenter import augmenter
from archbuilder.data.normalisation import Normaliser
from archbuilder.spec import augmentation as steps
random = np.random.default_rng(0)
pixels, labels = random.integers(0, 256, (300, 9, 8, 3), np.uint8), np.eye(10, dtype=np.float32)[np.arange(300) % 10]
normalise = Normaliser(random.random((9, 8, 3), np.float32), random.random(3, np.float32))
kinds = {
    "pad_crop": [steps.PadCrop(pad=2)], "reflect": [steps.PadCrop(pad=2, fill="reflect")], "flip": [steps.Flip()],
    "cutout": [steps.Cutout(size=3)], "shift": [steps.Shift(fraction=0.3)], "rand_augment": [steps.RandAugment()],
    "lighting": [steps.Lighting(deviation=0.5)], "mixup": [steps.MixUp(alpha=0.3)], "cutmix": [steps.CutMix(alpha=1)],
    "colour_jitter": [steps.ColourJitter(brightness=0.4, contrast=0.3, saturation=0.2)],
}
made = {}
for name, chosen in kinds.items():
    some = map(ops.convert_to_tensor, (pixels, labels, np.arange(300, dtype=np.int32), np.array(3, np.int32)))
    images, soft_labels = augmenter(chosen, normalise, 5)(*some)
    made |= {name: ops.convert_to_numpy(images), f"{name} labels": ops.convert_to_numpy(soft_labels)}
np.savez(f"{config.backend()}.npz", **made)
"""
ON_JAX = """
from random import Random
import jax
import numpy as np
from archbuilder.keras_model.build import build_model
from archbuilder.training.jax.forward import JaxNetwork, values
from tests.graphs import exchange, random_graph
graphs = [exchange(units=1), random_graph(Random(1), 8, outputs=2)]
answers = {}
for graph in graphs:
    model = build_model(graph, seed=1)
    images = np.random.default_rng(0).normal(size=(2, *graph.input.shape)).astype("float32")
    network = JaxNetwork(graph, model)
    logits, _ = jax.jit(network.logits)(values(network.trained), values(network.others), images)
    outputs = model.predict(images, verbose=0)
    expected = np.asarray(outputs[-1] if len(graph.outputs) > 1 else outputs)
    found = np.asarray(logits)
    if "softmax" in repr(graph[graph.outputs[-1]].op):
        found = np.exp(found - found.max(-1, keepdims=True))
        found /= found.sum(-1, keepdims=True)
    answers |= {f"{graph.name} found": found, f"{graph.name} expected": expected}
np.savez("graphs.npz", **answers)
"""


def write_archives(folder: Path) -> None:
    """Images of noise with ten numbers each, and with ten labels."""
    random = np.random.default_rng(0)
    images = {
        f"x_{part}": random.integers(0, 256, (count, 8, 8), np.uint8) for part, count in (("train", 1400), ("test", 90))
    }
    numbers = {f"y_{name[2:]}": 50 + 20 * random.standard_normal((len(some), 10)) for name, some in images.items()}
    labels = {name: (some > 60).astype(np.uint8) for name, some in numbers.items()}
    np.savez(folder / "numbers.npz", allow_pickle=False, **images, **numbers)
    np.savez(folder / "labels.npz", allow_pickle=False, **images, **labels)


def run(backend: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """JAX spends most of its time on compiling; what is the same, it compiles once."""
    environment = {
        **os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(Path(__file__).parents[3]),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_COMPILATION_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_COMPILATION_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }  # fmt: skip
    return python(*arguments, cwd=folder, env=environment)


def arrays(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    with np.load(path) as archive:
        return dict(archive)


def state(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The variables of the last checkpoint of a run."""
    return arrays(max(folder.glob("checkpoints/*/state.npz")))


def metrics(folder: Path) -> dict[str, float]:
    """Those of the only epoch of a run."""
    found: dict[str, float] = json.loads((folder / "metrics.jsonl").read_text())
    return found


def script(*lines: str) -> str:
    """A script that runs command lines one after the other in one process."""
    return f"""
import sys
from archbuilder.cli import main
for line in {lines!r}:
    sys.argv = ["archbuilder", *line.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
"""


FIRST = """
import archbuilder
archbuilder.build("sgd.yaml", seed=0).save("first.keras")
archbuilder.build("ops.yaml", seed=0).save("ops.keras")
"""
"""The first weights; the same in every run of the tests, since in bfloat16 a few images lie on the border."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what one process of each backend comes to, which takes seconds to begin.

    It has images, answers of networks, runs of several recipes that began with the same weights, and what was printed.
    """
    folder = tmp_path_factory.mktemp("jax")
    write_archives(folder)
    for name, text in RECIPES.items():
        (folder / f"{name}.yaml").write_text(text)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(folder / "digit.png")
    for backend in ("tensorflow", "jax"):
        first_weights = {kind: "ops.keras" if kind == "ops" else "first.keras" for kind in RECIPES}
        lines = [
            f"train {kind}.yaml --weights {weights} --out {backend}/{kind} --json"
            for kind, weights in first_weights.items()
        ]
        used = ["evaluate tensorflow/sgd --json", "predict tensorflow/sgd digit.png --json"]
        first = AUGMENTED + (FIRST if backend == "tensorflow" else ON_JAX)
        done = run(backend, folder, "-c", first + script("build sgd.yaml --check", *lines, *used))
        assert done.returncode == 0, done.stderr
        (folder / f"{backend}.txt").write_text(done.stdout)
    return folder


@with_jax
@pytest.mark.parametrize("kind", RECIPES)
def test_both_backends_come_to_the_same_weights(both: Path, kind: str) -> None:
    """Adam divides by the roots of squares that may be tiny, so that rounding grows to a share of the rate.

    bfloat16 has 8 bits, and each backend rounds in other places.
    """
    tolerance = 4e-3 if kind == "mixed" else 2e-4
    ours, theirs = state(both / "tensorflow" / kind), state(both / "jax" / kind)
    raw = [name for name in ours if "average" not in name]  # these are stacked, and show in the validation loss
    assert set(raw) == {name for name in theirs if "average" not in name}
    for name in raw:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=tolerance, err_msg=name)


@with_jax
@pytest.mark.parametrize("kind", RECIPES)
def test_both_backends_come_to_the_same_losses(both: Path, kind: str) -> None:
    """In bfloat16, one or two of the 1,200 images may be right on one backend only."""
    ours, theirs = metrics(both / "tensorflow" / kind), metrics(both / "jax" / kind)
    relative, absolute = (4e-3, 2e-3) if kind == "mixed" else (1e-4, None)
    for name in {"loss", "accuracy", "mae", "validation_loss"} & ours.keys():
        assert ours[name] == pytest.approx(theirs[name], rel=relative, abs=absolute), name


@with_jax
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_mixed_precision_rounds_what_it_computes_and_keeps_weights_exact(both: Path, backend: str) -> None:
    """A backend repeats itself bit for bit: were nothing rounded, the two runs would be the same."""
    exact, weights = state(both / backend / "sgd"), state(both / backend / "mixed")
    assert max(np.abs(weights[name] - exact[name]).max() for name in exact if name.endswith("/kernel")) > 1e-5
    assert {array.dtype for name, array in weights.items() if name.startswith("model/")} == {np.dtype(np.float32)}


@with_jax
def test_both_backends_measure_the_same_run_alike(both: Path) -> None:
    """Also where its network was trained on the other one."""
    printed = [(both / f"{backend}.txt").read_text() for backend in ("tensorflow", "jax")]
    ours, theirs = (json.loads(text[text.rindex("\n{\n") : text.rindex("\n[\n")]) for text in printed)
    assert figures(ours["test"]) == pytest.approx(figures(theirs["test"]), rel=1e-5)
    [[ours], [theirs]] = (json.loads(text[text.rindex("\n[\n") :]) for text in printed)
    assert [one["name"] for one in ours["classes"]] == [one["name"] for one in theirs["classes"]]
    shares = [[one["probability"] for one in predicted["classes"]] for predicted in (ours, theirs)]
    assert shares[0] == pytest.approx(shares[1], rel=1e-4)


@with_jax
@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [(["8.0", "9.0"], "mixed_bfloat16"), (["10.0"], "mixed_bfloat16"), (["9.0", "7.5"], "float32"),
     (["gfx942"], "float32"), ([None], "float32"), ([], "float32")],
)  # fmt: skip
def test_auto_takes_bfloat16_where_all_gpus_have_it(
    capabilities: list[str | None], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jax

    from archbuilder.training import environment

    gpus = [SimpleNamespace(platform="gpu", **({"compute_capability": one} if one else {})) for one in capabilities]
    monkeypatch.setattr(environment, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: gpus or [SimpleNamespace(platform="cpu")])
    assert environment.resolve_precision("auto") == precision


@with_jax
def test_a_run_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    """Dropout and balanced sampling draw what they would have drawn. TensorFlow is not needed.

    A precision that JAX does not have is refused.
    """
    write_archives(tmp_path)
    spec = RECIPES["sgd"].replace("global_average_pool, ", "global_average_pool, {dropout: {rate: 0.2}}, ")
    for kind, text in {"dropping": f"{spec}  freeze: [stem]\n", "numbers": RECIPES["numbers"]}.items():
        (tmp_path / f"{kind}.yaml").write_text(text.replace("{iterations: 6}", "{iterations: 10}"))
    done = run("jax", tmp_path, "-c", RESUMED)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout == "on JAX, networks are trained in float32 or mixed_bfloat16, not in mixed_float16: "
        "--set training.precision=mixed_bfloat16\nFalse\n"
    )
    for kind in ("dropping", "numbers"):
        whole, resumed = (state(tmp_path / kind / run) for run in ("whole", "killed"))
        assert whole.keys() == resumed.keys()
        for name, array in whole.items():
            np.testing.assert_array_equal(array, resumed[name], err_msg=f"{kind}: {name}")


@with_jax
def test_both_backends_make_the_same_images(both: Path) -> None:
    """Where pixels only move, to the bit; a rotated pixel may lie on the border between two."""
    ours, theirs = (arrays(both / f"{backend}.npz") for backend in ("tensorflow", "jax"))
    for name, images in ours.items():
        if name in ("pad_crop", "reflect", "flip", "cutout"):
            np.testing.assert_array_equal(images, theirs[name], err_msg=name)
        elif name == "rand_augment":
            assert np.mean(np.abs(images - theirs[name]) > 1e-4) < 1e-3
        else:
            np.testing.assert_allclose(images, theirs[name], atol=1e-4, err_msg=name)


@with_jax
@pytest.mark.parametrize("name", ["exchange", "random"])
def test_graphs_that_are_not_series_parallel_compute_what_their_models_do(both: Path, name: str) -> None:
    answers = arrays(both / "graphs.npz")
    np.testing.assert_allclose(answers[f"{name} found"], answers[f"{name} expected"], rtol=1e-4, atol=1e-5)


@with_jax
def test_a_run_of_the_other_backend_does_not_go_on(both: Path) -> None:
    run = both / "jax" / "sgd"
    (run / "result.json").unlink()
    with pytest.raises(UsageError, match="began on jax, and goes on there: KERAS_BACKEND=jax"):
        resume(run)


@pytest.mark.parametrize(("backend", "message"), [("torch", "computes with tensorflow or jax"), ("x", "KERAS_BACKEND")])
def test_other_backends_are_refused(backend: str, message: str, tmp_path: Path) -> None:
    done = run(backend, tmp_path, "-m", "archbuilder", "train", "quickstart")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
