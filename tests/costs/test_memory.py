"""The estimate of the memory of training: its parts, what fits, and the committed measurements."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import median

import pytest

import archbuilder
from archbuilder.costs.roofline import traffic
from archbuilder.expansion.expansion import expand
from archbuilder.graph.memory import training_memory, values_for_gradients
from archbuilder.spec import load_text
from tests import zoo
from tests.test_docs import ROOT

TEXT = """\
archbuilder: 1
name: parts
input: [8, 8, 2]
stem: [{conv: {filters: 4, kernel: 3}}, norm, relu]
head: [{max_pool: {size: 2, stride: 2}}, flatten, {dense: {units: 5}}, softmax]
"""
MEASURED: dict[tuple[str, int], list[int]] = defaultdict(list)
for line in (ROOT / "docs" / "training_memory.jsonl").read_text("utf-8").splitlines():
    found = json.loads(line)
    MEASURED[found["network"], found["batch_size"]].append(max(found["peaks"]))


def test_each_network_was_measured_three_times_at_two_batch_sizes() -> None:
    assert len(MEASURED) == 12
    assert min(map(len, MEASURED.values())) >= 3
    assert len({network for network, _ in MEASURED}) == 6


@pytest.mark.parametrize(("network", "batch_size"), MEASURED)
def test_estimates_are_within_15_percent_of_measurements(network: str, batch_size: int) -> None:
    memory = archbuilder.numbers(network, batch_size=batch_size, precision="float32").memory
    estimate = (memory.total - memory.of.weights) / 2**20
    assert estimate == pytest.approx(median(MEASURED[network, batch_size]), rel=0.15)


def test_activations_are_what_the_way_back_needs() -> None:
    graph = expand(load_text(TEXT, "parts.yaml"))
    found = training_memory(graph, "float32")
    image, convolved, pooled, classes = 8 * 8 * 2, 8 * 8 * 4, 4 * 4 * 4, 5
    kept = image + 2 * convolved + 2 * pooled + classes  # the pool's output is the dense layer's input as well
    assert found.image == 4 * (image + 2 * convolved + 2 * convolved)  # at the ReLU, with gradients of its ends
    assert values_for_gradients(graph) == kept
    assert (found.weights, found.gradients, found.optimizer) == (
        4 * graph.parameters,
        4 * graph.trainable,
        4 * graph.trainable,
    )
    assert training_memory(graph, "mixed_bfloat16").image * 2 == found.image
    assert training_memory(graph, "float32", slots=2, averages=True).optimizer == 4 * (
        2 * graph.trainable + graph.parameters
    )


def test_the_largest_batch_is_the_largest_that_fits() -> None:
    memory = archbuilder.numbers("resnet20_v1", memory=2**30).memory
    assert memory.largest_batch is not None
    assert memory.of.total(memory.largest_batch) <= 2**30 < memory.of.total(memory.largest_batch + 1)
    assert archbuilder.numbers("resnet20_v1", memory=1).memory.largest_batch == 0


def test_a_batch_in_parts_takes_less() -> None:
    whole, parts = (
        archbuilder.numbers("resnet20_v1", [f"training.accumulate={count}"], batch_size=128, memory=2**30).memory
        for count in (1, 4)
    )
    assert parts.of.activations(parts.at_once) * 4 == whole.of.activations(whole.at_once)
    assert parts.largest_batch == 4 * (whole.largest_batch or 0)


def test_the_bound_is_that_of_compute_or_of_bandwidth() -> None:
    graph = zoo.graph_of("he2015/resnet50")
    found = traffic(graph, 64, "float32")
    assert found.flops == 2 * 64 * graph.macs
    assert found.intensity == pytest.approx(found.flops / found.moved)
    of_compute, of_bandwidth = found.bound(1e12, 1e30), found.bound(1e30, 1e9)
    assert of_compute is not None
    assert of_bandwidth is not None
    assert of_compute[0] == pytest.approx(1e12 / (2 * graph.macs))
    assert of_bandwidth[0] == pytest.approx(64 * 1e9 / found.moved)
    assert of_compute[0] / 3 < of_compute[1] < of_compute[0] / 2  # the first convolution needs no gradient of the image
    assert (
        traffic(
            expand(load_text("archbuilder: 1\nname: none\ninput: [8, 8, 2]\nstem: [relu]", "none.yaml")), 1, "float32"
        ).bound(1, 1)
        is None
    )
