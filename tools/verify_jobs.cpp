// SPDX-License-Identifier: Apache-2.0
// Which files `sconce verify` checks: those of folders, and those of a shell's list.
#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "sconce/error.h"
#include "verify.h"

namespace sconce::tool {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool ends_with(const std::string& name, std::string_view ending) {
  return name.size() > ending.size() &&
         name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

class JobList {
 public:
  explicit JobList(const Options& o) : o_(o) {}

  // Every archive with its cases, or that expected.json says something of.
  void add_folder(const fs::path& folder) {
    std::vector<fs::path> files;
    for (auto& e : fs::recursive_directory_iterator(folder))
      if (e.is_regular_file()) files.push_back(e.path());
    std::sort(files.begin(), files.end());
    for (auto& f : files) {
      std::string name = f.filename().string();
      if (ends_with(name, ".io.pt") || ends_with(name, ".trace.pt")) continue;
      Job job{f, kind(name)};
      if (job.kind == Job::Kind::Archive) {
        if (f.extension() != ".pt" && f.extension() != ".ptl" && f.extension() != ".pt2") continue;
        job.expectation = expectation(f);
        if ((o_.changes || job.expectation == Expectation::Replay) && !has_cases(f)) continue;
      }
      add(job);
    }
  }

  // A file that was named. In a list of several those without cases are told and left out.
  void add_file(const fs::path& f) {
    std::string name = f.filename().string();
    bool only = o_.paths.size() == 1;
    if (ends_with(name, ".io.pt") || ends_with(name, ".trace.pt")) {
      if (only)
        std::cerr << "sconce: " << f.string() << " holds recorded "
                  << (ends_with(name, ".io.pt") ? "cases" : "values")
                  << ": name the archive beside it\n";
      return;
    }
    Job job{f, kind(name)};
    job.alone = only;
    if (job.kind == Job::Kind::Archive) {
      job.expectation = expectation(f);
      if (job.expectation == Expectation::Replay && !has_cases(f)) {
        std::cerr << "sconce: " << f.string() << ": no "
                  << with_suffix(f, ".io.pt").filename().string() << " beside it, "
                  << (only ? "it is only compiled" : "left out") << "\n";
        if (!only) return;
      }
    }
    add(job);
  }

  std::vector<Job> take() { return std::move(jobs_); }

 private:
  static bool has_cases(const fs::path& archive) {
    return fs::exists(with_suffix(archive, ".io.pt"));
  }

  // Which check a file is for. Archives are the rest.
  Job::Kind kind(const std::string& name) const {
    if (o_.passes && (ends_with(name, ".before.ir") || ends_with(name, ".printed.ir") ||
                      ends_with(name, ".check.ir")))
      return Job::Kind::Pass;
    if (o_.round_trip && (ends_with(name, ".ir") || ends_with(name, ".graph.txt") ||
                          ends_with(name, ".inlined.txt")))
      return Job::Kind::RoundTrip;
    return Job::Kind::Archive;
  }

  // What the expected.json of its folder says.
  Expectation expectation(const fs::path& archive) {
    fs::path file = archive.parent_path() / "expected.json";
    auto known = expected_.find(file);
    if (known == expected_.end()) {
      Json j = fs::exists(file) ? Json::parse(read_file(file), nullptr, false) : Json::object();
      if (!j.is_object()) raise<FormatError>(file.string(), ": no JSON object");
      known = expected_.emplace(file, std::move(j)).first;
    }
    const Json& all = known->second;
    for (const std::string& key : {archive.stem().string(), archive.filename().string()}) {
      if (!all.contains(key) || !all[key].is_string()) continue;
      std::string what = all[key];
      return what == "must raise" ? Expectation::MustRaise
             : what == "either"   ? Expectation::Either
                                  : Expectation::MustLoad;
    }
    return Expectation::Replay;
  }

  // A file that is named twice, or lies in a folder that is named too, counts once.
  void add(const Job& job) {
    if (seen_.insert(fs::absolute(job.archive).lexically_normal()).second) jobs_.push_back(job);
  }

  const Options& o_;
  std::vector<Job> jobs_;
  std::set<fs::path> seen_;
  std::map<fs::path, Json> expected_;
};

}  // namespace

std::vector<Job> collect_jobs(const Options& o) {
  JobList list(o);
  for (auto& text : o.paths) {
    fs::path p(text);
    if (!fs::exists(p)) raise<FormatError>(text, ": no such file or folder");
    if (fs::is_directory(p))
      list.add_folder(p);
    else
      list.add_file(p);
  }
  return list.take();
}

}  // namespace sconce::tool
