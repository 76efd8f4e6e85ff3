# SPDX-License-Identifier: Apache-2.0
"""examples/ray_batch and examples/spark_batch on real clusters of this machine: right answers, and no row lost or twice when a worker
is killed in the middle. Slow: minutes. scripts/deep cluster runs it, or

    pytest -o markers=slow -m slow tests/test_cluster.py

with sconce, ray[data,serve], pyspark, pandas below 3 and pyarrow, and a Java runtime. SCONCE_FIGURES=FILE: what was seen and measured, as JSON.
"""
import concurrent.futures
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy
import pandas
import pyspark.cloudpickle
import pytest
import ray
import ray.cloudpickle
from ray import serve

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "examples" / "classify" / "objects.pt"
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 lets its workers wait for all else that a machine does
os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")  # and Serve's 5 seconds are short on such a machine
ROWS, PARTITIONS = 2000, 4
TIMED_ROWS = int(os.environ.get("SCONCE_TIMED_ROWS", 8000))
FIGURES = {}


def example(folder, name):
    """A program of the examples as a module that travels to workers by its text, as __main__ does."""
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", ROOT / "examples" / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for pickler in (ray.cloudpickle, pyspark.cloudpickle):
        pickler.register_pickle_by_value(module)
        pickler.register_pickle_by_value(sys.modules[__name__])
    return module


@pytest.fixture(scope="session", autouse=True)
def figures():
    yield
    if path := os.environ.get("SCONCE_FIGURES"):
        pathlib.Path(path).write_text(json.dumps(FIGURES))


# --- In workers: what they do is noted, and one of them waits to be killed.

def watch(folder, ids, hold):
    """Notes who begins which rows when. The first that gets rows past the first third that aren't the first of their partition says so in the
    file `held`, and waits, these rows in hand and others of the partition answered."""
    folder, ids = pathlib.Path(folder), [int(i) for i in ids]
    with open(folder / "batches", "a") as f:
        f.write(json.dumps({"pid": os.getpid(), "time": time.time(), "ids": ids}) + "\n")
    if hold and ids[0] > ROWS // 3 and ids[0] % (ROWS // PARTITIONS) >= 64:
        mine = folder / f"held.{os.getpid()}"
        mine.write_text(json.dumps({"pid": os.getpid(), "ids": ids}))
        with contextlib.suppress(FileExistsError):
            os.link(mine, folder / "held")  # whole or not at all, and only one has it
            time.sleep(600)
            raise SystemError("nobody killed this worker")


def batches(folder):
    return [json.loads(line) for line in (folder / "batches").read_text().splitlines()]


class Killer(threading.Thread):
    """Kills the worker that waits, or the process that `victim` finds from its pid."""

    def __init__(self, folder, victim=lambda pid: pid):
        super().__init__(daemon=True)
        self.folder, self.victim, self.killed, self.time = folder, victim, None, None
        self.start()

    def run(self):
        while not (self.folder / "held").exists():
            time.sleep(0.05)
        self.held = json.loads((self.folder / "held").read_text())
        self.killed = self.victim(self.held["pid"])
        self.time = time.time()
        os.kill(self.killed, signal.SIGKILL)

    def check(self):
        """The kill came while rows were in hand and others not begun; others did them."""
        assert self.killed, "no worker was killed"
        seen = batches(self.folder)
        before = {i for b in seen if b["time"] <= self.time for i in b["ids"]}
        again = [b for b in seen if b["time"] > self.time and set(b["ids"]) & set(self.held["ids"])]
        assert len(before) < ROWS, "the work was over"
        assert any(b["pid"] == self.held["pid"] and 0 < self.held["ids"][0] - b["ids"][0] < ROWS // PARTITIONS for b in seen), "nothing was answered"
        assert {i for b in again for i in b["ids"]} >= set(self.held["ids"]), "rows in hand were not done again"
        assert all(b["pid"] != self.held["pid"] for b in seen if b["time"] > self.time)
        return ROWS - len(before)


def check_answers(table, wanted):
    """Each row once, with the answer that the model gives here. Sizes of batches differ, so that shares may differ in their last bits."""
    table = table.sort_values("id", ignore_index=True)
    assert table["id"].tolist() == list(range(len(wanted["id"]))), "rows are missing or come twice"
    assert table["name"].tolist() == list(wanted["name"])
    assert numpy.abs(table["share"].to_numpy() - wanted["share"]).max() < 1e-5


def rate(folder, workers):
    """Rows a second from the moment when all workers are at work until the last batch is begun; 0 when not all had work."""
    seen = sorted(batches(folder), key=lambda b: b["time"])
    first = {}
    for b in seen:
        first.setdefault(b["pid"], b["time"])
    began, ended = max(first.values()), seen[-1]["time"]
    return 0 if len(first) < workers else round(sum(len(b["ids"]) for b in seen if began <= b["time"] < ended) / (ended - began))


def run_program(program, folder, rows):
    """As the README runs it."""
    r = subprocess.run([sys.executable, program, MODEL, folder, "--rows", str(rows), "--workers", "2"], capture_output=True, text=True, timeout=900)
    assert r.returncode == 0, r.stderr[-2000:]
    assert re.search(rf"^{rows} rows in [\d.]+ s by 2 workers: \d+ rows a second$", r.stdout, re.M), r.stdout
    return pandas.read_parquet(folder)


@pytest.fixture(scope="module")
def wanted():
    """The answers of the model in this process, and that they say something."""
    batch = example("ray_batch", "batch")
    name = batch.Classify(*batch.load(MODEL))
    parts = [name({"id": numpy.arange(i, i + 100)}) for i in range(0, ROWS, 100)]
    answers = {k: numpy.concatenate([p[k] for p in parts]) for k in parts[0]}
    assert len(set(answers["name"])) > 1 and len(set(answers["share"])) > ROWS / 2
    return answers


def first_rows(answers, n):
    return {k: v[:n] for k, v in answers.items()}


# --- Ray

@pytest.fixture(scope="class")
def cluster():
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    serve.shutdown()
    ray.shutdown()


def ray_run(folder, rows, workers, hold=False):
    batch = example("ray_batch", "batch")

    class Watched(batch.Classify):
        def __call__(self, rows):
            watch(folder, rows["id"], hold)
            return super().__call__(rows)

    folder.mkdir()
    batch.classify(MODEL, rows, workers, actor=Watched).write_parquet(str(folder / "out"))
    return pandas.read_parquet(folder / "out")


# --- Ray Serve

def children(pid):
    """Processes below that one: (pid, command line)."""
    parents = {}
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents.setdefault(int((p / "stat").read_text().rsplit(")", 1)[1].split()[1]), []).append(int(p.name))
    found, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            todo.append(child)
            with contextlib.suppress(OSError):
                found.append((child, pathlib.Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()))
    return found


def replicas():
    return {pid for pid, line in children(os.getpid()) if line.startswith("ray::ServeReplica")}


def ask(url, picture, as_json, deadline):
    """The answer and how often it was asked again: Serve does not repeat what a dead replica had in hand, whoever asked does."""
    if as_json:
        body, kind = json.dumps(picture.tolist()).encode(), "application/json"
    else:
        f = io.BytesIO()
        numpy.save(f, picture)
        body, kind = f.getvalue(), "application/octet-stream"
    again = 0
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind}), timeout=60) as r:
                return json.load(r), again
        except urllib.error.HTTPError as e:
            if e.code < 500 or time.time() > deadline:
                raise
        except OSError:
            if time.time() > deadline:
                raise
        again += 1
        time.sleep(0.1)


class TestRay:
    """Ray Data and Ray Serve on one cluster."""

    def test_ray_program(self, tmp_path, wanted):
        check_answers(run_program(ROOT / "examples" / "ray_batch" / "batch.py", tmp_path / "out", 1000), first_rows(wanted, 1000))

    def test_ray_loses_no_row_with_an_actor(self, tmp_path, cluster, wanted):
        folder = tmp_path / "run"
        killer = Killer(folder)
        table = ray_run(folder, ROWS, 2, hold=True)
        left = killer.check()
        check_answers(table, wanted)
        FIGURES["ray"] = {"rows": ROWS, "killed_actors": 1, "rows_left_at_the_kill": left}

    def test_ray_throughput(self, tmp_path, cluster):
        best = {1: 0, 2: 0}
        for i in range(2):
            for workers in best:
                folder = tmp_path / f"{i}.{workers}"
                assert len(ray_run(folder, TIMED_ROWS, workers)) == TIMED_ROWS
                best[workers] = max(best[workers], rate(folder, workers))
        assert all(best.values())
        FIGURES.setdefault("ray", {})["rows_a_second"] = best

    def test_serve(self, cluster, wanted):
        server, batch = example("ray_batch", "serve"), example("ray_batch", "batch")
        port, requests = 8123, 600
        serve.start(http_options={"port": port})
        serve.run(server.application(MODEL, replicas=2))
        url = f"http://127.0.0.1:{port}/"
        before = replicas()
        assert len(before) == 2

        for body in (b"no picture", json.dumps([1, 2]).encode()):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=60)

        pictures = batch.pictures(numpy.arange(requests))
        deadline = time.time() + 900
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(ask, url, pictures[i], i % 4 == 0, deadline) for i in range(requests)]
            while sum(a.done() for a in asked) < requests // 3:
                time.sleep(0.01)
            killed = min(before)
            os.kill(killed, signal.SIGKILL)
            left = sum(not a.done() for a in asked)
            answers = [a.result() for a in asked]
        assert left > requests // 3, "the work was over"
        for i, (answer, _) in enumerate(answers):
            assert answer["name"] == wanted["name"][i] and abs(answer["share"] - wanted["share"][i]) < 1e-5, i
        largest = max(answer["batch"] for answer, _ in answers)
        assert largest > 1
        while replicas() == before - {killed} and time.time() < deadline:
            time.sleep(0.1)
        assert len(replicas() - before) == 1, "the killed replica was not replaced"
        FIGURES["serve"] = {"requests": requests, "largest_batch": largest, "killed_replicas": 1, "requests_left_at_the_kill": left,
                            "asked_again": sum(again for _, again in answers)}


# --- Spark

def spark_run(spark, folder, rows, partitions, hold=False):
    batch = example("spark_batch", "batch")
    draw = batch.pictures

    def pictures(ids):
        watch(folder, ids, hold)
        return draw(ids)

    batch.pictures = pictures
    folder.mkdir()
    batch.classify(spark, MODEL, rows, partitions).write.parquet(str(folder / "out"))
    return pandas.read_parquet(folder / "out")


@pytest.fixture(scope="class")
def spark():
    spark = example("spark_batch", "batch").session("local-cluster[2,1,1024]")
    spark.sparkContext.setLogLevel("OFF")
    yield spark
    spark.stop()


def executor_of(pid):
    """The Java process above a Python worker."""
    while pid > 1:
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        if b"CoarseGrainedExecutorBackend" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("there is no executor above the worker")


class TestSpark:
    """A cluster that Ray's is gone for."""

    def test_spark_program(self, tmp_path, wanted):
        check_answers(run_program(ROOT / "examples" / "spark_batch" / "batch.py", tmp_path / "out", 1000), first_rows(wanted, 1000))

    @pytest.mark.parametrize("victim", ["python_worker", "executor"])
    def test_spark_loses_no_row_with(self, victim, tmp_path, spark, wanted):
        folder = tmp_path / "run"
        killer = Killer(folder, executor_of if victim == "executor" else lambda pid: pid)
        table = spark_run(spark, folder, ROWS, PARTITIONS, hold=True)
        left = killer.check()
        check_answers(table, wanted)
        f = FIGURES.setdefault("spark", {"rows": 0})
        f["rows"] += ROWS
        f[f"killed_{victim}s"] = 1
        f[f"rows_left_at_the_kill_of_the_{victim}"] = left

    def test_spark_throughput(self, tmp_path, spark):
        best = {1: 0, 2: 0}
        for i in range(3):
            for workers in best:  # a partition for each that works
                folder = tmp_path / f"{i}.{workers}"
                assert len(spark_run(spark, folder, TIMED_ROWS, workers)) == TIMED_ROWS
                best[workers] = max(best[workers], rate(folder, workers))
        assert all(best.values())
        FIGURES.setdefault("spark", {})["rows_a_second"] = best
