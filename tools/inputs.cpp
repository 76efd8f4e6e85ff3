// SPDX-License-Identifier: Apache-2.0
// The grammar of --input; kInputHelp is its description for people. A value is read from left to
// right; words that are no constant, number or generator are names of files.
#include "inputs.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "api/runtime.h"
#include "compare.h"
#include "loader/zip.h"
#include "numpy.h"
#include "support/stack.h"
#include "usage.h"

namespace sconce::tool {

const char* const kInputHelp =
    "An input X is\n"
    "  None, True, False, 3, 2.5, inf, 1+2j, \"text\" or 'text', device(\"cpu\")\n"
    "  (X, X), [X, X], {X: X}   tuples, lists and dicts, nested as you like\n"
    "  zeros(2,3) ones(2,3) rand(2,3) randn(2,3) full((2,3), 0.5) arange(10)\n"
    "  randint(0, 100, (2,3)) tensor([[1, 2], [3, 4]])   a dtype may follow: ones(2):float16\n"
    "  FILE.npy                 an array of numpy\n"
    "  FILE.npz, FILE.npz:KEY   a dict of all its arrays, or one of them\n"
    "  FILE.pt                  what torch.save wrote\n"
    "  FILE.png, FILE.jpg       a picture: float [1, 3, H, W] from 0 to 1; see Pictures\n"
    "  file(\"a name.npy\")       a file whose name holds spaces, commas or brackets\n"
    "A JSON value is an input too. Quote X for the shell: --input '{\"ids\": ones(1,8):int64}'";

namespace {

constexpr int kDeepest = 200;

std::string lower(std::string s) {
  for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}
bool ends_with(const std::string& s, const std::string& tail) {
  return s.size() > tail.size() && s.compare(s.size() - tail.size(), tail.size(), tail) == 0;
}

bool is_file_name(const std::string& name) {
  for (const char* e : {".npy", ".npz", ".pt", ".png", ".jpg", ".jpeg"})
    if (ends_with(lower(name), e)) return true;
  return false;
}
// Where the key of "FILE.npz:KEY" starts; npos when name has none.
size_t npz_key(const std::string& name) {
  size_t at = lower(name).rfind(".npz:");
  return at == std::string::npos ? at : at + 5;
}

IValue read_saved(const std::string& name) {
  try {
    return load_pickle(name);
  } catch (const FormatError&) {
    bool program = false;
    try {
      program = zip::Archive(map_file(name), name).has("constants.pkl");
    } catch (const FormatError&) {
    }
    if (program) raise<FormatError>(name, ": a TorchScript archive, no value of torch.save");
    throw;
  }
}

IValue read_input_file(const std::string& name, const ImageOptions& image) {
  std::string folded = lower(name);
  if (size_t key = npz_key(name); key != std::string::npos && !ends_with(folded, ".npz"))
    return read_npz(name.substr(0, key - 1), name.substr(key));
  if (ends_with(folded, ".npy")) return IValue(read_npy(name));
  if (ends_with(folded, ".npz")) return read_npz(name);
  if (ends_with(folded, ".pt")) return read_saved(name);
  return IValue(read_image(name, image));
}

ScalarType find_dtype(std::string name) {
  static constexpr const char* kOtherNames[][2] = {{"half", "float16"},   {"float", "float32"},
                                                   {"double", "float64"}, {"short", "int16"},
                                                   {"int", "int32"},      {"long", "int64"}};
  if (name.compare(0, 6, "torch.") == 0) name.erase(0, 6);
  for (auto& other : kOtherNames)
    if (name == other[0]) name = other[1];
  for (int i = 0; i < 45; ++i)
    if (auto t = static_cast<ScalarType>(i); name == dtype_name(t)) return t;
  return ScalarType::Undefined;
}

// What the runtime itself makes.
Tensor make(const char* function, std::vector<IValue> arguments) {
  static const Module m = compile(
      "def rand(size: List[int]) -> Tensor:\n"
      "    return torch.rand(size)\n"
      "def full(size: List[int], value: float) -> Tensor:\n"
      "    return torch.full(size, value)\n"
      "def randint(low: int, high: int, size: List[int]) -> Tensor:\n"
      "    return torch.randint(low, high, size)\n"
      "def arange(start: int, end: int, step: int) -> Tensor:\n"
      "    return torch.arange(start, end, step)\n");
  return m.run_method(function, std::move(arguments)).toTensor();
}

class InputParser {
 public:
  InputParser(const std::string& text, const ImageOptions& image) : text_(text), image_(image) {}

  IValue parse() {
    skip_spaces();
    // The whole text may be the name of a file, whatever is in it.
    std::string all = text_.substr(at_, text_.find_last_not_of(" \t\n") + 1 - at_);
    if (is_file_name(all) && !std::strchr("{[(\"'", all[0]) && all.find('(') == std::string::npos &&
        all.find(',') == std::string::npos)
      return read_input_file(all, image_);
    if (is_file_name(all) && std::filesystem::exists(all)) return read_input_file(all, image_);
    IValue v = value();
    skip_spaces();
    if (at_ != text_.size()) fail("something follows the value");
    return v;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw UsageError("--input",
                     "'" + text_ + "', at character " + std::to_string(at_ + 1) + ": " + why);
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    skip_spaces();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "' is expected");
  }

  IValue value() {
    check_stack();
    if (++depth_ > kDeepest) fail("nested too deeply");
    skip_spaces();
    IValue v;
    switch (peek()) {
      case '\0': fail("a value is expected");
      case '[': v = list(); break;
      case '(': v = tuple(); break;
      case '{': v = dict(); break;
      case '"':
      case '\'': v = IValue(quoted()); break;
      default: v = word();
    }
    --depth_;
    return v;
  }

  // Values up to the closing bracket; a comma may end them.
  std::vector<IValue> values(char open, char close, bool* comma = nullptr) {
    std::vector<IValue> items;
    expect(open);
    while (!take(close)) {
      items.push_back(value());
      bool more = take(',');
      if (comma) *comma = more;
      if (more) continue;
      expect(close);
      break;
    }
    return items;
  }
  IValue list() { return IValue(make_ref<ListBox>(types::any(), values('[', ']'))); }
  IValue tuple() {
    bool comma = false;
    auto items = values('(', ')', &comma);
    if (items.size() == 1 && !comma) return items[0];
    return IValue(make_ref<TupleBox>(std::move(items)));
  }
  IValue dict() {
    auto d = make_ref<DictBox>(types::any(), types::any());
    expect('{');
    while (!take('}')) {
      skip_spaces();
      size_t start = at_;
      IValue key = value();
      if (key.isList() || key.isDict() || key.isTuple() || key.isNone() || key.isTensor()) {
        at_ = start;
        fail("a key is a string or a number");
      }
      expect(':');
      d->set(std::move(key), value());
      if (take(',')) continue;
      expect('}');
      break;
    }
    return IValue(d);
  }

  int hex(int digits) {
    int v = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (!std::isxdigit(static_cast<unsigned char>(peek())))
        fail("a hexadecimal digit is expected");
      char c = static_cast<char>(std::tolower(static_cast<unsigned char>(peek())));
      v = v * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
  }
  static void append_utf8(std::string& s, int c) {
    auto put = [&](int byte) { s += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) return put(0xc0 | c >> 6), put(0x80 | (c & 63));
    if (c < 0x10000)
      put(0xe0 | c >> 12);
    else
      put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
  }
  // A string as Python and JSON write it.
  std::string quoted() {
    char quote = text_[at_++];
    std::string s;
    for (;;) {
      if (at_ >= text_.size()) fail("the string has no end");
      char c = text_[at_++];
      if (c == quote) return s;
      if (c != '\\') {
        s += c;
        continue;
      }
      c = peek();
      ++at_;
      static constexpr char kEscapes[] = "nrtbf\\/\"'", kMeanings[] = "\n\r\t\b\f\\/\"'";
      if (const char* e = c ? std::strchr(kEscapes, c) : nullptr) {
        s += kMeanings[e - kEscapes];
      } else if (c == 'x') {
        append_utf8(s, hex(2));
      } else if (c == 'u') {
        int code = hex(4);
        if (code >= 0xd800 && code < 0xdc00 && text_.compare(at_, 2, "\\u") == 0) {
          at_ += 2;
          code = 0x10000 + ((code - 0xd800) << 10) + (hex(4) - 0xdc00);
        }
        append_utf8(s, code);
      } else {
        fail("an unknown escape");
      }
    }
  }

  // A constant, a number, a generator or a file.
  IValue word() {
    size_t start = at_;
    while (at_ < text_.size() && !std::isspace(static_cast<unsigned char>(text_[at_])) &&
           !std::strchr(",[](){}:\"'", text_[at_]))
      ++at_;
    std::string w = text_.substr(start, at_ - start);
    if (w.empty()) fail(std::string("'") + peek() + "' is not expected");
    if (peek() == '(') return call(w, start);
    if (w == "None" || w == "null") return IValue();
    if (w == "True" || w == "true") return IValue(true);
    if (w == "False" || w == "false") return IValue(false);
    if (IValue v; number(w, start, v)) return v;
    if (is_file_name(w)) {
      if (ends_with(lower(w), ".npz") && peek() == ':' && at_ + 1 < text_.size() &&
          !std::isspace(static_cast<unsigned char>(text_[at_ + 1])))
        w += ":" + npz_member();
      return read_input_file(w, image_);
    }
    at_ = start;
    fail("'" + w +
         "' is no constant, number, generator or file that is known (strings stand in quotes)");
  }
  std::string npz_member() {
    ++at_;
    if (peek() == '"' || peek() == '\'') return quoted();
    size_t start = at_;
    while (at_ < text_.size() && !std::strchr(" ,)]}", text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  bool number(const std::string& w, size_t start, IValue& v) {
    const char *begin = w.c_str(), *end = begin + w.size();
    char* stop = nullptr;
    if (w.find_first_not_of("+-0123456789") == std::string::npos) {
      errno = 0;
      int64_t i = std::strtoll(begin, &stop, 10);
      if (stop != end) return false;
      if (errno == ERANGE) {
        at_ = start;
        fail("the number has more than 64 bits");
      }
      v = IValue(i);
      return true;
    }
    std::string body = lower(
        w.substr(w.find_first_not_of("+-") == std::string::npos ? 0 : w.find_first_not_of("+-")));
    // strtod also knows hexadecimal and nan(...).
    if (body.find_first_not_of("0123456789.e+-j") != std::string::npos && body != "inf" &&
        body != "nan" && body != "infinity")
      return false;
    double first = std::strtod(begin, &stop);
    if (stop == begin) return false;
    if (stop == end) {
      v = IValue(first);
      return true;
    }
    if (end[-1] != 'j') return false;
    if (stop == end - 1) {
      v = IValue(std::complex<double>(0, first));
      return true;
    }
    const char* middle = stop;
    double second = std::strtod(middle, &stop);
    if (stop != end - 1 || stop == middle || (*middle != '+' && *middle != '-')) return false;
    v = IValue(std::complex<double>(first, second));
    return true;
  }

  int64_t integer(const IValue& v) const {
    if (!v.isInt()) fail("a whole number is expected");
    return v.toInt();
  }
  // (2, 3), [2, 3], or the numbers themselves.
  std::vector<int64_t> sizes(const std::vector<IValue>& given) const {
    if (given.size() == 1 && (given[0].isTuple() || given[0].isList()))
      return sizes(given[0].isTuple() ? given[0].toTupleRef().items : given[0].toListRef().items);
    std::vector<int64_t> r;
    int64_t numel = 1;
    for (auto& v : given) {
      r.push_back(integer(v));
      if (r.back() < 0) fail("a size is negative");
      if (__builtin_mul_overflow(numel, r.back(), &numel) || numel > int64_t{1} << 40)
        fail("the tensor is too large");
    }
    return r;
  }

  // The numbers of nested lists in order; sizes becomes their shape.
  void flatten(const IValue& v, size_t depth, std::vector<int64_t>& sizes,
               std::vector<IValue>& out) const {
    if (!v.isList() && !v.isTuple()) {
      if (!v.isScalar()) fail("tensor() takes numbers");
      if (depth != sizes.size()) fail("the rows of the tensor have different lengths");
      out.push_back(v);
      return;
    }
    const auto& items = v.isList() ? v.toListRef().items : v.toTupleRef().items;
    auto n = static_cast<int64_t>(items.size());
    if (depth == sizes.size() && out.empty())
      sizes.push_back(n);
    else if (depth >= sizes.size() || sizes[depth] != n)
      fail("the rows of the tensor have different lengths");
    for (auto& e : items) flatten(e, depth + 1, sizes, out);
  }
  Tensor tensor(const IValue& v) const {
    std::vector<int64_t> sizes;
    std::vector<IValue> items;
    flatten(v, 0, sizes, items);
    auto any = [&](auto is) { return std::any_of(items.begin(), items.end(), is); };
    if (any([](const IValue& x) { return x.isComplexDouble(); })) {
      Tensor t = empty(sizes, kComplexDouble);
      for (size_t i = 0; i < items.size(); ++i)
        static_cast<std::complex<double>*>(t.raw_data())[i] =
            items[i].isComplexDouble() ? items[i].toComplexDouble() : items[i].toDouble();
      return t.to(kComplexFloat);
    }
    if (items.empty() || any([](const IValue& x) { return x.isDouble(); })) {
      Tensor t = empty(sizes, kDouble);
      for (size_t i = 0; i < items.size(); ++i)
        t.data_ptr<double>()[i] = items[i].isBool() ? items[i].toBool() : items[i].toDouble();
      return t.to(kFloat);
    }
    bool booleans = !any([](const IValue& x) { return !x.isBool(); });
    Tensor t = empty(sizes, kLong);
    for (size_t i = 0; i < items.size(); ++i) t.data_ptr<int64_t>()[i] = items[i].toInt();
    return booleans ? t.to(kBool) : t;
  }

  IValue call(std::string name, size_t start) {
    if (name.compare(0, 6, "torch.") == 0) name.erase(0, 6);
    static constexpr const char* kNames[] = {"zeros",  "ones",    "rand",   "randn",  "full",
                                             "arange", "randint", "tensor", "device", "file"};
    if (std::none_of(std::begin(kNames), std::end(kNames),
                     [&](const char* n) { return name == n; })) {
      at_ = start;
      fail("'" + name + "' makes no input");
    }
    std::vector<IValue> in = values('(', ')');
    auto want = [&](size_t least, size_t most) {
      if (in.size() < least || in.size() > most)
        fail(name + "() takes " + std::to_string(least) +
             (most == least ? "" : " to " + std::to_string(most)) + " values");
    };
    if (name == "file" || name == "device") {
      want(1, 1);
      if (!in[0].isString()) fail(name + "() takes a string");
      if (name == "device") return IValue(Device::parse(in[0].toStringRef()));
      std::string file = in[0].toStringRef();
      if (!is_file_name(file) && npz_key(file) == std::string::npos)
        fail("the name of a file ends with .npy, .npz, .pt, .png or .jpg");
      return read_input_file(file, image_);
    }
    Tensor t;
    if (name == "zeros") t = zeros(sizes(in));
    if (name == "ones") t = ones(sizes(in));
    if (name == "randn") t = randn(sizes(in));
    if (name == "rand") t = make("rand", {IValue(sizes(in))});
    if (name == "full") {
      want(2, 2);
      if (!in[1].isScalar() || in[1].isComplexDouble()) fail("full() takes a real number");
      double number = in[1].isBool() ? in[1].toBool() : in[1].toDouble();
      t = make("full", {IValue(sizes({in[0]})), IValue(number)});
      if (in[1].isInt()) t = t.to(kLong);
      if (in[1].isBool()) t = t.to(kBool);
    }
    if (name == "arange") {
      want(1, 3);
      int64_t first = in.size() > 1 ? integer(in[0]) : 0;
      int64_t last = integer(in[in.size() > 1 ? 1 : 0]);
      int64_t step = in.size() > 2 ? integer(in[2]) : 1;
      if (step == 0 || (last - first) / step < 0 || (last - first) / step > int64_t{1} << 40)
        fail("arange() would be of no length");
      t = make("arange", {IValue(first), IValue(last), IValue(step)});
    }
    if (name == "randint") {
      want(2, 3);
      int64_t low = in.size() > 2 ? integer(in[0]) : 0, high = integer(in[in.size() - 2]);
      if (low >= high) fail("randint() has nothing to choose from");
      t = make("randint", {IValue(low), IValue(high), IValue(sizes({in.back()}))});
    }
    if (name == "tensor") {
      want(1, 1);
      t = tensor(in[0]);
    }
    return IValue(with_dtype(t));
  }

  // The dtype that may follow a generator.
  Tensor with_dtype(const Tensor& t) {
    if (peek() != ':') return t;
    size_t start = at_++;
    size_t name = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '_' || text_[at_] == '.'))
      ++at_;
    ScalarType dtype = find_dtype(text_.substr(name, at_ - name));
    if (dtype == ScalarType::Undefined || is_quantized(dtype)) {
      std::string text = text_.substr(name, at_ - name);
      at_ = start;
      fail("'" + text + "' is no dtype");
    }
    return t.to(dtype);
  }

  const std::string& text_;
  const ImageOptions& image_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

IValue parse_input(const std::string& text, const ImageOptions& image) {
  return InputParser(text, image).parse();
}

std::vector<IValue> parse_inputs(const InputOptions& o) {
  std::vector<IValue> inputs;
  for (auto& text : o.texts) inputs.push_back(parse_input(text, o.image));
  return inputs;
}

std::vector<IValue> method_inputs(const Module& m, const std::string& method,
                                  const std::vector<IValue>& given) {
  std::vector<IValue> inputs = convert_inputs(m, method, given);
  try {
    admit_arguments(m.impl()->method(method), inputs, nullptr);
  } catch (const OpError& e) {
    throw UsageError("--input", e.what());
  }
  return inputs;
}

}  // namespace sconce::tool
