"""A network as a file of Keras code that a person would have written, and that needs nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array
from archbuilder.exporting.about import About, about
from archbuilder.exporting.code_file import CodeFile
from archbuilder.exporting.comparing import Compute
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover
from archbuilder.exporting.keras_layers import KerasLayers
from archbuilder.exporting.program import (
    MISSING,
    Argument,
    Call,
    Code,
    Config,
    Function,
    Loop,
    Multiple,
    Value,
    rows,
)  # fmt: skip
from archbuilder.exporting.python_text import (
    WIDTH,
    Brackets,
    Text,
    called,
    docstring,
    flat,
    identifier,
    lines,
    listed,
    literal,
    name_in,
    quoted,
)  # fmt: skip
from archbuilder.exporting.running import has_image, numbers, running, write_by_name
from archbuilder.exporting.structure import program
from archbuilder.exporting.variables import variables
from archbuilder.graph.naming import layer_name

_SHORT = {
    "layers.Conv2D": "conv", "layers.BatchNormalization": "norm", "layers.LayerNormalization": "layer_norm",
    "layers.GroupNormalization": "group_norm", "layers.Dense": "dense", "layers.Conv2DTranspose": "conv_transpose",
    "layers.Conv1D": "channel_conv", "layers.MaxPooling2D": "max_pool", "layers.AveragePooling2D": "average_pool",
    "layers.PReLU": "prelu", "layers.EinsumDense": "scale", "layers.Dropout": "dropout",
    "layers.UpSampling2D": "upsample", "layers.GlobalAveragePooling2D": "global_average_pool",
    "layers.GlobalMaxPooling2D": "global_max_pool",
}  # fmt: skip
"""What a layer with settings of this network is called."""
_HELPERS = {
    "pad_channels": '''
def pad_channels(x, channels):
    """Zero channels after those that arrive, until there are `channels`."""
    return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))
''',
    "slice_channels": '''
def slice_channels(x, start, stop):
    """The channels from `start` on, up to `stop` without it."""
    return x[..., start:stop]
''',
    "shuffle_channels": '''
def shuffle_channels(x, groups):
    """The first channel of each group, then the second of each, and so on."""
    *size, channels = x.shape[1:]
    x = ops.reshape(x, (-1, *size, groups, channels // groups))
    return ops.reshape(ops.swapaxes(x, -1, -2), (-1, *size, channels))
''',
    "local_response_norm": '''
def local_response_norm(x, size, alpha, beta, bias):
    """Each channel divided by a power of the mean square of the channels around it."""
    before = (size - 1) // 2
    squares = ops.pad(ops.square(x), [(0, 0)] * 3 + [(before, size - 1 - before)])
    channels = x.shape[-1]
    total = sum(squares[..., start : start + channels] for start in range(size))
    return x * ops.power(bias + alpha / size * total, -beta)
''',
    "gated": '''
def gated(transform, carry, gate):
    """The one where the gate is open, the other where it is closed."""
    return transform * gate + carry * (1 - gate)
''',
}
_UNNAMED = ("ops.", *_HELPERS)
WEIGHTS = ".h5"
"""What the file of weights ends in that `load_weights` takes by the names of layers."""
_TAKEN = ("keras", "layers", "ops", "partial", "sys", "name", "model", "image", *_HELPERS, *_SHORT.values())


@dataclass(frozen=True)
class KerasCode:
    """A file of code, and what it calls the network."""

    text: str
    function: str


def keras_code(handover: Handover, about: About, weights: str) -> KerasCode:
    """The file, `weights` being the name of the file beside it."""
    graph = handover.graph
    file = _File(program(graph, KerasLayers(graph), about.units), handover, about, weights)
    return KerasCode(file.text(), file.names[id(file.program.main)])


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
    beside = path.with_suffix(WEIGHTS)
    code = keras_code(handover, about(handover.spec, handover.graph), beside.name)
    path.write_text(code.text, "utf-8")
    write_by_name(beside, weights_of(handover), metadata)


def load(path: Path, handover: Handover) -> Compute:
    code = keras_code(handover, about(handover.spec, handover.graph), path.with_suffix(WEIGHTS).name)
    layers = [(layer_name(one.node), one.is_inside) for one in handover.outputs]
    asked = {"function": code.function, "layers": layers, "names": [one.name for one in handover.outputs]}
    return running(_RUN, path, path.with_suffix(WEIGHTS), asked)


def weights_of(handover: Handover) -> dict[str, list[tuple[str, Array]]]:
    """The weights of each layer by its name, in the order that Keras has them in."""
    found: dict[str, list[tuple[str, Array]]] = {}
    for node in handover.graph.nodes:
        if node.weights:
            arrays = handover.weights[node.name]
            found[layer_name(node.name)] = [(one.name, arrays[one.name].reshape(one.shape)) for one in node.weights]
    normaliser = handover.normaliser
    if normaliser is not None and has_image(normaliser):
        both = (("kernel", normaliser.factor), ("bias", -normaliser.shift))
        found["normalise"] = [(name, np.broadcast_to(one, handover.input_shape)) for name, one in both]
    return found


_RUN = """
model = getattr(module, asked["function"])()
model.load_weights(weights, by_name=True)
import keras
logits = []
for (name, is_inside), output in zip(asked["layers"], model.outputs):
    there = {layer.name: layer for layer in model.layers}
    last = there.get(name + ".result", there[name])
    logits.append(last.input if is_inside else last.output)
both = keras.Model(model.inputs[0], [*logits, *model.outputs])
results = both(np.asarray(images, np.float32), training=False)
answers.update(enumerate(map(keras.ops.convert_to_numpy, results)))
"""
"""Gives the logits of each output, then what the file gives."""


@dataclass(eq=False)
class _File(CodeFile):
    short = _SHORT
    reserved = _TAKEN
    reserved_within = ("x",)
    constants: dict[Config, str] = field(default_factory=dict)

    def text(self) -> str:
        functions = ["\n".join(self._function(function)) for function in self.program.functions]
        shared = "\n".join(self.partials())
        body = "\n".join([shared, *functions])
        helpers = [text.strip("\n") for name, text in _HELPERS.items() if f"{name}(" in body]
        imports = "\n".join(self._imports("\n".join([body, *helpers])))
        head = ["\n".join(self._docstring()), imports, *self._data(), *([shared] if shared else [])]
        return "\n\n\n".join(["\n\n".join(head), *helpers, *functions]) + "\n"

    def _data(self) -> Iterator[str]:
        for some in (self._constants(), self.classes()):
            if text := "\n".join(some):
                yield text

    def _docstring(self) -> list[str]:
        main = self.names[id(self.program.main)]
        use = f"Its weights: model = {main}(); model.load_weights({quoted(self.weights)}, by_name=True)"
        return self.docstring(use)

    def _imports(self, body: str) -> Iterator[str]:
        if "sys." in body:
            yield "import sys"
        if self.settings:
            yield "from functools import partial"
        if "sys." in body or self.settings:
            yield ""
        yield "import keras"
        names = [name for name in ("layers", "ops") if f"{name}." in body]
        yield f"from keras import {', '.join(names)}"

    def _constants(self) -> Iterator[str]:
        for config, name in self.constants.items():
            settings = Brackets("{", tuple((f'"{key}": ', *literal(one)) for key, one in config.settings), "}")
            whole = Brackets("{", ((f'"class_name": "{config.kind}"',), ('"config": ', settings)), "}")
            yield from lines((f"{name} = ", whole))

    def literal(self, value: Value) -> Text:
        """A configuration is a constant with a name."""
        if not isinstance(value, Config):
            return literal(value)
        if value not in self.constants:
            number = sum(config.name == value.name for config in self.constants) + 1
            self.constants[value] = f"{value.name}_{number}" if number > 1 else value.name
        return (self.constants[value],)

    def _function(self, function: Function) -> Iterator[str]:
        if function.is_main:
            yield from self._main(function)
            return
        parameters = self.parameters(function)
        known = variables(function, (*self.taken, *parameters))
        inputs = [known[value] for value in function.inputs]
        signature: list[Text] = [(name,) for name in inputs]
        signature += [*self.signature(function, parameters), ("*",), ("name",)]
        head = lines((f"def {self.names[id(function)]}", Brackets("(", tuple(signature), ")"), ":"))
        yield from head
        yield from docstring([self.words(function)], 1)
        yield from _Body(self, function, parameters, known.names, "name", known.starts, known.groups).lines()

    def _main(self, function: Function) -> Iterator[str]:
        graph = self.handover.graph
        known = variables(function, self.taken)
        yield f"def {self.names[id(function)]}():"
        what = "as the network takes them" if self.handover.is_bare else "of pixels from 0 to 255"
        yield from docstring([f"The network, for images {what}."], 1)
        if len(graph.nodes) > _DEEP:
            yield f"    sys.setrecursionlimit({1000 + 20 * len(graph.nodes)})  # Keras walks back through all layers"
        shape = literal(graph.input.shape)
        image = known.names.get(graph.input.name, "x")
        yield from lines(("image = ", *called("keras.Input", [shape, ("name=", quoted(graph.input.name))])), 1)
        yield from self._prepared(image)
        body = _Body(self, function, [], known.names, "", known.starts, known.groups)
        yield from body.lines()
        yield from self._answers([known[name] for name in function.outputs])

    def _prepared(self, image: str) -> Iterator[str]:
        normaliser = self.handover.normaliser
        if normaliser is None:
            yield f"    {image} = image"
            return
        pixels = "image"
        if normaliser.turns:
            yield f"    {image} = image[..., ::-1]  # blue first"
            pixels = image
        factor, shift = np.broadcast_arrays(normaliser.factor, -normaliser.shift)
        if has_image(normaliser):
            size = literal(self.handover.input_shape)
            arguments = [('"nhwc,hwc->nhwc"',), size, ('bias_axes="hwc"',), ('name="normalise"',)]
            yield from lines((f"{image} = ", *called("layers.EinsumDense", arguments), f"({pixels})"), 1)
            return
        arguments = [numbers(factor), *([numbers(shift)] if shift.any() else []), ('name="normalise"',)]
        yield from lines((f"{image} = ", *called("layers.Rescaling", arguments), f"({pixels})"), 1)

    def _answers(self, names: Sequence[str]) -> Iterator[str]:
        outputs = []
        for output, name in zip(self.handover.outputs, names, strict=True):
            label = f"name={quoted(output.gives)}"
            if output.added is not None:
                yield f"    {name} = layers.Activation({quoted(output.added)}, {label})({name})"
            elif output.scaling is not None:
                numbers = [numbers(np.asarray(one)) for one in (output.scaling.deviation, output.scaling.mean)]
                yield from lines((f"{name} = ", *called("layers.Rescaling", [*numbers, (label,)]), f"({name})"), 1)
            outputs.append(name)
        texts = [(f"{quoted(one.name)}: {name}",) for one, name in zip(self.handover.outputs, outputs, strict=True)]
        whole: Text = (outputs[0],) if len(outputs) == 1 else (Brackets("{", tuple(texts), "}"),)
        name = f"name={quoted(layer_name(self.handover.graph.name))}"
        yield from lines(("return ", *called("keras.Model", [("image",), whole, (name,)])), 1)


_DEEP = 400
"""From so many layers on, Keras comes deeper than Python goes by itself."""


@dataclass(eq=False)
class _Body:
    """The lines of one function."""

    file: _File
    function: Function
    parameters: Sequence[str]
    names: Mapping[str, str]
    scope: str
    starts: Mapping[int, tuple[str, str]]
    groups: Mapping[int, int]

    def lines(self) -> Iterator[str]:
        calls = self.function.calls
        depth, left = 1, 0
        for place, call in enumerate(calls):
            if place in self.starts:
                end, entry = (self.names[one] for one in self.starts[place])
                if end != entry:
                    yield f"    {end} = {entry}"
            if place in self.groups:
                yield f"    if {self.parameters[self.function.flags[place]]}:"
                left = self.groups[place]
            depth = 2 if left else 1
            left = max(left - 1, 0)
            last = place == len(calls) - 1
            returns = last and depth == 1 and call.outputs == self.function.outputs and not self.function.is_main
            yield from self._call(call, depth, returns and not isinstance(call.callee, Loop))
            if returns and not isinstance(call.callee, Loop):
                return
        if not self.function.is_main:
            yield f"    return {', '.join(self.names[name] for name in self.function.outputs)}"

    def _call(self, call: Call, depth: int, returns: bool) -> Iterator[str]:
        left = "return " if returns else f"{', '.join(self.names[name] for name in call.outputs)} = "
        if isinstance(call.callee, Loop):
            yield from self._loop(call, call.callee, depth, left)
            return
        inputs = [self.names[name] for name in call.inputs]
        if isinstance(call.callee, Function):
            yield from lines((left, *self._applied(call.callee, call.arguments, inputs, call.local)), depth)
            return
        yield from lines((left, *self._layer(call, call.callee, inputs)), depth)

    def _layer(self, call: Call, callee: str, inputs: Sequence[str]) -> Text:
        settings = self.file.settings.get(callee, {})
        arguments: list[Text] = []
        is_named = False
        for argument in call.arguments:
            default = settings.get(argument.name, argument.default)
            if argument.value == default and type(argument.value) is type(default):
                is_named = is_named or argument.positional
                continue
            is_keyword = not argument.positional or is_named
            arguments.append(self._argument(argument, is_keyword))
        tensors = ", ".join(inputs)
        if callee.startswith(_UNNAMED):
            return called(callee, [*((one,) for one in inputs), *arguments])
        label = (f"name={self._name(call.label or call.local)}",)
        what = _SHORT[callee] if callee in self.file.settings else callee
        given = tensors if len(inputs) == 1 else f"[{tensors}]"
        return (*called(what, [*arguments, label]), Brackets("(", ((given,),), ")"))

    def _argument(self, argument: Argument, is_keyword: bool) -> Text:
        return (f"{argument.name}=" if is_keyword else "", *self._value(argument.value))

    def _value(self, value: Value) -> Text:
        if isinstance(value, Multiple):
            return (value.text(self.parameters[value.parameter]),)
        if isinstance(value, tuple):
            return (Brackets("(", tuple(map(self._value, value)), ",)" if len(value) == 1 else ")"),)
        return self.file.literal(value)

    def _applied(
        self, function: Function, arguments: Sequence[Argument], inputs: Sequence[str], local: str, label: str = ""
    ) -> Text:
        """A call of a function, its first argument that is not the first parameter by its name."""
        texts: list[Text] = [(one,) for one in inputs]
        by_name, names = False, self.file.parameters(function)
        for argument, parameter, name in zip(arguments, function.parameters, names, strict=True):
            if argument.value is MISSING:  # it is in a row
                continue
            if parameter.default is not MISSING and argument.value == parameter.default:
                by_name = True
                continue
            by_name = by_name or isinstance(parameter.default, bool)
            texts.append((f"{name}=" if by_name else "", *self._value(argument.value)))
        texts.append((f"name={label or self._name(local)}",))
        return called(self.file.names[id(function)], texts)

    def _name(self, local: str) -> str:
        """The text of the name of a layer, within that of its function."""
        return name_in(self.scope, layer_name(local))

    def _loop(self, call: Call, loop: Loop, depth: int, left: str) -> Iterator[str]:
        *fixed, several = call.arguments
        given = {argument.name: argument for argument in fixed}
        used = (*self.file.taken, *self.parameters, *self.names.values())
        counter = identifier(loop.prefix.rpartition("/")[2])
        counter = identifier("number", used) if counter in used else counter
        name = name_in(self.scope, layer_name(loop.prefix), counter)
        taken = (*used, counter)
        own: dict[str, str] = {}
        for one in loop.varying:
            own[one] = identifier(one, (*taken, *own.values()))
        arguments = [given.get(one.name) or Argument(one.name, Code(own[one.name])) for one in loop.function.parameters]
        inner = (left, *self._applied(loop.function, arguments, [left.partition(" ")[0]], call.local, name))
        first = loop.first
        if loop.varying:
            row = ", ".join(own.values())
            target = f"{counter}, {row if len(own) == 1 else f'({row})'}"
            if isinstance(several.value, Multiple):
                table = self._value(several.value)
            else:
                plural = identifier(f"{loop.prefix.rpartition('/')[2]}s", taken)
                if len(f"for {target} in enumerate({plural}, {first}):") + 4 * depth > WIDTH:
                    yield from self._rows(call, loop, depth, left, counter, name)
                    return
                assert isinstance(several.value, tuple)
                table = listed(several.value)
            line = (f"for {target} in ", *called("enumerate", [table, (str(first),)]), ":")
            if len(flat(line)) + 4 * depth > WIDTH and not isinstance(several.value, Multiple):
                yield from lines((f"{plural} = ", *table), depth)
                line = (f"for {target} in ", *called("enumerate", [(plural,), (str(first),)]), ":")
            yield from lines(line, depth)
        elif several.value == first:
            name = self._name(f"{loop.prefix}{first}")
            yield from lines(
                (left, *self._applied(loop.function, arguments, [left.partition(" ")[0]], "", name)), depth
            )
            return
        else:
            yield f"{'    ' * depth}for {counter} in range({self._range(several.value, first)}):"
        yield from lines(inner, depth + 1)

    def _rows(self, call: Call, loop: Loop, depth: int, left: str, counter: str, name: str) -> Iterator[str]:
        """A loop over more arguments than a line has names for."""
        every = rows(call)
        parameters, last = loop.function.parameters, len(every[0])
        plural = identifier(
            f"{loop.prefix.rpartition('/')[2]}s", (*self.file.taken, *self.parameters, *self.names.values())
        )
        yield f"{'    ' * depth}# The arguments of {self.file.names[id(loop.function)]}, in their order."
        yield from lines((f"{plural} = ", Brackets("[", tuple(map(self._value, every)), "]")), depth)
        yield f"{'    ' * depth}for {counter}, row in enumerate({plural}, {loop.first}):"
        given = {argument.name: argument for argument in call.arguments}
        hidden = [Argument(one.name, MISSING) for one in parameters[:last]]
        arguments = [*hidden, *(given[one.name] for one in parameters[last:])]
        applied = self._applied(loop.function, arguments, [left.partition(" ")[0], "*row"], "", name)
        yield from lines((left, *applied), depth + 1)

    def _range(self, count: object, first: int) -> str:
        if isinstance(count, Multiple):
            text = count.text(self.parameters[count.parameter])
            return f"{first}, {text} + 1"
        assert isinstance(count, int)
        return f"{first}, {count + 1}"
