// SPDX-License-Identifier: Apache-2.0
// Pictures as what a network takes: PNG and JPEG, decoded as Pillow does, prepared as torchvision's
// transforms do.
#pragma once
#include <string>

#include "sconce/sconce.h"

namespace CLI {
class App;
}

namespace sconce::tool {

struct ImageOptions {
  std::string resize, crop, mean, std;  // as given: "256" or "HxW"; "0.5" or "r,g,b"
  bool gray = false, imagenet = false;
};
void add_image_options(CLI::App& c, ImageOptions& o);

// [1, 3, H, W], or [1, 1, H, W] of a gray one: float, 0 to 1 before mean and std. In this order:
// resize (bilinear with antialiasing; one number is the shorter side), crop of the middle, mean and
// std. Throws FormatError for a file that is no sound picture or is larger than 100 million pixels,
// UsageError for options that make no sense.
Tensor read_image(const std::string& path, const ImageOptions& o);

}  // namespace sconce::tool
