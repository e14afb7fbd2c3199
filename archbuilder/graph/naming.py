"""Names from structure: `stage2/unit1/residual/conv1` stays the same when an unrelated part changes."""

from __future__ import annotations


def layer_name(name: str) -> str:
    """The Keras layer that holds the weights of a node: Keras forbids slashes, and TensorFlow all but ASCII."""
    return "".join(one if one.isascii() else f"-{ord(one):x}-" for one in name).replace("/", ".")


def result_name(name: str) -> str:
    """The Keras layer that gives the result of a node its shape, where the one with the weights leaves another."""
    return f"{layer_name(name)}.result"
