// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#ifndef SCONCE_NO_PICTURES
#include <png.h>
#include <turbojpeg.h>
#endif

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstring>

#include "support/platform.h"
#include "usage.h"

namespace sconce::tool {

namespace {

constexpr int64_t kMostPixels = 100'000'000;

#ifdef SCONCE_NO_PICTURES
Tensor decode(const std::string& path) {
  raise<FormatError>(path, ": this build of sconce reads no pictures (SCONCE_PICTURES)");
}
#else

// uint8 [H, W, 3], not filled. Refuses sizes of hostile headers before there is memory for them.
Tensor picture(const std::string& path, int64_t height, int64_t width) {
  if (height <= 0 || width <= 0 || height > kMostPixels / width)
    raise<FormatError>(path, ": ", width, "x", height, " pixels; at most ", kMostPixels,
                       " are read");
  return empty({height, width, 3}, kByte);
}

// What libpng reads from and says; its errors come back by longjmp to the function that called it.
struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const unsigned char* data = nullptr;
  size_t left = 0;
  char message[256] = "";

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }

  static void on_error(png_structp png, png_const_charp text) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message, text, sizeof self->message - 1);
    longjmp(png_jmpbuf(png), 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep to, size_t n) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (n > self->left) png_error(png, "the data is cut off");
    std::memcpy(to, self->data, n);
    self->data += n;
    self->left -= n;
  }
};

// False: r.message says why. No object with a destructor may live in these two: longjmp skips it.
bool read_png_header(PngReader& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_read_fn(r.png, &r, PngReader::on_read);
  png_set_chunk_malloc_max(r.png, 8 << 20);
  png_read_info(r.png, r.info);
  // 8 bits of red, green and blue; alpha is dropped, as Pillow's convert("RGB") does.
  png_set_strip_16(r.png);
  png_set_expand(r.png);
  png_set_gray_to_rgb(r.png);
  png_set_strip_alpha(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  return true;
}
bool read_png_rows(PngReader& r, png_bytepp rows) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_read_image(r.png, rows);
  return true;
}

Tensor read_png(const std::string& path, const Bytes& file) {
  PngReader r;
  r.data = file.data;
  r.left = file.size;
  r.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, PngReader::on_error, PngReader::on_warning);
  r.info = r.png ? png_create_info_struct(r.png) : nullptr;
  if (!r.info) raise<OutOfMemory>("libpng cannot start");
  if (!read_png_header(r)) raise<FormatError>(path, ": a broken PNG: ", r.message);
  Tensor t = picture(path, png_get_image_height(r.png, r.info), png_get_image_width(r.png, r.info));
  if (png_get_rowbytes(r.png, r.info) != static_cast<size_t>(t.size(1)) * 3)
    raise<FormatError>(path, ": a PNG of an unknown kind");
  std::vector<png_bytep> rows;
  for (int64_t y = 0; y < t.size(0); ++y) rows.push_back(t.data_ptr<uint8_t>() + y * t.size(1) * 3);
  if (!read_png_rows(r, rows.data())) raise<FormatError>(path, ": a broken PNG: ", r.message);
  return t;
}

struct JpegReader {
  tjhandle handle = tjInitDecompress();
  ~JpegReader() {
    if (handle) tjDestroy(handle);
  }
};

Tensor read_jpeg(const std::string& path, const Bytes& file) {
  JpegReader r;
  if (!r.handle) raise<OutOfMemory>("libturbojpeg cannot start");
  auto bad = [&] { raise<FormatError>(path, ": a broken JPEG: ", tjGetErrorStr2(r.handle)); };
  int width = 0, height = 0, sampling = 0, colors = 0;
  if (tjDecompressHeader3(r.handle, file.data, file.size, &width, &height, &sampling, &colors) != 0)
    bad();
  if (colors == TJCS_CMYK || colors == TJCS_YCCK)
    raise<FormatError>(path, ": a JPEG for print (CMYK); convert it to RGB");
  Tensor t = picture(path, height, width);
  if (tjDecompress2(r.handle, file.data, file.size, t.data_ptr<uint8_t>(), width, 0, height,
                    TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0) {
    // Stray bytes between markers harm nothing; data that is cut off or broken does.
    bool harmless = tjGetErrorCode(r.handle) == TJERR_WARNING &&
                    std::strstr(tjGetErrorStr2(r.handle), "extraneous bytes");
    if (!harmless) bad();
  }
  return t;
}

Tensor decode(const std::string& path) {
  Bytes file = map_file(path);
  if (file.size >= 8 && png_sig_cmp(file.data, 0, 8) == 0) return read_png(path, file);
  if (file.size >= 3 && std::memcmp(file.data, "\xff\xd8\xff", 3) == 0)
    return read_jpeg(path, file);
  raise<FormatError>(path, ": neither a PNG nor a JPEG picture");
}
#endif

// Pillow's convert("L").
Tensor luma(const Tensor& rgb) {
  Tensor gray = empty({rgb.size(0), rgb.size(1), 1}, kByte);
  const uint8_t* p = rgb.data_ptr<uint8_t>();
  uint8_t* q = gray.data_ptr<uint8_t>();
  for (int64_t i = 0; i < gray.numel(); ++i, p += 3)
    q[i] = static_cast<uint8_t>((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 0x8000u) >> 16);
  return gray;
}

template <class T, class Read>
std::vector<T> numbers(const std::string& option, const std::string& text, char separator,
                       Read read) {
  std::vector<T> values;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    size_t used = 0;
    try {
      values.push_back(read(part, &used));
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != part.size())
      throw UsageError(option, "'" + text + "' can't be understood");
  }
  return values;
}

// "256" or "HxW".
std::vector<int64_t> extent(const std::string& option, const std::string& text) {
  auto v = numbers<int64_t>(option, text, 'x', [](const std::string& s, size_t* used) {
    return static_cast<int64_t>(std::stol(s, used));
  });
  bool good = v.size() == 1 || v.size() == 2;
  for (int64_t x : v) good &= x > 0 && x <= 65536;
  if (!good) throw UsageError(option, "'" + text + "' is neither N nor HEIGHTxWIDTH");
  return v;
}

// One number for each channel, [1, C, 1, 1].
Tensor channels(const std::string& option, const std::string& text, int64_t count) {
  auto v = numbers<double>(option, text, ',',
                           [](const std::string& s, size_t* used) { return std::stod(s, used); });
  if (v.size() == 1) v.resize(static_cast<size_t>(count), v[0]);
  if (static_cast<int64_t>(v.size()) != count)
    throw UsageError(option, std::to_string(count) + " numbers are wanted, not '" + text + "'");
  Tensor t = empty({1, count, 1, 1});
  for (size_t i = 0; i < v.size(); ++i) t.data_ptr<float>()[i] = static_cast<float>(v[i]);
  return t;
}

// The shorter side becomes wanted[0], as in torchvision's Resize; or both are given.
std::vector<int64_t> resized(const Tensor& image, const std::vector<int64_t>& wanted) {
  if (wanted.size() == 2) return wanted;
  int64_t height = image.size(2), width = image.size(3);
  auto longer = [&](int64_t a, int64_t b) { return std::max<int64_t>(1, wanted[0] * a / b); };
  return height <= width ? std::vector<int64_t>{wanted[0], longer(width, height)}
                         : std::vector<int64_t>{longer(height, width), wanted[0]};
}

Tensor resize(const Tensor& image, const std::vector<int64_t>& size) {
  if (size[0] == image.size(2) && size[1] == image.size(3)) return image;
  if (size[0] > kMostPixels / size[1])
    throw UsageError("--resize",
                     "the picture would have more than " + std::to_string(kMostPixels) + " pixels");
  static const Module m = compile(
      "def resize(image: Tensor, size: List[int]) -> Tensor:\n"
      "    return torch._upsample_bilinear2d_aa(image, size, False)\n");
  return m.run_method("resize", {IValue(image), IValue(size)}).toTensor();
}

Tensor crop(const Tensor& image, std::vector<int64_t> size, const std::string& path) {
  if (size.size() == 1) size.push_back(size[0]);
  Tensor t = image;
  for (int64_t d = 0; d < 2; ++d) {
    int64_t have = t.size(2 + d), want = size[static_cast<size_t>(d)];
    if (want > have)
      throw UsageError("--crop", path + " is " + std::to_string(image.size(3)) + "x" +
                                     std::to_string(image.size(2)) +
                                     ", smaller than the crop; --resize it first");
    // Half to even, as Python's round().
    auto start = static_cast<int64_t>(std::nearbyint(static_cast<double>(have - want) / 2));
    t = t.slice(2 + d, start, start + want);
  }
  return t;
}

}  // namespace

Tensor read_image(const std::string& path, const ImageOptions& given) {
  ImageOptions o = given;
  auto fill = [&](std::string& option, const char* usual) {
    if (o.imagenet && option.empty()) option = usual;
  };
  fill(o.resize, "256");
  fill(o.crop, "224");
  fill(o.mean, o.gray ? "0.449" : "0.485,0.456,0.406");
  fill(o.std, o.gray ? "0.226" : "0.229,0.224,0.225");
  Tensor pixels = decode(path);
  if (o.gray) pixels = luma(pixels);
  Tensor t = pixels.permute({2, 0, 1}).unsqueeze(0);
  if (!o.resize.empty()) t = resize(t, resized(t, extent("--resize", o.resize)));
  if (!o.crop.empty()) t = crop(t, extent("--crop", o.crop), path);
  Tensor scale = empty({1});
  scale.data_ptr<float>()[0] = 255;
  t = t.to(kFloat).contiguous() / scale;
  if (!o.mean.empty()) t = t - channels("--mean", o.mean, t.size(1));
  if (!o.std.empty()) t = t / channels("--std", o.std, t.size(1));
  return t;
}

}  // namespace sconce::tool
