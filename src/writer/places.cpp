// SPDX-License-Identifier: Apache-2.0
// Source ranges as PyTorch writes them beside a source file: a table of texts, and for each range
// its offset in the file, the lines of the original by their numbers in the table, and where it
// stands there.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "writer/pickler.h"
#include "writer/text.h"

namespace sconce::writer {

namespace {

struct Origin {
  std::vector<int64_t> lines;
  int64_t file = 0, first_line = 0;
  uint32_t memo = 0;
  bool written = false;
};

class Table {
 public:
  Table() { index(""); }
  int64_t index(const std::string& s) {
    auto [at, fresh] = known_.emplace(s, static_cast<int64_t>(texts_.size()));
    if (fresh) texts_.push_back(&at->first);
    return at->second;
  }
  Origin& origin(const Place& p) {
    auto [at, fresh] =
        origins_.emplace(std::pair(p.text(), p.original ? p.original->line : 0), Origin());
    if (!fresh || !p.source) return at->second;
    Origin& o = at->second;
    const std::string& text = p.original ? p.original->source() : p.source->text;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size() - 1);
      if (text.empty() || begin == text.size()) {
        o.lines.push_back(index(""));
        break;
      }
      o.lines.push_back(index(text.substr(begin, end + 1 - begin)));
      begin = end + 1;
    }
    o.file = index(p.original ? p.original->file_name() : p.source->name);
    o.first_line = p.original ? p.original->line : 1;
    return o;
  }
  const std::vector<const std::string*>& texts() const { return texts_; }

 private:
  std::unordered_map<std::string, int64_t> known_;
  std::vector<const std::string*> texts_;
  std::map<std::pair<const void*, uint32_t>, Origin> origins_;
};

}  // namespace

std::string pickle_places(const Text& text) {
  Table table;
  std::vector<Origin*> origins;
  for (const Text::Mark& m : text.marks()) origins.push_back(&table.origin(m.place));

  PickleText out;
  out.text("FORMAT_WITH_STRING_TABLE");
  out.mark();
  for (const std::string* s : table.texts()) out.text(*s);
  out.tuple_of_mark();
  out.mark();
  int64_t tag = 0;
  for (size_t i = 0; i < origins.size(); ++i) {
    const Text::Mark& m = text.marks()[i];
    Origin& o = *origins[i];
    out.integer(static_cast<int64_t>(m.at));
    if (o.written) {
      out.get(o.memo);
    } else {
      out.global("torch.jit._pickle", "build_intlist");
      out.mark();
      out.op(']');
      out.mark();
      for (int64_t line : o.lines) out.integer(line);
      out.op('e');
      out.tuple_of_mark();
      out.op('R');
      out.integer(o.file);
      out.integer(o.first_line);
      out.tuple(3);
      o.memo = out.put();
      o.written = true;
    }
    out.integer(m.place.start);
    out.integer(m.place.end);
    out.tuple(3);
    out.integer(tag++);
    out.tuple(3);
  }
  out.tuple_of_mark();
  out.tuple(3);
  return out.finish();
}

}  // namespace sconce::writer
