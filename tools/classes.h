// SPDX-License-Identifier: Apache-2.0
// A classifier's answer for people: the names of its best classes, with bars.
#pragma once
#include <iosfwd>
#include <string>
#include <vector>

#include "sconce/sconce.h"

namespace CLI {
class App;
}

namespace sconce::tool {

struct ClassOptions {
  std::string labels;  // file of names; empty: the archive's own
  int top = 0;         // classes to show; 0: the option wasn't given
  // The answer is to be shown as classes.
  bool wanted() const { return top > 0 || !labels.empty(); }
};
void add_class_options(CLI::App& c, ClassOptions& o);

// The record of an archive that names its classes: extra/labels.txt.
extern const char* const kLabelRecord;

// Names by class, out of text in one of the usual forms: a name in each line; JSON: a list of
// names, or an object of numbers and names, of numbers and lists that end in the name (ImageNet's
// index), or one that holds such an object as "id2label". Throws FormatError.
std::vector<std::string> parse_labels(const std::string& text, const std::string& file);

// Writes the best classes of each row of scores: [classes] or [pictures, classes], of any real
// dtype. Numbers that aren't probabilities yet go through softmax. Of a tuple it is the first
// tensor, of a dict "logits", else the first. labels: of the archive, used where the options name
// no file; may be empty, then numbers are shown. Throws Error for an answer of another kind, or
// where there are not as many names as classes.
void print_classes(std::ostream& os, const IValue& answer, const ClassOptions& o,
                   const std::string& labels);

}  // namespace sconce::tool
