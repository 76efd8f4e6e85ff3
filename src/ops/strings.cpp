// SPDX-License-Identifier: Apache-2.0
// Byte strings (compat.md section 3).
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/budget.h"
#include "ops/op.h"

namespace sconce::ops {

namespace {

using S = const std::string&;
bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool alpha(char c) { return lower(c) || upper(c); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char up(char c) { return lower(c) ? static_cast<char>(c - 32) : c; }
char down(char c) { return upper(c) ? static_cast<char>(c + 32) : c; }

// The first place of sub in s from `at` on, in linear time whatever they hold.
size_t find_in(S s, S sub, size_t at) {
  if (at > s.size()) return std::string::npos;
  const void* p = memmem(s.data() + at, s.size() - at, sub.data(), sub.size());
  return p ? static_cast<size_t>(static_cast<const char*>(p) - s.data()) : std::string::npos;
}

template <char (*F)(char)>
std::string map(S s) {
  std::string r = s;
  std::transform(r.begin(), r.end(), r.begin(), F);
  return r;
}
char swap_case(char c) { return lower(c) ? up(c) : down(c); }
std::string capitalize(S s) {
  std::string r = map<down>(s);
  if (!r.empty()) r[0] = up(r[0]);
  return r;
}
std::string title(S s) {
  std::string r = s;
  bool start = true;
  for (char& c : r) {
    c = start ? up(c) : down(c);
    start = !alpha(c);
  }
  return r;
}
template <bool (*F)(char)>
bool every(S s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), F);
}
bool alnum(char c) { return alpha(c) || digit(c); }
bool printable(char c) { return c >= 32 && c < 127; }
bool isprintable(S s) { return std::all_of(s.begin(), s.end(), printable); }
bool islower(S s) {
  return std::none_of(s.begin(), s.end(), upper) && std::any_of(s.begin(), s.end(), lower);
}
bool isupper(S s) {
  return std::none_of(s.begin(), s.end(), lower) && std::any_of(s.begin(), s.end(), upper);
}
bool istitle(S s) {
  bool found = false, in_word = false;
  for (char c : s) {
    if (upper(c)) {
      if (in_word) return false;
      in_word = found = true;
    } else if (lower(c)) {
      if (!in_word) return false;
      found = true;
    } else {
      in_word = false;
    }
  }
  return found;
}
// PyTorch's is Python 2's without the underscore.
bool isidentifier(S s) {
  return !s.empty() && !digit(s[0]) && std::all_of(s.begin(), s.end(), alnum);
}

// start and end as Python clips them.
std::pair<int64_t, int64_t> clip(S s, int64_t start, int64_t end) {
  auto n = static_cast<int64_t>(s.size());
  if (start < 0) start = std::max<int64_t>(0, start + n);
  if (end < 0) end = std::max<int64_t>(0, end + n + 1);
  return {start, std::min(end, n)};
}
// Looking in a part that begins behind the end raises when the part isn't empty.
void check_part(S s, int64_t start, int64_t end) {
  if (start > static_cast<int64_t>(s.size()) && end > start)
    raise<OpError>("string index ", start, " is beyond the end");
}
int64_t find(S s, S sub, int64_t start, int64_t end) {
  check_part(s, start, end);
  auto [b, e] = clip(s, start, end);
  size_t at = b <= static_cast<int64_t>(s.size()) ? find_in(s, sub, static_cast<size_t>(b))
                                                  : std::string::npos;
  return at == std::string::npos || static_cast<int64_t>(at + sub.size()) > e
             ? -1
             : static_cast<int64_t>(at);
}
int64_t rfind(S s, S sub, int64_t start, int64_t end) {
  check_part(s, start, end);
  auto [b, e] = clip(s, start, end);
  if (e - b < static_cast<int64_t>(sub.size())) return -1;
  size_t at = s.rfind(sub, static_cast<size_t>(e) - sub.size());
  return at == std::string::npos || static_cast<int64_t>(at) < b ? -1 : static_cast<int64_t>(at);
}
int64_t index(S s, S sub, int64_t start, int64_t end) {
  int64_t at = find(s, sub, start, end);
  if (at < 0) raise<OpError>("ValueError: substring not found");
  return at;
}
int64_t rindex(S s, S sub, int64_t start, int64_t end) {
  int64_t at = rfind(s, sub, start, end);
  if (at < 0) raise<OpError>("ValueError: substring not found");
  return at;
}
int64_t count(S s, S sub, int64_t start, int64_t end) {
  auto [b, e] = clip(s, start, end);
  if (sub.empty()) return std::max<int64_t>(0, e - b) + 1;
  int64_t n = 0;
  for (size_t at = find_in(s, sub, static_cast<size_t>(b));
       at != std::string::npos && static_cast<int64_t>(at + sub.size()) <= e;
       at = find_in(s, sub, at + sub.size()))
    ++n;
  return n;
}
bool startswith(S s, S sub, int64_t start, int64_t end) {
  auto [b, e] = clip(s, start, end);
  if (b > static_cast<int64_t>(s.size())) raise<OpError>("startswith: start is beyond the end");
  return e - b >= static_cast<int64_t>(sub.size()) &&
         s.compare(static_cast<size_t>(b), sub.size(), sub) == 0;
}
bool endswith(S s, S sub, int64_t start, int64_t end) {
  auto [b, e] = clip(s, start, end);
  auto n = static_cast<int64_t>(sub.size());
  return e - b >= n && s.compare(static_cast<size_t>(e - n), sub.size(), sub) == 0;
}
// How often sub stands in s, up to most.
double matches(S s, S sub, double most) {
  if (sub.empty() || !memory_account()) return most;
  double n = 0;
  for (size_t at = find_in(s, sub, 0); at != std::string::npos && n < most;
       at = find_in(s, sub, at + sub.size()))
    ++n;
  return n;
}
std::string replace(S s, S from, S to, int64_t max) {
  std::string r;
  double most = static_cast<double>(from.empty() ? s.size() + 1 : s.size() / from.size());
  if (max >= 0) most = std::min(most, static_cast<double>(max));
  if (to.size() > from.size())
    expect_memory(static_cast<double>(s.size()) +
                  static_cast<double>(matches(s, from, most)) * static_cast<double>(to.size()));
  size_t at = 0;
  if (from.empty()) {
    for (size_t i = 0; i <= s.size(); ++i) {
      if (max != 0) {
        r += to;
        --max;
      }
      if (i < s.size()) r += s[i];
    }
    return r;
  }
  while (max != 0) {
    size_t next = find_in(s, from, at);
    if (next == std::string::npos) break;
    r += s.substr(at, next - at) + to;
    at = next + from.size();
    --max;
  }
  return r + s.substr(at);
}
std::string strip_impl(S s, S chars, bool left, bool right) {
  size_t b = left ? s.find_first_not_of(chars) : 0;
  if (b == std::string::npos) return "";
  size_t e = right ? s.find_last_not_of(chars) : s.size() - 1;
  return e == std::string::npos ? "" : s.substr(b, e - b + 1);
}
std::string strip(S s, S chars) { return strip_impl(s, chars, true, true); }
std::string lstrip(S s, S chars) { return strip_impl(s, chars, true, false); }
std::string rstrip(S s, S chars) { return s.empty() ? "" : strip_impl(s, chars, false, true); }

// Pieces of a string: each takes far more than its bytes.
class Pieces {
 public:
  void push_back(std::string s) {
    bytes_ += kPiece + s.size();
    if (v_.size() % 1024 == 0) expect_memory(static_cast<double>(bytes_));
    v_.push_back(std::move(s));
  }
  size_t size() const { return v_.size(); }
  std::vector<std::string>& all() { return v_; }

 private:
  static constexpr size_t kPiece = sizeof(std::string) + sizeof(IValue) + sizeof(StringBox) + 32;
  std::vector<std::string> v_;
  size_t bytes_ = 0;
};
IValue strings(Pieces& pieces) {
  std::vector<std::string>& v = pieces.all();
  auto r = make_ref<ListBox>(types::string());
  for (auto& x : v) r->items.emplace_back(std::move(x));
  return r;
}
IValue split(S s, std::optional<std::string> sep, int64_t max) {
  Pieces r;
  if (!sep) {
    size_t at = 0;
    while (true) {
      while (at < s.size() && space(s[at])) ++at;
      if (at >= s.size()) break;
      if (max >= 0 && static_cast<int64_t>(r.size()) >= max) {
        r.push_back(s.substr(at));
        break;
      }
      size_t e = at;
      while (e < s.size() && !space(s[e])) ++e;
      r.push_back(s.substr(at, e - at));
      at = e;
    }
    return strings(r);
  }
  if (sep->empty()) raise<OpError>("ValueError: empty separator");
  size_t at = 0;
  while (max < 0 || static_cast<int64_t>(r.size()) < max) {
    size_t next = find_in(s, *sep, at);
    if (next == std::string::npos) break;
    r.push_back(s.substr(at, next - at));
    at = next + sep->size();
  }
  r.push_back(s.substr(at));
  return strings(r);
}
IValue rsplit(S s, S sep, int64_t max) {
  if (sep.empty()) raise<OpError>("ValueError: empty separator");
  Pieces r;
  size_t end = s.size();
  while ((max < 0 || static_cast<int64_t>(r.size()) < max) && end >= sep.size()) {
    size_t at = s.rfind(sep, end - sep.size());
    if (at == std::string::npos) break;
    r.push_back(s.substr(at + sep.size(), end - at - sep.size()));
    end = at;
    if (end == 0) break;
  }
  r.push_back(s.substr(0, end));
  std::reverse(r.all().begin(), r.all().end());
  return strings(r);
}
// By bytes, those of the line separators U+2028 and U+2029 among them; what ends a line is kept as
// a piece of its own.
IValue splitlines(S s, bool keep) {
  constexpr std::string_view kEnds = "\n\r\v\f\x1c\x1d\x1e\x85\xe2\x80\xa8\xa9";
  Pieces r;
  size_t at = 0;
  for (size_t i = s.find_first_of(kEnds); i != std::string::npos; i = s.find_first_of(kEnds, at)) {
    r.push_back(s.substr(at, i - at));
    if (keep) r.push_back(s.substr(i, 1));
    at = i + 1;
  }
  if (at < s.size()) r.push_back(s.substr(at));
  return strings(r);
}
std::tuple<std::string, std::string, std::string> partition(S s, S sep) {
  size_t at = find_in(s, sep, 0);
  if (at == std::string::npos) return {s, "", ""};
  return {s.substr(0, at), sep, s.substr(at + sep.size())};
}
std::tuple<std::string, std::string, std::string> rpartition(S s, S sep) {
  size_t at = s.rfind(sep);
  if (at == std::string::npos) return {"", "", s};
  return {s.substr(0, at), sep, s.substr(at + sep.size())};
}
void join(Call& c) {
  std::string r;
  auto& v = c.in(1).toListRef().items;
  double size = 0;
  for (auto& x : v)
    size += static_cast<double>(x.toStringRef().size() + c.in(0).toStringRef().size());
  expect_memory(size);
  for (size_t i = 0; i < v.size(); ++i) r += (i ? c.in(0).toStringRef() : "") + v[i].toStringRef();
  c.out(0, std::move(r));
}
std::string fill_char(S f) {
  if (f.size() != 1)
    raise<OpError>("TypeError: The fill character must be exactly one character long");
  return f;
}
// What a text lacks to a width.
int64_t missing(int64_t width, S s) {
  const auto size = static_cast<int64_t>(s.size());
  return width > size ? width - size : 0;
}
std::string pad_string(int64_t n, S f) {
  expect_memory(3 * static_cast<double>(n));
  constexpr int64_t kMost = int64_t{1} << 30;
  if (n > kMost) throw OutOfMemory("a text of " + std::to_string(n) + " letters");
  return std::string(static_cast<size_t>(std::max<int64_t>(n, 0)), f[0]);
}
std::string ljust(S s, int64_t w, S f) { return s + pad_string(missing(w, s), fill_char(f)); }
std::string rjust(S s, int64_t w, S f) { return pad_string(missing(w, s), fill_char(f)) + s; }
std::string center(S s, int64_t w, S f) {
  fill_char(f);
  int64_t n = missing(w, s);
  if (n == 0) return s;
  const int64_t left = n / 2 + (n % 2 && w % 2 ? 1 : 0);
  return pad_string(left, f) + s + pad_string(n - left, f);
}
std::string zfill(S s, int64_t w) { return pad_string(missing(w, s), "0") + s; }
std::string expandtabs(S s, int64_t n) {
  std::string r;
  int64_t col = 0;
  for (char c : s) {
    if (c == '\t') {
      if (n > 0) {
        int64_t k = n - col % n;
        expect_memory(static_cast<double>(r.size()) + static_cast<double>(k));
        r += std::string(static_cast<size_t>(k), ' ');
        col += k;
      }
    } else {
      r += c;
      col = c == '\n' || c == '\r' ? 0 : col + 1;
    }
  }
  return r;
}
std::string add(S a, S b) { return a + b; }
int64_t ord(S s) {
  if (s.size() != 1) raise<OpError>("String for ord() must be 1 character, found ", s.size());
  return static_cast<unsigned char>(s[0]);
}
std::string chr(int64_t i) {
  if (i < 0 || i >= 1114111) raise<OpError>("chr() arg not in range(0x110000), found ", i);
  return std::string(1, static_cast<char>(i));
}
std::string radix(int64_t i, const char* prefix, unsigned base) {
  std::string d;
  uint64_t v = i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
  do {
    d += "0123456789abcdef"[v % base];
    v /= base;
  } while (v);
  return (i < 0 ? "-" : "") + std::string(prefix) + std::string(d.rbegin(), d.rend());
}
std::string bin(int64_t i) { return radix(i, "0b", 2); }
std::string oct(int64_t i) { return radix(i, "0o", 8); }
std::string hex(int64_t i) { return radix(i, "0x", 16); }

void str(Call& c) { c.out(0, ivalue_str(c.in(0))); }
void format(Call& c) {
  const std::string& f = c.in(0).toStringRef();
  std::string r;
  size_t at = 0;
  uint32_t next = 1;
  for (size_t b; (b = f.find("{}", at)) != std::string::npos; at = b + 2) {
    if (next >= c.n_in()) raise<OpError>("Too few arguments for format string: ", f);
    r += f.substr(at, b - at) + ivalue_str(c.in(next++));
  }
  c.out(0, r + f.substr(at));
}
void percent_format(Call& c) {
  const std::string& f = c.in(0).toStringRef();
  std::vector<IValue> args;
  for (uint32_t i = 1; i < c.n_in(); ++i) args.push_back(c.in(i));
  if (args.size() == 1 && args[0].isTuple()) args = std::vector<IValue>(args[0].toTupleRef().items);
  std::string r;
  size_t next = 0;
  for (size_t i = 0; i < f.size(); ++i) {
    if (f[i] != '%') {
      r += f[i];
      continue;
    }
    if (++i >= f.size()) raise<OpError>("Incomplete format specifier");
    char k = f[i];
    if (k == '%') {
      r += '%';
      continue;
    }
    if (next >= args.size()) raise<OpError>("Too few arguments for format string");
    const IValue& v = args[next++];
    auto number = [&] {
      if (!v.isScalar() || v.isComplexDouble())
        raise<OpError>("%", k, " requires a number for formatting, but got ", v.tag_name());
    };
    char buf[400];
    switch (k) {
      case 's': r += ivalue_str(v); break;
      case 'd':
      case 'i':
        number();
        if (!v.isDouble())
          r += std::to_string(v.toInt());
        else if (const double d = v.toDouble(); d > -2147483649.0 && d < 2147483648.0)
          r += std::to_string(static_cast<int>(d));
        else
          r += std::to_string(INT_MIN);  // the x86 answer
        break;
      case 'e':
      case 'E':
      case 'f':
      case 'F': {
        number();
        double d = v.isDouble() ? v.toDouble() : static_cast<double>(v.toInt());
        const char* how = k == 'e' ? "%e" : k == 'E' ? "%E" : k == 'f' ? "%f" : "%F";
        std::snprintf(buf, sizeof buf, how, static_cast<double>(static_cast<float>(d)));
        r += buf;
        break;
      }
      case 'c':
        if (v.isInt())
          r += static_cast<char>(v.toInt());
        else if (v.isString() && v.toStringRef().size() == 1)
          r += v.toStringRef();
        else
          raise<OpError>("%c requires an int or char for formatting, but got ", v.tag_name());
        break;
      default:
        raise<OpError>("The specifier %", k, " is not supported in TorchScript format strings");
    }
  }
  if (next < args.size()) raise<OpError>("Too many arguments for format string");
  c.out(0, std::move(r));
}
std::string string_index(S s, int64_t i) {
  auto n = static_cast<int64_t>(s.size());
  if (i < 0) i += n;
  if (i < 0 || i >= n) raise<OpError>("string index out of range");
  return std::string(1, s[static_cast<size_t>(i)]);
}

constexpr OpDef kOps[] = {
    // clang-format off
    op<map<down>>("aten::lower"), op<map<up>>("aten::upper"), op<map<swap_case>>("aten::swapcase"), op<capitalize>("aten::capitalize"), op<title>("aten::title"),
    op<every<alnum>>("aten::isalnum"), op<every<alpha>>("aten::isalpha"), op<every<digit>>("aten::isdigit"), op<every<digit>>("aten::isdecimal"), op<every<digit>>("aten::isnumeric"), op<every<space>>("aten::isspace"),
    op<isprintable>("aten::isprintable"), op<islower>("aten::islower"), op<isupper>("aten::isupper"), op<istitle>("aten::istitle"), op<isidentifier>("aten::isidentifier"),
    op<find>("aten::find"), op<rfind>("aten::rfind"), op<index>("aten::index.str"), op<rindex>("aten::rindex"), op<count>("aten::count"), op<startswith>("aten::startswith"), op<endswith>("aten::endswith"),
    op<replace>("aten::replace"), op<strip>("aten::strip"), op<lstrip>("aten::lstrip"), op<rstrip>("aten::rstrip"), op<split>("aten::split.str"), op<rsplit>("aten::rsplit"), op<splitlines>("aten::splitlines"),
    op<partition>("aten::partition"), op<rpartition>("aten::rpartition"), raw("aten::join", join), op<ljust>("aten::ljust"), op<rjust>("aten::rjust"), op<center>("aten::center"), op<zfill>("aten::zfill"), op<expandtabs>("aten::expandtabs"),
    op<add>("aten::add.str"), op<ord>("aten::ord"), op<chr>("aten::chr"), op<bin>("aten::bin"), op<oct>("aten::oct"), op<hex>("aten::hex"), raw("aten::str", str), raw("aten::format", format),
    raw("aten::percentFormat", percent_format), op<string_index>("prim::StringIndex"), op<string_index>("aten::__getitem__.str"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kStringOps;
const OpTable::RowList kStringOps = rows_in_build<kOps>();

}  // namespace sconce::ops
