// SPDX-License-Identifier: Apache-2.0
#include "pass_manager.h"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "api/module_passes.h"
#include "differences.h"
#include "positions.h"
#include "sconce/error.h"
#include "support/stack.h"
#include "text.h"

namespace sconce::tool {

namespace {

const Pass& find_pass(const std::string& name) {
  for (const Pass& p : all_passes())
    if (name == p.name) return p;
  raise<Error>("no pass is called '", name, "' (sconce opt --list)");
}

bool is_listed(const std::string& list, const char* name) {
  return list == "all" ||
         ("," + list + ",").find(std::string(",") + name + ",") != std::string::npos;
}
void check_list(const std::string& list) {
  if (list.empty() || list == "all") return;
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, ',');) find_pass(name);
}

int64_t count_nodes(Block* b) {
  check_stack();
  int64_t count = 0;
  for (Node* n : b->nodes()) {
    ++count;
    for (Block* inner : n->blocks) count += count_nodes(inner);
  }
  return count;
}

// Constants whose value the graph's text doesn't tell.
bool loses_values(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    if (n->kind == prim::Constant) {
      auto v = constant_value(n->output());
      if (v && v->isTensor() && v->toTensorRef().defined()) return true;
    }
    for (Block* inner : n->blocks)
      if (loses_values(inner)) return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& names) {
  std::string r;
  for (auto& n : names) r += (r.empty() ? "" : ",") + n;
  return r;
}

std::string milliseconds(double seconds) {
  std::ostringstream s;
  s << std::fixed << std::setprecision(3) << seconds * 1e3 << " ms";
  return s.str();
}

}  // namespace

std::string pass_text(const Pass& p, const PassArguments& arguments) {
  std::string r;
  for (auto& [name, values] : arguments.all()) {
    r += (r.empty() ? "" : ",") + name + "=";
    r += values.size() == 1 ? values[0] : "[" + joined(values) + "]";
  }
  return p.name + (r.empty() ? "" : "(" + r + ")");
}

std::vector<std::string> header_values(const std::string& text, const std::string& key) {
  std::vector<std::string> r;
  std::istringstream in(text);
  const std::string start = "# " + key + ":";
  for (std::string line; std::getline(in, line) && (line.empty() || line[0] == '#');) {
    if (line.rfind(start, 0) != 0) continue;
    const size_t b = line.find_first_not_of(' ', start.size());
    const size_t e = line.find_last_not_of(" \r");
    r.push_back(b == std::string::npos ? "" : line.substr(b, e + 1 - b));
  }
  return r;
}

PassManager::PassManager(const PassOptions& o) : o_(o) {
  for (const std::string* list : {&o.print_before, &o.print_after, &o.explain}) check_list(*list);
  if (!o.stop_after.empty()) {
    const size_t colon = o.stop_after.find(':');
    find_pass(o.stop_after.substr(0, colon));
    const std::string times = colon == std::string::npos ? "1" : o.stop_after.substr(colon + 1);
    if (times.empty() || times.size() > 9 ||
        times.find_first_not_of("0123456789") != std::string::npos)
      raise<Error>("--stop-after: '", o.stop_after, "' isn't PASS or PASS:N");
    stop_runs_ = std::stoll(times);
  }
}

void PassManager::listen(PassContext& c) {
  c.before_pass = [this](const Pass& p, const PassArguments& a, Graph& graph) {
    return before(p, a, graph);
  };
  c.after_pass = [this](const Pass& p, Graph& graph, bool changed, double seconds) {
    after(p, graph, changed, seconds);
  };
  if (o_.statistics || !o_.explain.empty()) c.remark = [this](const Remark& r) { hear(r); };
}

bool PassManager::before(const Pass& p, const PassArguments& arguments, Graph& g) {
  if (stopped_) return false;
  if (o_.bisect_limit >= 0 && static_cast<int64_t>(changes_.size()) >= o_.bisect_limit)
    return false;
  progress_.advance(1, p.name);
  executed_.push_back(pass_text(p, arguments));
  if (is_listed(o_.print_before, p.name)) {
    progress_.clear();
    std::cerr << "-- before " << p.name << "\n" << graph_text(g);
  }
  text_ = graph_text(g);
  loses_values_ = text_.find("<Tensor>") != std::string::npos || loses_values(g.block());
  if (!statistics_.count(&p)) order_.push_back(&p);
  Statistics& s = statistics_[&p];
  if (o_.statistics) {
    const int64_t nodes = count_nodes(g.block());
    if (s.runs == 0) s.first = nodes;
    s.removed += nodes;
  }
  running_ = true;
  return true;
}

void PassManager::after(const Pass& p, Graph& g, bool changed, double seconds) {
  running_ = false;
  Statistics& s = statistics_[&p];
  ++s.runs;
  s.seconds += seconds;
  if (o_.statistics) {
    s.last = count_nodes(g.block());
    s.removed -= s.last;
  }
  const bool print = is_listed(o_.print_after, p.name);
  const bool bisect = o_.bisect_limit >= 0 || o_.count_changes;
  if (print || bisect || !o_.print_changed.empty()) {
    // Not every pass knows whether it changed something.
    const std::string now = graph_text(g);
    changed = now != text_;
    if (print || !o_.print_changed.empty()) progress_.clear();
    if (print)
      std::cerr << "-- after " << p.name << (changed ? "" : " (nothing changed)") << "\n" << now;
    if (o_.print_changed == "diff")
      std::cerr << "-- " << p.name << (changed ? "" : " (nothing changed)") << "\n"
                << text_diff(text_, now);
    else if (o_.print_changed == "text")
      std::cerr << "-- " << p.name << (changed ? "\n" + now : " (nothing changed)\n");
    if (bisect && changed) changes_.push_back(executed_.back());
  }
  s.changed += changed;
  if (!o_.stop_after.empty() && o_.stop_after.substr(0, o_.stop_after.find(':')) == p.name &&
      s.runs == stop_runs_)
    stopped_ = true;
}

void PassManager::hear(const Remark& r) {
  // A pass that others are made of has no run of its own.
  if (r.pass && !statistics_.count(r.pass)) order_.push_back(r.pass);
  auto& [applied, missed] = statistics_[r.pass].rewrites[r.rewrite];
  ++(r.applied ? applied : missed);
  if (o_.explain.empty() || !is_listed(o_.explain, r.pass ? r.pass->name : "")) return;
  std::string text = (r.position.empty() ? "" : without_folders(r.position) + ": ") +
                     (r.module.empty() ? "" : r.module + ": ") +
                     std::string(r.pass ? r.pass->name : "?") + ": " + r.rewrite + ": " + r.node +
                     (r.applied ? " was rewritten" : " was not rewritten: " + r.reason);
  if (!r.line.empty()) text += "\n    " + r.line;
  auto [it, fresh] = told_at_.try_emplace(text, told_.size());
  if (fresh) told_.push_back({text, 0});
  ++told_[it->second].times;
}

void PassManager::run(GraphFile& g, const std::string& pipeline) {
  listen(g.context);
  run([&] { run_passes(g, pipeline); });
}

Module PassManager::run(const Module& m, const std::string& pipeline) {
  PassContext hooks;
  listen(hooks);
  Module r;
  run([&] { r = optimize_module(*m.impl(), pipeline, hooks); });
  return r;
}

void PassManager::run(const std::function<void()>& passes) {
  try {
    passes();
  } catch (const std::exception& e) {
    progress_.clear();
    if (!running_) throw;
    const std::string what = e.what();
    raise<Error>("pass ", executed_.back(), ": ", what, "\n", write_reproducer(what));
  }
  progress_.clear();
}

std::string PassManager::write_reproducer(const std::string& error) const {
  std::string first = error.substr(0, error.find('\n'));
  std::ofstream f(o_.reproducer);
  f << "# sconce reproducer: `sconce opt " << o_.reproducer << "` runs it again\n"
    << "# passes: " << executed_.back() << "\n# error: " << printable(first)
    << "\n# of: " << o_.origin << " --passes '" << joined(executed_) << "'\n";
  // The graph itself may be broken by now; that tensors were there is still seen.
  if (loses_values_) f << "# The text doesn't tell the elements of large tensors.\n";
  f << text_;
  if (!f.flush()) return "(a reproducer can't be written to " + o_.reproducer + ")";
  return "the graph before it is in " + o_.reproducer + "; sconce opt " + o_.reproducer +
         " runs the pass again";
}

void PassManager::report() {
  report_remarks();
  if (o_.time) report_times();
  if (o_.statistics) report_statistics();
  if (o_.bisect_limit >= 0) {
    for (size_t i = 0; i < changes_.size(); ++i)
      std::cerr << "bisect: " << i + 1 << " " << changes_[i] << "\n";
    if (changes_.empty())
      std::cerr << "bisect: nothing was changed\n";
    else
      std::cerr << "bisect: the last that changed something is " << changes_.size() << " "
                << changes_.back() << "\n";
  }
}

void PassManager::report_times() const {
  std::vector<const Pass*> passes;
  for (const Pass* p : order_)
    if (statistics_.at(p).runs) passes.push_back(p);
  auto seconds = [&](const Pass* p) { return statistics_.at(p).seconds; };
  std::stable_sort(passes.begin(), passes.end(),
                   [&](const Pass* a, const Pass* b) { return seconds(a) > seconds(b); });
  double total = 0;
  for (const Pass* p : passes) total += seconds(p);
  std::cerr << "-- time\n";
  for (const Pass* p : passes)
    std::cerr << std::setw(14) << milliseconds(seconds(p)) << std::setw(6) << std::fixed
              << std::setprecision(1) << (total > 0 ? 100 * seconds(p) / total : 0) << "%  "
              << statistics_.at(p).runs << "x " << p->name << "\n";
  std::cerr << std::setw(14) << milliseconds(total) << "         all\n";
}

void PassManager::report_statistics() const {
  std::cerr << "-- statistics\n";
  for (const Pass* p : order_) {
    const Statistics& s = statistics_.at(p);
    std::cerr << p->name << ": ";
    if (s.runs == 0)
      std::cerr << "inside of others\n";
    else
      std::cerr << s.runs << (s.runs == 1 ? " run, " : " runs, ") << s.changed
                << " changed something; nodes " << s.first << " -> " << s.last << " ("
                << (s.removed > 0 ? "" : "+") << -s.removed << " by it)\n";
    for (auto& [name, count] : s.rewrites)
      std::cerr << "  " << name << ": " << count.first << " applied, " << count.second
                << " missed\n";
  }
}

void PassManager::report_remarks() const {
  if (o_.explain.empty()) return;
  std::cerr << "-- explain\n";
  for (auto& t : told_) {
    const size_t line = t.text.find('\n');
    std::cerr << printable(t.text.substr(0, line))
              << (t.times > 1 ? " (" + std::to_string(t.times) + " times)" : "") << "\n"
              << (line == std::string::npos ? "" : printable(t.text.substr(line + 1)) + "\n");
  }
  if (told_.empty()) std::cerr << "no pass had a candidate\n";
}

}  // namespace sconce::tool
