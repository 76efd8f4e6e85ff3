// SPDX-License-Identifier: Apache-2.0
#include "mutators.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "pickle_opcodes.h"
#include "zip_file.h"

namespace sconce::fuzz {

namespace {

using tool::PickleArgument;

class Mutator {
 public:
  Mutator(unsigned seed, MutateBytes bytes) : rng_(seed), bytes_(bytes) {}

  std::string zip(const uint8_t* data, size_t size, size_t max_size) {
    const std::string whole(reinterpret_cast<const char*>(data), size);
    if (one_in(10)) return raw(whole, max_size);
    Records records = read_zip(data, size);
    if (records.empty()) return raw(whole, max_size);
    if (one_in(20)) {
      const size_t i = below(records.size());
      switch (below(4)) {
        case 0: records.erase(records.begin() + static_cast<long>(i)); break;
        case 1: records.push_back(records[i]); break;
        case 2: records[i].second = records[below(records.size())].second; break;
        default: records[i].first = raw(records[i].first, records[i].first.size() + 8); break;
      }
    } else {
      // What is interpreted is chosen more often than numbers of tensors.
      size_t i = below(records.size());
      for (int tries = 0; tries < 4 && !is_pickle(records[i].first) && !is_source(records[i].first);
           ++tries)
        i = below(records.size());
      auto& [name, text] = records[i];
      const size_t room = std::max(text.size() * 2, size_t{256});
      for (uint64_t n = 1 + below(3); n > 0; --n)
        text = is_pickle(name)                                ? pickle(text)
               : is_source(name)                              ? source(text)
               : name.find("model.json") != std::string::npos ? json(text)
                                                              : raw(text, room);
    }
    return write_zip(records);
  }

  // ---- pickles ----

  std::string pickle(const std::string& text) {
    std::vector<std::string> ops = split_pickle(text);
    if (ops.size() < 3 || one_in(12)) return raw(text, text.size() + 64);
    const size_t i = below(ops.size()), j = below(ops.size());
    switch (below(9)) {
      case 0: ops.erase(ops.begin() + static_cast<long>(i)); break;
      case 1: ops.insert(ops.begin() + static_cast<long>(i), ops[j]); break;
      case 2: std::swap(ops[i], ops[j]); break;
      case 3: ops[i] = random_opcode(); break;
      case 4: ops.insert(ops.begin() + static_cast<long>(i), random_opcode()); break;
      case 5: {  // a run of them again
        const size_t n = std::min<size_t>(1 + below(24), ops.size() - i);
        const std::vector<std::string> part(ops.begin() + static_cast<long>(i),
                                            ops.begin() + static_cast<long>(i + n));
        ops.insert(ops.begin() + static_cast<long>(j), part.begin(), part.end());
        break;
      }
      case 6: {  // a value in another's place
        for (int tries = 0; tries < 8; ++tries) {
          std::string& op = ops[below(ops.size())];
          if (std::strchr("KMJG\x8aNX", op[0]) || op[0] == '\x88' || op[0] == '\x89') {
            op = random_value();
            break;
          }
        }
        break;
      }
      default: ops[i] = argument_changed(ops[i]); break;
    }
    std::string out;
    for (auto& op : ops) out += op;
    return out;
  }

  // ---- sources and graphs ----

  std::string source(const std::string& text) {
    if (text.empty()) return text;
    if (one_in(16)) return raw(text, text.size() + 64);
    if (one_in(3)) return lines(text);
    std::vector<std::string> t = tokens(text);
    if (t.empty()) return text;
    auto word = [&]() -> size_t {  // a token that isn't blank
      size_t i = below(t.size());
      for (int tries = 0; tries < 6 && (t[i][0] == ' ' || t[i][0] == '\n'); ++tries)
        i = below(t.size());
      return i;
    };
    for (uint64_t n = 1 + below(3); n > 0; --n) {
      const size_t i = word(), j = word();
      switch (below(9)) {
        case 0: t[i] = t[j]; break;
        case 1: std::swap(t[i], t[j]); break;
        case 2: t[i].clear(); break;
        case 3: t.insert(t.begin() + static_cast<long>(i), t[j]); break;
        case 4: t[i] = pick(kNumbers); break;
        case 5: t[i] = pick(kWords); break;
        case 6: t[i] = "(" + t[i] + pick(kOperators) + t[j] + ")"; break;
        case 7: t[i] = std::string(pick(kCalls)) + "(" + t[i] + ")"; break;
        default: {  // a number where one stands
          for (size_t k = 0; k < t.size(); ++k) {
            const size_t at = (i + k) % t.size();
            if (t[at][0] < '0' || t[at][0] > '9') continue;
            t[at] = pick(kNumbers);
            break;
          }
        }
      }
      t.erase(std::remove(t.begin(), t.end(), ""), t.end());
      if (t.empty()) break;
    }
    std::string out;
    for (auto& x : t) out += x;
    return out;
  }

  // ---- JSON ----

  std::string json(const std::string& text) {
    using Json = nlohmann::json;
    Json root = Json::parse(text, nullptr, false);
    if (root.is_discarded() || one_in(16)) return raw(text, text.size() + 64);
    std::vector<Json*> all{&root};
    for (size_t i = 0; i < all.size() && all.size() < 4096; ++i)
      if (all[i]->is_structured())
        for (auto& x : *all[i]) all.push_back(&x);
    Json& at = *all[below(all.size())];
    const Json other = *all[below(all.size())];
    switch (below(8)) {
      case 0: at = other; break;
      case 1: at = std::string(pick(kNumbers)); break;
      case 2: at = nullptr; break;
      case 3: at = static_cast<int64_t>(rng_()); break;
      case 4: at = pick(kWords); break;
      case 5:
        if (at.is_array()) at.push_back(other);
        break;
      case 6:
        if (at.is_object() && !at.empty()) at.erase(at.begin());
        if (at.is_array() && !at.empty()) at.erase(at.size() - 1);
        break;
      default:
        if (at.is_object()) at[pick(kKeys)] = other;
        break;
    }
    return root.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  std::string raw(std::string text, size_t max_size) {
    const size_t n = text.size();
    text.resize(std::max(max_size, n) + 1);
    text.resize(bytes_(reinterpret_cast<uint8_t*>(text.data()), n, text.size()));
    return text;
  }

 private:
  static constexpr const char* kNumbers[] = {"0",
                                             "1",
                                             "-1",
                                             "2",
                                             "3",
                                             "7",
                                             "64",
                                             "1000000",
                                             "2147483647",
                                             "-2147483648",
                                             "4294967296",
                                             "9223372036854775807",
                                             "-9223372036854775808",
                                             "4611686018427387904",
                                             "0.5",
                                             "1e-300",
                                             "1e300",
                                             "inf",
                                             "nan",
                                             "1j"};
  static constexpr const char* kWords[] = {"self",
                                           "x",
                                           "None",
                                           "True",
                                           "False",
                                           "int",
                                           "float",
                                           "Tensor",
                                           "List[int]",
                                           "Optional[Tensor]",
                                           "Dict[str, int]",
                                           "Tuple[int, Tensor]",
                                           "Any",
                                           "str",
                                           "[]",
                                           "{}",
                                           "()",
                                           "return",
                                           "if",
                                           "else:",
                                           "for",
                                           "while",
                                           "in",
                                           "range",
                                           "break",
                                           "continue",
                                           "with",
                                           "raise",
                                           "assert",
                                           "lambda",
                                           "def",
                                           "class",
                                           "pass",
                                           "is",
                                           "not",
                                           "and",
                                           "or",
                                           "del",
                                           "global",
                                           "...",
                                           "CONSTANTS.c0",
                                           "annotate",
                                           "unchecked_cast",
                                           "uninitialized",
                                           "fork",
                                           "isinstance",
                                           "getattr",
                                           "hasattr",
                                           "prim::If()",
                                           "prim::Loop(%x, %x)",
                                           "block0():",
                                           "->",
                                           "%x",
                                           "%1",
                                           "Float(2, 3, strides=[3, 1])",
                                           "int[]",
                                           "NoneType",
                                           "Function",
                                           "__torch__.M",
                                           "aten::add(%x, %x)",
                                           "[value=1]",
                                           "[name=\"x\"]"};
  static constexpr const char* kOperators[] = {
      " + ",   " - ",  " * ",  " / ", " % ",  " // ", " ** ", " @ ", " == ", " < ",
      " and ", " or ", " if ", ", ",  " in ", ".",    ":",    "|",   " >> "};
  static constexpr const char* kCalls[] = {"torch.zeros",
                                           "torch.reshape",
                                           "torch.expand",
                                           "torch.as_strided",
                                           "torch.cat",
                                           "torch.add_",
                                           "torch.resize_",
                                           "torch.stack",
                                           "torch.len",
                                           "torch.append",
                                           "torch.select",
                                           "torch.slice",
                                           "len",
                                           "int",
                                           "str",
                                           "list",
                                           "range",
                                           "print",
                                           "fork",
                                           "not",
                                           "-",
                                           "~",
                                           "[",
                                           "{",
                                           "enumerate",
                                           "zip",
                                           "torch.tensor",
                                           "torch.index",
                                           "torch.conv2d",
                                           "torch.max_pool2d",
                                           "torch.wait",
                                           "uninitialized",
                                           "annotate(int, ",
                                           "torch.format",
                                           "ops.prim.NumToTensor",
                                           "ops.prim.data"};
  static constexpr const char* kKeys[] = {"dims",     "strides", "offset", "data",       "key",
                                          "tensorId", "name",    "id",     "submodules", "type"};
  static constexpr const char* kGlobals[] = {"torch._utils\n_rebuild_tensor_v2\n",
                                             "torch._utils\n_rebuild_qtensor\n",
                                             "torch._utils\n_rebuild_parameter\n",
                                             "torch\nFloatStorage\n",
                                             "torch\nLongStorage\n",
                                             "torch\nQUInt8Storage\n",
                                             "torch\nBoolStorage\n",
                                             "torch\nComplexFloatStorage\n",
                                             "torch.jit._pickle\nbuild_intlist\n",
                                             "torch.jit._pickle\nrestore_type_tag\n",
                                             "torch.jit._pickle\nbuild_tensorlist\n",
                                             "torch.jit._pickle\nbuild_doublelist\n",
                                             "torch\nper_tensor_affine\n",
                                             "torch\nper_channel_affine\n",
                                             "builtins\ncomplex\n",
                                             "torch\ndevice\n",
                                             "collections\nOrderedDict\n",
                                             "torch._tensor\n_rebuild_from_type_v2\n",
                                             "__torch__\nM\n",
                                             "__torch__\nE\n",
                                             "__torch__\nP\n",
                                             "torch\nSize\n",
                                             "numpy\ndtype\n",
                                             "numpy.core.multiarray\n_reconstruct\n",
                                             "numpy.core.multiarray\nscalar\n",
                                             "numpy.core.numeric\n_frombuffer\n",
                                             "numpy\nndarray\n",
                                             "collections\nCounter\n",
                                             "collections\ndeque\n",
                                             "builtins\nset\n",
                                             "builtins\nbytearray\n",
                                             "_codecs\nencode\n",
                                             "argparse\nNamespace\n",
                                             "pathlib\nPosixPath\n",
                                             "torch.storage\nUntypedStorage\n",
                                             "torch._utils\n_rebuild_tensor_v3\n",
                                             "torch._utils\n_rebuild_meta_tensor_no_storage\n"};
  static constexpr const char* kTexts[] = {"storage",
                                           "0",
                                           "1",
                                           "cpu",
                                           "meta",
                                           "cuda:0",
                                           "List[int]",
                                           "Dict[str, int]",
                                           "List[Dict[str, int]]",
                                           "<",
                                           "f4",
                                           "i8",
                                           "conj",
                                           "neg",
                                           "latin1",
                                           "Tuple[int, Optional[Tensor]]"};

  uint64_t below(uint64_t n) { return n ? rng_() % n : 0; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <size_t N>
  const char* pick(const char* const (&list)[N]) {
    return list[below(N)];
  }
  static bool ends(const std::string& s, const char* tail) {
    const size_t n = std::strlen(tail);
    return s.size() >= n && s.compare(s.size() - n, n, tail) == 0;
  }
  static bool is_pickle(const std::string& name) { return ends(name, "pkl"); }
  static bool is_source(const std::string& name) { return ends(name, ".py"); }

  static std::string little(uint64_t v, size_t n) {
    std::string s;
    for (size_t i = 0; i < n; ++i) s += static_cast<char>(v >> 8 * i & 255);
    return s;
  }

  // One string an opcode; what can't be split is the last.
  static std::vector<std::string> split_pickle(const std::string& text) {
    std::vector<std::string> ops;
    size_t at = 0;
    while (at < text.size() && ops.size() < 100000) {
      const auto* op = tool::find_pickle_opcode(static_cast<uint8_t>(text[at]));
      uint64_t n = 1;
      auto count = [&](size_t width) {
        uint64_t v = 0;
        for (size_t i = 0; i < width && at + 1 + i < text.size(); ++i)
          v |= uint64_t{static_cast<uint8_t>(text[at + 1 + i])} << 8 * i;
        n += width + std::min<uint64_t>(v, text.size());
      };
      auto line = [&] {
        const size_t end = text.find('\n', at + n);
        n = end == std::string::npos ? text.size() : end + 1 - at;
      };
      switch (op ? op->argument : PickleArgument::None) {
        case PickleArgument::None: break;
        case PickleArgument::Byte: n += 1; break;
        case PickleArgument::Two: n += 2; break;
        case PickleArgument::Four: n += 4; break;
        case PickleArgument::Eight: n += 8; break;
        case PickleArgument::Line: line(); break;
        case PickleArgument::TwoLines:
          line();
          line();
          break;
        case PickleArgument::Counted1: count(1); break;
        case PickleArgument::Counted4: count(4); break;
        case PickleArgument::Counted8: count(8); break;
      }
      n = std::min<uint64_t>(n, text.size() - at);
      ops.push_back(text.substr(at, n));
      at += n;
    }
    return ops;
  }

  std::string random_value() {
    switch (below(9)) {
      case 0: return "K" + little(below(256), 1);
      case 1: return "J" + little(rng_(), 4);
      case 2: return "\x8a\x08" + little(rng_(), 8);
      case 3: return "\x8a\x08" + little(uint64_t{1} << (55 + below(9)), 8);
      case 4: return "N";
      case 5: return one_in(2) ? "\x88" : "\x89";
      case 6: return "G" + little(rng_(), 8);
      case 7: return one_in(2) ? "]" : ")";
      default: {
        const std::string s = pick(kTexts);
        return "X" + little(s.size(), 4) + s;
      }
    }
  }
  std::string random_opcode() {
    if (one_in(4)) return random_value();
    if (one_in(4)) return std::string("c") + pick(kGlobals);
    const auto& op = tool::kPickleOpcodes[below(std::size(tool::kPickleOpcodes))];
    std::string s(1, static_cast<char>(op.code));
    switch (op.argument) {
      case PickleArgument::None: return s;
      case PickleArgument::Byte: return s + little(below(16), 1);
      case PickleArgument::Two: return s + little(below(64), 2);
      case PickleArgument::Four: return s + little(below(16), 4);
      case PickleArgument::Eight: return s + little(rng_(), 8);
      case PickleArgument::Line: return s + "1\n";
      case PickleArgument::TwoLines: return s + pick(kGlobals);
      case PickleArgument::Counted1: return s + little(1, 1) + "1";
      case PickleArgument::Counted4: return s + little(1, 4) + "1";
      case PickleArgument::Counted8: return s + little(1, 8) + "1";
    }
    return s;
  }
  std::string argument_changed(std::string op) {
    if (op.size() == 1) return random_opcode();
    if (op[0] == 'X' && op.size() >= 5) {
      const std::string text = one_in(2) ? pick(kTexts) : raw(op.substr(5), op.size() + 4);
      return "X" + little(text.size(), 4) + text;
    }
    if (op[0] == 'c') return std::string("c") + pick(kGlobals);
    if (std::strchr("hqjr", op[0])) {
      op[1] = static_cast<char>(below(32));
      return op;
    }
    if (std::strchr("KMJG\x8a", op[0])) return random_value();
    op[1 + below(op.size() - 1)] = static_cast<char>(rng_());
    return op;
  }

  // Whole lines moved, doubled, dropped, indented.
  std::string lines(const std::string& text) {
    std::vector<std::string> l;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size() - 1);
      l.push_back(text.substr(at, end + 1 - at));
      at = end + 1;
    }
    if (l.empty()) return text;
    const size_t i = below(l.size()), j = below(l.size());
    switch (below(5)) {
      case 0: l.erase(l.begin() + static_cast<long>(i)); break;
      case 1: l.insert(l.begin() + static_cast<long>(i), l[j]); break;
      case 2: std::swap(l[i], l[j]); break;
      case 3: l[i] = "  " + l[i]; break;
      default: {
        const size_t n = std::min<size_t>(1 + below(8), l.size() - i);
        const std::vector<std::string> part(l.begin() + static_cast<long>(i),
                                            l.begin() + static_cast<long>(i + n));
        l.insert(l.begin() + static_cast<long>(j), part.begin(), part.end());
      }
    }
    std::string out;
    for (auto& x : l) out += x;
    return out;
  }

  // Words, numbers, blanks and single signs; together they are the text.
  static std::vector<std::string> tokens(const std::string& text) {
    auto sort = [](char c) {
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') return 1;
      return c == ' ' ? 2 : 0;
    };
    std::vector<std::string> t;
    for (char c : text) {
      if (!t.empty() && sort(c) && sort(t.back().back()) == sort(c))
        t.back() += c;
      else
        t.emplace_back(1, c);
    }
    return t;
  }

  std::mt19937_64 rng_;
  MutateBytes bytes_;
};

}  // namespace

size_t mutate(Shape shape, uint8_t* data, size_t size, size_t max_size, unsigned seed,
              MutateBytes bytes) {
  Mutator m(seed, bytes);
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string out;
  switch (shape) {
    case Shape::Bytes: return bytes(data, size, max_size);
    case Shape::Zip: out = m.zip(data, size, max_size); break;
    case Shape::Pickle: out = m.pickle(text); break;
    case Shape::Source:
    case Shape::Graph: out = m.source(text); break;
    case Shape::Json: out = m.json(text); break;
  }
  if (out.empty() || out.size() > max_size) return bytes(data, size, max_size);
  std::memcpy(data, out.data(), out.size());
  return out.size();
}

}  // namespace sconce::fuzz
