// SPDX-License-Identifier: Apache-2.0
// Tensor: one pointer to a TensorImpl; views share a Storage and see each other's writes.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sconce/array_ref.h"
#include "sconce/error.h"
#include "sconce/limits.h"
#include "sconce/ref.h"
#include "sconce/scalar_type.h"

namespace sconce {

class DeviceRuntime;

// Moves when something that a prepared module relies on was written (docs/design.md).
SCONCE_API uint64_t observed_epoch();
SCONCE_API void move_observed_epoch();

// Makes bytes that nobody has looked at yet: a record of a file, a weight with a norm's factors.
class SCONCE_API BytesSource {
 public:
  virtual ~BytesSource() = default;
  // Writes all of them. May throw; then nothing was made.
  virtual void produce(void* to) const = 0;
};

// Counted bytes. One atomic word tells what became of them: how often they were written, whether a
// prepared module relies on them, whether the host may write them unseen, and whether another
// storage holds the same bytes until one of the two is written. Everything but share() and the
// destructor may be called from any thread; writing bytes while others read them is the caller's to
// exclude.
class SCONCE_API Storage final : public RefCounted {
 public:
  // Memory of the context's device, 64-byte aligned, not initialised. nbytes may be 0.
  static Ref<Storage> allocate(size_t nbytes);
  // Borrowed memory; owner (may be null) is kept alive. exposed: somebody else may write it.
  static Ref<Storage> borrow(void* data, size_t nbytes, std::shared_ptr<const void> owner,
                             bool exposed = true);
  // Addresses alone (page-aligned, of the CPU): the bytes come from source when somebody first
  // looks at them, and take no memory before. Can't be resized.
  static Ref<Storage> defer(size_t nbytes, std::shared_ptr<const BytesSource> source);

  // Of memory of another device than the CPU, these are addresses there.
  const void* data() const {
    fetch();
    return data_;
  }
  // For a host that writes: from here on nothing is remembered of the bytes.
  void* mutable_data() {
    expose();
    return data_;
  }
  // For kernels: what writes through it calls make_unique() before and note_write() after.
  void* address() const {
    fetch();
    return data_;
  }
  // Where the bytes are, or will be: tells storages apart, and is not to be read through.
  void* base() const { return data_; }
  bool deferred() const { return state_.load(std::memory_order_acquire) & kDeferred; }
  // From here on the bytes are there. Throws what their source throws.
  void fetch() const {
    if (deferred()) produce();
  }
  // The bytes, for one who looks once: deferred ones are written to the memory that scratch(nbytes)
  // gives, and stay deferred.
  const void* read_once(const std::function<void*(size_t)>& scratch) const;
  // Null: the CPU's memory.
  const DeviceRuntime* device() const { return device_; }
  // All bytes, in memory of another device (null: the CPU) or in other memory of this one.
  Ref<Storage> copy_to(const DeviceRuntime* device) const;
  // A storage with the same bytes, which are copied when either of the two is first written. Bytes
  // that the host may write unseen are copied at once.
  Ref<Storage> share();
  size_t nbytes() const { return nbytes_; }

  // Rises with every write.
  uint64_t version() const { return state_.load(std::memory_order_acquire) / kWrite; }
  // After the bytes were written.
  void note_write() const {
    if (state_.fetch_add(kWrite, std::memory_order_acq_rel) & kObserved) move_observed_epoch();
  }
  // From now on writes move the epoch. Returns the version.
  uint64_t observe() const {
    return state_.fetch_or(kObserved, std::memory_order_acq_rel) / kWrite;
  }
  bool observed() const { return state_.load(std::memory_order_relaxed) & kObserved; }
  // From now on the bytes may be written unseen.
  void expose();
  bool exposed() const { return state_.load(std::memory_order_acquire) & kExposed; }
  bool shared() const { return state_.load(std::memory_order_relaxed) & kShared; }
  // Before the bytes are written: a storage that shares them gets its own. The address may change.
  void make_unique() {
    if (shared()) copy_shared();
  }
  // Grows to at least nbytes, keeping the bytes (resize_, set_). Throws OpError for memory that was
  // borrowed.
  void resize(size_t nbytes);
  ~Storage() override;

 private:
  static constexpr uint64_t kObserved = 1, kExposed = 2, kShared = 4, kDeferred = 8, kWrite = 16;
  Storage() = default;
  void produce() const;
  void copy_shared();
  void charge(size_t nbytes);
  void* data_ = nullptr;
  size_t nbytes_ = 0;
  const DeviceRuntime* device_ = nullptr;
  bool owned_ = false, resizable_ = false;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const void> before_;  // shared bytes that a reader may still look at
  mutable std::shared_ptr<const BytesSource> source_;  // while the bytes are deferred
  mutable std::atomic<uint64_t> state_{0};
  Charge charge_;
};

class Tensor;

// How a quantised tensor maps integers to reals.
struct Quantizer {
  bool per_channel = false, float_qparams = false;
  double scale = 1;
  int64_t zero_point = 0;
  int64_t axis = 0;
  std::vector<double> scales;
  std::vector<double> zero_points;
  // For kernels: the scales, then the zero points, as doubles; made when they are first needed.
  mutable Ref<Storage> numbers = nullptr;
};

struct SparseParts;

class SCONCE_API TensorImpl final : public RefCounted {
 public:
  Ref<Storage> storage;
  DimVector sizes, strides;  // strides in elements
  int64_t offset = 0;        // in elements
  ScalarType dtype = ScalarType::Float;
  Device device;
  bool requires_grad = false;
  std::shared_ptr<const Quantizer> quantizer;  // null for ordinary tensors
  // Of a nested tensor, which is held padded as [batch, rows, features]: the rows that each has.
  // Null for ordinary tensors.
  std::shared_ptr<const std::vector<int64_t>> nested_rows;
  Charge charge;

  // From now on a change of this form moves the epoch.
  void observe() const { observed_.store(true, std::memory_order_seq_cst); }
  // After a tensor that may be known elsewhere was given another form.
  void form_changed() const {
    if (observed_.load(std::memory_order_seq_cst)) move_observed_epoch();
  }

 private:
  mutable std::atomic<bool> observed_{false};
};

class SCONCE_API Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  bool defined() const { return static_cast<bool>(impl_); }
  const TensorImpl* impl() const { return impl_.get(); }
  // For operators that give the tensor another form: form_changed() is called afterwards, unless
  // nobody else can know the tensor yet.
  TensorImpl* mutable_impl() const { return impl_.get(); }
  const Ref<TensorImpl>& ref() const { return impl_; }

  int64_t dim() const { return static_cast<int64_t>(impl_->sizes.size()); }
  IntArrayRef sizes() const { return impl_->sizes; }
  IntArrayRef strides() const { return impl_->strides; }
  // Negative d counts from the end. Throws OpError when d is out of range.
  int64_t size(int64_t d) const;
  int64_t stride(int64_t d) const;
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : impl_->sizes) n *= s;
    return n;
  }
  int64_t storage_offset() const { return impl_->offset; }
  ScalarType dtype() const { return impl_->dtype; }
  ScalarType scalar_type() const { return impl_->dtype; }
  Device device() const { return impl_->device; }
  bool requires_grad() const { return impl_->requires_grad; }
  bool is_contiguous() const;
  bool is_channels_last() const;  // 4-d, dense, NHWC order
  bool is_same(const Tensor& o) const { return impl_ == o.impl_; }
  const Quantizer* quantizer() const { return impl_->quantizer.get(); }

  // Address of the first element, for a host that writes: from here on nothing is remembered of the
  // elements of this storage (a prepared module reads them anew in every call).
  void* raw_data() const {
    impl_->storage->expose();
    return element_address();
  }
  // Address of the first element, to read.
  const void* const_raw_data() const { return element_address(); }
  // For kernels: what writes through it calls Storage::make_unique() before, note_write() after.
  void* element_address() const {
    return static_cast<char*>(impl_->storage->address()) +
           impl_->offset * static_cast<int64_t>(element_size(impl_->dtype));
  }
  // Typed forms: data_ptr<const T>() reads, as const_data_ptr<T>(). Throws OpError when T is not
  // the dtype.
  template <class T>
  T* data_ptr() const {
    check_type(sizeof(T), std::is_floating_point<T>::value);
    if constexpr (!std::is_const<T>::value) impl_->storage->expose();
    return static_cast<T*>(element_address());
  }
  template <class T>
  const T* const_data_ptr() const {
    return data_ptr<const T>();
  }
  // The only element converted to T. Throws OpError unless numel() is 1.
  template <class T>
  T item() const {
    if constexpr (std::is_floating_point<T>::value)
      return static_cast<T>(item_double());
    else
      return static_cast<T>(item_int());
  }

  // Views and operators of LibTorch's inference code; each is the aten operator of its name.
  Tensor argmax(std::optional<int64_t> dim = std::nullopt, bool keepdim = false) const;
  Tensor select(int64_t dim, int64_t index) const;
  Tensor slice(int64_t dim, std::optional<int64_t> start = std::nullopt,
               std::optional<int64_t> end = std::nullopt, int64_t step = 1) const;
  Tensor operator[](int64_t index) const { return select(0, index); }
  Tensor view(IntArrayRef size) const;
  Tensor reshape(IntArrayRef size) const;
  Tensor permute(IntArrayRef dims) const;
  Tensor transpose(int64_t a, int64_t b) const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor squeeze() const;
  Tensor flatten(int64_t start = 0, int64_t end = -1) const;
  Tensor contiguous() const;
  Tensor clone() const;
  Tensor to(ScalarType dtype) const;
  Tensor to(Device device) const;
  Tensor cpu() const { return to(Device{}); }
  Tensor detach() const { return *this; }
  Tensor sum() const;
  Tensor mean() const;
  Tensor max() const;
  Tensor min() const;
  Tensor softmax(int64_t dim) const;
  Tensor relu() const;
  Tensor operator+(const Tensor& o) const;
  Tensor operator-(const Tensor& o) const;
  Tensor operator*(const Tensor& o) const;
  Tensor operator/(const Tensor& o) const;
  Tensor& fill_(double v);
  // Raw access for rank N tensors of type T: a[i][j].
  template <class T, size_t N>
  class Accessor {
   public:
    Accessor(T* p, const int64_t* sizes, const int64_t* strides)
        : p_(p), sizes_(sizes), strides_(strides) {}
    int64_t size(int64_t d) const { return sizes_[d]; }
    decltype(auto) operator[](int64_t i) const {
      if constexpr (N == 1)
        return (p_[i * strides_[0]]);
      else
        return Accessor<T, N - 1>(p_ + i * strides_[0], sizes_ + 1, strides_ + 1);
    }

   private:
    T* p_;
    const int64_t *sizes_, *strides_;
  };
  template <class T, size_t N>
  Accessor<T, N> accessor() const {
    if (dim() != static_cast<int64_t>(N))
      raise<OpError>("accessor expects ", N, " dims but the tensor has ", dim());
    return Accessor<T, N>(data_ptr<T>(), impl_->sizes.data(), impl_->strides.data());
  }

 private:
  void check_type(size_t bytes, bool floating) const;
  double item_double() const;
  int64_t item_int() const;
  Ref<TensorImpl> impl_;
};

// Prints as LibTorch does: rows of numbers and "[ CPUFloatType{2,3} ]".
SCONCE_API std::ostream& operator<<(std::ostream& os, const Tensor& t);

// C-contiguous strides for sizes.
SCONCE_API DimVector contiguous_strides(IntArrayRef sizes);
// Uninitialised C-contiguous tensor. Throws OpError for a negative size.
SCONCE_API Tensor empty(IntArrayRef sizes, ScalarType dtype = kFloat);
SCONCE_API Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides, ScalarType dtype);
// A view of the same storage; the caller has checked the extent.
SCONCE_API Tensor make_view(const Tensor& base, DimVector sizes, DimVector strides, int64_t offset);

SCONCE_API Tensor zeros(IntArrayRef sizes, ScalarType dtype = kFloat);
SCONCE_API Tensor ones(IntArrayRef sizes, ScalarType dtype = kFloat);
SCONCE_API Tensor full(IntArrayRef sizes, double value, ScalarType dtype = kFloat);
SCONCE_API Tensor randn(IntArrayRef sizes);
SCONCE_API Tensor rand(IntArrayRef sizes);
// Borrows data, which must outlive the tensor; C-contiguous.
SCONCE_API Tensor from_blob(void* data, IntArrayRef sizes, ScalarType dtype = kFloat);
SCONCE_API void manual_seed(uint64_t seed);

}  // namespace sconce
