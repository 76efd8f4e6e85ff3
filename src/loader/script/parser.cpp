// SPDX-License-Identifier: Apache-2.0
// Recursive-descent parser with PyTorch's binding strengths (serialized-language.md section 5).
#include <algorithm>
#include <cstring>

#include "loader/script/ast.h"
#include "support/stack.h"

namespace sconce::script {

struct DepthGuard {
  explicit DepthGuard(Parser& p) : p_(p) {
    check_stack();
    if (++p_.depth_ > 400) script_error(p_.cur().range, "the source is nested too deeply");
  }
  ~DepthGuard() { --p_.depth_; }
  Parser& p_;
};

Parser::Parser(std::shared_ptr<const Source> source)
    : source_(std::move(source)), tokens_(lex(source_)) {}

const Token& Parser::next() {
  const Token& t = cur();
  if (at_ + 1 < tokens_.size()) ++at_;
  return t;
}
bool Parser::eat_op(const char* t) {
  if (!is_op(t)) return false;
  next();
  return true;
}
bool Parser::eat(Tok k) {
  if (cur().kind != k) return false;
  next();
  return true;
}
void Parser::unexpected(const char* wanted) {
  const Token& t = cur();
  const char* found = t.kind == Tok::Eof       ? "the end of the file"
                      : t.kind == Tok::Newline ? "the end of the line"
                      : t.kind == Tok::Indent  ? "an indent"
                      : t.kind == Tok::Dedent  ? "a dedent"
                                               : t.text.c_str();
  script_error(t.range, "expected ", wanted, " but found ", found);
}
void Parser::expect_op(const char* t) {
  if (!eat_op(t)) unexpected((std::string("'") + t + "'").c_str());
}
Token Parser::expect(Tok k, const char* what) {
  if (cur().kind != k) unexpected(what);
  return next();
}
TreeRef Parser::make(Kind k, const SourceRange& from, std::vector<TreeRef> kids,
                     std::string text) const {
  auto t = std::make_shared<Tree>();
  t->kind = k;
  t->range = from;
  uint32_t end = at_ > 0 ? tokens_[at_ - 1].range.end : from.end;
  if (end > from.start) t->range.end = end;
  t->kids = std::move(kids);
  t->text = std::move(text);
  // Whoever walks the tree recurses: a long chain of operators is as deep as nested brackets.
  for (auto& k : t->kids)
    if (k) t->height = std::max(t->height, k->height + 1);
  if (t->height > 1000) script_error(from, "the expression is nested too deeply");
  return t;
}

// ---- expressions ----

namespace {
int level_of(const Token& t) {
  switch (t.kind) {
    case Tok::And:
    case Tok::Or: return 2;
    case Tok::In:
    case Tok::NotIn:
    case Tok::Is:
    case Tok::IsNot: return 4;
    case Tok::Op: break;
    default: return -1;
  }
  static constexpr struct {
    const char* op;
    int level;
  } kLevels[] = {{"<", 4},  {">", 4},   {"<=", 4}, {">=", 4}, {"==", 4}, {"!=", 4}, {"|", 5},
                 {"^", 6},  {"&", 7},   {"<<", 8}, {">>", 8}, {"+", 9},  {"-", 9},  {"*", 10},
                 {"/", 10}, {"//", 10}, {"%", 10}, {"@", 10}, {"**", 11}};
  for (auto& l : kLevels)
    if (t.text[0] == l.op[0] && t.text == l.op) return l.level;
  return -1;
}
}  // namespace

TreeRef Parser::expression() {
  check_stack();
  DepthGuard guard(*this);
  SourceRange from = cur().range;
  TreeRef e = binary(2);
  if (cur().kind == Tok::If) {
    next();
    TreeRef cond = expression();
    expect(Tok::Else, "'else'");
    TreeRef other = expression();
    return make(Kind::IfExpr, from, {cond, e, other});
  }
  return e;
}

TreeRef Parser::binary(int min_level) {
  check_stack();
  DepthGuard guard(*this);
  SourceRange from = cur().range;
  TreeRef lhs = unary();
  for (;;) {
    int level = level_of(cur());
    if (level < min_level) return lhs;
    const Token& op = next();
    TreeRef rhs = binary(level == 11 ? 11 : level + 1);
    switch (op.kind) {
      case Tok::And: lhs = make(Kind::And, from, {lhs, rhs}); break;
      case Tok::Or: lhs = make(Kind::Or, from, {lhs, rhs}); break;
      case Tok::Is: lhs = make(Kind::Is, from, {lhs, rhs}); break;
      case Tok::IsNot: lhs = make(Kind::IsNot, from, {lhs, rhs}); break;
      case Tok::In: lhs = make(Kind::Binary, from, {lhs, rhs}, "in"); break;
      case Tok::NotIn:
        lhs = make(Kind::Not, from, {make(Kind::Binary, from, {lhs, rhs}, "in")});
        break;
      default: lhs = make(Kind::Binary, from, {lhs, rhs}, op.text);
    }
  }
}

TreeRef Parser::unary() {
  DepthGuard guard(*this);
  SourceRange from = cur().range;
  if (eat(Tok::Not)) return make(Kind::Not, from, {binary(4)});
  if (eat_op("~")) return make(Kind::Invert, from, {binary(4)});
  if (is_op("-")) {
    next();
    if (cur().kind == Tok::Number) {
      // A minus before a literal belongs to it, unless a power follows.
      bool power = ahead().kind == Tok::Op && ahead().text == "**";
      if (!power) {
        const Token& n = next();
        return postfix(make(Kind::Const, from, {}, "-" + n.text));
      }
    }
    return make(Kind::Neg, from, {binary(11)});
  }
  if (eat_op("*")) return make(Kind::Starred, from, {binary(11)});
  return postfix(atom());
}

TreeRef Parser::postfix(TreeRef e) {
  for (;;) {
    SourceRange from = e->range;
    if (eat_op(".")) {
      const Token& name = cur();
      // Keywords may name attributes.
      if (name.kind != Tok::Ident && (name.kind == Tok::String || name.text.empty() ||
                                      !std::isalpha(static_cast<unsigned char>(name.text[0]))))
        unexpected("a name");
      next();
      e = make(Kind::Select, from, {e}, name.text);
    } else if (is_op("(")) {
      e = call(e);
    } else if (is_op("[")) {
      e = subscripts(e);
    } else {
      return e;
    }
  }
}

TreeRef Parser::call(TreeRef callee) {
  SourceRange from = callee->range;
  expect_op("(");
  std::vector<TreeRef> args, named;
  while (!is_op(")")) {
    if (cur().kind == Tok::Ident && ahead().kind == Tok::Op && ahead().text == "=") {
      const Token& name = next();
      next();
      named.push_back(make(Kind::Attribute, name.range, {expression()}, name.text));
    } else {
      args.push_back(expression());
    }
    if (!eat_op(",")) break;
  }
  expect_op(")");
  return make(
      Kind::Apply, from,
      {callee, make(Kind::List, from, std::move(args)), make(Kind::List, from, std::move(named))});
}

TreeRef Parser::subscripts(TreeRef base) {
  SourceRange from = base->range;
  SourceRange inner = cur().range;
  expect_op("[");
  std::vector<TreeRef> items;
  while (!is_op("]")) {
    SourceRange f = cur().range;
    auto part = [&]() -> TreeRef {
      return is_op(":") || is_op("]") || is_op(",") ? nothing() : expression();
    };
    TreeRef first = part();
    if (is_op(":")) {
      next();
      TreeRef end = part(), step = nothing();
      if (eat_op(":")) step = part();
      items.push_back(make(Kind::Slice, f, {first, end, step}));
    } else {
      if (!first->present()) unexpected("an expression");
      items.push_back(first);
    }
    if (!eat_op(",")) break;
  }
  expect_op("]");
  if (items.empty()) script_error(inner, "a subscript needs an index");
  return make(Kind::Subscript, from, {base, make(Kind::List, inner, std::move(items))});
}

TreeRef Parser::atom() {
  SourceRange from = cur().range;
  switch (cur().kind) {
    case Tok::Ident: {
      const Token& t = next();
      return make(Kind::Var, from, {}, t.text);
    }
    case Tok::NoneType: next(); return make(Kind::Var, from, {}, "NoneType");
    case Tok::Number: {
      const Token& t = next();
      return make(Kind::Const, from, {}, t.text);
    }
    case Tok::String: {
      std::string v;
      while (cur().kind == Tok::String) v += next().text;
      return make(Kind::StringLit, from, {}, std::move(v));
    }
    case Tok::None: next(); return make(Kind::None, from);
    case Tok::True: next(); return make(Kind::True, from);
    case Tok::False: next(); return make(Kind::False, from);
    case Tok::Dots: next(); return make(Kind::Dots, from);
    default: break;
  }
  if (eat_op("(")) {
    if (eat_op(")")) return make(Kind::Tuple, from);
    TreeRef e = expression();
    if (!is_op(",")) {
      expect_op(")");
      return e;
    }
    std::vector<TreeRef> items{e};
    while (eat_op(",") && !is_op(")")) items.push_back(expression());
    expect_op(")");
    return make(Kind::Tuple, from, std::move(items));
  }
  if (eat_op("[")) {
    std::vector<TreeRef> items;
    if (!is_op("]")) {
      items.push_back(expression());
      if (eat(Tok::For)) {
        TreeRef target = target_list(cur().range);
        if (target->size() == 1)
          target = (*target)[0];
        else
          target = make(Kind::Tuple, target->range, target->kids);
        expect(Tok::In, "'in'");
        TreeRef iter = expression();
        expect_op("]");
        return make(Kind::ListComp, from, {items[0], target, iter});
      }
      while (eat_op(",") && !is_op("]")) items.push_back(expression());
    }
    expect_op("]");
    return make(Kind::ListLit, from, std::move(items));
  }
  if (eat_op("{")) {
    std::vector<TreeRef> keys, values;
    while (!is_op("}")) {
      keys.push_back(expression());
      expect_op(":");
      values.push_back(expression());
      if (keys.size() == 1 && eat(Tok::For)) {
        TreeRef target = target_list(cur().range);
        if (target->size() == 1)
          target = (*target)[0];
        else
          target = make(Kind::Tuple, target->range, target->kids);
        expect(Tok::In, "'in'");
        TreeRef iter = expression();
        expect_op("}");
        return make(Kind::DictComp, from, {keys[0], values[0], target, iter});
      }
      if (!eat_op(",")) break;
    }
    expect_op("}");
    return make(
        Kind::DictLit, from,
        {make(Kind::List, from, std::move(keys)), make(Kind::List, from, std::move(values))});
  }
  unexpected("an expression");
}

TreeRef Parser::expression_or_tuple() {
  SourceRange from = cur().range;
  TreeRef e = expression();
  if (!is_op(",")) return e;
  std::vector<TreeRef> items{e};
  while (eat_op(",")) {
    if (cur().kind == Tok::Newline || is_op("=") || is_op(")") || is_op("]") || is_op("}") ||
        is_op(":"))
      break;
    items.push_back(expression());
  }
  return make(Kind::Tuple, from, std::move(items));
}

// Loop targets: everything up to "in" binds tighter than it.
TreeRef Parser::target_list(SourceRange from) {
  std::vector<TreeRef> items;
  do {
    if (cur().kind == Tok::In) break;
    items.push_back(binary(5));
  } while (eat_op(","));
  return make(Kind::List, from, std::move(items));
}

// ---- statements ----

TreeRef Parser::block() {
  DepthGuard guard(*this);
  SourceRange from = cur().range;
  expect_op(":");
  expect(Tok::Newline, "the end of the line");
  expect(Tok::Indent, "an indented block");
  std::vector<TreeRef> body;
  while (cur().kind != Tok::Dedent && cur().kind != Tok::Eof) body.push_back(statement());
  eat(Tok::Dedent);
  return make(Kind::List, from, std::move(body));
}

TreeRef Parser::if_statement() {
  check_stack();
  DepthGuard guard(*this);
  SourceRange from = cur().range;
  next();  // if or elif
  TreeRef cond = expression();
  TreeRef yes = block(), no;
  if (cur().kind == Tok::Elif) {
    SourceRange f = cur().range;
    no = make(Kind::List, f, {if_statement()});
  } else if (eat(Tok::Else)) {
    no = block();
  } else {
    no = make(Kind::List, from);
  }
  return make(Kind::If, from, {cond, yes, no});
}

TreeRef Parser::statement() {
  DepthGuard guard(*this);
  SourceRange from = cur().range;
  auto simple = [&](TreeRef t) {
    expect(Tok::Newline, "the end of the line");
    return t;
  };
  switch (cur().kind) {
    case Tok::If: return if_statement();
    case Tok::While: {
      next();
      TreeRef cond = expression();
      return make(Kind::While, from, {cond, block()});
    }
    case Tok::For: {
      next();
      TreeRef targets = target_list(cur().range);
      expect(Tok::In, "'in'");
      SourceRange f = cur().range;
      std::vector<TreeRef> iters{expression()};
      while (eat_op(",")) iters.push_back(expression());
      TreeRef it = make(Kind::List, f, std::move(iters));
      return make(Kind::For, from, {targets, it, block()});
    }
    case Tok::With: {
      next();
      std::vector<TreeRef> items;
      do {
        SourceRange f = cur().range;
        TreeRef e = expression(), var = nothing();
        if (eat(Tok::As)) {
          Token name = expect(Tok::Ident, "a name");
          var = make(Kind::Var, name.range, {}, name.text);
        }
        items.push_back(make(Kind::WithItem, f, {e, var}));
      } while (eat_op(","));
      TreeRef list = make(Kind::List, from, std::move(items));
      return make(Kind::With, from, {list, block()});
    }
    case Tok::Def: return def();
    case Tok::Return: {
      next();
      TreeRef e = cur().kind == Tok::Newline ? make(Kind::None, from) : expression_or_tuple();
      return simple(make(Kind::Return, from, {e}));
    }
    case Tok::Raise: {
      next();
      if (cur().kind == Tok::Newline) unexpected("an exception");
      TreeRef e = expression();
      return simple(make(Kind::Raise, from, {e}));
    }
    case Tok::Assert: {
      next();
      TreeRef test = expression(), msg = nothing();
      if (eat_op(",")) msg = expression();
      return simple(make(Kind::Assert, from, {test, msg}));
    }
    case Tok::Del: {
      next();
      std::vector<TreeRef> targets;
      do {
        targets.push_back(expression());
      } while (eat_op(","));
      return simple(make(Kind::Del, from, std::move(targets)));
    }
    case Tok::Pass: next(); return simple(make(Kind::Pass, from));
    case Tok::Break: next(); return simple(make(Kind::Break, from));
    case Tok::Continue: next(); return simple(make(Kind::Continue, from));
    case Tok::Global: {
      next();
      do {
        expect(Tok::Ident, "a name");
      } while (eat_op(","));
      return simple(make(Kind::Global, from));
    }
    default: break;
  }
  TreeRef lhs = expression_or_tuple();
  if (cur().kind == Tok::Op && cur().text.size() >= 2 && cur().text.back() == '=' &&
      !std::strchr("=!<>", cur().text[0])) {
    const Token& op = next();
    TreeRef rhs = expression_or_tuple();
    return simple(make(Kind::AugAssign, from, {lhs, rhs}, op.text.substr(0, op.text.size() - 1)));
  }
  if (is_op("<<=") || is_op(">>=")) {
    const Token& op = next();
    TreeRef rhs = expression_or_tuple();
    return simple(make(Kind::AugAssign, from, {lhs, rhs}, op.text.substr(0, 2)));
  }
  if (is_op(":") || is_op("=")) {
    TreeRef type = nothing(), rhs = nothing();
    std::vector<TreeRef> targets{lhs};
    if (eat_op(":")) {
      type = expression();
      if (eat_op("=")) rhs = expression_or_tuple();
    } else {
      while (eat_op("=")) {
        TreeRef e = expression_or_tuple();
        if (is_op("="))
          targets.push_back(e);
        else
          rhs = e;
      }
    }
    return simple(
        make(Kind::Assign, from, {make(Kind::List, from, std::move(targets)), rhs, type}));
  }
  return simple(make(Kind::ExprStmt, from, {lhs}));
}

TreeRef Parser::def() {
  SourceRange from = cur().range;
  expect(Tok::Def, "'def'");
  Token name = expect(Tok::Ident, "a function name");
  SourceRange pfrom = cur().range;
  expect_op("(");
  std::vector<TreeRef> params;
  bool kwarg_only = false;
  while (!is_op(")")) {
    if (eat_op("*")) {
      if (!is_op(",")) unexpected("',' after '*'");
      kwarg_only = true;
    } else {
      Token p = expect(Tok::Ident, "a parameter name");
      TreeRef type = nothing(), value = nothing();
      if (eat_op(":")) type = expression();
      if (eat_op("=")) value = expression();
      auto t = std::make_shared<Tree>(*make(Kind::Param, p.range, {type, value}, p.text));
      t->flag = kwarg_only;
      params.push_back(t);
    }
    if (!eat_op(",")) break;
  }
  expect_op(")");
  TreeRef list = make(Kind::List, pfrom, std::move(params));
  TreeRef ret = nothing();
  if (eat_op("->")) ret = expression();
  TreeRef body = block();
  return make(Kind::Def, from, {list, ret, body}, name.text);
}

TreeRef Parser::class_def() {
  SourceRange from = cur().range;
  expect(Tok::Class, "'class'");
  Token name = expect(Tok::Ident, "a class name");
  TreeRef base = nothing();
  if (eat_op("(")) {
    if (!is_op(")")) base = expression();
    expect_op(")");
  }
  expect_op(":");
  expect(Tok::Newline, "the end of the line");
  expect(Tok::Indent, "an indented block");
  std::vector<TreeRef> body;
  while (cur().kind != Tok::Dedent && cur().kind != Tok::Eof) {
    if (cur().kind == Tok::Def)
      body.push_back(def());
    else
      body.push_back(statement());
  }
  eat(Tok::Dedent);
  return make(Kind::ClassDef, from, {base, make(Kind::List, from, std::move(body))}, name.text);
}

std::vector<TreeRef> Parser::parse_file() {
  std::vector<TreeRef> out;
  if (cur().kind == Tok::Ident && cur().text == "op_version_set") {
    next();
    expect_op("=");
    expect(Tok::Number, "a version");
    expect(Tok::Newline, "the end of the line");
  }
  while (cur().kind != Tok::Eof) {
    if (eat(Tok::Import)) {
      while (cur().kind != Tok::Newline && cur().kind != Tok::Eof) next();
      eat(Tok::Newline);
    } else if (cur().kind == Tok::Class) {
      out.push_back(class_def());
    } else if (cur().kind == Tok::Def) {
      out.push_back(def());
    } else {
      unexpected("'class' or 'def'");
    }
  }
  return out;
}

std::vector<TreeRef> Parser::parse_defs() { return parse_file(); }

TreeRef Parser::parse_expression_only() {
  TreeRef e = expression_or_tuple();
  eat(Tok::Newline);
  if (cur().kind != Tok::Eof) unexpected("the end of the text");
  return e;
}

}  // namespace sconce::script
