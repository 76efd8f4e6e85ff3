// SPDX-License-Identifier: Apache-2.0
// Files that are cut, replaced or slow while a module is made of them, and operators that are ended
// in the middle.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sconce/sconce.h"
#include "support/platform.h"

using namespace sconce;
namespace fs = std::filesystem;

namespace {
struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "sconce_files_XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
  fs::path path;
};
std::string fixture(const char* name) { return std::string(SCONCE_FIXTURES) + "/" + name; }
float first(const IValue& v) { return v.toTensor().data_ptr<const float>()[0]; }
}  // namespace

TEST_CASE("a file that is cut or replaced while its module lives changes nothing") {
  Folder folder;
  const std::string file = folder.file("m.pt");
  const Tensor x = ones({1, 32});
  const float expected = first(load(fixture("mlp.pt")).forward({x}));
  for (bool cut : {true, false}) {
    fs::copy_file(fixture("mlp.pt"), file, fs::copy_options::overwrite_existing);
    Module m = load(file);
    if (cut)
      fs::resize_file(file, 0);
    else
      std::fstream(file, std::ios::in | std::ios::out) << std::string(20000, 'x');
    CHECK(first(m.forward({x})) == expected);
    CHECK(first(m.clone().forward({x})) == expected);
  }
}

TEST_CASE("a mapped file may be replaced by another of its name") {
  Folder folder;
  const std::string file = folder.file("m.pt");
  fs::copy_file(fixture("mlp.pt"), file);
  LoadOptions o;
  o.map_file = true;
  const Tensor x = ones({1, 32});
  Module m = load(file, o);
  fs::copy_file(fixture("small_cnn.pt"), folder.file("n.pt"));
  fs::rename(folder.file("n.pt"), file);
  CHECK(first(m.forward({x})) == first(load(fixture("mlp.pt")).forward({x})));
  CHECK_THROWS_AS(load(file, o).forward({x}), Error);
}

TEST_CASE("a file that comes slowly, through a pipe, is loaded") {
  Folder folder;
  const std::string pipe = folder.file("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] {
    std::ifstream in(fixture("mlp.pt"), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const int fd = ::open(pipe.c_str(), O_WRONLY);
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = ::write(fd, text.data() + at, std::min<size_t>(777, text.size() - at));
      if (n < 0) break;
      at += static_cast<size_t>(n);
    }
    ::close(fd);
  });
  Module m = load(pipe);
  writer.join();
  CHECK(m.forward({ones({1, 32})}).isTensor());
}

TEST_CASE("what a file takes to read counts") {
  LoadOptions o;
  o.limits.memory = fs::file_size(fixture("mlp.pt")) / 2;
  CHECK_THROWS_AS(load(fixture("mlp.pt"), o), LimitError);
  o.limits.memory = uint64_t{64} << 20;
  CHECK_THROWS_AS(load("/dev/zero", o), LimitError);
  CHECK(read_file("/dev/null").size == 0);
  CHECK_THROWS_AS(read_file("/proc/self/mem"), FormatError);
}

TEST_CASE("a single operator is ended in the middle") {
  LoadOptions o;
  Limits short_time;
  short_time.seconds = 0.01;
  struct {
    const char *source, *what;
  } const cases[] = {
      {"def f(x):\n  y = torch.ones([2500, 2500])\n  return y @ y\n", "a product"},
      {"def f(x):\n  y = torch.ones([1]).expand(40000, 40000)\n  return y.sum()\n", "a sum"},
      {"def f(x):\n  y = torch.arange(3000000) % 1013\n  return torch.sort(y)[0]\n", "a sort"},
      {"def f(x):\n  y = torch.ones([1]).expand(6000, 6000)\n  return y.exp()\n", "a function"},
      {"def f(x):\n  y = torch.ones([1, 64, 120, 120])\n  w = torch.ones([128, 64, 5, 5])\n"
       "  return torch.conv2d(y, w)\n",
       "a convolution"},
  };
  for (int threads : {1, 3})
    for (auto& c : cases) {
      INFO(c.what << " on " << threads);
      o.num_threads = threads;
      Module m = compile(c.source, o);
      m.prepare("f");
      CHECK_THROWS_AS(m.run_method("f", {ones({1})}, {}, short_time), LimitError);
    }
  // And goes on after that.
  o.limits.cancel = std::make_shared<std::atomic<bool>>(false);
  Module m = compile("def f(x):\n  for i in range(1000000):\n    x = x @ x\n  return x\n", o);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    *o.limits.cancel = true;
  });
  CHECK_THROWS_AS(m.run_method("f", {full({1000, 1000}, 0.001)}), LimitError);
  other.join();
  *o.limits.cancel = false;
  CHECK_THROWS_AS(m.run_method("f", {ones({1})}), OpError);
}
