#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what LibTorch's C++ boundary accepts: each argument given for each parameter and set as each attribute.

usage: record_boundary.py [FOLDER]    writes boundary.pt and boundary.txt there (default: fixtures)

boundary.pt has a method make_NAME for each argument, take_NAME for each parameter type and an attribute field_NAME.
record_boundary.cpp, compiled here against the LibTorch of the installed torch, calls all pairs and prints the table.
"""
import enum
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from torch import Tensor, nn

HERE = pathlib.Path(__file__).resolve().parent


@torch.jit.script
class Point:
    def __init__(self, x: int):
        self.x = x

    def value(self) -> int:
        return self.x


@torch.jit.script
class Other:
    def __init__(self, x: int):
        self.x = x

    def amount(self) -> int:
        return self.x


@torch.jit.interface
class HasValue:
    def value(self) -> int:
        pass


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def before(self, input: Tuple[Tensor, float]) -> Tuple[Tensor, float]:
    return (input[0] + 1, input[1])


def after(self, input: Tuple[Tensor, float], output: Tensor) -> Tensor:
    return output * 2


class Level(enum.Enum):
    LOW = 1


class Pair(NamedTuple):
    n: int
    t: Tensor


class Duo(NamedTuple):
    n: int
    t: Tensor


# name: (type, expression of the argument or None, is a parameter type, is an attribute type)
KINDS = {
    "tensor": ("Tensor", "torch.ones(2)", True, True),
    "int": ("int", "7", True, True),
    "float": ("float", "2.5", True, True),
    "bool": ("bool", "True", True, True),
    "complex": ("complex", "complex(1.0, 2.0)", True, True),
    "number": ("Union[int, float, complex]", None, True, True),
    "str": ("str", "'text'", True, True),
    "none": ("None", "None", True, False),
    "device": ("torch.device", "torch.device('cpu')", True, True),
    "generator": ("torch.Generator", None, True, False),
    "any": ("Any", None, True, False),
    "list_int": ("List[int]", "[1, 2]", True, True),
    "list_float": ("List[float]", "[1.5]", True, True),
    "list_bool": ("List[bool]", "[True]", True, True),
    "list_tensor": ("List[Tensor]", "[torch.ones(1)]", True, True),
    "list_str": ("List[str]", "['a']", True, True),
    "list_any": ("List[Any]", None, True, False),
    "list_list_int": ("List[List[int]]", "[[1], [2]]", True, True),
    "list_optional_int": ("List[Optional[int]]", "[1, None]", True, True),
    "list_optional_tensor": ("List[Optional[Tensor]]", "[torch.ones(1), None]", True, True),
    "list_point": ("List[Point]", "[Point(1)]", True, True),
    "empty_list_int": ("List[int]", "[]", False, False),
    "empty_list_tensor": ("List[Tensor]", "[]", False, False),
    "tuple_empty": ("Tuple[()]", "()", True, True),
    "tuple_int_tensor": ("Tuple[int, Tensor]", "(1, torch.ones(1))", True, True),
    "tuple_float_tensor": ("Tuple[float, Tensor]", "(1.5, torch.ones(1))", True, True),
    "tuple_optional_any": ("Tuple[Optional[int], Any]", None, True, False),
    "tuple_int": ("Tuple[int]", "(1,)", True, True),
    "tuple_none_tensor": ("Tuple[None, Tensor]", "(None, torch.ones(1))", False, False),
    "tuple_list_int_bool": ("Tuple[List[int], bool]", "([1], True)", True, True),
    "dict_str_tensor": ("Dict[str, Tensor]", "{'a': torch.ones(1)}", True, True),
    "dict_str_int": ("Dict[str, int]", "{'a': 1}", True, True),
    "dict_int_tensor": ("Dict[int, Tensor]", "{1: torch.ones(1)}", True, True),
    "dict_str_list_int": ("Dict[str, List[int]]", "{'a': [1]}", True, True),
    "empty_dict_str_tensor": ("Dict[str, Tensor]", "{}", False, False),
    "optional_int": ("Optional[int]", None, True, True),
    "optional_float": ("Optional[float]", None, True, True),
    "optional_tensor": ("Optional[Tensor]", None, True, True),
    "optional_list_int": ("Optional[List[int]]", None, True, True),
    "optional_point": ("Optional[Point]", None, True, True),
    "union_int_str": ("Union[int, str]", None, True, True),
    "union_list_int_tensor": ("Union[List[int], Tensor]", None, True, True),
    "union_float_list_str_none": ("Union[float, List[str], None]", None, True, True),
    "pair": ("Pair", "Pair(1, torch.ones(1))", True, True),
    "duo": ("Duo", "Duo(1, torch.ones(1))", False, False),
    "point": ("Point", "Point(3)", True, True),
    "other": ("Other", "Other(4)", False, False),
    "has_value": ("HasValue", None, True, False),
    "color": ("Color", "Color.RED", True, True),
    "level": ("Level", "Level.LOW", False, False),
}
# Values of attributes whose type has no argument of its own.
FIELD_VALUES = {
    "number": "1", "optional_int": "None", "optional_float": "None", "optional_tensor": "None", "optional_list_int": "None",
    "optional_point": "None", "union_int_str": "1", "union_list_int_tensor": "[1]", "union_float_list_str_none": "None",
}


def source():
    lines = ["class Boundary(nn.Module):"]
    lines += [f"    field_{name}: {kind}" for name, (kind, _, _, field) in KINDS.items() if field]
    lines += ["    def __init__(self):", "        super().__init__()"]
    lines += [f"        self.field_{name} = {FIELD_VALUES.get(name, value)}" for name, (_, value, _, field) in KINDS.items() if field]
    lines += ["    def forward(self, x: Tensor, k: float = 0.5) -> Tensor:", "        return x + k"]
    for name, (kind, value, parameter, _) in KINDS.items():
        if parameter:
            lines += ["    @torch.jit.export", f"    def take_{name}(self, a: {kind}) -> {kind}:", "        return a"]
        if value:
            lines += ["    @torch.jit.export", f"    def make_{name}(self) -> {kind}:"]
            lines += [f"        a: {kind} = {value}", "        return a"] if value != "None" else ["        return None"]
    return "\n".join(lines) + "\n"


def save(module, archive):
    """Without the debug records, which name files of this machine."""
    torch.jit.save(module, str(archive))
    reader = torch._C.PyTorchFileReader(str(archive))
    records = {name: reader.get_record(name) for name in reader.get_all_records()}
    del reader
    writer = torch._C.PyTorchFileWriter(str(archive))
    writer.set_min_version(int(records["version"]))
    for name, data in records.items():
        if name not in ("version", "byteorder", ".data/serialization_id") and not name.endswith(".debug_pkl"):
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "fixtures")
    with tempfile.TemporaryDirectory() as scratch:
        # The compiler reads the class from a file.
        path = pathlib.Path(scratch) / "boundary_module.py"
        path.write_text(source())
        exec(compile(path.read_text(), str(path), "exec"), globals())
        module = globals()["Boundary"]().eval()
        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)
        module = torch.jit.script(module)
        archive = folder / "boundary.pt"
        save(module, archive)
        root = pathlib.Path(torch.__file__).parent
        program = pathlib.Path(scratch) / "record"
        libraries = [f"-l:{p.name}" for p in (root / "lib/libtorch.so", root / "lib/libtorch_cpu.so", root / "lib/libc10.so")]
        subprocess.run(["g++", "-std=c++20", "-O0", "-w", str(HERE / "record_boundary.cpp"), "-o", str(program), f"-I{root}/include",
                        f"-I{root}/include/torch/csrc/api/include", f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
                        f"-L{root}/lib", f"-Wl,-rpath,{root}/lib", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *libraries], check=True)
        table = subprocess.run([program, archive, ",".join(KINDS)], check=True, capture_output=True, text=True).stdout
    # Types of classes are printed with an address.
    table = re.sub(r" \(of Python compilation unit at: 0x[0-9a-f]+\)", "", table)
    version = torch.__version__.split("+")[0]
    (folder / "boundary.txt").write_text(f"# scripts/record_boundary.py with torch {version}\n{table}")


if __name__ == "__main__":
    main()
