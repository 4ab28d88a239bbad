"""Support for tests of drawings: read a picture in the DOT language and describe what it shows.

The description holds the nodes (their lines of text, their outline, the frames around them), the
edges (their direction, label, style and width), the title and the direction of the data. It leaves
out the order of statements, the ids of nodes, colours, fonts, and places.
"""

import html
import re
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

import tinygrad_rnn as tg

SHAPES = {
    "box": "box", "ellipse": "ellipse", "cds": "state", "invhouse": "state",
    "plaintext": "plain text",
}  # fmt: skip


def graph(output, **options):
    """Return a graph of every op, unless the options say otherwise."""
    return tg.graph(output, **({"fold": ()} | options))


def layer_loss(kind, steps, layers=1, *, bidirectional=False):
    """Return the named loss of a recurrent layer, over a sequence of ones."""
    layer = getattr(tg.nn, kind)(3, 2, layers, bidirectional=bidirectional, rng=0)
    output, _ = layer(tg.Tensor(np.ones((steps, 1, 3)), dtype="float32"))
    loss = (output * output).sum()
    loss.name = "loss"
    return loss


def end_of_value(dot, start):
    """Return the end of the value at `start`: a quoted text, balanced brackets, or a word."""
    if dot[start] == '"':
        return re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(dot, start).end()
    if dot[start] != "<":
        return re.compile(r"[^\s\]]*").match(dot, start).end()
    depth = 0
    for i in range(start, len(dot)):
        depth += {"<": 1, ">": -1}.get(dot[i], 0)
        if not depth:
            return i + 1
    raise ValueError("a bracket is not closed")


def attributes(text):
    """Return the attributes in `text` as a dict, without the quotes or brackets around values."""
    found, i = {}, 0
    while match := re.compile(r"\s*(\w+)=").match(text, i):
        i = end_of_value(text, match.end())
        value = text[match.end() : i]
        found[match[1]] = value[1:-1] if value[:1] in ('"', "<") else value
    return found


def lines_of(label):
    """Return the lines of text in a label, without markup."""
    rows = re.findall(r"<td>(.*?)</td>", label) or re.split(r"<br[^>]*/>", label)
    lines = [html.unescape(re.sub(r"<[^<>]*>", "", row)) for row in rows]
    return tuple(" ".join(line.split()) for line in lines if line.strip())


def boxes(drawn):
    """Return the lines of text in every box of a drawing, by the id of its node."""
    found = {}
    for line in drawn.dot().splitlines():
        if box := re.match(r"\s*(\w+) \[label=(?=<)", line):
            inner = line[box.end() + 1 : end_of_value(line, box.end()) - 1]
            rows = re.findall(r"<td>(.*?)</td>", inner) or [inner]
            found[box[1]] = [html.unescape(re.sub(r"<[^<>]*>", "", row)) for row in rows]
    return found


@dataclass
class DotPicture:
    """The content of a picture in the DOT language.

    Attributes
    ----------
    title : tuple of str
    direction : str
    nodes : dict
        For each id: the lines, the bold ones, the outline, the tooltip and the titles of the frames
        around the node.
    edges : list
        For each edge: the ids of its ends, and its label, style and width.
    frames : list of tuple of str
        The titles from the outermost frame to each frame.
    """

    title: tuple = ()
    direction: str = ""
    nodes: dict = field(default_factory=dict)
    edges: list = field(default_factory=list)
    frames: list = field(default_factory=list)


def read_dot(dot):
    """Return the `DotPicture` of a picture as `graphviz` writes it: one statement a line."""
    said, titles = DotPicture(), []
    for line in map(str.strip, dot.splitlines()[1:-1]):
        if line == "}":
            titles.pop()
        elif line.startswith("subgraph cluster"):
            titles.append("")
        elif titles and re.match(r"\w+=", line):
            titles[-1] = " ".join(lines_of(attributes(line)["label"]))
            said.frames.append(tuple(titles))
        elif line.startswith("graph ["):
            whole = attributes(line[len("graph [") :])
            said.title = lines_of(whole["label"])
            said.direction = whole["rankdir"]
        elif not line.startswith(("node [", "edge [")):
            read_statement(said, line, tuple(titles))
    return said


def read_statement(said, line, titles):
    """Add a node or an edge to `said`."""
    head, _, tail = line.partition(" [")
    about = attributes(tail)
    if " -> " in head:
        way = (" ".join(lines_of(about.get("label", ""))), about.get("style", ""))
        said.edges.append((*head.split(" -> "), (*way, about.get("penwidth", ""))))
    else:
        outline = (SHAPES[about["shape"]], about["style"], about.get("peripheries", "1"))
        bold = tuple(re.findall("<b>(.*?)</b>", about["label"]))
        said.nodes[head] = (lines_of(about["label"]), bold, outline, about["tooltip"], titles)


def describe_picture(dot):
    """Return a description of a picture; two pictures are equal if their descriptions are.

    Nodes with the same content are told apart by their neighbours (Weisfeiler-Leman refinement),
    because their ids mean nothing.
    """
    said = read_dot(dot)
    joined = [(a, b, ("edge", *way)) for a, b, way in said.edges]
    identity = {name: repr(node) for name, node in said.nodes.items()}
    for _ in said.nodes:
        around = {name: [] for name in identity}
        for a, b, way in joined:
            around[a].append(("to", way, identity[b]))
            around[b].append(("from", way, identity[a]))
        identity = {
            name: sha256(repr((identity[name], sorted(around[name]))).encode()).hexdigest()
            for name in identity
        }
    return {
        "title": said.title,
        "direction": said.direction,
        "frames": Counter(said.frames),
        "nodes": Counter(said.nodes.values()),
        "edges": Counter((said.nodes[a], said.nodes[b], way) for a, b, way in said.edges),
        "identities": Counter(identity.values()),
    }
