// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

namespace sconce::tool {

namespace {

bool on_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) && !(term && std::string(term) == "dumb");
}

size_t terminal_width() {
  struct winsize size {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// To the terminal at once; a terminal that is gone is nobody's problem.
void put(const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    ssize_t n = write(STDERR_FILENO, text.data() + at, text.size() - at);
    if (n <= 0) return;
    at += static_cast<size_t>(n);
  }
}

std::string duration(double seconds) {
  auto s = static_cast<int64_t>(std::ceil(seconds));
  char text[48];
  if (s < 60)
    std::snprintf(text, sizeof text, "%lld s", static_cast<long long>(s));
  else if (s < 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld", static_cast<long long>(s / 60),
                  static_cast<long long>(s % 60));
  else
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", static_cast<long long>(s / 3600),
                  static_cast<long long>(s / 60 % 60), static_cast<long long>(s % 60));
  return text;
}

std::string count(uint64_t done, uint64_t total, Progress::Unit unit) {
  if (unit == Progress::Unit::Share) return "";
  if (unit == Progress::Unit::Items)
    return std::to_string(done) + (total ? "/" + std::to_string(total) : "");
  uint64_t largest = std::max(done, total);
  bool large = largest >= uint64_t{1} << 30;
  double scale = static_cast<double>(uint64_t{1} << (large ? 30 : 20));
  char text[64];
  if (total)
    std::snprintf(text, sizeof text, "%.1f/%.1f %s", static_cast<double>(done) / scale,
                  static_cast<double>(total) / scale, large ? "GiB" : "MiB");
  else
    std::snprintf(text, sizeof text, "%.1f %s", static_cast<double>(done) / scale,
                  large ? "GiB" : "MiB");
  return text;
}

}  // namespace

std::string progress_line(const std::string& what, uint64_t done, uint64_t total,
                          Progress::Unit unit, double seconds, size_t width,
                          const std::string& label) {
  done = total ? std::min(done, total) : done;
  std::string after = count(done, total, unit);
  // Too early an estimate jumps about.
  if (total && done && seconds >= 1) {
    double left = seconds * static_cast<double>(total - done) /
                  static_cast<double>(std::max<uint64_t>(done, 1));
    after += (after.empty() ? "" : ", ") + duration(left) + " left";
  }
  std::string line = what;
  constexpr size_t kBar = 30, kLeastBar = 5;
  size_t fixed = what.size() + 4 + after.size();  // with the brackets and spaces
  if (total && fixed + kLeastBar <= width) {
    size_t bar = std::min(kBar, width - fixed);
    auto full = static_cast<size_t>(static_cast<double>(bar) * static_cast<double>(done) /
                                    static_cast<double>(total));
    line += " [" + std::string(full, '#') + std::string(bar - full, '.') + "]";
  }
  if (!after.empty()) line += " " + after;
  if (!label.empty() && line.size() + 2 + label.size() <= width) line += "  " + label;
  return line.substr(0, width);
}

Progress::Progress(std::string what, uint64_t total, Unit unit)
    : what_(std::move(what)), total_(total), unit_(unit), shown_(on_terminal()) {}

Progress::~Progress() { clear(); }

void Progress::erase() {
  if (drawn_) put("\r\033[K");
  drawn_ = false;
}

void Progress::clear() {
  std::lock_guard<std::mutex> lock(mutex_);
  erase();
}

void Progress::advance(uint64_t n, const std::string& label) {
  if (!shown_) return;
  std::lock_guard<std::mutex> lock(mutex_);
  done_ += n;
  if (!label.empty()) label_ = label;
  Clock::time_point now = Clock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  double seconds = std::chrono::duration<double>(now - start_).count();
  // One column stays free: some terminals wrap a line that is full.
  size_t width = terminal_width() - 1;
  put("\r\033[K" + progress_line(what_, done_, total_, unit_, seconds, width, label_));
  drawn_ = true;
}

void Progress::print(std::ostream& out, const std::string& text) {
  std::lock_guard<std::mutex> lock(mutex_);
  erase();
  out << text;
  if (shown_) out.flush();
}

void read_ahead(const std::string& path) {
  constexpr uint64_t kLeast = uint64_t{64} << 20, kPiece = uint64_t{8} << 20;
  if (!on_terminal()) return;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat about {};
  void* map = MAP_FAILED;
  uint64_t size = 0;
  if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) size = static_cast<uint64_t>(about.st_size);
  if (size > kLeast) map = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) {
    Progress progress("reading", size, Progress::Unit::Bytes);
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> resident((kPiece + page - 1) / page);
    std::vector<char> buffer(kPiece);
    for (uint64_t at = 0; at < size; at += kPiece) {
      uint64_t piece = std::min(kPiece, size - at);
      size_t pages = (piece + page - 1) / page;
      bool there = mincore(static_cast<char*>(map) + at, piece, resident.data()) == 0 &&
                   std::all_of(resident.begin(), resident.begin() + static_cast<long>(pages),
                               [](unsigned char r) { return r & 1; });
      if (!there && pread(fd, buffer.data(), piece, static_cast<off_t>(at)) <= 0) break;
      progress.advance(piece);
    }
    munmap(map, size);
  }
  close(fd);
}

}  // namespace sconce::tool
