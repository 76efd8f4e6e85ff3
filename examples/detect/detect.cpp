// SPDX-License-Identifier: Apache-2.0
// Finds things in a picture, prints a line for each and draws boxes with their names into a copy.
// usage: detect MODEL.pt PICTURE.png OUT.png
// MODEL.pt gives boxes [n, 4] (x0, y0, x1, y1 in pixels), scores [n] and classes [n] for a picture,
// and names its classes in extra/labels.txt.
#include <png.h>
#include <sconce/sconce.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <sstream>

namespace {

using Colour = unsigned char[3];
constexpr Colour kColours[] = {
    {230, 25, 75}, {0, 130, 200}, {40, 140, 60}, {220, 100, 20}, {145, 30, 180}};
constexpr Colour kWhite = {255, 255, 255};

// Letters three pixels wide and five high: a row is a digit from 0 to 7, a bit of it a pixel.
const char* glyph(char c) {
  static const char* const digits[] = {"25552", "26227", "61247", "61216", "55711",
                                       "74616", "34652", "71222", "25252", "25316"};
  static const char* const letters[] = {
      "25755", "65656", "34443", "65556", "74647", "74644", "34553", "55755", "72227",
      "11152", "55655", "44447", "57755", "65555", "25552", "65644", "25563", "65655",
      "34216", "72222", "55557", "55552", "55775", "55255", "55222", "71247"};
  const auto u = static_cast<unsigned char>(c);
  if (std::isdigit(u)) return digits[c - '0'];
  if (std::isalpha(u)) return letters[std::toupper(u) - 'A'];
  return c == '%' ? "51245" : "00000";
}

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

  // What lies in the picture of a rectangle without its right and lower edge.
  void fill(int64_t x0, int64_t y0, int64_t x1, int64_t y1, const Colour& colour) {
    for (int64_t y = std::max<int64_t>(0, y0); y < std::min(height, y1); ++y)
      for (int64_t x = std::max<int64_t>(0, x0); x < std::min(width, x1); ++x)
        std::copy(colour, colour + 3, &pixels[static_cast<size_t>(3 * (y * width + x))]);
  }

  // The edge of a box of four corners, two pixels wide, inwards.
  void frame(const float* box, const Colour& colour) {
    const int64_t x0 = std::lround(box[0]), y0 = std::lround(box[1]), x1 = std::lround(box[2]),
                  y1 = std::lround(box[3]);
    fill(x0, y0, x1, std::min(y0 + 2, y1), colour);
    fill(x0, std::max(y1 - 2, y0), x1, y1, colour);
    fill(x0, y0, std::min(x0 + 2, x1), y1, colour);
    fill(std::max(x1 - 2, x0), y0, x1, y1, colour);
  }

  // White letters on a bar, 14 pixels high and 8 wide for each letter, above the box if there is
  // room.
  void label(const float* box, const std::string& name, float share, const Colour& colour) {
    const std::string text = name + " " + std::to_string(std::lround(share)) + "%";
    const int64_t x = std::lround(box[0]), y = std::max<int64_t>(std::lround(box[1]), 14);
    fill(x, y - 14, x + 8 * static_cast<int64_t>(text.size()) + 2, y, colour);
    for (size_t i = 0; i < text.size(); ++i)
      for (int64_t row = 0; row < 5; ++row)
        for (int64_t column = 0; column < 3; ++column)
          if ((glyph(text[i])[row] - '0') >> (2 - column) & 1) {
            const int64_t left = x + 2 + 8 * static_cast<int64_t>(i) + 2 * column;
            fill(left, y - 12 + 2 * row, left + 2, y - 10 + 2 * row, kWhite);
          }
  }
};

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
  struct Found {
    const char* name;
    float share;
    const float* box;
    const Colour& colour;
  };
  std::vector<Found> things;
  for (int64_t i = 0; i < scores.size(0); ++i) {
    const auto which = static_cast<size_t>(classes.const_data_ptr<int64_t>()[i]);
    things.push_back({names.at(which).c_str(), 100 * scores.const_data_ptr<float>()[i],
                      boxes.const_data_ptr<float>() + 4 * i,
                      kColours[which % std::size(kColours)]});
  }
  for (const Found& t : things) picture.frame(t.box, t.colour);
  for (const Found& t : things) picture.label(t.box, t.name, t.share, t.colour);
  picture.write(argv[3]);
  for (const Found& t : things)
    std::printf("%-9s %5.1f %%  %.1f,%.1f to %.1f,%.1f\n", t.name, t.share, t.box[0], t.box[1],
                t.box[2], t.box[3]);
} catch (const std::exception& e) {  // sconce::Error is one
  std::cerr << e.what() << "\n";
  return 3;
}
