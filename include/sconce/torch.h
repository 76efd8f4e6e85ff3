// SPDX-License-Identifier: Apache-2.0
// LibTorch's names for sconce: torch::, torch::jit::, at:: and c10::, so that ordinary inference
// code compiles with only its include line changed.
#pragma once
#include <iostream>

#include "sconce/sconce.h"

namespace c10 {
using sconce::ArrayRef;
using sconce::Device;
using sconce::Error;
using sconce::IntArrayRef;
using sconce::IValue;
using sconce::ScalarType;
using DeviceType = sconce::DeviceType;
template <class T>
using optional = std::optional<T>;
constexpr std::nullopt_t nullopt = std::nullopt;
}  // namespace c10

namespace at {
using sconce::ArrayRef;
using sconce::Device;
using sconce::IntArrayRef;
using sconce::IValue;
using sconce::ScalarType;
using sconce::Tensor;
using DeviceType = sconce::DeviceType;
constexpr auto kCPU = sconce::DeviceType::CPU;
using sconce::kBool;
using sconce::kByte;
using sconce::kDouble;
using sconce::kFloat;
using sconce::kHalf;
using sconce::kInt;
using sconce::kLong;
}  // namespace at

namespace torch {
using at::ArrayRef;
using at::Device;
using at::DeviceType;
using at::IntArrayRef;
using at::IValue;
using at::kBool;
using at::kByte;
using at::kCPU;
using at::kDouble;
using at::kFloat;
using at::kHalf;
using at::kInt;
using at::kLong;
using at::ScalarType;
using at::Tensor;
constexpr auto kFloat32 = kFloat;
constexpr auto kFloat64 = kDouble;
constexpr auto kInt32 = kInt;
constexpr auto kInt64 = kLong;
constexpr auto kUInt8 = kByte;
using c10::nullopt;
using sconce::empty;
using sconce::from_blob;
using sconce::full;
using sconce::manual_seed;
using sconce::ones;
using sconce::rand;
using sconce::randn;
using sconce::zeros;
// sconce records no gradients.
struct NoGradGuard {
  NoGradGuard() {}
};
using InferenceMode = NoGradGuard;
inline Tensor softmax(const Tensor& t, int64_t dim) { return t.softmax(dim); }
inline Tensor argmax(const Tensor& t, std::optional<int64_t> dim = std::nullopt,
                     bool keepdim = false) {
  return t.argmax(dim, keepdim);
}
inline void set_num_threads(int) {}

namespace jit {
using sconce::IValue;
using sconce::Kwargs;
using sconce::load;
using sconce::Method;
using sconce::Module;
namespace script {
using sconce::Method;
using sconce::Module;
}  // namespace script
}  // namespace jit
}  // namespace torch
