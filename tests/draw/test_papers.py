"""Pictures for papers and lectures: widths, titles, legends, fonts, TikZ, themes."""

import re
import shutil
import struct
import subprocess

import numpy as np
import pytest
from networks import NETWORKS

import tinygrad_rnn as tg
from tinygrad_rnn.draw import fit

WIDE = NETWORKS["two GRU layers"]


def size_of(svg):
    width, height = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    return float(width), float(height)


def letters(svg):
    """Return the size of the smallest letters on paper, in points."""
    width, _ = size_of(svg)
    drawn = float(re.search(r'viewBox="0.00 0.00 ([\d.]+)', svg)[1])
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    return min(sizes) * width / drawn


@pytest.mark.parametrize("width", ["column", "page", "slide", 300])
@pytest.mark.parametrize("kind", ["residual MLP", "two GRU layers", "tutorial", "plain loop"])
def test_a_width_is_kept_and_its_letters_can_be_read(kind, width):
    graph = tg.graph(NETWORKS[kind](4), width=width)
    svg = graph.svg()
    assert size_of(svg)[0] <= fit.WIDTHS.get(width, width) + 1
    assert letters(svg) >= fit.LETTERS - 0.2
    if len(graph.nodes) < 20:
        assert any(note.startswith("view: ") for note in graph.notes)


def test_the_default_can_be_read_and_shows_less_as_graphs_grow():
    shown = []
    for steps in (1, 3, 6, 40):
        graph = tg.graph(NETWORKS["two GRU layers"](steps))
        svg = graph.svg()
        assert size_of(svg)[0] <= fit.SCREEN * fit.SMALLEST / fit.LETTERS + 10
        shown.append(graph.notes[1] if len(graph.notes) > 1 else "")
    assert len(set(shown)) > 1
    assert (
        tg.graph(NETWORKS["RNN"](1), fold=()).notes == tg.graph(NETWORKS["RNN"](1), fold=()).notes
    )


def test_options_that_are_given_are_kept():
    loss = WIDE(6)
    assert len(tg.graph(loss, fold=()).nodes) > len(tg.graph(loss).nodes)
    assert [note for note in tg.graph(loss, fold=()).notes if "view" in note] == []
    assert {v.kind for v in tg.graph(loss, parameters="once").nodes} >= {"parameter"}


def test_words_fold_gates_steps_and_modules():
    loss = WIDE(3)
    drawn = tg.graph(loss, fold="gate").nodes
    gates = {v.name: v.text for v in drawn if v.kind in ("op", "fold")}
    assert gates["z₁"] == "σ(h₀ @ U_zᵀ + x_z[1])"
    assert gates["h₁"] == "n₁ + z₁ ⊙ (h₀ − n₁)"
    cells = [v for v in tg.graph(loss, fold="step").nodes if v.kind == "fold"]
    assert [(v.name, v.text) for v in cells] == [(f"h{'₀₁₂'[t]}", "GRU") for t in range(3)] * 2
    modules = [v.name for v in tg.graph(loss, fold="module").nodes if v.kind == "fold"]
    assert modules[:2] == ["gru", "linear"]


def test_a_scope_of_the_name_of_a_word_goes_before():
    w = tg.Tensor([1.0], requires_grad=True, name="w")
    with tg.scope("step"):
        y = tg.tanh(w * 2)
    assert [v.name for v in tg.graph(y.sum(), fold="step").nodes if v.kind == "fold"] == ["step"]


def test_equal_blocks_are_one_box():
    loss = NETWORKS["residual MLP"](12)
    for graph in (tg.graph(loss), tg.graph(loss, fold="blocks")):
        (box,) = [v for v in graph.nodes if v.kind == "fold"]
        assert (box.name, box.text) == ("block 0 … block 11", "×12, 36 ops")


def test_the_items_of_a_list_of_modules_have_its_name():
    class Net(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = tg.nn.ModuleList([tg.nn.Linear(3, 3, rng=k) for k in range(2)])

        def forward(self, x):
            for layer in self.layers:
                x = tg.tanh(layer(x))
            return x

    graph = tg.graph(Net()(np.ones((1, 3), np.float32)).sum(), fold=())
    assert {str(v.scope[-1]) for v in graph.nodes if len(v.scope) > 1} == {"layers.0", "layers.1"}
    names = {v.name for v in graph.nodes if v.kind == "parameter"}
    assert names == {"layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"}


def test_title_notes_legend_and_fonts():
    loss = WIDE(2)
    plain = tg.graph(loss, fold="step").svg()
    assert "forward only" in plain
    bare = tg.graph(loss, fold="step", note=False).svg()
    assert "forward only" not in bare
    assert size_of(bare)[1] < size_of(plain)[1]
    said = tg.graph(
        loss, fold="step", title="A & B", legend=True, font="Courier", font_size=20
    ).svg()
    assert "A &amp; B" in said
    assert "a parameter" in said
    assert 'font-family="Courier' in said
    assert 'font-size="20.00"' in said
    assert size_of(said)[0] > size_of(plain)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": "poster"}, "argument width: expected 'column', 'page' or 'slide'"),
        ({"width": 5}, "argument width: expected column, page, slide or a number of points"),
        ({"font_size": 0}, "argument font_size: expected a number of points from 4 to 72, got 0"),
        ({"font_size": True}, "argument font_size"),
        ({"title": 3}, "argument title: expected a str"),
        ({"note": 1}, "argument note"),
        ({"legend": "yes"}, "argument legend"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises((TypeError, ValueError), match=f"^graph: {message}"):
        tg.graph(WIDE(1), **options)


def test_a_png_has_the_dots_per_inch_that_are_asked_for(tmp_path):
    graph = tg.graph(WIDE(2))
    sizes = []
    for dpi in (100, 200):
        file = graph.save(tmp_path / f"{dpi}.png", dpi=dpi)
        sizes.append(struct.unpack(">II", file.read_bytes()[16:24])[0])
    assert sizes[1] / sizes[0] == pytest.approx(2, rel=0.01)
    with pytest.raises(ValueError, match=r"^graph.save: argument dpi"):
        graph.save(tmp_path / "x.png", dpi=0)


def test_one_svg_is_light_and_dark():
    light, auto = (tg.graph(WIDE(2), theme=theme).svg() for theme in ("light", "auto"))
    style = re.search(r"<style>.*?</style>", auto)[0]
    assert auto.replace(style, "") == light
    assert "prefers-color-scheme:dark" in style
    colours = set(re.findall(r"(?:fill|stroke)=\"(#[0-9a-f]{6})\"", light))
    assert colours
    assert all(f'="{colour}"' in style for colour in colours)


def test_print_has_no_colour():
    svg = tg.graph(WIDE(2), theme="print", show="shape,grad").svg()
    for colour in set(re.findall(r"#([0-9a-f]{6})", svg)):
        assert len({colour[:2], colour[2:4], colour[4:]}) == 1


# -- TikZ -----------------------------------------------------------------------------------------

NASTY = ["50%", "a_b", "x&y", "#1", "{", "}", "^", "~", "$", "\\", "ŷ", "α", "中", "weight_ih_l0"]


def nasty_names():
    w = tg.Tensor([1.0], requires_grad=True, name="w")
    total = w
    for name in NASTY:
        x = tg.Tensor([2.0], name=name)
        total = total + w * x
        total.name = name
    return total.sum()


PICTURES = {
    **{kind: lambda kind=kind: tg.graph(NETWORKS[kind](3)) for kind in NETWORKS},
    "numbers": lambda: tg.graph(NETWORKS["own cell"](3), show="shape,value,grad", fold=()),
    "rolled": lambda: tg.graph(WIDE(3), roll=True, theme="print"),
    "to the right": lambda: tg.graph(WIDE(3), fold="step", direction="right"),
    "omitted steps": lambda: tg.graph(WIDE(9), steps="first:2,last:1", width="slide"),
    "names": lambda: tg.graph(nasty_names(), fold=()),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_tikz_is_well_formed(picture):
    graph = picture()
    tikz = graph.tikz()
    assert tikz.isascii()
    bare = re.sub(r"\\[{}%&#_$]", "", tikz)
    depth = 0
    for line in bare.splitlines()[1:]:
        depth += line.count("{") - line.count("}")
        assert depth == 0, line
        assert line.count("$") % 2 == 0, line
        assert not re.search(r"[%&#~^](?![{\\])", line.replace("~~", "").replace("~", "")), line
    assert tikz.count(r"\draw[") >= len(graph.edges) + len(graph.nodes) // 2
    assert tikz.count("-{Latex[") == len(graph.edges)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="compiles with TeX if there is one")
def test_tikz_and_equations_compile(tmp_path):
    parts = []
    for number, picture in enumerate(PICTURES.values()):
        picture().save(tmp_path / f"picture{number}.tex")
        parts.append(rf"\input{{picture{number}.tex}}\newpage")
    parts.append(rf"\[{tg.graph(nasty_names(), fold=()).text(form='latex')}\]")
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{amsmath,tikz}\usetikzlibrary{arrows.meta}"
        r"\usepackage[paperwidth=160in,paperheight=160in]{geometry}\begin{document}"
        + "\n".join(parts)
        + r"\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace",
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if line.startswith("!")]
    assert not errors or "tikz.sty" in errors[0], errors


# -- several outputs ------------------------------------------------------------------------------


def test_several_outputs_are_in_one_picture():
    w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    loss, penalty = tg.tanh(w).sum(), (w * w).sum()
    loss.name, penalty.name = "loss", "penalty"
    graph = tg.graph((loss, penalty))
    names = [v.name for v in graph.nodes]
    assert names.count("w") == 1
    assert {"loss", "penalty"} <= set(names)
    assert graph.status == "forward only"
    text = graph.text()
    assert "loss" in text
    assert "penalty" in text
    penalty.backward()
    assert graph.status == "backward done"


def test_several_outputs_without_a_graph_are_named():
    with pytest.raises(TypeError, match=r"^graph: argument output: expected a Tensor that was"):
        tg.graph([tg.Tensor([1.0])])


def test_data_has_the_numbers_that_are_shown():
    w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    loss = (w * w).sum()
    graph = tg.graph(loss, show="value,grad")
    first = graph.data()["nodes"][0]
    assert first["value"] == [0.5, 1.0]
    assert first["grad"] is None
    loss.backward()
    assert graph.data()["nodes"][0]["grad"] == [1.0, 2.0]
    assert "value" not in tg.graph(loss).data()["nodes"][0]
    assert np.shape(first["value"]) == (2,)
