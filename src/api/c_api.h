// SPDX-License-Identifier: Apache-2.0
// What the files of the C API share: the handles, and the guard that turns exceptions into a status
// and this thread's message.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <ostream>
#include <streambuf>
#include <string>
#include <vector>

#include "sconce/c.h"
#include "sconce/module.h"

// The handles of sconce/c.h.
struct sconce_value {
  sconce::IValue value;
};
struct sconce_cancel {
  std::shared_ptr<std::atomic<bool>> flag = std::make_shared<std::atomic<bool>>(false);
};
struct sconce_module {
  // Before the module, whose calls write to them; clones share them.
  std::shared_ptr<std::ostream> print, warn;
  sconce::Module module;
};

namespace sconce::c {

// A function of the header was called wrongly.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

void note_error(sconce_status status, const char* message, const char* raised_class) noexcept;
// Notes the exception that is being handled.
sconce_status note_current_exception() noexcept;

// f() under the guard.
template <class F>
sconce_status guarded(F f) noexcept {
  try {
    f();
    return SCONCE_OK;
  } catch (...) {
    return note_current_exception();
  }
}

template <class T>
T& required(T* p, const char* name) {
  if (!p) raise<InvalidArgument>(name, " is NULL");
  return *p;
}
inline std::string text_argument(const char* p, const char* name) { return &required(p, name); }
// A copy that sconce_string_free() frees.
char* new_string(const std::string& s);
inline sconce_value* new_value(IValue v) { return new sconce_value{std::move(v)}; }
// The handle's value, of the tag. Throws InvalidArgument.
const IValue& value_of(const sconce_value* v, const char* name = "value");
const IValue& value_of(const sconce_value* v, Tag tag, const char* kind);
const Tensor& tensor_of(const sconce_value* v, const char* name = "tensor");
std::vector<IValue> values_of(sconce_value* const* values, size_t n, const char* name);

// As much of the caller's struct as it has, the rest zeros. Throws InvalidArgument for a size that
// can't be.
template <class T>
T options_of(const T* given, const char* name) {
  T r{};
  if (!given) return r;
  if (given->size < sizeof(size_t) || given->size > 4096)
    raise<InvalidArgument>(name, "->size is ", given->size, "; set it to sizeof(", name, ")");
  std::memcpy(static_cast<void*>(&r), given, std::min(given->size, sizeof(T)));
  return r;
}
Limits limits_of(const sconce_limits* given);

// Runs an operator by its name, "aten::str".
IValue run_named(const char* full_name, std::vector<IValue> inputs);

}  // namespace sconce::c
