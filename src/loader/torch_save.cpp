// SPDX-License-Identifier: Apache-2.0
// Files of torch.save: the zip form, and the stream that torch before 1.6 wrote (archive-format.md
// section 9). Entry: load_torch_save().
#include <cstring>
#include <limits>

#include "loader/archive.h"
#include "loader/file_kind.h"
#include "support/byte_reader.h"

namespace sconce {

namespace {

constexpr unsigned char kTorchMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                         0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
constexpr int64_t kStreamProtocol = 1001;

// Five pickles: magic number, protocol, facts of the machine, the value, keys of the storages; then
// for every key an int64 of elements and the elements.
class Stream {
 public:
  Stream(Bytes bytes, const std::string& name) : bytes_(std::move(bytes)), name_(name) {}

  IValue load() {
    at_ = sizeof kTorchMagic;
    at_ += 1;  // STOP
    IValue protocol = unpickle(next("protocol"), plain("protocol"));
    if (!protocol.isInt() || protocol.toInt() != kStreamProtocol)
      raise<FormatError>(name_, ": the protocol of this torch.save file is not ", kStreamProtocol);
    IValue facts = unpickle(next("sys_info"), plain("sys_info"));
    if (facts.isDict())
      if (const IValue* little = facts.toDictRef().find(IValue(std::string("little_endian"))))
        if (little->isBool() && !little->toBool())
          raise<FormatError>(name_, ": written on a big-endian machine, which can't be read");
    const Bytes value = next("value"), keys = next("keys");
    const IValue list = unpickle(keys, plain("keys"));
    if (!list.isList()) raise<FormatError>(name_, ": the keys of the storages are no list");
    // First only to learn how large an element of each storage is, so that their places are known.
    std::unordered_map<std::string, Bytes> places;
    std::unordered_map<std::string, uint64_t> sizes;
    PickleOptions o = plain("value");
    o.allow_short_storage = true;
    o.read_storage = [&](const std::string& key, uint64_t size) {
      sizes[key] = size;
      return Bytes();
    };
    (void)unpickle(value, o);
    find(list.toListRef().items, sizes, places);
    o.allow_short_storage = false;
    o.read_storage = [&](const std::string& key, uint64_t) {
      auto it = places.find(key);
      if (it == places.end()) raise<FormatError>(name_, ": storage ", key, " is not in the file");
      return it->second;
    };
    return unpickle(value, o);
  }

 private:
  PickleOptions plain(const char* what) const {
    PickleOptions o;
    o.what = name_ + ":" + what;
    o.torch_save = true;
    return o;
  }
  Bytes part(size_t at, size_t size) const {
    Bytes b;
    b.data = bytes_.data + at;
    b.size = size;
    b.owner = bytes_.owner;
    b.writable = bytes_.writable;
    return b;
  }
  Bytes next(const char* what) {
    const size_t n = pickle_size(part(at_, bytes_.size - at_), name_ + ":" + what);
    at_ += n;
    return part(at_ - n, n);
  }
  // A storage's size says what its elements take; counts in the file must agree.
  void find(const std::vector<IValue>& keys, const std::unordered_map<std::string, uint64_t>& sizes,
            std::unordered_map<std::string, Bytes>& places) const {
    ByteReader r(bytes_.data, bytes_.size, name_.c_str());
    r.seek(at_);
    for (auto& k : keys) {
      if (!k.isString()) raise<FormatError>(name_, ": the key of a storage is no text");
      const std::string& key = k.toStringRef();
      const int64_t count = r.little<int64_t>();
      auto it = sizes.find(key);
      if (it == sizes.end()) {
        if (count != 0) raise<FormatError>(name_, ": storage ", key, " is used nowhere");
        continue;
      }
      if (count <= 0 || it->second % static_cast<uint64_t>(count) != 0)
        raise<FormatError>(name_, ": storage ", key, " has a wrong number of elements");
      const size_t at = r.position();
      r.take(it->second);
      places[key] = part(at, static_cast<size_t>(it->second));
    }
  }

  Bytes bytes_;
  std::string name_;
  size_t at_ = 0;
};

}  // namespace

IValue load_torch_save(Bytes bytes, const std::string& name) {
  if (bytes.size > sizeof kTorchMagic &&
      std::memcmp(bytes.data, kTorchMagic, sizeof kTorchMagic) == 0)
    return Stream(std::move(bytes), name).load();
  refuse_other_files(bytes, name);
  zip::Archive z(std::move(bytes), name);
  if (z.has("constants.pkl"))
    raise<FormatError>(name,
                       ": a TorchScript archive, which load() reads; load_pickle() is for files "
                       "of torch.save");
  if (!z.has("data.pkl")) {
    std::string kind = kind_of_zip(z.names());
    raise<FormatError>(name, ": ",
                       kind.empty() ? "no torch.save file (data.pkl is missing)" : kind);
  }
  if (z.has("byteorder") && z.read_text("byteorder") == "big")
    raise<FormatError>(name, ": written on a big-endian machine, which can't be read");
  PickleOptions o;
  o.what = name + ":data.pkl";
  o.read_storage = [&z](const std::string& key, uint64_t) { return z.read("data/" + key); };
  o.torch_save = true;
  o.file_size = z.size();
  return unpickle(z.read("data.pkl"), o);
}

}  // namespace sconce
