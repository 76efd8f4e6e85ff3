#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the operators of sconce/torch.h from the operator table's schemas: include/sconce/torch/methods.inc (declarations
inside of at::Tensor) and include/sconce/torch/functions.inc (their bodies, and the functions of namespace at).

Usage: make_torch_header.py NATIVE_FUNCTIONS.YAML
Of PyTorch's native_functions.yaml (in its package torchgen) only two things are taken: which operators are methods,
functions or both, and which are bound by hand. Types and defaults are those of src/ops/schemas.inc.
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TYPES = {
    "Tensor": "const Tensor&", "Tensor?": "const std::optional<Tensor>&", "Tensor[]": "TensorList",
    "Tensor?[]": "const c10::List<std::optional<Tensor>>&", "Scalar": "const Scalar&",
    "Scalar?": "const std::optional<Scalar>&", "Scalar[]": "ArrayRef<Scalar>", "int": "int64_t",
    "int?": "std::optional<int64_t>", "int[]": "IntArrayRef", "int[]?": "OptionalIntArrayRef", "float": "double",
    "float?": "std::optional<double>", "float[]": "ArrayRef<double>", "float[]?": "std::optional<ArrayRef<double>>",
    "bool": "bool", "bool?": "std::optional<bool>", "str": "c10::string_view", "str?": "std::optional<c10::string_view>",
    "ScalarType": "ScalarType", "ScalarType?": "std::optional<ScalarType>", "Layout": "Layout",
    "Layout?": "std::optional<Layout>", "Device": "Device", "Device?": "std::optional<Device>",
    "MemoryFormat": "MemoryFormat", "MemoryFormat?": "std::optional<MemoryFormat>", "Generator?": "std::optional<Generator>",
}
RETURNS = {"Tensor": ("Tensor", "tensor"), "Tensor[]": ("std::vector<Tensor>", "tensors"), "bool": ("bool", "boolean"),
           "int": ("int64_t", "integer"), "float": ("double", "real"), "Scalar": ("Scalar", "number"),
           "ScalarType": ("ScalarType", "dtype")}
OPTIONS = [("dtype", "ScalarType"), ("layout", "Layout"), ("device", "Device"), ("pin_memory", "bool")]
# Underscored operators that programs call; the others are PyTorch's own.
INTERNAL = {"_softmax", "_log_softmax", "_empty_affine_quantized", "_shape_as_tensor", "_cast_Float", "_unique2", "_unique",
            "_weight_norm", "_pack_padded_sequence", "_pad_packed_sequence", "_euclidean_dist", "_cdist_forward", "_pdist_forward"}


class Skip(Exception):
    pass


def split(text):
    parts, depth, item, quote = [], 0, "", False
    for c in text:
        if c == '"' or c == "'":
            quote = not quote
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0 and not quote:
            parts.append(item.strip())
            item = ""
        else:
            item += c
    if item.strip():
        parts.append(item.strip())
    return parts


class Argument:
    def __init__(self, text, keyword):
        m = re.match(r"(\w+)(\([^)]*\))?(\[\d*\])?(\?)?(\[\d*\])?(\?)?\s+(\w+)(?:=(.*))?$", text)
        if not m:
            raise Skip(text)
        base, alias, list1, opt1, list2, opt2, self.name, self.default = m.groups()
        base = {"SymInt": "int"}.get(base, base)
        self.list = list1 or list2
        if list2 and opt1:
            self.type = f"{base}?[]" + ("?" if opt2 else "")
        else:
            self.type = base + ("[]" if self.list else "") + ("?" if opt1 or opt2 else "")
        self.written = bool(alias and "!" in alias)
        self.keyword = keyword
        if self.name in ("default", "new", "delete", "this", "operator"):
            self.name += "_"

    def cpp_type(self):
        if self.type == "Tensor" and self.written:
            return "Tensor&"
        if self.type == "bool[]":
            n = self.list.strip("[]")
            if not n:
                raise Skip("bool[]")
            return f"std::array<bool, {n}>"
        if self.type not in TYPES:
            raise Skip(self.type)
        return TYPES[self.type]

    def cpp_default(self):
        d = self.default
        if d is None:
            return ""
        if d == "None":
            d = "{}" if self.type == "Tensor?" else "std::nullopt"
        elif d in ("True", "False"):
            d = d.lower()
        elif d.startswith("["):
            d = "{" + d[1:-1] + "}"
            if self.type == "bool[]":
                d = "{{" + d[1:-1].lower() + "}}"
        elif self.type.startswith("MemoryFormat"):
            d = f"static_cast<MemoryFormat>({d})"
        elif self.type.startswith("ScalarType"):
            d = f"static_cast<ScalarType>({d})"
        elif self.type.startswith("Layout"):
            d = f"static_cast<Layout>({d})"
        elif self.type.startswith("str"):
            d = '"' + d.strip("'\"\\") + '"'
        elif d == "inf":
            d = "std::numeric_limits<double>::infinity()"
        return " = " + d


def parse(schema):
    """(full name, arguments, returned types)"""
    full, rest = schema.split("(", 1)
    args, returns = rest.rsplit(") -> ", 1) if ") -> (" not in rest else rest.split(") -> (", 1)
    keyword, arguments = False, []
    for part in split(args):
        if part == "*":
            keyword = True
        else:
            arguments.append(Argument(part, keyword))
    if ") -> (" in rest:
        returns = split(returns.rstrip(")") if returns.count(")") > returns.count("(") else returns)
    else:
        returns = [returns]
    types = []
    for r in returns:
        if not r:
            continue
        r = re.sub(r"\((\w!|\w|\w\|\w!?)\)", "", r)
        r = re.sub(r"\s+\w+$", "", r)
        types.append(r.replace("SymInt", "int"))
    return full, arguments, types


def bundle(arguments):
    """Index of the first of the four arguments that are a TensorOptions, or -1."""
    for i in range(len(arguments) - 3):
        if [(a.name, a.type.rstrip("?")) for a in arguments[i : i + 4]] == OPTIONS:
            return i
    return -1


class Form:
    """One C++ function or method."""

    def __init__(self, full, arguments, returns, method, no_default):
        self.full, self.method = full, method
        for a in arguments:
            if a.name in no_default:
                a.default = None
        base = full.split("::")[1].split(".")[0]
        written = [a for a in arguments if a.written]
        self.out = bool(written) and all(a.keyword for a in written)
        self.in_place = bool(written) and not self.out
        if any(a.type == "Tensor[]" and a.written for a in arguments):
            raise Skip("written list")
        self.name = base + "_out" if self.out and not base.endswith("_out") else base
        params, types, call = [], [], []
        at = bundle(arguments)
        self.options = at >= 0
        has_format = any(a.name == "memory_format" for a in arguments)
        ordered = [a for a in arguments if a.written] + [a for a in arguments if not a.written] if self.out else arguments
        for a in ordered:
            i = arguments.index(a)
            if at >= 0 and at <= i < at + 4:
                if i == at:
                    defaults = [x.default for x in arguments[at : at + 4]]
                    default = ""
                    if defaults[0] in ("None", "4") and defaults[1:] == ["None"] * 3:
                        default = " = {}" if defaults[0] == "None" else " = c10::kLong"
                    params.append("TensorOptions options" + default)
                    types.append("TensorOptions")
                continue
            if method and a.name == "self":
                a.cpp_type()
                continue
            t = a.cpp_type()
            params.append(t + ("" if t.endswith("&") else "") + " " + a.name + a.cpp_default())
            types.append(t)
        for i, a in enumerate(arguments):
            if at >= 0 and at <= i < at + 4:
                if i == at:
                    call += ["options.dtype_opt()", "options.layout_opt()", "options.device_opt()",
                             "options.pinned_memory_opt()"]
            elif method and a.name == "self":
                call.append("*this")
            elif at >= 0 and a.name == "memory_format" and has_format:
                call.append("detail::merged_format(options, memory_format)")
            else:
                call.append(a.name)
        last = max([i for i, p in enumerate(params) if " = " not in p], default=-1)
        params[: max(last, 0)] = [re.sub(r" = .*", "", p) for p in params[: max(last, 0)]]
        self.types = types
        self.params = params
        arguments_text = "{" + ", ".join(call) + "}"
        target = f'"{full}"'
        if self.out or self.in_place:
            named = [a.name if not (method and a.name == "self") else "const_cast<Tensor&>(*this)" for a in written]
            if not returns:
                self.result, self.body = "void", f"detail::nothing({target}, {arguments_text});"
            elif self.in_place and returns != ["Tensor"] * len(written):
                self.result, self.body = self.plain(returns, target, arguments_text)
            elif len(returns) == 1:
                self.result = "Tensor&"
                self.body = f"detail::nothing({target}, {arguments_text}); return {named[0]};"
            else:
                self.result = "std::tuple<" + ", ".join(["Tensor&"] * len(written)) + ">"
                self.body = f"detail::nothing({target}, {arguments_text}, {len(written)}); return {self.result}({', '.join(named)});"
        else:
            self.result, self.body = self.plain(returns, target, arguments_text)
            if self.options:
                self.body = self.body.replace("return ", "return detail::with_options(").replace("});", "}), options);")

    def plain(self, returns, target, arguments):
        if not returns:
            return "void", f"detail::nothing({target}, {arguments});"
        for r in returns:
            if r not in RETURNS:
                raise Skip(r)
        if len(returns) == 1:
            t, f = RETURNS[returns[0]]
            return t, f"return detail::{f}({target}, {arguments});"
        result = "std::tuple<" + ", ".join(RETURNS[r][0] for r in returns) + ">"
        if set(returns) == {"Tensor"} and len(returns) <= 5:
            return result, f"return detail::tensors{len(returns)}({target}, {arguments});"
        parts = ", ".join(f"detail::as_{RETURNS[r][1]}(r[{i}])" for i, r in enumerate(returns))
        return result, f"sconce::IValue r[{len(returns)}]; detail::several({target}, {arguments}, r, {len(returns)}); return {result}({parts});"

    def key(self):
        return self.name, tuple(self.types), self.method


def variants(path):
    """full name -> (is a function, is a method, arguments without default), for what isn't bound by hand"""
    result, by_hand = {}, set()
    name = None
    for line in open(path):
        m = re.match(r"- func: ([\w.]+)\(", line)
        if m:
            name = "aten::" + m.group(1)
            result[name] = (True, False, [])
        elif name and line.startswith("  variants:"):
            v = line.split(":")[1]
            result[name] = ("function" in v, "method" in v, result[name][2])
        elif name and line.startswith("  cpp_no_default_args:"):
            result[name] = (*result[name][:2], re.findall(r"\w+", line.split(":")[1]))
        elif name and "manual_cpp_binding: True" in line:
            by_hand.add(name)
    return {name: v for name, v in result.items() if name not in by_hand}


def main(path):
    kinds = variants(path)
    methods, bodies, functions, seen = [], [], [], set()
    skipped = {}
    for line in open(os.path.join(ROOT, "src/ops/schemas.inc")):
        m = re.match(r'"(aten::.*)",$', line)
        if not m:
            continue
        schema = m.group(1)
        full = schema.split("(")[0]
        if full not in kinds:
            continue
        base = full.split("::")[1].split(".")[0]
        is_function, is_method, no_default = kinds[full]
        if base.startswith("_") and not base.startswith("_upsample") and base not in INTERNAL and not is_method or "backward" in base:
            continue
        if base.startswith("_") and is_method and not base.startswith("__"):
            continue
        for method in (True, False):
            if not (is_method if method else is_function):
                continue
            try:
                f = Form(*parse(schema), method, no_default)
            except Skip as e:
                skipped.setdefault(str(e), []).append(full)
                continue
            if f.key() in seen:
                continue
            seen.add(f.key())
            without = [re.sub(r" = .*", "", p) for p in f.params]
            if method:
                methods.append(f"{f.result} {f.name}({', '.join(f.params)}) const;")
                bodies.append(f"inline {f.result} Tensor::{f.name}({', '.join(without)}) const {{ {f.body} }}")
            else:
                functions.append(f"inline {f.result} {f.name}({', '.join(f.params)}) {{ {f.body} }}")
    made = "// Made by scripts/make_torch_header.py of the operator table's schemas.\n// clang-format off\n"
    folder = os.path.join(ROOT, "include/sconce/torch")
    with open(f"{folder}/methods.inc", "w") as f:
        f.write(made + "\n".join(methods) + "\n// clang-format on\n")
    with open(f"{folder}/functions.inc", "w") as f:
        f.write(made + "\n".join(bodies) + "\n" + "\n".join(functions) + "\n// clang-format on\n")
    print(f"{len(methods)} methods, {len(functions)} functions")
    for reason, names in sorted(skipped.items()):
        print(f"skipped for {reason!r}: {len(names)}: {' '.join(names[:4])}", file=sys.stderr)


main(sys.argv[1])
