// SPDX-License-Identifier: Apache-2.0
// Graphs by their text, and passes.
#include <nanobind/stl/vector.h>
#include <sconce/pass.h>
#include <sconce/pass_text.h>

#include "gil.h"
#include "module.h"

namespace sconce::python {

namespace {

std::string name_of(const Value* v) { return v->name.empty() ? std::to_string(v->id) : v->name; }

nb::list values(const std::vector<Value*>& list) {
  nb::list r;
  for (const Value* v : list) r.append(nb::make_tuple(name_of(v), v->type ? v->type->str() : ""));
  return r;
}

nb::list nodes_of(Block* b);

nb::object node(const Node* n) {
  nb::dict attributes;
  for (const Attribute& a : n->attributes) {
    std::string text;
    if (a.kind == Attribute::Kind::Graph) {
      text = "<Graph>";
    } else if (a.kind == Attribute::Kind::Text) {
      text = a.value.toStringRef();
    } else if (a.kind == Attribute::Kind::Type || a.kind == Attribute::Kind::Types) {
      for (TypePtr t : a.types) text += (text.empty() ? "" : ", ") + t->str();
    } else {
      text = print_constant(a.value,
                            n->is_constant() && !n->outputs.empty() ? n->output()->type : nullptr);
    }
    attributes[nb::str(std::string(a.name.str()).c_str())] = text;
  }
  nb::list blocks;
  for (Block* b : n->blocks) blocks.append(nodes_of(b));
  return nb::make_tuple(std::string(n->kind.str()), values(n->inputs), values(n->outputs),
                        attributes, blocks);
}

nb::list nodes_of(Block* b) {
  nb::list r;
  for (Node* n : b->nodes()) r.append(node(n));
  return r;
}

}  // namespace

void bind_graph(nb::module_& m) {
  m.def("_graph_parts", [](const std::string& text) {
    std::shared_ptr<Graph> g;
    {
      Released released;
      g = parse_graph(text, nullptr);
    }
    return nb::make_tuple(values(g->inputs()), nodes_of(g->block()), values(g->outputs()));
  });
  m.def("_run_passes", [](const std::string& text, const std::string& pipeline) {
    Released released;
    return run_passes_on_text(text, pipeline);
  });
  m.def("_passes", [] {
    nb::list r;
    for (const Pass& p : all_passes())
      r.append(nb::make_tuple(p.name, p.summary, p.parameters, p.portable));
    return r;
  });
}

}  // namespace sconce::python
