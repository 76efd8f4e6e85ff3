// SPDX-License-Identifier: Apache-2.0
// Operators that are written in TorchScript: compiled on first use, run by the interpreter.
#include "api/runtime.h"
#include "ops/composites.h"
#include "support/lasting.h"

namespace sconce {

namespace {

struct Library {
  std::shared_ptr<script::CompilationUnit> cu;
  Engine engine;
  std::mutex mutex;
  std::unordered_map<const Operator*, std::shared_ptr<Plan>> plans;
  std::unordered_map<Function*, std::shared_ptr<Plan>> called;

  Library() {
    cu = std::make_shared<script::CompilationUnit>(op_table(), nullptr, ~uint64_t{0});
    for (std::string_view text : ops::composite_sources())
      cu->define_text(std::string(text), "<sconce>");
    engine.ops = &op_table();
    engine.plan_of = [this](Function& f) {
      std::lock_guard<std::recursive_mutex> lock(cu->mutex());
      auto& p = called[&f];
      if (!p) p = make_plan(interpreted_graph(f), op_table(), f.qualified_name);
      return p;
    };
  }
  std::shared_ptr<Plan> plan(const Operator* op) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      auto it = plans.find(op);
      if (it != plans.end()) return it->second;
    }
    std::shared_ptr<Plan> made;
    {
      std::lock_guard<std::recursive_mutex> lock(cu->mutex());
      Function* f = cu->find_function(ops::composite_function(op->full_name()));
      if (!f) raise<Error>("operator ", op->full_name(), " has no TorchScript form");
      made = make_plan(interpreted_graph(*f), op_table(), f->qualified_name);
    }
    std::lock_guard<std::mutex> lock(mutex);
    return plans.emplace(op, std::move(made)).first->second;
  }
};

Library& library() {
  static const Lasting made(new Library);
  return *made;
}
}  // namespace

void compile_composites() {
  for (auto& row : ops::composite_rows())
    if (const Operator* op = op_table().find_overload(row.name)) (void)library().plan(op);
}

const Graph* composite_graph(const Operator& op) {
  for (auto& row : ops::composite_rows())
    if (row.name == op.full_name()) return library().plan(&op)->graph.get();
  return nullptr;
}

void run_composite_operator(Call& c) {
  auto plan = library().plan(c.op());
  std::vector<IValue> inputs;
  for (uint32_t i = 0; i < c.n_in(); ++i) inputs.push_back(c.in(i));
  auto out = run_plan(*plan, std::move(inputs), library().engine);
  if (c.n_out() == 1) {
    c.out(0, std::move(out.at(0)));
    return;
  }
  auto& parts = out.at(0).toTupleRef().items;
  for (uint32_t i = 0; i < c.n_out(); ++i) c.out(i, parts.at(i));
}

}  // namespace sconce
