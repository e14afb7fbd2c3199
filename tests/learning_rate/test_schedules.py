"""The rate on both sides of every boundary."""

import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from archbuilder.learning_rate.plateau import Patience, Plateau
from archbuilder.learning_rate.schedules import Schedule, schedule
from archbuilder.spec.learning_rate import LearningRate

PER_EPOCH, TOTAL = 10, 1000


def make(spec: Any, iterations_per_epoch: int = PER_EPOCH, iterations: int = TOTAL) -> Schedule:
    parsed = TypeAdapter[Any](LearningRate).validate_python(spec)
    return schedule(parsed, iterations_per_epoch, iterations)


KERAS_EXAMPLE = {"steps": {"initial": 1e-3, "unit": "epochs", "drops": {81: 1e-4, 121: 1e-5, 161: 1e-6, 181: 0.5e-6}}}
TABLE: list[tuple[Any, int, float]] = [
    ({"constant": {"rate": 0.1}}, 0, 0.1),
    ({"constant": {"rate": 0.1}}, 999, 0.1),
    ({"steps": {"initial": 0.1, "drops": {320: 0.01, 480: 0.001}}}, 319, 0.1),
    ({"steps": {"initial": 0.1, "drops": {320: 0.01, 480: 0.001}}}, 320, 0.01),
    ({"steps": {"initial": 0.1, "drops": {320: 0.01, 480: 0.001}}}, 479, 0.01),
    ({"steps": {"initial": 0.1, "drops": {320: 0.01, 480: 0.001}}}, 480, 0.001),
    ({"steps": {"initial": 0.1, "unit": "fraction", "drops": {0.3: 0.01}}}, 299, 0.1),
    ({"steps": {"initial": 0.1, "unit": "fraction", "drops": {0.3: 0.01}}}, 300, 0.01),
    ({"steps": {"initial": 0.1, "unit": "epochs", "drops": {2.55: 0.01}}}, 25, 0.1),
    ({"steps": {"initial": 0.1, "unit": "epochs", "drops": {2.55: 0.01}}}, 26, 0.01),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 2.4}}, 23, 0.1),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 2.4}}, 24, 0.05),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 2.45}}, 24, 0.1),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 2.45}}, 25, 0.05),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 0.7, "unit": "iterations"}}, 999, 0.1 * 0.5**1427),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 0.25, "unit": "fraction"}}, 749, 0.025),
    ({"exponential": {"initial": 0.1, "factor": 0.5, "every": 0.25, "unit": "fraction"}}, 750, 0.0125),
    ({"linear": {"initial": 0.1}}, 0, 0.1),
    ({"linear": {"initial": 0.1}}, 750, 0.025),
    ({"linear": {"initial": 0.1, "final": 0.02}}, 1000, 0.02),
    ({"cosine": {"initial": 0.1}}, 0, 0.1),
    ({"cosine": {"initial": 0.1}}, 500, 0.05),
    ({"cosine": {"initial": 0.1, "final": 0.01}}, 1000, 0.01),
    ({"cosine": {"initial": 0.1, "final": 0.01}}, 250, 0.01 + 0.09 * (1 + math.cos(math.pi / 4)) / 2),
    ({"polynomial": {"initial": 0.1, "power": 2.0}}, 0, 0.1),
    ({"polynomial": {"initial": 0.1, "power": 2.0}}, 500, 0.025),
    ({"one_cycle": {"peak": 0.2, "initial": 0.02, "rise": 0.4}}, 0, 0.02),
    ({"one_cycle": {"peak": 0.2, "initial": 0.02, "rise": 0.4}}, 200, 0.11),
    ({"one_cycle": {"peak": 0.2, "initial": 0.02, "rise": 0.4}}, 400, 0.2),
    ({"one_cycle": {"peak": 0.2, "initial": 0.02, "rise": 0.4}}, 700, 0.1),
    ({"one_cycle": {"peak": 0.2, "shape": "cosine", "rise": 0.4}}, 100, 0.2 * (1 - math.cos(math.pi / 4)) / 2),
    ({"one_cycle": {"peak": 0.2, "shape": "cosine", "rise": 0.4}}, 1000, 0.0),
    ({"plateau": {"initial": 0.1}}, 999, 0.1),
    ({"one_cycle": {"peak": 0.2, "initial": 0.02, "rise": 40, "unit": "epochs"}}, 399, 0.02 + 0.18 * 399 / 400),
    ({"one_cycle": {"peak": 0.2, "initial": 0.02, "rise": 40, "unit": "epochs"}}, 400, 0.2),
    ({"one_cycle": {"peak": 0.2, "rise": 400, "unit": "iterations"}}, 700, 0.1),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 0, 0.1),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 100, 0.1),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 299, 0.1 + 0.3 * 199 / 200),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 300, 0.4),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 301, 0.396),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 400, 0.0),
    ({"piecewise": {"points": {100: 0.1, 300: 0.4, 400: 0.0}}}, 999, 0.0),
    ({"piecewise": {"unit": "epochs", "points": {0: 0.0, 15: 0.4, 30: 0.0}}}, 75, 0.2),
    ({"piecewise": {"unit": "epochs", "points": {0: 0.0, 15: 0.4, 30: 0.0}}}, 150, 0.4),
    ({"piecewise": {"unit": "fraction", "points": {0: 0.0, 0.5: 0.4, 1: 0.0}}}, 250, 0.2),
    ({"piecewise": {"unit": "fraction", "points": {0: 0.0, 0.5: 0.4, 1: 0.0}}}, 750, 0.2),
]


@pytest.mark.parametrize(("spec", "iteration", "rate"), TABLE)
def test_rate_of_an_iteration(spec: Any, iteration: int, rate: float) -> None:
    assert make(spec).rate(iteration) == pytest.approx(rate, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("epoch", "before", "after"), [
    (81, 1e-3, 1e-4), (121, 1e-4, 1e-5), (161, 1e-5, 1e-6), (181, 1e-6, 0.5e-6),
])  # fmt: skip
def test_the_schedule_of_keras_example_drops_where_it_does(epoch: int, before: float, after: float) -> None:
    """Keras' CIFAR-10 example tests `epoch > 80`, counting from zero: epoch 81 is the first one at the new rate."""
    per_epoch = 1563
    rates = make(KERAS_EXAMPLE, per_epoch, 200 * per_epoch)
    assert rates.rate(epoch * per_epoch - 1) == before
    assert rates.rate(epoch * per_epoch) == after


@pytest.mark.parametrize(("warmup", "iteration", "factor"), [
    ({"iterations": 40, "initial": 0.2}, 0, 0.2),
    ({"iterations": 40, "initial": 0.2}, 20, 0.6),
    ({"iterations": 40, "initial": 0.2}, 40, 1.0),
    ({"iterations": 40, "initial": 0.2, "shape": "constant"}, 39, 0.2),
    ({"iterations": 40, "initial": 0.2, "shape": "constant"}, 40, 1.0),
    ({"epochs": 3, "initial": 0.1, "shape": "constant"}, 29, 0.1),
    ({"epochs": 3, "initial": 0.1, "shape": "constant"}, 30, 1.0),
    ({"fraction": 0.05, "initial": 0.1, "shape": "constant"}, 49, 0.1),
    ({"fraction": 0.05, "initial": 0.1, "shape": "constant"}, 50, 1.0),
    ({"fraction": 0.05, "initial": 0.2}, 25, 0.6),
])  # fmt: skip
@pytest.mark.parametrize("kind", [
    {"constant": {"rate": 0.1}},
    {"steps": {"initial": 0.1, "drops": {20: 0.05}}},
    {"cosine": {"initial": 0.1}},
    {"one_cycle": {"peak": 0.2}},
    {"plateau": {"initial": 0.1}},
])  # fmt: skip
def test_warm_up_is_a_factor_on_every_kind(kind: Any, warmup: Any, iteration: int, factor: float) -> None:
    [(name, fields)] = kind.items()
    warm = make({name: {**fields, "warmup": warmup}})
    assert warm.rate(iteration) == pytest.approx(factor * make(kind).rate(iteration))


def plateau(**fields: Any) -> Plateau:
    found = make({"plateau": {"initial": 1.0, "factor": 0.5, "patience": 2, **fields}}).plateau
    assert found is not None
    return found


def rates_after(state: Plateau, values: list[float]) -> list[float]:
    rates = []
    for value in values:
        state.update(value)
        rates.append(state.lowered(1.0))
    return rates


def test_plateau_falls_after_patience_epochs_without_improvement() -> None:
    assert rates_after(plateau(), [3.0, 2.0, 2.0, 2.1, 2.2, 1.0, 1.0]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.5]


def test_plateau_needs_an_improvement_of_min_change() -> None:
    assert rates_after(plateau(min_change=0.1), [3.0, 2.95, 2.92]) == [1, 1, 0.5]


def test_plateau_does_not_count_while_cooling_down() -> None:
    assert rates_after(plateau(cooldown=2), [3.0, 3, 3, 3, 3, 3, 3]) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert rates_after(plateau(), [3.0, 3, 3, 3, 3, 3]) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_plateau_stops_at_min_rate() -> None:
    assert rates_after(plateau(patience=1, min_rate=0.4), [1.0] * 4) == [1, 0.5, 0.4, 0.4]


def test_plateau_wants_accuracy_to_rise() -> None:
    watched = plateau(watch="validation_accuracy")
    assert watched.watch == "validation_accuracy"
    assert rates_after(watched, [0.5, 0.6, 0.7, 0.6, 0.6]) == [1, 1, 1, 1, 0.5]


def test_plateau_takes_nan_for_no_improvement() -> None:
    assert rates_after(plateau(), [math.nan, 1.0, math.nan, math.nan]) == [1, 1, 1, 0.5]


def test_plateau_goes_on_from_its_state() -> None:
    values = [3.0, 3, 3, 3, 2, 2, 2, 2, 2]
    whole, first, second = plateau(cooldown=1), plateau(cooldown=1), plateau(cooldown=1)
    expected = rates_after(whole, values)
    begun = rates_after(first, values[:4])
    second.restore(first.state())
    assert begun + rates_after(second, values[4:]) == expected


def test_plateau_decides_the_rate_of_its_schedule() -> None:
    made = make({"plateau": {"initial": 1.0, "factor": 0.5, "patience": 1}})
    assert made.plateau is not None
    rates_after(made.plateau, [1.0, 1.0])
    assert made.rate(0) == 0.5


BESIDE = {"factor": 0.5, "patience": 1, "min_rate": 0.04}
DROPS = {"initial": 1.0, "drops": {320: 0.1, 480: 0.01}}


def test_plateau_multiplies_a_fixed_schedule() -> None:
    made = make({"steps": {**DROPS, "plateau": {**BESIDE, "combine": "multiplied"}}})
    assert made.plateau is not None
    assert [made.rate(i) for i in (319, 320, 480)] == [1.0, 0.1, 0.01]
    rates_after(made.plateau, [1.0, 1.0])
    assert [made.rate(i) for i in (319, 320, 480)] == [0.5, 0.05, 0.01]  # what is below min_rate stays
    rates_after(made.plateau, [1.0])
    assert [made.rate(i) for i in (319, 320, 480)] == [0.25, 0.04, 0.01]


def test_an_overruled_plateau_never_acts() -> None:
    """As in Keras' CIFAR-10 example, whose schedule sets the rate anew each epoch."""
    made = make({"steps": {**DROPS, "plateau": {**BESIDE, "combine": "overruled"}}})
    assert made.plateau is None
    assert [made.rate(i) for i in (319, 320, 480)] == [1.0, 0.1, 0.01]


def until(every: int = 10) -> Schedule:
    end = {"training_error": 0.8, "every": every}
    return make({"steps": {**DROPS, "warmup": {"until": end, "initial": 0.1, "shape": "constant"}}})


def test_warm_up_until_an_error_is_reached() -> None:
    made = until()
    low = made.low_error
    assert low is not None
    assert [low.is_due(iteration) for iteration in (9, 10, 11, 20)] == [False, True, False, True]
    low.look(right=200, count=1000)  # 80 % is not under 80 %
    assert not low.reached
    assert [made.rate(i) for i in (10, 330)] == [0.1, pytest.approx(0.01)]
    low.look(right=401, count=2000)
    assert low.reached
    assert [made.rate(i) for i in (20, 330)] == [1.0, 0.1]
    assert not low.is_due(30)


def test_the_error_that_ends_a_warm_up_is_a_mean_across_epochs() -> None:
    alone, carried = until().low_error, until().low_error
    assert alone is not None
    assert carried is not None
    for low in (alone, carried):
        low.look(right=0, count=1000)
    carried.end_epoch(right=90, count=1500)
    alone.restore(carried.state())
    for low in (alone, carried):
        low.look(right=111, count=500)  # 90 + 111 of 500 + 500
        assert low.reached


def test_patience_counts_epochs_without_improvement() -> None:
    patience = Patience("validation_loss", 0.1)
    waited = []
    for value in (math.nan, 3.0, 2.95, math.nan, 2.0, 2.0):
        patience.note(value)
        waited.append(patience.waited)
    assert waited == [1, 0, 1, 2, 0, 1]
