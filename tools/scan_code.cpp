// SPDX-License-Identifier: Apache-2.0
// Sources: parsed, not compiled. Classes with their methods, the operators that calls name
// (torch.NAME, ops.SPACE.NAME, and methods of values when an operator is called so), and constants
// that an operator makes, which load() would run.
#include <algorithm>

#include "api/runtime.h"
#include "loader/script/compilation_unit.h"
#include "scan.h"

namespace sconce::tool {

namespace {

using script::Kind;
using script::Tree;
using script::TreeRef;

// "torch.ops.a.b" of a chain of names; "" when the root is something else.
std::string dotted(const Tree& t) {
  std::vector<const std::string*> names;
  const Tree* at = &t;
  for (; at->kind == Kind::Select; at = (*at)[0].get()) names.push_back(&at->text);
  if (at->kind != Kind::Var) return "";
  std::string s = at->text;
  for (size_t i = names.size(); i-- > 0;) s += "." + *names[i];
  return s;
}

bool starts(const std::string& s, const char* with) { return s.rfind(with, 0) == 0; }

// The operator that a callee names: "torch.add" is "aten::add". "" for what is none.
std::string operator_of(const Tree& callee) {
  std::string name = dotted(callee);
  if (starts(name, "torch.autograd.")) name = "torch." + name.substr(15);
  if (starts(name, "torch.ops.")) name = name.substr(6);
  if (starts(name, "ops.")) {
    const size_t dot = name.find('.', 4);
    if (dot == std::string::npos) return "";
    return name.substr(4, dot - 4) + "::" + name.substr(dot + 1);
  }
  if (starts(name, "torch.")) return "aten::" + name.substr(6);
  return "";
}

bool is_known(const std::string& op) {
  return !op_table().find(op).empty() || !script::builtin_functions(op_table(), op).empty();
}

// May its result be anything but a number?
bool makes_more_than_numbers(const std::string& op) {
  for (const Operator& o : op_table().find(op))
    for (auto& r : o.schema().returns) switch (r.type->kind) {
        case TypeKind::Int:
        case TypeKind::Float:
        case TypeKind::Bool:
        case TypeKind::Complex:
        case TypeKind::Number:
        case TypeKind::Device: break;
        default: return true;
      }
  return false;
}

class Code {
 public:
  Code(const std::string& place, const std::string& qualifier, ScanReport& report)
      : place_(place), qualifier_(qualifier), report_(report) {}

  void definition(const TreeRef& d) {
    if (d->kind == Kind::ClassDef) return class_definition(*d);
    if (d->kind != Kind::Def) return;
    report_.functions.push_back(qualifier_ + "." + d->text);
    walk(d);
  }

  void method(const TreeRef& d, ScannedClass& c) {
    c.methods.push_back(d->text);
    walk(d);
  }

 private:
  std::string where(const Tree& t) const {
    auto [line, column] = t.range.source ? t.range.source->line_col(t.range.start)
                                         : std::pair<uint32_t, uint32_t>{0, 0};
    return place_ + ":" + std::to_string(line) + ":" + std::to_string(column + 1);
  }

  void class_definition(const Tree& d) {
    ScannedClass c;
    c.name = qualifier_ + "." + d.text;
    c.kind = d[0]->present() ? d[0]->text : "class";
    c.place = where(d);
    for (auto& s : d[1]->kids) {
      if (s->kind == Kind::Def) {
        method(s, c);
        continue;
      }
      if (s->kind == Kind::Assign && (*s)[0]->size() == 1) {
        const TreeRef& left = (*(*s)[0])[0];
        if (left->kind == Kind::Var && starts(left->text, "__forward_") && (*s)[1]->present())
          for (auto& name : (*s)[1]->kids) c.hooks.push_back(name->text);
        else if ((*s)[1]->present())
          constant((*s)[1], c.name + (left->kind == Kind::Var ? "." + left->text : ""));
      }
      walk(s);
    }
    report_.classes.push_back(std::move(c));
  }

  // An expression that load() evaluates.
  void constant(const TreeRef& e, const std::string& of) {
    std::vector<const Tree*> stack{e.get()};
    while (!stack.empty()) {
      const Tree& t = *stack.back();
      stack.pop_back();
      for (auto& k : t.kids) stack.push_back(k.get());
      if (t.kind != Kind::Apply) continue;
      const std::string op = operator_of(*t[0]);
      if (op.empty() || !makes_more_than_numbers(op)) continue;
      report_.at_load.push_back(of + " = " + op + "(...) (" + where(t) + ")");
      report_.find(
          "code-at-load", where(t),
          "the operator " + op + " would run when the file is loaded, for the constant " + of);
    }
  }

  void walk(const TreeRef& from) {
    std::vector<const Tree*> stack{from.get()};
    while (!stack.empty()) {
      const Tree& t = *stack.back();
      stack.pop_back();
      for (size_t i = t.kids.size(); i-- > 0;) stack.push_back(t.kids[i].get());
      if (t.kind == Kind::Param && t[1]->present()) constant(t[1], "the default of " + t.text);
      if (t.kind != Kind::Apply) continue;
      std::string op = operator_of(*t[0]);
      if (op.empty()) {
        // A method of a value.
        if (t[0]->kind != Kind::Select || starts(dotted(*t[0]), "__torch__.")) continue;
        op = "aten::" + t[0]->text;
        if (op_table().find(op).empty()) continue;
      }
      ++report_.operators[op];
      if (!is_known(op) && report_.unknown.insert(op).second)
        report_.note("unknown-operator", where(t), "the operator " + op + " is not known");
    }
  }

  const std::string& place_;
  const std::string& qualifier_;
  ScanReport& report_;
};

}  // namespace

void scan_code(const std::string& text, const std::string& place, const std::string& qualifier,
               bool methods, ScanReport& report) {
  auto source = std::make_shared<Source>();
  source->text = text;
  source->name = place;
  try {
    script::Parser parser(source);
    Code code(place, qualifier, report);
    if (!methods) {
      for (auto& d : parser.parse_file()) code.definition(d);
      return;
    }
    ScannedClass c;
    c.name = qualifier;
    c.kind = "Module";
    c.place = place;
    for (auto& d : parser.parse_defs()) code.method(d, c);
    report.classes.push_back(std::move(c));
  } catch (const Error& e) {
    // "PLACE:LINE:COLUMN: error: MESSAGE", then the line.
    std::string what = e.what(), at = place;
    what = what.substr(0, what.find('\n'));
    if (const size_t mark = what.find(": error: "); mark != std::string::npos) {
      at = what.substr(0, mark);
      what = what.substr(mark + 9);
    }
    report.find("code-syntax", at, what);
  }
}

}  // namespace sconce::tool
