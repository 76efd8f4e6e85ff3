// SPDX-License-Identifier: Apache-2.0
// The C API: errors, texts, limits and what the library can do.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "api/c_api.h"
#include "api/runtime.h"
#include "core/device.h"
#include "core/heap.h"
#include "core/selection.h"
#include "sconce/device.h"
#include "sconce/version.h"
#include "support/thread_owned.h"

namespace sconce::c {

namespace {

struct LastError {
  sconce_status status = SCONCE_OK;
  std::string message, trace, location, raised_class;
};
// Null when there is no memory even for this.
LastError* last_error() noexcept {
  thread_local LastError* mine = nullptr;
  if (!mine) try {
      auto fresh = std::make_unique<LastError>();
      thread_owned(fresh.get(), [](void* p) { delete static_cast<LastError*>(p); });
      mine = fresh.release();
    } catch (...) {
    }
  return mine;
}
const char* text_of_error(std::string LastError::*text) {
  const LastError* e = last_error();
  return e ? (e->*text).c_str() : "";
}

constexpr std::string_view kTrace = "Traceback of TorchScript";

// The trace is the first line and what is indented below it.
std::string trace_of(const std::string& message) {
  size_t at = message.find(kTrace);
  if (at == std::string::npos) return "";
  size_t end = message.find('\n', at);
  while (end != std::string::npos && end + 1 < message.size() && message[end + 1] == ' ')
    end = message.find('\n', end + 1);
  return message.substr(at, end == std::string::npos ? end : end + 1 - at);
}
// 'File "model.py", line 12' of the innermost frame, which comes last, as "model.py:12".
std::string location_of(const std::string& trace) {
  constexpr std::string_view file = "  File \"", line = "\", line ";
  size_t at = trace.rfind(file);
  if (at == std::string::npos) return "";
  at += file.size();
  size_t end = trace.find(line, at);
  if (end == std::string::npos) return "";
  size_t number = end + line.size();
  size_t after = trace.find_first_not_of("0123456789", number);
  return trace.substr(at, end - at) + ":" + trace.substr(number, after - number);
}

}  // namespace

void note_error(sconce_status status, const char* message, const char* raised_class) noexcept {
  LastError* last = last_error();
  if (!last) return;
  LastError& e = *last;
  e.status = status;
  try {
    e.message = message;
    e.trace = trace_of(e.message);
    e.location = location_of(e.trace);
    e.raised_class = raised_class;
  } catch (...) {  // no memory for the words: the status tells
    e.message.clear(), e.trace.clear(), e.location.clear(), e.raised_class.clear();
  }
}

sconce_status note_current_exception() noexcept {
  auto note = [](sconce_status s, const std::exception& e, const char* raised_class = "") {
    note_error(s, e.what(), raised_class);
    return s;
  };
  try {
    throw;
  } catch (const InvalidArgument& e) {
    return note(SCONCE_INVALID_ARGUMENT, e);
  } catch (const FormatError& e) {
    return note(SCONCE_FORMAT_ERROR, e);
  } catch (const ScriptError& e) {
    return note(SCONCE_SCRIPT_ERROR, e);
  } catch (const MissingOp& e) {
    return note(SCONCE_MISSING_OPERATOR, e);
  } catch (const OpError& e) {
    return note(SCONCE_OPERATOR_ERROR, e);
  } catch (const RaisedError& e) {
    return note(SCONCE_RAISED, e, e.class_name().c_str());
  } catch (const LimitError& e) {
    return note(SCONCE_LIMIT_EXCEEDED, e);
  } catch (const PolicyError& e) {
    return note(SCONCE_POLICY_REFUSED, e);
  } catch (const OutOfMemory& e) {
    return note(SCONCE_OUT_OF_MEMORY, e);
  } catch (const std::bad_alloc&) {
    note_error(SCONCE_OUT_OF_MEMORY, "out of memory", "");
    return SCONCE_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    return note(SCONCE_OTHER_ERROR, e);
  } catch (...) {
    note_error(SCONCE_OTHER_ERROR, "an exception of an unknown type", "");
    return SCONCE_OTHER_ERROR;
  }
}

char* new_string(const std::string& s) {
  char* r = static_cast<char*>(std::malloc(s.size() + 1));
  if (!r) throw std::bad_alloc();
  std::memcpy(r, s.c_str(), s.size() + 1);
  return r;
}

Limits limits_of(const sconce_limits* given) {
  sconce_limits o = options_of(given, "sconce_limits");
  Limits l;
  l.memory = o.memory;
  l.steps = o.steps;
  l.operator_work = o.operator_work;
  l.depth = o.depth;
  l.seconds = o.seconds;
  if (o.cancel) l.cancel = o.cancel->flag;
  l.exclusive = o.exclusive != 0;
  return l;
}

IValue run_named(const char* full_name, std::vector<IValue> inputs) {
  const Operator* op = op_table().find_overload(full_name);
  if (!op && kReduced) raise<MissingOp>(missing_operator_text(full_name));
  if (!op) raise<Error>("operator ", full_name, " is not there");
  std::vector<IValue> r = run_operator(*op, std::move(inputs));
  return r.empty() ? IValue() : std::move(r[0]);
}

}  // namespace sconce::c

using namespace sconce;
using namespace sconce::c;

extern "C" {

const char* sconce_version(void) { return SCONCE_VERSION; }
int32_t sconce_api_level(void) { return SCONCE_C_API_LEVEL; }
int32_t sconce_has_feature(const char* name) {
  int32_t has = 0;
  sconce_status ignored = guarded([&] {
    std::string_view n = name ? name : "";
#ifndef SCONCE_NO_WRITER
    if (n == "save") has = 1;
#endif
    if (n == "cuda") has = cuda_device_count() > 0;
    if (n == "lapack") {
      run_named("aten::inverse", {IValue(ones({1, 1}))});
      has = 1;
    }
  });
  (void)ignored;
  return has;
}

sconce_status sconce_error_status(void) {
  const LastError* e = last_error();
  return e ? e->status : SCONCE_OUT_OF_MEMORY;
}
const char* sconce_error_message(void) { return text_of_error(&LastError::message); }
const char* sconce_error_trace(void) { return text_of_error(&LastError::trace); }
const char* sconce_error_location(void) { return text_of_error(&LastError::location); }
const char* sconce_error_class(void) { return text_of_error(&LastError::raised_class); }
const char* sconce_status_name(sconce_status status) {
  static constexpr const char* names[] = {
      "SCONCE_OK",
      "SCONCE_INVALID_ARGUMENT",
      "SCONCE_FORMAT_ERROR",
      "SCONCE_SCRIPT_ERROR",
      "SCONCE_MISSING_OPERATOR",
      "SCONCE_OPERATOR_ERROR",
      "SCONCE_RAISED",
      "SCONCE_LIMIT_EXCEEDED",
      "SCONCE_POLICY_REFUSED",
      "SCONCE_OUT_OF_MEMORY",
      "SCONCE_OTHER_ERROR",
  };
  return status >= 0 && status < static_cast<sconce_status>(std::size(names)) ? names[status]
                                                                              : "unknown status";
}

void sconce_string_free(char* text) { std::free(text); }

sconce_status sconce_set_allocator(const sconce_allocator* allocator) {
  return guarded([&] {
    sconce_allocator a = options_of(&required(allocator, "allocator"), "sconce_allocator");
    if (!a.allocate || !a.release) raise<InvalidArgument>("a function of the allocator is NULL");
    if (!set_heap({a.allocate, a.release, a.user}))
      raise<InvalidArgument>("tensors were made already: an allocator comes before them");
  });
}

sconce_status sconce_cancel_new(sconce_cancel** out) {
  return guarded([&] { required(out, "out") = new sconce_cancel; });
}
void sconce_cancel_set(sconce_cancel* cancel, int32_t on) {
  if (cancel) cancel->flag->store(on != 0);
}
void sconce_cancel_free(sconce_cancel* cancel) { delete cancel; }

sconce_status sconce_limits_untrusted(sconce_limits* limits) {
  return guarded([&] {
    sconce_limits given = options_of(&required(limits, "limits"), "sconce_limits");
    const Limits l = Limits::untrusted();
    sconce_limits r{given.size, l.memory,  l.steps,      l.operator_work,
                    l.depth,    l.seconds, given.cancel, l.exclusive};
    std::memcpy(static_cast<void*>(limits), &r, std::min(given.size, sizeof r));
  });
}

}  // extern "C"
