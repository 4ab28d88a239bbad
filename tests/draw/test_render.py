"""From DOT to pictures: every engine and none, files, notebooks, and the command."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from drawings import graph, layer_loss
from helpers import ramp, run_command
from internals import (
    Architecture,
    CharModel,
    Lesson,
    escape_unprintable,
    plain_scope,
    render,
    save_model,
)

import tinygrad_rnn as tg
from tinygrad_rnn.draw import NoEngineError
from tinygrad_rnn.text import CharVocab

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}"
SYSTEM_DOT = shutil.which("dot")

STAND_IN = f"""#!{sys.executable}
# Stands in for the program dot: draws with the Graphviz of pygraphviz, and logs its arguments.
import pathlib, sys, pygraphviz
with pathlib.Path(__file__).with_name("calls").open("a") as calls:
    print(*sys.argv[1:], file=calls)
form = sys.argv[3]
drawing = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(drawing.draw(None, format=form.removeprefix("-T"), prog="nop2"))
"""

BROKEN = f"""#!{sys.executable}
import sys
sys.stdin.buffer.read()
print("Warning: something", file=sys.stderr)
print("Error: the reason", file=sys.stderr)
sys.exit(3)
"""

SILENT = f"""#!{sys.executable}
import sys
sys.stdin.buffer.read()
"""


def put_first(monkeypatch, folder, script):
    """A program called dot, before any other on the path."""
    program = folder / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.fixture(params=["pygraphviz", "dot", *(["system dot"] if SYSTEM_DOT else [])])
def engine(request, monkeypatch, tmp_path):
    """Every engine in turn: pygraphviz alone, a stand-in for dot, and the system dot if any."""
    if request.param == "pygraphviz":
        monkeypatch.setattr("tinygrad_rnn.draw.render.shutil.which", lambda name: None)
        assert [command[0] for command in render.find_engines("svg")] == [sys.executable]
    elif request.param == "dot":
        program = put_first(monkeypatch, tmp_path, STAND_IN)
        assert render.find_engines("svg")[0] == [str(program), "-Kneato", "-n2", "-Tsvg"]
    return request.param


@pytest.fixture
def no_pygraphviz(monkeypatch):
    monkeypatch.setattr("tinygrad_rnn.draw.render.find_spec", lambda name: None)


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setattr("tinygrad_rnn.draw.render.shutil.which", lambda name: None)
    monkeypatch.setattr("tinygrad_rnn.draw.render.find_spec", lambda name: None)


def groups(root, kind):
    return [g for g in root.iter(f"{SVG}g") if g.get("class") == kind]


def outline(group):
    """Return left, right, top and bottom of the first shape of a group, or of its lines of text."""
    shape = next(
        (
            e
            for e in group.iter()
            if e.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse", f"{SVG}polyline")
        ),
        None,
    )
    if shape is None:
        places = [(float(text.get("x")), float(text.get("y"))) for text in group.iter(f"{SVG}text")]
        return (
            min(x for x, _ in places),
            max(x for x, _ in places),
            min(y for _, y in places),
            max(y for _, y in places),
        )
    if shape.tag == f"{SVG}ellipse":
        x, y, rx, ry = (float(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
        return x - rx, x + rx, y - ry, y + ry
    numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", shape.get("d") or shape.get("points"))]
    return min(numbers[::2]), max(numbers[::2]), min(numbers[1::2]), max(numbers[1::2])


def overlap(a, b, room=0.5):
    return min(a[1], b[1]) - max(a[0], b[0]) > room and min(a[3], b[3]) - max(a[2], b[2]) > room


def within(a, b, room=0.5):
    return (
        a[0] >= b[0] - room and a[1] <= b[1] + room and a[2] >= b[2] - room and a[3] <= b[3] + room
    )


def frames(root):
    """The frames of a picture in the order in which they were opened: title and box."""
    return [
        ("".join(text.text for text in g.findall(f"{SVG}text")), outline(g))
        for g in groups(root, "cluster")
    ]


def loops(root):
    """The frames of time steps, loop by loop: their number and box."""
    found = []
    for title, box in frames(root):
        if step := re.fullmatch(r"t = (\d+)", title):
            if int(step[1]) == 0:
                found.append([])
            found[-1].append((int(step[1]), box))
    return found


def check_structure(drawn, svg):
    """Assert what holds for every picture of every view, and return its SVG."""
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    nodes, edges = groups(root, "node"), groups(root, "edge")
    assert {g.findtext(f"{SVG}title") for g in nodes} == {node.id for node in drawn.nodes}
    assert len(nodes) == len(drawn.nodes)
    assert sorted(g.findtext(f"{SVG}title") for g in edges) == sorted(
        f"{e.source}->{e.target}" for e in drawn.edges
    )
    scopes = {
        plain_scope(node.scope)[: depth + 1]
        for node in drawn.nodes
        for depth in range(len(node.scope))
    }
    clusters = frames(root)
    assert len(clusters) == len(scopes)
    for i, (_, a) in enumerate(clusters):
        assert all(within(a, b) or within(b, a) or not overlap(a, b) for _, b in clusters[i + 1 :])
    boxes = {g.findtext(f"{SVG}title"): outline(g) for g in nodes}
    for i, a in enumerate(drawn.nodes):
        assert not any(overlap(boxes[a.id], boxes[b.id]) for b in drawn.nodes[i + 1 :])
        around = [box for _, box in clusters if within(boxes[a.id], box)]
        assert len(around) >= len(a.scope), "a node is inside the frames of its scopes"
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg",
        "g",
        "title",
        "text",
        "a",
        "path",
        "polygon",
        "ellipse",
        "polyline",
    }
    return root


# -- structure ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"show": "shape,value,grad", "theme": "dark"},
        {"parameters": "chips", "direction": "right"},
        {"steps": "first:1,last:1", "direction": "down"},
        {"roll": True},
        {"fold": "names", "parameters": "hide"},
    ],
    ids=lambda options: ",".join(map(str, options)) or "plain",
)
def test_every_engine_draws_what_is_in_the_graph(engine, options):
    drawn = graph(layer_loss("GRU", 3), **options)
    root = check_structure(drawn, drawn.svg())
    texts = [text.text.replace("\xa0", " ") for text in root.iter(f"{SVG}text")]
    assert drawn.notes[0] in texts
    for node in drawn.nodes:
        if node.name:
            assert node.name in texts


def test_two_uses_are_two_edges(engine):
    w = ramp((2,))
    drawn = graph((w * w).sum())
    assert len(groups(ElementTree.fromstring(drawn.svg()), "edge")) == 3


def test_both_engines_draw_the_same(monkeypatch, tmp_path):
    loss = layer_loss("LSTM", 2)
    drawn = graph(loss, roll=True)
    monkeypatch.setattr("tinygrad_rnn.draw.render.shutil.which", lambda name: None)
    by_pygraphviz = drawn.svg()
    monkeypatch.undo()
    put_first(monkeypatch, tmp_path, STAND_IN)
    assert drawn.svg() == by_pygraphviz
    assert (tmp_path / "bin" / "calls").read_text() == "-Kneato -n2 -Tsvg\n"


def test_steps_of_a_gru_stand_in_order():
    for steps in range(2, 7):
        drawn = graph(layer_loss("GRU", steps))
        (found,) = loops(check_structure(drawn, drawn.svg()))
        check_order(found, steps)


def check_order(found, steps):
    """Frames side by side from left to right, none over another."""
    assert [step for step, _ in found] == list(range(steps))
    for (_, a), (_, b) in pairwise(found):
        assert a[1] <= b[0], "each step is on the right of the one before"


@pytest.mark.parametrize(
    ("kind", "layers", "bidirectional", "parameters", "direction"),
    [
        ("GRU", 1, False, "chips", "up"),
        ("GRU", 1, False, "hide", "down"),
        ("LSTM", 1, False, "once", "up"),
        ("LSTM", 1, False, "chips", "down"),
        ("RNN", 2, False, "chips", "up"),
        ("LSTM", 2, False, "hide", "up"),
        ("GRU", 1, True, "once", "up"),
        ("GRU", 1, True, "once", "down"),
        ("RNN", 2, True, "hide", "down"),
    ],
)
def test_steps_stand_in_order(kind, layers, bidirectional, parameters, direction):
    drawn = graph(
        layer_loss(kind, 3, layers, bidirectional=bidirectional),
        parameters=parameters,
        direction=direction,
    )
    found = loops(check_structure(drawn, drawn.svg()))
    assert len(found) == layers * (1 + bidirectional)
    for loop in found:
        check_order(loop, 3)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("steps", [2, 3, 5])
@pytest.mark.parametrize(
    "options", [{}, {"fold": "names", "parameters": "hide"}, {"parameters": "chips"}], ids=str
)
def test_a_state_enters_its_step_on_the_left(options, steps, direction):
    drawn = graph(layer_loss("GRU", steps), direction=direction, **options)
    root = check_structure(drawn, drawn.svg())
    (found,) = loops(root)
    check_order(found, steps)
    boxes = {g.findtext(f"{SVG}title"): outline(g) for g in groups(root, "node")}
    made = {
        plain_scope(node.scope)[2]: boxes[node.id]
        for node in drawn.nodes
        if node.kind == "op" and node.name.startswith("h")
    }
    for node in drawn.nodes:
        if node.kind == "state":
            assert boxes[node.id][1] <= made[plain_scope(node.scope)[2]][0]


@pytest.mark.parametrize("parameters", ["once", "chips", "hide"])
def test_with_data_to_the_right_time_goes_to_the_right(parameters):
    drawn = graph(layer_loss("LSTM", 4), parameters=parameters, direction="right")
    (found,) = loops(check_structure(drawn, drawn.svg()))
    lefts = [box[0] for _, box in found]
    assert lefts == sorted(lefts)


def test_with_data_to_the_right_a_reverse_scan_goes_to_the_left():
    drawn = graph(layer_loss("RNN", 4, bidirectional=True), direction="right")
    found = loops(check_structure(drawn, drawn.svg()))
    ends = [[box[1] for _, box in loop] for loop in found]  # where each step ends
    assert any(row == sorted(row) for row in ends)
    assert any(row == sorted(row, reverse=True) for row in ends)


def test_steps_left_out_are_marked_at_their_place():
    drawn = graph(layer_loss("GRU", 9), steps="first:2,last:2")
    root = check_structure(drawn, drawn.svg())
    (mark,) = [
        outline(g) for g in groups(root, "node") if g.findtext(f"{SVG}title").startswith("steps")
    ]
    boxes = dict(loops(root)[0])
    assert list(boxes) == [0, 1, 7, 8]
    assert boxes[1][1] <= mark[0]
    assert mark[1] <= boxes[7][0]


@pytest.mark.parametrize(("direction", "sign"), [("up", -1), ("down", 1)])
def test_data_flows_where_the_direction_says(direction, sign):
    drawn = graph(tg.exp(tg.tanh(ramp((2,)))).sum(), direction=direction)
    root = check_structure(drawn, drawn.svg())
    tops = {g.findtext(f"{SVG}title"): outline(g)[2] for g in groups(root, "node")}
    order = [tops[name] * sign for name in ("parameter1", "op1", "op2", "op3")]
    assert order == sorted(order)


def test_themes_change_the_colours_and_nothing_else():
    loss = layer_loss("GRU", 2)
    light, dark, printed = (
        graph(loss, theme=theme, highlight=None).svg() for theme in ("light", "dark", "print")
    )
    colours = [set(re.findall(r"#[0-9a-f]{6}", svg)) for svg in (light, dark, printed)]
    assert not colours[0] & colours[1]
    assert {re.sub(r"#[0-9a-f]{6}", "", svg) for svg in (light, dark, printed)} == {
        re.sub(r"#[0-9a-f]{6}", "", light)
    }
    assert all(
        r == g == b for r, g, b in (re.findall("..", colour[1:]) for colour in colours[2])
    ), "print is without colour"


def test_kinds_differ_in_their_outlines_not_only_in_colour():
    w = ramp((2,))
    output = tg.linear(
        tg.Tensor(np.ones((3, 2)), name="x"), tg.tanh(ramp((2, 2), "W")), w
    ) + np.ones(2)
    root = ElementTree.fromstring(graph(output, theme="print").svg())
    kinds = {}
    for g in groups(root, "node"):
        shape = next(
            e for e in g.iter() if e.tag in (f"{SVG}path", f"{SVG}polygon", f"{SVG}ellipse")
        )
        kinds.setdefault(re.sub(r"\d", "", g.findtext(f"{SVG}title")), set()).add(
            (shape.tag, shape.get("stroke-dasharray"))
        )
    assert kinds.keys() == {"parameter", "op", "input", "constant"}
    assert len({tuple(look) for look in kinds.values()}) == 4


# -- any name -----------------------------------------------------------------------------------

NAMES = [
    *(
        "<b>|",
        "<b>bold</b>",
        'quo"te',
        "apo'strophe",
        "line\nbreak",
        "a:b",
        "&amp;",
        "&lt;x",
        "{x}|y",
        "\x1b[31m",
        "]; x -> y; [",
    ),
    *(
        "</script><script>alert(1)</script>",
        "<!-- -->",
        "]]>",
        "🙂",
        "שלום",
        "\u202eabc",
        "\ud800",
        "%d",
        "y" * 500,
        "a  b",
    ),
]
BACKSLASHES = [
    '<b>|\\N"',
    "\\N",
    "\\G\\E",
    "\\T\\H\\L",
    "back\\",
    "\\\\",
    "\\n\\l\\r",
    "a\\\\Nb",
    "C:\\new\\logs",
]


def draw_with_names(names):
    """A graph in which each name is that of a scope, of a parameter and of a result."""
    total = ramp((2,), "start").sum()
    for name in names:
        with tg.scope(name):
            part = (ramp((2,), name) * 2).sum()
            part.name = name
            total = total + part
    return graph(total, show="shape,value,grad")


def test_names_neither_break_nor_enter_a_picture(engine):
    drawn = draw_with_names(NAMES)
    root = check_structure(drawn, drawn.svg())
    texts = [text.text.replace("\xa0", " ").strip() for text in root.iter(f"{SVG}text")]
    tips = [a.get(f"{LINK}title").replace("\xa0", " ") for a in root.iter(f"{SVG}a")]
    for name in NAMES:
        assert texts.count(escape_unprintable(name)) == 3, name  # scope, parameter, result
        assert escape_unprintable(name) in tips
    assert not any("script" in e.tag for e in root.iter())
    assert all(not name.startswith("on") for e in root.iter() for name in e.attrib)
    assert not any(e.get(f"{LINK}href") or e.get("href") for e in root.iter())


def test_a_backslash_in_a_name_is_a_backslash_in_the_picture(engine):
    """Graphviz replaces \\N by the id of the node, even in HTML, and reads tooltips twice."""
    root = ElementTree.fromstring(draw_with_names(BACKSLASHES).svg())
    texts = [text.text.replace("\xa0", " ").strip() for text in root.iter(f"{SVG}text")]
    tips = [a.get(f"{LINK}title").replace("\xa0", " ") for a in root.iter(f"{SVG}a")]
    assert {name: texts.count(name) for name in BACKSLASHES} == dict.fromkeys(BACKSLASHES, 3)
    assert {name for name in BACKSLASHES if name not in tips} == set()


@pytest.mark.parametrize("parameters", ["chips", "hide"])
@pytest.mark.parametrize(
    ("steps", "read", "written"), [("first:1,last:1", 3, 3), ("first:2,last:1", 5, 4)]
)
def test_with_steps_left_out_a_decoder_is_right_of_its_encoder(parameters, steps, read, written):
    encoder, cell, out = (
        tg.nn.GRU(3, 4, rng=0),
        tg.nn.GRUCell(5, 4, rng=1),
        tg.nn.Linear(4, 5, rng=2),
    )
    with tg.scope("translator"):
        with tg.scope("encoder"):
            _, h = encoder(tg.Tensor(np.ones((read, 2, 3), np.float32), name="x"))
        h, y, outputs = h[0], tg.Tensor(np.zeros((2, 5), np.float32), name="y"), []
        for t in range(written):
            with tg.scope(t):
                _, h = cell(y, h)
                y = tg.softmax(out(h))
                h.name, y.name = "h", "y"
            outputs.append(y)
    drawn = graph(tg.stack(outputs).sum(), steps=steps, parameters=parameters)
    boxes = {
        g.findtext(f"{SVG}title"): outline(g)
        for g in groups(ElementTree.fromstring(drawn.svg()), "node")
    }
    walked = [
        node
        for node in drawn.nodes
        if any(isinstance(part, int) for part in plain_scope(node.scope))
    ]
    reading = [boxes[node.id] for node in walked if "encoder" in plain_scope(node.scope)]
    writing = {}
    for node in walked:
        if "encoder" not in plain_scope(node.scope):
            writing.setdefault(plain_scope(node.scope)[1], []).append(boxes[node.id])
    columns = [reading, *(writing[step] for step in sorted(writing))]
    assert all(
        max(box[1] for box in left) < min(box[0] for box in right)
        for left, right in pairwise(columns)
    )


def test_a_loss_of_every_step_is_in_the_column_of_its_step():
    """The tutorial's batch: its loss has a loop of its own, beside the recurrence."""
    drawn = graph(Lesson().loss.loss, parameters="chips")
    root = ElementTree.fromstring(drawn.svg())
    network, losses = loops(root)
    assert len(network) == len(losses) > 1
    for (t, a), (u, b) in zip(network, losses, strict=True):
        assert t == u
        assert a[0] == pytest.approx(b[0], abs=0.5)
        assert a[1] == pytest.approx(b[1], abs=0.5)


# -- without an engine --------------------------------------------------------------------------


@pytest.mark.parametrize("form", render.FORMATS)
def test_without_an_engine_the_error_names_both_fixes_and_the_dot_is_kept(
    no_engine, tmp_path, form
):
    drawn = graph(layer_loss("GRU", 2))
    with pytest.raises(NoEngineError) as caught:
        drawn.save(tmp_path / f"x.{form}")
    message = str(caught.value)
    assert "https://graphviz.org/download" in message
    assert "pip install 'tinygrad_rnn[render]'" in message
    assert str(tmp_path / "x.dot") in message
    assert not re.search(r"\n|[.!?]\s", message), "one sentence"
    assert (tmp_path / "x.dot").read_text(encoding="utf-8") == drawn.dot()
    assert [path.name for path in tmp_path.iterdir()] == ["x.dot"]


def test_without_an_engine_there_is_no_svg_and_the_rest_works(no_engine, tmp_path):
    drawn = graph(layer_loss("GRU", 2))
    with pytest.raises(NoEngineError, match="expected a system dot or pygraphviz"):
        drawn.svg()
    for form in ("dot", "txt", "json"):
        assert drawn.save(tmp_path / f"x.{form}").stat().st_size > 100


def test_without_an_engine_a_notebook_shows_the_equations(no_engine):
    drawn = graph(layer_loss("GRU", 2))
    bundle = drawn._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert bundle["text/plain"].startswith(drawn.text())
    assert "pip install" in bundle["text/plain"]


def test_a_notebook_shows_the_picture_and_the_equations(engine):
    drawn = graph(layer_loss("GRU", 2), roll=True)
    for bundle in (
        drawn._repr_mimebundle_(),
        drawn._repr_mimebundle_(include=None, exclude=["image/png"]),
    ):
        assert set(bundle) == {"text/plain", "image/svg+xml"}
        assert bundle["text/plain"] == drawn.text()
        check_structure(drawn, bundle["image/svg+xml"])


@pytest.mark.parametrize(
    "script", [BROKEN, SILENT, "#!/no/such/interpreter\n"], ids=["fails", "silent", "cannot run"]
)
def test_a_notebook_outlives_any_engine(script, no_pygraphviz, monkeypatch, tmp_path):
    put_first(monkeypatch, tmp_path, script)
    drawn = graph(layer_loss("GRU", 2))
    bundle = drawn._repr_mimebundle_()
    assert bundle["text/plain"].startswith(drawn.text())
    assert "not drawn: " in bundle["text/plain"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (BROKEN, "Error: the reason"),
        (SILENT, "it crashed"),
        ("#!/no/such/interpreter\n", "No such file or directory"),
    ],
)
def test_an_engine_that_fails_is_one_sentence_and_the_dot_is_kept(
    script, reason, no_pygraphviz, monkeypatch, tmp_path
):
    put_first(monkeypatch, tmp_path, script)
    drawn = graph(ramp((2,)) * 2)
    kept = f"the DOT text is in {tmp_path / 'x.dot'}"
    wanted = f"draw: Graphviz could not draw this as png: {reason}; fold more of the graph; {kept}"
    with pytest.raises(RuntimeError, match=f"^{re.escape(wanted)}$"):
        drawn.save(tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
    assert (tmp_path / "x.dot").read_text(encoding="utf-8") == drawn.dot()


@pytest.mark.parametrize(
    "script", [BROKEN, SILENT, "#!/no/such/interpreter\n"], ids=["fails", "silent", "cannot run"]
)
def test_where_the_system_dot_fails_pygraphviz_draws(script, monkeypatch, tmp_path):
    put_first(monkeypatch, tmp_path, script)
    drawn = graph(layer_loss("GRU", 2))
    check_structure(drawn, drawn.svg())
    assert drawn.save(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert "image/svg+xml" in drawn._repr_mimebundle_()


def test_nothing_of_a_name_reaches_a_command(monkeypatch):
    seen = []

    def run(command, **options):
        seen.append((command, options))
        return subprocess.CompletedProcess(command, 0, stdout=b"<svg/>", stderr=b"")

    monkeypatch.setattr("tinygrad_rnn.draw.render.subprocess.run", run)
    graph(ramp(name="$(touch x); `touch y`") * 2).svg()
    ((command, options),) = seen
    assert "touch" not in " ".join(command)
    assert b"touch" in options["input"]
    assert not options.get("shell")


# -- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "start"),
    [("svg", b"<svg "), ("SVG", b"<svg "), ("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-1.")],
    ids=lambda x: str(x)[:5],
)
def test_every_picture_is_what_its_name_says(engine, tmp_path, form, start):
    drawn = graph(layer_loss("GRU", 2), parameters="hide")
    path = tmp_path / f"a figure; $x.{form}"
    assert drawn.save(str(path)) == path
    content = path.read_bytes()
    assert content.startswith(start)
    if form.lower() == "svg":
        check_structure(drawn, content.decode())
    if form == "png":
        assert content.rstrip().endswith(b"IEND\xaeB`\x82")
    if form == "pdf":
        assert b"%%EOF" in content[-32:]


@pytest.mark.parametrize(
    ("form", "start"), [("dot", "digraph {\n"), ("txt", "parameters: "), ("json", '{\n "status"')]
)
def test_every_text_is_what_its_name_says(tmp_path, form, start):
    drawn = graph(layer_loss("GRU", 2), parameters="hide")
    content = drawn.save(tmp_path / f"x.{form}").read_text(encoding="utf-8")
    assert content.startswith(start)
    assert content.endswith("\n")
    assert content.rstrip("\n") == {"dot": drawn.dot, "txt": drawn.text, "json": lambda: content}[
        form
    ]().rstrip("\n")


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("much longer than what comes after it" * 1000)
    graph(ramp((2,)) * 2).save(path)
    assert path.read_text(encoding="utf-8").startswith("parameters: w (2,)")
    assert len(path.read_text(encoding="utf-8")) < 200


@pytest.mark.parametrize("name", ["x", "x.gif", "x.svgz", ".svg", "x.", "x.svg.bak", "", "x.dot "])
def test_another_suffix_raises_an_error(tmp_path, name):
    with pytest.raises(
        ValueError,
        match=r"^graph\.save: argument path: expected a name that ends in "
        r"\.svg, \.png, \.pdf, \.dot, \.tex, \.txt, \.json, got ",
    ):
        graph(ramp((2,)) * 2).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["svg", "dot", "json"])
def test_a_missing_folder_raises_an_error(tmp_path, form):
    with pytest.raises(FileNotFoundError):
        graph(ramp((2,)) * 2).save(tmp_path / "none" / f"x.{form}")


@pytest.mark.parametrize(
    "name",
    ["folder.svg", "folder.txt", "x" * 300 + ".svg", "x" * 300 + ".json", "f/" * 3000 + "x.dot"],
)
def test_a_file_that_cannot_be_written_raises_an_error_with_its_name(tmp_path, name):
    (tmp_path / name[:10]).mkdir() if name.startswith("folder") else None
    with pytest.raises(
        OSError,
        match=r"^graph.save: argument path: "
        r"expected a file(, not a folder| that can be written), got ",
    ):
        graph(ramp((2,)) * 2).save(tmp_path / name)


@pytest.mark.parametrize(
    "options",
    [{}, {"roll": True}, {"steps": "first:1"}, {"fold": "layer 0"}, {"parameters": "chips"}],
)
def test_json_says_what_the_graph_says(tmp_path, options):
    drawn = graph(layer_loss("LSTM", 5), highlight=None, **options)
    found = json.loads(drawn.save(tmp_path / "x.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(drawn.data()))
    assert found.keys() == {"status", "notes", "nodes", "edges", "scopes", "steps"}
    assert [node["id"] for node in found["nodes"]] == [node.id for node in drawn.nodes]
    for kept, node in zip(found["nodes"], drawn.nodes, strict=True):
        assert (kept["kind"], kept["name"], kept["text"], kept["ops"]) == (
            node.kind,
            node.name,
            node.text,
            node.ops,
        )
        assert kept["scope"] == list(plain_scope(node.scope))
        assert kept["shapes"] == [list(shape) for shape in node.shapes]
    assert [(e["source"], e["target"], e["lag"], e["when"]) for e in found["edges"]] == [
        (e.source, e.target, e.lag, e.when) for e in drawn.edges
    ]
    assert {tuple(scope) for scope in found["scopes"]} == {
        plain_scope(node.scope) for node in drawn.nodes if node.scope
    }
    assert found["notes"] == drawn.notes


def test_json_takes_any_name(tmp_path):
    path = draw_with_names(NAMES + BACKSLASHES).save(tmp_path / "x.json")
    assert {escape_unprintable(name) for name in NAMES} <= {
        node["name"] for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]
    }


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], ["t = 3", "h₃"]),
        (["--length", 2], ["t = 1"]),
        (["--text", "MathMat"], ["t = 5"]),
        (["--backward"], ["backward done"]),
        (["--backward", "--show", "value,grad"], ["∂ "]),
        (["--show", "grad"], ["∂ —"]),
        (["--steps", "first:1,last:1", "--length", 9], ["t = 1 … 7"]),
        (["--roll"], ["t−1 → t", "t = 0 … 3"]),
        (["--fold", "recurrent"], ["<b>recurrent</b>  ", " ops<"]),
        (["--fold", "1"], ["<b>charmodel</b>"]),
        (["--fold", "recurrent", "--fold", "output"], ["<b>recurrent</b>", "<b>output</b>"]),
        (["--fold", "names"], ["σ("]),
        (["--parameters", "chips"], ["_use2"]),
        (["--parameters", "once", "--roll"], ["parameter1 ->"]),
        (["--highlight", "weight_hh_l0"], ["336 paths to weight_hh", "penwidth=2.4"]),
        (["--highlight", "output.bias"], ["1 path to bias"]),
        (["--theme", "dark"], ["#0d1117"]),
        (["--theme", "print"], ["#000000"]),
        (["--direction", "down"], ["rankdir=TB"]),
        (["--direction", "right"], ["rankdir=LR"]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_the_command_takes_every_option(folder, capsys, options, wanted):
    assert run_command("draw", "--demo", "--out", "x.dot", *options) == 0
    drawing = (folder / "x.dot").read_text(encoding="utf-8")
    for text in wanted:
        assert text in html.unescape(drawing)
    out = capsys.readouterr().out
    assert re.fullmatch(r"x\.dot: (forward only|backward done) · \d+ ops.*\n", out)


def test_hidden_parameters_by_command(folder, capsys):
    assert run_command("draw", "--demo", "--parameters", "hide", "--out", "x.json") == 0
    assert not [
        node
        for node in json.loads((folder / "x.json").read_text(encoding="utf-8"))["nodes"]
        if node["kind"] == "parameter"
    ]


def test_the_command_draws_by_itself(folder, capsys):
    assert run_command("draw", "--demo") == 0
    assert (folder / "graph.svg").read_bytes().startswith(b"<svg ")
    assert capsys.readouterr().out.startswith("graph.svg: forward only · ")


def test_the_command_prints_equations(folder, capsys):
    assert run_command("draw", "--demo", "--out", "-") == 0
    out = capsys.readouterr().out
    assert out.startswith("parameters: ")
    assert "h₃ = " in out
    assert list(folder.iterdir()) == []


def test_the_command_draws_a_trained_model(folder, capsys):
    save_model(
        CharModel(
            CharVocab("the cat"), Architecture("lstm", embedding=3, hidden=2, layers=2), rng=0
        ),
        "cat.safetensors",
    )
    assert (
        run_command("draw", "cat.safetensors", "--roll", "--text", "the cat", "--out", "cat.svg")
        == 0
    )
    assert "t = 0 … 5" in (folder / "cat.svg").read_text(encoding="utf-8")
    assert (
        run_command("draw", "cat.safetensors", "--highlight", "weight_hh_l0", "--out", "cat.txt")
        == 0
    )
    assert "paths to weight_hh" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["--demo", "model"], "not allowed with argument --demo"),
        (["none.safetensors"], "expected a file"),
        (["--demo", "--length", "0"], "argument --length: expected a positive integer, got 0"),
        (["--demo", "--length", "two"], "invalid int value: 'two'"),
        (["--demo", "--text", "M"], "argument --text: expected at least two characters, got 'M'"),
        (["--demo", "--text", "Moth"], "got 'o' at position 1"),
        (["--demo", "--show", "everything"], "argument --show: expected shape, value, grad"),
        (["--demo", "--steps", "some"], "argument steps: expected"),
        (["--demo", "--fold", "nope"], "argument fold: expected the name or the depth of a scope"),
        (["--demo", "--fold", "99"], "argument fold: expected the name or the depth of a scope"),
        (["--demo", "--fold", "²"], "argument fold: expected the name or the depth of a scope"),
        (
            ["--demo", "--parameters", "some"],
            "argument --parameters: invalid choice: 'some' (choose from 'once', 'chips', 'hide')",
        ),
        (
            ["--demo", "--highlight", "nope"],
            "argument --highlight: expected one of recurrent.weight_ih_l0, ",
        ),
        (["--demo", "--theme", "neon"], "argument --theme: invalid choice: 'neon'"),
        (["--demo", "--direction", "left"], "argument --direction: invalid choice: 'left'"),
        (["--demo", "--out", "x.gif"], "expected a name that ends in .svg"),
        (["--demo", "--out", "none/x.svg"], "expected a file in an existing folder"),
        (["--demo", "--out", "."], "expected a name that ends in .svg"),
        (["--demo", "--turn"], "unrecognized arguments: --turn"),
    ],
)
def test_a_wrong_command_prints_one_line(folder, capsys, arguments, message):
    assert run_command("draw", *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(folder.iterdir()) == []


def test_without_an_engine_the_command_says_so_in_one_line(folder, capsys, no_engine):
    assert run_command("draw", "--demo", "--out", "x.svg") == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "pip install 'tinygrad_rnn[render]'" in captured.err
    assert [path.name for path in folder.iterdir()] == ["x.dot"]
    assert run_command("draw", "--demo", "--out", "x.txt") == 0


def test_an_engine_that_fails_is_one_line_of_the_command(folder, capsys, monkeypatch):
    put_first(monkeypatch, folder, BROKEN)
    monkeypatch.setattr("tinygrad_rnn.draw.render.find_spec", lambda name: None)
    assert run_command("draw", "--demo", "--out", "x.svg") == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "Error: the reason" in captured.err
