// SPDX-License-Identifier: Apache-2.0
// Names in an archive that is written: which of them the language has, and one of its own for every
// class, enum, interface, NamedTuple and function.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>

#include "ir/function.h"
#include "sconce/type.h"

namespace sconce::writer {

// [A-Za-z_][A-Za-z0-9_]*
bool is_identifier(std::string_view s);
// An identifier that may stand after a dot, and after class or def.
bool is_plain_name(std::string_view s);
// The same, with letters beyond ASCII: a parameter's name, which callers know.
bool is_parameter_name(std::string_view s);
// An identifier made of s; other characters become "_".
std::string to_identifier(std::string_view s);
// In double quotes, with escapes that every reader of the language knows.
std::string quoted(std::string_view s);
// Text that a quoted literal can't hold as it is: it has bytes beyond ASCII.
bool beyond_ascii(std::string_view s);

// "a.b.C" -> "a.b" and "C"
std::string_view prefix_of(std::string_view qualified);
std::string_view last_of(std::string_view qualified);

// Two types of one name get two: an atom ___torch_mangle_N before the last. A name without a dot is
// put under __torch__. Throws Error for a name that an archive can't have.
class Names {
 public:
  const std::string& of(TypePtr named);
  const std::string& of(const Function& f) { return of(&f, f.qualified_name); }
  // The same for what is one type: NamedTuples of one name whose fields differ only in what is
  // known of their tensors, and PyTorch's own classes.
  TypePtr identity(TypePtr named);
  // Code can say its name: there is no a-b.C in it.
  bool is_plain(TypePtr named);
  // As in source: "Dict[str, __torch__.C]". Throws Error for a name that code can't say.
  std::string annotation(TypePtr t);

 private:
  const std::string& of(const void* key, const std::string& wanted);
  std::unordered_map<const void*, std::string> names_;
  std::unordered_map<std::string, const void*> taken_;
  std::unordered_map<std::string, TypePtr> by_form_;
};

}  // namespace sconce::writer
