# SPDX-License-Identifier: Apache-2.0
"""Makes custom_op.pt and custom_op.io.pt with PyTorch: a module that calls operators of a namespace of its own."""
import pathlib
from typing import List, Tuple

import torch

lib = torch.library.Library("sconce_example", "DEF")
lib.define("scale_add(Tensor x, Tensor y, float scale=2.0) -> Tensor")
lib.define("measure(Tensor x) -> (int[] sizes, int count)")
lib.impl("scale_add", lambda x, y, scale=2.0: x + scale * y, "CPU")
lib.impl("measure", lambda x: (list(x.shape), x.numel()), "CPU")


class Custom(torch.nn.Module):
    def forward(self, x, y) -> Tuple[torch.Tensor, List[int], int]:
        z = torch.ops.sconce_example.scale_add(x, y)
        for i in range(2):
            z = torch.ops.sconce_example.scale_add(torch.relu(z), y, 0.5)
        sizes, count = torch.ops.sconce_example.measure(z)
        return z, sizes, count


folder = pathlib.Path(__file__).parent
torch.manual_seed(0)
module = torch.jit.script(Custom().eval())
cases = []
for shape in [(2, 3), (4,), ()]:
    inputs = (torch.randn(shape), torch.randn(shape))
    with torch.no_grad():
        output = module(*inputs)
    cases.append({"method": "forward", "inputs": inputs, "output": output, "check": "close", "rtol": 1e-5, "atol": 1e-6})
module.save(str(folder / "custom_op.pt"))
torch.save({"format": 1, "torch": str(torch.__version__), "cases": cases}, folder / "custom_op.io.pt")
