# SPDX-License-Identifier: Apache-2.0
"""The engines that compare.py times, each in a process of its own. Entries: ENGINES; serve(), which a process runs.

A process loads one network, tells what loading and the first runs took, then waits: a line with a number of seconds is answered
by the times of the runs that were made in it. The files that it reads are prepare.py's.
"""
import ctypes
import glob
import importlib.metadata
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import time

C = ctypes


class Failure(Exception):
    """Why an engine can't run a network."""


class Sconce:
    """The C API of the shared library, as any program would use it."""
    title, needs = "sconce", ()

    class LoadOptions(C.Structure):
        _fields_ = [("size", C.c_size_t), ("interpret", C.c_int32), ("num_threads", C.c_int32), ("rest", C.c_void_p * 11)]

    def __init__(self, build):
        found = sorted(glob.glob(os.path.join(build, "**", "libsconce.so"), recursive=True))
        if not found:
            raise Failure(f"no libsconce.so in {build}")
        self.path = os.path.realpath(found[0])
        self.lib = C.CDLL(self.path)
        self.lib.sconce_error_message.restype = self.lib.sconce_version.restype = C.c_char_p

    def ask(self, name, *arguments):
        if getattr(self.lib, "sconce_" + name)(*arguments):
            raise Failure(self.lib.sconce_error_message().decode())

    def load(self, files, threads):
        self.module, inputs, n = C.c_void_p(), C.c_void_p(), C.c_size_t()
        options = self.LoadOptions(size=C.sizeof(self.LoadOptions), num_threads=threads)
        self.ask("load", str(files.archive).encode(), C.byref(options), C.byref(self.module))
        self.ask("value_load", str(files.inputs).encode(), C.byref(inputs))
        self.ask("value_length", inputs, C.byref(n))
        self.inputs = (C.c_void_p * n.value)()
        for i in range(n.value):
            item = C.c_void_p()
            self.ask("value_item", inputs, C.c_size_t(i), C.byref(item))
            self.inputs[i] = item
        # As the others optimize for an input's shapes when they load a network.
        self.ask("module_prepare_for", self.module, b"forward", self.inputs, n)
        self.out = C.c_void_p()
        self.call, self.free = self.lib.sconce_module_call, self.lib.sconce_value_free
        self.arguments = (self.module, C.c_char_p(b"forward"), self.inputs, C.c_size_t(n.value), None, C.byref(self.out))

    def run(self):
        self.free(self.out)
        self.out.value = None
        if self.call(*self.arguments):
            raise Failure(self.lib.sconce_error_message().decode())

    def output(self):
        if self.lib.sconce_value_kind(self.out) == 2:  # SCONCE_INT
            number = C.c_int64()
            self.ask("value_int", self.out, C.byref(number))
            return number.value
        n, dense = C.c_int64(), C.c_void_p()
        self.ask("tensor_to", self.out, C.c_int32(6), None, C.byref(dense))  # SCONCE_FLOAT32
        self.ask("tensor_numel", dense, C.byref(n))
        data = (C.c_float * n.value)()
        self.ask("tensor_copy_to", dense, data, C.c_size_t(4 * n.value))
        return bytes(data)

    def about(self):
        stripped = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"libsconce.{os.getpid()}.so")
        size = os.path.getsize(self.path)
        if os.spawnlp(os.P_WAIT, "strip", "strip", "-o", stripped, self.path) == 0:
            size = os.path.getsize(stripped)
            os.unlink(stripped)
        return self.lib.sconce_version().decode(), size


class Torch:
    """PyTorch's eager mode. Its kinds of compiled code inherit what is the same."""
    title, needs, archived = "PyTorch eager", ("torch",), False

    def __init__(self, build):
        import torch
        self.torch = torch

    def load(self, files, threads):
        torch = self.torch
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.mode = torch.inference_mode()
        self.mode.__enter__()
        self.inputs = torch.load(files.inputs)
        self.module = self.prepared(files, threads)

    def prepared(self, files, threads):
        import networks
        return networks.make(files.name)

    def run(self):
        self.out = self.module(*self.inputs)

    def output(self):
        return self.out if isinstance(self.out, int) else self.out.float().contiguous().numpy().tobytes()

    def about(self):
        folder = pathlib.Path(self.torch.__file__).parent / "lib"
        libraries = [f for f in folder.glob("*.so*") if "cuda" not in f.name and "python" not in f.name and f.name.split(".")[0] in (
            "libtorch", "libtorch_cpu", "libc10", "libshm") or f.name.startswith("libgomp")]
        return self.torch.__version__ + " " + self.torch.backends.cpu.get_cpu_capability(), sum(f.stat().st_size for f in libraries)


class TorchScript(Torch):
    title = "TorchScript"

    def prepared(self, files, threads):
        return self.torch.jit.load(str(files.archive))


class TorchScriptOptimized(Torch):
    title = "TorchScript, frozen and optimized"

    def prepared(self, files, threads):
        module = self.torch.jit.load(str(files.archive))
        if not list(module.parameters()):  # there is nothing to freeze, and freeze() takes no such integer function
            return module
        return self.torch.jit.optimize_for_inference(self.torch.jit.freeze(module.eval()))


class Inductor(Torch):
    """Compiled ahead of time by prepare.py: the same kernels as torch.compile's, without Python around them."""
    title = "Inductor, frozen"

    def prepared(self, files, threads):
        return self.torch._inductor.aoti_load_package(str(files.compiled(threads)))


class OnnxRuntime:
    title, needs = "ONNX Runtime", ("onnxruntime", "onnx")

    def __init__(self, build):
        import numpy
        import onnxruntime
        self.numpy, self.ort = numpy, onnxruntime

    def load(self, files, threads):
        options = self.ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        options.graph_optimization_level = self.ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = self.ort.InferenceSession(str(files.onnx), options, providers=["CPUExecutionProvider"])
        arrays = self.numpy.load(files.arrays)
        self.inputs = [self.ort.OrtValue.ortvalue_from_numpy(arrays[k]) for k in arrays.files]
        self.binding = self.session.io_binding()
        for given, value in zip(self.session.get_inputs(), self.inputs):
            self.binding.bind_ortvalue_input(given.name, value)
        self.binding.bind_output(self.session.get_outputs()[0].name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.binding.copy_outputs_to_cpu()[0].astype(self.numpy.float32).tobytes()

    def about(self):
        folder = pathlib.Path(self.ort.__file__).parent / "capi"
        return self.ort.__version__, sum(f.stat().st_size for f in folder.glob("*.so*"))


class OpenVino:
    title, needs, precision = "OpenVINO f32", ("openvino", "onnx"), "f32"

    def __init__(self, build):
        import numpy
        import openvino
        self.numpy, self.ov = numpy, openvino

    def load(self, files, threads):
        core = self.ov.Core()
        settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads)}
        if self.precision:
            settings["INFERENCE_PRECISION_HINT"] = self.precision
        self.compiled = core.compile_model(core.read_model(str(files.onnx)), "CPU", settings)
        self.request = self.compiled.create_infer_request()
        arrays = self.numpy.load(files.arrays)
        for i, k in enumerate(arrays.files[:len(self.compiled.inputs)]):
            self.request.set_input_tensor(i, self.ov.Tensor(arrays[k], shared_memory=False))

    def run(self):
        self.request.infer(share_outputs=True)

    def output(self):
        return self.request.get_output_tensor(0).data.astype(self.numpy.float32).tobytes()

    def about(self):
        folder = pathlib.Path(self.ov.__file__).parent / "libs"
        needed = ("libopenvino.so", "libopenvino_intel_cpu_plugin", "libopenvino_onnx_frontend", "libtbb.so", "libtbbmalloc.so")
        return self.ov.__version__.split("-")[0], sum(f.stat().st_size for f in folder.glob("*.so*") if f.name.startswith(needed))


class OpenVinoDefault(OpenVino):
    title, precision = "OpenVINO default", None


ENGINES = {"sconce": Sconce, "eager": Torch, "torchscript": TorchScript, "ts_optimized": TorchScriptOptimized, "inductor": Inductor,
           "onnxruntime": OnnxRuntime, "openvino": OpenVino, "openvino_default": OpenVinoDefault}


class Files:
    """What prepare.py made of a network. `failed`: why a file of it couldn't be made, by its kind."""

    def __init__(self, folder, name):
        self.name, self.stem = name, pathlib.Path(folder) / name
        self.archive, self.inputs, self.arrays = (self.stem.with_suffix(s) for s in (".pt", ".inputs.pt", ".npz"))
        self.onnx, self.expected, self.notes = (self.stem.with_suffix(s) for s in (".onnx", ".expected", ".json"))
        self.failed = json.loads(self.notes.read_text())["failed"] if self.notes.exists() else {}

    def read_ahead(self):
        """Into the system's memory, so that no engine waits for the disk in place of those after it."""
        for path in self.stem.parent.glob(self.stem.name + ".*"):
            with open(path, "rb") as f:
                while f.read(1 << 24):
                    pass

    def compiled(self, threads):
        return self.stem.with_suffix(f".{os.environ.get('ATEN_CPU_CAPABILITY', 'all')}.{threads}.pt2")

    def missing(self, engine, threads):
        """Why `engine` can't run it, or None."""
        if ENGINES[engine] is Inductor and not self.compiled(threads).exists():
            without = "this machine has no C++ compiler" if not shutil.which(os.environ.get("CXX", "g++")) else "not compiled"
            return self.failed.get(f"inductor {self.compiled(threads).name}", without)
        if "onnx" in ENGINES[engine].needs and not self.onnx.exists():
            return self.failed.get("onnx", "not exported")
        return None


def missing_packages(engine):
    def absent(package):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return True
        return False
    return [p for p in ENGINES[engine].needs if p != "onnx" and absent(p)]


def peak_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def serve(engine, build, cache, name, threads, cores, output):
    """Tells what loading took and writes the answer to `output`; then one line of times for each line of standard input."""
    C.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a stopped process would outlive compare.py
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    os.sched_setaffinity(0, cores)
    clock = time.perf_counter

    def answer(**what):
        print(json.dumps(what), file=answers, flush=True)

    def timed():
        start = clock()
        it.run()
        return (clock() - start) * 1e3

    try:
        bare = peak_mb()
        start = clock()
        it = ENGINES[engine](build)
        imported = clock()
        it.load(Files(cache, name), threads)
        loaded = clock()
        runs = [timed() for _ in range(10 if threads == 1 else 3)]
        peak = peak_mb() - bare
        out = it.output()
        exact = out if isinstance(out, int) else None
        if exact is None:
            pathlib.Path(output).write_bytes(out)
        version, size = it.about()
        until = clock() + 0.3
        for _ in range(200):  # as warm as it gets
            if clock() > until:
                break
            it.run()
        answer(library_ms=(imported - start) * 1e3, load_ms=(loaded - imported) * 1e3, first_ms=runs[0], tenth_ms=runs[-1], peak_mb=peak, library_mb=size / 1e6,
               version=version, exact=exact)
        for line in sys.stdin:
            it.run()  # its weights in the caches again, and its memory where it was before others ran
            stop, times = clock() + float(line), []
            while not times or clock() < stop:
                times.append(timed())
            answer(median=statistics.median(times), best=min(times), runs=len(times))
    except Exception as e:  # whatever an engine throws at a network is a dash in the table, with this reason
        answer(error=f"{type(e).__name__}: {e}".strip()[:400])
