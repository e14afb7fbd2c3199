"""A network as a file of PyTorch code that a person would have written, and that needs nothing of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np

from archbuilder.aliases import Array
from archbuilder.exporting.about import About, about
from archbuilder.exporting.code_file import CodeFile
from archbuilder.exporting.comparing import Compute
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover
from archbuilder.exporting.program import (
    MISSING,
    Argument,
    Call,
    Code,
    Function,
    Loop,
    Multiple,
    Value,
    rows,
)  # fmt: skip
from archbuilder.exporting.python_text import (
    Brackets,
    Choice,
    Each,
    Text,
    called,
    class_name,
    docstring,
    flat,
    identifier,
    lines,
    listed,
    literal,
    quoted,
)  # fmt: skip
from archbuilder.exporting.running import has_image, numbers, running
from archbuilder.exporting.structure import program
from archbuilder.exporting.torch_layers import EXPRESSION, MODULES, SAME_PADDED, TorchLayers, holder, tensors
from archbuilder.exporting.variables import variables
from archbuilder.weights.safetensors import write_safetensors
from archbuilder.weights.weight_file import Floats

_SHORT = {
    "nn.Conv2d": "conv", "SameConv2d": "same_conv", "nn.BatchNorm2d": "norm", "ShiftNorm": "shift_norm",
    "ChannelNorm": "layer_norm", "nn.GroupNorm": "group_norm",
    "nn.Linear": "linear", "nn.ConvTranspose2d": "conv_transpose",
}  # fmt: skip
"""What a module with settings of this network is called."""
_OF_MODULES = frozenset(
    """
T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules mtia
named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
state_dict to to_empty train training type xpu zero_grad append extend insert pop
""".split()  # noqa: SIM905
)
"""What modules have already."""
WEIGHTS = ".safetensors"
_TAKEN = ("torch", "nn", "F", "partial", "self", "normalise", *MODULES, *_SHORT.values())


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines that one attribute holds, one behind the other; or an expression, which stands in `forward`."""

    attribute: str
    """Nothing for an expression."""
    elements: tuple[_Element, ...]


@dataclass(frozen=True, slots=True)
class _Element:
    """One line, or some that depend on a flag."""

    calls: tuple[Call, ...]
    flag: int | None = None


Keys: TypeAlias = "dict[str, str]"
"""The modules of values: `stage1/unit1/residual/conv1` is `stage1.0.residual.0`."""


@dataclass(frozen=True)
class TorchCode:
    """A file of code, and where each layer is in its network."""

    text: str
    name: str
    """The class of the network."""
    keys: Mapping[str, str]
    handover: Handover

    def state(self) -> dict[str, Array]:
        """The weights as `load_state_dict` takes them."""
        found: dict[str, Array] = {}
        for node in self.handover.graph.nodes:
            if node.weights:
                key = self.keys[holder(node)]
                found |= {
                    f"{key}.{name}": array for name, array in tensors(node.op, self.handover.weights[node.name]).items()
                }
        normaliser = self.handover.normaliser
        if normaliser is not None and has_image(normaliser):
            found |= {f"normalise.{name}": array for name, array in _image(self.handover).items()}
        return found


def torch_code(handover: Handover, about: About, weights: str) -> TorchCode:
    """The file, `weights` being the name of the file beside it."""
    graph = handover.graph
    file = _File(program(graph, TorchLayers(graph), about.units, loops=False), handover, about, weights)
    return TorchCode(file.text(), file.names[id(file.program.main)], file.keys(), handover)


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
    beside = path.with_suffix(WEIGHTS)
    code = torch_code(handover, about(handover.spec, handover.graph), beside.name)
    path.write_text(code.text, "utf-8")
    write_safetensors(beside, code.state(), metadata)


def load(path: Path, handover: Handover) -> Compute:
    code = torch_code(handover, about(handover.spec, handover.graph), path.with_suffix(WEIGHTS).name)
    insides = [code.keys[one.node] if one.is_inside else None for one in handover.outputs]
    logits = [None if one.is_inside else code.keys.get(one.node) for one in handover.outputs]
    asked = {"name": code.name, "insides": insides, "logits": logits, "names": [one.name for one in handover.outputs]}
    return running(_RUN, path, path.with_suffix(WEIGHTS), asked)


_RUN = """
import torch
from safetensors.torch import load_file
model = getattr(module, asked["name"])().eval()
model.load_state_dict(load_file(weights), strict=True)
caught = {}
for index, (inside, behind) in enumerate(zip(asked["insides"], asked["logits"])):
    if inside:
        hook = lambda module, given, index=index: caught.__setitem__(index, given[0])
        model.get_submodule(inside).register_forward_pre_hook(hook)
    elif behind:
        hook = lambda module, given, made, index=index: caught.__setitem__(index, made)
        model.get_submodule(behind).register_forward_hook(hook)
with torch.no_grad():
    made = model(torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2).contiguous())
made = [made[name] for name in asked["names"]] if isinstance(made, dict) else [made]
every = [*(caught.get(index, one) for index, one in enumerate(made)), *made]
answers.update((index, one.movedim(1, -1).numpy()) for index, one in enumerate(every))
"""
"""Gives the logits of each output, then what the file gives; images have their channels last."""


@dataclass(eq=False)
class _File(CodeFile):
    short = _SHORT
    reserved = _TAKEN
    parts: dict[int, list[_Part]] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parts = {id(function): _parts(function) for function in self.program.functions}

    def styled(self, name: str) -> str:
        return class_name(name)

    def text(self) -> str:
        classes = ["\n".join(self._class(function)) for function in self.program.functions]
        shared = "\n".join(self.partials())
        body = "\n".join([shared, *classes])
        helpers = [text.strip("\n") for name, text in MODULES.items() if f"{name}(" in body or f"{name}," in body]
        if self._normalises:
            helpers.insert(0, _NORMALISE_IMAGE.strip("\n") if self._has_image else _NORMALISE.strip("\n"))
        if any("same_padded(" in helper for helper in helpers):
            helpers.insert(0, SAME_PADDED.strip("\n"))
        imports = "\n".join(self._imports("\n".join([body, *helpers])))
        head = ["\n".join(self._docstring()), imports, *filter(None, ["\n".join(self.classes())])]
        if shared and not helpers:
            head.append(shared)
        behind = [shared] if shared and helpers else []
        return "\n\n\n".join(["\n\n".join(head), *helpers, *behind, *classes]) + "\n"

    @property
    def _normalises(self) -> bool:
        return self.handover.normaliser is not None

    @property
    def _has_image(self) -> bool:
        normaliser = self.handover.normaliser
        return normaliser is not None and has_image(normaliser)

    def _docstring(self) -> list[str]:
        main = self.names[id(self.program.main)]
        use = (
            f"Its weights: model = {main}().eval(); "
            f"model.load_state_dict(safetensors.torch.load_file({quoted(self.weights)}))"
        )
        return self.docstring(use)

    def _imports(self, body: str) -> Iterator[str]:
        if self.settings:
            yield "from functools import partial"
            yield ""
        if "torch." in body:
            yield "import torch"
        if "F." in body:
            yield "import torch.nn.functional as F"
        yield "from torch import nn"

    def _class(self, function: Function) -> Iterator[str]:
        parts, name = self.parts[id(function)], self.names[id(function)]
        parameters = self.parameters(function)
        body = _Class(self, function, parts, parameters)
        words = self.words(function)
        if function.is_main:
            what = "as the network takes them" if self.handover.is_bare else "of pixels from 0 to 255"
            words = f"The network, for images (n, channels, height, width) {what}."
        base = "nn.Sequential" if body.is_chain else "nn.Module"
        yield f"class {name}({base}):"
        yield from docstring([words], 1)
        yield ""
        signature = (("self",), *self.signature(function, parameters))
        yield from lines(("def __init__", Brackets("(", signature, ")"), ":"), 1)
        if body.is_chain:
            yield from lines(("super().__init__", Brackets("(", tuple(body.texts(parts[0].elements)), ")")), 2)
            return
        yield "        super().__init__()"
        if function.is_main and self._normalises:
            yield from lines(("self.normalise = ", *self._normaliser()), 2)
        yield from body.attributes()
        yield ""
        yield from body.forward()

    def _normaliser(self) -> Text:
        normaliser = self.handover.normaliser
        assert normaliser is not None
        turns: list[Text] = [("turns=True",)] if normaliser.turns else []
        if self._has_image:
            height, width, channels = self.handover.input_shape
            return called("Normalise", [(str(channels),), (str(height),), (str(width),), *turns])
        factor, shift = np.broadcast_arrays(normaliser.factor, normaliser.shift)
        return called("Normalise", [_channels(factor), _channels(shift), *turns])

    @property
    def has_answers(self) -> bool:
        """Whether something is done behind the network."""
        outputs = self.handover.outputs
        return len(outputs) > 1 or outputs[0].added is not None or outputs[0].scaling is not None

    def answers(self, names: Sequence[str]) -> Iterator[str]:
        """What `forward` returns of the network's outputs."""
        texts = []
        for output, name in zip(self.handover.outputs, names, strict=True):
            text = name
            if output.added is not None:
                text = f"{name}.softmax(1)" if output.added == "softmax" else f"{name}.sigmoid()"
            elif output.scaling is not None:
                deviation, mean = (
                    flat(numbers(np.asarray(one))) for one in (output.scaling.deviation, output.scaling.mean)
                )
                text = f"{name} * {name}.new_tensor({deviation}) + {name}.new_tensor({mean})"
            texts.append(text)
        if len(texts) == 1:
            yield from lines((f"return {texts[0]}",), 2)
            return
        items = [(f"{quoted(one.name)}: {text}",) for one, text in zip(self.handover.outputs, texts, strict=True)]
        yield from lines(("return ", Brackets("{", tuple(items), "}")), 2)

    def keys(self) -> Keys:
        known = {layer for node in self.handover.graph.nodes for layer in [node.name]}
        scopes = {name[:at] for name in known for at in _ends(name)}
        found: Keys = {}
        self._walk(self.program.main, "", "", scopes, known, found)
        return found

    def _walk(
        self, function: Function, scope: str, key: str, scopes: set[str], known: set[str], found: Keys
    ) -> None:  # fmt: skip
        """Notes the module of each value in a call of a function."""
        parts = self.parts[id(function)]
        is_chain = not function.is_main and len(parts) == 1 and bool(parts[0].attribute)
        for part in parts:
            if not part.attribute:
                continue
            whole = key if is_chain else f"{key}.{part.attribute}".strip(".")
            index = 0
            is_sequence = is_chain or _is_sequence(part)
            for element in part.elements:
                here = f"{whole}.{index}".strip(".") if is_sequence else whole
                index += self._walk_element(element, scope, here, whole, scopes, known, found)

    def _walk_element(
        self, element: _Element, scope: str, key: str, whole: str, scopes: set[str], known: set[str], found: Keys
    ) -> int:
        """The same for one element; how many modules it is."""
        many = len(element.calls) > 1
        for place, call in enumerate(element.calls):
            here = f"{key}.{place}" if many else key
            local = f"{scope}/{call.local}".strip("/")
            if isinstance(call.callee, Loop):
                prefix = f"{scope}/{call.callee.prefix}".strip("/")
                first = number = call.callee.first
                base, _, start = here.rpartition(".")
                while f"{prefix}{number}" in scopes:
                    inner = f"{base}.{int(start) + number - first}" if start.isdigit() else f"{here}.{number - first}"
                    self._walk(call.callee.function, f"{prefix}{number}", inner, scopes, known, found)
                    number += 1
                return number - first
            if isinstance(call.callee, Function):
                if local in scopes:
                    self._walk(call.callee, local, here, scopes, known, found)
            else:
                found[local] = here
        return 1


def _ends(name: str) -> list[int]:
    return [at for at, letter in enumerate(name) if letter == "/"]


def _is_sequence(part: _Part) -> bool:
    [first, *more] = part.elements
    return bool(more) or isinstance(first.calls[0].callee, Loop)


def _parts(function: Function) -> list[_Part]:
    """The lines of a function, those that follow each other on one path in one attribute."""
    uses = Counter(name for call in function.calls for name in call.inputs) + Counter(function.outputs)
    runs: list[list[_Element]] = []
    for element in _elements(function):
        last = runs[-1][-1] if runs else None
        follows = (
            last is not None and _is_unary(last) and _is_unary(element)
            and element.calls[0].inputs == last.calls[-1].outputs and uses[element.calls[0].inputs[0]] == 1
            and _path(function, element) == _path(function, last)
        )  # fmt: skip
        if follows:
            runs[-1].append(element)
        else:
            runs.append([element])
    parts: list[_Part] = []
    taken: list[str] = []
    paths = Counter(_path(function, run[0]) for run in runs)
    for run in runs:
        if not _is_unary(run[0]) and not isinstance(run[0].calls[0].callee, Function):
            parts.append(_Part("", tuple(run)))
            continue
        call = run[0].calls[0]
        own = call.local.rpartition("/")[2].replace(".", "_")
        path = _path(function, run[0])
        is_alone = function.is_main and paths[path] == 1 and isinstance(call.callee, Function)
        wanted = call.branch or (own if len(run) == 1 and not is_alone else path or "layers")
        if wanted in taken and len(run) == 1:
            wanted = own
        name = identifier(wanted, (*taken, *_OF_MODULES, *_TAKEN))
        taken.append(name)
        parts.append(_Part(name, tuple(run)))
    return parts


def _elements(function: Function) -> Iterator[_Element]:
    place = 0
    calls = function.calls
    while place < len(calls):
        flag = function.flags.get(place)
        end = place + 1
        while flag is not None and end < len(calls) and function.flags.get(end) == flag:
            end += 1
        element = _Element(calls[place:end], flag)
        if _is_unary(element):
            yield element
        else:
            for is_module, some in groupby(calls[place:end], key=lambda call: _is_unary(_Element((call,)))):
                group = tuple(some)
                yield from [_Element(group, flag)] if is_module else (_Element((one,), flag) for one in group)
        place = end


def _is_unary(element: _Element) -> bool:
    """Whether modules one behind the other do it."""
    calls = element.calls
    return all(
        len(call.inputs) == len(call.outputs) == 1
        and not (isinstance(call.callee, str) and call.callee.startswith(EXPRESSION))
        for call in calls
    ) and all(one.outputs == other.inputs for one, other in pairwise(calls))


def _path(function: Function, element: _Element) -> str:
    """The path of a merge that lines stand on, or the part of the network."""
    call = element.calls[0]
    head, _, rest = call.local.partition("/")
    return call.branch or (head if rest or function.is_main else "")


@dataclass(eq=False)
class _Class:
    """The body of one class."""

    file: _File
    function: Function
    parts: Sequence[_Part]
    parameters: Sequence[str]

    @property
    def is_chain(self) -> bool:
        return not self.function.is_main and len(self.parts) == 1 and bool(self.parts[0].attribute)

    def attributes(self) -> Iterator[str]:
        noted = set()
        for part in self.parts:
            flag = part.elements[0].flag
            if flag is not None and flag not in noted and not _is_unary(part.elements[0]):
                noted.add(flag)
                yield f"        self.{self.parameters[flag]} = {self.parameters[flag]}"
            if not part.attribute:
                continue
            texts = [*self.texts(part.elements)]
            whole = called("nn.Sequential", texts) if _is_sequence(part) else texts[0]
            yield from lines((f"self.{part.attribute} = ", *whole), 2)

    def texts(self, elements: Sequence[_Element]) -> Iterator[Text]:
        for element in elements:
            made = [self._module(call) for call in element.calls]
            if element.flag is None:
                yield made[0]
                continue
            whole = called("nn.Sequential", made) if len(made) > 1 else made[0]
            other = "nn.Identity()" if _is_unary(element) else "None"
            yield (Choice(whole, self.parameters[element.flag], other),)

    def _module(self, call: Call) -> Text:
        if isinstance(call.callee, Loop):
            return self._loop(call, call.callee)
        if isinstance(call.callee, Function):
            return self._applied(call.callee, call.arguments)
        settings = self.file.settings.get(call.callee, {})
        arguments: list[Text] = []
        by_name = False
        for argument in call.arguments:
            default = settings.get(argument.name, argument.default)
            if argument.value == default and type(argument.value) is type(default):
                by_name = by_name or argument.positional
                continue
            name = "" if argument.positional and not by_name else f"{argument.name}="
            arguments.append((name, *self._value(argument.value)))
        return called(_SHORT[call.callee] if call.callee in self.file.settings else call.callee, arguments)

    def _value(self, value: Value) -> Text:
        if isinstance(value, Multiple):
            return (value.text(self.parameters[value.parameter]),)
        if isinstance(value, tuple):
            return (Brackets("(", tuple(map(self._value, value)), ",)" if len(value) == 1 else ")"),)
        return literal(value)

    def _applied(self, function: Function, arguments: Sequence[Argument], first: str = "") -> Text:
        texts: list[Text] = [(first,)] if first else []
        by_name, names = False, self.file.parameters(function)
        for argument, parameter, name in zip(arguments, function.parameters, names, strict=True):
            if argument.value is MISSING:  # it is in a row
                continue
            if parameter.default is not MISSING and argument.value == parameter.default:
                by_name = True
                continue
            by_name = by_name or isinstance(parameter.default, bool)
            texts.append((f"{name}=" if by_name else "", *self._value(argument.value)))
        return called(self.file.names[id(function)], texts)

    def _loop(self, call: Call, loop: Loop) -> Text:
        """Modules of which there are several: a generator, unpacked into the sequence that they stand in."""
        *fixed, several = call.arguments
        given = {argument.name: argument for argument in fixed}
        if not loop.varying and several.value == loop.first:
            return self._applied(loop.function, fixed)
        if not loop.varying:
            before, last = loop.first - 1, several.value
            text = str(last - before) if isinstance(last, int) else flat(self._value(last))
            text += f" - {before}" if before and not isinstance(last, int) else ""
            inner = self._applied(loop.function, fixed)
            return ("*", Brackets("(", ((Each(inner, "_", (f"range({text})",)),),), ")"))
        parameters = [parameter.name for parameter in loop.function.parameters]
        names: dict[str, str] = {}
        for one in loop.varying:
            names[one] = identifier(one, (*self.file.taken, *self.parameters, *names.values()))
        if len(loop.varying) == 1:
            arguments = [given.get(one) or Argument(one, Code(names[one])) for one in parameters]
            inner, target = self._applied(loop.function, arguments), names[loop.varying[0]]
            table: Text = (
                self._value(several.value) if isinstance(several.value, Multiple) else _progression(several.value)
            )
        elif isinstance(several.value, Multiple):
            arguments = [given.get(one) or Argument(one, Code(names[one])) for one in parameters]
            inner, target = self._applied(loop.function, arguments), ", ".join(names.values())
            table = self._value(several.value)
        else:
            every = rows(call)
            hidden = [Argument(one, MISSING) for one in parameters[: len(every[0])]]
            arguments = [*hidden, *(given[one] for one in parameters[len(every[0]) :])]
            inner, target = self._applied(loop.function, arguments, "*row"), "row"
            table = (Brackets("[", tuple(map(self._value, every)), "]"),)
        return ("*", Brackets("(", ((Each(inner, target, table),),), ")"))

    def forward(self) -> Iterator[str]:
        stand_in = replace_calls(self.function, self.parts)
        known = variables(stand_in, self.file.taken)
        inputs = [known[value] for value in self.function.inputs]
        yield f"    def forward(self, {', '.join(inputs)}):"
        if self.function.is_main and self.file._normalises:
            yield f"        {inputs[0]} = self.normalise({inputs[0]})"
        for place, (part, call) in enumerate(zip(self.parts, stand_in.calls, strict=True)):
            depth = 2
            if place in known.groups:
                end, entry = (known[one] for one in known.starts[place])
                if end != entry:
                    yield f"        {end} = {entry}"
                yield f"        if self.{self.parameters[stand_in.flags[place]]}:"
                depth = 3
            last = place == len(self.parts) - 1 and depth == 2 and call.outputs == self.function.outputs
            returns = last and not (self.function.is_main and self.file.has_answers)
            yield from self._line(part, call, known.names, depth, returns)
            if returns:
                return
        names = [known[name] for name in self.function.outputs]
        if self.function.is_main:
            yield from self.file.answers(names)
        else:
            yield f"        return {', '.join(names)}"

    def _line(self, part: _Part, call: Call, names: Mapping[str, str], depth: int, returns: bool) -> Iterator[str]:
        left = "return " if returns else f"{', '.join(names[one] for one in call.outputs)} = "
        inputs = [names[one] for one in call.inputs]
        if part.attribute:
            yield from lines((left, *called(f"self.{part.attribute}", [(one,) for one in inputs])), depth)
            return
        for inner in part.elements[0].calls:
            assert isinstance(inner.callee, str)
            here = [names[one] for one in inner.inputs]
            text = inner.callee.removeprefix(EXPRESSION).format(*here, all=", ".join(here))
            yield from lines((left, *_expression(text)), depth)


def _expression(text: str) -> Text:
    """What may be broken: the list of `torch.cat`, or a sum in brackets."""
    if text.startswith("torch.cat(["):
        inner = text.removeprefix("torch.cat([").removesuffix("], 1)")
        names = tuple((one,) for one in inner.split(", "))
        return ("torch.cat", Brackets("(", ((Brackets("[", names, "]"),), ("1",)), ")"))
    return (text,)


def replace_calls(function: Function, parts: Sequence[_Part]) -> Function:
    """A function whose lines are the parts of this one."""
    calls = []
    flags = {}
    for place, part in enumerate(parts):
        inner = [call for element in part.elements for call in element.calls]
        first, end = inner[0], inner[-1]
        calls.append(replace(first, inputs=first.inputs, outputs=end.outputs, callee=""))
        flag = part.elements[0].flag
        if flag is not None and not _is_unary(part.elements[0]):
            flags[place] = flag
    return replace(function, calls=tuple(calls), flags=flags)


def _progression(values: Value) -> Text:
    """`range(64, 256, 32)` for numbers that grow by the same."""
    assert isinstance(values, tuple)
    numbers = [one for one in values if isinstance(one, int) and not isinstance(one, bool)]
    steps = {other - one for one, other in pairwise(numbers)}
    if len(numbers) == len(values) > 2 and len(steps) == 1 and min(steps) > 0:
        return (f"range({numbers[0]}, {numbers[-1] + min(steps)}, {min(steps)})",)
    return listed(values)


def _channels(values: Array) -> Text:
    """A list, of one number for all channels or one for each."""
    return numbers(values) if values.size > 1 else (Brackets("[", (numbers(values),), "]"),)


def _image(handover: Handover) -> dict[str, Floats]:
    """Factor and shift of each pixel (C, H, W)."""
    assert handover.normaliser is not None
    both = (handover.normaliser.factor, handover.normaliser.shift)
    wide = [np.broadcast_to(one, handover.input_shape).transpose(2, 0, 1) for one in both]
    return {name: np.ascontiguousarray(one) for name, one in zip(("factor", "shift"), wide, strict=True)}


_NORMALISE = '''
class Normalise(nn.Module):
    """Pixels from 0 to 255 as the network takes them."""

    def __init__(self, factor, shift, turns=False):
        super().__init__()
        for name, numbers in (("factor", factor), ("shift", shift)):
            tensor = torch.tensor(numbers).view(-1, 1, 1)
            self.register_buffer(name, tensor, persistent=False)
        self.turns = turns

    def forward(self, x):
        x = x.flip(1) if self.turns else x  # blue first
        return x * self.factor - self.shift
'''
_NORMALISE_IMAGE = '''
class Normalise(nn.Module):
    """Pixels from 0 to 255 as the network takes them, each place by itself."""

    def __init__(self, channels, height, width, turns=False):
        super().__init__()
        self.register_buffer("factor", torch.ones(channels, height, width))
        self.register_buffer("shift", torch.zeros(channels, height, width))
        self.turns = turns

    def forward(self, x):
        x = x.flip(1) if self.turns else x  # blue first
        return x * self.factor - self.shift
'''
