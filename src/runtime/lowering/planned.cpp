// SPDX-License-Identifier: Apache-2.0
#include "runtime/lowering/planned.h"

#include <algorithm>

#include "ir/source.h"

namespace sconce {

bool PlannedView::contiguous() const {
  int64_t expected = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    if (sizes[d] != 1 && strides[d] != expected) return false;
    expected *= sizes[d];
  }
  return true;
}

bool never_raises(const PlannedCall& c) {
  if (c.is<FillArgs>() || c.is<CopyArgs>()) return true;
  if (!c.is<UnaryArgs>() && !c.is<BinaryArgs>() && !c.is<TernaryArgs>()) return false;
  for (const PlannedView& v : c.views)
    if (!v.absent() && !is_floating(v.dtype)) return false;  // integers are divided
  return true;
}

Touches::Touches(const PlannedProgram& p) : p_(p), lists_(p.storages.size()) {
  for (size_t i = 0; i < p.calls.size(); ++i)
    if (p.calls[i].run) replaced(i);
}

void Touches::replaced(size_t at) {
  const auto call = static_cast<uint32_t>(at);
  for (const PlannedView& v : p_.calls[at].views) {
    if (v.place.kind != Place::Arena) continue;
    auto& list = lists_[v.place.index];
    auto it = std::lower_bound(list.begin(), list.end(), call);
    if (it == list.end() || *it != call) list.insert(it, call);
  }
}

std::optional<size_t> Touches::next(const PlannedView& v, size_t at) const {
  const auto& list = lists_[v.place.index];
  auto it = std::upper_bound(list.begin(), list.end(), static_cast<uint32_t>(at));
  while (it != list.end() && !p_.calls[*it].run) ++it;
  return it == list.end() ? std::nullopt : std::optional<size_t>(*it);
}

bool PlannedProgram::operands_change(const PlannedCall& call, size_t from, size_t to) const {
  for (size_t k = from; k < to; ++k) {
    const PlannedCall& other = calls[k];
    if (!other.run) continue;
    for (size_t i = 0; i < other.views.size(); ++i) {
      if (!other.writes(i) || other.views[i].absent()) continue;
      for (size_t r = 0; r < call.views.size(); ++r) {
        const PlannedView& read = call.views[r];
        if (call.writes(r) || read.absent()) continue;
        if (read.place.same_storage(other.views[i].place)) return true;
        // Inputs may be one memory.
        if (read.place.kind == Place::Input && other.views[i].place.kind == Place::Input)
          return true;
      }
    }
  }
  return false;
}

void PlannedProgram::drop_removed_calls() {
  calls.erase(std::remove_if(calls.begin(), calls.end(),
                             [](const PlannedCall& c) { return c.run == nullptr; }),
              calls.end());
}

namespace {
const char* name_of(const PlannedCall& c) {
#define X(slot, Args) \
  if (c.is<Args>()) return #slot;
  SCONCE_SLOTS(X)
#undef X
  return c.is<LinearArgs>()            ? "linear"
         : c.is<PackedEmbeddingArgs>() ? "packed_embedding"
         : c.is<PreparedConvArgs>()    ? "prepared_conv"
                                       : "pointwise";
}
}  // namespace

std::string PlannedProgram::text() const {
  std::string s;
  auto numbers = [&](const DimVector& v) {
    for (size_t i = 0; i < v.size(); ++i) (s += i ? "," : "") += std::to_string(v[i]);
  };
  for (const PlannedCall& c : calls) {
    if (!c.run) continue;
    s += name_of(c);
    for (size_t i = 0; i < c.views.size(); ++i) {
      const PlannedView& v = c.views[i];
      if (v.absent()) {
        s += " -";
        continue;
      }
      const bool answer = v.place.kind == Place::Arena && storages[v.place.index].output >= 0;
      s += c.writes(i) ? " >" : " ";
      s += answer ? 'o' : " aicp"[static_cast<int>(v.place.kind)];
      s += std::to_string(v.place.index);
      if (v.place.offset) s += '+' + std::to_string(v.place.offset);
      s += '[';
      numbers(v.sizes);
      s += ':';
      numbers(v.strides);
      s += ']';
    }
    s += '\n';
  }
  return s;
}

std::vector<std::string> PlannedProgram::places() const {
  std::vector<std::string> all;
  for (const PlannedCall& c : calls)
    if (c.run) all.push_back(c.node ? place_of(c.node->range) : "");
  return all;
}

}  // namespace sconce
