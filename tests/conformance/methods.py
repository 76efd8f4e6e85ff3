# SPDX-License-Identifier: Apache-2.0
"""Calls as TorchScript says them: spellings of a call, and scripted methods made of them."""
import re

import torch

import pack


class CannotSay(Exception):
    """No TorchScript for this call."""


class Spelling:
    """One call: `callee` with arguments, of which those that vary are parameters of the method."""

    def __init__(self, operator, callee, args, kwargs, literal=False):
        self.operator, self.callee, self.literal = operator, callee, literal
        self.args, self.kwargs = list(args), dict(kwargs)
        self.inputs, self.kinds = [], []
        given = [self.say(v) for v in args]
        named = [f"{k}={self.say(v)}" for k, v in kwargs.items()]
        if callee == "[]":
            expression = f"{given[0]}[{given[1]}]"
        elif callee.startswith("."):
            expression = f"{given[0]}{callee}({', '.join(given[1:] + named)})"
        else:
            expression = f"{callee}({', '.join(given + named)})"
        params = "".join(f", a{i}: {k}" for i, k in enumerate(self.kinds))
        self.source = f"(self{params}):\n    return {expression}\n"
        self.inputs = tuple(self.inputs)

    def parameter(self, kind, value):
        self.kinds.append(kind)
        self.inputs.append(value)
        return f"a{len(self.inputs) - 1}"

    def say(self, v):
        if isinstance(v, torch.Tensor):
            return self.parameter("Tensor", v)
        if isinstance(v, (torch.dtype, torch.memory_format, torch.layout)):
            return str(v)
        if v is None or isinstance(v, str):
            return repr(v)
        if isinstance(v, torch.device):
            return f"torch.device({str(v)!r})"
        if isinstance(v, (bool, int, float, complex)):
            if self.literal and isinstance(v, (bool, int)):
                return repr(v)
            return self.parameter(type(v).__name__, v)
        if v is Ellipsis:
            return "..."
        if isinstance(v, slice):
            return ":".join("" if x is None else self.say(x) for x in (v.start, v.stop) + ((v.step,) if v.step else ()))
        if isinstance(v, (list, tuple)):
            return self.sequence(v)
        raise CannotSay(type(v).__name__)

    def sequence(self, v):
        if self.callee == "[]" and isinstance(v, tuple):
            return ", ".join(map(self.say, v))
        kinds = {type(x) for x in v}
        if not self.literal:
            if kinds <= {int}:
                return self.parameter("List[int]", list(v))
            if kinds <= {float, int}:
                return self.parameter("List[float]", [float(x) for x in v])
            if kinds <= {bool}:
                return self.parameter("List[bool]", list(v))
            if all(isinstance(x, torch.Tensor) for x in v):
                return self.parameter("List[Tensor]", list(v))
            if all(x is None or isinstance(x, torch.Tensor) for x in v):
                return self.parameter("List[Optional[Tensor]]", list(v))
        said = ", ".join(map(self.say, v))
        return f"[{said}]" if isinstance(v, list) else f"({said}{',' if len(v) == 1 else ''})"

    def forms(self, schema, op, result):
        """The same call in place, and into tensors that are given."""
        if schema is None or not self.callee.startswith("torch.ops.aten."):
            return
        name = self.callee[len("torch.ops.aten."):]
        if not name.endswith("_") and self.args and isinstance(self.args[0], torch.Tensor):
            try:
                yield Spelling(name + "_", self.callee + "_", self.args, self.kwargs)
            except CannotSay:
                pass
        made = list(pack.tensors_of(result))
        if "out" in self.kwargs or not isinstance(result, (torch.Tensor, tuple)):
            return
        for s in torch._C._jit_get_schemas_for_operator("aten::" + name):
            outs = [a.name for a in s.arguments if a.is_out]
            if len(outs) == len(made) and made and len(s.arguments) - len(outs) == len(schema.arguments):
                given = {n: torch.zeros(t.size(), dtype=t.dtype) for n, t in zip(outs, made)}
                try:
                    yield Spelling(name + ".out", self.callee, self.args, {**self.kwargs, **given})
                except CannotSay:
                    pass
                return


def spellings(op, args, kwargs):
    """Ways to say a call of an OpInfo, the operator by its own name first."""
    if op.name == "__getitem__":
        yield Spelling("__getitem__", "[]", args, kwargs)
        return
    last = op.name.split(".")[-1]
    names = [op.aten_name or "", op.name.replace(".", "_"), last]
    if op.name.startswith("torch.ops.aten."):
        names.insert(0, op.name.split(".")[3])
    known = [n for n in dict.fromkeys(names) if n and torch._C._jit_get_schemas_for_operator("aten::" + n)]
    tries = [(n, f"torch.ops.aten.{n}") for n in known]
    tries.append((op.name, f"torch.{op.name}"))
    tries.append((last, f".{last}"))
    for operator, callee in tries:
        for literal in (False, True):
            try:
                yield Spelling(operator, callee, args, kwargs, literal)
            except CannotSay:
                pass


class Method:
    def __init__(self, name, source, scripted):
        self.name, self.source, self.scripted, self.used = name, source, scripted, False
        self.call = getattr(scripted, name)
        self.schema, self.overloads = None, set()
        nodes = list(scripted._c._get_method(name).graph.findAllNodes("prim::CallFunction"))
        graph = self.call.inlined_graph if nodes else self.call.graph
        for node in walk(graph):
            schema = node.schema()
            if schema == "(no schema)":
                continue
            self.overloads.add(schema.split("(")[0])
            self.schema = torch._C.parse_schema(schema)

    def returns(self, inputs):
        try:
            self.result(inputs)
            return True
        except Exception:  # noqa: BLE001
            return False

    def result(self, inputs):
        torch.manual_seed(0)
        with torch.no_grad():
            return self.call(*pack.compact(tuple(inputs)))


def walk(block):
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from walk(inner)


def overloads_of(archive):
    """The operators that an archive's methods call."""
    module = torch.jit.load(archive)
    names = set()
    for method in module._c._method_names():
        names |= {node.schema().split("(")[0] for node in walk(getattr(module, method).inlined_graph)}
    return names


def scripted(methods, name="Call"):
    """A module with methods of these names and sources, of a class of its own."""
    module = torch.jit.script(type(name, (torch.nn.Module,), {"__module__": "conformance"})())
    for name, source in methods:
        module.define(f"def {name}{source}")
    return module


class Methods:
    """The methods of one archive. Calls whose sources are equal share one."""

    def __init__(self):
        self.by_source, self.names = {}, {}

    def of(self, spelling):
        source = spelling.source
        if source not in self.by_source:
            name = f"c{len(self.by_source)}"
            try:
                self.by_source[source] = Method(name, source, scripted([(name, source)]))
            except Exception as e:  # noqa: BLE001: the compiler has many ways to refuse
                self.by_source[source] = CannotSay(str(e))
        found = self.by_source[source]
        if isinstance(found, CannotSay):
            raise found
        return found

    def used(self):
        return [m for m in self.by_source.values() if isinstance(m, Method) and m.used]

    def keep_used(self):
        self.names = {m.name: f"{re.sub('[^a-z0-9_]', '', call_name(m.source))}_{i}" for i, m in enumerate(self.used())}

    def final_name(self, name):
        return self.names[name]

    def module(self, name):
        return scripted([(self.names[m.name], m.source) for m in self.used()], name)

    def overloads(self):
        return set().union(*(m.overloads for m in self.used())) if self.used() else set()


def call_name(source):
    found = re.search(r"return (?:torch\.ops\.\w+\.|torch\.(?:\w+\.)*|a0\.)(\w+)\(", source)
    return found[1].lower() if found else "item"
