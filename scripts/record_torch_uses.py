#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/torch_uses.txt and tests/torch_programs/*.cpp against LibTorch or sconce/torch.h.

Usage: record_torch_uses.py --record               writes *.out beside them with LibTorch's output (needs a Python with torch)
       record_torch_uses.py --check LIBRARY        compares what they print with sconce's library
Of an exception only its kind is compared, c10::Error or another one; texts differ.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
TESTS = os.path.join(ROOT, "tests")
START = """
#include <chrono>
#include <deque>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>
#include <thread>
static std::string fixture(const std::string& name) { return "%s/" + name; }
"""
FUNCTION = """
static void use_%d([[maybe_unused]] at::Tensor t, [[maybe_unused]] at::Tensor i, [[maybe_unused]] at::Tensor b, [[maybe_unused]] at::Tensor x,
    [[maybe_unused]] torch::jit::Module m, [[maybe_unused]] torch::jit::Module s, [[maybe_unused]] torch::jit::Module post,
    [[maybe_unused]] torch::jit::IValue v, [[maybe_unused]] float* p) { %s }
"""
MAIN = """
template <class F>
static void run(const char* name, F f) {
  std::stringstream text;
  std::streambuf* old = std::cout.rdbuf(text.rdbuf());
  const std::ios initial(nullptr);
  std::cout.copyfmt(initial);
  auto fresh = [] {
    float p[12];
    for (int k = 0; k < 12; ++k) p[k] = (k - 3) * 0.5f;
    auto t = torch::empty({3, 4});
    std::copy(p, p + 12, t.data_ptr<float>());
    return t;
  };
  std::string end;
  try {
    float p[12];
    for (int k = 0; k < 12; ++k) p[k] = (k - 3) * 0.5f;
    at::Tensor t = fresh(), i = torch::tensor({2, 0, 1}, torch::kLong), b = i > 0;
    at::Tensor x = (torch::arange(3072, torch::kFloat) / 3072).view({1, 3, 32, 32});
    torch::jit::Module m = torch::jit::load(fixture("small_cnn.pt")), s = torch::jit::load(fixture("state.pt")),
                       post = torch::jit::load(fixture("postprocess.pt"));
    m.eval();
    c10::Dict<std::string, at::Tensor> d;
    d.insert("a", t);
    torch::jit::IValue v(c10::ivalue::Tuple::create({t, std::vector<at::Tensor>{t, i}, d, 1, 2.5, "s"}));
    f(t, i, b, x, m, s, post, v, p);
  } catch (const c10::Error&) {
    end = "throws an error";
  } catch (const std::exception&) {
    end = "throws an error";
  }
  std::cout.rdbuf(old);
  std::cout.clear();
  std::cout << "== " << name << "\\n" << text.str() << (end.empty() ? "" : "\\n") << end << std::endl;
}
int main() {
%s
}
"""


def uses(path):
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            name, code = line.rstrip("\n").split(" ## ", 1)
            yield name, code


TORCH_LINE = r"#include <(?:torch|ATen|caffe2|c10)/.*>"
LIBTORCH = "#include <torch/script.h>\n#include <torch/torch.h>\n"
SCONCE = "#include <sconce/torch.h>"


def source(cases):
    text = START % os.path.join(ROOT, "fixtures")
    text += "".join(FUNCTION % (k, code) for k, (_, code) in enumerate(cases))
    return text + MAIN % "\n".join(f'  run("{name}", use_{k});' for k, (name, _) in enumerate(cases))


def torch_flags():
    import torch

    folder = os.path.dirname(torch.__file__)
    abi = int(torch._C._GLIBCXX_USE_CXX11_ABI)
    return [f"-I{folder}/include", f"-I{folder}/include/torch/csrc/api/include", f"-D_GLIBCXX_USE_CXX11_ABI={abi}",
            "-std=c++20"], [f"-L{folder}/lib", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{folder}/lib", "-Wl,--no-as-needed"]


def together(paths):
    """The programs, each in a namespace, and a main that runs the one that is named."""
    text, calls = "#include <cstring>\n", ""
    for k, path in enumerate(paths):
        lines = open(path).read().split("\n")
        text += "\n".join(x for x in lines if x.startswith("#include") and not re.match(TORCH_LINE, x)) + "\n"
        body = "\n".join(x for x in lines if not x.startswith("#include"))
        # What is declared of LibTorch is there already.
        body = re.sub(r"namespace torch \{\n.*?\n\}  // namespace torch\n|namespace at \{\n.*?\n\}\n", "", body, flags=re.S)
        text += f"namespace program_{k} {{\n{re.sub('int main[(]', 'int program(', body)}\n}}\n"
        text = text if "(int argc" in body else text + f"namespace program_{k} {{ static int program(int, char**) {{ return program(); }} }}\n"
        calls += f'  if (!std::strcmp(argv[1], "{os.path.basename(path)[:-4]}")) return program_{k}::program(argc - 1, argv + 1);\n'
    return text + f"int main(int argc, char** argv) {{\n{calls}  return 3;\n}}\n"


def build(include, text, out, flags, libraries):
    with open(out + ".cpp", "w") as f:
        f.write(include + "\n" + text)
    subprocess.run(["g++", "-O0", "-w", *flags, out + ".cpp", "-o", out, *libraries], check=True)


def run(program, arguments=()):
    r = subprocess.run([program, *arguments], capture_output=True, text=True, errors="replace")
    return r.stdout + ("" if r.returncode == 0 else f"\nexit status {r.returncode}\n{r.stderr[-2000:]}")


def sections(text):
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1].rstrip("\n") for part in re.split(r"^== ", text, flags=re.M)[1:]}


FRACTION = re.compile(r"([-+]?[0-9]+\.[0-9]+(?:e[-+]?[0-9]+)?)")


def same(want, got):
    """The same text; numbers with fractions may differ by one in the last digit that is printed, as kernels of other instruction sets do."""
    if want is None or got is None:
        return want == got
    a, b = FRACTION.split(want), FRACTION.split(got)
    if len(a) != len(b) or a[::2] != b[::2]:
        return False
    for x, y in zip(a[1::2], b[1::2]):
        digits = len(x.split("e")[0].split(".")[1])
        scale = 10.0 ** int(x.split("e")[1]) if "e" in x else 1.0
        if abs(float(x) - float(y)) > 1.5 * 10.0 ** -digits * scale:
            return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", metavar="LIBRARY")
    parser.add_argument("--only", default="", help="only uses whose name has this in it; with --check")
    parser.add_argument("--program", default="", help="only this program; with --check")
    args = parser.parse_args()
    cases = [c for c in uses(f"{TESTS}/torch_uses.txt") if args.only in c[0]] if not args.program else []
    programs = sorted(glob.glob(f"{TESTS}/torch_programs/{args.program or '*'}.cpp")) if not args.only else []
    if args.record:
        flags, libraries = torch_flags()
    else:
        library = os.path.abspath(args.check)
        flags = ["-std=c++17", f"-I{ROOT}/include"]
        libraries = [library, f"-Wl,-rpath,{os.path.dirname(library)}"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        def used():
            build(LIBTORCH if args.record else SCONCE, source(cases), f"{folder}/uses", flags, libraries)
            return [(f"{TESTS}/torch_uses.out", run(f"{folder}/uses"))]

        def ran(some):
            # The headers take longer than the programs: one translation unit for many of them.
            out = f"{folder}/from_{programs.index(some[0])}"
            headers = {x for path in some for x in re.findall(TORCH_LINE, open(path).read())}
            build(LIBTORCH + "\n".join(sorted(headers)) if args.record else SCONCE, together(some), out, flags, libraries)
            return [(path[:-4] + ".out", run(out, [os.path.basename(path)[:-4], os.path.join(ROOT, "fixtures")])) for path in some]

        def ran_alone(path):
            # As it is, but for its include lines.
            out = f"{folder}/alone_{programs.index(path)}"
            build("", re.sub(TORCH_LINE, SCONCE, open(path).read()), out, flags, libraries)
            return [(path[:-4] + ".out", run(out, [os.path.join(ROOT, "fixtures")]))]

        # What declares LibTorch's names itself is compiled alone.
        alone = [] if args.record else [p for p in programs if re.search(r"^namespace (torch|at) \{", open(p).read(), re.M)]
        rest = [p for p in programs if p not in alone]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = [pool.submit(used)] + [pool.submit(ran, rest[k::4]) for k in range(4) if rest[k::4]] + [pool.submit(ran_alone, p) for p in alone]
            outputs = [o for part in parts for o in part.result()]
    for path, text in outputs:
        if args.record:
            open(path, "w").write(text)
            continue
        expected = open(path).read()
        if path.endswith("torch_uses.out"):
            want, got = sections(expected), sections(text)
            for name, _ in cases:
                if not same(want.get(name), got.get(name)):
                    failed += 1
                    print(f"{name}: expected\n{want.get(name)}\ngot\n{got.get(name, text[-1500:] if not got else None)}\n")
        elif not same(expected, text):
            failed += 1
            print(f"{path}: expected\n{expected}\ngot\n{text}\n")
    if not args.record:
        print(f"{len(cases) + len(programs) - failed} agree, {failed} differ")
    sys.exit(1 if failed else 0)


main()
