"""Writes scikit-learn's digits in 16x16: labels.npz with three labels each, numbers.npz with where their ink is."""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

digits = load_digits()
pixels = np.round(digits.images * 255 / 16).astype(np.uint8).repeat(2, 1).repeat(2, 2)
digit = digits.target
ink = digits.images / digits.images.sum((1, 2), keepdims=True)
KINDS = {
    "labels": {"even": digit % 2 == 0, "prime": np.isin(digit, [2, 3, 5, 7]), "above 4": digit > 4},
    "numbers": {"row": ink.sum(2) @ np.arange(8), "column": ink.sum(1) @ np.arange(8)},
}

for kind, columns in KINDS.items():
    rows = np.stack([*columns.values()], axis=1).astype(np.float32)
    np.savez(
        f"{kind}.npz", classes=np.array([*columns]),
        x_train=pixels[300:], y_train=rows[300:], x_test=pixels[:300], y_test=rows[:300],
    )  # fmt: skip
Image.fromarray(pixels[7]).save("seven.png")
