// SPDX-License-Identifier: Apache-2.0
// sconce verify --resave: what a module is after it was saved and loaded again.
#include <unistd.h>

#include <map>

#include "api/runtime.h"
#include "compare.h"
#include "verify.h"

namespace sconce::tool {

namespace {

namespace fs = std::filesystem;

constexpr char kProbe[] = "sconce_resave_probe";

struct TemporaryFile {
  fs::path path;
  TemporaryFile() {
    std::string name = (fs::temp_directory_path() / "sconce-resave-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    if (fd < 0) raise<Error>("no temporary file can be made");
    ::close(fd);
    path = name;
  }
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

void change(Module& m) {
  m.define(std::string("def ") + kProbe + "(self, x: Tensor) -> Tensor:\n  return x + 1\n");
  for (auto& a : m.named_attributes(false)) {
    try {
      m.setattr(a.name, a.value);
      return;
    } catch (const OpError&) {
      // e.g. an undefined tensor; another one does
    }
  }
}

std::map<std::string, Function*> functions_of(const Module& m) {
  std::map<std::string, Function*> all;
  for (auto& f : m.impl()->archive.cu->functions()) all.emplace(f->qualified_name, f.get());
  return all;
}

}  // namespace

Module resaved(Module& m, const LoadOptions& options, bool changed, Result& r) {
  if (changed) change(m);
  TemporaryFile file;
  m.save(file.path.string());
  Module copy = load(file.path.string(), options);
  for (const Module* which : {&m, &copy}) which->compile_all();
  const auto before = functions_of(m), after = functions_of(copy);
  CallScope scope(*m.impl());
  for (auto& [name, f] : before) {
    auto it = after.find(name);
    if (it == after.end()) {
      if (f->self != m.impl()->object->type) continue;  // nothing reaches it
      ++r.graphs_different;
      r.failures.push_back("saved: " + name + " is missing");
      continue;
    }
    if (normalized_graph(print_graph(f->ensure_graph(), false)) ==
        normalized_graph(print_graph(it->second->ensure_graph(), false))) {
      ++r.graphs_equal;
    } else {
      ++r.graphs_different;
      r.failures.push_back("saved: the graph of " + name + " differs");
    }
  }
  return copy;
}

}  // namespace sconce::tool
