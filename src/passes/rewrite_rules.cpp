// SPDX-License-Identifier: Apache-2.0
// Rules of the subgraph rewriter as text (docs/rewrite-rules.md): files of them, their conditions,
// and what holds of a rule wherever it is applied.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "ir/alias.h"
#include "ir/cleanup.h"
#include "ir/source.h"
#include "passes/rewrite.h"

namespace sconce {

std::string pattern_name(const Value* v) {
  return "%" + (v->name.empty() ? std::to_string(v->id) : v->name);
}

Value* PatternMatch::value(std::string_view name) const {
  for (auto& [p, v] : values)
    if (pattern_name(p).substr(1) == name) return v;
  raise<Error>("the pattern has no value %", name);
}

// ---- conditions ----

namespace {

bool eat_word(std::string& text, const std::string& word) {
  std::string_view rest(text);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (rest.substr(0, word.size()) != word) return false;
  const bool name = std::isalpha(static_cast<unsigned char>(word.back()));
  if (name && rest.size() > word.size() &&
      std::isalnum(static_cast<unsigned char>(rest[word.size()])))
    return false;
  text = std::string(rest.substr(word.size()));
  return true;
}

std::string trimmed(const std::string& s) {
  const size_t b = s.find_first_not_of(" \t\r\n"), e = s.find_last_not_of(" \t\r\n");
  return b == std::string::npos ? "" : s.substr(b, e - b + 1);
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

// The whole text is a number.
bool number_of(const std::string& s, double* v) {
  char* end = nullptr;
  *v = std::strtod(s.c_str(), &end);
  return !s.empty() && *end == 0;
}

// Without blanks outside of quotes: "[1, 2]" is "[1,2]".
std::string without_blanks(const std::string& s) {
  std::string r;
  bool quoted = false;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '"' && (i == 0 || s[i - 1] != '\\')) quoted = !quoted;
    if (quoted || s[i] != ' ') r += s[i];
  }
  return r;
}

const Value* find_value(const Graph& g, const std::string& name) {
  auto among = [&](const std::vector<Value*>& values) -> const Value* {
    for (const Value* v : values)
      if (pattern_name(v) == name) return v;
    return nullptr;
  };
  if (const Value* v = among(g.inputs())) return v;
  for (const Node* n : g.block()->nodes())
    if (const Value* v = among(n->outputs)) return v;
  return nullptr;
}

}  // namespace

RewriteCondition::RewriteCondition(const std::string& text, const Graph& pattern)
    : text_(trimmed(text)) {
  auto fail = [&]() { raise<Error>("'", text_, "' is no condition (docs/rewrite-rules.md)"); };
  if (text_.empty() || text_[0] != '%') fail();
  size_t e = 1;
  while (e < text_.size() && is_name(text_[e])) ++e;
  std::string rest = text_.substr(e);
  subject_ = find_value(pattern, text_.substr(0, e));
  if (!subject_) raise<Error>("'", text_, "': the pattern has no value ", text_.substr(0, e));
  if (eat_word(rest, "is")) {
    negated_ = eat_word(rest, "not");
    if (eat_word(rest, "constant"))
      kind_ = Kind::Constant;
    else if (eat_word(rest, "None"))
      kind_ = Kind::None;
    else
      fail();
  } else if (eat_word(rest, "has")) {
    kind_ = Kind::Uses;
    rest = trimmed(rest);
    const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits == 0 || digits > 9) fail();
    uses_ = std::stoul(rest.substr(0, digits));
    rest.erase(0, digits);
    if (!eat_word(rest, "uses") && !eat_word(rest, "use")) fail();
  } else if (eat_word(rest, ":")) {
    kind_ = Kind::Type;
    // The parser knows how types are spelled.
    typed_ = parse_graph("graph(%x : " + trimmed(rest) + "): return (%x)", nullptr, text_);
    rest.clear();
  } else {
    kind_ = Kind::Compare;
    for (const char* op : {"==", "!=", "<=", ">=", "<", ">"})
      if (operand_.empty() && eat_word(rest, op)) operand_ = op;
    literal_ = without_blanks(trimmed(rest));
    if (operand_.empty() || literal_.empty()) fail();
    rest.clear();
  }
  if (!trimmed(rest).empty()) fail();
}

bool RewriteCondition::compare(const IValue& v, TypePtr type) const {
  double a = 0, b = 0;
  // Graph text spells them 1 and 0.
  const std::string text =
      v.isBool() ? (v.toBool() ? "True" : "False") : without_blanks(print_constant(v, type));
  const bool numbers =
      (v.isInt() || v.isDouble()) && number_of(text, &a) && number_of(literal_, &b);
  const bool equal = numbers ? a == b : text == literal_;
  if (operand_ == "==") return equal;
  if (operand_ == "!=") return !equal;
  if (!numbers) return false;
  if (operand_ == "<") return a < b;
  if (operand_ == "<=") return a <= b;
  return operand_ == ">" ? a > b : a >= b;
}

bool RewriteCondition::holds(const Value* v) const {
  switch (kind_) {
    case Kind::Constant: return v->node->kind == prim::Constant;
    case Kind::None: return v->node->must_be_none();
    case Kind::Uses: return v->uses.size() == uses_;
    case Kind::Compare: {
      auto known = constant_value(v);
      return known && compare(*known, v->type);
    }
    case Kind::Type: {
      TypePtr wanted = typed_->inputs()[0]->type;
      return v->type->is_subtype_of(wanted) || v->type->str() == wanted->str();
    }
  }
  return false;
}

std::string RewriteCondition::broken_by(const Value* v) const {
  return holds(v) != negated_ ? "" : "not so: " + text_;
}

// ---- rules ----

namespace {

// The values of a text that are followed by a type: "%x : Tensor". Comments and strings are passed
// over.
std::unordered_set<std::string> typed_names(const std::string& text) {
  std::unordered_set<std::string> r;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\')
        ++i;
      else
        quoted = text[i] != '"';
      continue;
    }
    if (text[i] == '"') quoted = true;
    if (text[i] == '#') i = std::min(text.find('\n', i), text.size() - 1);
    if (text[i] != '%') continue;
    size_t e = i + 1;
    while (e < text.size() && is_name(text[e])) ++e;
    const size_t colon = text.find_first_not_of(" \t\n", e);
    if (colon != std::string::npos && text[colon] == ':' && text.compare(colon, 2, "::") != 0)
      r.insert(text.substr(i, e - i));
    i = e - 1;
  }
  return r;
}

template <class F>
void each_value(const Graph& g, F f) {
  for (Value* v : g.inputs()) f(v);
  for (Node* n : g.block()->nodes())
    for (Value* v : n->outputs) f(v);
}

// Of each output: whether it may be the memory of an input.
std::vector<bool> aliased_outputs(const Graph& g, const AliasDb& alias) {
  std::vector<bool> r;
  for (const Value* out : g.outputs())
    r.push_back(std::any_of(g.inputs().begin(), g.inputs().end(), [&](const Value* in) {
      return in == out || alias.may_contain_alias(in, out);
    }));
  return r;
}

bool writes_inputs(const Graph& g, const AliasDb& alias) {
  for (const Node* n : g.block()->nodes())
    if (!is_unknown_operator(n) && alias.writes_to_wildcard(n)) return true;
  return false;
}

}  // namespace

CompiledRule::CompiledRule(const RewriteRule& r, const OpTable* ops) : rule(r), ops_(ops) {
  auto fail = [&](const auto&... what) { raise<Error>("rule ", r.name, ": ", what...); };
  const std::string name = r.name.empty() ? "<rule>" : r.name;
  pattern = parse_graph(r.pattern, ops, name);
  replacement = parse_graph(r.replacement, ops, name);
  verify_graph(*pattern);
  verify_graph(*replacement);
  if (pattern->inputs().size() != replacement->inputs().size())
    fail("the pattern has ", pattern->inputs().size(), " inputs, the replacement ",
         replacement->inputs().size());
  if (pattern->outputs().size() != replacement->outputs().size())
    fail("the pattern has ", pattern->outputs().size(), " results, the replacement ",
         replacement->outputs().size());
  if (pattern->outputs().empty()) fail("the pattern returns nothing");
  for (const Value* v : pattern->outputs())
    if (v->node == pattern->block()->param || v->node->kind == prim::Constant)
      fail("the pattern returns ", pattern_name(v), ", which no node of it makes");
  // Everything must be found on the way back from the first result.
  std::unordered_set<const Node*> reached{anchor()};
  std::vector<const Node*> work{anchor()};
  while (!work.empty()) {
    const Node* n = work.back();
    work.pop_back();
    for (const Value* v : n->inputs)
      if (reached.insert(v->node).second) work.push_back(v->node);
  }
  for (const Node* n : pattern->block()->nodes()) {
    if (!n->blocks.empty()) fail("a pattern's nodes have no blocks, as ", n->kind.str(), " has");
    if (!reached.count(n))
      fail(n->kind.str(), " of the pattern isn't reached from its first result");
    if (n->kind != prim::Constant) nodes.push_back(n);
  }
  for (const Value* v : pattern->inputs())
    if (!v->has_uses()) fail("nothing of the pattern uses ", pattern_name(v));
  for (const auto& [text, graph] :
       {std::pair(&r.pattern, pattern.get()), std::pair(&r.replacement, replacement.get())}) {
    const auto names = typed_names(*text);
    each_value(*graph, [&](const Value* v) {
      if (names.count(pattern_name(v))) typed.insert(v);
    });
  }
  for (auto& c : r.conditions) conditions.emplace_back(c, *pattern);

  // Copies mustn't take the names of the graph's values.
  each_value(*replacement, [](Value* v) { v->set_name(""); });
}

namespace {
// A copy whose inputs have these types; operators and the types of their results follow.
std::shared_ptr<Graph> with_types(const Graph& g, const std::vector<TypePtr>& types,
                                  const OpTable* ops) {
  auto copy = g.copy();
  for (size_t i = 0; i < types.size(); ++i) copy->inputs()[i]->type = types[i];
  for (Node* n : copy->block()->nodes()) {
    if (n->kind.is_prim() || !ops) continue;
    if (const Operator* op = resolve_operator(n, *ops)) n->op = op;
    if (!n->op) continue;
    const FunctionSchema& s = n->op->schema();
    TypeEnv env;
    for (size_t i = 0; i < s.arguments.size() && i < n->inputs.size(); ++i)
      match_type_variables(s.arguments[i].type, n->inputs[i]->type, env, *copy->types, nullptr);
    for (size_t i = 0; i < n->outputs.size() && i < s.returns.size(); ++i)
      if (TypePtr t = eval_type_variables(s.returns[i].type, env, *copy->types))
        n->outputs[i]->type = t;
  }
  return copy;
}
}  // namespace

const RuleEffects& CompiledRule::effects(const PatternMatch& m) const {
  std::vector<TypePtr> types;
  for (const Value* v : pattern->inputs()) types.push_back(m.values.at(v)->type);
  auto [it, fresh] = effects_.try_emplace(types);
  RuleEffects& r = it->second;
  if (!fresh) return r;
  const auto from = with_types(*pattern, types, ops_), to = with_types(*replacement, types, ops_);
  const AliasDb before(*from), after(*to);
  r.aliased_before = aliased_outputs(*from, before);
  r.aliased_after = aliased_outputs(*to, after);
  r.writes_before = writes_inputs(*from, before);
  r.writes_after = writes_inputs(*to, after);
  for (const Node* n : from->block()->nodes()) r.unknown |= is_unknown_operator(n);
  for (const Node* n : to->block()->nodes()) {
    r.unknown |= is_unknown_operator(n);
    r.effects_after |= n->has_effects() || is_nondeterministic(n);
  }
  return r;
}

std::vector<RewriteRule> parse_rewrite_rules(const std::string& text, const std::string& name) {
  enum class Part { None, Pattern, Replacement, Conditions };
  std::vector<RewriteRule> rules;
  Part part = Part::None;
  size_t number = 0, leading = 0;
  auto fail = [&](const std::string& what) {
    throw ScriptError(name + ":" + std::to_string(number) + ": " + what);
  };
  auto finish = [&] {
    if (part == Part::Pattern) fail("rule " + rules.back().name + " has no '=>'");
  };
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::string rest = trimmed(line);
    const bool comment = rest.empty() || rest[0] == '#';
    // Empty lines in front, so that messages tell the file's.
    auto start = [&](std::string& s) {
      constexpr size_t kMost = size_t{64} << 20;
      if ((leading += number) > kMost) fail("a file with so many rules is too long");
      s.assign(number, '\n');
    };
    if (eat_word(rest, "rule")) {
      finish();
      RewriteRule r;
      std::istringstream words(rest);
      std::string option;
      words >> r.name;
      while (words >> option)
        if (option == "commutative")
          r.commutative = true;
        else
          fail("'" + option + "' is no option of a rule");
      if (r.name.empty()) fail("a rule has a name");
      rules.push_back(std::move(r));
      start(rules.back().pattern);
      part = Part::Pattern;
    } else if (rest == "=>") {
      if (part != Part::Pattern) fail("'=>' stands between a rule's pattern and its replacement");
      start(rules.back().replacement);
      part = Part::Replacement;
    } else if (eat_word(rest, "where")) {
      if (part != Part::Replacement && part != Part::Conditions)
        fail("'where' follows a rule's replacement");
      part = Part::Conditions;
      rules.back().conditions.push_back(trimmed(rest));
    } else if (part == Part::Pattern) {
      rules.back().pattern += line + "\n";
    } else if (part == Part::Replacement) {
      rules.back().replacement += line + "\n";
    } else if (!comment) {
      fail(part == Part::None ? "a rule begins with 'rule NAME'"
                              : "a condition begins with 'where'");
    }
  }
  finish();
  return rules;
}

bool rewrite_by_file(Graph& g, PassContext& c) {
  const std::string path = c.arguments.text("rules", "");
  if (path.empty()) raise<Error>("rewrite: a file with rules is wanted: rewrite(FILE)");
  std::ifstream f(path, std::ios::binary);
  if (!f) raise<FormatError>(path, ": can't be opened");
  const std::string text{std::istreambuf_iterator<char>(f), {}};
  auto rules = parse_rewrite_rules(text, path);
  try {
    for (auto& r : rules) CompiledRule(r, c.ops);
  } catch (const ScriptError& e) {
    raise<ScriptError>(path, ": rule ", e.what());
  }
  return rewrite_subgraphs(g, c, rules);
}

}  // namespace sconce
