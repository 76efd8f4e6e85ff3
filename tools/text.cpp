// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <cstdio>

namespace sconce::tool {

namespace {

// Bytes of the UTF-8 character at i; 0 when there is none.
size_t utf8_length(const std::string& s, size_t i) {
  auto byte = [&](size_t k) { return static_cast<unsigned char>(s[k]); };
  unsigned char c = byte(i);
  size_t n = c < 0x80                ? 1
             : c >= 0xc2 && c < 0xe0 ? 2
             : c >= 0xe0 && c < 0xf0 ? 3
             : c >= 0xf0 && c < 0xf5 ? 4
                                     : 0;
  if (n == 0 || i + n > s.size()) return 0;
  for (size_t k = i + 1; k < i + n; ++k)
    if ((byte(k) & 0xc0) != 0x80) return 0;
  // Longer than needed, surrogates, beyond the last character.
  if (n > 2) {
    unsigned char d = byte(i + 1);
    if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d >= 0xa0) || (c == 0xf0 && d < 0x90) ||
        (c == 0xf4 && d >= 0x90))
      return 0;
  }
  return n;
}

// Nothing lies between a line end and i but blanks, of any alphabet.
bool begins_line(const std::string& s, size_t i) {
  while (i > 0 && s[i - 1] != '\n' && (s[i - 1] <= ' ' || (s[i - 1] & 0x80))) --i;
  return i > 0 && s[i - 1] == '\n';
}

}  // namespace

std::string with_commas(int64_t n) {
  std::string s = std::to_string(n);
  for (size_t at = s.size(), least = n < 0 ? 4 : 3; at > least;) s.insert(at -= 3, ",");
  return s;
}

std::string byte_text(uint64_t n) {
  if (n < 1024) return std::to_string(n) + " B";
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double x = static_cast<double>(n) / 1024;
  size_t unit = 0;
  for (; x >= 1024 && unit < 3; ++unit) x /= 1024;
  char text[48];
  std::snprintf(text, sizeof text, "%.1f %s", x, kUnits[unit]);
  return text;
}

std::string printable(const std::string& s) {
  std::string r;
  for (size_t i = 0; i < s.size();) {
    size_t n = utf8_length(s, i);
    auto c = static_cast<unsigned char>(s[i]);
    // 0xc2 0x80 to 0x9f are control characters too.
    bool control = (n == 1 && (c < 32 || c == 127) && c != '\n' && c != '\t') ||
                   (n == 2 && c == 0xc2 && static_cast<unsigned char>(s[i + 1]) < 0xa0);
    // Of a line of its own, what the runners of CI services would obey: "::error ...", "##[...".
    if ((s.compare(i, 2, "::") == 0 || s.compare(i, 3, "##[") == 0) && begins_line(s, i))
      control = true;
    if (n > 0 && !control) {
      r.append(s, i, n);
      i += n;
      continue;
    }
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", c);
    r += code;
    ++i;
  }
  return r;
}
std::string printable_line(const std::string& s) {
  std::string r;
  for (char c : printable(s)) {
    if (c == '\n')
      r += "\\n";
    else if (c == '\t')
      r += "\\t";
    else
      r += c;
  }
  return r;
}

}  // namespace sconce::tool
