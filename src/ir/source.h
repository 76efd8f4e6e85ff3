// SPDX-License-Identifier: Apache-2.0
// A source text with its name, and error messages that point into it.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace sconce {

// Where a piece of generated source came from in the original Python (from .debug_pkl).
struct OriginalRange {
  uint32_t offset;                          // in the generated text
  std::shared_ptr<const std::string> file;  // many ranges have one; null: not known
  std::shared_ptr<const std::string> text;  // the same
  uint32_t line = 0, start = 0, end = 0;
  const std::string& file_name() const { return file ? *file : none(); }
  const std::string& source() const { return text ? *text : none(); }

 private:
  static const std::string& none() {
    static const std::string empty;
    return empty;
  }
};

struct Source {
  std::string text, name;
  // Where pieces of the text came from, sorted by offset; may be empty. read is called when
  // somebody asks: few do.
  void set_originals(std::function<std::vector<OriginalRange>()> read) {
    read_originals_ = std::move(read);
  }
  void add_original(OriginalRange r) { originals_.push_back(std::move(r)); }
  const std::vector<OriginalRange>& originals() const {
    std::call_once(originals_known_, [this] {
      if (read_originals_) originals_ = std::exchange(read_originals_, nullptr)();
    });
    return originals_;
  }
  const OriginalRange* find_original(uint32_t at) const {
    const std::vector<OriginalRange>& all = originals();
    auto it = std::upper_bound(all.begin(), all.end(), at,
                               [](uint32_t a, const OriginalRange& r) { return a < r.offset; });
    return it == all.begin() ? nullptr : &*(it - 1);
  }
  // "file:line:col" of the original when known; col is 0-based as PyTorch prints it.
  std::string position(uint32_t at) const {
    if (const OriginalRange* o = find_original(at)) {
      const std::string& own = o->source();
      uint32_t line = o->line, col = o->start;
      size_t bol = o->start == 0 ? std::string::npos : own.rfind('\n', o->start - 1);
      for (uint32_t i = 0; i < o->start && i < own.size(); ++i) line += own[i] == '\n';
      if (bol != std::string::npos) col = o->start - static_cast<uint32_t>(bol) - 1;
      if (!o->file_name().empty())
        return o->file_name() + ":" + std::to_string(line) + ":" + std::to_string(col);
    }
    auto [line, col] = line_col(at);
    return name + ":" + std::to_string(line) + ":" + std::to_string(col);
  }
  // The line that position() names, without the blanks around it: of the original where its text
  // is known.
  std::string line(uint32_t at) const {
    const OriginalRange* o = find_original(at);
    if (o && o->source().empty()) return "";
    const std::string& t = o ? o->source() : text;
    const size_t from = std::min<size_t>(o ? o->start : at, t.size());
    size_t b = from == 0 ? std::string::npos : t.rfind('\n', from - 1);
    b = std::min(t.find_first_not_of(" \t\n", b == std::string::npos ? 0 : b), t.size());
    std::string r = t.substr(b, std::min(t.find('\n', from), t.size()) - std::min(b, from));
    while (!r.empty() && std::isspace(static_cast<unsigned char>(r.back()))) r.pop_back();
    return r;
  }
  // 1-based line, 0-based column. text doesn't change any more.
  std::pair<uint32_t, uint32_t> line_col(uint32_t at) const {
    std::call_once(lines_known_, [this] {
      for (size_t i = text.find('\n'); i != std::string::npos; i = text.find('\n', i + 1))
        line_ends_.push_back(static_cast<uint32_t>(i));
    });
    const auto next = std::lower_bound(line_ends_.begin(), line_ends_.end(), at);
    const uint32_t bol = next == line_ends_.begin() ? 0 : *(next - 1) + 1;
    return {static_cast<uint32_t>(next - line_ends_.begin()) + 1, at - bol};
  }

 private:
  mutable std::once_flag originals_known_;
  mutable std::function<std::vector<OriginalRange>()> read_originals_;
  mutable std::vector<OriginalRange> originals_;
  mutable std::once_flag lines_known_;
  mutable std::vector<uint32_t> line_ends_;
};

// "file:line:col", of the original when known; "" when nothing is.
inline std::string place_of(const SourceRange& r) {
  return r.source ? r.source->position(r.start) : "";
}

// "name:line:col: error: message", the line, and a caret under the range.
inline std::string describe_error(const SourceRange& r, const std::string& message) {
  if (!r.source) return "error: " + message;
  auto [line, col] = r.source->line_col(r.start);
  const std::string& t = r.source->text;
  size_t bol = std::min<size_t>(r.start - col, t.size());
  size_t eol = t.find('\n', bol);
  std::string row = t.substr(bol, eol == std::string::npos ? eol : eol - bol);
  size_t width = r.end > r.start
                     ? std::min<size_t>(r.end - r.start, row.size() > col ? row.size() - col : 1)
                     : 1;
  return r.source->name + ":" + std::to_string(line) + ":" + std::to_string(col + 1) +
         ": error: " + message + "\n    " + row + "\n    " + std::string(col, ' ') + "^" +
         std::string(width > 1 ? width - 1 : 0, '~');
}

template <class... A>
[[noreturn]] void script_error(const SourceRange& r, const A&... parts) {
  throw ScriptError(describe_error(r, detail::concat(parts...)));
}

}  // namespace sconce
