// SPDX-License-Identifier: Apache-2.0
// Numbers and foreign text for people to read.
#pragma once
#include <cstdint>
#include <string>

namespace sconce::tool {

// 12345678 as "12,345,678".
std::string with_commas(int64_t n);
// "417.7 MiB"
std::string byte_text(uint64_t n);
// Text of a file that may be anything: control characters (line ends and tabs aside) and what is no
// UTF-8 become "\x1b". So nothing in a file talks to the terminal.
std::string printable(const std::string& s);

}  // namespace sconce::tool
