"""The graph that a program recorded, to look at: as data, as numbered equations, and as a figure."""

from ..errors import NoEngineError
from .figure import Graph, graph
from .picture import Edge, Vertex
from ..analysis.equations import text

__all__ = ["Edge", "Graph", "NoEngineError", "Vertex", "graph", "text"]
