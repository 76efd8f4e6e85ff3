// SPDX-License-Identifier: Apache-2.0
// Changes graphs just before they are prepared to run: for tools that look into a call. While an
// edit is in force on this thread, every graph that is prepared goes through it first; what was
// prepared before stays as it is.
#pragma once
#include "ir/function.h"

namespace sconce {

class GraphEdit {
 public:
  GraphEdit() = default;
  GraphEdit(const GraphEdit&) = delete;
  virtual ~GraphEdit() = default;
  // g: a copy of the graph of f, with its calls.
  virtual void edit(Graph& g, const Function& f) = 0;
  static GraphEdit* current();

 private:
  friend class GraphEditScope;
  static thread_local GraphEdit* current_;
};

class GraphEditScope {
 public:
  explicit GraphEditScope(GraphEdit& e);
  GraphEditScope(const GraphEditScope&) = delete;
  ~GraphEditScope();

 private:
  GraphEdit* outer_;
};

}  // namespace sconce
