// SPDX-License-Identifier: Apache-2.0
#include "sconce/pass_text.h"

#include "api/runtime.h"
#include "backends/kernels.h"
#include "ir/verify.h"

namespace sconce {

std::string run_passes_on_text(const std::string& graph_text, const std::string& pipeline) {
  std::shared_ptr<Graph> g = parse_graph(graph_text, &op_table());
  verify_graph(*g);
  verify_types(*g);
  Context context = default_context();
  context.kernels = &cpu_kernels();
  ContextScope scope(&context);
  PassContext c;
  c.ops = &op_table();
  if (!pipeline.empty()) run_pipeline(*g, c, pipeline);
  return print_graph(*g);
}

}  // namespace sconce
