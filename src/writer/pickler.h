// SPDX-License-Identifier: Apache-2.0
// Values to pickles, in the dialect of TorchScript archives (protocol 2): what unpickle() reads.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/function.h"
#include "writer/names.h"

namespace sconce::writer {

// The opcodes.
class PickleText {
 public:
  PickleText() : out_("\x80\x02", 2) {}
  void op(char code) { out_ += code; }
  void integer(int64_t v);
  void real(double v);
  void boolean(bool v) { op(v ? '\x88' : '\x89'); }
  // The same text again is a reference.
  void text(const std::string& s);
  void global(std::string_view module, std::string_view name);
  void mark() { op('('); }
  void tuple_of_mark() { op('t'); }
  // Of the n values on top of the stack, n <= 3.
  void tuple(int n);
  // Remembers the value on top of the stack, and pushes it again.
  uint32_t put();
  void get(uint32_t memo);
  std::string finish() {
    op('.');
    return std::move(out_);
  }

 private:
  void number(uint64_t v, int bytes);
  std::string out_;
  uint32_t next_ = 0;
  std::unordered_map<std::string, uint32_t> texts_, globals_;
};

// What is pickled of objects with __getstate__ and __setstate__.
using RunMethod = std::function<IValue(Function&, std::vector<IValue>)>;

class Pickler {
 public:
  // Bytes of a storage, in the CPU's memory, and the key that names it.
  struct Record {
    std::string key;
    Ref<Storage> storage;
    uint64_t size = 0;
  };
  struct Options {
    RunMethod run;
    std::optional<Device> device;  // where all tensors are said to be
    bool dedupe = false;
  };
  Pickler(Names& names, const Options& options) : names_(names), options_(options) {}

  // Once. Throws Error, with the path of the value, for what has no pickled form. No value may be
  // written meanwhile.
  std::string pickle(const IValue& v);
  const std::vector<Record>& records() const { return records_; }
  // Classes of objects, in the order in which they were met; other types that tags name.
  const std::vector<TypePtr>& types() const { return types_; }

 private:
  [[noreturn]] void refuse(const std::string& why) const;
  void value(const IValue& v);
  void plain(const IValue& v);
  void list(const ListBox& l);
  void dict(const DictBox& d);
  void object(const IValue& v);
  void meet(TypePtr t);
  void tagged(const std::string& type);
  void tensor(const Tensor& t);
  void quantizer(const Quantizer& q);
  void storage(const TensorImpl& t);
  void device(Device d);
  std::string place(const TensorImpl& t) const;
  std::string key_of(const Ref<Storage>& host, uint64_t size);
  void within(std::string part, const IValue& v);

  Names& names_;
  const Options& options_;
  PickleText out_;
  std::vector<Record> records_;
  std::vector<TypePtr> types_;
  std::unordered_set<TypePtr> met_;
  std::unordered_map<const void*, uint32_t> memo_;  // values by address
  std::unordered_set<const void*> open_;            // that are being written
  std::unordered_map<std::string, uint32_t> devices_, storages_;
  std::unordered_map<const Storage*, std::string> keys_;
  std::unordered_multimap<uint64_t, size_t> equal_;  // hash of bytes -> record
  std::vector<IValue> keep_;                         // so that no address is used twice
  std::vector<std::string> path_;
};

}  // namespace sconce::writer
