// SPDX-License-Identifier: Apache-2.0
// Tokens of the serialized language: indentation, strings, numbers (serialized-language.md section
// 4).
#include <cstring>

#include "loader/script/ast.h"

namespace sconce::script {

namespace {

struct Keyword {
  const char* text;
  Tok kind;
};
constexpr Keyword kKeywords[] = {
    {"def", Tok::Def},       {"class", Tok::Class},   {"if", Tok::If},
    {"elif", Tok::Elif},     {"else", Tok::Else},     {"while", Tok::While},
    {"for", Tok::For},       {"in", Tok::In},         {"is", Tok::Is},
    {"not", Tok::Not},       {"and", Tok::And},       {"or", Tok::Or},
    {"return", Tok::Return}, {"raise", Tok::Raise},   {"assert", Tok::Assert},
    {"pass", Tok::Pass},     {"break", Tok::Break},   {"continue", Tok::Continue},
    {"del", Tok::Del},       {"import", Tok::Import}, {"global", Tok::Global},
    {"with", Tok::With},     {"as", Tok::As},         {"None", Tok::None},
    {"True", Tok::True},     {"False", Tok::False},   {"NoneType", Tok::NoneType},
    {"Ellipsis", Tok::Dots}};

// Longest first.
constexpr const char* kOperators[] = {
    "<<=", ">>=", "**=", "...", "->", "==", "!=", "<=", ">=", "//", "**", "<<", ">>", "+=", "-=",
    "*=",  "/=",  "%=",  "|=",  "&=", "^=", "+",  "-",  "*",  "/",  "%",  "@",  "<",  ">",  "=",
    "(",   ")",   "[",   "]",   "{",  "}",  ",",  ":",  ".",  "|",  "&",  "^",  "~",  "?"};

bool ident_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool ident_char(char c) { return ident_start(c) || digit(c); }
// Bytes of the UTF-8 character beyond ASCII at `at`; 0 when there is none.
size_t wide_char(const std::string& t, size_t at) {
  const auto lead = static_cast<unsigned char>(t[at]);
  const size_t n = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (n == 0 || lead >= 0xf5 || at + n > t.size()) return 0;
  for (size_t i = 1; i < n; ++i)
    if ((static_cast<unsigned char>(t[at + i]) & 0xc0) != 0x80) return 0;
  return n;
}

class Lexer {
 public:
  explicit Lexer(const std::shared_ptr<const Source>& s) : source_(s), t_(s->text) {}

  std::vector<Token> run() {
    out_.reserve(t_.size() / 5);
    indents_.push_back(0);
    bool line_start = true;
    while (true) {
      if (line_start && brackets_ == 0) {
        line_start = false;
        if (!indentation()) break;
      }
      while (at_ < t_.size() && (t_[at_] == ' ' || t_[at_] == '\t' || t_[at_] == '\r')) ++at_;
      if (at_ >= t_.size()) break;
      char c = t_[at_];
      if (c == '#') {
        while (at_ < t_.size() && t_[at_] != '\n') ++at_;
        continue;
      }
      if (c == '\\' && at_ + 1 < t_.size() &&
          (t_[at_ + 1] == '\n' || t_.compare(at_, 3, "\\\r\n") == 0)) {
        at_ += t_[at_ + 1] == '\n' ? 2 : 3;
        continue;
      }
      if (c == '\n') {
        ++at_;
        if (brackets_ == 0) {
          add(Tok::Newline, at_ - 1, at_, "\n");
          line_start = true;
        }
        continue;
      }
      token(c);
    }
    if (brackets_ > 0) script_error(range(t_.size(), t_.size()), "a bracket is never closed");
    if (!out_.empty() && out_.back().kind != Tok::Newline) add(Tok::Newline, at_, at_, "\n");
    for (size_t i = indents_.size(); i-- > 1;) add(Tok::Dedent, at_, at_, "");
    add(Tok::Eof, at_, at_, "");
    return std::move(out_);
  }

 private:
  SourceRange range(size_t b, size_t e) const {
    return {source_, static_cast<uint32_t>(b), static_cast<uint32_t>(e)};
  }
  void add(Tok k, size_t b, size_t e, std::string text) {
    out_.push_back({k, std::move(text), range(b, e)});
  }

  // Skips blank lines, emits Indent/Dedent. False at the end of the text.
  bool indentation() {
    for (;;) {
      size_t b = at_;
      while (at_ < t_.size() && (t_[at_] == ' ' || t_[at_] == '\t')) ++at_;
      if (at_ >= t_.size()) return false;
      if (t_[at_] == '#') {
        while (at_ < t_.size() && t_[at_] != '\n') ++at_;
        if (at_ < t_.size()) ++at_;
        continue;
      }
      if (t_[at_] == '\n' || (t_[at_] == '\r' && at_ + 1 < t_.size() && t_[at_ + 1] == '\n')) {
        at_ += t_[at_] == '\n' ? 1 : 2;
        continue;
      }
      size_t width = at_ - b;
      if (width > indents_.back()) {
        indents_.push_back(width);
        add(Tok::Indent, b, at_, "");
      }
      while (width < indents_.back()) {
        indents_.pop_back();
        add(Tok::Dedent, b, at_, "");
      }
      if (width != indents_.back()) script_error(range(b, at_), "invalid indent level ", width);
      return true;
    }
  }

  void token(char c) {
    size_t b = at_;
    // "__torch__.hifi-gan.2d.Net": a name of a module is whatever its file was called.
    const bool in_path = path_ == out_.size() && path_ > 0;
    if (in_path && c == '.') {
      ++at_;
      add(Tok::Op, b, at_, ".");
      path_ = out_.size();
      return;
    }
    const bool segment = in_path && out_.back().text == "." && digit(c);
    if (ident_start(c) || segment || wide_char(t_, at_)) {
      while (at_ < t_.size()) {
        if (ident_char(t_[at_]) ||
            (in_path && t_[at_] == '-' && at_ + 1 < t_.size() && ident_char(t_[at_ + 1])))
          ++at_;
        else if (size_t n = wide_char(t_, at_))
          at_ += n;
        else
          break;
      }
      std::string w = t_.substr(b, at_ - b);
      Tok k = Tok::Ident;
      for (const Keyword& kw : kKeywords)
        if (w[0] == kw.text[0] && w == kw.text) k = kw.kind;
      if (k == Tok::Not && t_.compare(at_, 3, " in") == 0 &&
          (at_ + 3 >= t_.size() || !ident_char(t_[at_ + 3]))) {
        at_ += 3;
        k = Tok::NotIn;
      }
      if (k == Tok::Is && t_.compare(at_, 4, " not") == 0 &&
          (at_ + 4 >= t_.size() || !ident_char(t_[at_ + 4]))) {
        at_ += 4;
        k = Tok::IsNot;
      }
      const bool begins = w == "__torch__";
      add(k, b, at_, std::move(w));
      if (begins || (in_path && at_ < t_.size() && t_[at_] == '.')) path_ = out_.size();
      return;
    }
    if (digit(c) || (c == '.' && at_ + 1 < t_.size() && digit(t_[at_ + 1]))) return number();
    if (c == '"' || c == '\'') return string(c);
    for (const char* op : kOperators) {
      if (op[0] != c) continue;
      size_t n = std::strlen(op);
      if (t_.compare(at_, n, op) == 0) {
        at_ += n;
        if (std::strchr("([{", op[0])) ++brackets_;
        if (std::strchr(")]}", op[0]) && --brackets_ < 0)
          script_error(range(b, at_), "unmatched '", op, "'");
        add(std::strcmp(op, "...") == 0 ? Tok::Dots : Tok::Op, b, at_, op);
        return;
      }
    }
    script_error(range(b, b + 1), "unexpected character '", c, "'");
  }

  void number() {
    size_t b = at_;
    if (t_[at_] == '0' && at_ + 1 < t_.size() && (t_[at_ + 1] == 'x' || t_[at_ + 1] == 'X')) {
      at_ += 2;
      while (at_ < t_.size() && std::isxdigit(static_cast<unsigned char>(t_[at_]))) ++at_;
    } else {
      while (at_ < t_.size() && digit(t_[at_])) ++at_;
      if (at_ < t_.size() && t_[at_] == '.') {
        ++at_;
        while (at_ < t_.size() && digit(t_[at_])) ++at_;
      }
      if (at_ < t_.size() && (t_[at_] == 'e' || t_[at_] == 'E')) {
        size_t e = at_ + 1;
        if (e < t_.size() && (t_[e] == '+' || t_[e] == '-')) ++e;
        if (e < t_.size() && digit(t_[e])) {
          at_ = e;
          while (at_ < t_.size() && digit(t_[at_])) ++at_;
        }
      }
    }
    if (at_ < t_.size() && t_[at_] == 'j') ++at_;
    if (at_ < t_.size() && ident_char(t_[at_])) script_error(range(b, at_ + 1), "malformed number");
    add(Tok::Number, b, at_, t_.substr(b, at_ - b));
  }

  // PyTorch writes a byte from 0x80 on, in a name that getattr looks up, as the "digits" of a
  // negative number:
  // "\0*." is 0xce. c stands before the two others; 0 when they are no such digits.
  int garbled_byte(char c) const {
    if (at_ + 1 >= t_.size() || c < '.' || c > '0') return 0;
    const char d = t_[at_], e = t_[at_ + 1];
    if (d < ')' || d > '0' || e < ')' || e > '0') return 0;
    const int n = (c - '0') * 64 + (d - '0') * 8 + (e - '0');
    return n < 0 && n >= -128 ? n + 256 : 0;
  }

  void string(char q) {
    size_t b = at_;
    bool triple = t_.compare(at_, 3, std::string(3, q)) == 0;
    at_ += triple ? 3 : 1;
    std::string v;
    for (;;) {
      if (at_ >= t_.size()) script_error(range(b, at_), "string literal is never closed");
      char c = t_[at_];
      if (triple ? t_.compare(at_, 3, std::string(3, q)) == 0 : c == q) break;
      if (c == '\n' && !triple) script_error(range(b, at_), "string literal is never closed");
      if (c != '\\') {
        v += c;
        ++at_;
        continue;
      }
      if (++at_ >= t_.size()) script_error(range(b, at_), "string literal is never closed");
      c = t_[at_++];
      switch (c) {
        case '\\': v += '\\'; break;
        case '\'': v += '\''; break;
        case '"': v += '"'; break;
        case 'n': v += '\n'; break;
        case 't': v += '\t'; break;
        case 'a': v += '\a'; break;
        case 'b': v += '\b'; break;
        case 'f': v += '\f'; break;
        case 'v': v += '\v'; break;
        case 'r': v += '\r'; break;  // PyTorch writes it and cannot read it back
        case '\n': break;
        default:
          if (int byte = garbled_byte(c)) {
            v += static_cast<char>(byte);
            at_ += 2;
          } else if (c >= '0' && c <= '7') {
            int n = c - '0', digits = 1;
            while (digits < 3 && at_ < t_.size() && t_[at_] >= '0' && t_[at_] <= '7') {
              n = n * 8 + (t_[at_++] - '0');
              ++digits;
            }
            if (digits != 3 || n > 255)
              script_error(range(b, at_), "octal escapes have exactly three digits up to 377");
            v += static_cast<char>(n);
          } else {
            script_error(range(b, at_), "unknown escape \\", c, " in a string literal");
          }
      }
    }
    at_ += triple ? 3 : 1;
    add(Tok::String, b, at_, std::move(v));
  }

  std::shared_ptr<const Source> source_;
  const std::string& t_;
  size_t at_ = 0;
  int brackets_ = 0;
  size_t path_ = 0;  // number of tokens when the last of them belongs to a "__torch__." path
  std::vector<size_t> indents_;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> lex(const std::shared_ptr<const Source>& source) { return Lexer(source).run(); }

bool is_complex_literal(const std::string& t) { return !t.empty() && t.back() == 'j'; }
bool is_float_literal(const std::string& t) {
  if (is_complex_literal(t)) return false;
  if (t.size() > 1 && (t[1] == 'x' || t[1] == 'X')) return false;
  return t.find_first_of(".eE") != std::string::npos;
}

}  // namespace sconce::script
