# SPDX-License-Identifier: Apache-2.0
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import sconce


def test_an_error_tells_the_line_of_the_models_python(mlp):
    with pytest.raises(sconce.OpError) as e:
        mlp(np.zeros((2, 3), np.float32))
    assert e.value.python_line.startswith("torch/nn/modules/linear.py:")
    assert e.value.trace.startswith("Traceback of TorchScript") and "F.linear" in e.value.trace


def test_a_models_own_raise_is_of_its_class(f):
    with pytest.raises(sconce.RaisedError) as e:
        f.raising(np.ones(1))
    assert e.value.message == "no positive ones" and e.value.python_line == "<source>:16"
    m = sconce.compile("def f() -> None:\n    ops.prim.RaiseException('none', 'builtins.KeyError')\n")
    with pytest.raises(KeyError) as e:  # as archives have it
        m.f()
    assert isinstance(e.value, sconce.RaisedError) and e.value.class_name == "builtins.KeyError"
    assert e.value.message == "none"
    assert f.raising(np.zeros(1)).tolist() == [0]


def test_files(tmp_path, fixtures):
    with pytest.raises(FileNotFoundError):
        sconce.load(tmp_path / "none.pt")
    with pytest.raises(sconce.FormatError, match="directory"):
        sconce.load(tmp_path)
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no archive")
    for source in (bad, b"no archive", io.BytesIO(b"no archive")):
        with pytest.raises(sconce.FormatError):
            sconce.load(source)
    with pytest.raises(sconce.ScriptError, match="nope"):
        sconce.compile("def f(x: Tensor) -> Tensor:\n    return nope(x)\n").f(np.ones(1))
    assert sconce.load((fixtures / "mlp.pt").read_bytes()).class_name == "__torch__.Mlp"
    with open(fixtures / "mlp.pt", "rb") as f:
        assert sconce.load(f).class_name == "__torch__.Mlp"


def test_limits(f, fixtures):
    slow = f.method("endless", limits=sconce.Limits(steps=1000))
    with pytest.raises(sconce.LimitError):
        slow(10**9)
    assert slow(10) == 10 and f.endless(2000) == 2000
    m = sconce.compile("def f(n: int) -> Tensor:\n    return torch.zeros([n])\n", limits={"memory": 1 << 20})
    assert m.f(10).shape == (10,)
    with pytest.raises(sconce.LimitError):
        m.f(1 << 22)
    assert m.f(10).shape == (10,)
    sconce.load(fixtures / "mlp.pt", limits="untrusted")


def test_cancelling(f):
    cancel = sconce.Cancel()
    slow = f.method("endless", limits=sconce.Limits(cancel=cancel))
    threading.Timer(0.1, cancel.set).start()
    with pytest.raises(sconce.LimitError):
        slow(1 << 60)
    assert cancel.is_set()
    cancel.clear()
    assert slow(3) == 3


def test_policy(fixtures):
    with pytest.raises(sconce.PolicyError):
        sconce.load(fixtures / "mlp.pt", denied_ops=["aten::linear"])
    with pytest.raises(TypeError, match="mode"):
        sconce.load(fixtures / "mlp.pt", mode="fast")
    with pytest.raises(TypeError, match="numerics"):
        sconce.load(fixtures / "mlp.pt", numerics="exact")


def test_control_c_ends_a_call_under_limits():
    code = textwrap.dedent("""
        import signal, sconce
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
        m = sconce.compile("def f(n: int) -> int:\\n    i = 0\\n    while i < n:\\n        i += 1\\n    return i\\n",
                           limits=sconce.Limits(seconds=100))
        print("ready", flush=True)
        try:
            m.f(1 << 60)
        except KeyboardInterrupt:
            print("interrupted", m.f(5), flush=True)
    """)
    p = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    time.sleep(0.3)
    os.kill(p.pid, signal.SIGINT)
    assert p.communicate(timeout=60)[0] == "interrupted 5\n"


def test_prints_and_warnings(f, capsys):
    f.says(3)
    assert capsys.readouterr().out == "said 3\n"
    out = io.StringIO()
    source = "def f(x: int) -> None:\n    print('x', x)\n"
    sconce.compile(source, stdout=out).f(1)
    assert out.getvalue() == "x 1\n"
    sconce.compile(source, stdout=None).f(1)

    class Broken:
        def write(self, text):
            raise OSError("full")
    with pytest.raises(OSError, match="full"):
        sconce.compile(source, stdout=Broken()).f(1)
    m = sconce.compile("def f() -> int:\n    ops.aten.warn('beware', 2)\n    return 1\n")
    with pytest.warns(UserWarning, match="beware"):
        assert m.f() == 1


def test_warnings_name_the_line_that_called():
    m = sconce.compile("def f() -> int:\n    ops.aten.warn('beware', 2)\n    return 1\n")
    with pytest.warns(UserWarning, match="beware") as seen:
        m.f()
    assert seen[0].filename == __file__


def test_a_file_that_is_printed_to_may_call_models():
    class Calls:
        calls = 0

        def write(self, text):
            self.calls += 1
            if self.calls < 5:
                self.m.f()
    out = Calls()
    out.m = sconce.compile("def f() -> None:\n    print(1)\n", stdout=out)
    out.m.f()
    assert out.calls == 5
    del out.m


def test_arguments_of_load(fixtures):
    path = fixtures / "mlp.pt"
    for options, what in (({"limits": "x"}, "limits must be"), ({"extra_files": ["x"]}, "extra_files must be"),
                          ({"extra_files": {1: b""}}, "extra_files must be"), ({"limits": {"seconds": -1}}, "seconds"),
                          ({"limits": {"seconds": float("nan")}}, "seconds"), ({"returns": "x"}, "returns must be"),
                          ({"num_threads": 0}, "at least 1")):
        with pytest.raises(TypeError, match=what):
            sconce.load(path, **options)
    with pytest.raises(TypeError, match="open for bytes"):
        sconce.load(io.StringIO("x"))
    with pytest.raises(TypeError, match="must be str, not bytes"):
        sconce.compile(b"")
    # One name is no list of letters.
    with pytest.raises(sconce.PolicyError):
        sconce.load(path, denied_ops="aten::linear")
    with pytest.raises(sconce.PolicyError):
        sconce.load(path, allowed_ops="aten::relu")
    sconce.load(path, allowed_ops="aten::*")
    assert sconce.load_values(fixtures / "mlp.io.pt")["cases"]


def test_seeds():
    m = sconce.compile("def f() -> Tensor:\n    return torch.rand([3])\n")
    drawn = []
    for seed in (-1, 2**64 - 1, -1, 7):
        sconce.manual_seed(seed)
        drawn.append(m.f().tolist())
    assert drawn[0] == drawn[1] == drawn[2] != drawn[3]
    for bad in (2**64, -2**63 - 1):
        with pytest.raises((OverflowError, TypeError, RuntimeError)):
            sconce.manual_seed(bad)
