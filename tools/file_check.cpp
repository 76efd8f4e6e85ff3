// SPDX-License-Identifier: Apache-2.0
#include "file_check.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <regex>
#include <vector>

#include "sconce/error.h"

namespace sconce::tool {

namespace {

// A regular expression is tried on lines up to this long: std::regex recurses.
constexpr size_t kMaxLine = 16'384;

enum class Kind { Plain, Next, Same, Not, Dag, Label };

struct Directive {
  Kind kind = Kind::Plain;
  int count = 1;
  bool exactly = false;
  std::string name;     // "CHECK-NEXT"
  std::string pattern;  // without blanks around it
  size_t at = 0;        // of the pattern in the expectations
};

struct Span {
  size_t begin, end;
};

std::string one_blank(const std::string& s) {
  std::string r;
  for (char c : s) {
    const bool blank = c == ' ' || c == '\t';
    if (c != '\r' && !(blank && !r.empty() && r.back() == ' ')) r += blank ? ' ' : c;
  }
  return r;
}

std::string escaped(const std::string& s) {
  std::string r;
  for (char c : s) {
    if (std::string_view("^$\\.*+?()[]{}|").find(c) != std::string_view::npos) r += '\\';
    r += c;
  }
  return r;
}

int groups_in(const std::string& regex) {
  int n = 0;
  bool set = false;  // inside of [...]
  for (size_t i = 0; i < regex.size(); ++i) {
    if (regex[i] == '\\')
      ++i;
    else if (regex[i] == '[')
      set = true;
    else if (regex[i] == ']')
      set = false;
    else if (regex[i] == '(' && !set && regex.compare(i, 2, "(?") != 0)
      ++n;
  }
  return n;
}

// "name:line:col: kind: what", the line, a caret.
std::string message(const std::string& name, const std::string& text, size_t at, const char* kind,
                    const std::string& what) {
  at = std::min(at, text.size());
  const size_t before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  const size_t bol = before == std::string::npos ? 0 : before + 1;
  const size_t eol = std::min(text.find('\n', at), text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(bol), '\n');
  return name + ":" + std::to_string(line) + ":" + std::to_string(at - bol + 1) + ": " + kind +
         ": " + what + "\n" + text.substr(bol, eol - bol) + "\n" + std::string(at - bol, ' ') +
         "^\n";
}

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t corner = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = corner + (a[i] != b[j]);
      corner = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

class Checker {
 public:
  Checker(const std::string& expectations, const std::string& name, const std::string& input,
          const std::string& input_name, const std::string& prefix)
      : text_(expectations),
        name_(name),
        input_(one_blank(input)),
        input_name_(input_name),
        prefix_(prefix) {
    read();
  }

  std::string run() {
    // Labels first: they bound what stands between them.
    std::vector<size_t> labels;
    std::vector<Span> found;
    for (size_t i = 0, at = 0; i < directives_.size(); ++i) {
      if (directives_[i].kind != Kind::Label) continue;
      auto m = find(directives_[i].pattern, {at, input_.size()});
      if (!m) return absent(directives_[i], at);
      labels.push_back(i);
      found.push_back(*m);
      at = m->end;
    }
    size_t from = 0, at = 0;
    for (size_t k = 0; k <= labels.size(); ++k) {
      const bool last = k == labels.size();
      std::string why = section(from, last ? directives_.size() : labels[k],
                                {at, last ? input_.size() : found[k].begin});
      if (!why.empty()) return why;
      if (last) break;
      from = labels[k] + 1;
      at = found[k].end;
    }
    return "";
  }

 private:
  // ---- the expectations ----

  void read() {
    for (size_t at = 0; (at = text_.find(prefix_, at)) != std::string::npos;) {
      const size_t start = at;
      at += prefix_.size();
      const bool inside =
          start > 0 && (std::isalnum(static_cast<unsigned char>(text_[start - 1])) ||
                        text_[start - 1] == '_' || text_[start - 1] == '-');
      size_t colon = at;
      while (colon < text_.size() &&
             (std::isalnum(static_cast<unsigned char>(text_[colon])) || text_[colon] == '-'))
        ++colon;
      if (inside || colon >= text_.size() || text_[colon] != ':') continue;
      directive(start, colon);
      at = std::min(text_.find('\n', colon), text_.size());
    }
    if (directives_.empty()) raise<Error>(name_, ": there is no '", prefix_, ":'");
    if (directives_[0].kind == Kind::Next || directives_[0].kind == Kind::Same)
      bad(directives_[0].at, directives_[0].name + " needs a match before it");
  }
  void directive(size_t start, size_t colon) {
    Directive d;
    d.name = text_.substr(start, colon - start);
    const std::string form = d.name.substr(prefix_.size());
    static const std::map<std::string, Kind> kinds{{"", Kind::Plain},     {"-NEXT", Kind::Next},
                                                   {"-SAME", Kind::Same}, {"-NOT", Kind::Not},
                                                   {"-DAG", Kind::Dag},   {"-LABEL", Kind::Label}};
    auto known = kinds.find(form);
    if (known != kinds.end()) {
      d.kind = known->second;
    } else if (form.rfind("-COUNT-", 0) == 0) {
      size_t digits = form.find_first_not_of("0123456789", 7);
      d.exactly = digits != std::string::npos && form.substr(digits) == "-EXACTLY";
      digits = std::min(digits, form.size());
      if (digits == 7 || digits > 13 || (digits != form.size() && !d.exactly))
        bad(start, d.name + " is no directive");
      d.count = std::stoi(form.substr(7, digits - 7));
      if (d.count == 0) d.kind = Kind::Not, d.count = 1;
    } else {
      bad(start, d.name + " is no directive");
    }
    const size_t eol = std::min(text_.find('\n', colon), text_.size());
    d.at = std::min(text_.find_first_not_of(" \t", colon + 1), eol);
    d.pattern = one_blank(text_.substr(d.at, eol - d.at));
    while (!d.pattern.empty() && d.pattern.back() == ' ') d.pattern.pop_back();
    if (d.pattern.empty()) bad(d.at, d.name + " says nothing to look for");
    directives_.push_back(std::move(d));
  }
  [[noreturn]] void bad(size_t at, const std::string& what) const {
    std::string m = message(name_, text_, at, "error", what);
    m.pop_back();
    throw Error(m);
  }

  // ---- one pattern ----

  // The regular expression of a pattern with variables or expressions; names: of its groups.
  std::string regex_of(const std::string& p, std::map<std::string, int>& names) const {
    std::string r;
    int groups = 0;
    for (size_t i = 0; i < p.size();) {
      const bool variable = p.compare(i, 2, "[[") == 0, plain = p.compare(i, 2, "{{") == 0;
      size_t end = variable || plain ? p.find(variable ? "]]" : "}}", i + 2) : std::string::npos;
      if (end == std::string::npos) {
        r += escaped(p.substr(i++, 1));
        continue;
      }
      // "]]]" ends a set of characters first, "}}}" a count.
      while (end + 2 < p.size() && p[end + 2] == p[end]) ++end;
      std::string body = p.substr(i + 2, end - i - 2);
      i = end + 2;
      if (plain) {
        r += "(?:" + body + ")";
        groups += groups_in(body);
        continue;
      }
      const size_t colon = body.find(':');
      const std::string name = body.substr(0, colon);
      if (colon != std::string::npos) {
        names[name] = ++groups;
        r += "(" + body.substr(colon + 1) + ")";
        groups += groups_in(body.substr(colon + 1));
      } else if (names.count(name)) {
        r += "\\" + std::to_string(names[name]) + "(?:)";
      } else {
        auto value = variables_.find(name);
        if (value == variables_.end())
          raise<Error>(name_, ": [[", name, "]] is used before it is found");
        r += escaped(value->second);
      }
    }
    return r;
  }

  // The first place inside of where; what it names is known from then on.
  std::optional<Span> find(const std::string& pattern, Span where) {
    if (pattern.find("[[") == std::string::npos && pattern.find("{{") == std::string::npos) {
      const size_t at = input_.find(pattern, where.begin);
      if (at == std::string::npos || at + pattern.size() > where.end) return {};
      return Span{at, at + pattern.size()};
    }
    std::map<std::string, int> names;
    std::regex regex;
    try {
      regex = std::regex(regex_of(pattern, names));
    } catch (const std::regex_error& e) {
      raise<Error>(name_, ": '", pattern, "': ", e.what());
    }
    for (size_t at = where.begin; at <= where.end;) {
      const size_t eol = std::min(input_.find('\n', at), where.end);
      if (eol - at > kMaxLine)
        raise<Error>(input_name_, ": a line of ", eol - at,
                     " characters is too long for a regular expression");
      const auto begin = input_.begin() + static_cast<ptrdiff_t>(at);
      std::smatch m;
      const auto flags = at > 0 && input_[at - 1] != '\n' ? std::regex_constants::match_prev_avail
                                                          : std::regex_constants::match_default;
      if (std::regex_search(begin, input_.begin() + static_cast<ptrdiff_t>(eol), m, regex, flags)) {
        for (auto& [name, group] : names) variables_[name] = m[static_cast<size_t>(group)].str();
        const size_t b = at + static_cast<size_t>(m.position(0));
        return Span{b, b + static_cast<size_t>(m.length(0))};
      }
      at = eol + 1;
    }
    return {};
  }

  // ---- one section ----

  std::string section(size_t from, size_t to, Span where) {
    size_t at = where.begin;
    std::vector<const Directive*> nots;
    for (size_t i = from; i < to;) {
      const Directive& d = directives_[i];
      if (d.kind == Kind::Not) {
        nots.push_back(&d);
        ++i;
        continue;
      }
      std::optional<Span> whole;
      if (d.kind == Kind::Dag) {
        std::vector<Span> taken;
        for (; i < to && directives_[i].kind == Kind::Dag; ++i) {
          auto m = find_free(directives_[i].pattern, {at, where.end}, taken);
          if (!m) return absent(directives_[i], at);
          taken.push_back(*m);
          whole = whole ? Span{std::min(whole->begin, m->begin), std::max(whole->end, m->end)} : *m;
        }
      } else {
        ++i;
        for (int k = 0; k < d.count; ++k) {
          const size_t start = whole ? whole->end : at;
          auto m = find(d.pattern, {start, where.end});
          if (!m) return absent(d, start, k);
          std::string why = whole ? "" : misplaced(d, at, *m);
          if (!why.empty()) return why;
          whole = Span{whole ? whole->begin : m->begin, m->end};
        }
      }
      std::string why = excluded(nots, {at, whole->begin});
      if (!why.empty()) return why;
      at = whole->end;
      nots.clear();
      if (d.exactly) nots.push_back(&d);
    }
    return excluded(nots, {at, where.end});
  }
  // Neighbouring DAGs don't share a place.
  std::optional<Span> find_free(const std::string& pattern, Span where,
                                const std::vector<Span>& taken) {
    for (;;) {
      auto m = find(pattern, where);
      if (!m) return m;
      auto other = std::find_if(taken.begin(), taken.end(), [&](const Span& t) {
        return m->begin < t.end && t.begin < m->end;
      });
      if (other == taken.end()) return m;
      where.begin = std::max(other->end, where.begin + 1);
      if (where.begin > where.end) return {};
    }
  }
  std::string absent(const Directive& d, size_t at, int found = 0) {
    const std::string times =
        d.count > 1 ? " (found " + std::to_string(found) + " of " + std::to_string(d.count) + ")"
                    : "";
    std::string r = message(name_, text_, d.at, "error",
                            d.name + ": expected string not found in input" + times) +
                    message(input_name_, input_, scan_start(at), "note", "scanning from here");
    // The line that is nearest to it.
    size_t best = d.pattern.size() / 2, where = std::string::npos, lines = 0;
    for (size_t b = at; b < input_.size() && lines < 1000; ++lines) {
      const size_t eol = std::min(input_.find('\n', b), input_.size());
      const size_t first = std::min(input_.find_first_not_of(' ', b), eol);
      const size_t far = distance(
          std::string_view(d.pattern).substr(0, 200),
          std::string_view(input_).substr(first, std::min<size_t>(eol - first, d.pattern.size())));
      if (far < best) best = far, where = first;
      b = eol + 1;
    }
    if (where != std::string::npos)
      r += message(input_name_, input_, where, "note", "possible intended match here");
    return r;
  }
  // The end of a match at the end of a line: the next one.
  size_t scan_start(size_t at) const {
    return at < input_.size() && input_[at] == '\n' ? at + 1 : at;
  }
  std::string misplaced(const Directive& d, size_t at, Span m) const {
    if (d.kind != Kind::Next && d.kind != Kind::Same) return "";
    const auto lines = std::count(input_.begin() + static_cast<ptrdiff_t>(at),
                                  input_.begin() + static_cast<ptrdiff_t>(m.begin), '\n');
    if (lines == (d.kind == Kind::Next ? 1 : 0)) return "";
    const char* what = d.kind == Kind::Same ? ": is not on the same line as previous match"
                       : lines == 0         ? ": is on the same line as previous match"
                                            : ": is not on the line after the previous match";
    return message(name_, text_, d.at, "error", d.name + what) +
           message(input_name_, input_, m.begin, "note", "'next' match was here") +
           message(input_name_, input_, at, "note", "previous match ended here");
  }
  std::string excluded(const std::vector<const Directive*>& nots, Span where) {
    for (const Directive* d : nots)
      if (auto m = find(d->pattern, where))
        return message(name_, text_, d->at, "error", d->name + ": excluded string found in input") +
               message(input_name_, input_, m->begin, "note", "found here");
    return "";
  }

  const std::string &text_, &name_;
  const std::string input_;
  const std::string &input_name_, &prefix_;
  std::vector<Directive> directives_;
  std::map<std::string, std::string> variables_;
};

}  // namespace

std::string file_check(const std::string& expectations, const std::string& name,
                       const std::string& input, const std::string& input_name,
                       const std::string& prefix) {
  return Checker(expectations, name, input, input_name, prefix).run();
}

}  // namespace sconce::tool
