// SPDX-License-Identifier: Apache-2.0
// What sconce opt shows of a pipeline while it runs, and the file that repeats a failure.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graph_file.h"
#include "progress.h"

namespace sconce::tool {

struct PassOptions {
  std::string print_before, print_after;  // names of passes separated by commas; "all"
  std::string print_changed;              // "diff", "text"; empty: nothing
  std::string explain;                    // the name of a pass; "all"; empty: nothing
  std::string stop_after;                 // "dce", or "dce:2": after its second run
  std::string reproducer = "reproducer.ir";
  std::string origin;  // of the graph: "model.pt --method forward"; for the reproducer
  bool time = false, statistics = false;
  int64_t bisect_limit = -1;   // the runs that may change something; -1: all
  bool count_changes = false;  // as bisect_limit does, without a limit
};

// One run of a pipeline; reports go to stderr.
class PassManager {
 public:
  // Throws Error when an option names no pass.
  explicit PassManager(const PassOptions& o);
  PassManager(const PassManager&) = delete;
  // When a pass throws, or what it leaves is no graph, writes the reproducer and throws an Error
  // that names it.
  void run(GraphFile& g, const std::string& pipeline);
  // The same of all methods of a module; the result is a module of its own. A method's passes are
  // told apart by the class of self in what is printed.
  Module run(const Module& m, const std::string& pipeline);
  // The tables that were asked for.
  void report();
  // The runs that changed something, "dce(x=true)" each. For bisect_limit and count_changes.
  const std::vector<std::string>& changes() const { return changes_; }

 private:
  struct Statistics {
    int64_t runs = 0, changed = 0, first = 0, last = 0, removed = 0;
    double seconds = 0;
    // By the name of a rewrite: how often it was applied, and missed.
    std::map<std::string, std::pair<int64_t, int64_t>> rewrites;
  };
  struct Told {
    std::string text;
    int64_t times = 0;
  };
  void listen(PassContext& c);
  void run(const std::function<void()>& passes);
  bool before(const Pass& p, const PassArguments& arguments, Graph& g);
  void after(const Pass& p, Graph& g, bool changed, double seconds);
  void hear(const Remark& r);
  std::string write_reproducer(const std::string& error) const;
  void report_times() const;
  void report_statistics() const;
  void report_remarks() const;

  const PassOptions o_;
  Progress progress_{"passes", 0};
  std::vector<std::string> executed_, changes_;
  bool running_ = false, stopped_ = false;
  std::string text_;           // of the graph before the pass that runs
  bool loses_values_ = false;  // it doesn't tell all constants
  int64_t stop_runs_ = 0;
  std::vector<const Pass*> order_;  // of their first runs
  std::map<const Pass*, Statistics> statistics_;
  std::vector<Told> told_;
  std::map<std::string, size_t> told_at_;
};

// The values of "# KEY: value" lines at the head of a text, one a line; comments only stand before
// them.
std::vector<std::string> header_values(const std::string& text, const std::string& key);

// "dce", "freeze(preserved_attrs=[a,b])".
std::string pass_text(const Pass& p, const PassArguments& arguments);

}  // namespace sconce::tool
