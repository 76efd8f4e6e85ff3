// SPDX-License-Identifier: Apache-2.0
// Inputs given on the command line: Python's literals, generated tensors and files.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "image.h"
#include "sconce/sconce.h"

namespace sconce::tool {

struct InputOptions {
  std::vector<std::string> texts;  // one for each argument
  ImageOptions image;
};
// Adds --input and the options of pictures.
void add_input_options(CLI::App& c, InputOptions& o);
// The grammar, for --help.
extern const char* const kInputHelp;

// Throws FormatError for a file that is bad or isn't there, CLI::ValidationError for text that the
// grammar doesn't know.
IValue parse_input(const std::string& text, const ImageOptions& image = {});
std::vector<IValue> parse_inputs(const InputOptions& o);

}  // namespace sconce::tool
