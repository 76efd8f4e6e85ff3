# SPDX-License-Identifier: Apache-2.0
"""Records what PyTorch answers, for `sconce verify`: python -m sconce.record MODEL.pt --input X ... writes MODEL.io.pt.

Needs torch; uses nothing of sconce, so that it also runs as a file of its own (python record.py MODEL.pt ...).
The calls are made in their order on one loaded instance, as `sconce verify` replays them. docs/verify.md is the manual.
"""
import argparse
import contextlib
import enum
import io
import math
import pathlib
import runpy
import sys

EPILOG = """\
An input X is, as for `sconce run`,
  None, True, False, 3, 2.5, inf, 1+2j, "text" or 'text', device("cpu")
  (X, X), [X, X], {X: X}   tuples, lists and dicts, nested as you like
  zeros(2,3) ones(2,3) rand(2,3) randn(2,3) full((2,3), 0.5) arange(10)
  randint(0, 100, (2,3)) tensor([[1, 2], [3, 4]])   a dtype may follow: ones(2):float16
  FILE.npy, FILE.npz, FILE.npz:KEY, FILE.pt (torch.save), FILE.png, FILE.jpg (with Pillow: float [1, 3, H, W])
  file("a name.npy")       a file whose name holds spaces, commas or brackets

Several calls: --case begins the next one, and takes --input, --kwarg, --method, --seed, --check, --rtol and --atol:
  python -m sconce.record m.pt --input 'randn(1,3,224,224)' --case --method encode --input 'randint(0,9,(1,8))' --kwarg mask=None
Or --inputs FILE.io.pt, calls that were recorded before: their answers are made anew.
Or --inputs FILE.py, a program that sets `cases`, a list of tuples of arguments, or of dicts with "args", "kwargs",
"method", "seed", "check", "rtol" and "atol".
"""


class RecordError(Exception):
    """Something that the caller has to change."""


# ---- inputs: the grammar of `sconce run --input` ----

FILE_ENDINGS = (".npy", ".npz", ".pt", ".png", ".jpg", ".jpeg")
DTYPE_NAMES = {"half": "float16", "float": "float32", "double": "float64", "short": "int16", "int": "int32", "long": "int64"}
WORDS = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


def read_picture(name):
    try:
        from PIL import Image
    except ImportError:
        raise RecordError(f"{name}: pictures need Pillow (pip install Pillow)")
    import numpy
    import torch
    with Image.open(name) as picture:
        pixels = numpy.asarray(picture.convert("RGB"), dtype=numpy.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).unsqueeze(0)


def read_file(name):
    import numpy
    import torch
    lower = name.lower()
    path, _, key = name.rpartition(":") if ".npz:" in lower else (name, "", None)
    try:
        if path.lower().endswith((".npy", ".npz")):
            data = numpy.load(path, allow_pickle=False)
            if isinstance(data, numpy.ndarray):
                return torch.from_numpy(data.copy())
            if key is not None:
                return torch.from_numpy(data[key])
            return {k: torch.from_numpy(data[k]) for k in data.files}
        if lower.endswith(".pt"):
            return torch.load(path, map_location="cpu", weights_only=True)
        return read_picture(path)
    except (OSError, ValueError, KeyError) as e:
        raise RecordError(f"{name}: {e}")


class InputParser:
    """One value, read from left to right."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def parse(self):
        whole = self.text.strip()
        if whole.lower().endswith(FILE_ENDINGS) and (whole[0] not in "{[(\"'" and not set("(,") & set(whole) or pathlib.Path(whole).exists()):
            return read_file(whole)
        value = self.value()
        self.spaces()
        if self.at != len(self.text):
            self.fail("something follows the value")
        return value

    def fail(self, why):
        raise RecordError(f"'{self.text}', at character {self.at + 1}: {why}")

    def spaces(self):
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self):
        return self.text[self.at:self.at + 1]

    def take(self, c):
        self.spaces()
        if self.peek() != c:
            return False
        self.at += 1
        return True

    def expect(self, c):
        if not self.take(c):
            self.fail(f"'{c}' is expected")

    def value(self):
        self.spaces()
        c = self.peek()
        if not c:
            self.fail("a value is expected")
        if c == "[":
            return self.values("[", "]")[0]
        if c == "(":
            items, comma = self.values("(", ")")
            return items[0] if len(items) == 1 and not comma else tuple(items)
        if c == "{":
            return self.dict()
        if c in "\"'":
            return self.quoted()
        return self.word()

    def values(self, opening, closing):
        self.expect(opening)
        items, comma = [], False
        while not self.take(closing):
            items.append(self.value())
            comma = self.take(",")
            if not comma:
                self.expect(closing)
                break
        return items, comma

    def dict(self):
        self.expect("{")
        made = {}
        while not self.take("}"):
            key = self.value()
            if not isinstance(key, (str, int, float, complex)):
                self.fail("a key is a string or a number")
            self.expect(":")
            made[key] = self.value()
            if not self.take(","):
                self.expect("}")
                break
        return made

    def quoted(self):
        quote = self.peek()
        self.at += 1
        out = []
        while True:
            c = self.peek()
            if not c:
                self.fail("the string has no end")
            self.at += 1
            if c == quote:
                return "".join(out)
            if c != "\\":
                out.append(c)
                continue
            c = self.peek()
            self.at += 1
            if c in HEX_DIGITS:
                digits = self.text[self.at:self.at + HEX_DIGITS[c]]
                try:
                    out.append(chr(int(digits, 16)))
                except ValueError:
                    self.fail("a hexadecimal digit is expected")
                self.at += HEX_DIGITS[c]
            else:
                out.append(ESCAPES.get(c, c))

    def word(self):
        start = self.at
        while self.peek() and (self.peek() not in "()[]{},:\"'" and not self.peek().isspace()):
            self.at += 1
        word = self.text[start:self.at]
        if word.lower().endswith(".npz") and self.peek() == ":":
            self.at += 1
            while self.peek() and self.peek() not in "()[]{},:\"'" and not self.peek().isspace():
                self.at += 1
            return read_file(self.text[start:self.at])
        if self.peek() == "(":
            return self.call(word, start)
        if word in WORDS:
            return WORDS[word]
        if word.lower().endswith(FILE_ENDINGS):
            return read_file(word)
        for kind in (int, float, complex):
            with contextlib.suppress(ValueError):
                if "_" not in word:
                    return kind(word)
        self.at = start
        self.fail(f"'{word}' is no value")

    def sizes(self, given):
        if len(given) == 1 and isinstance(given[0], (tuple, list)):
            given = given[0]
        if not all(type(n) is int and n >= 0 for n in given):
            self.fail("sizes are whole numbers")
        return tuple(given)

    def call(self, name, start):
        import torch
        name = name.removeprefix("torch.")
        known = ("zeros", "ones", "rand", "randn", "full", "arange", "randint", "tensor", "device", "file")
        if name not in known:
            self.at = start
            self.fail(f"'{name}' makes no input")
        given = self.values("(", ")")[0]
        try:
            if name == "file":
                return read_file(*given)
            if name == "device":
                return torch.device(*given)
            if name in ("zeros", "ones", "rand", "randn"):
                made = getattr(torch, name)(self.sizes(given))
            elif name == "full":
                made = torch.full(self.sizes(given[:1]), given[1])
            elif name == "randint":
                made = torch.randint(*given[:-1], self.sizes(given[-1:]))
            else:
                made = getattr(torch, name)(*given)
        except (TypeError, RuntimeError, ValueError, IndexError) as e:
            self.fail(f"{name}(): {e}".splitlines()[0])
        if self.peek() != ":":
            return made
        self.at += 1
        begin = self.at
        while self.peek() and (self.peek().isalnum() or self.peek() in "_."):
            self.at += 1
        text = self.text[begin:self.at].removeprefix("torch.")
        dtype = getattr(torch, DTYPE_NAMES.get(text, text), None)
        if not isinstance(dtype, torch.dtype):
            self.at = begin
            self.fail(f"'{text}' is no dtype")
        return made.to(dtype)


# ---- values, as the format has them ----

# A dtype is an int to TorchScript.
DTYPE_NUMBERS = ["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex32", "complex64", "complex128",
                 "bool", "qint8", "quint8", "qint32", "bfloat16"]

def copied(v):
    """A deep copy; what shares memory doesn't any more."""
    import torch
    if isinstance(v, torch.Tensor):
        return v.detach().clone()
    if isinstance(v, tuple) and hasattr(v, "_fields"):
        return type(v)(*(copied(x) for x in v))
    if isinstance(v, (list, tuple)):
        return type(v)(copied(x) for x in v)
    if isinstance(v, dict):
        return {copied(k): copied(x) for k, x in v.items()}
    return v


def stored(v):
    import torch
    if isinstance(v, torch.Tensor):
        return v.detach().cpu().clone()
    if isinstance(v, enum.Enum):
        return stored(v.value)
    if isinstance(v, torch.dtype):
        return DTYPE_NUMBERS.index(str(v).removeprefix("torch."))
    if isinstance(v, torch.Size):
        return list(v)
    if isinstance(v, tuple):
        return tuple(stored(x) for x in v)
    if isinstance(v, list):
        return [stored(x) for x in v]
    if isinstance(v, dict):
        return {stored(k): stored(x) for k, x in v.items()}
    if v is None or isinstance(v, (bool, int, float, complex, str, torch.device)):
        return v
    if torch.jit._state._get_script_class(type(v)) is not None:
        return stored_object(v)
    raise RecordError(f"a {type(v).__name__} has no form in a file of recorded calls")


def stored_object(v):
    """An instance of a class that TorchScript knows: a program of --inputs has imported it."""
    import torch
    return {"__class__": torch._jit_internal._qualified_name(type(v)), **{k: stored(x) for k, x in vars(v).items()}}


def same(a, b):
    """To the bit, NaN equal to NaN."""
    import torch
    if isinstance(a, torch.Tensor):
        if not isinstance(b, torch.Tensor) or a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.is_quantized:
            return torch.equal(a.int_repr(), b.int_repr())
        return torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) if a.is_floating_point() or a.is_complex() else torch.equal(a, b)
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and a == b


# ---- calls ----

CASE_FIELDS = {"method", "args", "kwargs", "seed", "check", "rtol", "atol"}


def load(path):
    """The module, and the schema of a method by its name."""
    import torch
    if not pathlib.Path(path).is_file():
        raise RecordError(f"{path}: no such file")
    try:
        if str(path).endswith(".pt2"):
            return torch.export.load(str(path)).module()
        return torch.jit.load(str(path), map_location="cpu")
    except RuntimeError as e:
        raise RecordError(f"{path}: {str(e).strip().splitlines()[0]}")


def schema_of(module, method):
    own = getattr(module, "_c", None)
    if own is None or not hasattr(own, "_get_method"):
        return None
    name = "forward" if method == "__call__" else method
    if not own._has_method(name):
        raise RecordError(f"the model has no method {name}; it has {', '.join(sorted(own._method_names()))}")
    return own._get_method(name).schema


def positional(module, method, args, kwargs):
    """The arguments by position: the format has no others. Defaults stand in for what is left out before a keyword."""
    if not kwargs:
        return tuple(args)
    schema = schema_of(module, method)
    if schema is None:
        raise RecordError("keywords need a TorchScript archive")
    unknown = kwargs.keys() - {a.name for a in schema.arguments[1:]}
    if unknown:
        raise RecordError(f"{method} has no argument {', '.join(sorted(unknown))}")
    made, left = list(args), dict(kwargs)
    for argument in schema.arguments[1:][len(args):]:
        if not left:
            break
        if argument.name in left:
            made.append(left.pop(argument.name))
        elif argument.has_default_value():
            made.append(argument.default_value)
        else:
            raise RecordError(f"{method} lacks its argument {argument.name}")
    if left:
        raise RecordError(f"{method} gets {', '.join(left)} twice")
    return tuple(made)


def call(module, case):
    """One recorded call, in the form of the file but for what it is to be compared by."""
    import torch
    inputs = positional(module, case["method"], case["args"], case["kwargs"])
    record = {"method": case["method"], "inputs": stored(inputs)}
    given = copied(inputs)
    if case["seed"] is not None:
        record["same_seed"] = case["seed"]
        torch.manual_seed(case["seed"])
    printed = io.StringIO()
    try:
        with torch.no_grad(), contextlib.redirect_stdout(printed):
            function = module if case["method"] == "__call__" or not hasattr(module, case["method"]) else getattr(module, case["method"])
            record["output"] = stored(function(*given))
    except RecordError:
        raise
    except Exception as e:  # whatever the model raises is its answer
        if "INTERNAL ASSERT" in str(e):
            raise RecordError(f"{case['method']} can't be recorded: {str(e).strip().splitlines()[0]}")
        kind = type(e).__name__ if type(e).__module__ == "builtins" else f"{type(e).__module__}.{type(e).__qualname__}"
        record["raises"] = f"{kind}: {e}"
        return record
    if not same(record["inputs"], stored(given)):
        record["inputs_after"] = stored(given)
    if printed.getvalue():
        record["stdout"] = printed.getvalue()
    return record


def record(path, cases, tell=print):
    """The calls of a model. A case is a dict with all of CASE_FIELDS. tell gets a line for what is odd."""
    first, second = load(path), load(path)
    for case in cases:
        schema_of(first, case["method"])
    records = []
    for i, case in enumerate(cases):
        made, again = call(first, case), call(second, case)
        check = case["check"]
        if check is None:
            check = "close"
            if "output" in made and not same(made["output"], again.get("output")) and not close(made["output"], again.get("output"), case):
                check = "meta"
                tell(f"{case['method']} #{i}: two loaded instances answer differently; only shapes and dtypes will be compared "
                     "(--seed N for a call that draws random numbers)")
        made["check"] = check
        if check == "close":
            made["rtol"], made["atol"] = case["rtol"], case["atol"]
        records.append(made)
        if "raises" in made:
            tell(f"{case['method']} #{i} raises: {made['raises'].strip().splitlines()[-1]}")
    return records


def close(a, b, case):
    import torch
    if isinstance(a, torch.Tensor):
        return (isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and not a.is_quantized and
                torch.allclose(a, b, rtol=case["rtol"], atol=case["atol"], equal_nan=True))
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(close(x, y, case) for x, y in zip(a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(close(a[k], b[k], case) for k in a)
    return same(a, b)


# ---- traces: the values of nodes ----

# Nodes that only put values together, or name what is there.
MAKES_NOTHING = {"prim::Constant", "prim::GetAttr", "prim::ListConstruct", "prim::TupleConstruct", "prim::DictConstruct",
                 "prim::CreateObject", "prim::Uninitialized"}
TRACED_TYPES = {"TensorType": "Tensor", "IntType": "int", "FloatType": "float", "BoolType": "bool"}


class TracedMethod:
    """A method whose graph, inlined, appends what its nodes make to lists, and returns them beside the answer.

    A node is named by its number in the text of the inlined graph, blocks included, before anything was added to it.
    """

    def __init__(self, module, method):
        import torch
        self.module = module
        self.kinds = []
        self.points = []  # (node, output, type), by number
        name = "forward" if method == "__call__" else method
        self.schema = module._c._get_method(name).schema
        g = self.graph = module._c._get_method(name).inlined_graph.copy()
        nodes = list(g.nodes())
        g.setInsertPoint(nodes[0] if nodes else g.return_node())
        types = {"Tensor": torch._C.ListType.ofTensors(), "int": torch._C.ListType.ofInts(),
                 "float": torch._C.ListType.ofFloats(), "bool": torch._C.ListType.ofBools()}
        self.order = self._new_list(types["int"])
        self.lists = {name: self._new_list(t) for name, t in types.items()}
        self._walk(nodes)
        outputs = [*g.outputs(), self.order, *self.lists.values()]
        g.setInsertPoint(g.return_node())
        pack = g.insertNode(g.create("prim::TupleConstruct", outputs, 1))
        pack.output().setType(torch._C.TupleType([v.type() for v in outputs]))
        for _ in range(len(outputs) - 5):
            g.eraseOutput(0)
        g.registerOutput(pack.output())
        g.lint()
        self.function = torch._C._create_function_from_graph("traced", g)

    def _new_list(self, t):
        n = self.graph.insertNode(self.graph.create("prim::ListConstruct", [], 1))
        return n.output().setType(t)

    def _walk(self, nodes):
        for n in nodes:
            number = len(self.kinds)
            self.kinds.append(n.kind())
            for block in n.blocks():
                self._walk(list(block.nodes()))
            if n.kind() in MAKES_NOTHING:
                continue
            after = n
            for i, value in enumerate(list(n.outputs())):
                name = TRACED_TYPES.get(value.type().kind())
                if name:
                    after = self._append(after, number, i, value, name)

    def _append(self, after, number, output, value, name):
        import torch

        def insert(kind, inputs, t):
            nonlocal after
            n = self.graph.create(kind, inputs, 1)
            n.output().setType(t)
            n.insertAfter(after)
            after = n
            return n

        if name == "Tensor":  # as it is now: later nodes may write it
            none = insert("prim::Constant", [], torch._C.NoneType.get())
            value = insert("aten::clone", [value, none.output()], torch._C.TensorType.get()).output()
        point = insert("prim::Constant", [], torch._C.IntType.get())
        point.i_("value", len(self.points))
        self.points.append((number, output, name))
        insert("aten::append", [self.order, point.output()], self.order.type())
        insert("aten::append", [self.lists[name], value], self.lists[name].type())
        return after

    def __call__(self, inputs):
        """The steps of one call."""
        import torch
        given = list(inputs)
        for argument in self.schema.arguments[1 + len(given):]:
            given.append(argument.default_value)
        with torch.no_grad(), torch.jit.optimized_execution(False):
            answer = self.function(self.module, *given)
        values = {name: iter(made) for name, made in zip(self.lists, answer[-4:])}
        steps = []
        for point in answer[-5]:
            node, output, name = self.points[point]
            steps.append((node, output, stored(next(values[name]))))
        return tuple(steps)


def trace(path, cases, tell=print):
    """What a .trace.pt holds: a call that raises has no part in it."""
    import torch
    module = load(path)
    methods, calls = {}, []
    for i, case in enumerate(cases):
        name = case["method"]
        if name not in methods:
            methods[name] = TracedMethod(module, name)
        inputs = copied(positional(module, name, case["args"], case["kwargs"]))
        if case["seed"] is not None:
            torch.manual_seed(case["seed"])
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                steps = methods[name](inputs)
            except Exception as e:  # the model's own
                tell(f"{name} #{i} raises, and has no trace: {str(e).strip().splitlines()[-1]}")
                continue
        calls.append((i, name, tuple(methods[name].kinds), steps))
    return ("sconce.trace", 1, "torch " + torch.__version__.split("+")[0], tuple(calls))


# ---- the command ----


def case_parser():
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument("--input", action="append", default=[], metavar="X", help="an argument, see below; once for each")
    p.add_argument("--kwarg", action="append", default=[], metavar="NAME=X", help="an argument by its name")
    p.add_argument("--method", default="forward", help="method to call; __call__ runs hooks around forward too")
    p.add_argument("--seed", type=int, help="torch.manual_seed just before the call, and sconce's")
    p.add_argument("--check", choices=["close", "exact", "meta"], help="close, or meta where two runs differ; meta: only shapes and dtypes")
    p.add_argument("--rtol", type=float, default=1e-4, help="relative tolerance of close; default 1e-4")
    p.add_argument("--atol", type=float, default=1e-5, help="absolute tolerance of close; default 1e-5")
    return p


def parse_kwargs(texts):
    made = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise RecordError(f"--kwarg {text}: NAME=X is expected")
        made[name] = InputParser(value).parse()
    return made


def case_of(o):
    return {"method": o.method, "args": tuple(InputParser(x).parse() for x in o.input), "kwargs": parse_kwargs(o.kwarg), "seed": o.seed,
            "check": o.check, "rtol": o.rtol, "atol": o.atol}


def saved_cases(path):
    """The calls of a .io.pt."""
    import torch
    made = []
    for c in torch.load(str(path), map_location="cpu", weights_only=True)["cases"]:
        made.append({"method": c.get("method", "forward"), "args": tuple(c["inputs"]), "kwargs": {}, "seed": c.get("same_seed"),
                     "check": c.get("check"), "rtol": c.get("rtol", 1e-5), "atol": c.get("atol", 1e-6)})
    return made


def script_cases(path, o):
    """The cases of a program; o: what they leave open."""
    found = runpy.run_path(path).get("cases")
    if not isinstance(found, (list, tuple)):
        raise RecordError(f"{path} sets no list `cases`")
    made = []
    for i, item in enumerate(found):
        if not isinstance(item, dict):
            item = {"args": item if isinstance(item, tuple) else (item,)}
        if not item.keys() <= CASE_FIELDS:
            raise RecordError(f"{path}: cases[{i}] has {', '.join(sorted(item.keys() - CASE_FIELDS))}; known are {', '.join(sorted(CASE_FIELDS))}")
        default = {"method": o.method, "args": (), "kwargs": {}, "seed": o.seed, "check": o.check, "rtol": o.rtol, "atol": o.atol}
        made.append({**default, **item, "args": tuple(item.get("args", ()))})
    return made


def split_cases(argv):
    """Arguments up to the first --case, and those of each further call."""
    parts = [[]]
    for a in argv:
        if a == "--case":
            parts.append([])
        else:
            parts[0 if a == "--trace" else -1].append(a)
    return parts


def main(argv=None):
    own = case_parser()
    p = argparse.ArgumentParser(prog="python -m sconce.record", parents=[own], epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
                                description="Records PyTorch's answers beside an archive, for `sconce verify`.")
    p.add_argument("model", help="what torch.jit.save or torch.export.save wrote")
    p.add_argument("--case", action="store_true", help="begins the next call")
    p.add_argument("--inputs", metavar="FILE", help="calls of a program FILE.py that sets `cases`, or of a FILE.io.pt")
    p.add_argument("--input-seed", type=int, default=0, help="of randn, rand and randint in inputs; default 0")
    p.add_argument("--out", metavar="FILE", help="default: MODEL.io.pt beside the model")
    p.add_argument("--trace", action="store_true", help="MODEL.trace.pt too, the values of all nodes, for `sconce verify --bisect`")
    first, *rest = split_cases(sys.argv[1:] if argv is None else argv)
    o = p.parse_args(first)
    options = [own.parse_args(r) for r in rest]
    try:
        import torch
    except ImportError:
        print("sconce.record: recording needs torch, whose answers it writes down (pip install torch)", file=sys.stderr)
        return 3
    path = pathlib.Path(o.model)
    out = pathlib.Path(o.out) if o.out else path.with_suffix(".io.pt")
    tell = lambda line: print(line, file=sys.stderr)
    try:
        torch.manual_seed(o.input_seed)
        cases = []
        if o.inputs:
            cases = saved_cases(o.inputs) if o.inputs.endswith(".pt") else script_cases(o.inputs, o)
        if not o.inputs or o.input or o.kwarg:
            cases.append(case_of(o))
        cases += [case_of(x) for x in options]
        records = record(path, cases, tell)
        if o.trace and path.suffix == ".pt2":
            raise RecordError("--trace needs a TorchScript archive")
        torch.save({"format": 1, "torch": torch.__version__.split("+")[0], "cases": records}, str(out))
        print(f"{out}: {len(records)} {'call' if len(records) == 1 else 'calls'}")
        if o.trace:
            made = trace(path, cases, tell)
            name = out.with_suffix("").with_suffix(".trace.pt") if out.name.endswith(".io.pt") else path.with_suffix(".trace.pt")
            torch.save(made, str(name))
            print(f"{name}: {sum(len(c[3]) for c in made[3])} values of nodes")
    except (RecordError, OSError) as e:
        print(f"sconce.record: {e}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
