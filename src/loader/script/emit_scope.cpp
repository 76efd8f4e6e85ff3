// SPDX-License-Identifier: Apache-2.0
// Names: lexical blocks, globals, the importer's environment (serialized-language.md section 6).
#include <cmath>

#include "loader/script/emitter.h"

namespace sconce::script {

using K = Sugared::Kind;

bool meaningful_name(const std::string& name) {
  if (name.empty() || name[0] == '$') return false;
  if (name[0] != '_') return true;
  return name.find_first_not_of("0123456789", 1) != std::string::npos;
}

EnvironmentPtr Emitter::push_frame(Block* b, bool starts_def) {
  auto e = std::make_shared<Environment>();
  e->block = b;
  e->next = env_;
  env_ = e;
  if (starts_def) defs_.emplace_back();
  return e;
}
EnvironmentPtr Emitter::pop_frame(bool ends_def) {
  auto old = env_;
  env_ = env_->next;
  if (ends_def) defs_.pop_back();
  return old;
}

SugaredPtr Emitter::find_in_frame(Environment& e, const std::string& name) {
  if (auto it = e.values.find(name); it != e.values.end()) return it->second;
  if (auto it = e.types.find(name); it != e.types.end()) {
    Node* load = graph_->insert_node(graph_->create_load(name, it->second));
    if (meaningful_name(name)) load->output()->set_name(name);
    return simple(load->output());
  }
  return nullptr;
}
SugaredPtr Emitter::find(const EnvironmentPtr& from, const std::string& name) {
  for (Environment* e = from.get(); e; e = e->next.get())
    if (auto r = find_in_frame(*e, name)) return r;
  return nullptr;
}

void Emitter::set_sugared(const std::string& name, const SugaredPtr& s, TypePtr annotated) {
  Value* v = s->kind == K::Simple ? s->value : nullptr;
  if (v && v->name.empty() && meaningful_name(name) && v->node->owner == env_->block)
    v->set_name(name);
  if (SugaredPtr parent = find(env_->next, name)) {
    if (annotated)
      error("Attempting to declare and annotate the type of variable '", name,
            "' but it is already defined in an outer block");
    if (!v || parent->kind != K::Simple)
      error("Cannot re-assign '", name, "' because it is not a first-class value in both places");
    TypePtr outer = unshaped(parent->value->type, types_);
    v = try_convert(outer, v, true);
    if (!v->type->is_subtype_of(outer))
      error("Variable '", name, "' previously had type ", outer->annotation_str(),
            " but is now being assigned to a value of type ", v->type->annotation_str());
  }
  if (!v) {
    env_->values[name] = s;
    return;
  }
  if (annotated && !v->type->is_subtype_of(annotated))
    error("Variable '", name, "' is annotated with type ", annotated->annotation_str(),
          " but is being assigned to a value of type ", v->type->annotation_str());
  graph_->insert_node(graph_->create_store(name, v));
  env_->types[name] = annotated ? annotated : v->type;
}

void Emitter::remove_var(const std::string& name) {
  bool removed = false;
  for (Environment* e = env_.get(); e; e = e->next.get())
    removed |= e->values.erase(name) + e->types.erase(name) > 0;
  if (!removed) error("undefined value ", name);
}

SugaredPtr Emitter::get_sugared(const std::string& name) {
  if (auto s = find(env_, name)) return s;
  if (auto s = resolve_global(name)) return s;
  Environment* root = env_.get();
  while (root->next) root = root->next.get();
  if (auto it = root->errors.find(name); it != root->errors.end())
    error(it->second, " and was used here");
  error("undefined value ", name);
}

namespace {
struct GlobalBuiltin {
  const char *name, *op, *magic;
};
constexpr GlobalBuiltin kBuiltins[] = {
    {"len", "aten::len", "__len__"},    {"hex", "aten::hex", "__hex__"},
    {"oct", "aten::oct", "__oct__"},    {"round", "aten::round", "__round__"},
    {"hash", "aten::hash", nullptr},    {"id", "prim::id", nullptr},
    {"min", "prim::min", nullptr},      {"max", "prim::max", nullptr},
    {"abs", "prim::abs", nullptr},      {"all", "aten::all", nullptr},
    {"any", "aten::any", nullptr},      {"divmod", "aten::divmod", nullptr},
    {"sum", "aten::sum", nullptr},      {"ord", "aten::ord", nullptr},
    {"chr", "aten::chr", nullptr},      {"bin", "aten::bin", nullptr},
    {"pow", "aten::pow", nullptr},      {"rangelist", "prim::rangelist", nullptr},
    {"sorted", "aten::sorted", nullptr}};
struct GlobalCast {
  const char *name, *op, *magic;
  TypeKind type;
};
constexpr GlobalCast kCasts[] = {{"float", "aten::Float", "__float__", TypeKind::Float},
                                 {"complex", "aten::Complex", "__complex__", TypeKind::Complex},
                                 {"int", "aten::Int", "__int__", TypeKind::Int},
                                 {"bool", "aten::Bool", "__bool__", TypeKind::Bool},
                                 {"str", "aten::str", "__str__", TypeKind::String},
                                 {"_to_tensor", "prim::NumToTensor", nullptr, TypeKind::Tensor}};
struct GlobalForm {
  const char* name;
  Symbol form;
};
}  // namespace

SugaredPtr Emitter::resolve_global(const std::string& name) {
  static constexpr GlobalForm kForms[] = {{"tuple", prim::TupleConstruct},
                                          {"getattr", prim::GetAttr},
                                          {"hasattr", prim::HasAttr},
                                          {"isinstance", prim::isinstance},
                                          {"list", prim::list},
                                          {"dict", prim::dict},
                                          {"range", prim::range},
                                          {"zip", prim::zip},
                                          {"enumerate", prim::enumerate},
                                          {"fork", prim::fork},
                                          {"awaitable", prim::awaitable},
                                          {"annotate", prim::annotate},
                                          {"unchecked_cast", prim::unchecked_cast},
                                          {"uninitialized", prim::Uninitialized}};
  auto wrap = [&](SugaredPtr base, const char* magic) {
    if (!magic) return base;
    auto m = make(K::Magic, magic);
    m->base = base;
    return m;
  };
  if (name == "print") return make(K::Print);
  // Archives name only AssertionError; source text may raise Python's others.
  for (const char* e : {"AssertionError", "RuntimeError", "ValueError", "TypeError", "IndexError",
                        "KeyError", "NotImplementedError", "Exception"})
    if (name == e) return make(K::Exception, name);
  for (auto& b : kBuiltins)
    if (name == b.name) return wrap(make(K::Builtin, b.op), b.magic);
  for (auto& c : kCasts)
    if (name == c.name) {
      auto s = make(K::Cast, c.op);
      s->type = types::get(c.type);
      return wrap(s, c.magic);
    }
  for (auto& f : kForms)
    if (name == f.name) return special(f.form);
  if (name == "torch") return make(K::OpNamespace, "aten");
  if (name == "ops") return make(K::Ops);
  if (name == "CONSTANTS") return make(K::Constants);
  if (name == "inf") return simple(insert_constant(HUGE_VAL));
  if (name == "nan") return simple(insert_constant(std::nan("")));
  if (name == "infj") return simple(insert_constant(std::complex<double>(0, HUGE_VAL)));
  if (name == "nanj") return simple(insert_constant(std::complex<double>(0, std::nan(""))));
  if (TypePtr t = cu_.find_type(name)) {
    auto s = make(t->kind == TypeKind::Tuple  ? K::NamedTuple
                  : t->kind == TypeKind::Enum ? K::EnumClass
                                              : K::Class);
    s->type = t;
    return s;
  }
  if (sconce::Function* f = cu_.find_function(name)) {
    auto s = make(K::Function);
    s->function = f;
    return s;
  }
  // Any dotted module works as a namespace; __torch__ is the usual one.
  if (name == "__torch__" || cu_.plain_type(name) == nullptr) {
    if (name == "__torch__") return make(K::ClassNamespace, name);
  }
  return nullptr;
}

}  // namespace sconce::script
