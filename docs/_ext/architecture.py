"""Pictures and tables of the architecture, read from the files of the package and of the tests.

The layers and their rooms are those of ``tests/layers.py``, which the tests check.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import FrameType

import graphviz

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.insert(0, str(TESTS))

from layers import LAYERS, ROOT, file_graph, files_of, room_graph  # noqa: E402

RULES = ("test_architecture.py", "test_safety.py")
"""The tests whose names are the rules of the architecture."""


# -- what the files say ----------------------------------------------------------------------------


def count_lines(*paths: Path) -> int:
    """Return how many lines files have together."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def summary(path: Path) -> str:
    """Return the first sentence of a file's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def main_file(room: str) -> Path:
    """Return the file whose docstring describes a room."""
    files = files_of(room)
    return files[0] if len(files) == 1 else ROOT / room / "__init__.py"


def without_implied(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph without the edges that a longer path implies."""
    reachable: dict[str, set[str]] = {}
    while len(reachable) < len(graph):
        ready = [
            name
            for name, needs in graph.items()
            if name not in reachable and needs <= reachable.keys()
        ]
        if not ready:
            raise ValueError(f"a circle among {sorted(graph.keys() - reachable.keys())}")
        for name in ready:
            reachable[name] = graph[name].union(*(reachable[need] for need in graph[name]))
    return {
        name: {need for need in needs if not any(need in reachable[other] for other in needs)}
        for name, needs in graph.items()
    }


# -- pictures --------------------------------------------------------------------------------------


class Drawing(str):
    """An SVG inside the page: it takes the page's colours, and its boxes have tooltips."""

    def _repr_html_(self) -> str:
        return f'<div class="layers">{self}</div>'


COLOURS = {
    "#111111": "var(--color-foreground-primary)",
    "#222222": "var(--color-foreground-muted)",
    "#333333": "var(--color-background-border)",
    "#eeeeee": "var(--color-background-secondary)",
    "#fefefe": "var(--color-background-primary)",
    "#0000ee": "var(--color-brand-primary)",
}
"""For each colour that Graphviz writes, the page's own, by day and by night."""
FONT = {"fontname": "Helvetica,Arial,sans-serif", "fontcolor": "#111111"}
GRAPH = {"bgcolor": "transparent", "nodesep": "0.16", "ranksep": "0.3", "pad": "0.2,0.5"}
BOX = {"shape": "box", "style": "rounded,filled", "fillcolor": "#fefefe", "color": "#222222"}
BOX |= {"fontsize": "13", "margin": "0.1,0.02", "height": "0.3"}
LAY_OUT = """
import sys, pygraphviz
drawing = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(drawing.draw(None, format="svg", prog="dot"))
"""
"""The program that places and draws a graph; the library's own drawings have places already."""
ARROW = {"color": "#222222", "arrowsize": "0.55", "penwidth": "0.8"}


def new_graph(name: str) -> graphviz.Digraph:
    """Return an empty graph in the style of these pages."""
    return graphviz.Digraph(
        name, graph_attr={**FONT, **GRAPH}, node_attr={**FONT, **BOX}, edge_attr=ARROW
    )


def box_label(name: str, *paths: Path) -> str:
    """Return the label of a box: a name, and below it the number of files and of lines."""
    lines = f"{count_lines(*paths):,}"
    size = lines if len(paths) == 1 else f"{len(paths)} files, {lines}"
    rows = (
        f"<tr><td><b>{name}</b></td></tr>",
        f'<tr><td><font point-size="10" color="#222222">{size}</font></td></tr>',
    )
    return f'<<table border="0" cellspacing="0" cellpadding="1">{"".join(rows)}</table>>'


def to_svg(graph: graphviz.Digraph, tooltips: dict[str, str]) -> Drawing:
    """Return the drawn graph, in the page's colours and with tooltips."""
    command = [sys.executable, "-c", LAY_OUT]
    done = subprocess.run(command, input=graph.source.encode(), capture_output=True, check=True)
    svg = done.stdout.decode()
    svg = re.sub(r'="(\d+)pt"', r'="\1px"', svg[svg.index("<svg") :], count=2)
    for written, meant in COLOURS.items():
        svg = svg.replace(written, meant)

    def title(match: re.Match[str]) -> str:
        name = match[1].replace("&#45;&gt;", "->")
        source, arrow, target = name.partition("->")
        tooltip = f"{source} imports {target}" if arrow else escape(tooltips.get(name, ""))
        return f"<title>{tooltip}</title>"

    svg = re.sub(r"<title>(.*?)</title>", title, svg)
    return Drawing(re.sub(r"<title></title>\n?", "", svg))


def draw_layers() -> Drawing:
    """Return a picture of the seven layers: a box for each room, and arrows to what it imports.

    A package has a double border. An import that a longer path of arrows implies is left out.
    """
    imports, graph = without_implied(room_graph()), new_graph("layers")
    bands = [(layer, rooms) for layer, rooms in reversed(LAYERS.items())]
    for number, (_, rooms) in enumerate(bands):
        for room in rooms:
            package = {"peripheries": "2", "color": "#0000ee"} if len(files_of(room)) > 1 else {}
            graph.node(room, label=box_label(room, *files_of(room)), **package)
        if number:
            separate(graph, f"between{number}", bands[number - 1][1], rooms)
    layer_of = {room: layer for layer, rooms in bands for room in rooms}
    for room, needs in imports.items():
        for need in sorted(needs):
            is_near = layer_of[room] == layer_of[need]
            graph.edge(room, need, **({"weight": "3"} if is_near else {"class": "across"}))
    svg = to_svg(graph, {room: summary(main_file(room)) for room in layer_of})
    return with_bands(svg, bands)


def separate(graph: graphviz.Digraph, name: str, upper: list[str], lower: list[str]) -> None:
    """Keep all boxes of one band above all boxes of the next, by an invisible point between."""
    graph.node(name, label="", shape="point", width="0", height="0.3", style="invis")
    for room in upper:
        graph.edge(room, name, style="invis", weight="0")
    for room in lower:
        graph.edge(name, room, style="invis", weight="0")


def with_bands(svg: Drawing, bands: list[tuple[str, list[str]]]) -> Drawing:
    """Return the picture with a stripe behind the boxes of each layer, and the layer's name."""
    width = float(re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+)', svg)[1])
    name_at = re.compile(r'<text [^>]*y="([-\d.]+)"[^>]*font-weight="bold"[^>]*>(\w+)</text>')
    y_of = {name: float(y) for y, name in name_at.findall(svg)}
    font = 'font-family="Helvetica,Arial,sans-serif" font-size="13"'
    stripes = []
    for title, rooms in bands:
        ys = [y_of[room] for room in rooms]
        y, height = min(ys) - 36, max(ys) - min(ys) + 62
        stripes.append(
            f'<rect x="-12" y="{y}" width="{width - 4}" height="{height}" rx="10" '
            f'fill="var(--color-background-secondary)"/>'
            f'<text x="-2" y="{y + 19}" {font} fill="var(--color-foreground-muted)">{title}</text>'
        )
    start = svg.index(">", svg.index('class="graph"')) + 1
    return Drawing(svg[:start] + "".join(stripes) + svg[start:])


def draw_room(room: str) -> Drawing:
    """Return a picture of the files of a package, and what each imports from the others."""
    prefix = f"tinygrad_rnn.{room}."
    imports = {
        module.removeprefix(prefix): {
            need.removeprefix(prefix) for need in needs if need.startswith(prefix)
        }
        for module, needs in file_graph().items()
        if module.startswith(prefix)
    }
    paths = {name: ROOT / room / f"{name.replace('.', '/')}.py" for name in imports}
    graph = new_graph(room)
    graph.attr(pad="0.1")
    for name, needs in without_implied(imports).items():
        graph.node(name, label=box_label(name, paths[name]))
        for need in sorted(needs):
            graph.edge(name, need)
    return to_svg(graph, {name: summary(path) for name, path in paths.items()})


# -- tables ----------------------------------------------------------------------------------------


class Table(list):
    """Rows of text that a page shows as a table; the first row is its head."""

    def _repr_markdown_(self) -> str:
        head, *rows = [
            "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self
        ]
        return "\n".join([head, "|" + "---|" * len(self[0]), *rows])


def list_files() -> Table:
    """Return every file with its lines and its summary, layer by layer from the top."""
    table = Table([("File", "Lines", "What it is")])
    for room in [room for rooms in reversed(LAYERS.values()) for room in rooms]:
        paths = files_of(room)
        if len(paths) > 1:
            lines, text = f"{count_lines(*paths):,}", summary(main_file(room))
            table.append((f"**{room}/**", f"**{lines}**", f"**{text}**"))
        for path in paths:
            if path.name != "__init__.py":
                name = path.relative_to(ROOT).as_posix()
                table.append((f"`{name}`", f"{count_lines(path):,}", summary(path)))
    return table


def find_tests(path: Path) -> list[ast.FunctionDef]:
    """Return the test functions of a file."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node for node in body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"]


def as_sentence(test: ast.FunctionDef) -> str:
    """Return the name of a test as a sentence."""
    return test.name.removeprefix("test_").replace("_", " ")


def list_rules() -> list[str]:
    """Return what the tests of the architecture require: their names are sentences."""
    tests = [test for file in RULES for test in find_tests(TESTS / "house" / file)]
    return [as_sentence(test) for test in tests if "check_on" not in test.name]


def list_registry_tests() -> Table:
    """Return the tests that run for each op of the registry, or for each of its samples."""
    table = Table([("File", "What each op is tested for")])
    over_registry = re.compile(r"\b(every_op|every_case|OPS|RULES)\b")
    for path in sorted(TESTS.glob("*/test_*.py")):
        if "every_op" in path.read_text(encoding="utf-8"):
            found = [
                as_sentence(test)
                for test in find_tests(path)
                if over_registry.search(" ".join(map(ast.unparse, test.decorator_list)))
            ]
            if found:
                table.append((f"`{path.relative_to(TESTS).as_posix()}`", "; ".join(found)))
    return table


def trace_files(function: Callable[[], object]) -> list[str]:
    """Return the files that a call runs through, each once, in the order of entry."""
    found: dict[str, None] = {}

    def record(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            name = path.relative_to(ROOT).as_posix().removesuffix(".py")
            found[name.removesuffix("/__init__")] = None

    sys.setprofile(record)
    try:
        function()
    finally:
        sys.setprofile(None)
    found.pop("__init__", None)
    return list(found)
