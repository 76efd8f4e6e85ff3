// SPDX-License-Identifier: Apache-2.0
// Module::save: what was saved is what was there, and what can't be saved or written loses nothing.
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/runtime.h"
#include "compare.h"
#include "loader/zip.h"
#include "sconce/sconce.h"
#include "support/platform.h"
#include "zip_files.h"

using namespace sconce;
namespace fs = std::filesystem;

namespace {

std::string fixture(const std::string& name) { return std::string(SCONCE_FIXTURES) + "/" + name; }

std::string saved(const Module& m, const SaveOptions& options = {}) {
  std::ostringstream out;
  m.save(out, options);
  return out.str();
}
Module loaded(const std::string& bytes, const LoadOptions& options = {}) {
  return load(bytes.data(), bytes.size(), options);
}
Module again(const Module& m, const SaveOptions& options = {}) { return loaded(saved(m, options)); }

zip::Archive archive(const std::string& bytes) {
  Bytes b;
  b.data = reinterpret_cast<const unsigned char*>(bytes.data());
  b.size = bytes.size();
  return zip::Archive(b, "<saved>");
}

std::string text_of(const std::string& s) { return "X" + little_endian(s.size(), 4) + s; }
// A module of class `name` with this code, whose attributes are told by a pickled dict's items.
std::string module_file(const std::string& code, const std::string& items,
                        const std::string& module = "__torch__", const std::string& name = "M") {
  std::string path = module;
  for (char& c : path)
    if (c == '.') c = '/';
  return zip_of({{"m/data.pkl",
                  "\x80\x02"
                  "c" +
                      module + "\n" + name + "\n)\x81}(" + items + "ub."},
                 {"m/code/" + path + ".py", code},
                 {"m/constants.pkl", "\x80\x02)."},
                 {"m/version", "3\n"}});
}

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "sconce-save-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
};

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Takes so many bytes and no more.
struct Full final : std::streambuf {
  explicit Full(size_t n) : left(n) {}
  size_t left;
  int overflow(int c) override { return left ? --left, c : EOF; }
  std::streamsize xsputn(const char*, std::streamsize n) override {
    const auto taken = std::min(static_cast<size_t>(n), left);
    left -= taken;
    return static_cast<std::streamsize>(taken);
  }
};

constexpr const char* kProgram = R"(
def many(x: Tensor, n: int=3, names: List[str]=["a", "b"], *, scale: float=0.1) -> Tuple[Tensor, Dict[str, int]]:
  counts = annotate(Dict[str, int], {})
  y = x
  for i in range(n):
    if i == 2:
      continue
    y = y + scale * i
    counts[names[i % len(names)]] = i
  k = 0
  while bool(y.sum() < 100):
    y = y * 2 - 1e-3
    k += 1
    if k > 5:
      break
  counts["quote \" \\ \n\t\r\x"] = -9223372036854775807
  return (y, counts)
def numbers() -> Tuple[float, float, float, complex, str, List[int], Optional[int]]:
  return (10000000000.0, -0.0, inf, 1.5-2.5j, "text", [1, -2], None)
def ask(x: Optional[Tensor], d: Device) -> Union[int, str]:
  if x is None:
    return "none"
  z = torch.zeros([1], device=d)
  return int(x.sum() + z.sum())
)";

std::string program() {
  std::string s = kProgram;
  return s.replace(s.find("\\r\\x"), 4, "");
}

}  // namespace

TEST_CASE("a saved module has the same graphs") {
  for (auto& entry : fs::directory_iterator(SCONCE_FIXTURES)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".pt" || name.find(".io.pt") != std::string::npos) continue;
    INFO(name);
    Module m;
    try {
      m = load(entry.path().string());
      m.compile_all();
    } catch (const Error&) {
      continue;
    }
    Module copy = again(m);
    CHECK(copy.class_name() == m.class_name());
    REQUIRE(copy.method_names() == m.method_names());
    for (auto& method : m.method_names())
      CHECK(tool::normalized_graph(copy.graph_text(method)) ==
            tool::normalized_graph(m.graph_text(method)));
    auto a = m.state_dict(), b = copy.state_dict();
    REQUIRE(a.size() == b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      CHECK(a[i].name == b[i].name);
      CHECK(ivalue_str(a[i].value) == ivalue_str(b[i].value));
    }
  }
}

TEST_CASE("functions of source text are saved as methods, with the same answers") {
  Module m = compile(program());
  Module copy = again(m);
  for (const char* name : {"many", "numbers", "ask"}) REQUIRE(copy.has_method(name));
  auto both = [&](const char* name, std::vector<IValue> in) {
    CHECK(ivalue_str(copy.run_method(name, in)) == ivalue_str(m.run_method(name, in)));
  };
  both("many", {ones({2, 3})});
  both("many", {full({2}, 7), 5});
  both("numbers", {});
  both("ask", {IValue(), Device{}});
  both("ask", {ones({4}), Device{}});
  // What was saved can be saved.
  CHECK(ivalue_str(again(copy).run_method("numbers", {})) ==
        ivalue_str(m.run_method("numbers", {})));
}

TEST_CASE("changes are saved: a weight, a method") {
  Module m = load(fixture("mlp.pt"));
  m.define("def twice(self, x: Tensor) -> Tensor:\n  return self.forward(x) * 2\n");
  const Tensor x = ones({1, 32});
  Tensor weight = m.named_parameters()[0].value;
  weight.fill_(0.25);
  Module copy = again(m);
  CHECK(ivalue_str(copy.run_method("twice", {x})) == ivalue_str(m.run_method("twice", {x})));
  CHECK(ivalue_str(copy.named_parameters()[0].value) == ivalue_str(weight));
}

TEST_CASE("records begin at multiples of 64 and are told by their checksums") {
  const std::string bytes = saved(load(fixture("mlp.pt")));
  zip::Archive z = archive(bytes);
  for (auto& record : z.records()) {
    Bytes b = z.read(record);
    CHECK((reinterpret_cast<const char*>(b.data) - bytes.data()) % 64 == 0);
  }
  CHECK(z.read_text("version") == "3\n");
  CHECK(z.read_text("byteorder") == "little");
  CHECK(z.read_text(".data/serialization_id").size() == 40);
}

TEST_CASE("options of saving") {
  Module m = load(fixture("mlp.pt"));
  SECTION("no lines of the original") {
    SaveOptions o;
    o.strip_debug = true;
    for (auto& r : archive(saved(m, o)).records()) CHECK(r.find(".debug_pkl") == std::string::npos);
  }
  SECTION("extra files") {
    SaveOptions o;
    o.extra_files["note.txt"] = std::string("a\0b", 3);
    std::map<std::string, std::string> extra{{"note.txt", ""}};
    LoadOptions l;
    l.extra_files = &extra;
    loaded(saved(m, o), l);
    CHECK(extra["note.txt"] == std::string("a\0b", 3));
    for (const char* name : {"", "../x", "/x", "a/../b", "a\\b", "a\nb", "a//b"}) {
      SaveOptions bad;
      bad.extra_files[name] = "";
      CHECK_THROWS_AS(saved(m, bad), Error);
    }
    o.extra_files["NOTE.txt"] = "";
    CHECK_THROWS_WITH(saved(m, o), Catch::Contains("the case of letters"));
  }
  SECTION("versions") {
    Module division = compile("def f(x: Tensor) -> Tensor:\n  return torch.div(x, 2)\n");
    CHECK(archive(saved(division)).read_text("version") == "4\n");
    SaveOptions o;
    o.file_version = 3;
    CHECK_THROWS_WITH(saved(division, o), Catch::Contains("aten::div"));
    o.file_version = 10;
    CHECK(archive(saved(division, o)).read_text(".data/version") == "10\n");
    o.file_version = 11;
    CHECK_THROWS_AS(saved(division, o), Error);
    Module gelu = compile("def f(x: Tensor) -> Tensor:\n  return torch.gelu(x)\n");
    CHECK(archive(saved(gelu)).read_text(".data/version") == "10\n");
  }
  SECTION("devices in the code") {
    Module made = compile(
        "def f(x: Tensor) -> Tensor:\n  return torch.zeros([2], "
        "device=torch.device(\"cuda:1\"))\n");
    SaveOptions o;
    o.device = Device{};
    CHECK(again(made).graph_text("f").find("cuda:1") != std::string::npos);
    CHECK(again(made, o).graph_text("f").find("cuda:1") == std::string::npos);
  }
}

TEST_CASE("equal tensors are in a file once and stay two") {
  const std::string code =
      "class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  a : Tensor\n  b : Tensor\n"
      "  def forward(self) -> Tensor:\n    _0 = torch.add_(self.a, 1)\n    return self.b\n";
  auto tensor = [](const std::string& key) {
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + text_of("storage") + "ctorch\nFloatStorage\n" +
           text_of(key) + text_of("cpu") + "K\x02tQK" + std::string(1, '\0') +
           "(K\x02t(K\x01t\x89" + "ccollections\nOrderedDict\n)RtR";
  };
  const std::string numbers(8, '\0');
  const std::string file =
      zip_of({{"m/data/0", numbers},
              {"m/data/1", numbers},
              {"m/data.pkl",
               "\x80\x02"
               "c__torch__\nM\n)\x81}(" +
                   text_of("a") + tensor("0") + text_of("b") + tensor("1") + "ub."},
              {"m/code/__torch__.py", code},
              {"m/constants.pkl", "\x80\x02)."},
              {"m/version", "3\n"}});
  SaveOptions o;
  o.dedupe = true;
  const std::string bytes = saved(loaded(file), o);
  CHECK(!archive(bytes).has("data/1"));
  CHECK(loaded(bytes).forward({}).toTensor()[1].item<double>() == Approx(0));
}

TEST_CASE("a file that can't be written leaves the old one") {
  Folder folder;
  const std::string path = folder / "model.pt";
  Module m = load(fixture("small_cnn.pt"));
  std::ofstream(path) << "old";
  struct rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  struct rlimit small = before;
  small.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &small);
  CHECK_THROWS_WITH(m.save(path), Catch::Contains("cannot write " + path));
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(content(path) == "old");
  CHECK(folder.files() == 1);
  // A graph that has no text: nothing is written either.
  Module odd =
      loaded(module_file("class M(Module):\n  def forward(self, x: Tensor) -> Tensor:\n"
                         "    return ops.nobody.knows(x)\n",
                         ""));
  CHECK_THROWS_WITH(odd.save(path), Catch::Contains("nobody::knows"));
  CHECK(content(path) == "old");
  CHECK_THROWS_AS(m.save(folder / "no/such/folder.pt"), Error);
  CHECK_THROWS_WITH(m.save(folder.path.string()), Catch::Contains("a directory"));
  m.save(path);
  CHECK(folder.files() == 1);
  CHECK(load(path).has_method("forward"));
  // Over the file that the module is mapped from.
  Module mapped = load(path);
  mapped.save(path);
  CHECK(load(path).state_dict().size() == m.state_dict().size());
  // Where a link stands, the file that it names.
  fs::create_symlink(path, folder / "link.pt");
  m.save(folder / "link.pt");
  CHECK(fs::is_symlink(folder / "link.pt"));
}

TEST_CASE("a stream that takes no more is an error") {
  Module m = load(fixture("mlp.pt"));
  for (size_t n : {size_t{0}, size_t{100}, size_t{3000}}) {
    Full full(n);
    std::ostream out(&full);
    CHECK_THROWS_WITH(m.save(out), Catch::Contains("the stream takes no more"));
  }
}

TEST_CASE("names that would break out are escaped or refused") {
  const std::string odd = "x\"] = int\n  y";
  const std::string escaped = "x\\\"] = int\\n  y";
  Module m = loaded(module_file("class M(Module):\n  __annotations__ = []\n  __annotations__[\"" +
                                    escaped +
                                    "\"] = int\n  __annotations__[\"if\"] = int\n"
                                    "  def forward(self) -> int:\n    return getattr(self, \"" +
                                    escaped + "\") + getattr(self, \"if\")\n",
                                text_of(odd) + "K\x05" + text_of("if") + "K\x06"));
  Module copy = again(m);
  CHECK(copy.attr(odd).toInt() == 5);
  CHECK(copy.forward({}).toInt() == 11);

  Module wide =
      loaded(module_file("class M(Module):\n  def forward(self, \xce\xb8: int) -> int:\n"
                         "    return \xce\xb8\n",
                         ""));
  CHECK(again(wide).argument_names("forward") == std::vector<std::string>{"\xce\xb8"});
  Module strange = loaded(module_file(
      "class M(Module):\n  def forward(self) -> int:\n    return 1\n", "", "__torch__.a-b"));
  CHECK(again(strange).forward({}).toInt() == 1);
  for (const char* path : {"__torch__.a\\b", "__torch__.a b", "__torch__.x/y"}) {
    INFO(path);
    try {
      Module bad = loaded(
          module_file("class M(Module):\n  def forward(self) -> int:\n    return 1\n", "", path));
      CHECK_THROWS_AS(saved(bad), Error);
    } catch (const FormatError&) {
      // the loader knows better
    }
  }
}

TEST_CASE("values without a form in a file are refused by their names") {
  const std::string code =
      "class M(Module):\n  a : List[Any]\n  def forward(self) -> int:\n    return 1\n";
  const std::string items =
      text_of("a") + "ctorch.jit._pickle\nrestore_type_tag\n]" + text_of("List[Any]") + "\x86R";
  Module m = loaded(module_file(code, items));
  ListBox& list = m.attr("a").toListRef();
  SECTION("itself") {
    list.items.push_back(m.attr("a"));
    CHECK_THROWS_WITH(saved(m), Catch::Contains("a[0] can't be saved: it contains itself"));
    list.items.clear();
  }
  SECTION("a future") {
    list.items.push_back(IValue(make_ref<FutureBox>(types::integer())));
    CHECK_THROWS_WITH(saved(m), Catch::Contains("a[0] can't be saved: a Future"));
  }
  SECTION("nested beyond the stack") {
    IValue v = 1;
    for (int i = 0; i < 1'000'000; ++i) v = IValue(make_ref<TupleBox>(std::vector<IValue>{v}));
    list.items.push_back(v);
    CHECK_THROWS_AS(saved(m), LimitError);
  }
  SECTION("what is shared is written once") {
    IValue v(make_ref<ListBox>(types::any()));
    for (int i = 0; i < 30; ++i)
      v = IValue(make_ref<ListBox>(types::any(), std::vector<IValue>(10, v)));
    list.items.push_back(v);
    CHECK(saved(m).size() < 20000);
  }
}

TEST_CASE("a loop that is neither for nor while becomes a while that counts") {
  Module m = load(fixture("mlp.pt"));
  m.define(
      "def rounds(self, n: int, x: int) -> Tuple[int, int]:\n  k = 0\n  for i in range(n + 0):\n"
      "    x = x + i\n    k = k + 1\n  return (x, k)\n");
  Graph& g = m.impl()->object->type->find_method("rounds")->ensure_graph();
  Node* loop = nullptr;
  for (Node* n : g.block()->nodes())
    if (n->kind == prim::Loop) loop = n;
  REQUIRE(loop);
  Block* body = loop->blocks[0];
  {
    InsertPoint at(g, body);
    Node* below = g.insert_node(
        g.create(Symbol("aten::lt"), {body->inputs()[0], g.insert_constant(IValue(3))}));
    below->output()->set_type(types::boolean());
    body->ret->replace_input(0, below->output());
  }
  Module copy = again(m);
  for (int n : {-1, 0, 1, 2, 4, 9})
    CHECK(ivalue_str(copy.run_method("rounds", {n, 10})) ==
          ivalue_str(m.run_method("rounds", {n, 10})));
}

TEST_CASE("optimized modules are saved") {
  Module m = load(fixture("small_cnn.pt"));
  m.eval();
  Module made = m.optimize("default");
  Module copy = again(made);
  const Tensor x = ones({1, 3, 32, 32});
  std::vector<IValue> in{x};
  std::optional<IValue> expected;
  try {
    expected = m.forward(in);
  } catch (const Error&) {
    in = {ones({1, 1, 28, 28})};
    expected = m.forward(in);
  }
  CHECK_FALSE(tool::difference(copy.forward(in), *expected, {}, "output"));
  CHECK(tool::normalized_graph(again(copy).graph_text()) ==
        tool::normalized_graph(copy.graph_text()));
}
