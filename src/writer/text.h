// SPDX-License-Identifier: Apache-2.0
// Source text that knows from which line of the original Python each piece comes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "ir/source.h"

namespace sconce::writer {

// A range of a source: of the original where that is known, else of the text that was compiled.
struct Place {
  const Source* source = nullptr;           // null: nowhere
  const OriginalRange* original = nullptr;  // of source
  uint32_t start = 0, end = 0;              // where there is no original

  Place() = default;
  explicit Place(const SourceRange& r) : source(r.source.get()), start(r.start), end(r.end) {
    if (source) original = source->find_original(r.start);
    if (original && original->file_name().empty() && original->source().empty()) original = nullptr;
    if (original) start = original->start, end = original->end;
  }
  bool operator==(const Place& o) const {
    return start == o.start && end == o.end && text() == o.text() &&
           (source == nullptr) == (o.source == nullptr);
  }
  // Identity of the text that it is a range of.
  const void* text() const {
    return original ? static_cast<const void*>(original->text.get())
                    : static_cast<const void*>(source);
  }
};

class Text {
 public:
  struct Mark {
    size_t at;
    Place place;
  };
  void add(std::string_view s, const Place& place) {
    if (s.empty()) return;
    mark(text_.size(), place);
    text_ += s;
  }
  void add(const Text& t) {
    for (const Mark& m : t.marks_) mark(text_.size() + m.at, m.place);
    text_ += t.text_;
  }
  const std::string& str() const { return text_; }
  const std::vector<Mark>& marks() const { return marks_; }

 private:
  void mark(size_t at, const Place& place) {
    if (marks_.empty() || !(marks_.back().place == place)) marks_.push_back({at, place});
  }
  std::string text_;
  std::vector<Mark> marks_;
};

// The record .debug_pkl of a source file.
std::string pickle_places(const Text& text);

}  // namespace sconce::writer
