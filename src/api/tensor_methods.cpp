// SPDX-License-Identifier: Apache-2.0
// The Tensor methods and factories of the public API; each is the aten operator of its name.
#include "api/runtime.h"
#include "backends/kernels.h"
#include "core/device.h"
#include "ops/tensor_ops.h"

namespace sconce {

namespace {
// Outside a call there is no kernel table yet.
struct Direct {
  Direct() { op_table(); }
  explicit Direct(const Tensor& t) {
    op_table();
    if (t.defined() && t.impl()->storage) scope.emplace(t.impl()->storage->device());
  }
  std::optional<DeviceScope> scope;
};
}  // namespace

double Tensor::item_double() const {
  Direct direct(*this);
  ops::Scalar s = ops::item(*this);
  return s.is_floating() || s.is_complex() ? s.d : static_cast<double>(s.i);
}
int64_t Tensor::item_int() const {
  Direct direct(*this);
  return ops::item(*this).i;
}

Tensor Tensor::argmax(std::optional<int64_t> dim, bool keepdim) const {
  Direct direct(*this);
  return ops::argmax(*this, dim, keepdim);
}
Tensor Tensor::select(int64_t dim, int64_t index) const { return ops::select(*this, dim, index); }
Tensor Tensor::slice(int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                     int64_t step) const {
  return ops::slice(*this, dim, start, end, step);
}
Tensor Tensor::view(IntArrayRef size) const { return ops::view(*this, size); }
Tensor Tensor::reshape(IntArrayRef size) const {
  Direct direct(*this);
  return ops::reshape(*this, size);
}
Tensor Tensor::permute(IntArrayRef dims) const { return ops::permute(*this, dims); }
Tensor Tensor::transpose(int64_t a, int64_t b) const { return ops::transpose(*this, a, b); }
Tensor Tensor::unsqueeze(int64_t dim) const { return ops::unsqueeze(*this, dim); }
Tensor Tensor::squeeze() const {
  Tensor t = *this;
  for (int64_t d = dim() - 1; d >= 0; --d)
    if (t.size(d) == 1) t = ops::squeeze_dim(t, d);
  return t;
}
Tensor Tensor::flatten(int64_t start, int64_t end) const {
  Direct direct(*this);
  return ops::flatten(*this, start, end);
}
Tensor Tensor::contiguous() const {
  Direct direct(*this);
  return ops::contiguous(*this);
}
Tensor Tensor::clone() const {
  Direct direct(*this);
  return ops::clone(*this);
}
Tensor Tensor::to(ScalarType dtype) const {
  Direct direct(*this);
  return ops::cast(*this, dtype);
}
Tensor Tensor::to(Device device) const {
  Direct direct;
  return ops::on_device(*this, find_device(device));
}
Tensor Tensor::sum() const {
  Direct direct(*this);
  return ops::sum_dim(*this, {}, false, {});
}
Tensor Tensor::mean() const {
  Direct direct(*this);
  return ops::mean_dim(*this, {}, false, {});
}
Tensor Tensor::max() const {
  Direct direct(*this);
  return ops::reduce(Reduce::max, *this, ops::reduce_dims({}, dim()), false, dtype(), dtype());
}
Tensor Tensor::min() const {
  Direct direct(*this);
  return ops::reduce(Reduce::min, *this, ops::reduce_dims({}, dim()), false, dtype(), dtype());
}
Tensor Tensor::softmax(int64_t dim) const {
  Direct direct(*this);
  return ops::softmax_impl(*this, dim, dtype(), false);
}
Tensor Tensor::relu() const {
  Direct direct(*this);
  return ops::unary(Unary::relu, *this, dtype());
}
Tensor Tensor::operator+(const Tensor& o) const {
  Direct direct(*this);
  return ops::add(*this, o, 1);
}
Tensor Tensor::operator-(const Tensor& o) const {
  Direct direct(*this);
  return ops::sub(*this, o, 1);
}
Tensor Tensor::operator*(const Tensor& o) const {
  Direct direct(*this);
  return ops::mul(*this, o);
}
Tensor Tensor::operator/(const Tensor& o) const {
  Direct direct(*this);
  return ops::div(*this, o);
}
Tensor& Tensor::fill_(double v) {
  Direct direct(*this);
  ops::fill(*this, v);
  return *this;
}

Tensor zeros(IntArrayRef sizes, ScalarType dtype) { return full(sizes, 0, dtype); }
Tensor ones(IntArrayRef sizes, ScalarType dtype) { return full(sizes, 1, dtype); }
Tensor full(IntArrayRef sizes, double value, ScalarType dtype) {
  Tensor t = empty(sizes, dtype);
  t.fill_(value);
  return t;
}
Tensor randn(IntArrayRef sizes) {
  Direct direct;
  Tensor t = empty(sizes);
  ops::random_fill(t, Random::normal, 0, 1, 0, 0, nullptr);
  return t;
}
Tensor rand(IntArrayRef sizes) {
  Direct direct;
  Tensor t = empty(sizes);
  ops::random_fill(t, Random::uniform, 0, 1, 0, 0, nullptr);
  return t;
}
void manual_seed(uint64_t seed) {
  std::lock_guard<std::mutex> lock(default_context().generator->mutex);
  default_context().generator->manual_seed(seed);
}

}  // namespace sconce
