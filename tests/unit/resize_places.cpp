// SPDX-License-Identifier: Apache-2.0
// Resizing by scales that put outputs nowhere: an infinite distance, and nothing times it.
#include <catch2/catch.hpp>

#include "sconce/sconce.h"

using namespace sconce;

TEST_CASE("resizing by a scale of next to nothing reads what is there", "[resize]") {
  for (const char* call :
       {"torch.upsample_nearest1d(x, [4], 1e-300)",
        "torch._upsample_nearest_exact1d(x, [4], 1e-300)",
        "torch.upsample_linear1d(x, [4], False, 1e-300)",
        "torch.upsample_bicubic2d(x.unsqueeze(2), [2, 4], False, 1e-300, 1e-300)",
        "torch._upsample_bilinear2d_aa(x.unsqueeze(2), [2, 4], False, 1e-300, 1e-300)"})
    for (const char* dtype : {"", ".double()"}) {
      INFO(call << dtype);
      Module m =
          compile(std::string("def f(x):\n    x = x") + dtype + "\n    return " + call + "\n");
      Tensor in = ones({2, 3, 5});
      try {
        const Tensor out = m.run_method("f", {in}).toTensor();
        CHECK(out.size(-1) == 4);
        if (std::string(call).find("nearest") != std::string::npos)
          for (int64_t i = 0; i < out.numel(); ++i)
            CHECK(out.reshape({-1}).select(0, i).item<double>() == 1.0);
      } catch (const OpError&) {  // may be refused
      }
    }
}
