// SPDX-License-Identifier: Apache-2.0
// A device's kernel table: each slot asks the plug-in; what it lacks runs on the CPU over copies.
// Operands whose memory is elsewhere are copied to where the slot runs, and back what it wrote.
#include "backends/device.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "backends/device_plugin.h"
#include "backends/kernels.h"
#include "sconce/device.h"
#include "support/platform.h"

namespace sconce {

namespace {

class PluginDevice final : public DeviceRuntime {
 public:
  PluginDevice(const DevicePlugin& p, Device d);
  const DevicePlugin& plugin;
  void* allocate(size_t nbytes) const override {
    if (void* p = plugin.allocate(device.index, nbytes)) return p;
    check();
    out_of_memory("cannot allocate " + std::to_string(nbytes) + " bytes");
  }
  void release(void* p, size_t nbytes) const noexcept override {
    plugin.release(device.index, p, nbytes);
  }
  void copy(void* to, const void* from, size_t nbytes, Copy kind) const override {
    plugin.copy_bytes(device.index, to, from, nbytes, static_cast<int>(kind));
    check();
  }
  void synchronize() const override {
    plugin.synchronize(device.index);
    check();
  }
  std::string description() const override {
    char text[256] = "";
    plugin.describe(device.index, text, sizeof text);
    check();
    return text;
  }
  std::pair<size_t, size_t> memory() const override {
    size_t free = 0, total = 0;
    plugin.memory(device.index, &free, &total);
    check();
    return {free, total};
  }
  bool lost() const override { return lost_; }
  Mark mark() const override {
    void* m = plugin.mark(device.index);
    check();
    return Mark(m, [this](void* p) { plugin.forget_mark(device.index, p); });
  }
  double elapsed_ms(const Mark& from, const Mark& to) const override {
    double ms = plugin.elapsed_ms(device.index, from.get(), to.get());
    check();
    return ms;
  }
  Graph capture(const std::function<void()>& f) const override {
    if (!plugin.begin_capture(device.index)) return nullptr;
    bool well = true;
    try {
      f();
    } catch (const Error&) {
      well = false;
    }
    void* graph = plugin.end_capture(device.index);
    DeviceProblem kind;
    plugin.error(device.index, &kind);  // of a call that can't be kept: it is done anyway
    if (!graph) return nullptr;
    Graph kept(graph, [this](void* g) { plugin.forget_graph(device.index, g); });
    return well ? kept : nullptr;
  }
  void launch(const Graph& graph) const override {
    plugin.launch(device.index, graph.get());
    check();
  }
  // Raises what went wrong on this thread.
  void check() const {
    DeviceProblem kind = DeviceProblem::None;
    const char* e = plugin.error(device.index, &kind);
    if (!e) return;
    if (kind == DeviceProblem::Memory) out_of_memory(e);
    if (kind == DeviceProblem::Device) lost_ = true;
    raise<OpError>(device.str(), ": ", e);
  }

 private:
  [[noreturn]] void out_of_memory(const std::string& what) const {
    size_t free = 0, total = 0;
    plugin.memory(device.index, &free, &total);
    raise<OutOfMemory>(device.str(), ": ", what, "; ", free, " of ", total, " bytes are free");
  }
  mutable std::atomic<bool> lost_{false};
};

// Elements that a slot touches behind those that its view spans.
template <class A>
int64_t reach(const A&, int) {
  return 0;
}
template <>
int64_t reach(const IndexArgs& a, int view) {
  int64_t n = 0;
  // The indexed dims are no dims of the view.
  for (int j = 0; view == 1 && j < a.n_index; ++j)
    n += std::max<int64_t>(a.size[j] - 1, 0) * a.step[j];
  return n;
}

// The views of a call with their memory on the side where the slot runs. Views of one storage share
// one copy, since they may overlap.
class Staged {
 public:
  template <class A>
  Staged(A& args, const PluginDevice& device, bool on_host) : device_(device), on_host_(on_host) {
    constexpr int n = A::kViews;
    static_assert(n <= 16);
    auto* views = reinterpret_cast<TensorView*>(&args);
    for (int i = 0; i < n; ++i)
      if (elsewhere(views[i])) add(views[i], reach(args, i));
    for (Piece& p : pieces_) {
      p.memory = static_cast<char*>(
          on_host ? context().allocator.allocate(context().allocator.self, p.space())
                  : device.allocate(p.space()));
      p.copy = p.memory + p.misaligned();
      move(p.copy, p.begin, p.bytes(), !on_host);
    }
    for (int i = 0; i < n; ++i)
      if (elsewhere(views[i])) {
        Piece& p = piece(views[i]);
        views[i].data = p.copy + (static_cast<char*>(views[i].data) - p.begin);
        // Its memory is no storage's: a second look leaves it alone.
        views[i].storage = nullptr;
        moved_[i] = &p;
      }
  }
  void write_back(int view) {
    if (moved_[view] && !moved_[view]->written) {
      moved_[view]->written = true;
      move(moved_[view]->begin, moved_[view]->copy, moved_[view]->bytes(), on_host_);
    }
  }
  ~Staged() {
    for (Piece& p : pieces_)
      if (on_host_)
        context().allocator.deallocate(context().allocator.self, p.memory, p.space());
      else
        device_.release(p.memory, p.space());
  }

 private:
  struct Piece {
    const Storage* storage;
    char *begin, *end;
    char *memory = nullptr, *copy = nullptr;
    bool written = false;
    size_t bytes() const { return static_cast<size_t>(end - begin); }
    // Views of wider elements may start behind begin: the copy lies as its origin does.
    size_t misaligned() const { return reinterpret_cast<uintptr_t>(begin) % 64; }
    size_t space() const { return bytes() + misaligned(); }
  };
  bool elsewhere(const TensorView& v) const {
    if (!v.data || !v.storage || v.numel() == 0) return false;
    const DeviceRuntime* where = v.storage->device();
    if (where && where != &device_)
      raise<OpError>(
          "Expected all tensors to be on the same device, but found at least two devices, ",
          device_.device.str(), " and ", where->device.str());
    return (where == nullptr) != on_host_;
  }
  Piece& piece(const TensorView& v) {
    for (Piece& p : pieces_)
      if (p.storage == v.storage) return p;
    pieces_.push_back({v.storage, static_cast<char*>(v.data), static_cast<char*>(v.data)});
    return pieces_.back();
  }
  void add(const TensorView& v, int64_t reach) {
    Piece& p = piece(v);
    auto es = static_cast<int64_t>(element_size(v.dtype));
    Extent e = extent_of(v.sizes, v.strides, v.ndim);
    e.end += reach;
    p.begin = std::min(p.begin, static_cast<char*>(v.data) + e.begin * es);
    p.end = std::max(p.end, static_cast<char*>(v.data) + e.end * es);
  }
  void move(void* to, const void* from, size_t n, bool to_device) {
    device_.copy(to, from, n,
                 to_device ? DeviceRuntime::Copy::ToDevice : DeviceRuntime::Copy::ToHost);
  }
  const PluginDevice& device_;
  const bool on_host_;
  std::vector<Piece> pieces_;
  std::array<Piece*, 16> moved_{};
};

void write_back(Staged& staged, uint32_t written) {
  for (int i = 0; written; written >>= 1, ++i)
    if (written & 1) staged.write_back(i);
}

template <class A>
void run_slot(const A& args, bool (*DevicePlugin::*on_device)(int, const A&),
              void (*Kernels::*on_host)(const A&), const char* name) {
  auto& device = static_cast<const PluginDevice&>(*context().device);
  A a = args;
  if (auto slot = device.plugin.*on_device) {
    Staged staged(a, device, false);
    bool done = slot(device.device.index, a);
    device.check();
    if (done) {
      write_back(staged, written_views(a));
      return;
    }
    a = args;
  }
  if (context().strict_device)
    raise<OpError>("slot ", name, " has no kernel on ", device.device.str(), " for this form");
  if (Recorder* r = context().recorder) r->ran_on_host(name);
  DeviceScope on_cpu(nullptr);
  Staged staged(a, device, true);
  (context().kernels->*on_host)(a);
  write_back(staged, written_views(a));
}

#define X(slot, Args)                                              \
  void on_device_##slot(const Args& a) {                           \
    run_slot<Args>(a, &DevicePlugin::slot, &Kernels::slot, #slot); \
  }
SCONCE_SLOTS(X)
#undef X

const Kernels& device_kernels(const char* name) {
  auto* k = new Kernels;
  k->name = name;
#define X(slot, Args) k->slot = on_device_##slot;
  SCONCE_SLOTS(X)
#undef X
  return *k;
}

PluginDevice::PluginDevice(const DevicePlugin& p, Device d) : plugin(p) {
  device = d;
  kernels = &device_kernels(p.name);
}

std::atomic<bool> g_allow_tf32{false};
// Once it is loaded.
std::atomic<const DevicePlugin*> g_plugin{nullptr};

const DevicePlugin& cuda_plugin() {
  static const DevicePlugin* plugin = [] {
    const char* named = std::getenv("SCONCE_CUDA_LIBRARY");
    std::vector<std::string> places;
    if (named) {
      places = {named};
    } else {
      std::string program = program_folder();
      places = {program + "/libsconce_cuda.so", program + "/../lib/libsconce_cuda.so",
                "libsconce_cuda.so"};
    }
    void* library = nullptr;
    std::string why;
    for (size_t i = 0; i < places.size() && !library; ++i) {
      library = open_library(places[i].c_str());
      if (!library) why += (i ? "; " : "") + library_error();
    }
    if (!library) raise<OpError>("the CUDA kernels can't be loaded: ", why);
    auto entry = reinterpret_cast<const DevicePlugin* (*)()>(
        library_symbol(library, "sconce_device_plugin"));
    const DevicePlugin* p = entry ? entry() : nullptr;
    if (!p)
      raise<OpError>("the CUDA kernels can't be loaded: the library has no sconce_device_plugin");
    if (p->version != kDevicePluginVersion || p->size != sizeof(DevicePlugin))
      raise<OpError>(
          "the library with the CUDA kernels is of another version of sconce: its table is ",
          p->version, " (", p->size, " bytes), needed is ", kDevicePluginVersion, " (",
          sizeof(DevicePlugin), " bytes)");
    g_plugin = p;
    p->allow_tf32(g_allow_tf32);
    return p;
  }();
  return *plugin;
}

}  // namespace

const DeviceRuntime* open_device(Device d) {
  if (d.type != DeviceType::CUDA) raise<OpError>("device ", d.str(), " is not available");
  if (d.index < 0) d.index = 0;
  const DevicePlugin& plugin = cuda_plugin();
  const int count = plugin.count();
  if (count == 0) raise<OpError>("device ", d.str(), " is not available: ", plugin.unavailable());
  if (d.index >= count)
    raise<OpError>("device ", d.str(), " is not available: there ",
                   count == 1 ? "is one device" : "are " + std::to_string(count) + " devices");
  static std::mutex mutex;
  static std::map<int, const PluginDevice*> opened;
  std::lock_guard<std::mutex> lock(mutex);
  const PluginDevice*& device = opened[d.index];
  if (!device) device = new PluginDevice(plugin, d);
  return device;
}

int cuda_device_count() {
  try {
    return cuda_plugin().count();
  } catch (const OpError&) {
    return 0;  // no library with kernels
  }
}
CudaDevice cuda_device(int index) {
  const DeviceRuntime* device = open_device({DeviceType::CUDA, static_cast<int8_t>(index)});
  auto [free, total] = device->memory();
  return {device->description(), free, total};
}
void set_allow_tf32(bool allowed) {
  g_allow_tf32 = allowed;
  if (const DevicePlugin* p = g_plugin) p->allow_tf32(allowed);
}
bool allow_tf32() { return g_allow_tf32; }

}  // namespace sconce
