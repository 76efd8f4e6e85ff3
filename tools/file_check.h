// SPDX-License-Identifier: Apache-2.0
// Expectations of a text, written in another text, as LLVM's FileCheck and PyTorch's have them:
//
//     # CHECK: aten::conv2d          somewhere below the match before
//     # CHECK-NEXT: aten::relu       on the line after it        CHECK-SAME: on its line
//     # CHECK-NOT: aten::batch_norm  not between the matches around it
//     # CHECK-DAG: ...               neighbouring ones in any order
//     # CHECK-COUNT-3: aten::add     three times; CHECK-COUNT-3-EXACTLY: and not again
//     # CHECK-LABEL: graph(          what stands between two labels is looked for there only
//
// [[X:regex]] names what it finds, [[X]] is that again, {{regex}} is a regular expression
// (ECMAScript); runs of blanks are one blank. What is looked for doesn't go over the end of a line.
#pragma once
#include <string>

namespace sconce::tool {

// What is wrong, as LLVM writes it (one error, and notes of where); empty when all holds. The names
// are for messages. prefix: instead of CHECK. Throws Error for expectations that can't be
// understood, or when there are none.
std::string file_check(const std::string& expectations, const std::string& name,
                       const std::string& input, const std::string& input_name,
                       const std::string& prefix = "CHECK");

}  // namespace sconce::tool
