// SPDX-License-Identifier: Apache-2.0
// Storage and Tensor: memory, strides, views, the printed form.
#include "sconce/tensor.h"

#include <atomic>
#include <algorithm>
#include <cmath>
#include <charconv>
#include <cstring>
#include <iomanip>
#include <mutex>

#include "core/budget.h"
#include "core/device.h"
#include "core/recorder.h"
#include "core/sizes.h"
#include "support/platform.h"

namespace sconce {

namespace {
void* get_memory(const DeviceRuntime* device, size_t nbytes) {
  if (device) return device->allocate(nbytes);
  Context& c = context();
  return c.allocator.allocate(c.allocator.self, nbytes);
}
void free_memory(const DeviceRuntime* device, void* p, size_t nbytes) {
  if (device) return device->release(p, nbytes);
  Context& c = context();
  c.allocator.deallocate(c.allocator.self, p, nbytes);
}
void copy_memory(const DeviceRuntime* to_device, void* to, const DeviceRuntime* from_device,
                 const void* from, size_t nbytes) {
  using Copy = DeviceRuntime::Copy;
  if (!nbytes) return;
  if (!to_device && !from_device)
    std::memcpy(to, from, nbytes);
  else if (!from_device)
    to_device->copy(to, from, nbytes, Copy::ToDevice);
  else if (!to_device)
    from_device->copy(to, from, nbytes, Copy::ToHost);
  else if (to_device == from_device)
    to_device->copy(to, from, nbytes, Copy::Within);
  else {
    std::vector<char> between(nbytes);
    from_device->copy(between.data(), from, nbytes, Copy::ToHost);
    to_device->copy(to, between.data(), nbytes, Copy::ToDevice);
  }
}
}  // namespace

Ref<Storage> Storage::allocate(size_t nbytes) {
  Ref<Storage> s(new Storage);
  Context& c = context();
  if (c.budget) s->charge(nbytes);
  s->device_ = c.device;
  s->data_ = get_memory(c.device, nbytes);
  s->nbytes_ = nbytes;
  s->owned_ = s->resizable_ = true;
  if (c.recorder) c.recorder->allocated(s);
  return s;
}
void Storage::charge(size_t nbytes) {
  constexpr size_t kOverhead = 128;
  if (MemoryAccount* m = memory_account()) charge_.set(*m, nbytes + kOverhead);
}
Ref<Storage> Storage::copy_to(const DeviceRuntime* device) const {
  DeviceScope scope(device);
  Ref<Storage> s = allocate(nbytes_);
  copy_memory(device, s->data_, device_, data(), nbytes_);
  return s;
}
Ref<Storage> Storage::borrow(void* data, size_t nbytes, std::shared_ptr<const void> owner,
                             bool exposed) {
  Ref<Storage> s(new Storage);
  s->data_ = data;
  s->nbytes_ = nbytes;
  s->owner_ = std::move(owner);
  if (exposed) s->state_ = kExposed;
  return s;
}

namespace {
// Held while deferred bytes are made: those of one storage may come from another's.
std::recursive_mutex& producing() {
  static std::recursive_mutex m;
  return m;
}
}  // namespace
Ref<Storage> Storage::defer(size_t nbytes, std::shared_ptr<const BytesSource> source) {
  Ref<Storage> s(new Storage);
  s->charge(nbytes);
  std::shared_ptr<unsigned char> pages = allocate_pages(nbytes);
  s->data_ = pages.get();
  s->owner_ = std::move(pages);
  s->nbytes_ = nbytes;
  s->source_ = std::move(source);
  s->state_ = kDeferred;
  return s;
}
void Storage::produce() const {
  std::lock_guard<std::recursive_mutex> lock(producing());
  if (!deferred()) return;  // another thread was first
  source_->produce(data_);
  source_.reset();
  state_.fetch_and(~kDeferred, std::memory_order_acq_rel);
}
const void* Storage::read_once(const std::function<void*(size_t)>& scratch) const {
  if (!deferred()) return data_;
  std::lock_guard<std::recursive_mutex> lock(producing());
  if (!deferred()) return data_;
  void* to = scratch(nbytes_);
  source_->produce(to);
  return to;
}
void Storage::expose() {
  fetch();
  uint64_t before = state_.load(std::memory_order_relaxed);
  if (before & kExposed) return;
  make_unique();
  before = state_.fetch_or(kExposed, std::memory_order_acq_rel);
  if ((before & kObserved) && !(before & kExposed)) move_observed_epoch();
}

namespace {
std::atomic<uint64_t> g_memory_epoch{0}, g_observed_epoch{0};
// Held while two storages begin or end to share bytes.
std::mutex& sharing() {
  static std::mutex m;
  return m;
}
}  // namespace
uint64_t observed_epoch() { return g_observed_epoch.load(std::memory_order_seq_cst); }
void move_observed_epoch() { g_observed_epoch.fetch_add(1, std::memory_order_seq_cst); }

Ref<Storage> Storage::share() {
  fetch();
  std::lock_guard<std::mutex> lock(sharing());
  if (exposed() || device_ || (!owned_ && !owner_)) return copy_to(device_);
  if (owned_) {
    owner_ = std::shared_ptr<const void>(
        data_, [n = nbytes_](const void* p) { free_memory(nullptr, const_cast<void*>(p), n); });
    owned_ = false;
  }
  Ref<Storage> s(new Storage);
  s->charge(nbytes_);
  s->data_ = data_;
  s->nbytes_ = nbytes_;
  s->owner_ = owner_;
  s->resizable_ = true;
  s->state_ = kShared;
  state_.fetch_or(kShared, std::memory_order_acq_rel);
  return s;
}
void Storage::copy_shared() {
  std::lock_guard<std::mutex> lock(sharing());
  if (!(state_.load(std::memory_order_relaxed) & kShared)) return;
  charge(nbytes_);
  void* fresh = get_memory(nullptr, nbytes_);
  copy_memory(nullptr, fresh, nullptr, data_, nbytes_);
  before_ = std::move(owner_);
  data_ = fresh;
  owned_ = true;
  bump_memory_epoch();
  state_.fetch_and(~kShared, std::memory_order_acq_rel);
}
uint64_t memory_epoch() { return g_memory_epoch.load(std::memory_order_relaxed); }
void bump_memory_epoch() { g_memory_epoch.fetch_add(1, std::memory_order_relaxed); }

void Storage::resize(size_t nbytes) {
  if (nbytes <= nbytes_) return;
  // An archive's memory, and a caller's.
  if (!resizable_) raise<OpError>("Trying to resize storage that is not resizable");
  Context& c = context();
  if (c.recorder) c.recorder->host_read(this);  // its address changes
  fetch();
  charge(nbytes);
  void* fresh = get_memory(device_, nbytes);
  copy_memory(device_, fresh, device_, data_, nbytes_);
  if (owned_) free_memory(device_, data_, nbytes_);
  owner_.reset();
  owned_ = true;
  data_ = fresh;
  nbytes_ = nbytes;
  bump_memory_epoch();
  state_.fetch_and(~kShared, std::memory_order_acq_rel);
  note_write();
}
Storage::~Storage() {
  if (owned_) free_memory(device_, data_, nbytes_);
}

int64_t checked_numel(IntArrayRef sizes) {
  int64_t n = 1;
  bool none = false;
  for (int64_t s : sizes) {
    if (s < 0) raise<OpError>("Trying to create tensor with negative dimension ", s, ": ", sizes);
    none |= s == 0;
    if (s && __builtin_mul_overflow(n, s, &n))
      raise<OpError>("numel: integer multiplication overflow: sizes=", sizes);
  }
  return none ? 0 : n;
}
int64_t check_form(IntArrayRef sizes, IntArrayRef strides, int64_t offset, ScalarType dtype) {
  constexpr size_t kMostDims = 128;
  if (sizes.size() > kMostDims)
    raise<OpError>("tensors with more than ", kMostDims, " dims are not supported");
  if (sizes.size() != strides.size())
    raise<OpError>("mismatch in length of strides and shape: ", sizes, " and ", strides);
  if (offset < 0) raise<OpError>("Tensor: invalid storage offset ", offset);
  const int64_t n = checked_numel(sizes), es = static_cast<int64_t>(element_size(dtype));
  int64_t bytes, end = offset;
  if (__builtin_mul_overflow(n, es, &bytes))
    raise<OpError>("numel: integer multiplication overflow: sizes=", sizes);
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (strides[i] < 0)
      raise<OpError>("Negative strides are not supported at the moment, got strides: ", strides);
    int64_t step;
    if (sizes[i] && (__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) ||
                     __builtin_add_overflow(end, step, &end)))
      raise<OpError>("Storage size calculation overflowed with sizes=", sizes,
                     " and strides=", strides);
  }
  if (__builtin_add_overflow(end, 1, &end) || __builtin_mul_overflow(end, es, &bytes))
    raise<OpError>("Storage size calculation overflowed with sizes=", sizes,
                   " and strides=", strides);
  if constexpr (sizeof(size_t) < sizeof bytes) {
    if (n && bytes > PTRDIFF_MAX)
      raise<OutOfMemory>("a tensor of ", bytes,
                         " bytes has no room in the memory of this platform");
  }
  return n ? bytes : 0;
}

DimVector contiguous_strides(IntArrayRef sizes) {
  checked_numel(sizes);
  DimVector st(sizes.size());
  int64_t run = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    st[i] = run;
    run *= std::max<int64_t>(sizes[i], 1);
  }
  return st;
}

Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides, ScalarType dtype) {
  if (element_size(dtype) == 0)
    raise<OpError>("cannot make a tensor of type ", scalar_type_name(dtype));
  const auto bytes = static_cast<size_t>(check_form(sizes, strides, 0, dtype));
  auto impl = make_ref<TensorImpl>();
  if (MemoryAccount* m = memory_account()) impl->charge.set(*m, sizeof(TensorImpl));
  impl->storage = Storage::allocate(bytes);
  if (const DeviceRuntime* d = impl->storage->device()) impl->device = d->device;
  impl->sizes = sizes;
  impl->strides = strides;
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}
Tensor empty(IntArrayRef sizes, ScalarType dtype) {
  return empty_strided(sizes, contiguous_strides(sizes), dtype);
}
Tensor make_view_as(const Tensor& base, ScalarType dtype, DimVector sizes, DimVector strides,
                    int64_t offset) {
  const int64_t bytes = check_form(sizes, strides, offset, dtype);
  const TensorImpl& from = *base.impl();
  if (bytes > static_cast<int64_t>(from.storage->nbytes()) && from.device.type != DeviceType::Meta)
    raise<OpError>("setStorage: sizes ", IntArrayRef(sizes), ", strides ", IntArrayRef(strides),
                   ", storage offset ", offset, " are out of bounds for storage of size ",
                   from.storage->nbytes());
  auto impl = make_ref<TensorImpl>();
  if (MemoryAccount* m = memory_account()) impl->charge.set(*m, sizeof(TensorImpl));
  impl->storage = from.storage;
  impl->sizes = std::move(sizes);
  impl->strides = std::move(strides);
  impl->offset = offset;
  impl->dtype = dtype;
  impl->device = from.device;
  impl->quantizer = from.quantizer;
  return Tensor(std::move(impl));
}
Tensor make_view(const Tensor& base, DimVector sizes, DimVector strides, int64_t offset) {
  return make_view_as(base, base.dtype(), std::move(sizes), std::move(strides), offset);
}
Extent extent_of(const int64_t* sizes, const int64_t* strides, int64_t ndim) {
  Extent e{0, 1};
  for (int64_t i = 0; i < ndim; ++i) {
    if (sizes[i] == 0) return {0, 0};
    (strides[i] < 0 ? e.begin : e.end) += (sizes[i] - 1) * strides[i];
  }
  return e;
}
Tensor with_storage(const Tensor& t, Ref<Storage> storage, int64_t offset) {
  const TensorImpl& from = *t.impl();
  auto impl = make_ref<TensorImpl>();
  if (const DeviceRuntime* d = storage->device()) impl->device = d->device;
  impl->storage = std::move(storage);
  impl->sizes = from.sizes;
  impl->strides = from.strides;
  impl->offset = offset;
  impl->dtype = from.dtype;
  impl->requires_grad = from.requires_grad;
  impl->quantizer = from.quantizer;
  impl->nested_rows = from.nested_rows;
  return Tensor(std::move(impl));
}
Tensor copy_extent(const Tensor& t, const DeviceRuntime* device) {
  const DeviceRuntime* from = t.impl()->storage->device();
  if (from == device) return t;
  if (Recorder* r = context().recorder) r->host_read(t.impl()->storage.get());
  auto es = static_cast<int64_t>(element_size(t.dtype()));
  Extent e = extent_of(t.sizes().data(), t.strides().data(), t.dim());
  auto bytes = static_cast<size_t>((e.end - e.begin) * es);
  DeviceScope scope(device);
  Ref<Storage> storage = Storage::allocate(bytes);
  copy_memory(device, storage->address(), from,
              static_cast<const char*>(t.const_raw_data()) + e.begin * es, bytes);
  return with_storage(t, std::move(storage), -e.begin);
}
Tensor from_blob(void* data, IntArrayRef sizes, ScalarType dtype) {
  auto impl = make_ref<TensorImpl>();
  impl->sizes = sizes;
  impl->strides = contiguous_strides(sizes);
  impl->storage = Storage::borrow(
      data, static_cast<size_t>(check_form(sizes, impl->strides, 0, dtype)), nullptr);
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

int64_t Tensor::size(int64_t d) const {
  int64_t n = dim();
  if (d < -n || d >= n)
    raise<OpError>("Dimension out of range (expected to be in range of [", n ? -n : -1, ", ",
                   n ? n - 1 : 0, "], but got ", d, ")");
  return impl_->sizes[static_cast<size_t>(d < 0 ? d + n : d)];
}
int64_t Tensor::stride(int64_t d) const {
  size(d);
  return impl_->strides[static_cast<size_t>(d < 0 ? d + dim() : d)];
}
bool Tensor::is_contiguous() const {
  int64_t run = 1;
  for (size_t i = impl_->sizes.size(); i-- > 0;) {
    if (impl_->sizes[i] == 0) return true;
    if (impl_->sizes[i] == 1) continue;
    if (impl_->strides[i] != run) return numel() == 0;
    run *= impl_->sizes[i];
  }
  return true;
}
bool Tensor::is_channels_last() const {
  if (dim() != 4) return false;
  int64_t run = 1;
  for (size_t d : {1, 3, 2, 0}) {
    if (impl_->sizes[d] == 1) continue;
    if (impl_->strides[d] != run) return false;
    run *= impl_->sizes[d];
  }
  return true;
}
void Tensor::check_type(size_t bytes, bool floating) const {
  if (element_size(dtype()) != bytes || (floating && !is_floating(dtype())))
    raise<OpError>("expected scalar type of ", bytes, " bytes but found ",
                   scalar_type_name(dtype()));
}

// ---- printing, after ATen's Formatting ----

namespace {

struct Format {
  double scale = 1;
  int width = 0;
  int precision = 4;
  bool integral = false, scientific = false;
};

template <class F>
void for_each_index(IntArrayRef sizes, F f) {
  std::vector<int64_t> idx(sizes.size(), 0);
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  for (int64_t i = 0; i < n; ++i) {
    f(idx);
    for (size_t d = sizes.size(); d-- > 0;) {
      if (++idx[d] < sizes[d]) break;
      idx[d] = 0;
    }
  }
}

double element(const Tensor& t, int64_t at) {
  const char* p = static_cast<const char*>(t.impl()->storage->data()) +
                  (t.storage_offset() + at) * static_cast<int64_t>(element_size(t.dtype()));
  auto read = [&](auto v) {
    std::memcpy(&v, p, sizeof v);
    return static_cast<double>(v);
  };
  switch (t.dtype()) {
    case ScalarType::Byte:
    case ScalarType::QUInt8: return read(uint8_t{});
    case ScalarType::Bool: return read(uint8_t{}) ? 1 : 0;
    case ScalarType::Char:
    case ScalarType::QInt8: return read(int8_t{});
    case ScalarType::Short: return read(int16_t{});
    case ScalarType::Int:
    case ScalarType::QInt32: return read(int32_t{});
    case ScalarType::Long: return read(int64_t{});
    case ScalarType::UInt16: return read(uint16_t{});
    case ScalarType::UInt32: return read(uint32_t{});
    case ScalarType::UInt64: return read(uint64_t{});
    case ScalarType::Half: return Half::to_float(static_cast<uint16_t>(read(uint16_t{})));
    case ScalarType::BFloat16: {
      BFloat16 b;
      std::memcpy(&b, p, 2);
      return b;
    }
    case ScalarType::Float:
    case ScalarType::ComplexFloat: return read(float{});
    case ScalarType::Double:
    case ScalarType::ComplexDouble: return read(double{});
    default: return 0;
  }
}

int64_t offset_of(const Tensor& t, const std::vector<int64_t>& idx) {
  int64_t at = 0;
  for (size_t d = 0; d < idx.size(); ++d) at += idx[d] * t.strides()[d];
  return at;
}

Format choose_format(const Tensor& t, double (*get)(const Tensor&, int64_t)) {
  Format f;
  if (t.numel() == 0) return f;
  bool int_mode = true, offset_set = false;
  double min_abs = 0, max_abs = 0;
  for_each_index(t.sizes(), [&](const std::vector<int64_t>& idx) {
    double v = get(t, offset_of(t, idx));
    if (!std::isfinite(v)) return;
    if (v != std::ceil(v)) int_mode = false;
    double a = std::fabs(v);
    if (!offset_set) min_abs = max_abs = a, offset_set = true;
    min_abs = std::min(min_abs, a);
    max_abs = std::max(max_abs, a);
  });
  if (!offset_set) min_abs = max_abs = 1;
  auto exponent = [](double v) { return v == 0 ? 1.0 : std::floor(std::log10(v)) + 1; };
  double exp_min = exponent(min_abs), exp_max = exponent(max_abs);
  if (int_mode) {
    f.integral = true;
    f.precision = 6;  // a stream's own
    if (exp_max > 9) {
      f.scientific = true;
      f.integral = false;
      f.precision = 4;
      f.width = 11;
    } else {
      f.width = static_cast<int>(exp_max) + 1;
    }
    return f;
  }
  if (exp_max - exp_min > 4) {
    f.scientific = true;
    f.width = std::fabs(exp_max) > 99 || std::fabs(exp_min) > 99 ? 12 : 11;
  } else if (exp_max > 5 || exp_max < 0) {
    f.width = 7;
    f.scale = std::pow(10, exp_max - 1);
  } else {
    f.width = exp_max == 0 ? 7 : static_cast<int>(exp_max) + 6;
  }
  return f;
}

// The shortest digits that read back as v.
std::string shortest(double v) {
  if (std::isnan(v)) return std::signbit(v) ? "-nan" : "nan";
  char buf[64];
  const double a = std::fabs(v);
  const bool plain = v == 0 || std::isinf(v) || (a >= 1e-4 && a < 1e16);
#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 14000  // whose to_chars knows integers alone
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  int digits = 0;  // behind the first
  do std::snprintf(buf, sizeof buf, "%.*e", digits, v);
  while (std::strtod(buf, nullptr) != v && ++digits < 17);
  if (plain) {
    const int exponent = std::atoi(std::strchr(buf, 'e') + 1);
    std::snprintf(buf, sizeof buf, "%.*f", std::max(digits - exponent, 0), v);
  }
  return buf;
#else
  const auto end = std::to_chars(buf, buf + sizeof buf, v,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  return {buf, end.ptr};
#endif
}

void put(std::ostream& os, double v, const Format& f) {
  char buf[64];
  if (!std::isfinite(v))
    std::snprintf(buf, sizeof buf, "%s",
                  std::isnan(v) ? (std::signbit(v) ? "-nan" : "nan")
                  : v < 0       ? "-inf"
                                : "inf");
  else if (f.scientific)
    std::snprintf(buf, sizeof buf, "%.*e", f.precision, v);
  else if (f.integral)
    std::snprintf(buf, sizeof buf, "%.*g", f.precision, v);
  else
    std::snprintf(buf, sizeof buf, "%.*f", f.precision, v);
  os << std::setw(f.width) << buf;
}

void put_matrix(std::ostream& os, const Tensor& t, int64_t base, int64_t linesize, int indent) {
  Tensor m = make_view(
      t, {t.sizes()[static_cast<size_t>(t.dim() - 2)], t.sizes()[static_cast<size_t>(t.dim() - 1)]},
      {t.strides()[static_cast<size_t>(t.dim() - 2)],
       t.strides()[static_cast<size_t>(t.dim() - 1)]},
      t.storage_offset() + base);
  Format f = choose_format(m, element);
  int64_t rows = m.size(0), cols = m.size(1);
  int64_t per_line = std::max<int64_t>((linesize - indent) / (f.width + 1), 1);
  for (int64_t first = 0; first < cols;) {
    int64_t last = std::min(first + per_line - 1, cols - 1);
    if (per_line < cols) {
      if (first != 0) os << "\n";
      os << "Columns " << first + 1 << " to " << last + 1
         << std::string(static_cast<size_t>(indent), ' ');
    }
    if (f.scale != 1)
      os << shortest(f.scale) << " *\n" << std::string(static_cast<size_t>(indent), ' ');
    for (int64_t r = 0; r < rows; ++r) {
      // The first row follows what stands before it; only the others are indented.
      if (r > 0) os << std::string(static_cast<size_t>(indent), ' ') << (f.scale != 1 ? " " : "");
      for (int64_t c = first; c <= last; ++c) {
        put(os, element(m, r * m.strides()[0] + c * m.strides()[1]) / f.scale, f);
        os << (c == last ? "\n" : " ");
      }
    }
    first = last + 1;
  }
}

// The tensor's numbers as a contiguous one of doubles, dequantised; of complex numbers the real
// parts.
Tensor doubles_of(const Tensor& t) {
  Tensor r = empty(t.sizes(), ScalarType::Double);
  double* to = r.data_ptr<double>();
  const Quantizer* q = t.quantizer();
  for_each_index(t.sizes(), [&](const std::vector<int64_t>& idx) {
    double v = element(t, offset_of(t, idx));
    if (q) {
      const size_t channel =
          q->per_channel ? static_cast<size_t>(idx[static_cast<size_t>(q->axis)]) : 0;
      const double scale = q->per_channel ? q->scales[channel] : q->scale,
                   zero_point = q->per_channel ? q->zero_points[channel]
                                               : static_cast<double>(q->zero_point);
      v = static_cast<double>(static_cast<float>(v - zero_point) * static_cast<float>(scale));
    }
    *to++ = v;
  });
  return r;
}

void put_list(std::ostream& os, const std::vector<double>& v, ScalarType t) {
  Tensor r = empty({static_cast<int64_t>(v.size())}, ScalarType::Double);
  std::copy(v.begin(), v.end(), r.data_ptr<double>());
  int64_t at = 0;
  if (t == ScalarType::Long) {
    Tensor whole = empty(r.sizes(), t);
    for (double x : v) whole.data_ptr<int64_t>()[at++] = static_cast<int64_t>(x);
    r = whole;
  }
  os << r;
}

}  // namespace

std::ostream& operator<<(std::ostream& os, const Tensor& asked) {
  if (!asked.defined()) return os << "[ Tensor (undefined) ]";
  if (asked.device().type == DeviceType::Meta)
    raise<OpError>("Cannot copy out of meta tensor; no data!");
  if (Recorder* r = context().recorder) r->host_read(asked.impl()->storage.get());
  constexpr double kNumber = 12;  // characters
  expect_memory(kNumber * static_cast<double>(asked.numel()));
  expect_items(kNumber * static_cast<double>(asked.numel()));
  const Tensor original = copy_extent(asked, nullptr), t = doubles_of(original);
  const std::string type = (original.quantizer() ? "Quantized" : "") +
                           std::string(asked.device().type == DeviceType::CUDA ? "CUDA" : "CPU") +
                           scalar_type_name(original.dtype()) + "Type";
  if (t.dim() == 0) {
    os << shortest(element(t, 0)) << "\n";
    os << "[ " << type << "{}";
  } else if (t.numel() == 0) {
    os << "[ " << type << "{";
    for (size_t i = 0; i < t.sizes().size(); ++i) os << (i ? "," : "") << t.sizes()[i];
    os << "}";
  } else {
    if (t.dim() == 1) {
      Format f = choose_format(t, element);
      if (f.scale != 1) os << shortest(f.scale) << " *\n";
      for (int64_t i = 0; i < t.size(0); ++i) {
        put(os, element(t, i * t.strides()[0]) / f.scale, f);
        os << "\n";
      }
    } else if (t.dim() == 2) {
      put_matrix(os, t, 0, 80, 0);
    } else {
      std::vector<int64_t> outer(t.sizes().begin(), t.sizes().end() - 2);
      bool start = true;
      // The first index runs fastest.
      std::reverse(outer.begin(), outer.end());
      for_each_index(outer, [&](const std::vector<int64_t>& reversed) {
        std::vector<int64_t> idx(reversed.rbegin(), reversed.rend());
        if (!start) os << "\n";
        start = false;
        os << "(";
        for (int64_t i : idx) os << i + 1 << ",";
        os << ".,.) = \n";
        put_matrix(os, t, offset_of(t, idx), 80, 1);
      });
    }
    os << "[ " << type << "{" << t.sizes()[0];
    for (size_t i = 1; i < t.sizes().size(); ++i) os << "," << t.sizes()[i];
    os << "}";
  }
  if (const Quantizer* q = original.quantizer()) {
    if (q->per_channel) {
      os << ", qscheme: per_channel_affine" << (q->float_qparams ? "_float_qparams" : "")
         << ", scales: ";
      put_list(os, q->scales, ScalarType::Double);
      os << ", zero_points: ";
      put_list(os, q->zero_points, ScalarType::Long);
      os << ", axis: " << q->axis;
    } else {
      os << ", qscheme: per_tensor_affine, scale: " << q->scale
         << ", zero_point: " << q->zero_point;
    }
  }
  return os << " ]";
}

}  // namespace sconce
