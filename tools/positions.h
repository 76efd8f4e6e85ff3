// SPDX-License-Identifier: Apache-2.0
// Where nodes come from, said without a folder of any machine.
#pragma once
#include <string>

#include "ir/source.h"

namespace sconce::tool {

// "/home/me/net.py" is "net.py", "/usr/lib/python3/site-packages/torch/nn/modules/conv.py" is
// "torch/nn/modules/conv.py", "folder/model.pt:code/__torch__.py" is "model.pt:code/__torch__.py".
std::string without_folders(const std::string& path);
// file:line:column of the model's Python where that is known, else of the archive's code. Empty
// without a source.
std::string short_position(const SourceRange& r);
// print_graph(g) as people get it: PyTorch's text, except that the archive is named without its
// folder.
std::string graph_text(const Graph& g);

}  // namespace sconce::tool
