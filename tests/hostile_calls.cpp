// SPDX-License-Identifier: Apache-2.0
// Every operator of the table, called with hostile values: sizes that overflow, undefined and meta
// tensors, views that overlap, indices far away, NaN, lists of other lengths. An ordinary answer or
// an error is right; a signal, a sanitizer's report, a result that lies outside of its memory or an
// answer that doesn't come is a finding. Meant for builds with -fsanitize=address,undefined.
//
//     sconce_hostile_calls [--seed S] [--calls N] [--operator NAME] [--call K] [--jobs J]
//                          [--from I] [--seconds S]
//
// With --seconds no operator is begun after these; the last line says with which --from to go on.
// Every call has limits of memory and time. What goes on long after them, or holds more memory that
// isn't a tensor's than they allow, is a finding too.
// Each operator's calls run in a child process, whose position stands in shared memory, so that a
// crash names the call and the next ones are still made. --call K makes one call in this process
// and shows its arguments. Ends with code 1 when there was a finding.
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <map>
#include <new>

#include "api/runtime.h"
#include "core/budget.h"
#include "core/sizes.h"
#include "print_value.h"
#include "random_source.h"

using namespace sconce;
using sconce::random::Rng;

extern "C" const char* __ubsan_default_options();
extern "C" const char* __asan_default_options();
extern "C" const char* __ubsan_default_options() { return "halt_on_error=1:print_stacktrace=1"; }
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=1024:detect_leaks=0:quarantine_size_"
         "mb="
         "16";
}

namespace {

constexpr int kSeconds = 10;                 // of the processor, for a call
constexpr size_t kMemory = size_t{1} << 29;  // of the tensors of a call, together
constexpr double kLimitSeconds = 2;          // of Limits, for a call

// ---- memory with an end ----

std::atomic<size_t> outside{0};  // what operator new has given
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCounts = false;  // its own limit of one allocation must do
#else
constexpr bool kCounts = true;
#endif
// Of a call: what the limit allows, and as much again for what is counted late.
size_t most_outside = std::numeric_limits<size_t>::max();
void* counted(size_t n) {
  if (n > most_outside || outside > most_outside - n) {
    static const char kText[] = "finding: memory that the limit doesn't count\n";
    (void)!write(2, kText, sizeof kText - 1);
    _exit(3);
  }
  void* p = std::malloc(n ? n : 1);
  if (!p) throw std::bad_alloc();
  outside += malloc_usable_size(p);
  return p;
}
void uncounted(void* p) {
  if (p) outside -= malloc_usable_size(p);
  std::free(p);
}

size_t allocated = 0;
Allocator below;
void* allocate(void*, size_t n) {
  if (n > kMemory || allocated > kMemory - n) throw OutOfMemory("the limit of memory is reached");
  void* p = below.allocate(below.self, n);
  allocated += n;
  return p;
}
void deallocate(void*, void* p, size_t n) {
  allocated -= n;
  below.deallocate(below.self, p, n);
}

// ---- values ----

Tensor call1(const char* name, std::vector<IValue> in) {
  return run_operator(*op_table().find_overload(name), std::move(in)).at(0).toTensor();
}

class Values {
 public:
  explicit Values(uint64_t seed) : rng_(seed) {
    // One call's tensors often fit each other.
    static const std::vector<std::vector<int64_t>> kShapes = {
        {2, 3}, {4},    {2, 4, 6}, {2, 3, 5, 7}, {1, 2, 3, 4, 5}, {3, 3}, {2, 4, 4},         {1},
        {0},    {0, 3}, {3, 0, 2}, {1, 1, 1, 1}, {6, 6},          {},     {2, 2, 2, 2, 2, 2}};
    shape_ = kShapes[static_cast<size_t>(rng_.below(static_cast<int64_t>(kShapes.size())))];
    static const ScalarType kDtypes[] = {kFloat, kFloat, kFloat, kLong,        kDouble,
                                         kInt,   kBool,  kHalf,  kComplexFloat};
    dtype_ = kDtypes[rng_.below(static_cast<int64_t>(std::size(kDtypes)))];
    hostile_ = 2 + rng_.below(9);
  }

  IValue argument(const Argument& a) {
    if (a.default_value && rng_.one_in(3)) return *a.default_value;
    return value(a.type, a);
  }

 private:
  bool hostile() { return rng_.one_in(hostile_); }

  int64_t integer(const std::string& name) {
    static constexpr int64_t kSmall[] = {0, 1, 1, 2, 2, 3, -1, -1, -2, 4, 5};
    static constexpr int64_t kHostile[] = {std::numeric_limits<int64_t>::min(),
                                           std::numeric_limits<int64_t>::min() + 1,
                                           std::numeric_limits<int64_t>::max(),
                                           std::numeric_limits<int64_t>::max() - 1,
                                           int64_t{1} << 62,
                                           -(int64_t{1} << 62),
                                           (int64_t{1} << 62) + 1,
                                           int64_t{1} << 31,
                                           int64_t{1} << 32,
                                           -(int64_t{1} << 31),
                                           (int64_t{1} << 31) - 1,
                                           (int64_t{1} << 33) + 1,
                                           100,
                                           1000,
                                           -3,
                                           -100,
                                           65,
                                           7,
                                           64,
                                           0};
    if (name == "dtype" && !rng_.one_in(8)) {
      static constexpr int64_t kNumbers[] = {6, 4, 7, 11, 3, 5, 15, 9, 0, 1, 2, 8, 10, 12, 13, 14};
      return pick(kNumbers);
    }
    return hostile() ? pick(kHostile) : pick(kSmall);
  }
  double number() {
    static constexpr double kSmall[] = {0, 1, 0.5, 2, 0.1, 1e-5, -1, 3};
    static const double kHostile[] = {std::nan(""), HUGE_VAL, -HUGE_VAL, 1e300,  -1e300,
                                      1e-300,       5e-324,   -0.0,      9.3e18, -9.3e18,
                                      1e19,         2e9,      -2e9,      1e38};
    return hostile() ? pick(kHostile) : pick(kSmall);
  }
  std::string string(const std::string& name) {
    static const char* const kPadding[] = {"constant", "reflect", "replicate",
                                           "circular", "same",    "valid"};
    static const char* const kOther[] = {"sum",  "mean", "none",   "linear", "nearest", "right",
                                         "left", "ij",   "xy",     "tanh",   "amax",    "prod",
                                         "add",  "max",  "higher", "lower",  "trunc",   "floor",
                                         "fro",  "nuc",  "replace"};
    static const char* const kHostile[] = {"",
                                           "a",
                                           "\xff\xfe",
                                           "%s%n{}{}{",
                                           "\xe2\x82",
                                           "bij,bjk->bik",
                                           "a...,...b->",
                                           "ij,jk->zz",
                                           "()",
                                           "-9223372036854775808",
                                           "1e999"};
    if (hostile()) return rng_.one_in(6) ? std::string(5000, 'x') : pick(kHostile);
    return name == "mode" || name == "padding" ? pick(kPadding) : pick(kOther);
  }

  static Tensor filled(const std::vector<int64_t>& sizes, ScalarType dtype, double first,
                       double step) {
    Tensor wide = empty(sizes, kDouble);
    for (int64_t i = 0; i < wide.numel(); ++i)
      wide.data_ptr<double>()[i] = first + step * static_cast<double>(i % 7);
    return call1("aten::to.dtype", {wide, static_cast<int64_t>(dtype), false, false, IValue()});
  }
  static Tensor integers(const std::vector<int64_t>& sizes, const std::vector<int64_t>& values) {
    Tensor t = empty(sizes, kLong);
    for (int64_t i = 0; i < t.numel(); ++i)
      t.data_ptr<int64_t>()[i] = values[static_cast<size_t>(i) % values.size()];
    return t;
  }
  std::vector<int64_t> other_shape() {
    std::vector<int64_t> s(static_cast<size_t>(rng_.below(6)));
    for (auto& n : s) n = rng_.one_in(8) ? 0 : 1 + rng_.below(4);
    return s;
  }
  Tensor tensor(const std::string& name) {
    std::vector<int64_t> sizes = hostile() ? other_shape() : shape_;
    const bool index = name == "index" || name == "indices" || name == "target" ||
                       name == "offsets" || name.find("length") != std::string::npos ||
                       name == "batch_sizes";
    if (index && !rng_.one_in(4)) return integers(sizes, {0, 1, rng_.one_in(3) ? 2 : 0});
    if (name.find("mean") != std::string::npos || name.find("var") != std::string::npos ||
        name == "weight" || name == "bias") {
      if (rng_.one_in(2) && sizes.size() > 1) sizes = {sizes[1]};
    }
    if (!hostile()) return filled(sizes, dtype_, -1, 0.75);
    switch (rng_.below(19)) {
      case 0: return Tensor();
      case 1:
        return integers(
            sizes, {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), -1});
      case 2: return integers(sizes, {int64_t{1} << 40, -1, 1000000});
      case 3: return filled(sizes, kDouble, std::nan(""), 1);
      case 4: return filled(sizes, kFloat, HUGE_VAL, 1);
      case 5: return filled(sizes, kDouble, -1e300, 3e299);
      case 6:
        return call1("aten::to.device", {filled(sizes, dtype_, 0, 1), Device{DeviceType::Meta},
                                         int64_t{6}, false, false, IValue()});
      case 7: {  // many elements in one
        std::vector<int64_t> big = sizes;
        for (auto& n : big) n = std::max<int64_t>(n, 3);
        return call1("aten::expand", {filled({1}, dtype_, 1, 0),
                                      big.empty() ? std::vector<int64_t>{5} : big, false});
      }
      case 8:  // overlapping rows
        return call1("aten::as_strided", {filled({10}, dtype_, 0, 1), std::vector<int64_t>{3, 4},
                                          std::vector<int64_t>{2, 1}, int64_t{0}});
      case 9: {  // the end of a storage
        Tensor base = filled({9}, dtype_, 0, 1);
        return call1("aten::as_strided",
                     {base, std::vector<int64_t>{2, 1}, std::vector<int64_t>{1, 1}, int64_t{7}});
      }
      case 10: {  // other strides
        Tensor t = filled(sizes, dtype_, 0, 1);
        return t.dim() > 1 ? t.transpose(0, -1) : t;
      }
      case 11:
        return call1("aten::quantize_per_tensor", {filled(sizes, kFloat, 0, 0.25), 0.5, int64_t{2},
                                                   int64_t{rng_.one_in(2) ? 13 : 12}});
      case 12: {
        Tensor t = filled({3, 2}, kFloat, 0, 0.25);
        return call1(
            "aten::quantize_per_channel",
            {t, filled({3}, kDouble, 0.5, 0.1), integers({3}, {0, 1, 2}), int64_t{0}, int64_t{12}});
      }
      case 13: return filled(sizes, pick(kDtypes), 0, 1);
      case 14: return filled(sizes, pick(kDtypes), 1, 0);
      case 15: {  // a part of something larger
        Tensor t = filled({6, 6, 6}, dtype_, 0, 1);
        return t.select(rng_.below(3), 5).slice(0, 1, 6, 2);
      }
      case 16: {  // far more elements than memory: reading all takes forever, making one like it
                  // fails
        return call1("aten::expand",
                     {filled({1}, dtype_, 1, 0), std::vector<int64_t>{1 << 8, 1 << 9}, false});
      }
      case 17: return filled({}, dtype_, 3, 0);
      default: return filled(other_shape(), dtype_, 2, -1);
    }
  }

  IValue list(TypePtr element, const Argument& a) {
    int64_t n = a.n > 0 ? a.n : rng_.below(5);
    if (a.n <= 0 && rng_.one_in(3)) n = static_cast<int64_t>(shape_.size());
    if (hostile()) n = rng_.below(7);
    auto box = make_ref<ListBox>(element);
    for (int64_t i = 0; i < n; ++i) box->items.push_back(value(element, a));
    return box;
  }
  IValue value(TypePtr t, const Argument& a) {
    switch (t->kind) {
      case TypeKind::Tensor: {
        if (rng_.one_in(12) && last_.defined()) return last_;  // one tensor twice
        Tensor made = tensor(a.name);
        if (made.defined()) last_ = made;
        return made;
      }
      case TypeKind::Int: return integer(a.name);
      case TypeKind::Float: return number();
      case TypeKind::Bool: return rng_.one_in(2);
      case TypeKind::Number:
        return rng_.one_in(4)   ? IValue(number())
               : rng_.one_in(6) ? IValue(rng_.one_in(2))
               : rng_.one_in(8) ? IValue(std::complex<double>(number(), number()))
                                : IValue(integer(a.name));
      case TypeKind::Complex: return std::complex<double>(number(), number());
      case TypeKind::String: return string(a.name);
      case TypeKind::Device: return hostile() ? Device{DeviceType::Meta} : Device();
      case TypeKind::Generator: return make_ref<Generator>();
      case TypeKind::Optional: return rng_.one_in(3) ? IValue() : value(t->elem(), a);
      case TypeKind::List: return list(t->elem(), a);
      case TypeKind::Tuple: {
        std::vector<IValue> items;
        for (TypePtr e : t->elems) items.push_back(value(e, a));
        return make_ref<TupleBox>(std::move(items));
      }
      case TypeKind::Dict: {
        TypePtr key = concrete(t->elem(0)), item = concrete(t->elem(1));
        auto d = make_ref<DictBox>(key, item);
        for (int64_t i = rng_.below(4); i > 0; --i) {
          IValue k = value(key, a);
          if (!k.isTensor() || k.box()) d->set(k, value(item, a));
        }
        return d;
      }
      case TypeKind::AnyList: return list(types::integer(), a);
      case TypeKind::Var: return value(concrete(t), a);
      case TypeKind::Any: return value(any_type(), a);
      case TypeKind::Union:
        return value(
            t->elems[static_cast<size_t>(rng_.below(static_cast<int64_t>(t->elems.size())))], a);
      case TypeKind::Future: {
        auto f = make_ref<FutureBox>(types::integer());
        f->complete(int64_t{1});
        return f;
      }
      default: return IValue();
    }
  }
  // A type variable is one type throughout the call.
  TypePtr concrete(TypePtr t) {
    if (t->kind != TypeKind::Var) return t;
    TypePtr& known = variables_[t->name];
    if (!known) known = any_type();
    return known;
  }
  TypePtr any_type() {
    static const TypePtr kTypes[] = {types::integer(), types::floating(), types::string(),
                                     types::boolean(), types::tensor()};
    return pick(kTypes);
  }
  template <class T, size_t N>
  const T& pick(const T (&from)[N]) {
    return from[rng_.below(static_cast<int64_t>(N))];
  }

  static constexpr ScalarType kDtypes[] = {
      ScalarType::Byte,         ScalarType::Char,          ScalarType::Short, ScalarType::Int,
      ScalarType::Long,         ScalarType::Half,          ScalarType::Float, ScalarType::Double,
      ScalarType::ComplexFloat, ScalarType::ComplexDouble, ScalarType::Bool,  ScalarType::BFloat16};
  Rng rng_;
  std::vector<int64_t> shape_;
  ScalarType dtype_;
  int64_t hostile_;
  Tensor last_;
  std::map<std::string, TypePtr> variables_;
};

// ---- a call ----

void check_value(const IValue& v) {
  if (v.isTensor() && v.box()) {
    const Tensor& t = v.toTensorRef();
    const int64_t bytes = check_form(t.sizes(), t.strides(), t.storage_offset(), t.dtype());
    if (t.device().type != DeviceType::Meta &&
        bytes > static_cast<int64_t>(t.impl()->storage->nbytes()))
      raise<Error>("a tensor of sizes ", t.sizes(), " lies outside of its storage");
    if (t.numel() && t.numel() < 1000 && t.device().type != DeviceType::Meta) t.clone();
  } else if (v.isList()) {
    for (auto& e : v.toListRef().items) check_value(e);
  } else if (v.isTuple()) {
    for (auto& e : v.toTupleRef().items) check_value(e);
  }
}
bool has_variable(TypePtr t) {
  return t->kind == TypeKind::Var ||
         std::any_of(t->elems.begin(), t->elems.end(), [](TypePtr e) { return has_variable(e); });
}
// Compiled code believes the types that schemas say.
void check_results(const Operator& op, const std::vector<IValue>& out) {
  const auto& returns = op.schema().returns;
  for (size_t i = 0; i < out.size() && i < returns.size(); ++i) {
    check_value(out[i]);
    TypePtr t = returns[i].type;
    // Two Scalars may be complex numbers: the planner knows (find_loose).
    if (t->kind == TypeKind::Float && out[i].isComplexDouble()) continue;
    if (!has_variable(t) && !ivalue_matches(out[i], t))
      raise<Error>("answers a ", out[i].tag_name(), " as ", t->annotation_str());
  }
}
std::string shown(const IValue& v) {
  if (v.isTensor() && v.box()) {
    const Tensor& t = v.toTensorRef();
    return detail::concat(scalar_type_name(t.dtype()), t.sizes(), " strides ", t.strides(), " at ",
                          t.storage_offset(), t.device().type == DeviceType::Meta ? " meta" : "");
  }
  if (v.isList()) {
    std::string s;
    for (auto& e : v.toListRef().items) s += (s.empty() ? "" : ", ") + shown(e);
    return "[" + s + "]";
  }
  return ivalue_str(v).substr(0, 200);
}

std::vector<IValue> arguments_of(const Operator& op, uint64_t seed, int64_t call) {
  uint64_t h = seed * 0x9e3779b97f4a7c15ull + static_cast<uint64_t>(call);
  for (char c : op.full_name()) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  Values values(h);
  std::vector<IValue> in;
  for (auto& a : op.schema().arguments) in.push_back(values.argument(a));
  return in;
}
// True when the operator answered.
bool make_call(const Operator& op, uint64_t seed, int64_t call) {
  std::vector<IValue> in;
  try {
    in = arguments_of(op, seed, call);
  } catch (const Error&) {
    return false;  // no such value
  }
  std::vector<IValue> given = in, out;
  bool answered = true;
  Context limited = default_context();
  Limits limits;
  limits.seconds = kLimitSeconds;
  try {
    Budget budget(limits, make_ref<MemoryAccount>(kMemory));
    limited.budget = &budget;
    ContextScope scope(&limited);
    if (kCounts) most_outside = outside + 2 * kMemory;
    out = run_operator(op, std::move(in));
  } catch (const Error&) {
    answered = false;
  } catch (const std::bad_alloc&) {
    answered = false;
  } catch (const std::out_of_range&) {  // of a container that is too short: the interpreter says so
    answered = false;
  } catch (const std::length_error&) {
    answered = false;
  }
  for (auto& v : given) check_value(v);
  if (answered) check_results(op, out);
  return answered;
}

// ---- children ----

struct Shared {
  std::atomic<int64_t> next, answered;
};

struct Child {
  pid_t pid = 0;
  int errors = -1;
  const Operator* op = nullptr;
  Shared* shared = nullptr;
  std::string text;
  int findings = 0;
};

void start(Child& c, uint64_t seed, int64_t calls) {
  int fds[2];
  if (pipe(fds) != 0) raise<Error>("pipe: ", std::strerror(errno));
  std::cout.flush();
  c.pid = fork();
  if (c.pid < 0) raise<Error>("fork: ", std::strerror(errno));
  if (c.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fds[1], 2);
    close(fds[0]);
    while (c.shared->next < calls) {
      const int64_t call = c.shared->next;
      itimerval limit{{0, 0}, {kSeconds, 0}};
      setitimer(ITIMER_PROF, &limit, nullptr);
      try {
        if (make_call(*c.op, seed, call)) ++c.shared->answered;
      } catch (const std::exception& e) {
        std::cerr << "finding: " << e.what() << std::endl;
        _exit(3);
      }
      ++c.shared->next;
    }
    _exit(0);
  }
  close(fds[1]);
  c.errors = fds[0];
  c.text.clear();
}
// What a report says, on one line; where: the first frame of our own code.
std::string summary(const std::string& text, int status) {
  std::string what, where;
  for (const char* mark :
       {"runtime error: ", "ERROR: AddressSanitizer: ", "finding: ", "terminate called"})
    if (size_t at = text.find(mark); at != std::string::npos && what.empty()) {
      const size_t from = text.rfind('\n', at) + 1;
      what = text.substr(from, text.find('\n', at) - from);
    }
  for (size_t at = 0; where.empty() && (at = text.find("    #", at)) != std::string::npos; ++at) {
    std::string line = text.substr(at, text.find('\n', at) - at);
    if (line.find("/src/") != std::string::npos && line.find("sanitizer") == std::string::npos)
      where = line.substr(line.find(" in ") == std::string::npos ? 0 : line.find(" in "));
  }
  if (what.empty())
    what = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF ? "takes too long"
           : WIFSIGNALED(status)                              ? strsignal(WTERMSIG(status))
                                 : "ended with code " + std::to_string(WEXITSTATUS(status));
  return what.substr(0, 200) + where.substr(0, 200);
}

struct Options {
  uint64_t seed = 1;
  int64_t calls = 200, call = -1;
  size_t from = 0;     // of the operators in the table's order
  double seconds = 0;  // 0: no end
  std::string name;
  size_t jobs = 1;
};

int run_all(const Options& o) {
  std::vector<const Operator*> todo;
  for (size_t i = 0; i < op_table().size(); ++i) {
    const Operator& op = op_table().at(i);
    if (op.kernel && (o.name.empty() || op.full_name() == o.name || op.name() == o.name))
      todo.push_back(&op);
  }
  compile_composites();  // once, for all children
  const size_t total = todo.size();
  todo.erase(todo.begin(), todo.begin() + static_cast<ptrdiff_t>(std::min(o.from, total)));
  const auto began = std::chrono::steady_clock::now();
  std::reverse(todo.begin(), todo.end());
  auto* shared = static_cast<Shared*>(mmap(nullptr, o.jobs * sizeof(Shared), PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::vector<Child> children(o.jobs);
  int64_t made = 0, answered = 0, findings = 0, slow = 0;
  for (size_t i = 0; i < o.jobs; ++i) children[i].shared = new (&shared[i]) Shared{{0}, {0}};
  auto begin_next = [&](Child& c) {
    c.pid = 0;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
    if (todo.empty() || (o.seconds > 0 && passed.count() > o.seconds)) return;
    c.op = todo.back();
    todo.pop_back();
    c.findings = 0;
    c.shared->next = c.shared->answered = 0;
    start(c, o.seed, o.calls);
  };
  for (auto& c : children) begin_next(c);
  for (;;) {
    std::vector<pollfd> fds;
    std::vector<Child*> of;
    for (auto& c : children)
      if (c.pid) fds.push_back({c.errors, POLLIN, 0}), of.push_back(&c);
    if (fds.empty()) break;
    poll(fds.data(), fds.size(), -1);
    for (size_t i = 0; i < fds.size(); ++i) {
      if (!fds[i].revents) continue;
      Child& c = *of[i];
      char buffer[8192];
      ssize_t n = read(c.errors, buffer, sizeof buffer);
      if (n > 0) {
        if (c.text.size() < 100000) c.text.append(buffer, static_cast<size_t>(n));
        continue;
      }
      close(c.errors);
      int status = 0;
      waitpid(c.pid, &status, 0);
      const bool fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!fine) {
        const std::string what = summary(c.text, status);
        (what == "takes too long" ? slow : findings) += 1;
        std::cout << c.op->full_name() << " --call " << c.shared->next << ": " << what << std::endl;
        ++c.shared->next;
      }
      if (!fine && ++c.findings < 5 && c.shared->next < o.calls) {
        start(c, o.seed, o.calls);
        continue;
      }
      made += c.shared->next;
      answered += c.shared->answered;
      begin_next(c);
    }
  }
  std::cout << total << " operators, " << made << " calls, " << answered << " answered, "
            << findings << " findings, " << slow << " took more than " << kSeconds << " s"
            << std::endl;
  if (o.seconds > 0) std::cout << "go on with --from " << total - todo.size() << std::endl;
  return findings || slow ? 1 : 0;
}

int run_one(const Options& o) {
  const Operator* op = op_table().find_overload(o.name);
  if (!op) raise<Error>("no operator is called ", o.name);
  std::cout << op->schema().str() << "\n";
  auto in = arguments_of(*op, o.seed, o.call);
  for (size_t i = 0; i < in.size(); ++i)
    std::cout << "  " << op->schema().arguments[i].name << " = " << shown(in[i]) << "\n";
  std::cout.flush();
  Context limited = default_context();
  Limits limits;
  limits.seconds = kLimitSeconds;
  try {
    Budget budget(limits, make_ref<MemoryAccount>(kMemory));
    limited.budget = &budget;
    ContextScope scope(&limited);
    if (kCounts) most_outside = outside + 2 * kMemory;
    auto out = run_operator(*op, std::move(in));
    for (auto& v : out) std::cout << "-> " << shown(v) << "\n";
    check_results(*op, out);
  } catch (const std::exception& e) {
    std::cout << "raises: " << e.what() << "\n";
  }
  return 0;
}

}  // namespace

#if !defined(__SANITIZE_ADDRESS__)
void* operator new(size_t n) { return counted(n); }
void* operator new[](size_t n) { return counted(n); }
void operator delete(void* p) noexcept { uncounted(p); }
void operator delete[](void* p) noexcept { uncounted(p); }
void operator delete(void* p, size_t) noexcept { uncounted(p); }
void operator delete[](void* p, size_t) noexcept { uncounted(p); }
#endif

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string a = argv[i];
    const char* v = argv[i + 1];
    if (a == "--seed")
      o.seed = std::strtoull(v, nullptr, 10);
    else if (a == "--calls")
      o.calls = std::atoll(v);
    else if (a == "--call")
      o.call = std::atoll(v);
    else if (a == "--operator")
      o.name = v;
    else if (a == "--from")
      o.from = static_cast<size_t>(std::max(0ll, std::atoll(v)));
    else if (a == "--seconds")
      o.seconds = std::atof(v);
    else if (a == "--jobs")
      o.jobs = static_cast<size_t>(std::max(1, std::atoi(v)));
    else
      return std::cerr << "unknown option " << a << "\n", 2;
  }
  try {
    Context& c = default_context();
    below = c.allocator;
    c.allocator = {allocate, deallocate, nullptr};
    c.num_threads = 1;
    return o.call >= 0 ? run_one(o) : run_all(o);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 2;
  }
}
