// SPDX-License-Identifier: Apache-2.0
// Where the boxes of a picture's groups stand, by Graphviz.
#pragma once
#include <optional>

#include "picture.h"

namespace sconce::tool {

// In pixels, x to the right and y down; every group for itself, with all groups in it closed.
struct Layout {
  struct Box {
    double x, y, width, height;  // of the middle
  };
  struct Point {
    double x, y;
  };
  double width = 0, height = 0;
  std::vector<Box> boxes;  // as Group::boxes
  std::vector<std::vector<Point>>
      edges;  // as Group::edges: a start and three points for each Bezier piece
};

struct Layouts {
  std::vector<std::optional<Layout>> groups;  // those that have one
  std::string missing;                        // why some have none; may be empty
};
// Graphviz' program `dot` is asked once for all groups, and gets nothing but sizes and numbers: no
// text of the model.
Layouts lay_out(const Picture& p, int seconds);

}  // namespace sconce::tool
