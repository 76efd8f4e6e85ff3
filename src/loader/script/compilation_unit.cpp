// SPDX-License-Identifier: Apache-2.0
// Importing sources: classes, NamedTuples, enums, interfaces and functions (serialized-language.md
// sections 1 to 3).
#include "loader/script/compilation_unit.h"

#include <algorithm>

#include "loader/script/emitter.h"
#include "loader/script/native_classes.h"
#include "support/stack.h"
#include "support/lasting.h"

namespace sconce {

// Used by subtype checks of interfaces (core/type.cpp).
const FunctionSchema* function_schema(const Function* f) {
  auto* fn = const_cast<Function*>(f);
  if (!fn->schema_ready) fn->ensure_graph();
  return &fn->schema;
}

Function* ClassType::find_method(const std::string& n) const {
  for (auto& m : methods)
    if (m.first == n) return m.second;
  return nullptr;
}

}  // namespace sconce

namespace sconce::script {

namespace {

constexpr std::string_view kNativeClasses = "__torch__.torch.classes.";

std::string demangle(const std::string& name) {
  std::string out;
  size_t at = 0;
  while (at <= name.size()) {
    size_t dot = name.find('.', at);
    std::string atom = name.substr(at, dot == std::string::npos ? dot : dot - at);
    if (atom.rfind("___torch_mangle_", 0) != 0) out += (out.empty() ? "" : ".") + atom;
    if (dot == std::string::npos) break;
    at = dot + 1;
  }
  return out;
}

// Old archives declare packed parameters of quantised modules as Tensor.
const char* packed_params_class(const std::string& cls) {
  struct Row {
    const char *cls, *type;
  };
  static constexpr Row kRows[] = {{"quantized.modules.linear.LinearPackedParams", "Linear"},
                                  {"quantized.modules.linear.Linear", "Linear"},
                                  {"quantized.dynamic.modules.linear.Linear", "Linear"},
                                  {"quantized.modules.conv.Conv2d", "Conv2d"},
                                  {"quantized.modules.conv_relu.ConvReLU2d", "Conv2d"},
                                  {"quantized.modules.conv.Conv3d", "Conv3d"},
                                  {"quantized.modules.conv_relu.ConvReLU3d", "Conv3d"}};
  for (auto& r : kRows) {
    std::string tail = std::string(".") + r.cls;
    if (cls.size() > tail.size() && cls.compare(cls.size() - tail.size(), tail.size(), tail) == 0)
      return r.type;
  }
  return nullptr;
}

// What is imported on this thread, with all that this imports in turn.
struct Import {
  const CompilationUnit* unit;
  size_t functions;                                    // that there were before
  std::vector<std::pair<std::string, TreeRef>> types;  // so far; of no source: no tree
  Import* around;
};
thread_local Import* importing = nullptr;

// Limits and memory that end say nothing of the source: the next call begins afresh.
template <class F, class Undo>
void undone_when_interrupted(F f, Undo undo) {
  try {
    f();
  } catch (const LimitError&) {
    undo();
    throw;
  } catch (const OutOfMemory&) {
    undo();
    throw;
  } catch (const std::bad_alloc&) {
    undo();
    throw;
  }
}

std::string prefix_of(const std::string& qualified) {
  size_t dot = qualified.rfind('.');
  return dot == std::string::npos ? "" : qualified.substr(0, dot);
}

}  // namespace

CompilationUnit::CompilationUnit(const OpTable& ops, SourceLoader loader, uint64_t version)
    : ops_(ops), loader_(std::move(loader)), version_(version) {}

void CompilationUnit::load_source(const std::string& qualifier) {
  if (qualifier.empty() || !loader_ || !loaded_.insert(qualifier).second) return;
  undone_when_interrupted(
      [&] {
        auto source = loader_(qualifier);
        if (!source) return;
        for (auto& d : Parser(source).parse_file()) pending_[qualifier + "." + d->text] = d;
      },
      [&] { loaded_.erase(qualifier); });
}

TypePtr CompilationUnit::find_type(const std::string& name) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  auto it = named_.find(name);
  if (it != named_.end()) return it->second;
  // "__torch__.torch.classes." namespace "." name
  if (name.rfind(kNativeClasses, 0) == 0 &&
      std::count(name.begin() + static_cast<long>(kNativeClasses.size()), name.end(), '.') == 1)
    return native_class(name);
  load_source(prefix_of(name));
  auto p = pending_.find(name);
  if (p == pending_.end() || p->second->kind != Kind::ClassDef) return nullptr;
  TreeRef tree = p->second;
  Import own{this, functions_.size(), {}, importing};
  if (!importing || importing->unit != this) importing = &own;
  struct Ends {
    Import& own;
    ~Ends() {
      if (importing == &own) importing = own.around;
    }
  } ends{own};
  importing->types.emplace_back(name, tree);
  pending_.erase(p);
  undone_when_interrupted([&] { import_type(name, *tree); },
                          [&] {
                            if (importing != &own) return;  // the outermost undoes all
                            for (auto& [imported, its_tree] : own.types) {
                              named_.erase(imported);
                              if (its_tree) pending_[imported] = its_tree;
                            }
                            for (; functions_.size() > own.functions; functions_.pop_back()) {
                              defs_.erase(functions_.back().get());
                              function_names_.erase(functions_.back()->qualified_name);
                            }
                          });
  it = named_.find(name);
  return it == named_.end() ? nullptr : it->second;
}

Function* CompilationUnit::find_function(const std::string& name) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  auto it = function_names_.find(name);
  if (it != function_names_.end()) return it->second;
  load_source(prefix_of(name));
  auto p = pending_.find(name);
  if (p == pending_.end() || p->second->kind != Kind::Def) return nullptr;
  TreeRef tree = p->second;
  pending_.erase(p);
  Function* f = nullptr;
  undone_when_interrupted([&] { f = add_function(tree, prefix_of(name), nullptr); },
                          [&] { pending_[name] = tree; });
  return f;
}

std::string CompilationUnit::mangle(const std::string& qualified_name) {
  static constexpr std::string_view kMark = "___torch_mangle_";
  std::string name = qualified_name;
  do {
    size_t mark = name.find(kMark);
    if (mark == std::string::npos) {
      const size_t dot = name.rfind('.');
      mark = dot == std::string::npos ? 0 : dot + 1;
      name.insert(mark, std::string(kMark) + "0.");
    }
    const size_t number = mark + kMark.size();
    const size_t end = std::min(name.find('.', number), name.size());
    // A name that is mangled already gets a higher number.
    if (qualified_name.find(kMark) != std::string::npos && end - number < 10)
      next_mangle =
          std::max<uint64_t>(next_mangle, std::strtoull(name.c_str() + number, nullptr, 10) + 1);
    name.replace(number, end - number, std::to_string(next_mangle++));
  } while (named_.count(name));
  return name;
}

ClassType* CompilationUnit::create_class(const std::string& name, bool is_module) {
  auto cls = std::make_unique<ClassType>(name, is_module);
  ClassType* p = cls.get();
  owned_types_.push_back(std::move(cls));
  named_[name] = p;
  return p;
}

ClassType* CompilationUnit::native_class(const std::string& name) {
  auto it = named_.find(name);
  if (it != named_.end()) return const_cast<ClassType*>(static_cast<const ClassType*>(it->second));
  const NativeClass* known = find_native_class(name);
  if (importing && importing->unit == this) importing->types.emplace_back(name, nullptr);
  ClassType* c = create_class(name, false);
  c->is_native = true;
  c->is_absent = !known;
  c->add_attribute({"state", types::any(), false, false, false});
  if (known && known->methods) define_text(known->methods, "<native>", name, c);
  return c;
}

void CompilationUnit::import_type(const std::string& name, const Tree& cls) {
  check_stack();
  const TreeRef& base = cls[0];
  std::string super = base->present() ? base->text : "";
  if (!base->present()) return import_class(name, cls, false);
  if (super == "Module") return import_class(name, cls, true);
  if (super == "NamedTuple") return import_named_tuple(name, cls);
  if (super == "Enum") return import_enum(name, cls);
  if (super == "Interface" || super == "ModuleInterface")
    return import_interface(name, cls, super == "ModuleInterface");
  script_error(cls.range, "Torchscript does not support class inheritance.");
}

namespace {
std::vector<std::string> string_list(const TreeRef& t) {
  std::vector<std::string> r;
  if (t->kind != Kind::ListLit) script_error(t->range, "a list of names is expected");
  for (auto& k : t->kids) {
    if (k->kind != Kind::StringLit) script_error(k->range, "a name in quotes is expected");
    r.push_back(k->text);
  }
  return r;
}
bool contains(const std::vector<std::string>& v, const std::string& s) {
  return std::find(v.begin(), v.end(), s) != v.end();
}
}  // namespace

namespace {
// ops.NS.NAME, where nobody has registered it or its schema has a written argument.
bool writes_any_argument(const Tree& callee, const OpTable& ops) {
  const Tree& space = *callee[0];
  if (space.kind != Kind::Select) return false;
  const Tree& root = *space[0];
  bool of_torch = root.kind == Kind::Select && root.text == "ops";
  if (!of_torch && (root.kind != Kind::Var || root.text != "ops")) return false;
  auto overloads = ops.find(space.text + "::" + callee.text);
  return overloads.empty() ||
         std::any_of(overloads.begin(), overloads.end(),
                     [](const Operator& op) { return op.schema().is_mutable(); });
}
// Which tensors that attributes hold does the method write in place? Followed through local names:
// what is made from an attribute may be a view of it. Calls of other methods are not followed:
// those are looked at themselves.
void mark_mutated(ClassType& cls, const Tree& def, const OpTable& ops) {
  using Set = std::unordered_set<int>;
  std::unordered_map<std::string, Set> from;
  std::function<Set(const Tree&)> attributes_in = [&](const Tree& t) -> Set {
    if (t.kind == Kind::Var) {
      auto it = from.find(t.text);
      return it == from.end() ? Set() : it->second;
    }
    if (t.kind == Kind::Select && t[0]->kind == Kind::Var && t[0]->text == "self") {
      int i = cls.find_attribute(t.text);
      return i < 0 ? Set() : Set{i};
    }
    Set all;
    for (auto& k : t.kids)
      for (int i : attributes_in(*k)) all.insert(i);
    return all;
  };
  std::function<void(const Tree&)> walk = [&](const Tree& t) {
    for (auto& k : t.kids) walk(*k);
    if (t.kind == Kind::Assign && t.size() > 1 && t[1]->present()) {
      Set source = attributes_in(*t[1]);
      if (source.empty()) return;
      for (auto& target : t[0]->kids)
        if (target->kind == Kind::Var) from[target->text].insert(source.begin(), source.end());
    }
    if (t.kind != Kind::Apply || t[0]->kind != Kind::Select) return;
    const std::string& name = t[0]->text;
    bool in_place = name.size() > 1 && name.back() == '_' && name[name.size() - 2] != '_';
    Set written;
    auto add = [&](const Tree& from) { written.merge(attributes_in(from)); };
    if (writes_any_argument(*t[0], ops)) {
      for (auto& a : t[1]->kids) add(*a);
      for (auto& a : t[2]->kids) add(*a);
    } else {
      if (in_place) {
        add(*(*t[0])[0]);
        if (t[1]->size()) add(*(*t[1])[0]);
      }
      for (auto& a : t[2]->kids)
        if (a->text == "out") add(*a);
    }
    for (int i : written) cls.attributes[static_cast<size_t>(i)].mutated = true;
  };
  walk(def);
  walk(def);  // what a loop's end made is used at its start
}
// Which attributes do methods assign? The host may call them from several threads.
void mark_writes(ClassType& cls, const std::vector<TreeRef>& defs, const OpTable& ops) {
  std::function<void(const Tree&)> find_writes = [&](const Tree& t) {
    if (t.kind == Kind::Assign || t.kind == Kind::AugAssign) {
      std::function<void(const TreeRef&)> target = [&](const TreeRef& l) {
        if (l->kind == Kind::Select)
          if (int i = cls.find_attribute(l->text); i >= 0)
            cls.attributes[static_cast<size_t>(i)].written = true;
        if (l->kind == Kind::Tuple || l->kind == Kind::List)
          for (auto& k : l->kids) target(k);
      };
      target(t[0]);
    }
    for (auto& k : t.kids) find_writes(*k);
  };
  for (auto& d : defs) {
    if (d->text == "__init__" || d->text == "__setstate__") continue;
    find_writes(*d);
    mark_mutated(cls, *d, ops);
  }
}

}  // namespace

void CompilationUnit::import_class(const std::string& name, const Tree& tree, bool is_module) {
  ClassType* cls = create_class(name, is_module);
  std::vector<std::string> params, buffers, pre_hooks, hooks;
  struct Attr {
    std::string name;
    TreeRef type;
  };
  std::vector<Attr> attrs;
  std::vector<std::pair<std::string, TreeRef>> constants;
  std::vector<TreeRef> defs;
  for (auto& s : tree[1]->kids) {
    if (s->kind == Kind::Def) {
      defs.push_back(s);
      continue;
    }
    if (s->kind == Kind::Pass || (s->kind == Kind::ExprStmt && (*s)[0]->kind == Kind::StringLit))
      continue;
    if (s->kind != Kind::Assign || (*s)[0]->size() != 1)
      script_error(s->range, "unexpected statement in a class body");
    const TreeRef& lhs = (*(*s)[0])[0];
    const TreeRef &rhs = (*s)[1], &type = (*s)[2];
    if (lhs->kind == Kind::Subscript) {
      const TreeRef& key = (*(*lhs)[1])[0];
      if (key->kind != Kind::StringLit || !rhs->present())
        script_error(s->range, "unexpected statement in a class body");
      attrs.push_back({key->text, rhs});
      continue;
    }
    if (lhs->kind != Kind::Var) script_error(s->range, "unexpected statement in a class body");
    const std::string& n = lhs->text;
    if (n == "__parameters__") {
      params = string_list(rhs);
    } else if (n == "__buffers__") {
      buffers = string_list(rhs);
    } else if (n == "__forward_pre_hooks__") {
      pre_hooks = string_list(rhs);
    } else if (n == "__forward_hooks__") {
      hooks = string_list(rhs);
    } else if (n == "__annotations__") {
      continue;
    } else if (rhs->present()) {
      constants.emplace_back(n, s);
    } else if (type->present()) {
      attrs.push_back({n, type});
    } else {
      script_error(s->range, "an attribute needs a type");
    }
  }
  std::string plain = demangle(name);
  for (auto& a : attrs) {
    TypePtr t = nullptr;
    if (a.name == "_packed_params" && a.type->kind == Kind::Var && a.type->text == "Tensor")
      if (const char* native = packed_params_class(plain))
        t = native_class(std::string(kNativeClasses) + "quantized." + native + "PackedParamsBase");
    if (!t) t = parse_type(a.type);
    if (cls->find_attribute(a.name) >= 0)
      script_error(a.type->range, "attribute ", a.name, " is declared twice");
    cls->add_attribute({a.name, t, contains(params, a.name), contains(buffers, a.name), false});
  }
  for (auto& c : constants) {
    const TreeRef& type = (*c.second)[2];
    TypePtr t = nullptr;
    if (type->present() && type->kind == Kind::Subscript && (*type)[0]->text == "Final")
      t = parse_type((*(*type)[1])[0]);
    cls->constants.emplace_back(c.first, constant_expression((*c.second)[1], t));
  }
  for (auto& d : defs) {
    if (cls->find_method(d->text))
      script_error(d->range, "method '", d->text, "' already defined.");
    Function* f = add_function(d, name, cls);
    if (contains(pre_hooks, d->text) || contains(hooks, d->text)) continue;
    cls->methods.emplace_back(d->text, f);
  }
  auto add_hooks = [&](const std::vector<std::string>& names, std::vector<Function*>& out) {
    for (auto& n : names) {
      auto it = function_names_.find(name + "." + n);
      if (it == function_names_.end()) script_error(tree.range, "hook ", n, " is not defined");
      out.push_back(it->second);
    }
  };
  add_hooks(pre_hooks, cls->forward_pre_hooks);
  add_hooks(hooks, cls->forward_hooks);
  mark_writes(*cls, defs, ops_);
}

void CompilationUnit::import_enum(const std::string& name, const Tree& tree) {
  auto e = std::make_unique<EnumType>(name);
  EnumType* p = e.get();
  for (auto& s : tree[1]->kids) {
    if (s->kind != Kind::Assign || (*(*s)[0])[0]->kind != Kind::Var || !(*s)[1]->present())
      script_error(s->range, "only enum attribute definitions are supported in an Enum body");
    IValue v = constant_expression((*s)[1], nullptr);
    if (!v.isInt() && !v.isDouble() && !v.isString())
      script_error(s->range, "only Integers, Floats and Strings are supported as enum values");
    TypePtr t = ivalue_type(v);
    if (p->value_type && p->value_type != t)
      script_error(s->range, "Enum class with varying value types are not supported.");
    p->value_type = t;
    p->members.push_back(make_ref<EnumBox>(p, (*(*s)[0])[0]->text, std::move(v)));
  }
  if (!p->value_type) script_error(tree.range, "No enum values defined for ", name);
  owned_types_.push_back(std::move(e));
  named_[name] = p;
}

void CompilationUnit::import_named_tuple(const std::string& name, const Tree& tree) {
  std::vector<std::string> fields;
  std::vector<TypePtr> elems;
  for (auto& s : tree[1]->kids) {
    if (s->kind == Kind::Pass) continue;
    if (s->kind != Kind::Assign || (*(*s)[0])[0]->kind != Kind::Var || !(*s)[2]->present())
      script_error(s->range, "only attribute annotations are supported in a NamedTuple body");
    if ((*s)[1]->present())
      script_error(s->range, "defaults of NamedTuple fields are not supported");
    fields.push_back((*(*s)[0])[0]->text);
    elems.push_back(parse_type((*s)[2]));
  }
  named_[name] = types_.named_tuple(name, fields, elems);
}

void CompilationUnit::import_interface(const std::string& name, const Tree& tree, bool is_module) {
  auto i = std::make_unique<InterfaceType>(name, is_module);
  InterfaceType* p = i.get();
  owned_types_.push_back(std::move(i));
  named_[name] = p;
  for (auto& s : tree[1]->kids) {
    if (s->kind != Kind::Def)
      script_error(s->range, "interface declarations can only contain method definitions");
    if (!(*s)[1]->present())
      script_error(s->range, "interface declarations must have a return type annotated.");
    auto schema = std::make_shared<FunctionSchema>(schema_of(*s, nullptr, true));
    Argument self;
    self.name = (*s)[0]->size() ? (*(*s)[0])[0]->text : "self";
    self.type = p;
    schema->arguments.insert(schema->arguments.begin(), self);
    p->methods.push_back(schema);
  }
}

// ---- functions ----

FunctionSchema CompilationUnit::schema_of(const Tree& def, ClassType* self, bool skip_self) {
  FunctionSchema s;
  s.name = def.text;
  auto& params = def[0]->kids;
  if ((self || skip_self) && params.empty())
    script_error(def.range, "methods must have a self argument");
  for (size_t i = 0; i < params.size(); ++i) {
    if (i == 0 && skip_self) continue;
    Argument a;
    a.name = params[i]->text;
    a.kwarg_only = params[i]->flag;
    const TreeRef &type = (*params[i])[0], &value = (*params[i])[1];
    if (i == 0 && self) {
      a.type = self;
    } else if (type->present()) {
      TreeRef t = type;
      bool optional = t->kind == Kind::Subscript && (*t)[0]->kind == Kind::Var &&
                      (*t)[0]->text == "Optional" && (*t)[1]->size() == 1;
      const TreeRef& inner = optional ? (*(*t)[1])[0] : t;
      // BroadcastingListN[T] takes a number N times.
      static const std::string kBroadcast = "BroadcastingList";
      if (inner->kind == Kind::Subscript && (*inner)[0]->kind == Kind::Var &&
          (*inner)[0]->text.rfind(kBroadcast, 0) == 0) {
        a.n = std::atoi((*inner)[0]->text.c_str() + kBroadcast.size());
        a.type = types_.list(parse_type((*(*inner)[1])[0]));
        if (optional) a.type = types_.optional(a.type);
      } else {
        a.type = parse_type(type);
      }
    } else {
      a.type = types::tensor();
    }
    if (value->present()) a.default_value = constant_expression(value, a.type);
    for (auto& earlier : s.arguments)
      if (earlier.name == a.name) script_error(params[i]->range, "duplicate parameter ", a.name);
    s.arguments.push_back(std::move(a));
  }
  if (def[1]->present()) {
    Argument r;
    r.type = parse_type(def[1]);
    s.returns.push_back(r);
  }
  return s;
}

IValue CompilationUnit::constant_expression(const TreeRef& e, TypePtr type) {
  Function f;
  f.name = "<constant>";
  return Emitter(*this, f).constant(e, type);
}

Function* CompilationUnit::add_function(const TreeRef& def, const std::string& prefix,
                                        ClassType* self) {
  auto f = std::make_unique<Function>();
  Function* p = f.get();
  p->name = def->text;
  p->qualified_name = prefix.empty() ? def->text : prefix + "." + def->text;
  p->self = self;
  p->compile = [this](Function& fn) { compile(fn); };
  functions_.push_back(std::move(f));
  defs_[p] = def;
  function_names_[p->qualified_name] = p;
  return p;
}

void CompilationUnit::define(const std::vector<TreeRef>& defs, const std::string& prefix,
                             ClassType* self) {
  for (auto& d : defs) {
    if (d->kind == Kind::ClassDef) {
      pending_[prefix.empty() ? d->text : prefix + "." + d->text] = d;
      continue;
    }
    Function* f = add_function(d, prefix, self);
    if (self) self->methods.emplace_back(d->text, f);
  }
  if (self) mark_writes(*self, defs, ops_);
}

void CompilationUnit::define_text(const std::string& text, const std::string& source_name,
                                  const std::string& prefix, ClassType* self) {
  auto source = std::make_shared<Source>();
  source->text = text;
  source->name = source_name;
  define(Parser(source).parse_defs(), prefix, self);
}

void CompilationUnit::ensure_schema(Function& f) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  if (f.schema_ready) return;
  auto it = defs_.find(&f);
  if (it == defs_.end()) return;
  if (f.schema.arguments.empty() && f.schema.name.empty())
    f.schema = schema_of(*it->second, f.self, false);
  if (!f.schema.returns.empty()) {
    f.schema_ready = true;
    return;
  }
  compile(f);  // the return type is inferred from the body
}

// Quantised convolutions of old archives repeat what their packed parameters hold; PyTorch drops
// the repetition when it loads a module.
void CompilationUnit::drop_conv_parameters(Block* b) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) drop_conv_parameters(inner);
    if (n->inputs.size() != 8) continue;
    for (const char* name : {"quantized::conv2d", "quantized::conv2d_relu", "quantized::conv3d",
                             "quantized::conv3d_relu"}) {
      if (n->kind.view() != name) continue;
      for (int i = 0; i < 4; ++i) n->remove_input(2);
      n->op = ops_.find_overload(std::string(name) + ".new");
    }
  }
}

void CompilationUnit::compile(Function& f) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  if (f.graph) return;
  check_stack();
  auto it = defs_.find(&f);
  if (it == defs_.end()) raise<ScriptError>("function ", f.qualified_name, " has no body");
  if (f.compiling)
    script_error(it->second->range, "function '", f.name,
                 "' is called recursively. Recursive calls are not supported");
  if (f.schema.name.empty()) f.schema = schema_of(*it->second, f.self, false);
  f.compiling = true;
  size_t known = unknown_operators.size();
  try {
    Emitter(*this, f).run(*it->second);
  } catch (const ScriptError& e) {
    f.compiling = false;
    if (unknown_operators.size() == known) throw;
    auto& [name, range] = unknown_operators[known];
    throw MissingOp(
        describe_error(range, unknown_call_text(name) + ", so what it returns isn't known") + "\n" +
        e.what());
  } catch (...) {
    f.compiling = false;
    throw;
  }
  f.compiling = false;
  f.schema_ready = true;
  defs_.erase(&f);  // the text says it again
  if (f.self && f.self->is_module) drop_conv_parameters(f.graph->block());
}

// ---- builtin functions ----

namespace {

struct Builtins {
  std::vector<std::shared_ptr<CompilationUnit>> units;
  std::unordered_map<std::string, std::vector<Function*>> by_name;

  void add(const OpTable& ops, const std::string& text, const std::string& ns) {
    auto cu = std::make_shared<CompilationUnit>(ops, nullptr, ~uint64_t{0});
    cu->define_text(text, "<builtin>");
    for (auto& f : cu->functions()) {
      cu->ensure_schema(*f);
      by_name[ns + "::" + f->name].push_back(f.get());
    }
    units.push_back(cu);
  }

  explicit Builtins(const OpTable& ops) {
    auto def = [](const std::string& name, const std::string& params, const std::string& ret,
                  const std::string& body) {
      return "def " + name + "(" + params + ") -> " + ret + ":\n  return " + body + "\n";
    };
    for (std::string scalar : {"float", "int", "complex"}) {
      std::string p = "a : " + scalar + ", b : Tensor", t;
      t += def("mul", p, "Tensor", "b * a") + def("add", p, "Tensor", "b + a") +
           def("ne", p, "Tensor", "b != a") + def("eq", p, "Tensor", "b == a");
      t += def("sub", p, "Tensor", "torch.neg(b) + a") +
           def("div", p, "Tensor", "torch.reciprocal(b) * a");
      add(ops, t, "aten");
    }
    for (std::string scalar : {"float", "int"}) {
      std::string p = "a : " + scalar + ", b : Tensor";
      add(ops,
          def("lt", p, "Tensor", "b > a") + def("le", p, "Tensor", "b >= a") +
              def("gt", p, "Tensor", "b < a") + def("ge", p, "Tensor", "b <= a"),
          "aten");
    }
    int n = 1;
    for (std::string name : {"_single", "_pair", "_triple", "_quadruple"}) {
      for (std::string scalar : {"float", "int"})
        add(ops,
            def(name, "x : BroadcastingList" + std::to_string(n) + "[" + scalar + "]",
                "List[" + scalar + "]", "x"),
            "aten");
      ++n;
    }
    for (std::string rhs : {"number", "Tensor"})
      add(ops,
          def("floordiv", "self : Tensor, other : " + rhs, "Tensor",
              "torch.floor_divide(self, other)"),
          "aten");
    add(ops,
        "def _assert_int_or_pair(vals: List[int], name: str, message: str):\n  pass\n"
        "def list_with_default(out_size: List[int], defaults: List[int]):\n  assert len(defaults) "
        "> len(out_size)\n  return out_size\n"
        "def _assert(condition : bool, message : str):\n  assert condition, message\n"
        "def device(type: str):\n  return torch.device(type)\n"
        "def type(self: Tensor, dtype: int, non_blocking: bool=False, copy: bool=False) -> "
        "Tensor:\n  return self.to(dtype, non_blocking, copy)\n",
        "aten");
    add(ops,
        "def _assert(condition : Tensor, message : str):\n  assert bool(condition), message\n"
        "def __contains__(self: str, key: str):\n  return self.find(key, 0, len(self)) != -1\n",
        "aten");
    add(ops,
        def("ndim", "a : Tensor", "int", "a.dim()") +
            def("T", "a : Tensor", "Tensor", "a.numpy_T()") +
            def("H", "a : Tensor", "Tensor", "a.matrix_H()") +
            def("mT", "a : Tensor", "Tensor", "a.mT") + def("mH", "a : Tensor", "Tensor", "a.mH") +
            def("shape", "a : Tensor", "List[int]", "a.size()"),
        "prim");
  }
};

}  // namespace

const std::vector<Function*>& builtin_functions(const OpTable& ops, std::string_view name) {
  static const std::vector<Function*> none;
  // Names first: only they need the compiled functions.
  static constexpr std::string_view kNames[] = {"aten::mul",
                                                "aten::add",
                                                "aten::ne",
                                                "aten::eq",
                                                "aten::sub",
                                                "aten::div",
                                                "aten::lt",
                                                "aten::le",
                                                "aten::gt",
                                                "aten::ge",
                                                "aten::_single",
                                                "aten::_pair",
                                                "aten::_triple",
                                                "aten::_quadruple",
                                                "aten::floordiv",
                                                "aten::_assert_int_or_pair",
                                                "aten::list_with_default",
                                                "aten::_assert",
                                                "aten::device",
                                                "aten::type",
                                                "aten::__contains__",
                                                "prim::ndim",
                                                "prim::T",
                                                "prim::H",
                                                "prim::mT",
                                                "prim::mH",
                                                "prim::shape"};
  if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) return none;
  // While they are being made, they don't see each other.
  static std::recursive_mutex mutex;
  static const Lasting holder(new std::unique_ptr<Builtins>);
  std::unique_ptr<Builtins>& made = *holder;
  static bool making = false;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  if (making) return none;
  if (!made) {
    struct Making {
      Making() { making = true; }
      ~Making() { making = false; }
    } in_the_making;
    made = std::make_unique<Builtins>(ops);
  }
  auto it = made->by_name.find(std::string(name));
  return it == made->by_name.end() ? none : it->second;
}

// ---- types in annotations ----

TypePtr CompilationUnit::plain_type(const std::string& n) {
  struct Row {
    const char* name;
    TypeKind kind;
  };
  static constexpr Row kRows[] = {{"Tensor", TypeKind::Tensor},
                                  {"int", TypeKind::Int},
                                  {"float", TypeKind::Float},
                                  {"bool", TypeKind::Bool},
                                  {"complex", TypeKind::Complex},
                                  {"str", TypeKind::String},
                                  {"number", TypeKind::Number},
                                  {"Device", TypeKind::Device},
                                  {"Stream", TypeKind::Stream},
                                  {"Generator", TypeKind::Generator},
                                  {"Any", TypeKind::Any},
                                  {"Capsule", TypeKind::Capsule},
                                  {"NoneType", TypeKind::None},
                                  {"None", TypeKind::None},
                                  {"list", TypeKind::AnyList},
                                  {"tuple", TypeKind::AnyTuple},
                                  {"AnyClassType", TypeKind::AnyClass},
                                  {"AnyEnumType", TypeKind::AnyEnum}};
  for (auto& r : kRows)
    if (n == r.name) return types::get(r.kind);
  static constexpr const char* kTensors[] = {"LongTensor", "DoubleTensor", "FloatTensor",
                                             "IntTensor",  "ShortTensor",  "HalfTensor",
                                             "CharTensor", "ByteTensor",   "BoolTensor"};
  for (const char* t : kTensors)
    if (n == t) return types::tensor();
  return nullptr;
}

TypePtr CompilationUnit::parse_type(const TreeRef& e) {
  check_stack();
  std::function<std::string(const Tree&)> dotted = [&](const Tree& t) -> std::string {
    if (t.kind == Kind::Var) return t.text;
    if (t.kind == Kind::Select) return dotted(*t[0]) + "." + t.text;
    script_error(t.range, "a type is expected");
  };
  switch (e->kind) {
    case Kind::None: return types::none();
    case Kind::Var:
      if (TypePtr t = plain_type(e->text)) return t;
      if (TypePtr t = find_type(e->text)) return t;
      script_error(e->range, "Unknown type name '", e->text, "'");
    case Kind::Select: {
      std::string n = dotted(*e);
      if (n == "torch.Tensor") return types::tensor();
      if (n == "torch.device") return types::device();
      if (n == "torch.Generator") return types::get(TypeKind::Generator);
      if (TypePtr t = find_type(n)) return t;
      script_error(e->range, "Unknown type name '", n, "'");
    }
    case Kind::Binary:
      if (e->text == "|") return types_.union_of({parse_type((*e)[0]), parse_type((*e)[1])});
      break;
    case Kind::Subscript: {
      std::string n = dotted(*(*e)[0]);
      auto& in = (*e)[1]->kids;
      auto need = [&](size_t k) {
        if (in.size() != k)
          script_error(e->range, n, " expects ", k, " type", k == 1 ? "" : "s", " but found ",
                       in.size());
      };
      if (n.rfind("typing.", 0) == 0) n = n.substr(7);
      if (n == "List" || n == "list") {
        need(1);
        return types_.list(parse_type(in[0]));
      }
      if (n == "Optional") {
        need(1);
        return types_.optional(parse_type(in[0]));
      }
      if (n == "Dict" || n == "dict") {
        need(2);
        TypePtr k = parse_type(in[0]), v = parse_type(in[1]);
        switch (k->kind) {
          case TypeKind::Int:
          case TypeKind::Float:
          case TypeKind::Bool:
          case TypeKind::Complex:
          case TypeKind::String:
          case TypeKind::Tensor:
          case TypeKind::Device:
          case TypeKind::Any: return types_.dict(k, v);
          default:
            script_error(
                e->range, "Cannot create dict for key type '", k->annotation_str(),
                "', only int, float, complex, Tensor, device and string keys are supported");
        }
      }
      if (n == "Tuple" || n == "tuple") {
        std::vector<TypePtr> t;
        if (in.size() == 1 && in[0]->kind == Kind::Tuple && in[0]->size() == 0)
          return types_.tuple({});
        for (auto& x : in) t.push_back(parse_type(x));
        return types_.tuple(t);
      }
      if (n == "Union") {
        std::vector<TypePtr> t;
        for (auto& x : in) t.push_back(parse_type(x));
        // number stands for all of its kinds: Union[number] is what some archives spell.
        if (t.empty()) script_error(e->range, "Union needs types");
        if (t.size() == 1) return t[0];
        return types_.union_of(t);
      }
      if (n == "Future" || n == "torch.jit.Future") {
        need(1);
        return types_.future(parse_type(in[0]));
      }
      if (n == "Await") {
        need(1);
        return types_.await(parse_type(in[0]));
      }
      if (n == "RRef") {
        need(1);
        return types_.rref(parse_type(in[0]));
      }
      if (n == "Final") {
        need(1);
        return parse_type(in[0]);
      }
      script_error(e->range, "Unknown type constructor ", n);
    }
    default: break;
  }
  script_error(e->range, "a type is expected");
}

TypePtr CompilationUnit::parse_type_text(const std::string& text) {
  auto source = std::make_shared<Source>();
  source->text = text;
  source->name = "<type>";
  return parse_type(Parser(source).parse_expression_only());
}

}  // namespace sconce::script
