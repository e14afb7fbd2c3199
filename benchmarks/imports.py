"""Imports every bundled network from a file of Keras and one of ONNX, and says what comes back of it, and how fast.

    python benchmarks/imports.py                      # what is not in docs/imports.jsonl yet
    python benchmarks/imports.py --file onnx --most 30 quickstart resnet20_v1
    python benchmarks/imports.py --table              # docs/imports.jsonl as the table of docs/import.md

The file of Keras is the JSON of `to_json`, without weights; with `--keep FOLDER`, it is kept there, and read again the
next time. That of ONNX is what `export --bare` writes. Seconds are those of the processor for `import_file` alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from archbuilder.aliases import Json
from archbuilder.expansion.expansion import expand
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.importing.importing import import_file
from archbuilder.outline.canonical import canonical
from archbuilder.spec import Spec, bundled, load

RESULTS = Path(__file__).parent.parent / "docs" / "imports.jsonl"
FILES = ("keras", "onnx")


def written(name: str, spec: Spec, file: str, folder: Path) -> Path:
    path = folder / f"{name}{'.json' if file == 'keras' else '.onnx'}"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    if file == "keras":
        from archbuilder.keras_model.build import build_model

        path.write_text(build_model(expand(spec)).to_json(), "utf-8")
    else:
        from archbuilder.exporting import onnx_file
        from archbuilder.exporting.formats import Options
        from archbuilder.exporting.handover import of_spec

        handover = of_spec(spec, bare=True)
        onnx_file.write(handover, path, Options(), handover.metadata("onnx", None))
    return path


def in_onnx(graph: Graph) -> Graph:
    """What a file of ONNX says of a graph: no dropout, no momentum of norms, each with a scale; a dense layer on an
    image is a convolution there."""
    made: dict[str, Node] = {}
    for one in graph.nodes:
        op, sources = one.op, [made[name] for name in one.inputs]
        if isinstance(op, ops.Dropping):
            made[one.name] = sources[0]
            continue
        if isinstance(op, ops.Norm):
            op = replace(op, momentum=0.9 if op.is_over_batch else op.momentum, scale=True)
        elif isinstance(op, ops.Dense) and len(sources[0].shape) == 3:
            op = ops.Conv(op.units, (1, 1), (1, 1), "valid", (1, 1), 1, op.bias, op.initializer, op.l2)
        made[one.name] = node(one.name, op, sources)
    nodes = {id(one): one for one in made.values()}
    return Graph(graph.name, tuple(nodes.values()), tuple(made[name].name for name in graph.outputs))


def measured(name: str, file: str, folder: Path) -> Json:
    spec = load(name)
    path = written(name, spec, file, folder)
    begin = process_time()
    found = import_file(path)
    seconds = process_time() - begin
    graph, back = expand(spec), expand(found.spec)
    same = canonical(back) == canonical(graph if file == "keras" else in_onnx(graph))
    units, theirs = ([stage.units for stage in one.network.stages] for one in (found.spec, spec))
    return {
        "network": name, "file": file, "lines": found.text.count("\n"), "same": same, "stages": units == theirs,
        "seconds": round(seconds, 2),
    }  # fmt: skip


def lines() -> list[Json]:
    return [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()] if RESULTS.exists() else []


def table() -> Iterator[str]:
    """A row a network: for each file, the lines of what is found, what of it is the spec's, and seconds."""
    found = {(line["network"], line["file"]): line for line in lines()}
    yield "| network | Keras: lines, network, stages, s | ONNX: lines, network, stages, s |"
    yield "| --- | --- | --- |"
    for name in bundled():
        if any((name, file) in found for file in FILES):
            cells = " | ".join(_cell(found.get((name, file))) for file in FILES)
            yield f"| {name} | {cells} |"


def _cell(line: Json | None) -> str:
    if line is None:
        return ""
    same, stages = ("same" if line[key] else "other" for key in ("same", "stages"))
    return f"{line['lines']}, {same}, {stages}, {line['seconds']:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=[*bundled()])
    parser.add_argument("--file", choices=FILES)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where files of Keras are kept")
    parser.add_argument(
        "--most", type=float, default=1_000, help="millions of parameters; larger networks are left out"
    )
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.table:
        print("\n".join(table()))
        return
    done = {(line["network"], line["file"]) for line in lines()}
    wanted = [(name, file) for name in asked.networks for file in FILES if asked.file in (None, file)]
    for name, file in wanted:
        if (name, file) in done or expand(load(name)).parameters > asked.most * 1e6:
            continue
        with TemporaryDirectory() as folder:
            line = json.dumps(measured(name, file, asked.keep if asked.keep and file == "keras" else Path(folder)))
        print(line, flush=True)
        with RESULTS.open("a", encoding="utf-8") as results:
            results.write(f"{line}\n")


if __name__ == "__main__":
    main()
