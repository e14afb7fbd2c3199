"""Weights of other people in a training: whether its images are prepared as those weights expect them."""

from __future__ import annotations

from collections.abc import Iterator

from archbuilder.spec import Spec, require_training
from archbuilder.spec.normalisation import Channels, Normalisation, Unchanged
from archbuilder.spec.preprocessing import PREPROCESSING, Preprocessing
from archbuilder.weights.transfer import Transfer


def notes(spec: Spec, weights: Transfer) -> Iterator[str]:
    """A warning where the recipe prepares images otherwise, or where nobody says how they are to be prepared."""
    training, said = require_training(spec), spec.network.weights
    if not weights.is_foreign:
        return
    if said is None:
        if not isinstance(training.normalise, Channels | Unchanged):
            yield (
                f"the spec does not say how the weights of {weights.path} expect their images: "
                f"`weights: {{preprocessing: ...}}` does ({', '.join(PREPROCESSING)}), with `normalise` and `colours`; "
                f"{training.normalise.kind} is seldom what they were trained on"
            )
        return
    if Preprocessing(training.colours, training.normalise) != (wanted := PREPROCESSING[said.preprocessing]):
        yield (
            f"such weights expect their images as in {said.preprocessing}: `colours: {wanted.colours}` and "
            f"`normalise: {_told(wanted.normalise)}`; the recipe has {training.colours} and {training.normalise.kind}"
        )


def _told(normalise: Normalisation) -> str:
    """As it stands in a spec."""
    assert isinstance(normalise, Channels)
    mean, deviation = (", ".join(f"{one:.6g}" for one in row) for row in (normalise.mean, normalise.deviation))
    return f"{{channels: {{mean: [{mean}], deviation: [{deviation}]}}}}"
