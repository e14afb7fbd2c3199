"""Graphs that are not series-parallel, made by hand: named ones, and small random ones with merges."""

from __future__ import annotations

from random import Random

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.graph.ops import Op

RELU, NORM = ops.Activation("relu"), ops.Norm(momentum=0.9, epsilon=1e-3, zero_scale=False)


def conv(filters: int, kernel: int = 3, stride: int = 1, bias: bool = False) -> ops.Conv:
    return ops.Conv(filters, (kernel, kernel), (stride, stride), "same", (1, 1), 1, bias, "he_normal", l2=0.0)


def dense(units: int) -> ops.Dense:
    return ops.Dense(units, bias=True, initializer="he_normal", l2=0.0)


def larger(by: int) -> ops.Pad:
    """Zeros around an image, in place of a layer that makes it larger."""
    return ops.Pad(((by, by), (by, by)))


class Draft:
    """Nodes that are put one behind the other, or behind any that are there."""

    def __init__(self, *shape: int) -> None:
        self.nodes = [node("input", ops.Input(shape))]
        self.counts: dict[str, int] = {}

    @property
    def input(self) -> Node:
        return self.nodes[0]

    def add(self, scope: str, *layers: Op, behind: Node | tuple[Node, ...] | None = None) -> Node:
        """The last of some layers within a scope, the first behind one node or, where it is a merge, several."""
        sources = behind if isinstance(behind, tuple) else (behind or self.nodes[-1],)
        for op in layers:
            kind = type(op).__name__.lower()
            number = self.counts[f"{scope}/{kind}"] = self.counts.get(f"{scope}/{kind}", 0) + 1
            self.nodes.append(node(f"{scope}/{kind}{number}", op, sources))
            sources = (self.nodes[-1],)
        return self.nodes[-1]

    def sum(self, scope: str, *nodes: Node, paths: tuple[str, ...] = ()) -> Node:
        return self.add(scope, ops.Add(paths or tuple(f"path{i}" for i in range(len(nodes)))), behind=nodes)

    def concat(self, scope: str, *nodes: Node) -> Node:
        return self.add(scope, ops.Concat(tuple(f"path{i}" for i in range(len(nodes)))), behind=nodes)

    def unit(self, name: str, filters: int, stride: int = 1, before: Node | None = None) -> Node:
        """A basic unit, with a projection where shapes change."""
        before = before or self.nodes[-1]
        residual = self.add(f"{name}/residual", conv(filters, stride=stride), NORM, RELU, conv(filters), NORM,
                            behind=before)  # fmt: skip
        changes = residual.shape != before.shape
        aside = self.add(f"{name}/shortcut", conv(filters, 1, stride), NORM, behind=before) if changes else before
        merged = self.sum(name, residual, aside, paths=("residual", "shortcut"))
        return self.add(name, RELU, behind=merged)

    def stage(self, number: int, units: int, filters: int, stride: int = 1) -> Node:
        for index in range(1, units + 1):
            last = self.unit(f"stage{number}/unit{index}", filters, stride if index == 1 else 1)
        return last

    def graph(self, *outputs: Node, name: str = "drafted") -> Graph:
        ends = outputs or (self.nodes[-1],)
        return Graph(name, tuple(self.nodes), tuple(one.name for one in ends))


def u_net(units: int = 2) -> Graph:
    """An encoder of three stages, and a decoder with a skip from each of the first two; a class a pixel."""
    draft = Draft(16, 16, 3)
    draft.add("stem", conv(4), NORM, RELU)
    skips = [draft.stage(number, units, 4 * number, 1 if number == 1 else 2) for number in (1, 2)]
    last = draft.stage(3, units, 12, 2)
    for number, skip in enumerate(reversed(skips), 1):
        up = draft.add(f"head/up{number}", larger(last.shape[0] // 2), behind=last)
        joined = draft.concat(f"head/up{number}", up, skip)
        last = draft.add(f"head/up{number}", conv(skip.shape[-1]), NORM, RELU, behind=joined)
    draft.add("head", conv(5, 1, bias=True), ops.Activation("softmax"), behind=last)
    return draft.graph(name="u_net")


def pyramid() -> Graph:
    """A feature pyramid over four stages, each level an output."""
    draft = Draft(16, 16, 3)
    draft.add("stem", conv(4), NORM, RELU)
    ends = [draft.stage(number, 2, 4 * number, 1 if number == 1 else 2) for number in (1, 2, 3, 4)]
    top, outputs = draft.add("head", conv(8, 1), behind=ends[-1]), []
    outputs.append(draft.add("head", conv(8), behind=top))
    for end in reversed(ends[:-1]):
        aside = draft.add("head/lateral", conv(8, 1), behind=end)
        up = draft.add("head/top_down", larger(top.shape[0] // 2), behind=top)
        top = draft.sum("head", aside, up)
        outputs.append(draft.add("head", conv(8), behind=top))
    return draft.graph(*reversed(outputs), name="pyramid")


def exchange(units: int = 3, channels: int = 3) -> Graph:
    """A classifier of two streams that give to each other behind units of two inputs and two outputs, as HRNet's."""
    draft = Draft(8, 8, channels)
    high = draft.add("stem", conv(4), NORM, RELU)
    low = draft.add("stage1/transition1", conv(8, stride=2), NORM, RELU, behind=high)
    for index in range(1, units + 1):
        name = f"stage1/unit{index}"
        wide = draft.add(f"{name}/high", conv(4), NORM, RELU, behind=high)
        deep = draft.add(f"{name}/low", conv(8), NORM, RELU, behind=low)
        up = draft.add(f"{name}/up", conv(4, 1), larger(2), behind=deep)
        down = draft.add(f"{name}/down", conv(8, stride=2), behind=wide)
        high = draft.add(name, RELU, behind=draft.sum(name, wide, up))
        low = draft.add(name, RELU, behind=draft.sum(name, deep, down))
    pooled = [
        draft.add(f"head/pool{index}", ops.GlobalAveragePool(), behind=one) for index, one in enumerate((high, low))
    ]
    draft.concat("head", *pooled)
    draft.add("head", dense(10), ops.Activation("softmax"))
    return draft.graph(name="exchange")


def two_heads() -> Graph:
    """Two classifiers over one trunk."""
    draft = Draft(8, 8, 3)
    draft.add("stem", conv(4), NORM, RELU)
    trunk = draft.stage(1, 3, 4)
    first = draft.add("head/first", ops.GlobalAveragePool(), dense(10), ops.Activation("softmax"), behind=trunk)
    second = draft.add("head/second", conv(8), ops.GlobalAveragePool(), dense(3), behind=trunk)
    return draft.graph(first, second, name="two_heads")


NAMED = (u_net, pyramid, exchange, two_heads)


def random_graph(random: Random, layers: int, weights: bool = True, outputs: int = 1, classes: int = 0) -> Graph:
    """Layers behind any that came before, and merges of any two or three that fit; all lead to the last output.

    Without weights, it has so few kinds of ops that graphs are often alike. With classes, the last output is that of a classifier.
    """
    draft = Draft(5, 4, 2)
    kinds: list[Op] = [RELU, ops.Activation("tanh")]
    merges: list[type[ops.Merge]] = [ops.Add, ops.Add, ops.Concat]
    if weights:
        kinds += [ops.Scale(0.5), ops.MaxPool((3, 3), (1, 1), "same"), conv(2), NORM, conv(4, 1, bias=True)]
        merges.append(ops.Multiply)
    for _ in range(layers):
        scope = random.choice(("stem", "stage1/unit1", "stage1/unit2", "stage2/unit1", "head"))
        before = random.choice(draft.nodes[-4:])
        alike = [one for one in draft.nodes if one.shape == before.shape]
        paths = ("a", "b", "c")[: random.choice((2, 2, 3)) if weights else 2]
        if random.random() < 0.5 and before.shape[-1] < 16:
            draft.add(scope, random.choice(merges)(paths), behind=tuple(random.choices(alike, k=len(paths))))
        else:
            draft.add(scope, random.choice(kinds), behind=before)
    used = {name for one in draft.nodes for name in one.inputs}
    ends = [one for one in draft.nodes if one.name not in used]
    last = draft.concat("head", *ends) if len(ends) > 1 else ends[0]
    if classes:
        last = draft.add("head", ops.GlobalAveragePool(), dense(classes), ops.Activation("softmax"), behind=last)
    others = random.sample(draft.nodes[1:-1], min(outputs - 1, len(draft.nodes) - 2))
    return draft.graph(*others, last, name="random")


def reordered(graph: Graph, random: Random) -> Graph:
    """The same network: nodes in another order that holds, the paths of sums and products in another, all under other names."""
    names = {one.name: f"layer{index}" for index, one in enumerate(random.sample(graph.nodes, len(graph.nodes)))}
    left, made = list(graph.nodes), dict[str, Node]()
    while left:
        one = random.choice([one for one in left if all(names[name] in made for name in one.inputs)])
        left.remove(one)
        inputs = random.sample(one.inputs, len(one.inputs)) if isinstance(one.op, ops.Commutative) else one.inputs
        name = names[one.name]
        made[name] = node(name, one.op, [made[names[source]] for source in inputs])
    return Graph("reordered", tuple(made.values()), tuple(names[name] for name in graph.outputs))
