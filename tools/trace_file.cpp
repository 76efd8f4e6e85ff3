// SPDX-License-Identifier: Apache-2.0
#include "trace_file.h"

#include "support/replaced_file.h"
#include "support/stack.h"
#include "writer/pickler.h"
#include "writer/zip_writer.h"

namespace sconce::tool {

namespace {

constexpr const char* kMagic = "sconce.trace";

[[noreturn]] void no_trace(const std::string& path, const char* why) {
  raise<FormatError>(path, ": no trace of values: ", why);
}

// Of a tuple or a list.
const std::vector<IValue>& items(const IValue& v, const std::string& path) {
  if (v.isTuple()) return v.toTupleRef().items;
  if (!v.isList()) no_trace(path, "a tuple is expected");
  return v.toListRef().items;
}
const std::vector<IValue>& items(const IValue& v, size_t count, const std::string& path) {
  const auto& all = items(v, path);
  if (all.size() != count) no_trace(path, "a tuple has another length");
  return all;
}
int64_t number(const IValue& v, const std::string& path) {
  if (!v.isInt()) no_trace(path, "a number is expected");
  return v.toInt();
}
const std::string& text(const IValue& v, const std::string& path) {
  if (!v.isString()) no_trace(path, "a string is expected");
  return v.toStringRef();
}

IValue tuple(std::vector<IValue> v) { return IValue(make_ref<TupleBox>(std::move(v))); }

}  // namespace

const TracedCall* TraceFile::find(int64_t number) const {
  for (auto& c : calls)
    if (c.number == number) return &c;
  return nullptr;
}

TraceFile read_trace(const std::string& path) {
  const IValue root = load_pickle(path);
  const auto& top = items(root, path);
  if (top.size() != 4 || !top[0].isString() || top[0].toStringRef() != kMagic)
    no_trace(path, "it is another file");
  if (number(top[1], path) != 1) no_trace(path, "its version is not known");
  TraceFile t;
  t.made_by = text(top[2], path);
  for (auto& v : items(top[3], path)) {
    const auto& parts = items(v, 4, path);
    TracedCall c;
    c.number = number(parts[0], path);
    c.method = text(parts[1], path);
    for (auto& k : items(parts[2], path)) c.kinds.push_back(text(k, path));
    for (auto& s : items(parts[3], path)) {
      const auto& step = items(s, 3, path);
      c.steps.push_back({number(step[0], path), number(step[1], path), kept_value(step[2])});
      if (c.steps.back().node < 0 || c.steps.back().node >= static_cast<int64_t>(c.kinds.size()))
        no_trace(path, "a value is of a node that there isn't");
    }
    t.calls.push_back(std::move(c));
  }
  return t;
}

void write_trace_file(const std::string& path, const TraceFile& t) {
  std::vector<IValue> calls;
  for (auto& c : t.calls) {
    std::vector<IValue> kinds, steps;
    for (auto& k : c.kinds) kinds.emplace_back(k);
    for (auto& s : c.steps) steps.push_back(tuple({s.node, s.output, s.value}));
    calls.push_back(tuple({c.number, c.method, tuple(std::move(kinds)), tuple(std::move(steps))}));
  }
  writer::Names names;
  writer::Pickler::Options options{};
  writer::Pickler pickler(names, options);
  const std::string bytes =
      pickler.pickle(tuple({kMagic, int64_t{1}, t.made_by, tuple(std::move(calls))}));
  ReplacedFile file(path);
  writer::ZipWriter zip(file, "archive");
  zip.add("data.pkl", bytes);
  zip.add("byteorder", "little");
  for (auto& r : pickler.records()) zip.add("data/" + r.key, r.storage->data(), r.size);
  zip.add("version", "3\n");
  zip.finish();
  file.commit();
}

IValue kept_value(const IValue& v) {
  check_stack();
  if (v.isTensor()) {
    const Tensor& t = v.toTensorRef();
    return t.defined() ? IValue(t.cpu().clone()) : IValue();
  }
  if (!v.isList() && !v.isTuple()) return v;
  std::vector<IValue> copies;
  for (auto& e : v.isList() ? v.toListRef().items : v.toTupleRef().items)
    copies.push_back(kept_value(e));
  return tuple(std::move(copies));
}

}  // namespace sconce::tool
