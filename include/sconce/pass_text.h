// SPDX-License-Identifier: Apache-2.0
// Passes on graph text, for hosts that hold graphs as texts.
#pragma once
#include <string>

#include "sconce/export.h"

namespace sconce {

// Reads a graph's text, runs the pipeline on it ("inline,dce", as sconce/pass.h says) and prints
// what it became. Throws ScriptError for what is no graph, Error for a graph that breaks a rule and
// for a pass that isn't there or needs a module.
SCONCE_API std::string run_passes_on_text(const std::string& graph_text,
                                          const std::string& pipeline);

}  // namespace sconce
