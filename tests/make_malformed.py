#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files of tests/malformed that are made by hand: one small archive and what can be wrong with it. What
fuzzers found lies beside them as it was found (scripts/fuzz).

usage: make_malformed.py     then sconce_fuzz_replay --update tests/malformed, and review the difference

FOLDER/TARGET/FILE is an input of a fuzz target (fuzz/targets.cpp), FILE.expected its whole answer.
"""
import io
import pathlib
import pickle
import struct
import zipfile
import zlib

OUT = pathlib.Path(__file__).resolve().parent / "malformed"

SOURCE = """class M(Module):
  __parameters__ = ["w", ]
  __buffers__ = []
  w : Tensor
  training : bool
  def forward(self: __torch__.M, x: Tensor) -> Tensor:
    w = self.w
    return torch.add(x, w)
"""
SETSTATE = """  def __getstate__(self: __torch__.M) -> Tuple[Tensor, bool]:
    return (self.w, self.training)
  def __setstate__(self: __torch__.M, state: Tuple[Tensor, bool]) -> NoneType:
    self.w = torch.mul((state)[0], 2)
    self.training = (state)[1]
    return None
"""


def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def tensor(key="0", count=4, offset=0, sizes=(2, 2), strides=(2, 1), storage="FloatStorage"):
    number = lambda n: b"\x8a\x08" + struct.pack("<q", n)
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\n" + storage.encode() + b"\n" + text(key) +
            text("cpu") + number(count) + b"tQ" + number(offset) + b"(" + b"".join(map(number, sizes)) + b"t(" +
            b"".join(map(number, strides)) + b"t\x89ccollections\nOrderedDict\n)RtR")


def data_pkl(w=None, cls=b"__torch__\nM", training=b"\x89"):
    return (b"\x80\x02c" + cls + b"\n)\x81}(" + text("w") + (tensor() if w is None else w) + text("training") + training + b"ub.")


def records(**changed):
    """The archive's records; a keyword names one with _ for / and . ("code", "data_pkl"), None leaves it out."""
    r = {"data/0": struct.pack("<4f", 1, 2, 3, 4), "data.pkl": data_pkl(), "code/__torch__.py": SOURCE.encode(),
         "constants.pkl": b"\x80\x02).", "version": b"3\n"}
    short = {"code": "code/__torch__.py", "data_pkl": "data.pkl", "constants_pkl": "constants.pkl", "storage": "data/0"}
    for k, v in changed.items():
        if v is None:
            del r[short[k]]
        else:
            r[short.get(k, k)] = v
    return [("m/" + k, v) for k, v in r.items()]


def archive(entries, deflate=(), **odd):
    """odd: what is written wrongly, by record: crc, local_name, local_size, offset, size, method, attributes, flags;
    before, after, comment, gap: bytes put there."""
    out, directory = bytearray(odd.get("before", b"")), bytearray()
    for i, (name, content) in enumerate(entries):
        wrong = lambda what, right: odd.get(what, {}).get(name, right)
        stored = zlib.compressobj(9, zlib.DEFLATED, -15) if name in deflate else None
        payload = stored.compress(content) + stored.flush() if stored else content
        method, crc = wrong("method", 8 if stored else 0), wrong("crc", zlib.crc32(content))
        if i == 1:
            out += odd.get("gap", b"")
        offset, raw = len(out), name.encode()
        local = wrong("local_name", name).encode()
        local_size = wrong("local_size", len(payload))
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 0, wrong("flags", 0), 8 if stored else 0, 0, 0, crc, local_size,
                           len(content), len(local), 0) + local + payload
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", 0, 0, wrong("flags", 0), method, 0, 0, crc, len(payload),
                                 wrong("size", len(content)), len(raw), 0, 0, 0, 0, wrong("attributes", 0),
                                 wrong("offset", offset)) + raw
    at, comment = len(out), odd.get("comment", b"")
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), at, len(comment))
    return bytes(out + directory + end + comment + odd.get("after", b""))


def torch_save(value_pickle):
    return archive([("m/data.pkl", value_pickle), ("m/data/0", struct.pack("<4f", 1, 2, 3, 4)), ("m/version", b"3\n")])


class Reduced:
    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def npy(shape, descr="<f4", data=b""):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def scanned():
    plain = records()
    yield "plain.pt", archive(plain)
    yield "setstate.pt", archive(records(code=(SOURCE + SETSTATE).encode(),
                                         data_pkl=b"\x80\x02c__torch__\nM\n)\x81" + tensor() + b"\x89\x86b."))
    # the container
    yield "duplicate.pt", archive(plain + [("m/data/0", b"\0" * 16), ("m/DATA.pkl", b"\x80\x02N.")])
    yield "crc.pt", archive(plain, crc={"m/data/0": 1})
    yield "overlap.pt", archive(plain, offset={"m/constants.pkl": 0})
    yield "out_of_range.pt", archive(plain, offset={"m/version": 0x7fffffff})
    yield "size.pt", archive(plain, size={"m/data/0": 1 << 30})
    yield "paths.pt", archive(plain + [("/etc/passwd", b""), ("m/../../x", b""), ("C:\\x", b""), ("m/a\x1bb", b"")])
    yield "link.pt", archive(plain, attributes={"m/data/0": 0xa1ff0000})
    yield "trailing.pt", archive(plain, after=b"#!/bin/sh\n")
    yield "comment.pt", archive(plain, comment=b"words")
    yield "prepended.pt", archive(plain, before=b"#!/bin/sh\n")
    yield "gap.pt", archive(plain, gap=b"hidden")
    yield "local_name.pt", archive(plain, local_name={"m/data.pkl": "m/date.pkl"})
    yield "local_size.pt", archive(plain, local_size={"m/data/0": 4})
    yield "method.pt", archive(plain, method={"m/version": 12})
    yield "encrypted.pt", archive(plain, flags={"m/data.pkl": 1})
    yield "bomb.pt", archive(plain + [("m/data/1", b"\0" * (1 << 21))], deflate={"m/data/1"})
    yield "cut.pt", archive(plain)[:-30]
    yield "foreign.pt", archive(plain + [("n/data.pkl", b"")])
    # pickles
    yield "opcode.pt", archive(records(constants_pkl=b"\x80\x02I1\n0)."))
    yield "global.pt", archive(records(data_pkl=data_pkl(training=b"cos\nsystem\n" + text("true") + b"\x85R")))
    yield "class.pt", archive(records(data_pkl=data_pkl(cls=b"__torch__\nN")))
    yield "library_class.pt", archive(records(data_pkl=data_pkl(training=b"c__torch__.torch.classes.mylib\nThing\n)\x81Nb")))
    yield "trailing_pickle.pt", archive(records(constants_pkl=b"\x80\x02).more"))
    yield "no_end.pt", archive(records(data_pkl=data_pkl()[:-1]))
    yield "wrong_type.pt", archive(records(data_pkl=data_pkl(training=b"K\1")))
    # tensors
    yield "out_of_bounds.pt", archive(records(data_pkl=data_pkl(tensor(sizes=(2, 3), strides=(3, 1)))))
    yield "overflow.pt", archive(records(data_pkl=data_pkl(tensor(sizes=(1 << 62, 8), strides=(1 << 62, 1)))))
    yield "short_storage.pt", archive(records(storage=b"\0" * 8))
    yield "expanded.pt", archive(records(data_pkl=data_pkl(tensor(sizes=(1 << 20, 1 << 20), strides=(0, 0)))))
    # code
    yield "syntax.pt", archive(records(code=b"class M(Module):\n  def forward(self x):\n"))
    yield "operator.pt", archive(records(code=SOURCE.replace("torch.add", "ops.mylib.add").encode()))
    yield "constant.pt", archive(records(code=SOURCE.replace("  w :", "  k : Final[Tensor] = torch.zeros([3])\n  w :").encode()))
    # other files
    yield "reduce.pkl", pickle.dumps(Reduced(eval, "1"), 4)
    yield "reduce.pth", torch_save(pickle.dumps({"a": Reduced(exec, "")}, 2))
    yield "empty.pt", b""
    yield "huge.npy", npy((1 << 40, 1 << 40))
    yield "text.pt", b"version https://git-lfs.github.com/spec/v1\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr(zipfile.ZipInfo("a.npy"), npy((9,)))
    yield "short.npz", buffer.getvalue()


def main():
    folder = OUT / "scan"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in scanned():
        (folder / name).write_bytes(content)
    for name in ("plain.pt", "setstate.pt"):  # for tests/unit/policy.cpp
        assert (folder / name).stat().st_size < 4096


if __name__ == "__main__":
    main()
