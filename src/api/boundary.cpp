// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.h"

#include "core/value_check.h"

namespace sconce {

namespace {

// A type as PyTorch's schemas write it: as in graphs, but a NamedTuple is its name.
std::string schema_str(TypePtr t) {
  auto join = [&] {
    std::string s;
    for (TypePtr e : t->elems) s += (s.empty() ? "" : ", ") + schema_str(e);
    return s;
  };
  switch (t->kind) {
    case TypeKind::List: return schema_str(t->elem()) + "[]";
    case TypeKind::Optional: return schema_str(t->elem()) + "?";
    case TypeKind::Dict: return "Dict(" + join() + ")";
    case TypeKind::Union: return "Union(" + join() + ")";
    case TypeKind::Tuple: return t->name.empty() ? "(" + join() + ")" : t->name;
    default: return t->str();
  }
}

std::string default_str(const IValue& v) {
  return v.isString() ? "\"" + v.toStringRef() + "\"" : ivalue_str(v);
}

// "forward(__torch__.Net self, Tensor x, float k=0.5) -> Tensor"
std::string declaration(const Function& f) {
  std::string s;
  for (auto& a : f.schema.arguments) {
    s += (s.empty() ? "" : ", ") + schema_str(a.type) + " " + a.name;
    if (a.default_value) s += "=" + default_str(*a.default_value);
  }
  std::string returned;
  for (auto& r : f.schema.returns) returned += (returned.empty() ? "" : ", ") + schema_str(r.type);
  bool parentheses = f.schema.returns.size() != 1 || returned.front() == '(';
  return f.name + "(" + s + ") -> " + (parentheses ? "(" + returned + ")" : returned);
}

void check_argument(ValueCheck& check, const Function& f, const Argument& a, IValue& v,
                    std::optional<size_t> position) {
  if (check.fits(v, a.type)) return;
  std::string where = position ? "\nPosition: " + std::to_string(*position) : "";
  raise<OpError>(f.name, "() Expected a value of type '", repr_str(a.type), "' for argument '",
                 a.name, "' but instead found type ", check.found(v), ".", where,
                 "\nDeclaration: ", declaration(f));
}

// Keyword arguments that no parameter took.
[[noreturn]] void refuse_keywords(const Function& f, const Kwargs& kwargs) {
  for (auto& kv : kwargs)
    if (f.schema.argument_index(kv.first) < (f.self ? 1 : 0))
      raise<OpError>("Unknown keyword argument '", kv.first, "' for method '", f.name,
                     "'. Declaration: ", declaration(f));
  for (auto& kv : kwargs)
    raise<OpError>("Argument '", kv.first,
                   "' specified both as positional and keyword argument of '", f.name,
                   "'. Declaration: ", declaration(f));
  raise<OpError>("keyword arguments are left over");
}

}  // namespace

void admit_arguments(const Function& f, std::vector<IValue>& inputs, const Kwargs* kwargs) {
  auto& arguments = f.schema.arguments;
  if (f.self && arguments.empty()) raise<OpError>("method '", f.name, "' has no self");
  const size_t self = f.self ? 1 : 0, wanted = arguments.size() - self, given = inputs.size();
  if (given > wanted)
    raise<OpError>("Expected at most ", wanted, " argument(s) for method '", f.name,
                   "', but received ", given, " argument(s)", self ? " beside self" : "",
                   ". Declaration: ", declaration(f));
  ValueCheck check;
  size_t named = 0;
  inputs.reserve(wanted);
  for (size_t i = 0; i < wanted; ++i) {
    const Argument& a = arguments[i + self];
    if (i < given) {
      check_argument(check, f, a, inputs[i], i + self);
      continue;
    }
    auto it = kwargs ? kwargs->find(a.name) : Kwargs::const_iterator();
    if (kwargs && it != kwargs->end()) {
      inputs.push_back(it->second);
      check_argument(check, f, a, inputs.back(), {});
      ++named;
    } else if (a.default_value) {
      inputs.push_back(*a.default_value);
    } else {
      raise<OpError>(f.name, "() is missing value for argument '", a.name,
                     "'. Declaration: ", declaration(f));
    }
  }
  if (kwargs && named != kwargs->size()) refuse_keywords(f, *kwargs);
}

void detail::ModulePointer::refuse_empty() {
  raise<Error>("the Module is empty: nothing was loaded into it (sconce::load)");
}

Boundary::Boundary(const Function& f) : function_(&f) {
  auto& arguments = f.schema.arguments;
  for (size_t i = f.self ? 1 : 0; i < arguments.size(); ++i) {
    uint32_t tags = plain_tags(arguments[i].type);
    // An undefined tensor fits as well.
    if (arguments[i].type->kind == TypeKind::Tensor) tags = 1u << static_cast<int>(Tag::Tensor);
    tags_.push_back(tags);
  }
}

}  // namespace sconce
