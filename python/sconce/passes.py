# SPDX-License-Identifier: Apache-2.0
"""Passes on graphs.

    sconce.passes.run(m, "default")          # a module of its own, its methods put through the pipeline
    sconce.passes.run(m.graph, "inline,dce") # a graph
    sconce.passes.all()                      # what there is
"""
from typing import Dict, List, NamedTuple, Tuple, Union

from . import _sconce


class Value(NamedTuple):
    name: str
    type: str


class Node(NamedTuple):
    kind: str
    inputs: List[Value]
    outputs: List[Value]
    attributes: Dict[str, str]
    blocks: List[List["Node"]]


class Pass(NamedTuple):
    name: str
    summary: str
    parameters: Tuple[str, ...]
    portable: bool  # what it leaves is TorchScript that PyTorch runs too


class Graph:
    """A graph: its text as PyTorch prints it, and its nodes."""

    def __init__(self, text):
        self._text = str(text)
        self._parts = None

    def __str__(self):
        return self._text

    def __repr__(self):
        return self._text

    def __eq__(self, other):
        return isinstance(other, Graph) and self._text == other._text

    def __hash__(self):
        return hash(self._text)

    def _read(self):
        if self._parts is None:
            inputs, nodes, outputs = _sconce._graph_parts(self._text)
            self._parts = [Value(*v) for v in inputs], [_node(n) for n in nodes], [Value(*v) for v in outputs]
        return self._parts

    @property
    def inputs(self):
        return self._read()[0]

    @property
    def outputs(self):
        return self._read()[2]

    def nodes(self):
        """The nodes of the top block."""
        return self._read()[1]

    def all_nodes(self):
        """Those of inner blocks too, in the order of the text."""
        def walk(nodes):
            for n in nodes:
                yield n
                for block in n.blocks:
                    yield from walk(block)
        return walk(self.nodes())

    def count(self, kind):
        """How many nodes are of a kind ("aten::relu")."""
        return sum(n.kind == kind for n in self.all_nodes())


def _node(n):
    kind, inputs, outputs, attributes, blocks = n
    return Node(kind, [Value(*v) for v in inputs], [Value(*v) for v in outputs], attributes,
                [[_node(x) for x in block] for block in blocks])


def all():
    """The passes that there are."""
    return [Pass(name, summary, tuple(parameters.split()), portable)
            for name, summary, parameters, portable in _sconce._passes()]


def run(what: Union["_sconce.Module", Graph, str], passes: str = "default"):
    """Of a module: a module of its own whose methods were put through the pipeline. Of a graph or its text: a Graph."""
    if isinstance(what, _sconce.Module):
        return what.optimize(passes)
    return Graph(_sconce._run_passes(str(what), passes))
