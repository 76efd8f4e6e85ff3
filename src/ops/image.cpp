// SPDX-License-Identifier: Apache-2.0
// Interpolation and sampling of images.
#include <algorithm>
#include <cmath>

#include "backends/to_integer.h"
#include "ops/channels_last.h"

namespace sconce::ops {

namespace {

size_t z(int64_t i) { return static_cast<size_t>(i); }

Tensor resize(const Tensor& x, Resize op, const IntVec& size, bool align, bool aa,
              const std::vector<double>& scales) {
  int64_t nd = x.dim() - 2;
  if (static_cast<int64_t>(size.size()) != nd || nd < 1 || nd > 3)
    raise<OpError>("It is expected output_size equals to ", nd, ", but got size ", size.size());
  if (x.numel() == 0 && x.size(0) != 0)
    raise<OpError>("Non-empty ", x.dim(), "D data tensor expected but got a tensor with sizes ",
                   x.sizes());
  for (int64_t i = 2; i < x.dim(); ++i)
    if (x.size(i) == 0)
      raise<OpError>("Input and output sizes should be greater than 0, but got input ", x.sizes());
  IntVec s{x.size(0), x.size(1)};
  for (int64_t v : size) {
    if (v <= 0 || v > (int64_t{1} << 31))
      raise<OpError>("Input and output sizes should be greater than 0, but got output ",
                     IntArrayRef(size));
    s.push_back(v);
  }
  if (aa && x.dtype() != kFloat && x.dtype() != kDouble && x.dtype() != kByte) {
    bool same = true;
    for (int64_t i = 0; i < nd; ++i) same &= size[z(i)] == x.size(i + 2);
    if (!same)
      raise<OpError>("\"compute_index_ranges_weights\" not implemented for '",
                     scalar_type_name(x.dtype()), "'");
    return clone(x);
  }
  bool cl = x.dim() == 4 && x.is_channels_last() && !x.is_contiguous();
  Tensor r = cl ? empty_strided(s, channels_last_strides(s), x.dtype()) : empty(s, x.dtype());
  r.mutable_impl()->quantizer = x.impl()->quantizer;
  if (r.numel()) {
    ResizeArgs a{};
    a.out = view_of(r);
    a.in = view_of(x);
    a.op = op;
    a.align_corners = align;
    a.antialias = aa;
    for (size_t i = 0; i < scales.size() && i < 3; ++i) a.scale[i] = scales[i];
    call_slot(a);
  }
  return r;
}
IntVec resized(const Tensor& x, const OptInts& size,
               const std::optional<std::vector<double>>& scales) {
  if (x.dim() < 3 || x.dim() > 5)
    raise<OpError>("Only 3D, 4D and 5D input tensors are supported, but got ", x.dim(), "D");
  if (size) return *size;
  if (scales && static_cast<int64_t>(scales->size()) != x.dim() - 2)
    raise<OpError>("It is expected scale_factors equals to ", x.dim() - 2, ", but got size ",
                   scales->size());
  if (!scales) raise<OpError>("Must specify exactly one of output_size and scale_factors");
  IntVec r;
  for (size_t i = 0; i < scales->size(); ++i)
    r.push_back(to_integer<int64_t>(
        std::floor(static_cast<double>(x.size(static_cast<int64_t>(i) + 2)) * (*scales)[i])));
  return r;
}
std::optional<std::vector<double>> opt_doubles(const IValue& v) {
  return v.isNone() ? std::nullopt : std::optional<std::vector<double>>(to_doubles(v));
}
// "upsample_nearest2d" wants [N, C, H, W].
void check_dims(const Call& c, const Tensor& x) {
  std::string_view name = c.op()->name();
  size_t d = name.find_first_of("123");
  if (d != std::string_view::npos && x.dim() != name[d] - '0' + 2)
    raise<OpError>(name, ": expected an input of ", name[d] - '0' + 2, " dims, got ", x.sizes());
}
// upsample_*.vec(input, output_size, [align_corners,] scale_factors)
template <Resize R, bool AA>
void upsample_vec(Call& c) {
  const Tensor& x = tensor_in(c, 0);
  check_dims(c, x);
  auto scales = opt_doubles(c.in(c.n_in() - 1));
  OptInts size = c.in(1).isNone() ? OptInts() : OptInts(to_ints(c.in(1)));
  if (size.has_value() == scales.has_value())
    raise<OpError>("Must specify exactly one of output_size and scale_factors");
  bool align = c.n_in() == 4 && c.in(2).toBool();
  c.out(0, resize(x, R, resized(x, size, scales), align, AA,
                  scales && !size ? *scales : std::vector<double>{}));
}
// upsample_*(self, output_size, [align_corners,] scales...)
template <Resize R, bool AA>
void upsample_plain(Call& c) {
  const Tensor& x = tensor_in(c, 0);
  check_dims(c, x);
  bool has_align = c.op()->schema().argument_index("align_corners") == 2;
  std::vector<double> scales;
  for (uint32_t i = has_align ? 3 : 2; i < c.n_in(); ++i)
    scales.push_back(c.in(i).isNone() ? 0 : c.in(i).toDouble());
  c.out(0, resize(x, R, to_ints(c.in(1)), has_align && c.in(2).toBool(), AA, scales));
}
void interpolate(Call& c) {
  const Tensor& x = tensor_in(c, 0);
  std::string mode = c.in(3).toString();
  int64_t nd = x.dim() - 2;
  if (nd < 1 || nd > 3)
    raise<OpError>("Only 3D, 4D and 5D input tensors are supported, but got ", x.dim(), "D");
  if (mode != "nearest" && mode != "nearest-exact" && mode != "area" && mode != "bicubic" &&
      mode != "linear" && mode != "bilinear" && mode != "trilinear")
    raise<OpError>("interpolation mode ", mode, " is not known");
  bool align = !c.in(4).isNone() && c.in(4).toBool(),
       recompute = !c.in(5).isNone() && c.in(5).toBool();
  OptInts size;
  std::optional<std::vector<double>> scales;
  if (!c.in(1).isNone()) size = spread(to_ints(c.in(1)), nd);
  if (!c.in(2).isNone()) {
    scales = c.in(2).isList() ? to_doubles(c.in(2)) : std::vector<double>{c.in(2).toDouble()};
    if (scales->size() == 1) scales->assign(z(nd), (*scales)[0]);
  }
  IntVec out = resized(x, size, scales);
  bool aa = c.n_in() > 6 && c.in(6).toBool();
  if (mode == "area") return c.out(0, std::get<0>(adaptive(Pool::avg, nd, x, out, false)));
  Resize r = mode == "nearest"         ? Resize::nearest
             : mode == "nearest-exact" ? Resize::nearest_exact
             : mode == "bicubic"       ? Resize::cubic
                                       : Resize::linear;
  c.out(0, resize(x, r, out, align, aa,
                  scales && !size && !recompute ? *scales : std::vector<double>{}));
}
Tensor grid_sampler(const Tensor& x, const Tensor& g, int64_t mode, int64_t padding, bool align) {
  if (x.dim() != g.dim() || x.dim() < 4 || x.dim() > 5 || g.size(-1) != x.dim() - 2 ||
      x.size(0) != g.size(0))
    raise<OpError>("grid_sampler(): expected input and grid to fit, but got ", x.sizes(), " and ",
                   g.sizes());
  constexpr int64_t kModes = 3;  // bilinear, nearest, bicubic; zeros, border, reflection
  if (mode < 0 || mode >= kModes || padding < 0 || padding >= kModes)
    raise<OpError>("grid_sampler(): interpolation mode ", mode, " or padding mode ", padding,
                   " is not known");
  for (int64_t d = 2; d < x.dim(); ++d)
    if (x.size(d) == 0)
      raise<OpError>(
          "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
          "sizes ",
          x.sizes(), " with dimension ", d, " being empty");
  IntVec s{x.size(0), x.size(1)};
  for (int64_t i = 0; i < x.dim() - 2; ++i) s.push_back(g.size(i + 1));
  Tensor r = empty(s, x.dtype());
  if (r.numel())
    call_slot(GridSampleArgs{view_of(r), view_of(x), view_of(g), mode, padding, align});
  return r;
}
Tensor affine_grid(const Tensor& theta, IntVec size, bool align) {
  if (size.size() != 4 && size.size() != 5)
    raise<OpError>("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.");
  int64_t nd = static_cast<int64_t>(size.size()) - 2;
  IntVec shape{size[0]};
  for (int64_t i = 0; i < nd; ++i) shape.push_back(size[z(i + 2)]);
  shape.push_back(nd + 1);
  Tensor base = empty(shape, theta.dtype());
  fill(base, Scalar(1));
  for (int64_t i = 0; i < nd; ++i) {
    int64_t n = size[z(i + 2)];
    Tensor line = empty({n}, theta.dtype());
    if (n > 1) {
      double end = align ? 1 : 1 - 1.0 / static_cast<double>(n);
      call_slot(SequenceArgs{
          view_of(line), {}, Sequence::linspace, number(Scalar(-end)), number(Scalar(end)), {}});
    } else {
      fill(line, Scalar(0));
    }
    IntVec ls(z(nd + 1), 1);
    ls[z(i + 1)] = n;
    copy_to(select(base, -1, nd - 1 - i), reshape(line, ls));
  }
  Tensor r = matmul(reshape(base, {size[0], -1, nd + 1}), transpose(theta, 1, 2));
  shape[shape.size() - 1] = nd;
  return reshape(r, shape);
}

Tensor box_iou_rotated(const Tensor& a, const Tensor& b) {
  for (const Tensor& t : {a, b})
    if (t.dim() != 2 || t.size(1) != 5)
      raise<OpError>("boxes should have shape as Tensor[N, 5], but got ", t.sizes());
  if (a.dtype() != b.dtype())
    raise<OpError>("boxes1 and boxes2 should have the same dtype, but got ",
                   scalar_type_name(a.dtype()), " and ", scalar_type_name(b.dtype()));
  Tensor r = empty({a.size(0), b.size(0)}, kFloat);
  if (r.numel()) call_slot(RotatedIouArgs{view_of(r), view_of(a), view_of(b)});
  return r;
}

constexpr OpDef kOps[] = {
    // clang-format off
    raw("aten::upsample_nearest1d.vec", upsample_vec<Resize::nearest, false>), raw("aten::upsample_nearest2d.vec", upsample_vec<Resize::nearest, false>), raw("aten::upsample_nearest3d.vec", upsample_vec<Resize::nearest, false>), raw("aten::_upsample_nearest_exact1d.vec", upsample_vec<Resize::nearest_exact, false>), raw("aten::_upsample_nearest_exact2d.vec", upsample_vec<Resize::nearest_exact, false>), raw("aten::_upsample_nearest_exact3d.vec", upsample_vec<Resize::nearest_exact, false>),
    raw("aten::upsample_linear1d.vec", upsample_vec<Resize::linear, false>), raw("aten::upsample_bilinear2d.vec", upsample_vec<Resize::linear, false>), raw("aten::upsample_trilinear3d.vec", upsample_vec<Resize::linear, false>), raw("aten::upsample_bicubic2d.vec", upsample_vec<Resize::cubic, false>), raw("aten::_upsample_bilinear2d_aa.vec", upsample_vec<Resize::linear, true>), raw("aten::_upsample_bicubic2d_aa.vec", upsample_vec<Resize::cubic, true>), raw("aten::_upsample_lanczos2d_aa.vec", upsample_vec<Resize::lanczos, true>),
    raw("aten::upsample_nearest1d", upsample_plain<Resize::nearest, false>), raw("aten::upsample_nearest2d", upsample_plain<Resize::nearest, false>), raw("aten::upsample_nearest3d", upsample_plain<Resize::nearest, false>), raw("aten::_upsample_nearest_exact1d", upsample_plain<Resize::nearest_exact, false>), raw("aten::_upsample_nearest_exact2d", upsample_plain<Resize::nearest_exact, false>), raw("aten::_upsample_nearest_exact3d", upsample_plain<Resize::nearest_exact, false>),
    raw("aten::upsample_linear1d", upsample_plain<Resize::linear, false>), raw("aten::upsample_bilinear2d", upsample_plain<Resize::linear, false>), raw("aten::upsample_trilinear3d", upsample_plain<Resize::linear, false>), raw("aten::upsample_bicubic2d", upsample_plain<Resize::cubic, false>), raw("aten::_upsample_bilinear2d_aa", upsample_plain<Resize::linear, true>), raw("aten::_upsample_bicubic2d_aa", upsample_plain<Resize::cubic, true>), raw("aten::_upsample_lanczos2d_aa", upsample_plain<Resize::lanczos, true>),
    op<box_iou_rotated>("torchvision::box_iou_rotated"),
    raw("aten::__interpolate", interpolate), raw("aten::__interpolate.scale_list", interpolate), raw("aten::__interpolate.size_list", interpolate), raw("aten::__interpolate.size_list_scale_list", interpolate), op<grid_sampler>("aten::grid_sampler"), op<grid_sampler>("aten::grid_sampler_2d"), op<grid_sampler>("aten::grid_sampler_3d"), op<affine_grid>("aten::affine_grid_generator"),
    // clang-format on
};

}  // namespace

extern const OpTable::RowList kImageOps;
const OpTable::RowList kImageOps = rows_in_build<kOps>();

}  // namespace sconce::ops
