"""A graph in the DOT language, which Graphviz and many other programs draw."""

from __future__ import annotations

from ..graph import Scope, Value
from .labels import constant, label_all, node_of, place, recorded, settings, symbol


def dot(output: Value) -> str:
    """The graph of `output` in the DOT language: results as ellipses, parameters as boxes, a frame around each time step.

    Parameters
    ----------
    output : Tensor
        The result of a computation, such as a loss.

    Returns
    -------
    str
        The same for every run of the same program. Names are generated, so that labels may hold any text.

    Raises
    ------
    TypeError
        If `output` has no graph.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import draw
    >>> w = tg.Tensor([0.5, 1.0], requires_grad=True, name="w")
    >>> print(draw.dot(tg.tanh(w)).expandtabs(4), end="")
    digraph {
        graph [rankdir=BT]
        node [fontname="Helvetica,Arial,sans-serif" fontsize=11]
        leaf1 [label="w\\n(2,)" shape=box]
        op1 [label="tanh\\n(2,)"]
        leaf1 -> op1
    }
    """
    import graphviz

    values = recorded("draw.dot", output)
    labels = label_all(values)
    graph = graphviz.Digraph(graph_attr={"rankdir": "BT"}, node_attr={"fontname": "Helvetica,Arial,sans-serif", "fontsize": "11"})

    def label(*lines: str) -> str:
        # Text that begins with < and ends with > would be HTML, \N an escape and &lt; an entity: none of them is meant here.
        return graphviz.nohtml(r"\n".join(graphviz.escape(line.replace("&", "&amp;")) for line in lines))

    ids: dict[Value, str] = {}
    frames: dict[Scope, list[Value]] = {}
    edges: list[tuple[str, str]] = []
    leaves = 0
    for number, value in enumerate(values, 1):
        node = node_of(value)
        target = ids[value] = f"op{number}"
        frames.setdefault(_frame(node.scope), []).append(value)
        for x in node.inputs:
            if not isinstance(x, Value) or x not in ids:  # a leaf seen for the first time, or a plain constant
                leaves += 1
                source = f"leaf{leaves}"
                if isinstance(x, Value):
                    ids[x] = source
                if isinstance(x, Value) and (x.name or x.tracked):
                    text = label(labels[x], str(x.array.shape))
                else:
                    text = label(labels[x] if isinstance(x, Value) else constant(x))
                graph.node(source, text, shape="box" if isinstance(x, Value) and x.tracked else "plaintext")
            else:
                source = ids[x]
            edges.append((source, target))
    for number, (frame, members) in enumerate(frames.items(), 1):
        part = graphviz.Digraph(name=f"cluster{number}") if frame else graph
        if frame:
            part.attr(label=label(place(frame)), style="rounded")
        for value in members:
            node = node_of(value)
            name = [labels[value]] if value.name else []
            how = [symbol(node), *(f"{key}={setting}" for key, setting in settings(node).items())]
            part.node(ids[value], label(*name, " ".join(how), str(value.array.shape)))
        if frame:
            graph.subgraph(part)
    for source, target in edges:
        graph.edge(source, target)
    return graph.source


def _frame(scope: Scope) -> Scope:
    """The part of a scope that ends with its last time step; empty outside of time."""
    last = max((i for i, part in enumerate(scope) if isinstance(part, int)), default=-1)
    return scope[: last + 1]
