"""The check of the built documentation finds each kind of fault, in a page that has it."""

import asyncio
import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

DOT = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='9' "
    "viewBox='0 0 200 9'>{1}</svg>"
)
INK = "<text y='8' font-size='{}'>abc</text>"
DARK = (
    "<style>@media (prefers-color-scheme: dark) "
    "{ body { background: #111; color: #ddd } a { color: #8bf } }</style>"
)
VIEWPORT = "<meta name='viewport' content='width=device-width, initial-scale=1'>"
WIDE = "<div style='width: 900px'>wide</div>"
HOME = "<p><a href='index.html'>home</a></p>"


def page(body, head=DARK, title="a page", home=HOME, view=VIEWPORT):
    """Return the text of a page."""
    head = f"<head><meta charset='utf-8'>{view}<title>{title}</title>{head}</head>"
    return f"<!doctype html><html>{head}<body>{home}{body}</body></html>"


def picture(width, ink, style=""):
    """Return a picture of some width, as a part of a page."""
    return f'<img src="{DOT.format(width, ink)}" style="{style}">'


BROKEN = {
    "console_error": (page("<script>console.error('oh')</script>"), "console: oh"),
    "console_warning": (page("<script>console.warn('hm')</script>"), "console: hm"),
    "exception": (page("<script>null.x</script>"), "error: "),
    "missing_file": (page("<script src='none.js'></script>"), "failed request: 404 for none.js"),
    "another_machine": (
        page("<script>fetch('https://example.org/a').catch(() => 0)</script>"),
        "a request that leaves the machine: https://ex",
    ),
    "unasked": (
        page("<style>@font-face { font-family: F; src: url(https://example.org/f.woff2) }</style>"),
        "needs another machine: https://ex",
    ),
    "built_here": (page(f"<pre>File {Path(__file__)}</pre>"), "says where it was built: "),
    "no_picture": (page("<img src='none.png'>"), "picture does not load: none.png"),
    "broken_svg": (page("<img src='broken.svg'>"), "picture does not load: broken.svg"),
    "squeezed": (
        page(picture(200, INK.format(11), "background: #fff; width: 60px")),
        "letters of 3.3 px in the picture",
    ),
    "dark_on_dark": (page(picture(200, INK.format(14))), "contrast of 1."),
    "sideways": (page(WIDE), "scrolls sideways, "),
    "cut_off": (page(f"<div style='overflow: hidden'>{WIDE}</div>"), "cut off at the right: div"),
    "small": (
        page("<p style='font-size: 9px'>small print</p>"),
        "letters of 9.0 px: “small print” in p",
    ),
    "zoomed_out": (page("<p>text</p>", view=""), "letters of "),
    "faint": (
        page("<p style='color: #999'>pale<style>body { background: #aaa !important }</style>"),
        "contrast of 1.",
    ),
    "faint_in_the_dark": (page("<pre style='color: #222'>code</pre>"), "contrast of 1."),
    "light_in_the_dark": (page("<p>text</p>", head=""), "no dark theme"),
    "no_such_page": (page("<a href='none.html'>to</a>"), "a link to nothing: none.html"),
    "no_such_anchor": (
        page("<a href='index.html#none'>to</a>"),
        "a link to nothing: index.html#none",
    ),
    "no_title": (page("<p>text</p>", title=""), "no title"),
    "no_way_back": (page("<p>text</p>", home=""), "no way back"),
    "hidden_way_back": (
        page("<p>text</p>", home=f"<div style='display: none'>{HOME}</div>"),
        "no way back",
    ),
}

FINE = page(
    "<h2 id='here'>text</h2><a href='#here'>there</a> "
    "<a href='https://example.org/'>elsewhere</a> <a href='index.html#top'>up</a>"
    f"<div style='overflow-x: auto'>{WIDE}<pre>{'code ' * 100}</pre>"
    f"{picture(900, INK.format(11), 'background: #fff')}</div>"
    "<div style='display: none; font-size: 2px'>hidden</div>"
)
OVERVIEW = page(
    "<a class='whole' href='index.html'>"
    f"{picture(200, INK.format(11), 'background: #fff; width: 20vw')}</a>"
)
"""A picture that is small on the phone, where a click enlarges it."""


def load_check():
    """Import docs/check.py, a script in a folder that is not a package."""
    specification = importlib.util.spec_from_file_location(
        "check", Path(__file__).parents[2] / "docs" / "check.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Return the lines that the check prints for a folder of all pages."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text(page("<p id='top'>first</p>"), encoding="utf-8")
    (folder / "fine.html").write_text(FINE, encoding="utf-8")
    (folder / "overview.html").write_text(OVERVIEW, encoding="utf-8")
    (folder / "broken.svg").write_text("<svg", encoding="utf-8")
    for name, (text, _) in BROKEN.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    check = load_check()
    faults, pages = asyncio.run(check.examine(folder))
    assert len(pages) == len(BROKEN) + 3
    return check.format_faults(faults)


@pytest.mark.parametrize("name", BROKEN)
def test_the_check_finds_a_fault(name, lines):
    found = [line for line in lines if line.startswith(f"{name}.html: {BROKEN[name][1]}")]
    assert found, "\n".join(line for line in lines if line.startswith(name))


def test_a_fault_of_some_views_names_these_views(lines):
    assert next(line for line in lines if "sideways.html: scrolls" in line).endswith(
        "[dark 390 px, light 390 px]"
    )
    assert "no_title.html: no title" in lines
    assert all(
        "[dark 1300 px, dark 390 px]" in line
        for line in lines
        if line.startswith(("faint_in", "light_in", "dark_on"))
    )


def test_a_fine_page_has_no_fault(lines):
    assert not [line for line in lines if line.startswith(("fine", "index", "overview"))]


def test_the_exit_code_says_whether_there_is_a_fault(tmp_path, capsys):
    check = load_check()
    (tmp_path / "index.html").write_text(page("<p>first</p>"), encoding="utf-8")
    assert check.main([str(tmp_path)]) == 0
    assert "1 pages in" in capsys.readouterr().out
    (tmp_path / "index.html").write_text(page(WIDE), encoding="utf-8")
    assert check.main([str(tmp_path)]) == 1
    assert "index.html: scrolls sideways" in capsys.readouterr().out
