"""Check the built documentation in headless Chromium: every page, light and dark, wide and narrow.

Run it as ``python docs/check.py FOLDER`` with the extra ``site``. Chromium must be on the path. The
folder is served on 127.0.0.1 to a browser that can reach nothing else. Each fault is printed on a
line, and the exit code is 1 if there is one. These are faults:

- an error or a warning in the console
- a request that fails, or that would leave the machine
- a picture that does not load, or that has no contrast to its background
- a page that scrolls sideways, or cuts something off
- letters that are too small on the phone, or too faint
- a link to a page or an anchor that does not exist
- a page without a title or without a link to the first page
- a path of the machine that built the page
"""

import argparse
import asyncio
import re
import shutil
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag

SMALLEST = 11
"""The size in pixels below which letters on the phone are too small."""
FAINTEST = 3
"""The contrast ratio of WCAG below which letters are too faint; 1 is none, 21 is black on white."""
DESK, PHONE = 1300, 390
TABS = 2
"""Pages open at once, at each width."""
MEASURE = Path(__file__).with_name("check.js")
HERE = (f"{Path(__file__).parents[1]}/", f"{sys.prefix}/")
"""Paths of this machine, which no page should contain."""
ASKS = r"""url\(\s*["']?|@import\s+["']|<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']"""
ELSEWHERE = re.compile(rf"""(?:{ASKS})((?:https?:)?//[^"')\s]+)""")
"""An address of a style, a script or a picture on another machine, even if it is not used yet."""

Faults = dict[tuple[str, str], set[str]]
"""The views in which a page has a fault, by page and fault."""


class Quiet(SimpleHTTPRequestHandler):
    """A server of a folder that logs nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        """Log nothing."""

    def do_GET(self):
        """Send a file, or an empty answer for the icon that browsers always request."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()


@contextmanager
def serve(folder: Path):
    """Serve the folder while the block runs; the block gets the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def browser() -> str:
    """Return the path of Chromium."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if not found:
        raise SystemExit(
            "docs/check.py: no Chromium on the path; on Debian: apt-get install chromium"
        )
    return found


def read(folder: Path, faults: Faults) -> None:
    """Find addresses of other machines and paths of this one in the text of the files.

    A picture that is opened by itself may request more than one inside a page.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".css", ".svg"):
            name, text = path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
            for address in ELSEWHERE.findall(text):
                faults[name, f"needs another machine: {address}"].add("")
            for place in HERE:
                if place in text:
                    faults[name, f"says where it was built: {place}"].add("")


async def look(
    context,
    home: str,
    pages: list[str],
    width: int,
    themes: tuple[str, str],
    faults: Faults,
    found: dict,
) -> None:
    """Open one page after the other in a tab.

    The second theme is reached from the first, as when a reader switches the theme.
    """
    tab = await context.new_page()
    script = MEASURE.read_text(encoding="utf-8")
    page, view = "", ""

    def fault(what: str) -> None:
        faults[page, what].add(view)

    def asked(request) -> None:
        if not request.url.startswith((home, "data:", "blob:")):
            fault(f"a request that leaves the machine: {request.url}")

    def said(message) -> None:
        if message.type in ("error", "warning"):
            fault(f"console: {message.text}")

    def answered(response) -> None:
        if response.status >= 400:
            fault(f"failed request: {response.status} for {response.url.removeprefix(home)}")

    tab.on("request", asked)
    tab.on("console", said)
    tab.on("pageerror", lambda error: fault(f"error: {error}"))
    tab.on(
        "requestfailed",
        lambda request: fault(
            f"failed request: {request.failure} for {request.url.removeprefix(home)}"
        ),
    )
    tab.on("response", answered)
    while pages:
        page = pages.pop()
        for theme in themes:
            view = f"{theme} {width} px"
            await tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
            if theme == themes[0]:
                await tab.goto(home + page, wait_until="load")
            seen = await tab.evaluate(
                script,
                {
                    "width": width,
                    "phone": width == PHONE,
                    "smallest": SMALLEST,
                    "faintest": FAINTEST,
                },
            )
            for each in seen["faults"]:
                fault(each)
            if not seen["title"]:
                fault("no title")
            back = {urldefrag(each["to"])[0] for each in seen["links"] if each["visible"]}
            if page != "index.html" and f"{home}index.html" not in back:
                fault("no way back: no link to index.html that can be seen")
        found[page] = seen
    await tab.close()


async def examine(folder: Path) -> tuple[Faults, list[str]]:
    """Return the faults of the pages of a folder, and the pages."""
    from playwright.async_api import async_playwright

    faults, found = defaultdict(set), {}
    pages = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.html")
        if "_static" not in path.parts
    )
    with serve(folder) as home:
        async with async_playwright() as playwright:
            options = [
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ]
            chromium = await playwright.chromium.launch(executable_path=browser(), args=options)
            tabs = []
            for width, height, themes in (
                (DESK, 900, ("light", "dark")),
                (PHONE, 844, ("dark", "light")),
            ):
                context = await chromium.new_context(
                    viewport={"width": width, "height": height}, is_mobile=width == PHONE
                )
                left = pages[::-1]
                tabs += [
                    look(context, home, left, width, themes, faults, found) for _ in range(TABS)
                ]
            await asyncio.gather(*tabs)
            await chromium.close()
    ids = {home + page: set(seen["ids"]) for page, seen in found.items()}
    for page, seen in found.items():
        for to in {each["to"] for each in seen["links"]}:
            address, anchor = urldefrag(to)
            if not address.startswith(home):
                continue
            path = unquote(address.removeprefix(home).partition("?")[0])
            target = folder / path
            if not (target.is_file() or (target / "index.html").is_file()):
                faults[page, f"a link to nothing: {path}"].add("")
            elif anchor and address in ids and unquote(anchor) not in ids[address]:
                faults[page, f"a link to nothing: {path}#{unquote(anchor)}"].add("")
    read(folder, faults)
    return faults, pages


def format_faults(faults: Faults) -> list[str]:
    """Return a line for each fault, with the views that have it, unless all have it."""
    views = 4
    return [
        f"{page}: {what}"
        + (f"  [{', '.join(sorted(where))}]" if 0 < len(where - {""}) < views else "")
        for (page, what), where in sorted(faults.items())
    ]


def main(arguments: list[str] | None = None) -> int:
    """Check the folder that the command line names."""
    parser = argparse.ArgumentParser(
        description="Check the built documentation in headless Chromium."
    )
    parser.add_argument("folder", type=Path, help="the folder that sphinx built")
    folder = parser.parse_args(arguments).folder.resolve()
    if not (folder / "index.html").is_file():
        parser.error(f"no index.html in {folder}")
    start = time.monotonic()
    faults, pages = asyncio.run(examine(folder))
    lines = format_faults(faults)
    print(
        "\n".join(
            [*lines, f"{len(pages)} pages in {time.monotonic() - start:.0f} s, {len(lines)} faults"]
        )
    )
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
