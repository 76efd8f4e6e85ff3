// SPDX-License-Identifier: Apache-2.0
// sconce verify on graph texts: passes against PyTorch's results, and the parser against the
// printer.
#include <nlohmann/json.hpp>
#include <regex>

#include "api/runtime.h"
#include "backends/kernels.h"
#include "compare.h"
#include "file_check.h"
#include "pass_manager.h"
#include "passes/passes.h"
#include "sconce/sconce.h"
#include "verify.h"

namespace sconce::tool {

namespace fs = std::filesystem;

namespace {

std::string stem_of(const fs::path& p, const char* ending) {
  std::string s = p.string();
  return s.substr(0, s.size() - std::string(ending).size());
}
bool ends_with(const fs::path& p, std::string_view e) {
  std::string s = p.string();
  return s.size() > e.size() && s.compare(s.size() - e.size(), e.size(), e) == 0;
}

// PyTorch's str() shows a symbol of a size as an unknown one, unless it is asked for all of a type
// (PYTORCH_JIT_TYPE_VERBOSITY).
std::string without_symbols(const std::string& s) {
  static const std::regex symbol("SS\\(-[0-9]+\\)");
  return std::regex_replace(s, symbol, "*");
}

std::string first_difference(const std::string& ours, const std::string& theirs) {
  size_t at = 0, line = 0;
  while (at < ours.size() && at < theirs.size() && ours[at] == theirs[at]) {
    if (ours[at] == '\n') line = at + 1;
    ++at;
  }
  auto rest = [&](const std::string& s) {
    return s.substr(std::min(line, s.size()), s.find('\n', at) - line);
  };
  return "'" + rest(ours) + "' instead of '" + rest(theirs) + "'";
}

// The arguments that PyTorch's pass got, as a pipeline writes them: "(preserved_attrs=[a],x=true)".
std::string arguments_of(const std::string& stem) {
  if (!fs::exists(stem + ".json")) return "";
  auto j = nlohmann::json::parse(read_file(stem + ".json"), nullptr, false);
  auto word = [](const nlohmann::json& v) {
    return v.is_string() ? v.get<std::string>() : v.dump();
  };
  std::string r;
  for (auto& [name, v] : j.items()) {
    r += r.empty() ? "(" : ",";
    if (j.is_object()) r += name + "=";
    if (!v.is_array()) {
      r += word(v);
      continue;
    }
    std::string list;
    for (auto& e : v) list += (list.empty() ? "" : ",") + word(e);
    r += "[" + list + "]";
  }
  return r.empty() ? "" : r + ")";
}

// The graph of file, or of the archive beside it, after the pipeline.
std::string run_on(const fs::path& file, const char* ending, const std::string& pipeline) {
  const std::string archive = stem_of(file, ending) + ".pt";
  if (fs::exists(archive)) {
    Module m = load(archive);
    if (pipeline.rfind("freeze", 0) == 0) m.eval();  // as PyTorch's pairs were recorded
    return m.graph_text("forward", pipeline);
  }
  auto g = parse_graph(read_file(file), &op_table(), file.filename().string());
  PassContext c{&op_table(), nullptr};
  Context ctx = default_context();
  ctx.kernels = &cpu_kernels();
  ContextScope scope(&ctx);
  run_pipeline(*g, c, pipeline);
  return print_graph(*g);
}

std::string run_pass(const fs::path& before, const std::string& pass) {
  const std::string stem = stem_of(before, ".before.ir"), arguments = arguments_of(stem);
  // Passes on frozen modules come with the arguments of the freezing before them.
  const bool frozen = fs::exists(stem + ".pt") && pass != "freeze" && !arguments.empty();
  return run_on(before, ".before.ir",
                frozen ? "freeze" + arguments + "," + pass : pass + arguments);
}

// What is wrong; empty: nothing.
std::string run_checks(const fs::path& file) {
  const std::string text = read_file(file), name = file.filename().string();
  std::string pipeline;
  for (auto& run : header_values(text, "RUN")) pipeline += (pipeline.empty() ? "" : ",") + run;
  if (pipeline.empty()) raise<Error>(name, ": there is no '# RUN: passes'");
  const std::string folder = fs::absolute(file).parent_path().string();
  for (size_t at = 0; (at = pipeline.find("%S", at)) != std::string::npos; at += folder.size())
    pipeline.replace(at, 2, folder);
  return file_check(text, name, run_on(file, ".check.ir", pipeline), "<graph>");
}

}  // namespace

Result check_pass(const fs::path& text) {
  Result r;
  std::string ours, theirs;
  try {
    if (ends_with(text, ".check.ir")) {
      const std::string why = run_checks(text);
      (why.empty() ? r.passes_equal : r.passes_different) = 1;
      if (!why.empty()) r.failures.push_back(one_line(why));
      return r;
    }
    if (ends_with(text, ".printed.ir")) {
      fs::path source = stem_of(text, ".printed.ir") + ".ir";
      theirs = read_file(text);
      ours = without_symbols(
          print_graph(*parse_graph(read_file(source), &op_table(), source.filename().string())));
    } else {
      std::string pass = fs::absolute(text).parent_path().filename().string();
      bool known = false;
      for (auto& p : all_passes()) known |= pass == p.name;
      if (!known) {
        r.passes_unknown = 1;
        return r;
      }
      theirs = read_file(stem_of(text, ".before.ir") + ".after.ir");
      ours = run_pass(text, pass);
    }
  } catch (const Error& e) {
    r.passes_different = 1;
    r.failures.push_back(one_line(e.what()));
    return r;
  }
  ours = normalized_graph(ours), theirs = normalized_graph(theirs);
  if (ours == theirs) {
    r.passes_equal = 1;
  } else {
    r.passes_different = 1;
    r.failures.push_back(one_line(first_difference(ours, theirs)));
  }
  return r;
}

Result check_round_trip(const fs::path& text) {
  Result r;
  try {
    std::string before = read_file(text);
    std::string once = print_graph(*parse_graph(before, &op_table(), text.filename().string()));
    std::string twice = print_graph(*parse_graph(once, &op_table(), "<printed>"));
    // Texts that people write differ in their layout from what is printed.
    bool printed = !ends_with(text, ".ir") || ends_with(text, ".printed.ir") ||
                   ends_with(text, ".before.ir") || ends_with(text, ".after.ir");
    std::string a = normalized_graph(once), b = normalized_graph(before);
    if (printed && a != b)
      r.failures.push_back(one_line(first_difference(a, b)));
    else if (once != twice)
      r.failures.push_back(one_line("the second time: " + first_difference(twice, once)));
  } catch (const Error& e) {
    r.failures.push_back(one_line(e.what()));
  }
  (r.failures.empty() ? r.passed : r.failed) = 1;
  return r;
}

}  // namespace sconce::tool
