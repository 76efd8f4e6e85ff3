// SPDX-License-Identifier: Apache-2.0
// Two operators that custom_op.pt calls (make_custom_op.py says what they mean to PyTorch).
#include <sconce/sconce.h>

namespace {

// x + scale * y, element by element; x and y: float32 of the same sizes, C-contiguous.
sconce::Tensor scale_add(const sconce::Tensor& x, const sconce::Tensor& y, double scale) {
  if (x.sizes() != y.sizes() || x.dtype() != sconce::kFloat || y.dtype() != sconce::kFloat ||
      !x.is_contiguous() || !y.is_contiguous())
    sconce::raise<sconce::OpError>(
        "scale_add: two contiguous float tensors of one shape are wanted");
  sconce::Tensor out = sconce::empty(x.sizes());
  const float *a = x.data_ptr<float>(), *b = y.data_ptr<float>();
  float* o = out.data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); ++i) o[i] = a[i] + static_cast<float>(scale) * b[i];
  return out;
}

// The sizes and their product.
std::tuple<std::vector<int64_t>, int64_t> measure(const sconce::Tensor& x) {
  return {x.sizes().vec(), x.numel()};
}

constexpr sconce::CustomOp kOps[] = {
    sconce::op<scale_add>(
        "sconce_example::scale_add(Tensor x, Tensor y, float scale=2.0) -> Tensor"),
    sconce::op<measure>("sconce_example::measure(Tensor x) -> (int[] sizes, int count)"),
};

}  // namespace

SCONCE_PLUGIN(kOps)
