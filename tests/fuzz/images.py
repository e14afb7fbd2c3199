"""Images of every kind that is taken, damaged; alone, and in the folder of a data set."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from random import Random
from typing import Any

from tests.fuzz.case import Case, Content, Fifo, Kind, Link
from tests.fuzz.damage import damaged

SAVED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PNG", "L", {}), ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "P", {}), ("PNG", "1", {}), ("PNG", "I;16", {}), ("PNG", "LA", {}),
    ("PNG", "P", {"transparency": 1}), ("JPEG", "RGB", {}), ("JPEG", "L", {}), ("JPEG", "CMYK", {}), ("JPEG", "RGB", {"progressive": True}),
    ("BMP", "RGB", {}), ("BMP", "P", {}), ("BMP", "1", {}), ("GIF", "P", {}), ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}),
    ("TIFF", "RGB", {}), ("TIFF", "I;16", {}), ("TIFF", "F", {}), ("TIFF", "CMYK", {}), ("TIFF", "LAB", {}), ("TIFF", "L", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "tiff_deflate"}), ("TIFF", "RGB", {"compression": "jpeg"}), ("TIFF", "1", {"compression": "group4"}),
    ("PPM", "RGB", {}), ("PPM", "L", {}), ("PPM", "1", {}), ("PPM", "F", {}),
)  # fmt: skip
NAMES = ("x.png", "x.JPG", "x", "deep/er/x.webp", "\x1b[31m.png", "é.tif", ".hidden.png", "notes.txt")
OTHERS = (
    b"",
    b"GIF89a",
    b"%!PS-Adobe-3.0 EPSF-3.0\n",
    b"P6 999999999 999999999 255\n",
    b"P1 9 # \n",
    b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 40,
)


@cache
def corpus() -> tuple[bytes, ...]:
    """A small image in each form, with Exif data where the form holds some."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    images = []
    for kind, mode, options in SAVED:
        source = Image.linear_gradient("L").resize((24, 20))
        image = (
            source.point(lambda value: value * 257, "I").convert("I;16") if mode == "I;16" else _in_mode(source, mode)
        )
        file = BytesIO()
        image.save(file, kind, **options, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
        images.append(file.getvalue())
    return (*images, *OTHERS)


def _in_mode(image: Any, mode: str) -> Any:
    from PIL import Image, ImageCms

    if mode == "F":
        return image.convert("F").point(lambda value: value * (1 / 255))
    if mode == "LAB":
        change = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return ImageCms.applyTransform(image.convert("RGB"), change)
    return image.convert("RGB").convert(mode) if mode in ("LA", "P") else Image.merge("RGB", [image] * 3).convert(mode)


def image(random: Random) -> bytes:
    return damaged(random.choice(corpus()), random, corpus())


def one(random: Random) -> Case:
    """An image that is decoded, or only checked, for a network of 1, 3 or 4 channels."""
    how = random.choice(("decode", "decode", "check"))
    return Case({"x.png": image(random)}, (how, "x.png", random.choice(("1", "3", "4"))))


def folder(random: Random) -> Case:
    """A folder of two classes; some of its images are damaged, links, pipes, or called strangely."""
    files: dict[str, Content] = {
        f"data/{part}/{name}/0.png": corpus()[0] for part in ("train", "test") for name in "ab"
    }
    for _ in range(random.randrange(4)):
        content: Content = random.choice(
            (image(random), image(random), Link("/dev/zero"), Link("."), Link("x"), Link("../.."), Fifo())
        )
        files[
            f"data/{random.choice(('train', 'test', 'val'))}/{random.choice(('a', 'b', 'c'))}/{random.choice(NAMES)}"
        ] = content
    if random.random() < 0.1:
        del files["data/train/b/0.png"]
    return Case(
        files,
        (
            "load",
            "image_folder",
            "data",
            random.choice(("8,8,1", "8,8,3", "30,20,4", "8,8,2")),
            random.choice(("", "own")),
        ),
    )


IMAGES, FOLDERS = Kind(one), Kind(folder)
