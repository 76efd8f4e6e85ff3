// SPDX-License-Identifier: Apache-2.0
// What was taken for constant while a method was prepared, and whether it still is.
//
// A preparation reads three things as if nothing could change them: the value of a slot (which
// tensor is the weight?), the form of a tensor (sizes, strides, storage), and the bytes of a
// storage (only where an operator that is folded reads them: a weight that is merely used where it
// stands may be written freely). Each is noted here before it is read, and observed: whoever writes
// it moves the epoch. So a call compares one number; only when that has moved is the list looked
// through.
//
// Something that was found changed twice is not taken for constant again in that module (Unstable):
// a loop that writes weights and calls prepares twice, not in every step.
#pragma once
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/context.h"
#include "core/recorder.h"
#include "sconce/ivalue.h"

namespace sconce {

// The same box, or the same plain value to the bit: a NaN is itself, -0.0 is not 0.0.
bool identical(const IValue& a, const IValue& b);

// What changed under preparations of one module. Guarded by the module's lock for preparing.
class Unstable {
 public:
  bool slot(const Object& o, size_t i) const {
    return often(slots_, std::pair<const Object*, size_t>{&o, i});
  }
  bool form(const TensorImpl& t) const { return often(forms_, &t); }
  bool contents(const Storage& s) const { return often(contents_, &s); }
  void slot_changed(const Ref<Object>& o, size_t i) { ++count(slots_[{o.get(), i}], o); }
  void form_changed(const Ref<TensorImpl>& t) { ++count(forms_[t.get()], t); }
  void contents_changed(const Ref<Storage>& s) { ++count(contents_[s.get()], s); }

 private:
  struct Count {
    int times = 0;
    Ref<RefCounted> keep;  // so that the address stays its own
  };
  template <class T>
  static int& count(Count& c, const Ref<T>& keep) {
    if (!c.keep) c.keep = keep;
    return c.times;
  }
  template <class Map, class Key>
  static bool often(const Map& m, const Key& k) {
    auto it = m.find(k);
    return it != m.end() && it->second.times > 1;
  }
  std::map<std::pair<const Object*, size_t>, Count> slots_;
  std::unordered_map<const TensorImpl*, Count> forms_;
  std::unordered_map<const Storage*, Count> contents_;
};

class Assumptions {
 public:
  explicit Assumptions(const Unstable& unstable, bool trusted = false)
      : unstable_(unstable), trusted_(trusted) {}
  // The slot's value, which is assumed from now on. False: it isn't to be assumed.
  bool slot(Object& o, size_t i, IValue* value);
  // The form is assumed from now on, of tensors in lists and tuples too. False: it can't be.
  bool form(const IValue& v);
  // Call before the bytes are read; they are assumed from now on. False: they can't be, since the
  // host may write them unseen or they changed too often.
  bool contents(const Storage& s);
  // The bytes belong to what is being prepared: nobody else can write them.
  void made(const Ref<Storage>& s) { made_.emplace(s.get(), s); }
  // The code writes these bytes in other methods: never assumed.
  void never_contents(const Storage& s) { never_.insert(&s); }

  // All that was assumed is still so.
  bool hold() const;
  // Notes in unstable what isn't.
  void blame(Unstable& unstable) const;
  // Writing this tensor's bytes, or giving it another form, would break an assumption.
  bool relies_on(const Tensor& t) const {
    const TensorImpl& i = *t.impl();
    return (i.storage->observed() && contents_.count(i.storage.get())) || forms_.count(&i);
  }

 private:
  struct Slot {
    Ref<Object> object;
    IValue value;
  };
  struct Form {
    Ref<TensorImpl> tensor;
    Ref<Storage> storage;
    DimVector sizes, strides;
    int64_t offset;
    ScalarType dtype;
    bool requires_grad;
    std::shared_ptr<const Quantizer> quantizer;
    bool same() const;
  };
  struct Contents {
    Ref<Storage> storage;
    uint64_t version;
  };
  const Unstable& unstable_;
  bool trusted_;  // bytes that the host may write are assumed too: it has promised not to
  std::map<std::pair<const Object*, size_t>, Slot> slots_;
  std::unordered_map<const TensorImpl*, Form> forms_;
  std::unordered_map<const Storage*, Contents> contents_;
  std::unordered_map<const Storage*, Ref<Storage>> made_;
  std::unordered_set<const Storage*> never_;
};

// While it lives, operators run to be folded: whatever they read besides their own results is
// assumed.
class Folding final : public Recorder {
 public:
  explicit Folding(Assumptions& a) : assumptions_(a), before_(context().recorder) {
    context().recorder = this;
  }
  ~Folding() override { context().recorder = before_; }
  // Everything that was read may be assumed: the results may be kept.
  bool succeeded() {
    for (auto& s : made_) assumptions_.made(s);
    return !refused_;
  }

  void allocated(const Ref<Storage>& s) override {
    made_.push_back(s);
    own_.insert(s.get());
  }
  void called(const SlotCall& c) override;
  void host_read(const Storage* s) override { read(s); }

 private:
  void read(const Storage* s) {
    if (s && !own_.count(s) && !assumptions_.contents(*s)) refused_ = true;
  }
  Assumptions& assumptions_;
  Recorder* before_;
  std::vector<Ref<Storage>> made_;
  std::unordered_set<const Storage*> own_;
  bool refused_ = false;
};

}  // namespace sconce
