"""The architecture as it is: what imports what, read from the files, on the floors that the tests declare."""

import ast
import re
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import FrameType
from typing import Any

import graphviz

import tinygrad_rnn
from tinygrad_rnn.draw.render import render

TESTS = Path(__file__).resolve().parents[2] / "tests" / "test_architecture.py"
DECLARED = {
    "ROOT",
    "FLOORS",
    "CORE",
    "PRINTING",
    "parsed",
    "floor_of",
    "for_type_checkers",
    "imports",
    "floors_below",
}


def _declared() -> dict[str, Any]:
    """What the tests say a floor and an import are; without the tests themselves, which need pytest."""
    tree = ast.parse(TESTS.read_text(encoding="utf-8"))
    names = {
        n: {n.name} if isinstance(n, ast.FunctionDef) else {t.id for t in getattr(n, "targets", [])}
        for n in tree.body
    }
    wanted = ast.Module([n for n, found in names.items() if found & DECLARED], [])
    space = {"ast": ast, "Path": Path, "tinygrad_rnn": tinygrad_rnn}
    exec(compile(wanted, str(TESTS), "exec"), space)
    return space


_tests = _declared()
ROOT = _tests["ROOT"]
FLOORS, CORE, PRINTING = (
    [
        floor
        for floor in _tests["FLOORS"]
        if floor in _tests[name] and ((ROOT / floor).is_dir() or (ROOT / f"{floor}.py").exists())
    ]
    for name in ("FLOORS", "CORE", "PRINTING")
)
for_type_checkers, floors_below = _tests["for_type_checkers"], _tests["floors_below"]
TITLES = ("what people run", "built on the engine", "the engine")


def files(floor: str) -> list[Path]:
    """The files of a floor: a module, or those of a package."""
    package = ROOT / floor
    return sorted(package.glob("*.py")) if package.is_dir() else [package.with_suffix(".py")]


def lines(*paths: Path) -> int:
    """How many lines files have together."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def says(path: Path) -> str:
    """The first sentence of a file's docstring; it may go on over several lines."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def home(floor: str) -> Path:
    """The file that says what a floor is."""
    return files(floor)[0] if len(files(floor)) == 1 else ROOT / floor / "__init__.py"


def uses() -> dict[str, set[str]]:
    """Every floor, with the floors that its files import from."""
    return {
        floor: set().union(*(floors_below(path) for path in files(floor))) - {"__init__"}
        for floor in FLOORS
    }


def uses_within(package: str) -> dict[str, set[str]]:
    """Every file of a package, with the files of it that it imports from, as ``from .x import y`` or ``from . import x``."""
    found: dict[str, set[str]] = {}
    for path in files(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = for_type_checkers(tree)
        own = [
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.ImportFrom) and n.level == 1 and n not in skipped
        ]
        found[path.stem] = {
            name
            for n in own
            for name in (
                [n.module.split(".")[0]] if n.module else [alias.name for alias in n.names]
            )
        }
    found.pop("__init__")
    return {name: needs & found.keys() for name, needs in found.items()}


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph without the edges that a longer way says too."""
    below: dict[str, set[str]] = {}
    while len(below) < len(graph):
        ready = [
            name for name, needs in graph.items() if name not in below and needs <= below.keys()
        ]
        if not ready:
            raise ValueError(f"a circle among {sorted(graph.keys() - below.keys())}")
        for name in ready:
            below[name] = graph[name].union(*(below[need] for need in graph[name]))
    return {
        name: {n for n in needs if not any(n in below[other] for other in needs)}
        for name, needs in graph.items()
    }


class Drawing(str):
    """An SVG that stands in the page itself, so that it has the page's colours and its boxes say what they are."""

    def _repr_html_(self) -> str:
        return f'<div class="floors">{self}</div>'


COLOURS = {
    "#111111": "var(--color-foreground-primary)",
    "#222222": "var(--color-foreground-muted)",
    "#333333": "var(--color-background-border)",
    "#eeeeee": "var(--color-background-secondary)",
    "#fefefe": "var(--color-background-primary)",
    "#0000ee": "var(--color-brand-primary)",
}
"""What Graphviz writes, and what the page makes of it, in the light and in the dark."""


def _drawing(drawing: graphviz.Digraph, tips: dict[str, str]) -> Drawing:
    svg = render(drawing.source, "svg").decode()
    svg = re.sub(r'="(\d+)pt"', r'="\1px"', svg[svg.index("<svg") :], count=2)
    for written, meant in COLOURS.items():
        svg = svg.replace(written, meant)

    def tip(match: re.Match[str]) -> str:
        name = match[1].replace("&#45;&gt;", "->")
        source, arrow, target = name.partition("->")
        return f"<title>{f'{source} imports {target}' if arrow else escape(tips.get(name, ''))}</title>"

    svg = re.sub(r"<title>(.*?)</title>", tip, svg)
    return Drawing(re.sub(r"<title></title>\n?", "", svg))


def _empty(name: str) -> graphviz.Digraph:
    font = {"fontname": "Helvetica,Arial,sans-serif", "fontcolor": "#111111"}
    return graphviz.Digraph(
        name,
        graph_attr={**font, "bgcolor": "transparent", "nodesep": "0.16", "ranksep": "0.34", "pad": "0.2,0.5"},
        node_attr={**font, "shape": "box", "style": "rounded,filled", "fillcolor": "#fefefe", "color": "#222222", "fontsize": "13",
                   "margin": "0.1,0.02", "height": "0.3"},
        edge_attr={"color": "#222222", "arrowsize": "0.55", "penwidth": "0.8"},
    )  # fmt: skip


def _box(name: str, *paths: Path) -> str:
    size = f"{lines(*paths):,}" if len(paths) == 1 else f"{len(paths)} files, {lines(*paths):,}"
    rows = (
        f"<tr><td><b>{name}</b></td></tr>",
        f'<tr><td><font point-size="10" color="#222222">{size}</font></td></tr>',
    )
    return f'<<table border="0" cellspacing="0" cellpadding="1">{"".join(rows)}</table>>'


def picture() -> Drawing:
    """All floors: a box for each module, one with a double border for each package, with its lines; arrows to what it imports.

    Each import is drawn, or said by a longer way along the arrows.
    """
    graph, drawing = reduced(uses()), _empty("floors")
    bands = [PRINTING, [floor for floor in FLOORS if floor not in (*PRINTING, *CORE)], CORE]
    for number, band in enumerate(bands):
        for floor in band:
            package = {"peripheries": "2", "color": "#0000ee"} if len(files(floor)) > 1 else {}
            drawing.node(floor, label=_box(floor, *files(floor)), **package)
        if number:  # what keeps one band below the other
            drawing.node(
                f"between{number}", label="", shape="point", width="0", height="0.3", style="invis"
            )
            for upper in bands[number - 1]:
                drawing.edge(upper, f"between{number}", style="invis", weight="0")
            for lower in band:
                drawing.edge(f"between{number}", lower, style="invis", weight="0")
    band_of = {floor: number for number, band in enumerate(bands) for floor in band}
    for floor, needs in graph.items():
        for need in sorted(needs, key=FLOORS.index):
            near = band_of[floor] == band_of[need]
            drawing.edge(floor, need, **({"weight": "3"} if near else {"class": "across"}))
    return _on_bands(_drawing(drawing, {floor: says(home(floor)) for floor in FLOORS}), bands)


def _on_bands(svg: Drawing, bands: list[list[str]]) -> Drawing:
    """A stripe behind the boxes of each band, with its title."""
    width = float(re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+)', svg)[1])
    places = {
        name: float(y)
        for y, name in re.findall(
            r'<text [^>]*y="([-\d.]+)"[^>]*font-weight="bold"[^>]*>(\w+)</text>', svg
        )
    }
    stripes, font = (
        [],
        'font-family="Helvetica,Arial,sans-serif" font-size="13" fill="var(--color-foreground-muted)"',
    )
    for title, band in zip(TITLES, bands, strict=True):
        ys = [places[floor] for floor in band]
        y, tall = min(ys) - 36, max(ys) - min(ys) + 62
        stripes.append(
            f'<rect x="-12" y="{y}" width="{width - 4}" height="{tall}" rx="10" fill="var(--color-background-secondary)"/>'
        )
        stripes.append(f'<text x="-2" y="{y + 19}" {font}>{title}</text>')
    start = svg.index(">", svg.index('class="graph"')) + 1
    return Drawing(svg[:start] + "".join(stripes) + svg[start:])


def inside(package: str) -> Drawing:
    """The files of a package, and what of it each imports."""
    drawing = _empty(package)
    drawing.attr(pad="0.1")
    for name, needs in reduced(uses_within(package)).items():
        drawing.node(name, label=_box(name, ROOT / package / f"{name}.py"))
        for need in sorted(needs):
            drawing.edge(name, need)
    return _drawing(drawing, {path.stem: says(path) for path in files(package)})


class Table(list):
    """Rows of text, as a table of the page; the first is its head."""

    def _repr_markdown_(self) -> str:
        head, *rows = [
            "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self
        ]
        return "\n".join([head, "|" + "---|" * len(self[0]), *rows])


def modules() -> Table:
    """Every file, floor by floor from the top, with its lines and what it says that it is."""
    rows = Table([("File", "Lines", "What it is")])
    for floor in reversed(FLOORS):
        paths = files(floor)
        if len(paths) > 1:
            rows.append((f"**{floor}/**", f"**{lines(*paths):,}**", f"**{says(home(floor))}**"))
        for path in (
            paths if len(paths) == 1 else [path for path in paths if path.stem != "__init__"]
        ):
            rows.append((f"`{path.relative_to(ROOT).as_posix()}`", f"{lines(path):,}", says(path)))
    return rows


def enforced() -> list[str]:
    """What the tests of the architecture require: their names are sentences."""
    tests = [
        n.name
        for n in ast.parse(TESTS.read_text(encoding="utf-8")).body
        if isinstance(n, ast.FunctionDef)
    ]
    return [name for name in tests if name.startswith("test_") and "check_on" not in name]


def passes_through(function: Callable[[], object]) -> list[str]:
    """The files of the package that a call goes through, each once, in the order in which they are entered."""
    found: dict[str, None] = {}

    def look(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            found[
                path.relative_to(ROOT).as_posix().removesuffix(".py").removesuffix("/__init__")
            ] = None

    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
    found.pop("__init__", None)
    return list(found)


def by_registry() -> Table:
    """The tests that are made anew for each op of the registry, or for each of its samples."""
    rows, many = (
        Table([("File", "What each op is tested for")]),
        re.compile(r"\b(every_op|every_case|OPS|RULES)\b"),
    )
    for path in sorted(TESTS.parent.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
        over = [
            f.name for f in functions if many.search(" ".join(map(ast.unparse, f.decorator_list)))
        ]
        if over and "registry" in text:
            rows.append(
                (
                    f"`{path.name}`",
                    "; ".join(name.removeprefix("test_").replace("_", " ") for name in over),
                )
            )
    return rows
