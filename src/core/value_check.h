// SPDX-License-Identifier: Apache-2.0
// Values that a host gives for a declared type: arguments of a call, attributes. The rule is that
// of PyTorch's C++ boundary: the type that a value carries is a subtype of the declared one, and
// nothing is converted (an int is no float). Beyond it:
// - elements are looked at, since compiled code reads them without a look;
// - a list or dict whose types are missing, Any, or contradicted by its own elements becomes one of
// the declared type
//   when the elements fit: the same box when only a missing type was to be filled in, otherwise a
//   copy;
// - an empty dict fits every dict, not every type.
#pragma once
#include <map>
#include <string>

#include "sconce/ivalue.h"

namespace sconce {

// Checks values that belong together: a container that occurs in several of them stays one
// container. Work is linear in the values, and containers nested more than kMaxDepth deep (one may
// contain itself) are an OpError.
class ValueCheck {
 public:
  static constexpr int kMaxDepth = 100;
  // True when v is a value of type t now; v may have been replaced by a copy of the declared type.
  bool fits(IValue& v, TypePtr t);
  // Undefined tensors fit Tensor; otherwise only as elements of lists and dicts.
  bool undefined_tensors = true;
  // After a false: what came, e.g. "'int'" or "'List[Any]' with a value of type 'str' at
  // [2]".
  std::string found(const IValue& v) const;

 private:
  enum class Fit { No, AsIs, Replaced };
  struct Known {
    Fit fit;
    IValue value;  // what replaces the container
  };
  // So many elements are looked at again where they are shared, and not remembered.
  static constexpr size_t kUnremembered = 4096;

  // out: the replacement.
  Fit fit(const IValue& v, TypePtr t, IValue* out);
  Fit fit_member(const IValue& v, TypePtr t, IValue* out);
  Fit fit_any(const IValue& v, IValue* out);
  Fit fit_container(const IValue& v, TypePtr t, IValue* out);
  Fit fit_list(ListBox& box, TypePtr t, IValue* out);
  Fit fit_dict(DictBox& box, TypePtr t, IValue* out);
  Fit fit_tuple(TupleBox& box, TypePtr t, IValue* out);
  Fit fit_items(const std::vector<IValue>& items, TypePtr t, std::vector<IValue>* changed);
  Fit fit_entries(const DictBox& box, TypePtr key, TypePtr value, std::vector<IValue>* changed);
  Fit misfit(const IValue& v);
  static TypePtr common_type(const std::vector<IValue>& items);

  int depth_ = 0;
  size_t visited_ = 0;
  bool undefined_ok_ = true;
  std::map<std::pair<const void*, TypePtr>, Known> known_;
  // The value that didn't fit and the way to it ("[2]").
  std::string misfit_type_, misfit_path_;
};

// The tags whose values are of type t without a look at the value, as bits 1 << tag.
uint32_t plain_tags(TypePtr t);

// The type of a value as PyTorch's messages write it ("List[int]", "__torch__.Point"); safe for
// values that carry no type.
std::string value_type_str(const IValue& v);

// A type as PyTorch's messages write it.
std::string repr_str(TypePtr t);

// v as a value of the attribute. Throws OpError.
void check_attribute(IValue& v, const ClassType::Attribute& attribute);

}  // namespace sconce
