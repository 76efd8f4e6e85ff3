// SPDX-License-Identifier: Apache-2.0
// The boxes of a picture, made from its nodes.
#pragma once
#include "picture.h"

namespace sconce::tool {

// A block, or a subgraph, and where its nodes stand in Picture::nodes.
struct BlockNodes {
  std::vector<size_t> nodes;            // in order
  std::vector<size_t> inputs, outputs;  // values
};
// blocks[n]: those of node n. Fills groups and the nodes' places.
void make_boxes(Picture& p, const BlockNodes& top,
                const std::vector<std::vector<BlockNodes>>& blocks);

}  // namespace sconce::tool
