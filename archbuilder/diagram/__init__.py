"""Diagrams of networks, good enough for a paper."""
