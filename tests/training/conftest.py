"""A network small enough to be trained within a test."""

from __future__ import annotations

from pathlib import Path

import pytest

TINY = """\
archbuilder: 1
name: small/tiny
input: [8, 8, 1]
stem: [{conv: {filters: 8, kernel: 3}}, norm, relu]
unit: basic
shortcut: projection
stages: [{units: 1, filters: 8}]
head: [global_average_pool, {dropout: {rate: 0.1}}, {dense: {units: 10}}, softmax]
training:
  data: {source: digits, validation: {holdout: 0.1}}
  augment: [{pad_crop: {pad: 1}}]
  batch_size: 128
  stop: {epochs: 4}
  optimizer: {sgd: {momentum: 0.9, nesterov: true}}
  weight_decay: {coupled: 5e-4, on: [conv, dense]}
  learning_rate: {one_cycle: {peak: 0.1}}
  keep: {last: 2}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a spec: 11 iterations an epoch, 4 epochs."""
    path = tmp_path_factory.mktemp("specs") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path
