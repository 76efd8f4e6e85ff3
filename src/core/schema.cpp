// SPDX-License-Identifier: Apache-2.0
// Schema parser, schema text, type variables.
#include "core/schema.h"
#include "support/stack.h"

#include <cctype>
#include <cmath>
#include <cstdlib>

namespace sconce {

namespace {

class SchemaParser {
 public:
  SchemaParser(std::string_view text, const std::function<TypePtr(const std::string&)>* resolve)
      : s_(text), resolve_(resolve) {}
  // Types as graphs print them: no alias marks, shapes after Tensor, class names declared by use.
  SchemaParser(std::string_view text, TypeTable& table, const DeclareType& declare)
      : s_(text), table_(table), declare_(&declare) {}

  FunctionSchema schema() {
    FunctionSchema r;
    r.name = word();
    if (eat("::")) r.name += "::" + word();
    if (eat(".")) r.overload = word();
    expect("(");
    bool kwarg_only = false;
    if (!eat(")")) {
      do {
        if (eat("...")) {
          r.is_vararg = true;
        } else if (eat("*")) {
          kwarg_only = true;
        } else {
          Argument a = argument();
          a.kwarg_only = kwarg_only;
          r.arguments.push_back(std::move(a));
        }
      } while (eat(","));
      expect(")");
    }
    expect("->");
    if (eat("...")) {
      r.is_varret = true;
    } else if (eat("(")) {
      if (!eat(")")) {
        do {
          if (eat("..."))
            r.is_varret = true;
          else
            r.returns.push_back(argument());
        } while (eat(","));
        expect(")");
      }
    } else {
      r.returns.push_back(argument());
    }
    return r;
  }

  TypePtr leading_type(size_t* used) {
    Argument a;
    TypePtr t = type(a);
    *used = at_;
    return t;
  }

  TypePtr whole_type() {
    Argument a;
    TypePtr t = type(a);
    blank();
    if (at_ != s_.size()) fail("end of type");
    return t;
  }

 private:
  [[noreturn]] void fail(const char* wanted) {
    raise<ScriptError>("schema: expected ", wanted, " at column ", at_, " of '", s_, "'");
  }
  void blank() {
    while (at_ < s_.size() && std::isspace(static_cast<unsigned char>(s_[at_]))) ++at_;
  }
  bool eat(std::string_view t) {
    blank();
    if (s_.substr(at_, t.size()) != t) return false;
    at_ += t.size();
    return true;
  }
  void expect(const char* t) {
    if (!eat(t)) fail(t);
  }
  std::string word() {
    blank();
    size_t b = at_;
    while (at_ < s_.size() && (std::isalnum(static_cast<unsigned char>(s_[at_])) || s_[at_] == '_'))
      ++at_;
    if (b == at_) fail("a name");
    return std::string(s_.substr(b, at_ - b));
  }
  // A part of a class's name: its module's file may have letters beyond ASCII and dashes in its
  // name.
  std::string path_word() {
    auto part = [this](size_t i) {
      auto c = i < s_.size() ? static_cast<unsigned char>(s_[i]) : 0;
      return std::isalnum(c) || c == '_' || c >= 0x80;
    };
    size_t b = at_;
    while (part(at_) || (at_ > b && at_ < s_.size() && s_[at_] == '-' && part(at_ + 1))) ++at_;
    if (b == at_) fail("a name");
    return std::string(s_.substr(b, at_ - b));
  }
  bool word_next() {
    blank();
    return at_ < s_.size() && (std::isalpha(static_cast<unsigned char>(s_[at_])) || s_[at_] == '_');
  }

  AliasInfo alias() {
    AliasInfo a;
    if (!eat("(")) return a;
    auto set = [&] {
      std::string r;
      do {
        r += (r.empty() ? "" : "|") + (eat("*") ? std::string("*") : word());
      } while (eat("|"));
      return r;
    };
    a.before = set();
    a.is_write = eat("!");
    a.after = eat("->") ? set() : a.before;
    expect(")");
    return a;
  }

  TypePtr type(Argument& arg) {
    TypeTable& g = table_;
    TypePtr t;
    check_stack();
    if (++depth_ > 100) fail("fewer nested types");
    if (eat("(")) {
      std::vector<TypePtr> e;
      if (!eat(")")) {
        do {
          Argument inner;
          e.push_back(type(inner));
        } while (eat(","));
        expect(")");
      }
      t = g.tuple(e);
    } else {
      t = named_type(word());
    }
    arg.alias = alias_here();
    while (true) {
      if (eat("[")) {
        blank();
        if (!eat("]")) {
          arg.n = std::atoi(word().c_str());
          expect("]");
        }
        t = g.list(t);
        arg.element_alias = arg.alias;
        AliasInfo outer = alias_here();
        if (outer) arg.alias = outer;
      } else if (eat("?")) {
        t = g.optional(t);
      } else {
        break;
      }
    }
    if (!arg.alias) arg.alias = alias_here();
    --depth_;
    return t;
  }
  AliasInfo alias_here() {
    // "(" directly after the type is an alias annotation.
    if (!declare_ && at_ < s_.size() && s_[at_] == '(') return alias();
    return {};
  }

  // The types of graph text that schemas don't know; null for all others.
  TypePtr graph_type(const std::string& w) {
    auto inner = [&](char close) {
      std::vector<TypePtr> e;
      const char end[2] = {close, 0};
      if (eat(end)) return e;
      do {
        Argument a;
        e.push_back(type(a));
      } while (eat(","));
      expect(end);
      return e;
    };
    auto one = [&](std::vector<TypePtr> e) {
      if (e.size() != 1) fail("one type");
      return e[0];
    };
    if (w == "Tensor" && at_ < s_.size() && (s_[at_] == '(' || s_.substr(at_, 2) == "[U"))
      return shaped(std::nullopt, true);
    if (w == "List" && eat("[")) return table_.list(one(inner(']')));
    if (w == "Optional" && eat("[")) return table_.optional(one(inner(']')));
    if (w == "Tuple" && eat("[")) {
      if (eat("()")) {
        expect("]");
        return table_.tuple({});
      }
      return table_.tuple(inner(']'));
    }
    if (w == "Union" && eat("[")) return table_.union_of(inner(']'));
    if (w == "Await" && eat("[")) return table_.await(one(inner(']')));
    if (w == "Dict" && eat("[")) {
      auto e = inner(']');
      if (e.size() != 2) fail("two types");
      return table_.dict(e[0], e[1]);
    }
    if (w == "NamedTuple" && eat("(")) return named_tuple();
    if (w == "Enum" && eat("<")) return declared(TypeKind::Enum);
    if (w == "InterfaceType" && eat("<")) return declared(TypeKind::Interface);
    if (w == "__torch__" || (at_ < s_.size() && s_[at_] == '.')) {
      std::string name = w;
      while (eat(".")) name += "." + path_word();
      return (*declare_)(TypeKind::Class, name);
    }
    return nullptr;
  }
  TypePtr declared(TypeKind kind) {
    std::string name = word();
    while (eat(".")) name += "." + path_word();
    expect(">");
    return (*declare_)(kind, name);
  }
  // Default values of fields aren't part of the type.
  TypePtr named_tuple() {
    std::vector<std::string> fields;
    std::vector<TypePtr> elems;
    while (!eat(")")) {
      fields.push_back(word());
      expect(":");
      Argument a;
      elems.push_back(type(a));
      if (eat("="))
        while (at_ < s_.size() && s_[at_] != ',' && s_[at_] != ')') ++at_;
      if (!eat(",") && !(at_ < s_.size() && s_[at_] == ')')) fail("',' or ')'");
    }
    return table_.named_tuple("", std::move(fields), std::move(elems));
  }

  TypePtr named_type(const std::string& w) {
    TypeTable& g = table_;
    if (declare_)
      if (TypePtr t = graph_type(w)) return t;
    auto inner = [&](char open, char close) {
      std::vector<TypePtr> e;
      expect(std::string(1, open).c_str());
      do {
        Argument a;
        e.push_back(type(a));
      } while (eat(","));
      expect(std::string(1, close).c_str());
      return e;
    };
    if (w == "Tensor") return types::tensor();
    if (w == "int" || w == "SymInt" || w == "ScalarType" || w == "Layout" || w == "MemoryFormat" ||
        w == "QScheme")
      return types::integer();
    if (w == "float") return types::floating();
    if (w == "bool" || w == "SymBool") return types::boolean();
    if (w == "complex") return types::complex();
    if (w == "str" || w == "Dimname" || w == "DeviceIndex")
      return w == "DeviceIndex" ? types::integer() : types::string();
    if (w == "Scalar" || w == "number") return types::number();
    if (w == "Device") return types::device();
    if (w == "Stream") return types::get(TypeKind::Stream);
    if (w == "Generator") return types::get(TypeKind::Generator);
    if (w == "Any") return types::any();
    if (w == "AnyList" || w == "list") return types::get(TypeKind::AnyList);
    if (w == "AnyTuple" || w == "tuple") return types::get(TypeKind::AnyTuple);
    if (w == "AnyClassType") return types::get(TypeKind::AnyClass);
    if (w == "AnyEnumType") return types::get(TypeKind::AnyEnum);
    if (w == "NoneType" || w == "None") return types::none();
    if (w == "Storage" || w == "ConstQuantizerPtr" || w == "Capsule")
      return types::get(TypeKind::Capsule);
    if (w == "Function") return types::get(TypeKind::Function);
    if (w == "Dict") {
      auto e = inner('(', ')');
      if (e.size() != 2) fail("two types");
      return g.dict(e[0], e[1]);
    }
    if (w == "Future")
      return g.future((at_ < s_.size() && s_[at_] == '[' ? inner('[', ']') : inner('(', ')'))[0]);
    if (w == "Await") return g.await(inner('(', ')')[0]);
    if (w == "RRef")
      return g.rref((at_ < s_.size() && s_[at_] == '[' ? inner('[', ']') : inner('(', ')'))[0]);
    if (w == "Union") return g.union_of(inner('(', ')'));
    ScalarType dtype;
    bool tensor_suffix = w.size() > 6 && w.compare(w.size() - 6, 6, "Tensor") == 0;
    if (scalar_type_from_name(w, &dtype) ||
        (tensor_suffix && scalar_type_from_name(w.substr(0, w.size() - 6), &dtype)))
      return shaped(dtype, !tensor_suffix);
    if (w == "__torch__" || at_ < s_.size()) {
      std::string name = w;
      while (at_ < s_.size() && s_[at_] == '.') {
        ++at_;
        name += "." + path_word();
      }
      if (name != w || w == "__torch__") {
        TypePtr t = resolve_ && *resolve_ ? (*resolve_)(name) : nullptr;
        return t ? t : g.var(name);  // without a resolver the name stands for itself
      }
    }
    return g.var(w);  // a type variable: t, tVal, key_type
  }

  // rank: the name has no "Tensor" behind it. Without a dtype a list with no size means no rank.
  TypePtr shaped(std::optional<ScalarType> dtype, bool rank) {
    TensorInfo info;
    info.has_dtype = dtype.has_value();
    if (dtype) info.dtype = *dtype;
    info.has_rank = rank;
    if (at_ < s_.size() && s_[at_] == '(' && eat("(")) {
      while (!eat(")")) {
        if (eat("*")) {
          info.sizes.push_back(-1);
        } else if (eat("SS")) {
          expect("(");
          eat("-");
          const int64_t symbol = std::atoll(word().c_str());
          expect(")");
          // -1 stands for a size of which nothing is known.
          constexpr int64_t kMost = int64_t{1} << 40;
          info.sizes.push_back(symbol > 0 && symbol < kMost ? -1 - symbol : -1);
        } else if (eat("strides=[")) {
          while (!eat("]")) {
            bool negative = eat("-");
            int64_t stride = std::atoll(word().c_str());
            info.strides.push_back(negative ? -stride : stride);
            eat(",");
          }
        } else if (eat("requires_grad=")) {
          info.has_requires_grad = true;
          info.requires_grad = word() == "1";
        } else if (eat("device=")) {
          std::string d = word();
          if (eat(":")) d += ":" + word();
          info.has_device = true;
          info.device = Device::parse(d);
        } else {
          info.sizes.push_back(std::atoll(word().c_str()));
        }
        eat(",");
      }
    }
    if (!dtype && info.sizes.empty()) info.has_rank = false;
    if (declare_ && eat("[Undefined]")) info.undefined = true;
    return TypeTable::global().tensor_with(std::move(info));
  }

  Argument argument() {
    Argument a;
    a.type = type(a);
    if (word_next()) a.name = word();
    if (eat("=")) a.default_value = default_value(a);
    return a;
  }

  IValue scalar_default(TypePtr t) {
    blank();
    if (at_ < s_.size() && (s_[at_] == '"' || s_[at_] == '\'')) {
      char q = s_[at_++];
      std::string v;
      while (at_ < s_.size() && s_[at_] != q) {
        if (s_[at_] == '\\' && at_ + 1 < s_.size()) {
          static constexpr char kLetters[] = "ntfvr", kControls[] = "\n\t\f\v\r";
          const char* k = std::strchr(kLetters, s_[++at_]);
          v += k && *k ? kControls[k - kLetters] : s_[at_];
          ++at_;
        } else {
          v += s_[at_++];
        }
      }
      ++at_;
      if (t->kind == TypeKind::Device) return Device::parse(v);
      return v;
    }
    size_t b = at_;
    while (at_ < s_.size() && !std::strchr(",) ]", s_[at_])) ++at_;
    std::string w(s_.substr(b, at_ - b));
    if (w == "None") return IValue();
    if (w == "True") return true;
    if (w == "False") return false;
    if (w == "Mean") return int64_t{1};
    if (w == "Sum") return int64_t{2};
    if (w == "contiguous_format" || w == "strided") return int64_t{0};
    if (w == "preserve_format") return int64_t{1};
    if (w == "long") return int64_t{4};
    if (w == "float") return int64_t{6};
    if (w == "cpu" || w == "cuda") return Device::parse(w);
    if (w == "inf") return HUGE_VAL;
    if (w == "-inf") return -HUGE_VAL;
    if (w == "nan") return std::nan("");
    if (t->kind == TypeKind::Float ||
        (t->kind == TypeKind::Number && w.find_first_of(".e") != std::string::npos))
      return std::strtod(w.c_str(), nullptr);
    if (t->kind == TypeKind::Complex)
      return std::complex<double>(std::strtod(w.c_str(), nullptr), 0);
    return static_cast<int64_t>(std::strtoll(w.c_str(), nullptr, 10));
  }

  IValue default_value(const Argument& a) {
    TypePtr t = unwrap_optional(a.type);
    if (t->kind == TypeKind::List) {
      TypePtr e = t->elems[0];
      auto box = make_ref<ListBox>(e);
      if (eat("[")) {
        while (!eat("]")) {
          box->items.push_back(scalar_default(e));
          eat(",");
        }
        return IValue(box);
      }
      IValue v = scalar_default(e);
      if (v.isNone()) return v;
      box->items.assign(static_cast<size_t>(a.n > 0 ? a.n : 1), v);
      return IValue(box);
    }
    return scalar_default(t);
  }

  std::string_view s_;
  size_t at_ = 0;
  int depth_ = 0;
  TypeTable& table_ = TypeTable::global();
  const std::function<TypePtr(const std::string&)>* resolve_ = nullptr;
  const DeclareType* declare_ = nullptr;  // set: the text is a graph's
};

}  // namespace

FunctionSchema parse_schema(std::string_view text) { return SchemaParser(text, nullptr).schema(); }
TypePtr parse_schema_type(std::string_view text,
                          const std::function<TypePtr(const std::string&)>& resolve) {
  return SchemaParser(text, &resolve).whole_type();
}
TypePtr parse_graph_type(std::string_view text, size_t* used, TypeTable& table,
                         const DeclareType& declare) {
  return SchemaParser(text, table, declare).leading_type(used);
}

int FunctionSchema::argument_index(std::string_view arg) const {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].name == arg) return static_cast<int>(i);
  return -1;
}
bool FunctionSchema::is_mutable() const {
  for (auto& a : arguments)
    if (a.alias.is_write || a.element_alias.is_write) return true;
  return false;
}
std::string FunctionSchema::str() const {
  std::string s = name + (overload.empty() ? "" : "." + overload) + "(";
  bool kw = false, first = true;
  for (auto& a : arguments) {
    s += first ? "" : ", ";
    first = false;
    if (a.kwarg_only && !kw) s += "*, ", kw = true;
    s += a.type->str() + " " + a.name;
    if (a.default_value) s += "=" + ivalue_str(*a.default_value);
  }
  if (is_vararg) s += first ? "..." : ", ...";
  s += ") -> ";
  if (returns.size() == 1) return s + returns[0].type->str();
  s += "(";
  for (size_t i = 0; i < returns.size(); ++i)
    s += (i ? ", " : "") + returns[i].type->str() +
         (returns[i].name.empty() ? "" : " " + returns[i].name);
  return s + (is_varret ? "...)" : ")");
}

bool match_type_variables(TypePtr formal, TypePtr actual, TypeEnv& env, TypeTable& table,
                          std::string* why) {
  if (formal->kind == TypeKind::Var) {
    if (formal->name.rfind("__torch__", 0) == 0) {  // a class named in a schema
      if (actual->name == formal->name) return true;
      if (why) *why = "expected " + formal->name;
      return false;
    }
    for (auto& b : env)
      if (b.first == formal->name) {
        if (TypePtr u = unify_types(b.second, actual, table)) {
          b.second = u;
          return true;
        }
        if (why)
          *why = "Type variable '" + formal->name + "' previously matched to type " +
                 b.second->str() + " is matched to type " + actual->str();
        return false;
      }
    env.emplace_back(formal->name, actual);
    return true;
  }
  std::function<bool(TypePtr)> has_var = [&](TypePtr t) {
    if (t->kind == TypeKind::Var) return true;
    for (TypePtr e : t->elems)
      if (t->kind != TypeKind::Class && has_var(e)) return true;
    return false;
  };
  if (!has_var(formal)) return true;
  auto fail = [&] {
    if (why) *why = "Cannot match " + formal->str() + " to " + actual->str();
    return false;
  };
  if (formal->kind == TypeKind::Optional) {
    if (actual->kind == TypeKind::Optional)
      return match_type_variables(formal->elems[0], actual->elems[0], env, table, why);
    if (actual->kind == TypeKind::None) return true;
    return match_type_variables(formal->elems[0], actual, env, table, why);
  }
  if (formal->kind == TypeKind::List && actual->kind == TypeKind::Tuple && !actual->elems.empty()) {
    TypePtr u = unify_type_list(actual->elems, table);
    if (!u) return fail();
    return match_type_variables(formal->elems[0], u, env, table, why);
  }
  if (formal->kind != actual->kind || formal->elems.size() != actual->elems.size()) return fail();
  for (size_t i = 0; i < formal->elems.size(); ++i)
    if (!match_type_variables(formal->elems[i], actual->elems[i], env, table, why)) return false;
  return true;
}

TypePtr eval_type_variables(TypePtr formal, const TypeEnv& env, TypeTable& table) {
  if (formal->kind == TypeKind::Var) {
    for (auto& b : env)
      if (b.first == formal->name) return b.second;
    return formal->name.rfind("__torch__", 0) == 0 ? formal : nullptr;
  }
  if (formal->elems.empty() || formal->kind == TypeKind::Class) return formal;
  std::vector<TypePtr> e;
  bool changed = false;
  for (TypePtr x : formal->elems) {
    TypePtr y = eval_type_variables(x, env, table);
    if (!y) return nullptr;
    changed |= y != x;
    e.push_back(y);
  }
  if (!changed) return formal;
  if (formal->kind == TypeKind::Optional) return table.optional(e[0]);
  return table.make(formal->kind, e);
}

}  // namespace sconce
