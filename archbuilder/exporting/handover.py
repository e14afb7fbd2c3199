"""What is handed over, whatever the format: a network with its weights, what its images need, and what is known of it.

It is made in one place, of a run or of a spec, and needs no TensorFlow.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Literal, assert_never

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.data.normalisation import Floats, Normaliser, fit
from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import Probabilities, Shape
from archbuilder.spec import Spec
from archbuilder.spec.normalisation import Channels, Normalisation, Unchanged
from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, Loss, MeanSquaredError
from archbuilder.spec.preprocessing import PREPROCESSING, Colours, Preprocessing
from archbuilder.training.objective import Scaling
from archbuilder.training.run.folder import Run, Which
from archbuilder.weights.choices import DEFAULT, Choices
from archbuilder.weights.initial import initial
from archbuilder.weights.transfer import Transfer, transfer
from archbuilder.weights.weight_file import NodeWeights

Gives = Literal["probabilities", "numbers", "features"]


@dataclass(frozen=True)
class Output:
    """One of the outputs of what is handed over."""

    name: str
    node: str
    """The node of the graph that it comes from."""
    gives: Gives
    function: Probabilities | None = None
    """What makes probabilities of logits; None where nothing does."""
    is_inside: bool = False
    """Whether the network itself ends in that function."""
    scaling: Scaling | None = None
    """What standardised the numbers that the node returns; None where they are in their own units."""

    @property
    def added(self) -> Probabilities | None:
        """The function that is put behind the network."""
        return None if self.is_inside else self.function

    def answers(self, logits: Array) -> Array:
        """What the file answers where these are the logits (n, ..., k)."""
        match self.function:
            case None:
                return self.scaling.undone(logits) if self.scaling else logits
            case "softmax":
                powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
                shares: Array = powers / powers.sum(axis=-1, keepdims=True)
                return shares
            case "sigmoid":
                probabilities: Array = 1 / (1 + np.exp(-logits))
                return probabilities
            case _:
                assert_never(self.function)


@dataclass(frozen=True, eq=False)
class Handover:
    """A network with all that belongs to it."""

    graph: Graph
    """Its layers, of which each leads to an output."""
    weights: NodeWeights
    outputs: tuple[Output, ...]
    """In the order of the graph's."""
    normaliser: Normaliser | None
    """What is done to pixels from 0 to 255, inside of the file; None where the network is handed over bare."""
    spec: Spec
    facts: Json
    """Where spec and weights are from, for the metadata."""
    classes: tuple[str, ...] = ()
    run: Run | None = None
    notes: tuple[str, ...] = ()
    """What a person should know."""

    @property
    def is_bare(self) -> bool:
        return self.normaliser is None

    @property
    def input_shape(self) -> Shape:
        """Height, width and channels."""
        return self.graph.input.shape

    def prepared(self, pixels: Array) -> Floats:
        """What enters the network where these are the pixels (n, H, W, C); bare networks take pixel / 255."""
        return (self.normaliser or _unchanged()).normalised(pixels)

    def logits_node(self, output: Output) -> str:
        """The node whose result enters the softmax or sigmoid of an output, or else that of the output."""
        node = self.graph[output.node]
        return node.inputs[0] if ops.gives_probabilities(node.op) else node.name

    def metadata(self, format_name: str, within: float | None) -> dict[str, str]:
        """All that is known, as texts; `within` is the bound that logits were compared by, None where none were.

        What holds more than one word is JSON, with nothing in it that is not ASCII.
        """
        training, text = self.spec.training, self.spec.dump()
        height, width, channels = self.input_shape
        taken = {
            "height": height, "width": width, "channels": channels, "order": "height, width, channels",
            "values": "as the network takes them" if self.is_bare else "pixels from 0 to 255",
            "colours": (training.colours if training and self.is_bare else "rgb") if channels == 3 else None,
            "framing": [step.model_dump() for step in training.testing_frame] if training else None,
        }  # fmt: skip
        given = [{"name": one.name, "layer": one.node, "gives": one.gives} for one in self.outputs]
        several = {"input": taken, "outputs": given, "classes": self.classes, "versions": _versions(), **self.facts}
        return {
            "archbuilder": version("archbuilder"), "network": self.graph.name, "format": format_name,
            "compared": "no" if within is None else f"logits within {within:g} of the original",
            "spec": text, "spec_sha256": sha256(text.encode()).hexdigest(),
            **{key: json.dumps(value) for key, value in several.items()},
        }  # fmt: skip


def of_run(run: Run, which: Which = "best", *, bare: bool = False) -> Handover:
    """The network of a run with its weights, its normalisation and its classes; raises MissingError as `Run` does."""
    graph, objective = run.graph, run.objective
    facts = {"weights": {"which": which, **run.weights().get(which, {})}, "run": _facts_of(run)}
    notes = () if run.result else (f"the run in {run.folder} is not finished: its weights are those so far",)
    return Handover(
        graph=graph, weights=run.arrays(which), outputs=_outputs(run.spec, graph, objective.scaling, bare),
        normaliser=None if bare else run.normaliser, spec=run.spec, facts=facts, classes=run.classes, run=run,
        notes=notes,
    )  # fmt: skip


def of_spec(spec: Spec, weights: Path | None = None, choices: Choices = DEFAULT, *, bare: bool = False) -> Handover:
    """The network of a spec with the weights of a file, or with those that it begins with.

    Raises ArchbuilderError where the file does not fit, and UsageError where nothing says how its images are to arrive.
    """
    graph = expand(spec)
    seed = spec.training.seed if spec.training else 0
    found = None if weights is None else transfer(weights, graph, choices)
    arrays: NodeWeights = {**initial(graph, seed), **(found.arrays() if found else {})}
    facts = {"weights": {"sha256": _digest(found.path)} if found else {"initial": {"seed": seed}}}
    normaliser, notes = _preprocessing(spec, found, bare)
    untrained = () if found else ("the weights are those that a training begins with: --weights FILE gives it others",)
    return Handover(
        graph=graph, weights=arrays, outputs=_outputs(spec, graph, None, bare), normaliser=normaliser, spec=spec,
        facts=facts, notes=(*(found.notes if found else untrained), *notes),
    )  # fmt: skip


def with_weights(handover: Handover, weights: NodeWeights) -> Handover:
    return replace(handover, weights=weights)


def _facts_of(run: Run) -> Json:
    data = run.environment["data"]
    return {"created": run.environment["created"], "data": {key: data[key] for key in ("name", "fingerprint")}}


def _outputs(spec: Spec, graph: Graph, scaling: Scaling | None, bare: bool) -> tuple[Output, ...]:
    """The outputs by the names that the spec has for them; a single one is called what it gives."""
    found = [_output(spec, graph, name, scaling, bare) for name in graph.outputs]
    if len(found) == 1:
        return (replace(found[0], name=found[0].gives),)
    return tuple(replace(one, name=name) for one, name in zip(found, spec.network.outputs, strict=True))


def _output(spec: Spec, graph: Graph, node: str, scaling: Scaling | None, bare: bool) -> Output:
    loss = spec.training.loss if spec.training and len(graph.outputs) == 1 else None
    if (inside := ops.probabilities(graph[node].op)) is not None:
        return Output("", node, "probabilities", inside, is_inside=True)
    if loss is None or bare:
        return Output("", node, "features")
    function = _function(loss)
    return Output("", node, "probabilities" if function else "numbers", function, scaling=scaling)


def _function(loss: Loss) -> Probabilities | None:
    match loss:
        case CrossEntropy():
            return "softmax"
        case BinaryCrossEntropy():
            return "sigmoid"
        case MeanSquaredError() | Huber():
            return None
        case _:
            assert_never(loss)


def _preprocessing(spec: Spec, found: Transfer | None, bare: bool) -> tuple[Normaliser | None, Sequence[str]]:
    """The normaliser that a spec tells of, and what a person should know of it."""
    if bare:
        return None, ()
    training, said = spec.training, spec.network.weights
    wanted = PREPROCESSING[said.preprocessing] if said else None
    known = Preprocessing(training.colours, training.normalise) if training and _is_fixed(training.normalise) else None
    chosen = (wanted or known) if found and found.is_foreign else (known or wanted)
    if chosen:
        return fit(chosen.normalise, (), chosen.colours), ()
    why = f"{training.normalise.kind} is fitted on training images" if training else "the spec does not say it"
    if found:
        raise UsageError(
            f"how {found.path} expects its images is not known: {why}\n  hint: --bare hands over the network without "
            f"it; a RUN knows it; `weights: {{preprocessing: torch}}` in the spec says it, or {_others('torch')}"
        )
    colours: Colours = training.colours if training else "rgb"
    return fit(Unchanged(), (), colours), (f"pixels are divided by 255, and no more is done to them: {why}",)


def _is_fixed(normalise: Normalisation) -> bool:
    """Whether a spec alone says it all."""
    return isinstance(normalise, Channels | Unchanged)


def _others(name: str) -> str:
    return ", ".join(one for one in PREPROCESSING if one != name)


def _unchanged() -> Normaliser:
    return fit(Unchanged(), ())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _versions() -> Mapping[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("archbuilder", "numpy")}}
