# SPDX-License-Identifier: Apache-2.0
import multiprocessing
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import sconce


def test_attributes_and_parts(mlp, x):
    assert mlp.class_name == "__torch__.Mlp" and "forward(x: Tensor) -> Tensor" in repr(mlp)
    first = list(mlp.layers.submodules().values())[0]
    w = first.weight
    assert w.shape == (32, 32) and not w.flags.writeable
    assert np.array_equal(w, mlp.state_dict()["layers.0.weight"])
    before = mlp(x)
    first.weight = np.zeros((32, 32), np.float32)
    assert not np.array_equal(mlp(x), before)
    first.weight = w
    assert np.allclose(mlp(x), before, rtol=1e-4, atol=1e-4)
    with pytest.raises(AttributeError, match="nope"):
        mlp.nope
    with pytest.raises(AttributeError, match="can't be added"):
        mlp.nope = 1
    with pytest.raises(TypeError, match="weight"):
        first.weight = "x"
    assert "forward" in dir(mlp) and "layers" in dir(mlp)


def test_state(mlp, x):
    before, state = mlp(x), {k: v.copy() for k, v in mlp.state_dict().items()}
    mlp.load_state_dict({k: np.zeros_like(v) for k, v in state.items()})
    assert np.array_equal(mlp(x * 0), x * 0) and not np.array_equal(mlp(x), before)
    mlp.load_state_dict(state)
    assert np.allclose(mlp(x), before, rtol=1e-4, atol=1e-4)
    with pytest.raises(sconce.Error):
        mlp.load_state_dict({"nope": np.zeros(1)})
    mlp.to("float64")
    assert mlp(x.astype(np.float64)).dtype == np.float64
    mlp.train()
    assert mlp.training
    mlp.eval()
    assert not mlp.training


def test_graphs_and_passes(mlp, fixtures, x):
    assert str(mlp.graph).startswith("graph(%self : __torch__.Mlp,")
    g = mlp.inlined_graph
    assert g.count("aten::linear") == 20 or g.count("aten::linear") > 0
    assert [v.name for v in g.inputs][0] == "self" and len(g.outputs) == 1
    n = next(n for n in g.all_nodes() if n.kind == "prim::Constant")
    assert n.outputs[0].type and "value" in n.attributes
    less = sconce.passes.run(g, "constant_pooling,dce")
    assert isinstance(less, sconce.Graph) and less.count("prim::Constant") <= g.count("prim::Constant")
    assert str(sconce.passes.run(str(less), "")) == str(less)
    assert "dce" in {p.name for p in sconce.passes.all()}
    better = sconce.passes.run(mlp)
    assert np.allclose(better(x), mlp(x), rtol=1e-4, atol=1e-5)
    with pytest.raises(sconce.Error, match="nope"):
        sconce.passes.run(g, "nope")
    with pytest.raises(sconce.ScriptError):
        sconce.passes.run("no graph", "dce")
    assert mlp.graph_for("forward", passes="inline,dce").count("prim::CallMethod") == 0


def test_saving(mlp, x, tmp_path, fixtures):
    y = mlp(x)
    mlp.save(tmp_path / "a.pt", extra_files={"note": "hello"})
    extra = {"note": b"", "none": b""}
    assert np.array_equal(sconce.load(tmp_path / "a.pt", extra_files=extra)(x), y)
    assert extra == {"note": b"hello", "none": b""}
    assert np.array_equal(sconce.load(mlp.save())(x), y)
    assert np.array_equal(mlp.clone()(x), y)
    assert np.allclose(mlp.freeze()(x), y, rtol=1e-4, atol=1e-5)
    assert str(sconce.load(fixtures / "mlp.pt", mode="interpret").graph) == str(mlp.graph)


def test_strict_numerics_gives_the_interpreters_bits(fixtures, mlp, x):
    strict, plain = (sconce.load(fixtures / "mlp.pt", **o) for o in ({"numerics": "strict"}, {"mode": "interpret"}))
    y = plain(x)
    for _ in range(3):
        assert strict(x).tobytes() == y.tobytes()
    assert np.allclose(mlp(x), y, rtol=1e-4, atol=1e-5)
    assert pickle.loads(pickle.dumps(strict))(x).tobytes() == y.tobytes()


def test_when_weights_are_read(fixtures, tmp_path):
    m = sconce.load(fixtures / "state.pt")
    m.w = np.zeros((4200, 2048), np.float32)
    m.define("def most(self) -> float:\n  return float(self.w.max().item())\n")
    path = tmp_path / "large.pt"  # weights of smaller files are read at once in any case
    m.save(path)
    lazy, whole, mapped = (sconce.load(path, **o) for o in ({}, {"read_all": True}, {"map_file": True}))
    with open(path, "r+b") as f:
        f.seek(17 << 20)
        f.write(b"????")
    with pytest.raises(sconce.FormatError, match="was written"):
        lazy.most()
    assert whole.most() == 0 and mapped.most() != 0
    assert pickle.loads(pickle.dumps(whole)).most() != 0  # loaded again from its path


def test_bench(mlp, x):
    times = sconce.bench(mlp, x, min_time=0.01, progress=True)
    assert times["runs"] >= 3 and times["min_ms"] <= times["median_ms"] <= times["p90_ms"]
    assert sconce.bench(mlp, {"x": x}, method="forward", min_time=0.01)["runs"] >= 3


def work(m, x, into):
    into.put((m(x), m.class_name))


@pytest.mark.parametrize("how", ["path", "bytes", "clone", "changed"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_gets_the_module(fixtures, x, how, method):
    m = sconce.load(fixtures / "mlp.pt" if how != "bytes" else (fixtures / "mlp.pt").read_bytes())
    if how == "clone":
        m = m.clone()
    if how == "changed":
        m.load_state_dict({k: v * 0.5 for k, v in m.state_dict().items()})
    size = len(pickle.dumps(m))
    assert (size < 2000) == (how == "path")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    p = context.Process(target=work, args=(m, x, queue))
    p.start()
    y, name = queue.get(timeout=60)
    p.join()
    assert np.array_equal(y, m(x)) and name == "__torch__.Mlp"


def test_pickling_keeps_the_options(fixtures, x):
    m = sconce.load(fixtures / "mlp.pt", limits=sconce.Limits(steps=7), returns="tensor")
    again = pickle.loads(pickle.dumps(m))
    assert again.returns == "tensor" and isinstance(again(x), sconce.Tensor)
    c = pickle.loads(pickle.dumps(sconce.compile("def f(x: int) -> int:\n    return x + 1\n")))
    assert c.f(1) == 2


def test_threads(mlp, f, x):
    expected, wrong = mlp(x), []

    def run():
        for _ in range(200):
            if not np.array_equal(mlp(x), expected):
                wrong.append(1)
            if f.endless(3) != 3:
                wrong.append(2)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_others_run_while_a_model_does(f):
    """The interpreter's lock is given away: this thread cancels a call that never ends."""
    cancel = sconce.Cancel()
    slow = f.method("endless", limits=sconce.Limits(cancel=cancel))
    ended = []

    def run():
        try:
            slow(1 << 60)
        except sconce.LimitError:
            ended.append(True)
    t = threading.Thread(target=run)
    t.start()
    cancel.set()
    t.join(60)
    assert ended


def test_prints_of_many_threads(f, capsys):
    threads = [threading.Thread(target=lambda: [f.says(7) for _ in range(50)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert capsys.readouterr().out == "said 7\n" * 200


def test_the_import_is_light():
    code = "import sconce, sys; print([m for m in ('numpy', 'torch', 'tqdm', 'typing') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-S", "-c", "import sys; sys.path[:0] = " + repr(sys.path) + "\n" + code],
                         capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("body", ["while True: m.f(np.ones(1000), 200)", "m.f(np.ones(1), 1 << 60)", "m.says(1 << 60)"])
def test_the_process_ends_while_daemons_run_models(body):
    code = f"""
import sconce, numpy as np, threading, time
class Ignored:  # daemons that write to sys.stdout then are fatal to Python itself
    def write(self, text):
        pass
m = sconce.compile('''
def f(x: Tensor, n: int) -> Tensor:
    for i in range(n):
        x = x + 1
    return x
def says(n: int) -> None:
    for i in range(n):
        if i % 1000 == 0:
            print(i)
''', stdout=Ignored())
def run():
    {body}
for _ in range(3):
    threading.Thread(target=run, daemon=True).start()
time.sleep(0.2)
"""
    p = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (p.returncode, p.stderr) == (0, "")
