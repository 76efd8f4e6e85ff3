// SPDX-License-Identifier: Apache-2.0
// A note of which operators something uses besides those of its graphs.
#pragma once
#include <mutex>
#include <set>
#include <string>

namespace sconce {

// What is looked up in a table and run outside of graphs while a note of it is kept.
struct OperatorUse {
  std::mutex mutex;
  std::set<std::string> asked;  // names as they were asked for, with an overload or without
  std::set<std::string> run;    // full names
};
// From now on, by any thread; null: no more.
void note_operator_use(OperatorUse* use);

}  // namespace sconce
