// SPDX-License-Identifier: Apache-2.0
// Files: archives of odd kinds, torch.save files, and what is said of files that are something
// else. tests/files is made by fixtures/make_files.py.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "compare.h"
#include "sconce/sconce.h"
#include "zip_files.h"

using namespace sconce;

namespace {

std::string file(const std::string& name) {
  return std::string(SCONCE_FIXTURES) + "/../tests/files/" + name;
}
std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}
const IValue& at(const IValue& dict, const char* key) {
  const IValue* v = dict.toDictRef().find(IValue(std::string(key)));
  REQUIRE(v);
  return *v;
}
Tensor tensor_at(const IValue& dict, const char* key) { return at(dict, key).toTensor(); }
bool equal(const Tensor& a, const Tensor& b) {
  return !tool::difference(a, b, tool::Tolerance{"close", 1e-5, 1e-6}, "answer");
}
std::vector<int64_t> ints(const IValue& list) {
  std::vector<int64_t> r;
  for (auto& x : list.toListRef().items) r.push_back(x.toInt());
  return r;
}
using Ints = std::vector<int64_t>;

// What load() says of a file that begins so.
std::string refusal(const std::string& bytes) {
  try {
    (void)load(bytes.data(), bytes.size());
  } catch (const FormatError& e) {
    return e.what();
  }
  return "loaded";
}
// What load_pickle() says of a file.
std::string pickle_refusal(const std::string& path) {
  try {
    (void)load_pickle(path);
  } catch (const FormatError& e) {
    return e.what();
  }
  return "loaded";
}
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes) {
    const int fd = mkstemp(path_.data());
    REQUIRE(fd >= 0);
    close(fd);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "sconce_XXXXXX").string();
};

// A zip file of records that hold nothing.
std::string empty_records(const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, std::string>> records;
  for (auto& n : names) records.emplace_back(n, "");
  return zip_of(records);
}

}  // namespace

TEST_CASE("layers packed for XNNPACK run as plain layers with a clamp") {
  Module m = load(file("xnnpack.pt"));
  IValue answers = load_pickle(file("xnnpack_answers.pth"));
  Tensor x = tensor_at(answers, "x"), image = tensor_at(answers, "image");
  for (const char* method : {"linear", "conv", "transposed"}) {
    INFO(method);
    Tensor in = std::string(method) == "linear" ? x : image;
    CHECK(equal(m.run_method(method, {in}).toTensor(), tensor_at(answers, method)));
  }
  CHECK(equal(m.run_method("packed", {x, tensor_at(answers, "w")}).toTensor(),
              tensor_at(answers, "packed")));
  auto sizes = m.run_method("sizes", {}).toTupleRef().items;
  CHECK(ints(sizes[0]) == Ints{3, 4});
  CHECK(ints(sizes[1]) == Ints{3});
  CHECK(ints(sizes[2]) == Ints{2, 1});
  CHECK(m.missing_operators().empty());
}

TEST_CASE("packed parameters of quantised layers have their methods") {
  Module m = load(file("packed_methods.pt"));
  auto out = m.forward({}).toTupleRef().items;
  CHECK(out[0].toTensor().data_ptr<float>()[0] == 2 * 3 * 9 + 2 + 2);
  CHECK(ints(out[1]) == Ints{2, 1});
  CHECK(ints(out[2]) == Ints{0, 1});
  CHECK(out[3].toInt() == 1);
  CHECK(!out[4].toBool());
  // PyTorch has the methods in C++: its graphs keep the calls.
  CHECK(m.inlined_graph_text("forward").find("prim::CallMethod[name=\"unpack\"]") !=
        std::string::npos);
}

TEST_CASE("what doesn't touch an absent class runs") {
  Module m = load(file("absent_class.pt"));
  CHECK(m.forward({ones({2})}).toTensor().data_ptr<float>()[0] == 2);
  const std::string cls =
      "class __torch__.torch.classes.mylib.Thing belongs to a library that is not here: ";
  CHECK_THROWS_WITH(m.run_method("use", {ones({2})}),
                    Catch::EndsWith(cls + "its method run can't be called"));
  CHECK_THROWS_WITH(m.run_method("make", {ones({2})}),
                    Catch::EndsWith(cls + "an object can't be made"));
  CHECK_THROWS_AS(m.run_method("use", {ones({2})}), MissingOp);
  CHECK(m.missing_operators().size() == 3);
}

TEST_CASE("names that PyTorch can't read back are read") {
  Module m = load(file("names.pt"));
  CHECK(m.forward({ones({1})}).toTensor().data_ptr<float>()[0] == 20);
  CHECK(m.named_buffers().at(0).name == "\xce\xb1");
}

TEST_CASE("lists and tensors as torch 1.1 pickled them, and its quantised tensors") {
  auto out = load(file("old_lists.pt")).forward({zeros({2})}).toTupleRef().items;
  CHECK(out[0].toTensor().data_ptr<float>()[1] == 2.5f);
  CHECK(ints(out[1]) == Ints{1, 2, 3});
  CHECK(out[2].toTensor().data_ptr<float>()[0] == 1.f);
  CHECK(out[2].toTensor().data_ptr<float>()[1] == -3.f);
}

TEST_CASE("what torch.save files hold") {
  for (const char* name : {"values.pth", "values_protocol4.pth", "values_protocol5.pth"}) {
    INFO(name);
    IValue v = load_pickle(file(name));
    CHECK(at(v, "version").toString() == "2.1.0");
    CHECK(at(v, "float64").toDouble() == 2.5);
    CHECK(at(v, "float32").toDouble() == 0.5);
    CHECK(at(v, "int32").toInt() == -7);
    CHECK(at(v, "bool_").toBool());
    CHECK(at(v, "complex").toComplexDouble() == std::complex<double>(1, 2));
    Tensor array = tensor_at(v, "array"), fortran = tensor_at(v, "fortran"),
           big = tensor_at(v, "big_endian");
    CHECK(array.dtype() == kShort);
    CHECK(array.data_ptr<int16_t>()[2] == 3);
    CHECK(fortran.strides().vec() == Ints{1, 2});
    CHECK(fortran.data_ptr<double>()[1] == 3);
    CHECK(big.data_ptr<int32_t>()[1] == 256);
    CHECK(tensor_at(v, "flags").dtype() == kBool);
    CHECK(ints(at(v, "size")) == Ints{2, 3});
    CHECK(at(v, "dtype").toInt() == 5);
    CHECK(at(v, "layout").toInt() == 2);
    CHECK(at(v, "scheme").toInt() == 1);
    CHECK(at(v, "device").toDevice().str() == "cuda:1");
    CHECK(tensor_at(v, "parameter").requires_grad());
    CHECK(at(at(v, "ordered"), "b").toInt() == 2);
    CHECK(at(at(v, "counter"), "a").toInt() == 2);
    CHECK(ints(at(at(v, "defaultdict"), "k")) == Ints{1});
    CHECK(ints(at(v, "set")) == Ints{4});
    CHECK(at(v, "frozenset").toListRef().items[0].toString() == "x");
    CHECK(ints(at(v, "deque")) == Ints{1, 2});
    CHECK(at(v, "bytes").toString() == "a\xff");
    CHECK(at(v, "bytearray").toString() == "b\x80");
    CHECK(at(at(v, "namespace"), "lr").toDouble() == 0.1);
    CHECK(at(v, "path").toString() == "/a/b");
    CHECK(tensor_at(v, "storage").dtype() == kByte);
    CHECK(tensor_at(v, "typed").data_ptr<float>()[5] == 5);
    CHECK(tensor_at(v, "slice").data_ptr<float>()[0] == 2);
    CHECK(at(v, "pair").toTupleRef().items[0].toInt() == 4);
    CHECK(at(v, "pair").toTupleRef().items[1].toTupleRef().items[1].toString() == "x");
    CHECK(tensor_at(v, "meta").device().str() == "meta");
    CHECK(tensor_at(v, "float8").dtype() == ScalarType::Float8_e5m2);
    CHECK(at(v, "long").toInt() == int64_t{1} << 40);
    CHECK(at(v, "none").isNone());
    CHECK(tensor_at(v, "quantised_1_2").quantizer()->zero_point == 1);
    CHECK(tensor_at(v, "quantised_1_3").quantizer()->zero_points == std::vector<double>{0, 1});
    CHECK(tensor_at(v, "quantised").quantizer()->scales == std::vector<double>{0.5, 0.25});
  }
}

TEST_CASE("the stream that torch.save wrote before 1.6") {
  IValue v = load_pickle(file("stream.pth"));
  Tensor tied = tensor_at(v, "tied"), other = tensor_at(v, "other");
  CHECK(tensor_at(v, "weight").data_ptr<float>()[3] == 1);
  CHECK(other.data_ptr<float>()[3] == 5);
  CHECK(tied.data_ptr<float>() + 2 == other.data_ptr<float>());
  CHECK(tensor_at(v, "n").data_ptr<int64_t>()[0] == 3);
  // Cut anywhere, it is a clear error.
  const std::string bytes = bytes_of(file("stream.pth"));
  for (size_t n = 0; n < bytes.size(); n += 5) {
    TemporaryFile cut(bytes.substr(0, n));
    CHECK_THROWS_AS(load_pickle(cut.path()), FormatError);
  }
}

TEST_CASE("flipped bytes of torch.save files never crash") {
  for (const char* name : {"stream.pth", "values.pth", "values_protocol4.pth"}) {
    const std::string bytes = bytes_of(file(name));
    for (size_t i = 0; i < bytes.size(); i += 3) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ 0x15);
      TemporaryFile f(broken);
      try {
        (void)load_pickle(f.path());
      } catch (const Error&) {
        // the usual outcome
      }
    }
  }
  SUCCEED();
}

TEST_CASE("flipped bytes of archives of odd kinds never crash") {
  struct Archive {
    const char *name, *method;
    std::vector<int64_t> input;  // empty: no argument
  };
  for (const Archive& a :
       {Archive{"xnnpack.pt", "linear", {2, 4}}, Archive{"xnnpack.pt", "conv", {1, 4, 5, 6}},
        Archive{"xnnpack.pt", "transposed", {1, 4, 5, 6}}, Archive{"xnnpack.pt", "sizes", {}},
        Archive{"absent_class.pt", "make", {2}}, Archive{"names.pt", "forward", {1}},
        Archive{"old_lists.pt", "forward", {2}}, Archive{"packed_methods.pt", "forward", {}}}) {
    const std::string bytes = bytes_of(file(a.name));
    for (size_t i = 0; i < bytes.size(); i += 5) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ 0x15);
      try {
        std::vector<IValue> in;
        if (!a.input.empty()) in.emplace_back(ones(a.input));
        (void)load(broken.data(), broken.size()).run_method(a.method, std::move(in));
      } catch (const Error&) {
        // the usual outcome
      }
    }
  }
  SUCCEED();
}

TEST_CASE("torch.save files that hold more than values are refused by name") {
  CHECK(pickle_refusal(file("whole_module.pth")) ==
        file("whole_module.pth") +
            ":data.pkl: the file holds an object of the Python class models.whole.Whole, which "
            "only its "
            "Python code can rebuild; save tensors, numbers, texts and containers of them (a "
            "state_dict) "
            "(byte 26)");
  CHECK_THAT(pickle_refusal(file("sparse.pth")),
             Catch::Contains("the file holds a sparse tensor; only dense ones can be read"));
  CHECK_THAT(
      pickle_refusal(file("xnnpack.pt")),
      Catch::EndsWith(": a TorchScript archive, which load() reads; load_pickle() is for files of "
                      "torch.save"));
}

TEST_CASE("a file that is something else is named") {
  const std::string program =
      "; export the model from PyTorch with torch.jit.script or torch.jit.trace, and "
      "torch.jit.save";
  const std::string save =
      "; it has values (weights), but no program. Rebuild the model in Python, torch.jit.script or "
      "torch.jit.trace it, and torch.jit.save it; load_pickle() reads the values";
  auto nul = [](std::string s, size_t n) { return s + std::string(n, '\0'); };
  const std::pair<std::string, std::string> kFiles[] = {
      {"", "the file is empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n",
       "a Git LFS pointer, not the file that it stands for; run `git lfs pull` where it comes "
       "from"},
      {"\n <!DOCTYPE html><html>",
       "an HTML page, not a model (did a download fail, or need a login?)"},
      {"<?xml version=\"1.0\"?><Error/>", "an XML text, not a model (did a download fail?)"},
      {"{\"error\": \"not found\"}", "a JSON text, not a model (did a download fail?)"},
      {"import torch\nmodel = 3\n", "a text, not a model; it begins with \"import torch\""},
      {std::string("\x08\x07\x12\x07pytorch\x1a\x03", 13), "an ONNX model" + program},
      {nul("\x10", 7) + "{\"a\":{}}        ",
       "a safetensors file: weights without a program" + program},
      {nul("GGUF", 30), "a GGUF file (llama.cpp): weights without a PyTorch program" + program},
      {nul("\x1f\x8b\x08", 30), "compressed with gzip; unpack it first (gunzip, or tar -xzf)"},
      {nul("\x89HDF\r\n\x1a\n", 30), "an HDF5 file (weights of Keras, or MATLAB data)" + program},
      {nul("\x93NUMPY\x01", 30), "a NumPy array (.npy), not a model"},
      {nul(std::string("\x1c\0\0\0PTMF", 8), 30),
       "a mobile FlatBuffer module (_save_for_lite_interpreter with flatbuffers): bytecode without "
       "source; "
       "save the model with torch.jit.save"},
      {nul(std::string("\x1c\0\0\0TFL3", 8), 30), "a TensorFlow Lite model" + program},
      {nul("pickle", 251) + nul("ustar", 250),
       "written by torch.save of PyTorch 0.1 (a tar file), which can't be read; load it in PyTorch "
       "and save "
       "it again"},
      {nul("model.ckpt", 247) + nul("ustar", 250),
       "a tar file; unpack it first (its first file is model.ckpt)"},
      {bytes_of(file("stream.pth")),
       "written by torch.save in its old form (before PyTorch 1.6)" + save},
      {nul("\x80\x04\x95", 30), "a Python pickle that torch.save didn't write; it can't be read"},
      {std::string(100, '\0'), "the file begins with zeros alone (was a copy cut?)"},
      {nul("\x7f"
           "ELF",
           60),
       "a compiled library or program (ELF), not an archive"},
      {nul("PK\x05\x06", 18), "an empty zip file"},
      {nul("PK\x03\x04", 100), "no end of the zip directory (is the file truncated?)"},
      {bytes_of(file("values.pth")), "written by torch.save, not by torch.jit.save" + save},
      {empty_records({"m/archive_format", "m/models/model.json"}),
       "a torch.export archive (.pt2), not TorchScript" + program},
      {empty_records({"serialized_exported_program.json", "version"}),
       "a torch.export archive (.pt2), not TorchScript" + program},
      {empty_records({"m/archive_format", "m/data/aotinductor/model/a.so"}),
       "an AOTInductor package: compiled for one machine, without a TorchScript program" + program},
      {empty_records({"m/.data/extern_modules", "m/.data/version"}),
       "a torch.package archive: Python modules, not one TorchScript program; load it in Python "
       "and "
       "torch.jit.save the model"},
      {empty_records({"a.npy", "b.npy"}), "NumPy arrays (.npz), not a model"},
      {empty_records({"config.json", "model.weights.h5"}), "a Keras or TensorFlow model" + program},
      {empty_records({"MAR-INF/MANIFEST.json", "model.pt"}),
       "a TorchServe archive (.mar); unpack it: the model is one of its files"},
      {empty_records({"m/bytecode.pkl", "m/data.pkl"}),
       "a mobile archive with bytecode alone; save the model with torch.jit.save"},
      {empty_records({"m/bytecode.pkl", "m/data.pkl", "m/constants.pkl"}),
       "a mobile archive with bytecode alone; save the model with torch.jit.save"},
      {empty_records({"data.pkl", "constants.pkl", "version"}),
       "an archive without its top folder (was it unpacked and zipped again?); zip the folder, not "
       "its "
       "inside"},
      {empty_records({"a/b/data.pkl", "a/b/constants.pkl"}),
       "a zip file with an unpacked archive in its folder a/b; zip that folder alone"},
      {empty_records({"readme.txt", "net/model.pt"}),
       "a zip file that holds net/model.pt; unpack it first"},
      {empty_records({"readme.txt"}), "the archive has no top folder"},
      {empty_records({"a/readme.txt"}), "no TorchScript archive (constants.pkl is missing)"},
  };
  for (auto& [bytes, kind] : kFiles) CHECK(refusal(bytes) == "<memory>: " + kind);
  CHECK_THROWS_WITH(load(SCONCE_FIXTURES), Catch::EndsWith(": a directory; a model is one file"));
}

namespace {
// A pickle of protocol 2 in a torch.save file.
std::string load_values(const std::string& opcodes) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  TemporaryFile f(magic + "\x80\x02M\xe9\x03." + "\x80\x02}." + "\x80\x02" + opcodes + "." +
                  "\x80\x02].");
  try {
    (void)load_pickle(f.path());
  } catch (const FormatError& e) {
    const std::string text = e.what();
    return text.substr(text.find(":value: ") + 8);
  }
  return "loaded";
}
std::string repeat(const std::string& s, int n) {
  std::string r;
  for (int i = 0; i < n; ++i) r += s;
  return r;
}
}  // namespace

TEST_CASE("hostile pickles") {
  const std::string list = "]q\x01", again = "h\x01";
  CHECK(load_values("N") == "loaded");
  // Containers that hold each other, or grow under the one that holds them.
  CHECK(load_values("]q\x01"
                    "h\x01"
                    "a") == "a list contains itself (byte 8)");
  CHECK(load_values("]q\x01]q\x02h\x01"
                    "ah\x01h\x02"
                    "a") == "a container changes after it was put into another (byte 16)");
  CHECK_THAT(load_values(repeat("]", 3000) + repeat("a", 2999)),
             Catch::StartsWith("values are nested too deeply"));
  // Tuples that hold globals.
  CHECK_THAT(load_values("ctorch\nfloat32\n" + repeat("\x85", 3000)),
             Catch::StartsWith("values are nested too deeply"));
  // A function that is told to call itself.
  CHECK_THAT(load_values("ctorch._tensor\n_rebuild_from_type_v2\nq\x01(h\x01"
                         "ctorch\nTensor\n(h\x01"
                         "ctorch\nTensor\n)NtNtR"),
             Catch::StartsWith("_rebuild_from_type_v2 calls itself"));
  // One text decoded again and again.
  CHECK_THAT(load_values("X" + std::string("\x00\x10\x00\x00", 4) + std::string(4096, 'a') +
                         "q\x01" + "X" + std::string("\x06\x00\x00\x00", 4) + "latin1q\x02" +
                         "c_codecs\nencode\nq\x03(" + repeat("h\x03h\x01h\x02\x86R", 200) + "t"),
             Catch::StartsWith("the pickle unfolds to far more than it holds"));
  CHECK(load_values("cos\nsystem\nX\x02" + std::string("\0\0\0", 3) + "ls\x85R") ==
        "the global os.system is not known; tensors, numbers, texts and containers of them are "
        "read, and "
        "nothing is executed (byte 22)");
  CHECK_THAT(load_values("cnumpy\ndtype\nX\x02" + std::string("\0\0\0", 3) + "O8\x89\x88\x87R"),
             Catch::StartsWith("numpy.dtype O8 is not known; only plain numbers are"));
  CHECK_THAT(load_values("\x8a\x09" + std::string("\0\0\0\0\0\0\0\0\x01", 9)),
             Catch::StartsWith("an integer has more than 64 bits"));
}
