// SPDX-License-Identifier: Apache-2.0
// sconce verify: replays recorded cases. Every archive runs in a worker process of its own under
// limits of time and memory, so that a crash or a hang fails that archive and the walk goes on.
#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <unordered_set>

#include "api/alias_audit.h"
#include "api/runtime.h"
#include "core/device.h"
#include "core/recorder.h"
#include "bisect.h"
#include "commands.h"
#include "compare.h"
#include "inputs.h"
#include "passes/passes.h"
#include "progress.h"
#include "sconce/sconce.h"
#include "verify.h"

namespace sconce::tool {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json to_json(const CaseResult& c) {
  Json j{{"method", c.method},
         {"outcome", static_cast<int>(c.outcome)},
         {"seconds", c.seconds},
         {"difference", c.difference},
         {"figures", Json::array()}};
  for (auto& f : c.figures) j["figures"].push_back(to_json(f));
  return j;
}
CaseResult case_from_json(const Json& j) {
  CaseResult c;
  c.method = j["method"], c.seconds = j["seconds"], c.difference = j["difference"];
  c.outcome = static_cast<CaseResult::Outcome>(j["outcome"].get<int>());
  for (auto& f : j["figures"]) c.figures.push_back(figures_from_json(f));
  return c;
}

[[maybe_unused]] Json to_json(const Result& r) {
  Json cases = Json::array();
  for (auto& c : r.cases) cases.push_back(to_json(c));
  return {{"passed", r.passed},
          {"failed", r.failed},
          {"skipped", r.skipped},
          {"equal", r.graphs_equal},
          {"different", r.graphs_different},
          {"alias", {r.alias_findings, r.parameters, r.parameters_proved}},
          {"passes", {r.passes_equal, r.passes_different, r.passes_unknown}},
          {"with_passes", {r.unchanged, r.refused}},
          {"changes", r.changes},
          {"host_slots", r.host_slots},
          {"error", r.error},
          {"failures", r.failures},
          {"cases", cases},
          {"seconds", r.seconds},
          {"bad_file", r.bad_file}};
}
Result from_json(const Json& j) {
  Result r;
  r.passed = j["passed"], r.failed = j["failed"], r.skipped = j["skipped"];
  r.graphs_equal = j["equal"], r.graphs_different = j["different"];
  r.alias_findings = j["alias"][0], r.parameters = j["alias"][1];
  r.parameters_proved = j["alias"][2];
  r.passes_equal = j["passes"][0], r.passes_different = j["passes"][1];
  r.passes_unknown = j["passes"][2];
  r.unchanged = j["with_passes"][0], r.refused = j["with_passes"][1];
  r.changes = j["changes"].get<decltype(r.changes)>();
  r.host_slots = j["host_slots"].get<decltype(r.host_slots)>();
  r.error = j["error"], r.failures = j["failures"].get<std::vector<std::string>>(),
  r.bad_file = j["bad_file"], r.seconds = j["seconds"];
  for (auto& c : j["cases"]) r.cases.push_back(case_from_json(c));
  return r;
}

// All of them failed, for one reason.
void fail_cases(Result& r, const std::vector<Case>& cases, const std::string& why) {
  r.failed = std::max<int64_t>(1, static_cast<int64_t>(cases.size()));
  r.cases.clear();
  for (auto& c : cases) r.cases.push_back({c.method, CaseResult::Outcome::Failed, 0, why, {}});
}

// The figures of an answer, where there is one to compare.
std::vector<Figures> case_figures(const Case& c, const Answer& a) {
  if (!a.output || !c.output) return {};
  std::vector<Figures> all = figures_of(*a.output, *c.output, c.tolerance, "output");
  if (c.inputs_after) {
    const IValue after(make_ref<TupleBox>(a.inputs_after));
    const IValue expected = c.inputs_after->isList()
                                ? IValue(make_ref<TupleBox>(c.inputs_after->toListRef().items))
                                : *c.inputs_after;
    for (auto& f : figures_of(after, expected, c.tolerance, "inputs_after"))
      all.push_back(std::move(f));
  }
  return all;
}

}  // namespace

fs::path with_suffix(const fs::path& archive, const char* suffix) {
  fs::path p = archive;
  return p.replace_extension(suffix);
}

std::string one_line(std::string s) {
  std::replace(s.begin(), s.end(), '\n', ' ');
  for (auto& ch : s)
    if (static_cast<unsigned char>(ch) < 32) ch = ' ';
  if (s.size() > 400) s = s.substr(0, 160) + "..." + s.substr(s.size() - 240);
  return s;
}

std::string read_file(const fs::path& p) {
  std::ifstream in(p, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Counts the parameters that no case wrote, and those of them that freezing proves constant.
class ParameterCount {
 public:
  void start(const Module& m) {
    for (auto& p : m.named_parameters())
      if (p.value.defined())
        versions_.emplace(p.value.impl()->storage.get(), p.value.impl()->storage->version());
  }
  void finish(const Module& m, const std::vector<Case>& cases, Result& r) {
    std::unordered_set<const Storage*> open;
    std::set<std::string> methods;
    ModuleImpl& impl = *m.impl();
    impl.audit_alias = false;
    for (auto& c : cases) methods.insert(c.method == "__call__" ? "forward" : c.method);
    for (auto& name : methods) {
      if (!m.has_method(name)) continue;
      const Unstable none;
      Assumptions assumptions(none);
      auto graph = impl.runnable_graph(impl.method(name), &assumptions);
      if (!graph) graph = impl.runnable_graph(impl.method(name), nullptr);
      auto left = parameters_not_frozen(*graph, *impl.object);
      open.insert(left.begin(), left.end());
    }
    for (auto& [storage, version] : versions_) {
      if (storage->version() != version) continue;
      ++r.parameters;
      r.parameters_proved += !open.count(storage);
    }
  }

 private:
  std::map<const Storage*, uint64_t> versions_;
};

// Slots that the device lacks, with the times that they ran on the CPU.
struct HostSlots final : Recorder {
  std::map<std::string, int64_t> counts;
  void allocated(const Ref<Storage>&) override {}
  void called(const SlotCall& call) override { run_slot(call); }
  void host_read(const Storage*) override {}
  void ran_on_host(const char* slot) override { ++counts[slot]; }
};

// Whether an error has left the device useless to this process.
[[maybe_unused]] bool is_lost(const std::string& device) {
  try {
    const DeviceRuntime* d = find_device(Device::parse(device));
    return d && d->lost();
  } catch (const Error&) {
    return false;  // there is none
  }
}

// A module that interprets what another one runs optimised, case by case.
class Interpreted {
 public:
  explicit Interpreted(const Module& m) : module_(m.clone()) {
    module_.impl()->options.mode = Mode::Interpret;
    module_.impl()->options.out = nullptr;
  }
  // How an answer's bits differ from its own.
  std::optional<std::string> difference(const Case& c, int repeat, const Answer& got) {
    Answer own;
    for (int k = 0; k < repeat; ++k) {
      own = {};
      try {
        run_case(
            module_, c, [](void*) { return std::string(); }, nullptr, &own);
      } catch (const std::exception&) {
        // of the recorded one too, which has been told
      }
    }
    if (got.output.has_value() != own.output.has_value())
      return std::string(own.output ? "raises" : "returns") + ", interpreted it doesn't";
    if (!own.output) return {};
    const Tolerance bits{c.tolerance.check == "meta" ? "meta" : "bits", 0, 0};
    auto d = tool::difference(*got.output, *own.output, bits, "output");
    for (size_t i = 0; !d && i < own.inputs_after.size(); ++i)
      d = tool::difference(got.inputs_after[i], own.inputs_after[i], bits,
                           "inputs_after[" + std::to_string(i) + "]");
    if (d) d = "interpreted it has other bits: " + *d;
    return d;
  }

 private:
  Module module_;
};

// Runs in the worker.
Result check_archive(const Job& job, const Options& o) {
  Result r;
  std::ostringstream printed;
  LoadOptions load_options;
  load_options.out = &printed;
  load_options.mode = o.mode == "interpret" || o.audit_alias ? Mode::Interpret : Mode::Optimized;
  if (!o.device.empty()) load_options.device = Device::parse(o.device);
  load_options.strict_device = o.strict;
  load_options.numerics = o.numerics;
  fs::path io = with_suffix(job.archive, ".io.pt");
  std::vector<Case> cases;
  if (fs::exists(io)) cases = read_cases(io.string());
  auto fail_all = [&](const std::string& why) {
    r.error = one_line(why);
    fail_cases(r, cases, r.error);
  };
  std::optional<AliasAudit> audit;
  if (o.audit_alias) audit.emplace();
  Module m;
  try {
    m = load(job.archive.string(), load_options);
    if (o.resave || o.resave_changed) m = resaved(m, load_options, o.resave_changed, r);
    m.impl()->audit_alias = o.audit_alias;
    if (cases.empty()) m.compile_all();
  } catch (const Error& e) {
    if (job.expectation == Expectation::MustRaise || job.expectation == Expectation::Either) {
      r.passed = 1;
      return r;
    }
    r.bad_file = true;
    fail_all(e.what());
    return r;
  }
  if (!o.with_passes.empty() && job.expectation == Expectation::Replay) {
    try {
      auto changed = with_passes(m, cases, o);
      r.unchanged = !changed;
      if (!changed) return r;
      m = *changed;
    } catch (const NotApplicable&) {
      r.refused = 1;
      return r;
    } catch (const Error& e) {
      fail_all(o.with_passes + ": " + e.what());
      return r;
    }
  }
  if (job.expectation == Expectation::MustRaise) {
    // An error may also come at first use.
    try {
      m.compile_all();
      for (auto& name : m.method_names()) m.impl()->prepared(name);
      if (m.has_method("forward") && m.argument_names("forward").size() <= 1)
        m.forward(std::vector<IValue>(m.argument_names("forward").size(), IValue(ones({2, 2}))));
    } catch (const Error&) {
      r.passed = 1;
      return r;
    }
    fail_all("loads and runs, expected an error");
    return r;
  }
  struct Take {
    static std::string text(void* self) {
      auto& s = *static_cast<std::ostringstream*>(self);
      std::string t = s.str();
      s.str("");
      return t;
    }
  };
  if (cases.empty()) {
    auto missing = m.missing_operators();
    if (missing.empty() || job.expectation == Expectation::Either)
      r.passed = 1;
    else
      fail_all("operator " + missing[0].first + " is missing");
  }
  if (o.graph) {
    // Before anything runs: a generator among the constants shows its seed.
    auto compare = [&](const char* suffix, bool inlined) {
      fs::path file = with_suffix(job.archive, suffix);
      if (!fs::exists(file)) return;
      try {
        std::string ours = inlined ? m.inlined_graph_text() : m.graph_text();
        if (normalized_graph(ours) == normalized_graph(read_file(file))) {
          ++r.graphs_equal;
          return;
        }
      } catch (const Error&) {
        // counted below
      }
      ++r.graphs_different;
      r.failures.push_back(std::string(inlined ? "inlined graph" : "graph") + " differs");
    };
    compare(".graph.txt", false);
    compare(".inlined.txt", true);
  }
  ParameterCount parameters;
  if (audit) parameters.start(m);
  std::optional<HostSlots> slots;
  if (o.host_slots) m.impl()->recorder = &slots.emplace();
  std::optional<Interpreted> interpreted;
  if (o.numerics == Numerics::Strict && o.device.empty() && load_options.mode == Mode::Optimized &&
      !cases.empty())
    interpreted.emplace(m);
  for (size_t i = 0; i < cases.size(); ++i) {
    Case& c = cases[i];
    CaseResult& told = r.cases.emplace_back();
    told.method = c.method;
    if (c.skip) {
      ++r.skipped;
      told.outcome = CaseResult::Outcome::Skipped;
      continue;
    }
    std::optional<std::string> d;
    Answer answer;
    const auto start = std::chrono::steady_clock::now();
    c.tolerance.rtol = std::max(c.tolerance.rtol, o.rtol);
    c.tolerance.atol = std::max(c.tolerance.atol, o.atol);
    try {
      for (int k = 0; k < o.repeat; ++k) d = run_case(m, c, Take::text, &printed, &answer);
    } catch (const std::exception& e) {
      d = e.what();
    }
    told.seconds = seconds_since(start);
    if (interpreted) {
      auto other = interpreted->difference(c, o.repeat, answer);
      if (!d) d = other;
    }
    if (d || o.figures) told.figures = case_figures(c, answer);
    if (audit) {
      r.alias_findings += static_cast<int64_t>(audit->findings.size());
      if (!audit->findings.empty()) d = audit->findings[0];
      audit->findings.clear();
      audit->reset();
    }
    if (!d) {
      ++r.passed;
      continue;
    }
    ++r.failed;
    told.outcome = CaseResult::Outcome::Failed;
    told.difference = one_line(*d);
    r.failures.push_back(c.method + " #" + std::to_string(i) + ": " + told.difference);
  }
  if (audit) parameters.finish(m, cases, r);
  if (slots) {
    m.impl()->recorder = nullptr;
    r.host_slots = slots->counts;
  }
  return r;
}

// A process that checks some jobs one after another, each under the limits of time and memory. It
// tells a line a job. When it ends early the job that it was at has failed, and the rest is for
// another worker.
struct Worker {
  pid_t pid = -1;
  int fd = -1;
  std::vector<size_t> jobs;
  size_t told = 0;                              // of jobs
  std::string text;                             // the line that is not whole yet
  std::chrono::steady_clock::time_point start;  // of the job in hand
  bool timed_out = false;
};

[[maybe_unused]] void limit_worker(const Options& o) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // A GPU's driver reserves addresses far beyond what it uses.
  if (o.device.empty()) {
    rlim_t bytes = static_cast<rlim_t>(o.memory_mb) << 20;
    struct rlimit limit {
      bytes, bytes
    };
    setrlimit(RLIMIT_AS, &limit);
  }
#endif
  struct rlimit no_core {
    0, 0
  };
  setrlimit(RLIMIT_CORE, &no_core);
}

Result check_file(const Job& job, const Options& o) {
  try {
    return o.changes                        ? check_changes(job.archive, o)
           : job.kind == Job::Kind::Archive ? check_archive(job, o)
           : job.kind == Job::Kind::Pass    ? check_pass(job.archive)
                                            : check_round_trip(job.archive);
  } catch (const std::exception& e) {
    Result r;
    r.failed = 1;
    r.bad_file = true;
    r.error = one_line(e.what());
    return r;
  }
}

Result check(const Job& job, const Options& o) {
  const auto start = std::chrono::steady_clock::now();
  Result r = check_file(job, o);
  r.seconds = seconds_since(start);
  return r;
}

#ifdef __EMSCRIPTEN__
Worker start(const std::vector<Job>&, std::vector<size_t>, const Options&) {
  raise<Error>("there are no processes here");
}
#else
Worker start(const std::vector<Job>& all, std::vector<size_t> jobs, const Options& o) {
  int fds[2];
  if (pipe(fds) != 0) raise<Error>("pipe: ", std::strerror(errno));
  std::cout.flush();
  std::cerr.flush();
  pid_t pid = fork();
  if (pid < 0) raise<Error>("fork: ", std::strerror(errno));
  if (pid == 0) {
    close(fds[0]);
    limit_worker(o);
    for (size_t index : jobs) {
      std::string text =
          to_json(check(all[index], o)).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      for (size_t at = 0; at < text.size();) {
        ssize_t n = write(fds[1], text.data() + at, text.size() - at);
        if (n <= 0) _exit(9);
        at += static_cast<size_t>(n);
      }
      if (!o.device.empty() && is_lost(o.device)) break;  // the rest is for a fresh process
    }
    _exit(0);
  }
  close(fds[1]);
  Worker w;
  w.pid = pid, w.fd = fds[0], w.jobs = std::move(jobs), w.start = std::chrono::steady_clock::now();
  return w;
}
#endif

// What became of the job at which a worker ended.
Result unfinished(const Worker& w, int status, const Job& job) {
  Result r;
  r.failed = 1;
  if (w.timed_out)
    r.error = "takes too long";
  else if (WIFSIGNALED(status))
    r.error = std::string("crashed: ") + strsignal(WTERMSIG(status));
  else
    r.error = "the worker ended with code " + std::to_string(WEXITSTATUS(status));
  try {
    fs::path io = with_suffix(job.archive, ".io.pt");
    if (fs::exists(io)) fail_cases(r, read_cases(io.string()), r.error);
  } catch (const Error&) {
    // its cases can't be counted
  }
  return r;
}

// Runs the jobs in worker processes and hands each result over as it comes.
class Pool {
 public:
  Pool(const std::vector<Job>& jobs, const Options& o,
       std::function<void(size_t, const Result&)> done)
      : jobs_(jobs), o_(o), done_(std::move(done)), begin_(Clock::now()) {
    for (size_t i = 0; i < jobs.size(); ++i) queue_.push_back(i);
  }
  // Until all are done, or no time is left; tick is called a few times a second.
  void run(const std::function<void()>& tick) {
#ifdef __EMSCRIPTEN__  // where there are no processes, this one does all
    for (; !queue_.empty() && !late(); queue_.erase(queue_.begin())) {
      done_(queue_.front(), check(jobs_[queue_.front()], o_));
      tick();
    }
#endif
    for (;;) {
      while (!queue_.empty() && workers_.size() < static_cast<size_t>(o_.jobs) && !late())
        workers_.push_back(start(jobs_, take(), o_));
      if (workers_.empty()) return;
      look();
      tick();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool late() const {
    return o_.seconds > 0 && Clock::now() - begin_ > std::chrono::duration<double>(o_.seconds);
  }
  // A process each, so that none sees what another did; opening a device takes too long for that.
  std::vector<size_t> take() {
    size_t n = 1;
    if (!o_.device.empty())
      n = std::clamp<size_t>(queue_.size() / (4 * static_cast<size_t>(o_.jobs)), 1, 64);
    std::vector<size_t> taken(queue_.begin(), queue_.begin() + static_cast<long>(n));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<long>(n));
    return taken;
  }
  void look() {
    std::vector<pollfd> fds;
    for (auto& w : workers_) fds.push_back({w.fd, POLLIN, 0});
    poll(fds.data(), fds.size(), 200);
    for (size_t i = workers_.size(); i-- > 0;) {
      Worker& w = workers_[i];
      if (!w.timed_out &&
          Clock::now() - w.start > std::chrono::seconds(o_.timeout) * (o_.changes ? 100 : 1)) {
        w.timed_out = true;
        kill(w.pid, SIGKILL);
      }
      if (!(fds[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
      char buffer[65536];
      ssize_t n = read(w.fd, buffer, sizeof buffer);
      if (n > 0) {
        w.text.append(buffer, static_cast<size_t>(n));
        read_lines(w);
        continue;
      }
      end(w);
      workers_.erase(workers_.begin() + static_cast<long>(i));
    }
  }
  void read_lines(Worker& w) {
    for (size_t end; (end = w.text.find('\n')) != std::string::npos; w.text.erase(0, end + 1)) {
      if (w.told == w.jobs.size()) continue;
      done_(w.jobs[w.told++], from_json(Json::parse(w.text.substr(0, end))));
      w.start = Clock::now();
    }
  }
  void end(Worker& w) {
    int status = 0;
    waitpid(w.pid, &status, 0);
    close(w.fd);
    const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !w.timed_out;
    if (w.told < w.jobs.size() && !(well && w.told > 0)) {
      const size_t at = w.jobs[w.told++];
      done_(at, unfinished(w, status, jobs_[at]));
    }
    queue_.insert(queue_.begin(), w.jobs.begin() + static_cast<long>(w.told), w.jobs.end());
  }

  const std::vector<Job>& jobs_;
  const Options& o_;
  std::function<void(size_t, const Result&)> done_;
  Clock::time_point begin_;
  std::deque<size_t> queue_;
  std::vector<Worker> workers_;
};

int verify(const Options& o) {
  std::vector<Job> jobs = collect_jobs(o);
  std::vector<Result> results(jobs.size());
  op_table();  // shared by the workers
  Progress progress("verify", jobs.size());
  std::vector<bool> ran(jobs.size());
  Pool pool(jobs, o, [&](size_t i, const Result& r) {
    results[i] = r;
    ran[i] = true;
    std::string name = jobs[i].archive.string(), lines;
    if (!r.error.empty()) lines += name + ": " + r.error + "\n";
    for (auto& f : r.failures) lines += name + ": " + f + "\n";
    for (size_t k = 0; k < r.cases.size(); ++k)
      for (auto& f : r.cases[k].figures)
        lines += "  " + r.cases[k].method + " #" + std::to_string(k) + " " +
                 one_line(figures_text(f)) + "\n";
    if (!lines.empty()) progress.print(std::cout, lines);
    progress.advance(1, jobs[i].archive.filename().string());
  });
  pool.run([&] { progress.advance(0); });  // the time left goes on
  progress.clear();
  Result total;
  const auto left = std::count(ran.begin(), ran.end(), false);
  for (auto& r : results) {
    total.passed += r.passed, total.failed += r.failed, total.skipped += r.skipped;
    total.graphs_equal += r.graphs_equal, total.graphs_different += r.graphs_different;
    total.passes_equal += r.passes_equal, total.passes_different += r.passes_different;
    total.passes_unknown += r.passes_unknown;
    total.alias_findings += r.alias_findings, total.parameters += r.parameters;
    total.parameters_proved += r.parameters_proved;
    total.unchanged += r.unchanged, total.refused += r.refused;
    for (auto& [kind, count] : r.changes) {
      total.changes[kind].first += count.first;
      total.changes[kind].second += count.second;
    }
  }
  const Report report{jobs, results, ran, total};
  if (!o.json.empty()) write_json(o.json, report);
  if (!o.junit.empty()) write_junit(o.junit, report);
  if (o.github) print_github(std::cout, report);
  if (o.graph || o.resave || o.resave_changed)
    std::cout << "graphs: " << total.graphs_equal << " equal, " << total.graphs_different
              << " different\n";
  if (o.audit_alias)
    std::cout << "alias audit: " << total.alias_findings << " findings; " << total.parameters_proved
              << " of " << total.parameters << " unwritten parameters proved constant\n";
  if (o.passes)
    std::cout << "passes: " << total.passes_equal << " equal, " << total.passes_different
              << " different, " << total.passes_unknown << " unknown\n";
  if (!o.with_passes.empty())
    std::cout << "archives unchanged by " << o.with_passes << ": " << total.unchanged
              << ", not taken: " << total.refused << "\n";
  for (auto& [kind, count] : total.changes)
    std::cout << kind << ": " << count.first << " tries, " << count.second << " differences\n";
  std::cout << total.passed << " passed, " << total.failed << " failed, " << total.skipped
            << " skipped\n";
  if (left) std::cout << left << " archives were not started: the time was over\n";
  if (jobs.size() == 1 && jobs[0].alone && results[0].bad_file) return kBadFile;
  bool any = total.passed + total.passes_equal + total.unchanged + total.refused > 0;
  return total.failed == 0 && any && !left && total.graphs_different == 0 &&
                 total.passes_different == 0
             ? kDone
             : kAnswerIsNo;
}

}  // namespace

Command add_verify(CLI::App& app) {
  auto o = std::make_shared<Options>();
  auto* c =
      app.add_subcommand("verify", "replay recorded cases and compare with PyTorch's answers");
  c->add_option("path", o->paths, "archives with their .io.pt beside them, or folders of such")
      ->required();
  c->add_flag("--graph", o->graph, "compare graph texts too");
  c->add_flag(
      "--audit-alias", o->audit_alias,
      "run by the interpreter, and check that nothing writes what the analysis calls untouched");
  c->add_flag("--resave", o->resave, "save each archive, and check what was saved, graphs too");
  c->add_flag("--resave-changed", o->resave_changed,
              "the same after an attribute was set and a method defined");
  c->add_flag("--passes", o->passes,
              "run <pass>/NAME.before.ir and compare with .after.ir; NAME.ir with .printed.ir; "
              "NAME.check.ir with its CHECK: lines");
  c->add_option(
      "--with-passes", o->with_passes,
      "run the cases on the module after this pipeline; what it doesn't change isn't run");
  c->add_option("--passes-before", o->passes_before,
                "a pipeline in front of that, whose result is what must change");
  c->add_flag("--round-trip", o->round_trip, "read graph texts and print them: one case a text");
  c->add_option("--mode", o->mode, "interpret or optimized")
      ->check(CLI::IsMember({"interpret", "optimized"}))
      ->capture_default_str();
  add_numerics_option(*c, o->numerics);
  c->add_option("--device", o->device, "run on this device, e.g. cuda");
  c->add_flag("--strict", o->strict, "a kernel that the device lacks is a failure");
  c->add_flag("--host-slots", o->host_slots,
              "count in the report what ran on the CPU because the device lacks it");
  c->add_option("--rtol", o->rtol, "the least relative tolerance of what is compared as close");
  c->add_option("--atol", o->atol, "the least absolute tolerance");
  c->add_option("--seconds", o->seconds, "no archive is started after these");
  c->add_option("--json", o->json, "file for a report");
  c->add_option("--junit", o->junit, "file for a JUnit report: a test case for each recorded call");
  c->add_flag("--github", o->github, "tell failures as annotations of GitHub Actions too");
  c->add_flag("--figures", o->figures,
              "how far each output is from PyTorch's, for calls that passed too");
  c->add_option("--jobs", o->jobs, "worker processes")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  c->add_option("--repeat", o->repeat,
                "calls of each case; the last answer counts (for models without state)")
      ->check(CLI::Range(1, 1000));
  auto* changes = c->add_flag(
      "--changes", o->changes,
      "change the module between its calls and compare with a fresh one that interprets: one try a "
      "case");
  c->add_option("--seed", o->seed, "chooses the places of changes")->needs(changes);
  c->add_option("--per-kind", o->per_kind, "changes of each kind an archive")
      ->needs(changes)
      ->check(CLI::Range(1, 1000000));
  c->add_flag("--all", o->all, "every kind of change at every place")->needs(changes);
  c->add_option("--kind", o->kind, "only this kind of change")->needs(changes);
  c->add_option("--modes", o->modes, "under test: interpret, optimized or both")
      ->needs(changes)
      ->check(CLI::IsMember({"interpret", "optimized", "both"}));
  auto* look = c->add_flag("--bisect", o->bisect,
                           "name the first operator whose value is out of tolerance, compared with "
                           "NAME.trace.pt beside the archive, else with the interpreter");
  c->add_option("--case", o->only_case, "only this recorded call, from 0")
      ->needs(look)
      ->check(CLI::NonNegativeNumber);
  c->add_option("--trace", o->trace, "compare with this trace; none: with the interpreter")
      ->needs(look);
  c->add_option("--write-trace", o->write_trace, "write the values under test")->needs(look);
  c->add_option("--timeout", o->timeout, "seconds for one archive, or for one change")
      ->capture_default_str();
  c->add_option("--memory", o->memory_mb, "MiB of address space for one archive")
      ->capture_default_str();
  c->footer(
      "An archive NAME.pt has its recorded cases in NAME.io.pt beside it. Of several files that "
      "are\n"
      "named, those without cases are told on stderr and left out.\n"
      "With --numerics strict, answers on the CPU must have the bits of --mode interpret, too.\n\n"
      "Examples:\n  sconce verify fixtures/ --jobs 2\n  sconce verify *.pt --graph --json "
      "report.json");
  return [o] { return o->bisect ? bisect(*o) : verify(*o); };
}

}  // namespace sconce::tool
