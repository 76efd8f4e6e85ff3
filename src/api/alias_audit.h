// SPDX-License-Identifier: Apache-2.0
// Checks the alias analysis against what happens: a value that AliasDb calls unwritten is
// remembered when it is made, with its bytes, and must be the same when its graph returns.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace sconce {

// While one is in force on this thread, instrumented graphs report to it.
class AliasAudit {
 public:
  AliasAudit();
  ~AliasAudit();
  AliasAudit(const AliasAudit&) = delete;
  // One sentence a finding; cleared by the caller.
  std::vector<std::string> findings;
  // Forgets the frames of calls that an exception ended.
  void reset();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
  AliasAudit* outer_;
};

// Adds the nodes that report; for graphs that the interpreter runs as they are.
void instrument_alias_audit(Graph& g);

}  // namespace sconce
