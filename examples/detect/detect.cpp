// SPDX-License-Identifier: Apache-2.0
// Finds things in a picture, prints a line for each and draws boxes around them into a copy.
// usage: detect MODEL.pt PICTURE.png OUT.png
// MODEL.pt gives boxes [n, 4] (x0, y0, x1, y1 in pixels), scores [n] and classes [n] for a picture.
#include <png.h>
#include <sconce/sconce.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

namespace {

struct Picture {
  int64_t width = 0, height = 0;
  std::vector<unsigned char> pixels;  // red, green and blue of each pixel, in rows

  explicit Picture(const char* path) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&image, path)) throw std::runtime_error(image.message);
    image.format = PNG_FORMAT_RGB;
    width = image.width, height = image.height;
    pixels.resize(PNG_IMAGE_SIZE(image));
    if (!png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr))
      throw std::runtime_error(image.message);
  }

  void write(const char* path) const {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_RGB;
    image.width = static_cast<png_uint_32>(width), image.height = static_cast<png_uint_32>(height);
    if (!png_image_write_to_file(&image, path, 0, pixels.data(), 0, nullptr))
      throw std::runtime_error(image.message);
  }

  // [1, 3, H, W], colours from 0 to 1.
  sconce::Tensor tensor() const {
    auto t = sconce::empty({1, 3, height, width});
    float* out = t.data_ptr<float>();
    for (int64_t i = 0; i < height * width; ++i)
      for (int64_t c = 0; c < 3; ++c)
        out[c * height * width + i] = pixels[static_cast<size_t>(3 * i + c)] / 255.0f;
    return t;
  }

  // The edge of a box, two pixels wide, inwards.
  void draw(int64_t x0, int64_t y0, int64_t x1, int64_t y1, const unsigned char* colour) {
    for (int64_t y = std::max<int64_t>(0, y0); y < std::min(height, y1); ++y)
      for (int64_t x = std::max<int64_t>(0, x0); x < std::min(width, x1); ++x)
        if (x < x0 + 2 || x >= x1 - 2 || y < y0 + 2 || y >= y1 - 2)
          std::copy(colour, colour + 3, &pixels[static_cast<size_t>(3 * (y * width + x))]);
  }
};

constexpr unsigned char kColours[][3] = {
    {230, 25, 75}, {0, 130, 200}, {60, 180, 75}, {245, 130, 48}, {145, 30, 180}};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: detect MODEL.pt PICTURE.png OUT.png\n";
    return 2;
  }
  std::map<std::string, std::string> extra{{"labels.txt", ""}};
  sconce::LoadOptions options;
  options.extra_files = &extra;
  auto model = sconce::load(argv[1], options);
  std::vector<std::string> names;
  std::istringstream labels(extra["labels.txt"]);
  for (std::string name; std::getline(labels, name);) names.push_back(name);

  Picture picture(argv[2]);
  const sconce::IValue answer = model.forward({picture.tensor()});
  const auto& found = answer.toTupleRef().items;
  auto boxes = found[0].toTensor().contiguous(), scores = found[1].toTensor().contiguous(),
       classes = found[2].toTensor().contiguous();
  for (int64_t i = 0; i < scores.size(0); ++i) {
    int64_t box[4];
    for (int64_t k = 0; k < 4; ++k) box[k] = std::lround(boxes.const_data_ptr<float>()[4 * i + k]);
    const auto which = static_cast<size_t>(classes.const_data_ptr<int64_t>()[i]);
    picture.draw(box[0], box[1], box[2], box[3], kColours[which % std::size(kColours)]);
    std::printf("%-9s %3.0f %%  %lld,%lld to %lld,%lld\n", names.at(which).c_str(),
                100 * scores.const_data_ptr<float>()[i], static_cast<long long>(box[0]),
                static_cast<long long>(box[1]), static_cast<long long>(box[2]),
                static_cast<long long>(box[3]));
  }
  picture.write(argv[3]);
} catch (const std::exception& e) {  // sconce::Error is one
  std::cerr << e.what() << "\n";
  return 3;
}
