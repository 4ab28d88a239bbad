"""The graph that a program recorded: as data, as numbered equations and as a figure."""

from ..analysis.equations import format_graph as text
from ..errors import NoEngineError
from .figure import Graph, graph
from .picture import Edge, Vertex

__all__ = ["Edge", "Graph", "NoEngineError", "Vertex", "graph", "text"]


def __dir__() -> list[str]:
    return __all__
