// SPDX-License-Identifier: Apache-2.0
// Shapes: views, permutations, what is contiguous, what shares memory.
#include <torch/script.h>

#include <iostream>

int main() {
  auto t = torch::arange(24);
  auto v = t.view({2, 3, 4}), p = v.permute({2, 0, 1}), c = p.contiguous();
  std::cout << v.sizes() << p.sizes() << p.strides() << c.strides() << p.is_contiguous()
            << c.is_contiguous() << std::endl;
  std::cout << v.data_ptr<int64_t>()[5] << (v.data_ptr() == t.data_ptr())
            << (c.data_ptr() == t.data_ptr()) << v.is_alias_of(t) << std::endl;
  std::cout << v.flatten().sizes() << v.flatten(1).sizes() << v.reshape({4, -1}).sizes()
            << v.unsqueeze(1).sizes() << v.movedim(0, 2).sizes() << v.swapaxes(0, 1).sizes()
            << std::endl;
  std::cout << v.expand({5, 2, 3, 4}).strides() << v.repeat({2, 1, 1}).sizes()
            << v.view({6, 4}).t().sizes() << v.size(-1) << v.stride(1) << std::endl;
  auto cl = torch::zeros({1, 3, 2, 2}).contiguous(torch::MemoryFormat::ChannelsLast);
  std::cout << cl.strides() << cl.is_contiguous(at::MemoryFormat::ChannelsLast)
            << cl.suggest_memory_format() << std::endl;
  auto s = v.as_strided({2, 2}, {12, 1}, 3);
  std::cout << s << s.storage_offset()
            << torch::broadcast_tensors({torch::ones({3, 1}), torch::ones({2})})[0].sizes()
            << std::endl;
  v[1][2][3] = -9;
  t.resize_({2, 2});
  std::cout << t << v.squeeze().sizes() << torch::atleast_2d(torch::tensor({1})).sizes()
            << torch::unflatten(v, 2, {2, 2}).sizes() << std::endl;
  std::cout << torch::tile(torch::tensor({1, 2}), {2, 2})
            << torch::repeat_interleave(torch::tensor({1, 2}), 2) << v.narrow_copy(0, 0, 1).sizes()
            << std::endl;
  return 0;
}
