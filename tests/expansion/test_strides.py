"""The stride of a shortcut is the one that the residual path has."""

from __future__ import annotations

import pytest

import archbuilder
from archbuilder.graph import ops


def shortcut_of(side: int, residual: str) -> ops.Conv:
    """The projection beside a residual path."""
    graph = archbuilder.expand(archbuilder.load_text(
        f"archbuilder: 1\nname: mine\ninput: [{side}, {side}, 3]\n"
        f"stem: [add: {{residual: [{residual}], shortcut: projection_always}}]\n"
    ))  # fmt: skip
    op = graph["stem/shortcut/conv1"].op
    assert isinstance(op, ops.Conv)
    return op


@pytest.mark.parametrize("side", [1, 2, 3, 5, 7, 8, 14, 16, 31, 33])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("unit", ["basic", "bottleneck", "preactivated_basic", "preactivated_bottleneck"])
def test_every_size_and_stride_fits(side: int, stride: int, unit: str) -> None:
    graph = archbuilder.expand(archbuilder.load_text(
        f"archbuilder: 1\nname: mine\ninput: [{side}, {side}, 3]\nunit: {unit}\n"
        f"stages: [{{units: 2, filters: 4, stride: {stride}}}]\n"
    ))  # fmt: skip
    assert graph.nodes[-1].shape[0] == -(-side // stride)


@pytest.mark.parametrize(
    ("side", "residual", "stride"),
    [
        (7, "conv: {filters: 4, kernel: 3, stride: 3}", (3, 3)),
        (5, "conv: {filters: 4, kernel: 3, stride: 3}", (3, 3)),
        (16, "conv: {filters: 4, kernel: 3, stride: 16}", (16, 16)),
        (16, "conv: {filters: 4, kernel: 3, stride: 20}", (20, 20)),
        (9, "conv: {filters: 4, kernel: 3, stride: 2}, max_pool: {size: 3, stride: 2, padding: same}", (4, 4)),
        (9, "subsample: {stride: 2}, average_pool: {size: 3, stride: 3, padding: same}", (6, 6)),
        (9, "conv: {filters: 4, kernel: 3, stride: [1, 2]}, conv: {filters: 4, kernel: 3, stride: [3, 1]}", (3, 2)),
        (9, "add: {a: [conv: {filters: 4, kernel: 1, stride: 2}], b: projection}, conv: {filters: 4, kernel: 3, stride: 2}",
         (4, 4)),
        (9, "multiply: {a: [conv: {filters: 4, kernel: 1, stride: 2}], b: [global_average_pool, dense: {units: 4}]}", (2, 2)),
    ],
)  # fmt: skip
def test_it_is_the_product_along_the_path(side: int, residual: str, stride: tuple[int, int]) -> None:
    assert shortcut_of(side, residual).stride == stride


def test_a_projection_that_does_not_fit_is_not_proposed() -> None:
    with pytest.raises(archbuilder.SpecError, match="shape-mismatch") as caught:
        shortcut_of(9, "conv: {filters: 4, kernel: 3, padding: valid}")
    assert "projection" not in str(caught.value).partition("hint: ")[2]
