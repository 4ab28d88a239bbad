"""Views of a picture in which parameters are copied to their uses, or hidden."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from ..graph import Value
from .picture import Picture, Vertex

REARRANGING_OPS = {
    "add", "concatenate", "expand_dims", "getitem", "reshape", "squeeze", "transpose"
}  # fmt: skip
"""Ops that only move or add entries. `find_parameters` may count them as parameters."""


def find_parameters(picture: Picture) -> set[str]:
    """Return the ids of parameters, and of ops that count as parameters.

    An op counts as a parameter if it belongs to a module, or to a time step, and only rearranges,
    adds or masks parameters. For example, it takes the rows of one gate from a weight
    matrix. An op with data as an input does not count, even if the data are only an index, as in an
    embedding.
    """
    sources: dict[str, list[str]] = {}
    for edge in picture.edges:
        if picture.vertices[edge.source].kind != "constant":
            sources.setdefault(edge.target, []).append(edge.source)
    used = {edge.source for edge in picture.edges}
    parameters: set[str] = set()
    for name, vertex in picture.vertices.items():
        is_op_of_module = vertex.kind == "op" and any(part.kind != "terms" for part in vertex.scope)
        is_of_parameters = name in sources and parameters.issuperset(sources[name])
        if vertex.kind == "parameter" or (
            is_op_of_module
            and is_of_parameters
            and name in used
            and _only_rearranges(vertex.values[0])
        ):
            parameters.add(name)
    return parameters


def _only_rearranges(value: Value) -> bool:
    """Return whether the op that made `value` only moves, adds or masks entries, without data."""
    node = value.node
    settings = [
        x
        for setting in node.params.values()
        for x in (setting if isinstance(setting, tuple) else (setting,))
    ]
    data = [
        array
        for x, array in zip(node.inputs, node.arrays, strict=True)
        if not isinstance(x, Value) and np.ndim(array)
    ]
    if node.op.name == "multiply":
        return bool(data) and all(
            array.shape == value.array.shape and np.isin(array, (0, 1)).all() for array in data
        )
    return node.op.name in REARRANGING_OPS and not data and not any(map(np.ndim, settings))


def hide_parameters(picture: Picture) -> Picture:
    """Return `picture` without parameters and the ops that count as parameters."""
    return _keep_vertices(picture, picture.vertices.keys() - find_parameters(picture))


def copy_parameters(picture: Picture) -> Picture:
    """Return `picture` with a copy of each parameter at each use, so edges stay short."""
    parameters = find_parameters(picture)
    kept = _keep_vertices(picture, picture.vertices.keys() - parameters)
    chips: dict[str, Vertex] = {}
    edges = list(kept.edges)
    copies: Counter[str] = Counter()
    for edge in picture.edges:
        user = kept.vertices.get(edge.target)
        if edge.source in parameters and user is not None and user.kind != "steps":
            copies[edge.source] += 1
            chip = f"{edge.source}_use{copies[edge.source]}"
            original = picture.vertices[edge.source]
            chips[chip] = replace(original, id=chip, kind="parameter", ops=0, scope=user.scope)
            edges.append(replace(edge, source=chip))
    return Picture({**chips, **kept.vertices}, edges, list(picture.notes))


def _keep_vertices(picture: Picture, names: set[str]) -> Picture:
    """Return the vertices `names` and the edges between them, without unused leaves."""
    edges = [edge for edge in picture.edges if edge.source in names and edge.target in names]
    used = {end for edge in edges for end in (edge.source, edge.target)}
    vertices = {
        name: vertex
        for name, vertex in picture.vertices.items()
        if name in names and (vertex.kind in ("op", "fold") or name in used)
    }
    return Picture(vertices, edges, list(picture.notes))
