// SPDX-License-Identifier: Apache-2.0
#include "api/alias_audit.h"

#include <unordered_map>
#include <unordered_set>

#include "core/op_table.h"
#include "ir/alias.h"
#include "ir/source.h"
#include "support/stack.h"

namespace sconce {

namespace {

thread_local AliasAudit* current = nullptr;

uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x100000001b3ull + (h >> 29); }

// What can be seen of a value: the version and the bytes of every storage, the elements of every
// container, the slots of every object that it leads to.
class Fingerprint {
 public:
  explicit Fingerprint(const IValue& v) { add(v); }
  uint64_t value() const { return h_; }

 private:
  void add(const IValue& v) {
    check_stack();
    h_ = mix(h_, static_cast<uint64_t>(v.tag()));
    switch (v.tag()) {
      case Tag::Tensor: return tensor(v);
      case Tag::List:
        if (enter(v))
          for (auto& x : v.toListRef().items) add(x);
        return;
      case Tag::Tuple:
        if (enter(v))
          for (auto& x : v.toTupleRef().items) add(x);
        return;
      case Tag::Dict:
        if (enter(v))
          for (auto& [k, x] : v.toDictRef().items) {
            add(k);
            add(x);
          }
        return;
      case Tag::Object:
        if (enter(v))
          for (auto& x : v.toObjectRef().slots()) add(x);
        return;
      case Tag::Int:
      case Tag::Bool:
        h_ = mix(h_, static_cast<uint64_t>(v.tag() == Tag::Int ? v.toInt() : v.toBool()));
        return;
      case Tag::Double: {
        double d = v.toDouble();
        bytes(&d, sizeof d);
        return;
      }
      case Tag::String: bytes(v.toStringRef().data(), v.toStringRef().size()); return;
      default: h_ = mix(h_, reinterpret_cast<uintptr_t>(v.box())); return;
    }
  }
  bool enter(const IValue& v) {
    h_ = mix(h_, reinterpret_cast<uintptr_t>(v.box()));
    return seen_.insert(v.box()).second;
  }
  void tensor(const IValue& v) {
    if (!v.box() || !v.toTensorRef().defined()) return;
    const Tensor& t = v.toTensorRef();
    for (int64_t s : t.sizes()) h_ = mix(h_, static_cast<uint64_t>(s));
    const Storage* storage = t.impl()->storage.get();
    if (!storage || !seen_.insert(storage).second) return;
    h_ = mix(h_, storage->version());
    if (storage->data() && !storage->device()) bytes(storage->data(), storage->nbytes());
  }
  void bytes(const void* p, size_t n) {
    const char* c = static_cast<const char*>(p);
    for (; n >= 8; n -= 8, c += 8) {
      uint64_t w;
      std::memcpy(&w, c, 8);
      h_ = mix(h_, w);
    }
    for (; n; --n) h_ = mix(h_, static_cast<unsigned char>(*c++));
  }
  uint64_t h_ = 1469598103934665603ull;
  std::unordered_set<const void*> seen_;
};

}  // namespace

struct AliasAudit::Impl {
  struct Held {
    IValue value;
    uint64_t fingerprint;
    const std::string* what;
  };
  struct Frame {
    int64_t graph;
    std::unordered_map<int64_t, Held> values;  // by their number in the graph
  };
  std::vector<Frame> frames;
  std::vector<std::unique_ptr<std::string>> names;  // of values
  int64_t graphs = 0;

  void check(const Held& h, std::vector<std::string>& findings) {
    if (Fingerprint(h.value).value() != h.fingerprint)
      findings.push_back("a write reaches " + *h.what +
                         ", which the alias analysis calls untouched");
  }
};

AliasAudit::AliasAudit() : impl_(std::make_unique<Impl>()), outer_(current) { current = this; }
AliasAudit::~AliasAudit() { current = outer_; }
void AliasAudit::reset() { impl_->frames.clear(); }

namespace {

void audit_enter(Call& c) {
  if (current) current->impl().frames.push_back({c.in(0).toInt(), {}});
}
void audit_value(Call& c) {
  if (!current || current->impl().frames.empty()) return;
  auto& impl = current->impl();
  auto& frame = impl.frames.back();
  // A loop makes its values again; the last turn's must be whole still.
  auto it = frame.values.find(c.in(0).toInt());
  if (it != frame.values.end()) impl.check(it->second, current->findings);
  frame.values[c.in(0).toInt()] = {c.in(1), Fingerprint(c.in(1)).value(),
                                   impl.names[static_cast<size_t>(c.in(0).toInt())].get()};
}
void audit_exit(Call& c) {
  if (!current) return;
  auto& frames = current->impl().frames;
  while (!frames.empty()) {
    AliasAudit::Impl::Frame f = std::move(frames.back());
    frames.pop_back();
    if (f.graph != c.in(0).toInt()) continue;  // a task that an exception ended
    for (auto& kv : f.values) current->impl().check(kv.second, current->findings);
    return;
  }
}

const Operator& audit_operator(int which) {
  static const Operator* ops = [] {
    auto* o = new Operator[3];
    o[0].set_text("sconce::audit_enter(int graph) -> ()"), o[0].kernel = audit_enter;
    o[1].set_text("sconce::audit_value(int id, ...) -> ()"), o[1].kernel = audit_value;
    o[2].set_text("sconce::audit_exit(int graph) -> ()"), o[2].kernel = audit_exit;
    return o;
  }();
  return ops[which];
}

class Instrumenter {
 public:
  explicit Instrumenter(Graph& g) : g_(g), db_(g), impl_(current->impl()) {}
  void run() {
    int64_t id = impl_.graphs++;
    block(g_.block());
    g_.set_insert_point(g_.block()->first());
    insert(0, id, nullptr);
    for (size_t i = g_.inputs().size(); i-- > 0;) {
      g_.set_insert_point(g_.block()->first()->next);
      value(g_.inputs()[i]);
    }
    g_.set_insert_point(g_.block());
    insert(2, id, nullptr);
  }

 private:
  void insert(int which, int64_t id, Value* v) {
    Value* number = g_.insert_constant(id);
    Node* n = g_.create(Symbol(audit_operator(which).name()), {number}, 0);
    if (v) n->add_input(v);
    n->op = &audit_operator(which);
    g_.insert_node(n);
  }
  void value(Value* v) {
    if (!AliasDb::is_mutable_type(v->type) || db_.has_writers(v)) return;
    auto id = static_cast<int64_t>(impl_.names.size());
    const Node* n = v->node;
    impl_.names.push_back(std::make_unique<std::string>(
        "%" + (v->name.empty() ? std::to_string(v->id) : v->name) + " of " + n->kind.str() +
        (n->range.source ? " (" + n->range.source->position(n->range.start) + ")" : "")));
    insert(1, id, v);
  }
  void block(Block* b) {
    check_stack();
    for (Node* n : b->nodes()) {
      Node* next = n->next;
      for (Block* inner : n->blocks) {
        block(inner);
        g_.set_insert_point(inner->first());
        for (Value* v : inner->inputs()) value(v);
      }
      if (Graph* sub = subgraph(n)) Instrumenter(*sub).run();
      if (n->kind == prim::Uninitialized) continue;
      g_.set_insert_point(next);
      for (Value* v : n->outputs) value(v);
    }
  }

  Graph& g_;
  AliasDb db_;
  AliasAudit::Impl& impl_;
};

}  // namespace

void instrument_alias_audit(Graph& g) {
  if (!current) raise<Error>("no alias audit is in force");
  Instrumenter(g).run();
}

}  // namespace sconce
