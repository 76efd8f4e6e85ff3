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
// UTF-8 become "\x1b", and what begins a line as a runner's command ("::error ...") "\x3a:error
// ...". So nothing in a file talks to the terminal, or to the service that keeps what was printed.
std::string printable(const std::string& s);
// The same for a place within a line: line ends and tabs become "\n" and "\t", so that a name can't
// write lines of its own into a report.
std::string printable_line(const std::string& s);

}  // namespace sconce::tool
