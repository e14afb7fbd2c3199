"""Data sets: every layout gives the same images, and what is wrong with one is said in a sentence."""

import io
import os
import pickle
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from archbuilder.data.decoding import decode
from archbuilder.data.framing import frame
from archbuilder.data.load import Dataset, Images, Pictures, load_data, split
from archbuilder.data.sources import cifar
from archbuilder.data.sources.cifar_classes import CIFAR10_CLASSES, CIFAR100_CLASSES
from archbuilder.data.sources.download import DownloadError, download
from archbuilder.data.sources.unpickle import unpickle
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.spec.data import Data, Digits, Fold, Holdout, Known, OnTest, known_of
from archbuilder.spec.framing import CentreCrop, Resize

CIFAR_SHAPE = (32, 32, 3)
TRAIN, TEST = 50, 20


def some_images(count: int, classes: int = 10, shape: tuple[int, int, int] = CIFAR_SHAPE, seed: int = 0) -> Images:
    """Each class appears, in no order."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % classes).astype(np.int32)
    return Images(random.integers(0, 256, (count, *shape), dtype=np.uint8), labels)


def load(source: object, path: Path | None, shape: tuple[int, int, int] = CIFAR_SHAPE) -> Dataset:
    return load_data(Data.model_validate({"source": source}), shape, path)


def pixels(images: Pictures) -> npt.NDArray[np.uint8]:
    assert isinstance(images, Images)
    return images.pixels


def batch(images: Images, label_key: bytes = b"labels") -> bytes:
    """As Python 3 writes what Python 2 wrote for CIFAR."""
    rows = images.pixels.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickle.dumps({b"batch_label": b"x", label_key: images.labels.tolist(), b"data": rows}, protocol=2)


Files = dict[str, bytes]


def cifar10_files(train: Images, test: Images) -> Files:
    fifth = len(train) // 5
    parts = [train.take(np.arange(n * fifth, (n + 1) * fifth)) for n in range(5)]
    return {f"data_batch_{n + 1}": batch(part) for n, part in enumerate(parts)} | {"test_batch": batch(test)}


def cifar100_files(train: Images, test: Images) -> Files:
    return {"train": batch(train, b"fine_labels"), "test": batch(test, b"fine_labels"), "meta": b"unread"}


def write_batches(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-batches/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_npz(path: Path, train: Images, test: Images, **more: Any) -> Path:
    arrays = {"x_train": train.pixels, "y_train": train.labels, "x_test": test.pixels, "y_test": test.labels}
    np.savez(path, **{**arrays, **more})
    return path


def write_folder(folder: Path, train: Images, test: Images, classes: tuple[str, ...] = CIFAR10_CLASSES) -> Path:
    for part, images in (("train", train), ("test", test)):
        for number, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
            path = folder / part / classes[label] / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def parts() -> tuple[Images, Images]:
    return some_images(TRAIN), some_images(TEST, seed=1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Keras cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "datasets"


Layout = Callable[[Path, Images, Images], Path]
LAYOUTS: dict[str, Layout] = {
    "batches": lambda folder, *parts: write_batches(folder / "anything", cifar10_files(*parts)),
    "folder of batches": lambda folder, *parts: (
        write_batches(folder / "data" / "cifar-10-batches-py", cifar10_files(*parts)).parent
    ),
    "archive": lambda folder, *parts: write_archive(folder / "anything", cifar10_files(*parts)),
    "folder of archive": lambda folder, *parts: (
        write_archive(folder / "data" / "cifar-10-python.tar.gz", cifar10_files(*parts)).parent
    ),
    "npz": lambda folder, *parts: write_npz(folder / "anything.npz", *parts),
    "folder of npz": lambda folder, *parts: write_npz(folder / "cifar10.npz", *parts).parent,
    "images": lambda folder, *parts: write_folder(folder / "anything", *parts),
    "folder of images": lambda folder, *parts: write_folder(folder / "data" / "anything", *parts).parent,
    "Keras' folder": lambda folder, *parts: write_batches(
        folder / "data" / "cifar-10-batches-py-target" / "cifar-10-batches-py", cifar10_files(*parts)
    ).parents[1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_cifar10_gives_the_same_data_set(
    layout: str, parts: tuple[Images, Images], tmp_path: Path
) -> None:
    train, test = parts
    expected = Dataset.of("cifar10", CIFAR10_CLASSES, train, test, "memory")
    found = load("cifar10", LAYOUTS[layout](tmp_path, *parts))
    assert (found.name, found.classes, found.fingerprint) == ("cifar10", CIFAR10_CLASSES, expected.fingerprint)
    np.testing.assert_array_equal(pixels(found.train), pixels(expected.train))
    np.testing.assert_array_equal(found.train.labels, expected.train.labels)
    assert sorted(found.test.digests()) == sorted(test.digests())
    assert pixels(found.train).dtype == np.uint8
    assert found.train.labels.dtype == np.int32


def test_test_images_keep_the_order_they_are_stored_in(parts: tuple[Images, Images], tmp_path: Path) -> None:
    found = load("cifar10", write_npz(tmp_path / "c.npz", *parts))
    np.testing.assert_array_equal(pixels(found.test), parts[1].pixels)


def test_fingerprint_depends_on_every_pixel_and_label(parts: tuple[Images, Images]) -> None:
    train, test = parts
    pixels, labels = train.pixels.copy(), test.labels.copy()
    pixels[0, 0, 0, 0] ^= 1
    labels[0] ^= 1
    versions = [
        (train, test),
        (Images(pixels, train.labels), test),
        (train, Images(test.pixels, labels)),
        (test, train),
    ]
    assert len({Dataset.of("x", "ab", *version, "y").fingerprint for version in versions}) == len(versions)


@pytest.mark.parametrize("layout", ["batches", "archive"])
def test_cifar100(layout: str, tmp_path: Path) -> None:
    train, test = some_images(200, 100), some_images(100, 100, seed=1)
    files = cifar100_files(train, test)
    path = write_batches(tmp_path / "b", files) if layout == "batches" else write_archive(tmp_path / "a", files)
    found = load("cifar100", path)
    assert found.fingerprint == Dataset.of("", CIFAR100_CLASSES, train, test, "").fingerprint
    assert len(found.classes) == 100
    assert list(found.classes) == sorted(found.classes)


def test_cifar10_does_not_take_the_cifar100_beside_it(parts: tuple[Images, Images], tmp_path: Path) -> None:
    write_archive(tmp_path / "cifar-100-python.tar.gz", cifar100_files(*parts))
    write_npz(tmp_path / "cifar100.npz", *parts)
    with pytest.raises(MissingError, match="there is no cifar10 in"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("inside", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"])
def test_keras_cache_is_looked_into(inside: str, parts: tuple[Images, Images], cache: Path) -> None:
    folder = write_batches(cache / inside, cifar10_files(*parts))
    assert load("cifar10", None).origin == str(folder)


def test_what_is_not_there_is_downloaded_into_the_cache(
    parts: tuple[Images, Images], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(url: str, target: Path, checksum: str) -> None:
        assert url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
        assert len(checksum) == 64
        write_archive(target, cifar10_files(*parts))

    monkeypatch.setattr(cifar, "download", fake)
    assert load("cifar10", None).origin == str(cache / "cifar-10-python.tar.gz")
    monkeypatch.delattr(cifar, "download")
    assert len(load("cifar10", None).train) == TRAIN


@pytest.mark.faults
def test_without_a_network_the_message_says_where_to_get_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(url: str, target: Path, checksum: str) -> None:
        raise DownloadError("no route to host")

    monkeypatch.setattr(cifar, "download", fake)
    with pytest.raises(MissingError) as caught:
        load("cifar10", None)
    for words in (str(cache), "no route to host", "https://www.cs.toronto.edu", "--data", "train/<class>/"):
        assert words in str(caught.value)
    assert caught.value.exit_code == 4


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file").write_bytes(b"content")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "served"))) as running:
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_download_writes_what_has_the_right_sum(server: str, tmp_path: Path) -> None:
    download(f"{server}/file", tmp_path / "new" / "file", sha256(b"content").hexdigest())
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    assert os.listdir(tmp_path / "new") == ["file"]


@pytest.mark.faults
@pytest.mark.parametrize(("name", "message"), [("file", "its sha256 is"), ("nothing", "404")])
def test_download_leaves_nothing_behind_when_it_fails(server: str, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DownloadError, match=message):
        download(f"{server}/{name}", tmp_path / "new" / "file", sha256(b"other").hexdigest())
    assert os.listdir(tmp_path / "new") == []


@pytest.mark.faults
def test_a_download_that_is_cut_off_can_be_tried_again(tmp_path: Path) -> None:
    lengths = iter((9_000, 7))

    class CutOff(_Quiet):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(next(lengths)))
            self.end_headers()
            self.wfile.write(b"content")

    with ThreadingHTTPServer(("127.0.0.1", 0), CutOff) as running:
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        url, target = f"http://127.0.0.1:{running.server_port}/", tmp_path / "new" / "file"
        with pytest.raises(DownloadError, match=r"file was cut off after 7 of 9,000 bytes: try again"):
            download(url, target, sha256(b"content").hexdigest())
        assert os.listdir(target.parent) == []
        download(url, target, sha256(b"content").hexdigest())
        running.shutdown()
    assert os.listdir(target.parent) == ["file"]


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    content = pickle.dumps({b"data": _Evil(tmp_path / "made")}, protocol=2)
    with pytest.raises(ValueError, match=r"posix.mkdir, which has no place"):
        unpickle(content)
    assert not (tmp_path / "made").exists()
    pickle.loads(content)
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [
    pickle.dumps([1, 2]),
    pickle.dumps({b"data": np.array([object])}, protocol=2),
    pickle.dumps({b"data": np.array([0.5])}, protocol=2),
    pickle.dumps({b"data": np.zeros(5, np.uint8)}, protocol=2)[:-30],
    b"",
    b"PK\x03\x04",
])  # fmt: skip
def test_other_pickles_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpickle(content)


@pytest.mark.parametrize(
    "array", [np.arange(6, dtype=">i4"), np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))]
)
def test_arrays_come_out_of_a_pickle_as_they_were(array: npt.NDArray[Any]) -> None:
    np.testing.assert_array_equal(unpickle(pickle.dumps({"data": array}, protocol=2))["data"], array)


Spoil = Callable[[Path], object]


@pytest.mark.faults
@pytest.mark.parametrize(("layout", "spoil", "message"), [
    ("batches", lambda path: (path / "data_batch_3").unlink(), "data_batch_3 cannot be read: it is not there"),
    ("batches", lambda path: (path / "data_batch_3").write_bytes(b"x"), "data_batch_3 is not a batch of cifar10"),
    ("batches", lambda path: (path / "test_batch").write_bytes(pickle.dumps({"data": 1})), "it holds no 'labels'"),
    ("archive", lambda path: path.write_bytes(path.read_bytes()[:-2000]), "is damaged"),
    ("archive", lambda path: write_archive(path, {"data_batch_1": b""}), "it holds no data_batch_2, data_batch_3"),
    ("npz", lambda path: path.write_bytes(path.read_bytes()[:2000]), "cannot be read as a NumPy archive"),
    ("npz", lambda path: np.savez(path, x_train=np.zeros(3)), "has no y_train, x_test, y_test"),
    ("images", lambda path: (path / "train" / "dog").rename(path / "train" / "wolf"), "there is no .*train/dog"),
])  # fmt: skip
def test_damaged_data_is_missing_data(
    layout: str, spoil: Spoil, message: str, parts: tuple[Images, Images], tmp_path: Path
) -> None:
    path = LAYOUTS[layout](tmp_path, *parts)
    spoil(path)
    with pytest.raises(MissingError, match=message):
        load("cifar10", path)


@pytest.mark.faults
@pytest.mark.parametrize(("source", "path", "error", "message"), [
    ("cifar10", "nowhere", MissingError, "there is no .*nowhere"),
    ("npz", "nowhere.npz", MissingError, "there is no .*nowhere.npz"),
    ("image_folder", "nowhere", MissingError, "there is no .*nowhere"),
    ("image_folder", None, UsageError, "--data PATH says it"),
    ("digits", "nowhere", UsageError, "there is no other place"),
])  # fmt: skip
def test_a_place_that_says_nothing(
    source: str, path: str | None, error: type[ArchbuilderError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        load(source, tmp_path / path if path else None)


@pytest.mark.faults
def test_cifar10_of_another_size_is_refused(tmp_path: Path) -> None:
    small = some_images(20, shape=(8, 8, 3))
    with pytest.raises(UsageError, match=r"the training images are 8x8x3, but the network takes 32x32x3"):
        load("cifar10", write_npz(tmp_path / "cifar10.npz", small, small))
    with pytest.raises(UsageError, match=r"has 8x8 pixels, but 32x32 are expected"):
        load("cifar10", write_folder(tmp_path / "images", small, small))


@pytest.mark.faults
def test_cifar10_with_an_eleventh_class_is_refused(tmp_path: Path) -> None:
    images = some_images(22, classes=11)
    with pytest.raises(UsageError, match=r"labels of the training images go from 0 to 10; with 10 classes"):
        load("cifar10", write_npz(tmp_path / "cifar10.npz", images, images))


def test_npz_numbers_or_names_its_classes(tmp_path: Path) -> None:
    grey = some_images(12, classes=3, shape=(5, 4, 1))
    flat = Images(grey.pixels[..., 0], grey.labels)
    numbered = load("npz", write_npz(tmp_path / "a.npz", flat, flat), (5, 4, 1))
    assert (numbered.name, numbered.classes) == ("a", ("0", "1", "2"))
    named = load("npz", write_npz(tmp_path / "b.npz", grey, grey, classes=np.array(["x", "y", "z"])), (5, 4, 1))
    assert (named.classes, named.fingerprint) == (("x", "y", "z"), numbered.fingerprint)
    columns = Images(grey.pixels, grey.labels[:, None])
    assert load("npz", write_npz(tmp_path / "c.npz", columns, columns), (5, 4, 1)).fingerprint == named.fingerprint


@pytest.mark.faults
@pytest.mark.parametrize(("change", "message"), [
    ({"x_test": np.zeros((20, 32, 32, 3), np.int64)}, "x_test is int64 of shape .*; uint8 of shape"),
    ({"y_train": np.zeros(3, np.int64)}, "50 whole numbers are expected"),
    ({"y_train": np.full(50, 0.5)}, "its numbers are not whole"),
    ({"y_test": np.full(20, 10)}, "labels of the test images go from 10 to 10"),
    ({"y_test": np.full(20, -1)}, "labels in y_test go from -1 to -1; they count from 0"),
    ({"y_train": np.full(50, 2**40)}, "labels in y_train go from 1,099,511,627,776 to"),
    ({"x_train": np.zeros((0, 32, 32, 3), np.uint8), "y_train": np.zeros(0, int)}, "x_train is empty"),
])  # fmt: skip
def test_npz_with_other_contents_is_refused(
    change: dict[str, Any], message: str, parts: tuple[Images, Images], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        load("npz", write_npz(tmp_path / "a.npz", *parts, **change))


def test_npz_does_not_unpickle(parts: tuple[Images, Images], tmp_path: Path) -> None:
    objects = np.array([_Evil(tmp_path / "made")], dtype=object)
    with pytest.raises(MissingError, match=r"the array y_train in it is of objects"):
        load("npz", write_npz(tmp_path / "a.npz", *parts, y_train=objects))
    assert not (tmp_path / "made").exists()


def test_image_folder_names_its_classes_and_resizes(tmp_path: Path) -> None:
    images = some_images(12, classes=3, shape=(10, 10, 3))
    folder = write_folder(tmp_path / "pets", images, images, ("fish", "Dog", "cat"))
    (folder / "train" / ".DS_Store").write_bytes(b"x")
    (folder / "train" / "fish" / "notes.txt").write_bytes(b"x")
    found = load("image_folder", tmp_path, (6, 8, 1))
    assert (found.name, found.classes) == ("pets", ("Dog", "cat", "fish"))
    assert pixels(found.train).shape == (12, 6, 8, 1)
    grey = Image.fromarray(images.pixels[0]).convert("L").resize((8, 6), Image.Resampling.BILINEAR)
    file = folder / "train" / ("fish", "Dog", "cat")[images.labels[0]] / "0000.png"
    np.testing.assert_array_equal(frame(decode(file, "L"), [Resize()], (6, 8))[..., 0], np.asarray(grey))


@pytest.mark.faults
@pytest.mark.parametrize(("spoil", "message"), [
    (lambda path: (path / "train").rename(path / "tset"), "there is no .*train beside test/"),
    (lambda path: (path / "test" / "dog").rename(path / "test" / "dgo"), "there is no .*train/dgo"),
    (lambda path: [file.unlink() for file in (path / "train" / "cat").iterdir()], "no images .* in .*train/cat"),
    (lambda path: (path / "train" / "cat" / "0.png").write_bytes(b"x"), "cat/0.png is no image of a kind that is read"),
    (lambda path: Image.new("L", (8000, 8000)).save(path / "test" / "cat" / "0.png"), "0.png has 8000x8000 pixels"),
])  # fmt: skip
def test_image_folder_says_what_is_wrong(spoil: Spoil, message: str, tmp_path: Path) -> None:
    images = some_images(12, classes=2, shape=(4, 4, 3))
    folder = write_folder(tmp_path / "pets", images, images, ("cat", "dog"))
    spoil(folder)
    with pytest.raises(MissingError, match=message):
        load("image_folder", folder, (4, 4, 3))


@pytest.mark.faults
def test_image_that_is_cut_off_is_named(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    Image.fromarray(some_images(1, 1).pixels[0]).save(file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(MissingError, match=r"photo.jpg is cut off"):
        decode(file, "RGB")


def test_image_that_would_unpack_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    with pytest.raises(MissingError, match=r"bomb.png has far more pixels than"):
        decode(tmp_path / "bomb.png", "RGB")


def test_photo_is_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(some_images(1, 1, (4, 6, 3)).pixels[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    upright = np.asarray(image.transpose(Image.Transpose.ROTATE_270))
    np.testing.assert_array_equal(decode(tmp_path / "turned.png", "RGB"), upright)


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 20, 3)])
def test_digits(shape: tuple[int, int, int]) -> None:
    digits = load("digits", None, shape)
    assert (len(digits.train), len(digits.test), digits.classes) == (1433, 364, tuple("0123456789"))
    assert known_of(Digits()) == Known("digits", len(digits.train), len(digits.classes))
    assert pixels(digits.train).shape[1:] == shape
    assert (pixels(digits.train).min(), pixels(digits.train).max()) == (0, 255)
    shares = np.bincount(digits.test.labels) / np.bincount(np.concatenate([digits.train.labels, digits.test.labels]))
    assert abs(shares - 0.2).max() < 0.01
    assert (pixels(digits.train)[..., :1] == pixels(digits.train)).all()


def test_holdout_takes_its_share_of_each_class() -> None:
    images = some_images(1003, 10, (1, 1, 1))
    train, held = split(images, Holdout(amount=100), seed=0)
    assert (len(train), len(held)) == (903, 100)
    assert set(np.bincount(held.labels)) <= {9, 10, 11}
    assert sorted(train.digests() + held.digests()) == sorted(images.digests())


def test_holdout_is_a_function_of_the_seed() -> None:
    images = some_images(200, 10, (4, 4, 1))
    first, again, other = (split(images, Holdout(amount=0.25), seed)[1] for seed in (0, 0, 1))
    assert len(first) == 50
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert set(first.digests()) != set(other.digests())


def test_holdout_cannot_take_everything() -> None:
    with pytest.raises(UsageError, match=r"50 of 50 training images cannot be held out"):
        split(some_images(50), Holdout(amount=50), seed=0)


def test_folds_hold_each_image_out_once_and_each_class_alike() -> None:
    images = some_images(1_003, 10, (4, 4, 1))
    parts = [split(images, Fold(number=number, of=4), seed=0) for number in range(1, 5)]
    assert (
        [len(held) for _, held in parts]
        == [251, 251, 251, 250]
        == [Fold(number=n, of=4).count(1_003) for n in range(1, 5)]
    )
    counts = np.array([np.bincount(held.labels, minlength=10) for _, held in parts])
    assert (counts.max(0) - counts.min(0) <= 1).all()
    assert sorted(digest for _, held in parts for digest in held.digests()) == sorted(images.digests())
    for train, held in parts:
        assert sorted(train.digests() + held.digests()) == sorted(images.digests())


def test_folds_follow_from_the_seed() -> None:
    images = some_images(200, 10, (4, 4, 1))
    first, again, other = (set(split(images, Fold(number=2, of=3), seed)[1].digests()) for seed in (0, 0, 1))
    assert first == again != other


def test_each_fold_needs_an_image() -> None:
    with pytest.raises(UsageError, match=r"3 training images cannot be parted into 5 folds"):
        split(some_images(3), Fold(number=1, of=5), seed=0)


def test_validation_on_the_test_set_holds_nothing_out(parts: tuple[Images, Images]) -> None:
    train, held = split(parts[0], OnTest(), seed=0)
    assert (len(train), len(held)) == (TRAIN, 0)


@pytest.mark.faults
def test_a_strip_is_not_resized_beyond_all_bounds() -> None:
    with pytest.raises(
        UsageError, match=r"cannot bring an image of 1x1000 pixels to a shorter side of 9,000: .* than 200"
    ):
        frame(Image.new("L", (1, 1_000)), [Resize(shorter_side=9_000), CentreCrop()], (8, 8))
