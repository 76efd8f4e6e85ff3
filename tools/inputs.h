// SPDX-License-Identifier: Apache-2.0
// Inputs given on the command line: Python's literals, generated tensors and files.
#pragma once
#include <string>
#include <vector>

#include "image.h"
#include "sconce/sconce.h"

namespace CLI {
class App;
}

namespace sconce::tool {

struct InputOptions {
  std::vector<std::string> texts;  // one for each argument
  ImageOptions image;
};
// Adds --input and the options of pictures.
void add_input_options(CLI::App& c, InputOptions& o);
// Adds --numerics (sconce/options.h).
void add_numerics_option(CLI::App& c, Numerics& o);
// The grammar, for --help.
extern const char* const kInputHelp;

// Throws FormatError for a file that is bad or isn't there, UsageError for text that the
// grammar doesn't know.
IValue parse_input(const std::string& text, const ImageOptions& image = {});
std::vector<IValue> parse_inputs(const InputOptions& o);
// The inputs of a call, as Python would give them for the method's parameters. Throws
// UsageError when one is of a wrong kind, or too few or too many are given.
std::vector<IValue> method_inputs(const Module& m, const std::string& method,
                                  const std::vector<IValue>& given);

}  // namespace sconce::tool
