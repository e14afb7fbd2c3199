"""Weights of other people's networks, and of our own, onto a network of ours. Reads data only: no pickle, no code."""

from archbuilder.weights.reading import read
from archbuilder.weights.transfer import Transfer, transfer

__all__ = ["Transfer", "read", "transfer"]
