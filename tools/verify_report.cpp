// SPDX-License-Identifier: Apache-2.0
// What `sconce verify` found, for machines: JSON, JUnit's XML as CI systems read it (a suite for
// each file, a test case for each recorded call), and GitHub's workflow commands.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "sconce/error.h"
#include "text.h"
#include "verify.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;
using Outcome = CaseResult::Outcome;

// The first reason of a failure; empty: none.
std::string first_reason(const Result& r) {
  if (!r.error.empty()) return r.error;
  return (r.failed || r.passes_different) && !r.failures.empty() ? r.failures[0] : "";
}

std::string call_name(const Result& r, size_t i) {
  return r.cases[i].method + " #" + std::to_string(i);
}

// Why a call failed, and its figures, a line each.
std::string reason_text(const CaseResult& c) {
  std::string text = c.difference;
  for (auto& f : c.figures) text += "\n" + figures_text(f);
  return text;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream f(path, std::ios::binary);
  f << text;
  if (!f.flush()) raise<Error>(path, ": can't be written");
}

// ---- JUnit ----

// Of an attribute or of text. What XML can't hold (control characters, bytes that are no UTF-8) is
// shown as "\x1b"; line ends and tabs stay what they are for every parser.
std::string xml(const std::string& s) {
  std::string r;
  for (char c : printable(s)) {
    switch (c) {
      case '<': r += "&lt;"; break;
      case '>': r += "&gt;"; break;
      case '&': r += "&amp;"; break;
      case '"': r += "&quot;"; break;
      case '\'': r += "&apos;"; break;
      case '\n': r += "&#10;"; break;
      case '\t': r += "&#9;"; break;
      default: r += c;
    }
  }
  // The last characters of the plane are none of XML.
  for (const char* none : {"\xef\xbf\xbe", "\xef\xbf\xbf"})
    for (size_t at; (at = r.find(none)) != std::string::npos;) r.replace(at, 3, "?");
  return r;
}

struct Counts {
  int64_t tests = 0, failures = 0, errors = 0, skipped = 0;
  double seconds = 0;
  void add(const Counts& c) {
    tests += c.tests, failures += c.failures, errors += c.errors, skipped += c.skipped;
    seconds += c.seconds;
  }
  std::string attributes() const {
    char time[40];
    std::snprintf(time, sizeof time, "%.6f", seconds);
    return " tests=\"" + std::to_string(tests) + "\" failures=\"" + std::to_string(failures) +
           "\" errors=\"" + std::to_string(errors) + "\" skipped=\"" + std::to_string(skipped) +
           "\" time=\"" + time + "\"";
  }
};

// One suite, by test cases.
class Suite {
 public:
  explicit Suite(std::string file) : file_(std::move(file)) {}
  // kind: "failure" or "error"; empty: it passed.
  void add(const std::string& name, double seconds, const std::string& kind,
           const std::string& message, const std::string& text) {
    begin(name, seconds);
    if (kind.empty()) {
      body_ += "/>\n";
      return;
    }
    ++(kind == "error" ? counts_.errors : counts_.failures);
    body_ += ">\n      <" + kind + " message=\"" + xml(message) + "\" type=\"" + kind + "\">" +
             xml(text) + "</" + kind + ">\n    </testcase>\n";
  }
  void skip(const std::string& name, const std::string& why) {
    begin(name, 0);
    ++counts_.skipped;
    body_ += ">\n      <skipped message=\"" + xml(why) + "\"/>\n    </testcase>\n";
  }
  void set_seconds(double s) { counts_.seconds = s; }
  const Counts& counts() const { return counts_; }
  std::string text() const {
    return "  <testsuite name=\"" + xml(file_) + "\"" + counts_.attributes() + ">\n" + body_ +
           "  </testsuite>\n";
  }

 private:
  void begin(const std::string& name, double seconds) {
    ++counts_.tests;
    char time[40];
    std::snprintf(time, sizeof time, "%.6f", seconds);
    body_ += "    <testcase classname=\"" + xml(file_) + "\" name=\"" + xml(name) + "\" file=\"" +
             xml(file_) + "\" time=\"" + time + "\"";
  }
  std::string file_, body_;
  Counts counts_;
};

Suite suite_of(const Job& job, const Result& r, bool ran) {
  Suite s(job.archive.string());
  if (!ran) {
    s.skip("verify", "not started: the time was over");
    return s;
  }
  s.set_seconds(r.seconds);
  // A file that didn't load, or a process that crashed, is an error and no wrong answer.
  const char* kind = r.error.empty() ? "failure" : "error";
  int64_t failed = 0;
  for (size_t i = 0; i < r.cases.size(); ++i) {
    const CaseResult& c = r.cases[i];
    if (c.outcome == Outcome::Skipped) {
      s.skip(call_name(r, i), "the recording says so");
      continue;
    }
    const bool fails = c.outcome == Outcome::Failed;
    failed += fails;
    s.add(call_name(r, i), c.seconds, fails ? kind : "", c.difference, reason_text(c));
  }
  // Files without recorded calls, and what verify checks besides calls.
  const bool more = r.graphs_different || r.passes_different || r.failed > failed;
  if (r.cases.empty() || more) {
    std::string all = r.error;
    for (auto& f : r.failures) all += (all.empty() ? "" : "\n") + f;
    s.add("verify", r.cases.empty() ? r.seconds : 0, r.failed || more ? kind : "",
          r.error.empty() && !r.failures.empty() ? r.failures[0] : r.error, all);
  }
  return s;
}

// ---- GitHub ----

std::string percent_escaped(const std::string& s, bool property) {
  std::string r;
  for (char c : printable(s)) {
    switch (c) {
      case '%': r += "%25"; break;
      case '\r': r += "%0D"; break;
      case '\n': r += "%0A"; break;
      case ':': r += property ? "%3A" : ":"; break;
      case ',': r += property ? "%2C" : ","; break;
      default: r += c;
    }
  }
  return r;
}

}  // namespace

std::string github_error(const std::string& file, int64_t line, const std::string& title,
                         const std::string& message) {
  std::string properties;
  auto add = [&](const char* name, const std::string& value) {
    properties +=
        (properties.empty() ? "" : ",") + std::string(name) + "=" + percent_escaped(value, true);
  };
  if (!file.empty()) add("file", file);
  if (line > 0) add("line", std::to_string(line));
  add("title", title);
  return "::error " + properties + "::" + percent_escaped(message, false);
}

void write_junit(const std::string& path, const Report& r) {
  std::string suites;
  Counts all;
  for (size_t i = 0; i < r.jobs.size(); ++i) {
    const Suite s = suite_of(r.jobs[i], r.results[i], r.ran[i]);
    all.add(s.counts());
    suites += s.text();
  }
  write_file(path,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"sconce verify\"" +
                 all.attributes() + ">\n" + suites + "</testsuites>\n");
}

void write_json(const std::string& path, const Report& report) {
  const Result& total = report.total;
  Json j{{"passed", total.passed},
         {"failed", total.failed},
         {"skipped", total.skipped},
         {"archives", Json::array()}};
  for (size_t i = 0; i < report.jobs.size(); ++i) {
    if (!report.ran[i]) continue;
    auto& r = report.results[i];
    const std::string reason = r.error.empty() && !r.failed ? "" : first_reason(r);
    Json cases = Json::array();
    for (auto& c : r.cases) {
      Json outputs = Json::array();
      for (auto& f : c.figures) outputs.push_back(to_json(f));
      cases.push_back({{"method", c.method},
                       {"outcome", c.outcome == Outcome::Passed   ? "passed"
                                   : c.outcome == Outcome::Failed ? "failed"
                                                                  : "skipped"},
                       {"seconds", c.seconds},
                       {"difference", c.difference.empty() ? Json() : Json(c.difference)},
                       {"outputs", outputs}});
    }
    j["archives"].push_back({{"path", report.jobs[i].archive.string()},
                             {"passed", r.passed},
                             {"failed", r.failed},
                             {"skipped", r.skipped},
                             {"seconds", r.seconds},
                             {"unchanged", r.unchanged != 0},
                             {"refused", r.refused != 0},
                             {"error", reason.empty() ? Json() : Json(reason)},
                             {"failures", r.failures},
                             {"cases", cases},
                             {"host_slots", r.host_slots}});
  }
  j["not_run"] = std::count(report.ran.begin(), report.ran.end(), false);
  j["graphs"] = {{"equal", total.graphs_equal}, {"different", total.graphs_different}};
  j["passes"] = {{"equal", total.passes_equal},
                 {"different", total.passes_different},
                 {"unknown", total.passes_unknown}};
  j["alias"] = {{"findings", total.alias_findings},
                {"parameters", total.parameters},
                {"proved", total.parameters_proved}};
  for (auto& [kind, count] : total.changes)
    j["changes"][kind] = {{"tries", count.first}, {"differences", count.second}};
  write_file(path, j.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void print_github(std::ostream& to, const Report& report) {
  for (size_t i = 0; i < report.jobs.size(); ++i) {
    const Result& r = report.results[i];
    const std::string file = report.jobs[i].archive.string();
    const std::string title = "sconce verify: " + report.jobs[i].archive.filename().string();
    if (!report.ran[i]) {
      to << github_error(file, 0, title, "not started: the time was over") << "\n";
      continue;
    }
    bool told = false;
    if (r.error.empty())
      for (size_t k = 0; k < r.cases.size(); ++k)
        if (r.cases[k].outcome == Outcome::Failed) {
          to << github_error(file, 0, title + ", " + call_name(r, k), reason_text(r.cases[k]))
             << "\n";
          told = true;
        }
    const bool more = r.failed || r.graphs_different || r.passes_different;
    if (told || !more) continue;
    std::string all = r.error;
    for (auto& f : r.failures) all += (all.empty() ? "" : "\n") + f;
    to << github_error(file, 0, title, all) << "\n";
  }
}

}  // namespace sconce::tool
