// SPDX-License-Identifier: Apache-2.0
// sconce opt: a pipeline of passes on a method's graph or on graph text, and what each of them did.
// sconce check: expectations of a text (file_check.h).
#include <CLI/CLI.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>

#include "commands.h"
#include "differences.h"
#include "file_check.h"
#include "pass_manager.h"
#include "positions.h"
#include "sconce/sconce.h"
#include "text.h"

namespace sconce::tool {

namespace {
struct OptOptions {
  std::string model, method = "forward", passes, out, bisect;
  std::vector<std::string> rules;
  PassOptions show;
  bool print_after_all = false, diff = false, verify_each = false, list = false;
  SaveOptions save;
  std::string device;
};

void write_text(const std::string& path, const std::string& text) {
  std::ofstream f(path, std::ios::binary);
  f << text;
  if (!f.flush()) raise<Error>(path, ": can't be written");
}

// The pipeline that the options say, or else the file's head.
std::string pipeline_of(const OptOptions& o) {
  std::string r = o.passes;
  if (r.empty() && o.rules.empty()) {
    std::ifstream f(o.model, std::ios::binary);
    if (f.peek() == '#')
      for (auto& p : header_values({std::istreambuf_iterator<char>(f), {}}, "passes"))
        r += (r.empty() ? "" : ",") + p;
  }
  for (auto& file : o.rules) {
    if (file.find_first_of(",()[]=") != std::string::npos)
      raise<Error>("--rewrite: a name without , ( ) [ ] = is wanted, not '", file, "'");
    r += (r.empty() ? "" : ",") + std::string("rewrite(rules=") + file + ")";
  }
  return r;
}

// Which change makes the command fail: between none of them, where it succeeds, and all.
int bisect(const OptOptions& o, const std::string& pipeline) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("sconce-bisect-" + std::to_string(getpid()) + ".ir");
  struct Removed {
    std::filesystem::path path;
    ~Removed() {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
    }
  } removed{file};
  std::string command = o.bisect;
  const size_t here = command.find("{}");
  if (here == std::string::npos)
    command += " " + file.string();
  else
    command.replace(here, 2, file.string());

  std::vector<std::string> changes;
  auto text_with = [&](int64_t limit) {
    PassOptions show;
    show.reproducer = o.show.reproducer;
    show.origin = o.show.origin;
    show.bisect_limit = limit;
    show.count_changes = true;
    GraphFile g = open_graph(o.model, o.method);
    PassManager manager(show);
    manager.run(g, pipeline);
    changes = manager.changes();
    return graph_text(*g.graph);
  };
  auto good = [&](int64_t limit) {
    write_text(file.string(), text_with(limit));
    std::cout.flush();
    const int status = std::system(command.c_str());
    const bool yes = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    std::cerr << "bisect: " << changes.size() << (changes.empty() ? "" : " " + changes.back())
              << ": " << (yes ? "good" : "bad") << "\n";
    return yes;
  };
  if (good(-1)) raise<Error>("--bisect: the command succeeds with all passes");
  int64_t bad_at = static_cast<int64_t>(changes.size()), good_at = 0;
  if (!good(0)) raise<Error>("--bisect: the command fails without any pass");
  while (bad_at - good_at > 1) {
    const int64_t middle = good_at + (bad_at - good_at) / 2;
    (good(middle) ? good_at : bad_at) = middle;
  }
  const std::string before = text_with(good_at), after = text_with(bad_at);
  std::cout << "the command fails from change " << bad_at << " on: " << changes.back() << "\n"
            << text_diff(before, after);
  return kDone;
}

int opt(OptOptions o) {
  if (o.list) {
    for (auto& p : all_passes())
      std::cout << std::left << std::setw(22) << p.name << " " << p.summary
                << (p.changes_bits ? " (changes bits)" : "") << (p.portable ? "" : " (lowering)")
                << "\n";
    return kDone;
  }
  if (o.model.empty()) throw CLI::RequiredError("model");
  if (o.print_after_all) o.show.print_after = "all";
  if (o.diff) o.show.print_changed = "diff";
  const std::string pipeline = pipeline_of(o);
  const bool whole = names_archive(o.out);
  o.show.origin = "sconce opt " + printable(o.model) +
                  (whole ? " -o " + printable(o.out) : " --method " + printable(o.method));
  if (!o.bisect.empty()) return bisect(o, pipeline);
  PassManager manager(o.show);
  if (whole) {
    if (!o.device.empty()) o.save.device = Device::parse(o.device);
    Module m = load(o.model);
    if (!pipeline.empty()) m = manager.run(m, pipeline);
    manager.report();
    m.save(o.out, o.save);
    return kDone;
  }
  GraphFile g = open_graph(o.model, o.method);
  manager.run(g, pipeline);
  manager.report();
  std::string text = graph_text(*g.graph);
  if (o.out.empty())
    std::cout << text;
  else
    write_text(o.out, text);
  return kDone;
}
}  // namespace

Command add_opt(CLI::App& app) {
  auto o = std::make_shared<OptOptions>();
  PassOptions& show = o->show;
  auto* c = app.add_subcommand("opt", "run passes on the graph of a method, or on graph text");
  c->add_option("model", o->model,
                "archive, or a file with graph text; a reproducer says its passes itself");
  c->add_option("--passes", o->passes, "pipeline, e.g. inline,fixpoint(constant_propagation,dce)");
  c->add_option("--rewrite", o->rules, "file with rewrite rules, run after the passes")
      ->type_name("FILE")
      ->allow_extra_args(false);
  c->add_option("--method", o->method, "method of the archive")->capture_default_str();
  add_save_options(*c, o->save, o->device);
  c->add_option("-o", o->out,
                "file to write the text to; NAME.pt: the whole module, each method optimized");
  c->add_flag("--list", o->list, "the passes that there are");
  const char* shown = "On stderr";
  c->add_option("--print-before", show.print_before, "the graph before these passes: a,b or all")
      ->group(shown);
  c->add_option("--print-after", show.print_after, "the graph after these passes: a,b or all")
      ->group(shown);
  c->add_flag("--print-changed{diff}", show.print_changed,
              "what every pass changed: =diff (lines) or =text (the graph)")
      ->check(CLI::IsMember({"diff", "text"}))
      ->group(shown);
  c->add_flag("--explain{all}", show.explain,
              "why rewrites did or didn't happen, with the model's lines; =PASS: of this one")
      ->group(shown);
  c->add_flag("--time-passes", show.time, "the time of every pass")->group(shown);
  c->add_flag("--statistics", show.statistics, "runs, nodes and rewrites of every pass")
      ->group(shown);
  c->add_flag("--print-after-all", o->print_after_all, "as --print-after all")->group(shown);
  c->add_flag("--diff", o->diff, "as --print-changed=diff")->group(shown);
  const char* wrong = "When something is wrong";
  c->add_option("--stop-after", show.stop_after, "PASS or PASS:N: nothing runs after its N-th run")
      ->group(wrong);
  c->add_option("--bisect-limit", show.bisect_limit,
                "only the first N runs of passes that change something, and which they are")
      ->check(CLI::NonNegativeNumber)
      ->group(wrong);
  c->add_option("--bisect", o->bisect,
                "finds the change with which this shell command fails; {}: the file with the graph")
      ->type_name("COMMAND")
      ->group(wrong);
  c->add_option("--reproducer", show.reproducer,
                "where a graph goes on which a pass failed, for sconce opt to run it again")
      ->capture_default_str()
      ->group(wrong);
  c->add_flag("--verify-each", o->verify_each, "check the graph after every pass (always done)")
      ->group(wrong);
  c->footer(
      "Example:\n  sconce opt model.pt --passes 'freeze,fixpoint(constant_propagation,dce)' "
      "--print-changed --explain");
  return [o] { return opt(*o); };
}

Command add_check(CLI::App& app) {
  struct CheckOptions {
    std::string expectations, input = "-", prefix = "CHECK";
  };
  auto o = std::make_shared<CheckOptions>();
  auto* c = app.add_subcommand("check", "compare a text with what CHECK: lines expect of it");
  c->add_option("expectations", o->expectations, "file with CHECK: lines")->required();
  c->add_option("--input", o->input, "the text; -: stdin")->capture_default_str();
  c->add_option("--prefix", o->prefix, "instead of CHECK")->capture_default_str();
  c->footer("Example:\n  sconce opt model.pt --passes inline,dce | sconce check model.check");
  return [o]() -> int {
    auto whole = [](const std::string& path) {
      std::ifstream f(path, std::ios::binary);
      if (!f) raise<FormatError>(path, ": can't be opened");
      return std::string(std::istreambuf_iterator<char>(f), {});
    };
    const bool piped = o->input == "-";
    const std::string input =
        piped ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : whole(o->input);
    const std::string why = file_check(whole(o->expectations), o->expectations, input,
                                       piped ? "<stdin>" : o->input, o->prefix);
    std::cerr << printable(why);
    return why.empty() ? kDone : kAnswerIsNo;
  };
}

}  // namespace sconce::tool
