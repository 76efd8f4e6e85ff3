// SPDX-License-Identifier: Apache-2.0
// Many calls for a long time: models and shapes mixed, loaded again now and then, in both modes,
// with and without limits and threads. Answers must stay what the first ones were, and memory must
// stay flat. Before that, 64 threads make 1,000 mixed calls each.
//
//     sconce_soak [--minutes N] [--threads N] [--calls N] FIXTURES
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <thread>

#include "compare.h"
#include "resident.h"
#include "sconce/sconce.h"

namespace {

using namespace sconce;
using Clock = std::chrono::steady_clock;

struct Random {
  uint64_t state;
  // xorshift64* (Vigna 2016)
  uint64_t below(uint64_t n) {
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dull >> 16) % n;
  }
};

// One call and its answer by the interpreter.
struct Known {
  std::string file, method;
  std::vector<IValue> inputs;
  IValue answer;
};

Module open(const std::string& file, uint64_t kind) {
  LoadOptions o;
  o.mode = kind & 1 ? Mode::Interpret : Mode::Optimized;
  o.num_threads = kind & 2 ? 2 : 1;
  if (kind & 4) o.limits = Limits::untrusted();
  o.map_file = kind & 8;
  return load(file, o);
}

std::vector<Known> known_calls(const std::string& fixtures) {
  std::vector<Known> r;
  auto add = [&](const std::string& name, std::vector<IValue> inputs) {
    Known k{fixtures + "/" + name, "forward", std::move(inputs), IValue()};
    Module m = open(k.file, 1);
    k.answer = m.run_method(k.method, tool::copy_values(k.inputs));
    r.push_back(std::move(k));
  };
  for (int64_t n = 1; n <= 9; n += 2) {
    add("mlp.pt", {full({n, 32}, 0.25 * static_cast<double>(n))});
    add("small_cnn.pt", {full({n, 3, 16, 16}, 0.5)});
  }
  for (const char* name : {"mlp", "small_cnn", "lstm_loop", "narrow_resnet", "router"}) {
    const std::string file = fixtures + "/" + name + ".pt";
    Module m = open(file, 1);
    for (auto& c : tool::read_cases(fixtures + "/" + name + ".io.pt")) {
      if (c.raises || c.skip || c.method != "forward") continue;
      add(name + std::string(".pt"), tool::convert_inputs(m, c.method, c.inputs));
    }
  }
  return r;
}

std::mutex said;
std::atomic<int64_t> wrong{0};
void check(const Known& k, const Module& m, const char* where) {
  std::string problem;
  try {
    const IValue y = m.run_method(k.method, tool::copy_values(k.inputs));
    if (auto d = tool::difference(y, k.answer, {}, "answer")) problem = *d;
  } catch (const std::exception& e) {
    problem = e.what();
  }
  if (problem.empty()) return;
  if (++wrong > 10) return;
  std::lock_guard<std::mutex> lock(said);
  std::cout << where << ": " << k.file << ": " << problem << std::endl;
}

void many_threads(const std::vector<Known>& calls, int threads, int64_t each) {
  std::vector<Module> modules;
  for (size_t i = 0; i < calls.size(); ++i) modules.push_back(open(calls[i].file, i % 8));
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      Random random{0x9e3779b97f4a7c15ull + static_cast<uint64_t>(t)};
      for (int64_t i = 0; i < each; ++i) {
        const size_t at = random.below(calls.size());
        check(calls[at], modules[at], "threads");
      }
    });
  for (auto& t : running) t.join();
  std::cout << threads << " threads, " << each << " calls each: " << wrong << " wrong" << std::endl;
}

// The growth of memory from the end of the first tenth to the end.
int64_t soak(const std::vector<Known>& calls, double minutes) {
  Random random{88172645463325252ull};
  std::vector<Module> modules;
  for (auto& k : calls) modules.push_back(open(k.file, 0));
  const auto began = Clock::now();
  auto passed = [&] { return std::chrono::duration<double>(Clock::now() - began).count() / 60; };
  int64_t made = 0, loaded = 0, warm = 0;
  while (passed() < minutes) {
    for (int i = 0; i < 50; ++i, ++made) {
      const size_t at = random.below(calls.size());
      check(calls[at], modules[at], "soak");
    }
    const size_t at = random.below(calls.size());
    modules[at] = open(calls[at].file, random.below(16));
    ++loaded;
    if (!warm && passed() > minutes / 10) warm = resident();
  }
  const int64_t end = resident();
  std::cout << made << " calls and " << loaded << " loads in " << passed() << " minutes: " << wrong
            << " wrong; resident after a tenth " << warm << " bytes, at the end " << end
            << std::endl;
  return end - warm;
}

}  // namespace

int main(int argc, char** argv) {
  double minutes = 1;
  int threads = 64;
  int64_t each = 1000;
  std::string fixtures;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--minutes") && i + 1 < argc)
      minutes = std::atof(argv[++i]);
    else if (!std::strcmp(argv[i], "--threads") && i + 1 < argc)
      threads = std::atoi(argv[++i]);
    else if (!std::strcmp(argv[i], "--calls") && i + 1 < argc)
      each = std::atoll(argv[++i]);
    else
      fixtures = argv[i];
  }
  const std::vector<Known> calls = known_calls(fixtures);
  if (threads > 0) many_threads(calls, threads, each);
  constexpr int64_t kFlat = 4 << 20;
  const bool grows = minutes > 0 && soak(calls, minutes) > kFlat;
  if (grows) std::cout << "memory grows" << std::endl;
  return wrong || grows ? 1 : 0;
}
