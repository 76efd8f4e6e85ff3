// SPDX-License-Identifier: Apache-2.0
// Answers for people: nested values as a tree, large tensors as what they are like.
#pragma once
#include <iosfwd>
#include <string>

#include "sconce/sconce.h"

namespace sconce::tool {

// Tensors of up to 1000 elements stand there whole, as LibTorch prints them; of larger ones the
// shape, range, mean and corners, unless all of it is wanted. The line ends are written too.
void print_value(std::ostream& os, const IValue& v, bool full = false);

// "float32 [1, 1000], from -3.25 to 11.5, mean 0.0421, 2 nan"
std::string describe_tensor(const Tensor& t);
// The tensor with its first and last three places of each dim, as numpy and PyTorch print it.
std::string tensor_corners(const Tensor& t);
}  // namespace sconce::tool
