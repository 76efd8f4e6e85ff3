// SPDX-License-Identifier: Apache-2.0
// How far something long has come: one line at the bottom of the terminal that stderr is, with a
// bar and the time left. Nothing is written when stderr is no terminal, and nothing is left behind.
#pragma once
#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <string>

namespace sconce::tool {

class Progress {
 public:
  // What is counted: "12/40", "1.5/4.0 GiB", or nothing but the bar.
  enum class Unit { Items, Bytes, Share };

  // total: 0 when it isn't known; then there is a count and no bar.
  Progress(std::string what, uint64_t total, Unit unit = Unit::Items);
  ~Progress();
  Progress(const Progress&) = delete;

  // The members may be called from any thread. Drawing is at most ten times a second.
  void advance(uint64_t n = 1, const std::string& label = "");
  // Writes text to out on lines of its own, above the bar.
  void print(std::ostream& out, const std::string& text);
  // Takes the line away; the next advance() draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void erase();

  const std::string what_;
  const uint64_t total_;
  const Unit unit_;
  const bool shown_;
  std::mutex mutex_;
  std::string label_;
  uint64_t done_ = 0;
  bool drawn_ = false;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_;
};

// The line: at most width columns of "what [####....] 12/40, 3 s left  label". seconds: since the
// start.
std::string progress_line(const std::string& what, uint64_t done, uint64_t total,
                          Progress::Unit unit, double seconds, size_t width,
                          const std::string& label);

// Reads what isn't in memory yet of a file of more than 64 MiB, and shows how far it is. A mapped
// archive is otherwise read page by page during the first call. Does nothing when stderr is no
// terminal or the file can't be read.
void read_ahead(const std::string& path);

}  // namespace sconce::tool
