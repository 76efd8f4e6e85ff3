// SPDX-License-Identifier: Apache-2.0
#include "graph_file.h"

#include <fstream>

#include "api/own_module.h"
#include "api/runtime.h"
#include "backends/kernels.h"
#include "ir/verify.h"
#include "progress.h"

namespace sconce::tool {

std::string value_name(const Value* v) { return v->name.empty() ? std::to_string(v->id) : v->name; }

std::string attribute_text(const Attribute& a, const Node* n) {
  switch (a.kind) {
    case Attribute::Kind::Type:
    case Attribute::Kind::Types: {
      std::string s;
      for (TypePtr t : a.types) s += (s.empty() ? "" : ", ") + t->str();
      return a.kind == Attribute::Kind::Types ? "[" + s + "]" : s;
    }
    case Attribute::Kind::Graph: return "<Graph>";
    case Attribute::Kind::Text: return a.value.toStringRef();
    default:
      return print_constant(a.value, n->kind == prim::Constant ? n->output()->type : nullptr);
  }
}

GraphFile open_graph(const std::string& path, const std::string& method) {
  std::ifstream in(path, std::ios::binary);
  if (!in) raise<FormatError>(path, ": can't be opened");
  char magic[2] = {};
  in.read(magic, 2);
  GraphFile f;
  f.context.ops = &op_table();
  if (in.gcount() == 2 && magic[0] == 'P' && magic[1] == 'K') {
    read_ahead(path);
    LoadOptions options;
    options.map_file = true;  // of most weights only the sizes are looked at
    f.module = load(path, options);
    std::lock_guard<std::recursive_mutex> lock(f.module.impl()->archive.cu->mutex());
    f.graph = f.module.impl()->method(method).ensure_graph().copy();
    f.context.module = f.module.impl()->object.get();
    offer_own_module(f.context, *f.module.impl(), method);
    return f;
  }
  in.clear();
  in.seekg(0);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  f.graph = parse_graph(text, &op_table(), path);
  verify_graph(*f.graph);
  verify_types(*f.graph);
  return f;
}

void run_passes(GraphFile& f, const std::string& pipeline) {
  if (pipeline.empty()) return;
  if (f.context.module) {
    ModuleImpl& m = *f.module.impl();
    CallScope scope(m);
    std::lock_guard<std::recursive_mutex> lock(m.archive.cu->mutex());
    run_pipeline(*f.graph, f.context, pipeline);
    return;
  }
  Context c = default_context();
  c.kernels = &cpu_kernels();
  ContextScope scope(&c);
  run_pipeline(*f.graph, f.context, pipeline);
}

}  // namespace sconce::tool
