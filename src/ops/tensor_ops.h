// SPDX-License-Identifier: Apache-2.0
// What operator files share: type promotion, broadcasting, views, and the calls of kernel slots. No
// element pointers.
#pragma once
#include "backends/kernels.h"
#include "core/sizes.h"
#include "ops/op.h"

namespace sconce::ops {

TensorView view_of(const Tensor& t);
inline TensorView view_of(const Tensor* t) { return t ? view_of(*t) : TensorView{}; }
Number number(const Scalar& s);
Compute compute_for(ScalarType t);

// Dims. Throws OpError when d is out of range; a 0-dim tensor counts as one dim.
int64_t wrap_dim(int64_t d, int64_t ndim);
IntVec broadcast(IntArrayRef a, IntArrayRef b);
Tensor expand_to(const Tensor& t, IntArrayRef sizes);
// Where t's dims, permuted, are dense without overlap.
bool is_dense(const Tensor& t);
// Uninitialised, with the strides that an elementwise operator gives its result.
Tensor empty_elementwise(IntArrayRef sizes, ScalarType dtype,
                         std::initializer_list<const Tensor*> operands);
Tensor empty_like(const Tensor& t, ScalarType dtype);
inline Tensor empty_like(const Tensor& t) { return empty_like(t, t.dtype()); }

// Promotion.
ScalarType result_type(const Tensor& a, const Tensor& b);
ScalarType result_type(const Tensor& a, const Scalar& b);
ScalarType result_type(const TensorList& list);
inline ScalarType to_floating(ScalarType t) { return is_integral(t, true) ? kFloat : t; }
void check_castable(ScalarType from, ScalarType to);
ScalarType real_of(ScalarType complex);

// Slots.
void copy_to(const Tensor& out, const Tensor& in);  // broadcasts, casts
Tensor cast(const Tensor& t, ScalarType dtype);     // the same tensor when nothing changes
Tensor contiguous(const Tensor& t);
Tensor clone(const Tensor& t);
// clone with a memory format: none or preserve, contiguous, channels last.
Tensor clone_format(const Tensor& t, OptInt format);
// On another device (null: the CPU); strides stay where they are dense.
Tensor on_device(const Tensor& t, const DeviceRuntime* device);
void fill(const Tensor& out, const Scalar& v);
// Throws OpError when the dtype can't hold the number, as PyTorch's checked conversion has it.
void check_fits(const Scalar& v, ScalarType t);
Tensor scalar_tensor(const Scalar& v, ScalarType dtype);
Tensor unary(Unary op, const Tensor& x, ScalarType out, double p = 0, double q = 0, double r = 0);
Tensor unary_float(Unary op, const Tensor& x, double p = 0, double q = 0,
                   double r = 0);  // ints become float
Tensor binary(Binary op, const Tensor& a, const Tensor& b, ScalarType compute, ScalarType out,
              const Scalar& scale = Scalar(1));
Tensor binary_scalar(Binary op, const Tensor& a, const Scalar& b, ScalarType compute,
                     ScalarType out, const Scalar& scale = Scalar(1), bool swapped = false);
// Functions of a table row: integers become float.
template <Unary U>
Tensor floating(const Tensor& x) {
  return unary_float(U, x);
}
template <Binary B>
Tensor promoted_float(const Tensor& a, const Tensor& b) {
  ScalarType t = to_floating(result_type(a, b));
  return binary(B, a, b, t, t);
}
template <Binary B>
Tensor promoted_float_scalar(const Tensor& a, Scalar b) {
  ScalarType t = to_floating(result_type(a, b));
  return binary_scalar(B, a, b, t, t);
}
template <Binary B>
Tensor promoted_float_rscalar(Scalar a, const Tensor& b) {
  ScalarType t = to_floating(result_type(b, a));
  return binary_scalar(B, b, a, t, t, Scalar(1), true);
}

// Reads the only element. Ends what is being recorded.
Scalar item(const Tensor& t);
bool bool_of(const Tensor& t);
void host_read(const Tensor& t);
std::vector<int64_t> host_ints(const Tensor& t);
// Of the state of packed parameters, which PyTorch reads when it makes the object: a recorded call
// may take them for constant.
std::vector<int64_t> host_ints_of_state(const Tensor& t);
std::vector<double> host_doubles(const Tensor& t);

// Used across files; each is the aten operator of its name.
Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor add_scalar(const Tensor& a, Scalar b, Scalar alpha);
Tensor mul_scalar(const Tensor& a, Scalar b);
Tensor div_scalar(const Tensor& a, Scalar b);
Tensor eq_tensor(const Tensor& a, const Tensor& b);
Tensor lt_tensor(const Tensor& a, const Tensor& b);
Tensor where(const Tensor& c, const Tensor& a, const Tensor& b);
Tensor select(const Tensor& t, int64_t dim, int64_t index);
Tensor slice(const Tensor& t, int64_t dim, OptInt start, OptInt end, int64_t step);
Tensor narrow(const Tensor& t, int64_t dim, int64_t start, int64_t length);
Tensor view(const Tensor& t, IntVec size);
Tensor reshape(const Tensor& t, IntVec size);
Tensor permute(const Tensor& t, IntVec dims);
Tensor transpose(const Tensor& t, int64_t a, int64_t b);
Tensor unsqueeze(const Tensor& t, int64_t d);
Tensor squeeze_dim(const Tensor& t, int64_t d);
Tensor flatten(const Tensor& t, int64_t start, int64_t end);
Tensor expand(const Tensor& t, IntVec size, bool implicit);
Tensor cat(TensorList list, int64_t dim);
Tensor stack(TensorList list, int64_t dim);
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor linear(const Tensor& x, const Tensor& w, const Tensor* b);
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim, double eps);
// The p-norm of a - b + eps along the last dim.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keep);
Tensor softmax_impl(const Tensor& t, int64_t dim, ScalarType out, bool log);
Tensor reduce(Reduce op, const Tensor& t, const IntVec& dims, bool keepdim, ScalarType compute,
              ScalarType out, double p = 0);
IntVec reduce_dims(const OptInts& dims, int64_t ndim);
Tensor sum_dim(const Tensor& t, OptInts dims, bool keepdim, OptInt dtype);
Tensor mean_dim(const Tensor& t, OptInts dims, bool keepdim, OptInt dtype);
Tensor argmax(const Tensor& t, OptInt dim, bool keepdim);
Tensor masked_fill(const Tensor& t, const Tensor& mask, Scalar v);
Tensor index(const Tensor& t, const OptTensorList& indices);
Tensor index_put_(const Tensor& t, const OptTensorList& indices, const Tensor& values,
                  bool accumulate);
Tensor index_select(const Tensor& t, int64_t dim, const Tensor& index);
Tensor gather(const Tensor& t, int64_t dim, const Tensor& index, bool sparse);
Tensor layer_norm(const Tensor& x, IntVec shape, const Tensor* w, const Tensor* b, double eps,
                  bool cudnn);
Tensor dropout(const Tensor& x, double p, bool train);
Tensor arange_ints(int64_t n, ScalarType dtype);
OptTensorList to_opt_tensors(const IValue& v);
Tensor zeros_like_of(const Tensor& t);
// One number for each of n dims: a single one is repeated.
IntVec spread(const IntVec& v, int64_t n);
// Adaptive pooling over the last dims.
std::tuple<Tensor, Tensor> adaptive(Pool op, int64_t nd, const Tensor& x0, IntVec size,
                                    bool indices);
Tensor convolve(const Tensor& x, const Tensor& w, const Tensor* b, IntVec stride, IntVec padding,
                IntVec dilation, bool transposed, IntVec output_padding, int64_t groups);
std::tuple<Tensor, Tensor, Tensor, Tensor> bag_of_embeddings(const Tensor& w, const Tensor& i,
                                                             const Tensor& offsets, int64_t mode,
                                                             const Tensor* weights, bool last);
Tensor dequantize(const Tensor& t);
std::tuple<Tensor, Tensor> sort_impl(const Tensor& t, int64_t dim, bool descending);
Tensor nonzero(const Tensor& t);
ScalarType to_scalar_type(int64_t v);
inline ScalarType dtype_or(const OptInt& d, ScalarType fallback) {
  return d ? to_scalar_type(*d) : fallback;
}
Tensor triangle(const Tensor& t, int64_t diagonal, bool upper);
Generator& generator_or_default(Generator* g);
void random_fill(const Tensor& t, Random op, double p, double q, int64_t lo, int64_t hi,
                 Generator* g, const Tensor* in = nullptr, const Tensor* in2 = nullptr);

// In-place form of a functional operator: computes and copies into the first argument.
Tensor copy_result(const Tensor& self, const Tensor& result);
// Throws OpError when elements of self share memory.
void check_writable(const Tensor& self);

}  // namespace sconce::ops
