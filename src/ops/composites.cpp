// SPDX-License-Identifier: Apache-2.0
#include "ops/composites.h"

#include <atomic>

#include "core/selection.h"
#include "support/lasting.h"

namespace sconce::ops {

namespace {
constexpr std::string_view kSources[] = {
#ifdef SCONCE_NO_COMPOSITES  // a reduced build that needs none
    ""
#else
#include "ops/torchscript/shape.inc"
    ,
#include "ops/torchscript/math.inc"
    ,
#include "ops/torchscript/nn.inc"
    ,
#include "ops/torchscript/fft.inc"
    ,
#include "ops/torchscript/linalg.inc"
    ,
#include "ops/torchscript/quantized.inc"
    ,
#include "ops/torchscript/vision.inc"
    ,
#include "ops/torchscript/audio.inc"
#endif
};

std::atomic<CompositeRunner> g_runner{nullptr};

void run_composite(Call& c) {
  CompositeRunner runner = g_runner.load(std::memory_order_acquire);
  if (!runner) raise<Error>("operator ", c.op()->full_name(), " needs the TorchScript frontend");
  runner(c);
}
}  // namespace

const std::vector<std::string_view>& composite_sources() {
  static const std::vector<std::string_view> sources(std::begin(kSources), std::end(kSources));
  return sources;
}

std::string composite_operator(std::string_view function) {
  std::string name(function), ns = "aten";
  for (const char* other : {"quantized", "torchvision", "torchaudio"}) {
    std::string prefix = std::string("ns_") + other + "_";
    if (name.compare(0, prefix.size(), prefix) == 0) {
      ns = other;
      name.erase(0, prefix.size());
    }
  }
  size_t bars = name.find("__", 1);
  if (bars != std::string::npos) name.replace(bars, 2, ".");
  return ns + "::" + name;
}
std::string composite_function(std::string_view op) {
  std::string name(op.substr(op.rfind(':') + 1)), ns(op.substr(0, op.find(':')));
  size_t dot = name.find('.');
  if (dot != std::string::npos) name.replace(dot, 1, "__");
  return ns == "aten" ? name : "ns_" + ns + "_" + name;
}

const std::vector<OpDef>& composite_rows() {
  struct Rows {
    std::vector<std::string> names;  // what the rows point to
    std::vector<OpDef> rows;
  };
  static const Lasting<const Rows> made([] {
    auto* r = new Rows;
    for (std::string_view text : composite_sources())
      for (size_t at = text.find("\ndef "); at != std::string_view::npos;
           at = text.find("\ndef ", at + 1)) {
        std::string_view name = text.substr(at + 5, text.find('(', at) - at - 5);
        if (name.substr(0, 7) == "helper_") continue;
        if (std::string op = composite_operator(name); in_build(op))
          r->names.push_back(std::move(op));
      }
    for (auto& n : r->names) r->rows.push_back({n.c_str(), run_composite, nullptr});
    return r;
  }());
  return made->rows;
}

void set_composite_runner(CompositeRunner runner) {
  g_runner.store(runner, std::memory_order_release);
}

}  // namespace sconce::ops
