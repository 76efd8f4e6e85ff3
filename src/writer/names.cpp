// SPDX-License-Identifier: Apache-2.0
#include "writer/names.h"

#include <algorithm>
#include <cctype>

#include "sconce/error.h"
#include "support/stack.h"

namespace sconce::writer {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr std::string_view kKeywords[] = {
    "False", "None",  "NoneType", "True",  "and",    "as",   "assert", "async",  "await",
    "break", "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",
    "for",   "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal",
    "not",   "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

}  // namespace

bool is_identifier(std::string_view s) {
  return !s.empty() && is_letter(s[0]) &&
         std::all_of(s.begin(), s.end(), [](char c) { return is_letter(c) || is_digit(c); });
}
bool is_plain_name(std::string_view s) {
  return is_identifier(s) &&
         std::find(std::begin(kKeywords), std::end(kKeywords), s) == std::end(kKeywords);
}
bool is_parameter_name(std::string_view s) {
  std::string ascii;
  for (size_t i = 0; i < s.size();) {
    const auto lead = static_cast<unsigned char>(s[i]);
    if (lead < 0x80) {
      ascii += s[i++];
      continue;
    }
    const size_t n = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    if (n == 0 || lead >= 0xf5 || i + n > s.size()) return false;
    for (size_t k = 1; k < n; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xc0) != 0x80) return false;
    i += n;
    ascii += '_';
  }
  return is_plain_name(ascii);
}
std::string to_identifier(std::string_view s) {
  std::string r = s.empty() || is_digit(s[0]) ? "_" : "";
  for (char c : s) r += is_letter(c) || is_digit(c) ? c : '_';
  return r;
}
std::string quoted(std::string_view s) {
  std::string r = "\"";
  for (unsigned char c : s) {
    switch (c) {
      case '\\': r += "\\\\"; break;
      case '\'': r += "\\'"; break;
      case '"': r += "\\\""; break;
      case '\n': r += "\\n"; break;
      case '\t': r += "\\t"; break;
      case '\a': r += "\\a"; break;
      case '\b': r += "\\b"; break;
      case '\f': r += "\\f"; break;
      case '\v': r += "\\v"; break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          r += static_cast<char>(c);
        } else {
          r += '\\';
          for (int shift : {6, 3, 0}) r += static_cast<char>('0' + (c >> shift & 7));
        }
    }
  }
  return r + "\"";
}
bool beyond_ascii(std::string_view s) {
  return std::any_of(s.begin(), s.end(), [](unsigned char c) { return c >= 0x80; });
}

std::string_view prefix_of(std::string_view q) {
  const size_t dot = q.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : q.substr(0, dot);
}
std::string_view last_of(std::string_view q) {
  const size_t dot = q.rfind('.');
  return dot == std::string_view::npos ? q : q.substr(dot + 1);
}

const std::string& Names::of(const void* key, const std::string& wanted) {
  auto known = names_.find(key);
  if (known != names_.end()) return known->second;
  std::string name = wanted.find('.') == std::string::npos ? "__torch__." + wanted : wanted;
  for (size_t at = 0; at <= name.size();) {
    const size_t dot = std::min(name.find('.', at), name.size());
    const std::string_view atom = std::string_view(name).substr(at, dot - at);
    bool fine = !atom.empty() && (dot < name.size() || is_plain_name(atom));
    // It is a part of a record's path too.
    for (unsigned char c : atom) fine = fine && c > 0x20 && c != 0x7f && c != '/' && c != '\\';
    if (!fine)
      raise<Error>("the name ", quoted(wanted.substr(0, 200)), " can't be written to an archive");
    at = dot + 1;
  }
  const std::string plain = name;
  for (size_t n = 0; !taken_.emplace(name, key).second; ++n)
    name = std::string(prefix_of(plain)) + ".___torch_mangle_" + std::to_string(n) + "." +
           std::string(last_of(plain));
  return names_[key] = name;
}

TypePtr Names::identity(TypePtr t) {
  std::string form;
  if (t->is_named_tuple()) {
    form = t->name;
    for (size_t i = 0; i < t->fields.size(); ++i)
      form += "," + t->fields[i] + ":" + annotation(t->elems[i]);
  } else if (t->kind == TypeKind::Class && static_cast<const ClassType*>(t)->is_native) {
    form = t->name;
  } else {
    return t;
  }
  return by_form_.emplace(std::move(form), t).first->second;
}
const std::string& Names::of(TypePtr named) {
  named = identity(named);
  return of(named, named->name);
}

bool Names::is_plain(TypePtr named) {
  const std::string& name = of(named);
  for (size_t at = 0; at <= name.size();) {
    const size_t dot = std::min(name.find('.', at), name.size());
    if (!is_plain_name(std::string_view(name).substr(at, dot - at))) return false;
    at = dot + 1;
  }
  return true;
}

std::string Names::annotation(TypePtr t) {
  check_stack();
  auto plain = [&]() -> const std::string& {
    if (!is_plain(t))
      raise<Error>("the name ", quoted(t->name.substr(0, 200)), " can't be said in code");
    return of(t);
  };
  auto all = [&](const char* of) {
    std::string s;
    for (TypePtr e : t->elems) s += (s.empty() ? "" : ", ") + annotation(e);
    return of + ("[" + s + "]");
  };
  switch (t->kind) {
    case TypeKind::List: return all("List");
    case TypeKind::Optional: return all("Optional");
    case TypeKind::Dict: return all("Dict");
    case TypeKind::Union: return all("Union");
    case TypeKind::Future: return all("Future");
    case TypeKind::Await: return all("Await");
    case TypeKind::RRef: return all("RRef");
    case TypeKind::Tuple:
      if (t->is_named_tuple() && !t->name.empty()) return plain();
      return t->elems.empty() ? "Tuple[()]" : all("Tuple");
    case TypeKind::Class:
    case TypeKind::Interface:
    case TypeKind::Enum: return plain();
    case TypeKind::Var:
    case TypeKind::Function: raise<Error>("the type ", t->str(), " can't be written to an archive");
    default: return t->annotation_str();
  }
}

}  // namespace sconce::writer
