"""Weights of other people's networks, and of our own, onto a network of ours. Reads data only: no pickle, no code."""
