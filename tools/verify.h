// SPDX-License-Identifier: Apache-2.0
// What the parts of `sconce verify` share: a job is one file that a worker process checks.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compare.h"
#include "figures.h"

namespace sconce::tool {

struct Job {
  enum class Kind { Archive, Pass, RoundTrip };
  enum class Expectation { Replay, MustRaise, MustLoad, Either };
  std::filesystem::path archive;  // or the graph text
  Kind kind = Kind::Archive;
  Expectation expectation = Expectation::Replay;
  bool alone = false;  // the only argument
};
using Expectation = Job::Expectation;

struct Options {
  std::vector<std::string> paths;
  bool strict = false, host_slots = false, graph = false, passes = false, round_trip = false,
       audit_alias = false;
  bool figures = false, github = false;  // verify: of passed calls too; GitHub's annotations
  std::string mode = "optimized", device, json, junit;
  // Strict: answers must have the interpreter's bits, too.
  Numerics numerics = Numerics::Fast;
  int jobs = 1, timeout = 120, repeat = 1;
  int64_t memory_mb = 8192;
  // A pipeline that archives' modules are put through; empty: none. What runs before it.
  std::string with_passes, passes_before;
  double seconds = 0;         // after these no further archive is started; 0: no end
  double rtol = 0, atol = 0;  // at least these for what is compared as close
  // verify --changes: the kind to try (empty: every one), where, and which modes are under test.
  bool changes = false, all = false;
  std::string kind, modes = "optimized";
  // What is checked is a copy that was saved, and loaded again; changed: after the module was.
  bool resave = false, resave_changed = false;
  uint64_t seed = 0, per_kind = 1;
  // verify --bisect (bisect.h): one call, or -1 for all; what is compared with, or written.
  bool bisect = false;
  int64_t only_case = -1;
  std::string trace, write_trace;
};

// A recorded call that was replayed.
struct CaseResult {
  enum class Outcome { Passed, Failed, Skipped };
  std::string method;
  Outcome outcome = Outcome::Passed;
  double seconds = 0;
  std::string difference;        // why it failed
  std::vector<Figures> figures;  // of each output: of what failed, and with --figures of all
};

struct Result {
  int64_t passed = 0, failed = 0, skipped = 0, graphs_equal = 0, graphs_different = 0;
  int64_t passes_equal = 0, passes_different = 0, passes_unknown = 0;
  // verify --with-passes: archives that the passes left as they were, or don't take.
  int64_t unchanged = 0, refused = 0;
  // Of the parameters that no case wrote, those that the analysis proves constant.
  int64_t alias_findings = 0, parameters = 0, parameters_proved = 0;
  // verify --changes: of each kind, tries and differences.
  std::map<std::string, std::pair<int64_t, int64_t>> changes;
  std::map<std::string, int64_t> host_slots;  // with --host-slots: what ran on the CPU, how often
  std::string error;                          // the archive's own failure
  std::vector<std::string> failures;          // one line each
  std::vector<CaseResult> cases;              // in their order, of archives with cases
  double seconds = 0;                         // loading and compiling too
  bool bad_file = false;
};

// The files that the arguments name, each once. Archives that are named and have no cases are told
// on stderr. Throws FormatError for a path that isn't there.
std::vector<Job> collect_jobs(const Options& o);

// What became of each job: in files, and as workflow commands of GitHub Actions on stdout. ran: of
// those that were started.
struct Report {
  const std::vector<Job>& jobs;
  const std::vector<Result>& results;
  const std::vector<bool>& ran;
  const Result& total;
};
void write_json(const std::string& path, const Report& r);
void write_junit(const std::string& path, const Report& r);
void print_github(std::ostream& to, const Report& r);
// "::error file=F,line=L,title=T::message", escaped; file may be empty, and line 0.
std::string github_error(const std::string& file, int64_t line, const std::string& title,
                         const std::string& message);

// archive's name with another ending: "a.pt" and ".io.pt" give "a.io.pt".
std::filesystem::path with_suffix(const std::filesystem::path& archive, const char* suffix);
std::string read_file(const std::filesystem::path& p);
// Without line ends, cut to a readable length.
std::string one_line(std::string s);

// <pass>/NAME.before.ir: runs the pass that the folder is called after on it, or on the graph of
// NAME.pt, and compares with NAME.after.ir. NAME.printed.ir: reads NAME.ir and prints it.
// NAME.check.ir: runs the pipeline of its "# RUN:" lines (%S: its folder) on it and looks for what
// its "# CHECK:" lines say (file_check.h).
Result check_pass(const std::filesystem::path& text);
// Reading and printing gives the text again, comments and names of values aside; and once more
// exactly.
Result check_round_trip(const std::filesystem::path& text);
// The module put through the pipeline; nothing when no graph of it is another one then. `freeze`
// keeps the methods that the cases call. Throws NotApplicable for a module that a pass doesn't
// take.
std::optional<Module> with_passes(const Module& m, const std::vector<Case>& cases,
                                  const Options& o);
// Changes the archive's module between its recorded calls; passed and failed count tries.
Result check_changes(const std::filesystem::path& archive, const Options& o);
// Saves m to a temporary file and loads that. changed: one attribute is set before, to what it is,
// and one method defined. The graphs of all functions are compared; failures has those that differ.
Module resaved(Module& m, const LoadOptions& options, bool changed, Result& r);

}  // namespace sconce::tool
