// SPDX-License-Identifier: Apache-2.0
// What is in a picture: the names and shares of the five best classes.
// usage: classify MODEL.pt PICTURE.png     MODEL.pt names its classes in extra/labels.txt
#include <png.h>
#include <sconce/sconce.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <sstream>

// [1, 3, H, W], colours from 0 to 1.
sconce::Tensor read_png(const char* path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&image, path)) throw std::runtime_error(image.message);
  image.format = PNG_FORMAT_RGB;
  std::vector<unsigned char> pixels(PNG_IMAGE_SIZE(image));
  if (!png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr))
    throw std::runtime_error(image.message);
  const int64_t height = image.height, width = image.width;
  auto picture = sconce::empty({1, 3, height, width});
  float* out = picture.data_ptr<float>();
  for (int64_t i = 0; i < height * width; ++i)
    for (int64_t c = 0; c < 3; ++c)
      out[c * height * width + i] = pixels[static_cast<size_t>(3 * i + c)] / 255.0f;
  return picture;
}

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: classify MODEL.pt PICTURE.png\n";
    return 2;
  }
  std::map<std::string, std::string> extra{{"labels.txt", ""}};
  sconce::LoadOptions options;
  options.extra_files = &extra;
  auto model = sconce::load(argv[1], options);
  auto scores = model.forward({read_png(argv[2])}).toTensor().softmax(1);

  std::vector<std::string> names;
  std::istringstream lines(extra["labels.txt"]);
  for (std::string name; std::getline(lines, name);) names.push_back(name);
  names.resize(static_cast<size_t>(scores.size(1)), "?");
  std::vector<size_t> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  const float* share = scores.const_data_ptr<float>();
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return share[a] > share[b]; });
  for (size_t i = 0; i < std::min<size_t>(5, order.size()); ++i)
    std::printf("%5.1f %%  %s\n", 100 * share[order[i]], names[order[i]].c_str());
} catch (const std::exception& e) {  // sconce::Error is one
  std::cerr << e.what() << "\n";
  return 3;
}
