// SPDX-License-Identifier: Apache-2.0
// Runs operators on tensors that have sizes, a dtype and addresses but no elements: what an
// operator computes of sizes and dtypes it computes as ever, the kernels that it calls are passed
// over.
//
//   operator -> call_slot -> Recorder::called: nothing   (elements known and few: the kernel runs)
//            -> item(), host_ints() -> Recorder::host_read: Error, unless the elements are known
//
// So the rules of sizes stand once, in the operators. Sound because an operator touches no element
// itself (design.md, checked by scripts/check_includes.py).
#pragma once
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/context.h"
#include "core/op_table.h"
#include "core/recorder.h"

namespace sconce {

// The context of this thread while it lives. Tensors that it makes must not outlive it.
class WithoutElements final : public Recorder {
 public:
  WithoutElements();
  ~WithoutElements() override;

  // Throw Error where sizes are negative or too many.
  Tensor tensor(IntArrayRef sizes, ScalarType dtype);
  Tensor tensor(IntArrayRef sizes, IntArrayRef strides, ScalarType dtype);
  // The form of a tensor that exists; its elements too where they are few.
  Tensor like(const Tensor& t);
  // Another tensor over the same memory: an operator that gives it another form leaves t its own.
  static Tensor alias_of(const Tensor& t);

  // The results, or nothing and why not. Custom operators are never run: they may look at elements
  // unasked.
  std::optional<std::vector<IValue>> run(const Operator& op, std::vector<IValue> inputs,
                                         std::string* why);
  // The last run ended where it would have read elements.
  bool wanted_elements() const { return wanted_elements_; }

  void allocated(const Ref<Storage>& s) override;
  void called(const SlotCall& c) override;
  void host_read(const Storage* s) override;

 private:
  static void* allocate(void* self, size_t nbytes);
  static void deallocate(void* self, void* p, size_t nbytes);
  Context context_;
  Allocator before_;
  std::optional<ContextScope> scope_;
  Ref<Generator> generator_;
  // Of all large tensors: nobody looks there, and what shares memory is told by storages.
  void* addresses_ = nullptr;
  size_t reserved_ = 0;
  // Of small storages: zeros so far, and elements that are what a run would have.
  std::unordered_set<const Storage*> fresh_, known_;
  bool wanted_elements_ = false;
};

}  // namespace sconce
