// SPDX-License-Identifier: Apache-2.0
// A graph as it is shown to people: its lines, and boxes within boxes, by module and by block.
// Plain data that outlives the graph, so that what a pass left can be compared with what it found.
// Indices are those of the vectors below.
#pragma once
#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph_file.h"

namespace sconce::tool {

struct Picture {
  static constexpr size_t kNone = ~size_t{0};
  // Larger graphs are text only: no page of theirs could be used.
  static constexpr size_t kMostNodes = 50'000;

  struct Value {
    std::string name, type;
    std::string content;  // "float32 [64, 3, 7, 7]" of a parameter or constant; mostly empty
    // Equal for what is the same constant or attribute, or was one and became the other; not shown.
    std::string identity;
    size_t node = kNone;  // that makes it; kNone for inputs of the graph and of blocks
  };
  // Where a node comes from: the model's Python, and the archive's TorchScript. Without folders of
  // the machine.
  struct Origin {
    std::string python;      // "net.py:12:8"; may be empty
    size_t source = kNone;   // the function that it stands in
    size_t source_line = 0;  // 0-based, in that
    std::string script,
        script_line;  // "model.pt:code/__torch__.py:16:8" and what stands there; may be empty
  };
  struct Node {
    std::string kind, schema, line, module;  // line: of the text, without indentation and comment
    std::string comment;                     // what the text says of its origin; may be empty
    std::vector<size_t> inputs, outputs;     // values
    std::vector<std::string> arguments;      // the schema's names of the inputs
    std::vector<std::pair<std::string, std::string>> attributes;
    struct Block {
      std::vector<size_t> inputs, outputs;  // values
    };
    std::vector<Block> blocks;
    Origin origin;
    // Constants and what is read of self aren't drawn; who uses them says what they are.
    bool hidden = false;
    size_t group = kNone;  // where its box stands; kNone when it has none
  };
  struct Source {
    std::string name, text;
    size_t first_line = 1;
  };

  // ---- what is drawn ----
  struct Box {
    enum class Kind { Node, Group, Inputs, Outputs } kind = Kind::Node;
    size_t index = 0;            // of the node or group
    std::vector<size_t> values;  // of Inputs and Outputs: what comes in here, or leaves
    std::string title, note;     // its two lines
  };
  struct Edge {
    size_t from, to;  // boxes of the same group
    std::vector<size_t> values;
  };
  struct Group {
    std::string title, note;
    size_t node = kNone;            // whose blocks are inside
    size_t parent = kNone, at = 0;  // where its box stands
    size_t depth = 0;
    std::vector<Box> boxes;
    std::vector<Edge> edges;  // without cycles
  };

  std::string text;                 // without comments
  std::vector<size_t> line_begins;  // of the node's line in text
  std::vector<Node> nodes;          // in the order of the text
  std::vector<Value> values;
  std::vector<size_t> inputs, outputs;  // values
  std::vector<Source> sources;
  std::unordered_map<std::string, std::string> classes;  // of the modules, by path: "BatchNorm2d"
  std::vector<Group> groups;                             // the first is the whole graph
  // Why nothing is to be drawn; empty when it is.
  std::string not_drawn;
};

// module: whose attributes self has; may be null. Throws LimitError above kMostNodes.
Picture picture_of(const Graph& g, const Object* module);

}  // namespace sconce::tool
