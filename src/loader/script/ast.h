// SPDX-License-Identifier: Apache-2.0
// The syntax tree of the serialized language (serialized-language.md section 5).
#pragma once
#include <complex>
#include <memory>
#include <string>
#include <vector>

#include "ir/source.h"

namespace sconce::script {

enum class Tok : uint8_t {
  Eof,
  Newline,
  Indent,
  Dedent,
  Ident,
  Number,
  String,
  Op,
  // keywords
  Def,
  Class,
  If,
  Elif,
  Else,
  While,
  For,
  In,
  NotIn,
  Is,
  IsNot,
  Not,
  And,
  Or,
  Return,
  Raise,
  Assert,
  Pass,
  Break,
  Continue,
  Del,
  Import,
  Global,
  With,
  As,
  None,
  True,
  False,
  NoneType,
  Dots,
  TypeComment
};

struct Token {
  Tok kind = Tok::Eof;
  std::string text;  // identifier, number or operator text
  SourceRange range;
};

enum class Kind : uint8_t {
  // expressions; children in brackets
  Var,        // text
  Const,      // text (a number)
  StringLit,  // text (decoded)
  True,
  False,
  None,
  Dots,
  Select,     // [value], text
  Apply,      // [callee, List(args), List(Attribute)]
  Attribute,  // [value], text: NAME=value
  Subscript,  // [value, List(exprs)]
  Slice,      // [start|Nothing, end|Nothing, step|Nothing]
  Starred,    // [value]
  Tuple,
  ListLit,   // elements
  DictLit,   // [List(keys), List(values)]
  ListComp,  // [elt, target, iter]
  DictComp,  // [key, value, target, iter]
  IfExpr,    // [cond, true, false]
  Binary,    // text = operator; [lhs, rhs]
  Is,
  IsNot,
  And,
  Or,  // [lhs, rhs]
  Not,
  Neg,
  Invert,  // [value]
  // helpers
  List,
  Nothing,
  // statements
  ExprStmt,   // [expr]
  Assign,     // [List(lhs), rhs|Nothing, type|Nothing]
  AugAssign,  // text = operator without '='; [lhs, rhs]
  Return,
  Raise,   // [expr]
  Assert,  // [test, msg|Nothing]
  Del,     // targets
  Pass,
  Break,
  Continue,
  Global,
  If,        // [cond, List(true), List(false)]
  While,     // [cond, List(body)]
  For,       // [List(targets), List(iters), List(body)]
  With,      // [List(WithItem), List(body)]
  WithItem,  // [expr, Var|Nothing]
  Def,       // text = name; [List(Param), return type|Nothing, List(body)]
  Param,     // text = name; [type|Nothing, default|Nothing]; flag = keyword-only
  ClassDef,  // text = name; [superclass|Nothing, List(body)]
};

struct Tree;
using TreeRef = std::shared_ptr<const Tree>;

struct Tree {
  Kind kind;
  SourceRange range;
  std::string text;
  std::vector<TreeRef> kids;
  int32_t height = 0;  // longest path to a leaf
  bool flag = false;
  const TreeRef& operator[](size_t i) const { return kids[i]; }
  size_t size() const { return kids.size(); }
  bool present() const { return kind != Kind::Nothing; }
};

// Splits a source into tokens. Throws ScriptError.
std::vector<Token> lex(const std::shared_ptr<const Source>& source);

class Parser {
 public:
  explicit Parser(std::shared_ptr<const Source> source);
  // A whole file: definitions; "op_version_set = N" and imports are skipped.
  std::vector<TreeRef> parse_file();
  TreeRef parse_expression_only();
  // Definitions without a class around them, as model.json archives hold methods.
  std::vector<TreeRef> parse_defs();

 private:
  const Token& cur() const { return tokens_[at_]; }
  const Token& ahead(size_t n = 1) const { return tokens_[std::min(at_ + n, tokens_.size() - 1)]; }
  const Token& next();
  bool is_op(const char* t) const {
    const Token& c = cur();
    return c.kind == Tok::Op && c.text[0] == t[0] && c.text == t;
  }
  bool eat_op(const char* t);
  bool eat(Tok k);
  void expect_op(const char* t);
  Token expect(Tok k, const char* what);
  [[noreturn]] void unexpected(const char* wanted);
  TreeRef make(Kind k, const SourceRange& from, std::vector<TreeRef> kids = {},
               std::string text = "") const;
  TreeRef nothing() const { return make(Kind::Nothing, cur().range); }

  TreeRef expression();  // ternary
  TreeRef binary(int min_level);
  TreeRef unary();
  TreeRef postfix(TreeRef base);
  TreeRef atom();
  TreeRef expression_or_tuple();
  TreeRef subscripts(TreeRef base);
  TreeRef call(TreeRef base);
  TreeRef target_list(SourceRange from);
  TreeRef statement();
  TreeRef block();
  TreeRef def();
  TreeRef class_def();
  TreeRef if_statement();

  std::shared_ptr<const Source> source_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  friend struct DepthGuard;
};

// Number literals.
bool is_float_literal(const std::string& text);
bool is_complex_literal(const std::string& text);

}  // namespace sconce::script
