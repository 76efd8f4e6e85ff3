// SPDX-License-Identifier: Apache-2.0
// Weights that stay in their file until somebody looks at them: archives of 32 MB and more.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sconce/sconce.h"

using namespace sconce;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kRows = 4200, kColumns = 2048;  // 34 MB

// A module whose weight w is large, saved.
struct LargeFile {
  LargeFile() {
    std::string name = (fs::temp_directory_path() / "sconce_large_XXXXXX").string();
    folder = mkdtemp(name.data());
    file = (folder / "large.pt").string();
    Module m = load(std::string(SCONCE_FIXTURES) + "/state.pt");
    m.setattr("w", randn({kRows, kColumns}));
    m.define("def net(self, x):\n  return torch.relu(torch.linear(x, self.w))\n");
    m.define("def first(self, x):\n  return self.w[:2] + x\n");
    m.save(file);
    LoadOptions all;
    all.read_all = true;
    whole = load(file, all);
  }
  ~LargeFile() { fs::remove_all(folder); }
  const Storage& weight(const Module& m) const { return *m.attr("w").toTensor().impl()->storage; }
  bool same(const Module& m, const char* method, const Tensor& x) const {
    const Tensor a = m.run_method(method, {x}).toTensor(),
                 b = whole.run_method(method, {x}).toTensor();
    return a.sizes() == b.sizes() && std::memcmp(a.const_raw_data(), b.const_raw_data(),
                                                 static_cast<size_t>(a.numel()) * 4) == 0;
  }
  fs::path folder;
  std::string file;
  Module whole;
};

// Of the record that holds the weight, in the middle.
void write_into(const std::string& file) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
  f << "something else";
}

struct Counting final : BytesSource {
  mutable int times = 0;
  void produce(void* to) const override {
    if (times++ == 0) raise<FormatError>("not yet");
    std::memset(to, 7, 100);
  }
};

}  // namespace

TEST_CASE("deferred bytes are made once, and not for one who looks in passing") {
  auto source = std::make_shared<Counting>();
  Ref<Storage> s = Storage::defer(100, source);
  CHECK(s->nbytes() == 100);
  CHECK_THROWS_AS(s->data(), FormatError);
  char passing[100] = {};
  CHECK(s->read_once([&](size_t n) { return n == 100 ? passing : nullptr; }) == passing);
  CHECK(passing[99] == 7);
  CHECK(s->deferred());
  const void* before = s->base();
  CHECK(s->data() == before);
  CHECK_FALSE(s->deferred());
  CHECK(static_cast<const char*>(s->data())[99] == 7);
  CHECK(s->read_once([](size_t) -> void* { return nullptr; }) == s->data());
  CHECK(source->times == 3);
  CHECK_THROWS_AS(s->resize(200), OpError);
  // What shares the bytes, or has a pointer to write through, has them.
  Ref<Storage> t = Storage::defer(100, source);
  CHECK(static_cast<const char*>(t->share()->data())[5] == 7);
  Ref<Storage> u = Storage::defer(100, source);
  u->expose();
  CHECK_FALSE(u->deferred());
}

TEST_CASE("a weight that is only packed stays in its file") {
  LargeFile f;
  Module m = load(f.file);
  const Storage& w = f.weight(m);
  CHECK(w.deferred());
  CHECK(w.nbytes() == kRows * kColumns * 4);
  const Tensor x = randn({8, kColumns});
  for (int call = 0; call < 3; ++call) CHECK(f.same(m, "net", x));
  CHECK(w.deferred());
  // One row reads the weight where it stands.
  CHECK(f.same(m, "net", randn({1, kColumns})));
  CHECK_FALSE(w.deferred());
  CHECK(f.same(m, "net", x));
}

TEST_CASE("a weight that is read, written or copied comes from its file first") {
  LargeFile f;
  const Tensor x = randn({8, kColumns}), row = ones({kColumns});
  {
    Module m = load(f.file);
    CHECK(f.same(m, "first", row));
  }
  {
    LoadOptions interpret;
    interpret.mode = Mode::Interpret;
    CHECK(f.same(load(f.file, interpret), "first", row));
  }
  {
    Module m = load(f.file);
    CHECK(f.same(m, "net", x));
    CHECK(f.same(m.clone(), "net", x));
    // Written: the packed form is of the past.
    m.attr("w").toTensor().fill_(0);
    const Tensor y = m.run_method("net", {x}).toTensor();
    CHECK(y.max().item<float>() == 0);
    CHECK_FALSE(f.same(m, "net", x));
  }
  {
    Module m = load(f.file);
    const std::string copy = (f.folder / "copy.pt").string();
    m.save(copy);
    CHECK(f.same(load(copy), "net", x));
  }
  // From several threads at once.
  Module m = load(f.file);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { right += f.same(m, i % 2 ? "net" : "first", i % 2 ? x : row); });
  for (auto& t : threads) t.join();
  CHECK(right == 4);
}

TEST_CASE("what happens to a large file while its module lives") {
  LargeFile f;
  const Tensor x = randn({8, kColumns});
  SECTION("removed") {
    Module m = load(f.file);
    fs::remove(f.file);
    CHECK(f.same(m, "net", x));
  }
  SECTION("replaced") {
    Module m = load(f.file);
    fs::copy_file(f.file, f.folder / "other.pt");
    write_into((f.folder / "other.pt").string());
    fs::rename(f.folder / "other.pt", f.file);
    CHECK(f.same(m, "net", x));
  }
  SECTION("touched") {
    Module m = load(f.file);
    fs::last_write_time(f.file, fs::last_write_time(f.file) + std::chrono::seconds(3));
    CHECK(f.same(m, "net", x));
  }
  SECTION("written in place, or cut") {
    for (bool cut : {false, true}) {
      Module m = load(f.file);
      if (cut)
        fs::resize_file(f.file, fs::file_size(f.file) / 2);
      else
        write_into(f.file);
      CHECK_THROWS_AS(m.run_method("net", {x}), FormatError);
      CHECK_THROWS_AS(m.run_method("net", {x}), FormatError);
      CHECK_THROWS_AS(m.attr("w").toTensor().const_data_ptr<float>(), FormatError);
      // What doesn't need it goes on.
      CHECK(m.attr("b").toTensor().defined());
      m.setattr("w", f.whole.attr("w").toTensor().clone());
      CHECK(f.same(m, "net", x));
    }
  }
}

TEST_CASE("limits count a large file's weights") {
  LargeFile f;
  LoadOptions o;
  o.limits.memory = uint64_t{16} << 20;
  CHECK_THROWS_AS(load(f.file, o), LimitError);
  o.limits.memory = uint64_t{128} << 20;
  Module m = load(f.file, o);
  CHECK(f.same(m, "net", randn({2, kColumns})));
}
