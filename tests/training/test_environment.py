"""What a machine bears is told before a training that it would make slow."""

from __future__ import annotations

import pytest

from archbuilder.training import environment


@pytest.mark.parametrize(
    ("backend", "gpus", "instructions", "slow"),
    [("tensorflow", [], ["AVX2"], True), ("tensorflow", [], ["AVX2", "AVX-512"], False),
     ("tensorflow", [], [], False), ("tensorflow", ["A100"], ["AVX2"], False), ("jax", [], ["AVX2"], False)],
)  # fmt: skip
def test_bfloat16_is_slow_where_there_are_no_instructions_for_it(
    backend: str, gpus: list[str], instructions: list[str], slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "backend", lambda: backend)
    monkeypatch.setattr(environment, "gpus", lambda: gpus)
    monkeypatch.setattr(environment, "instructions", lambda: instructions)
    assert environment.emulates_bfloat16() == slow
