// SPDX-License-Identifier: Apache-2.0
// Expressions are made by kind: A is a tensor [2, 3], B one of [3], S one of [], W one of [3, 3];
// I, F and C are an int, a float and a condition. Variables keep their kind. Values stay small
// (halving, tanh), so that rounding of a folded product never grows into another branch.
#include "random_source.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace sconce::random {

namespace {

void print(const std::vector<Statement>& list, int depth, std::string& out) {
  std::string indent(static_cast<size_t>(4 * depth), ' ');
  for (auto& s : list) {
    out += indent + s.text + "\n";
    if (s.text.back() != ':') continue;
    if (s.body.empty()) out += indent + "    pass\n";
    print(s.body, depth + 1, out);
    if (s.otherwise.empty()) continue;
    out += indent + "else:\n";
    print(s.otherwise, depth + 1, out);
  }
}

class Maker {
 public:
  Maker(Rng& rng, const std::vector<MethodSource>& earlier) : rng_(rng), earlier_(earlier) {
    vars_['A'] = {"x", "y"};
  }

  std::vector<Statement> block(int64_t n, int depth) {
    std::vector<Statement> out;
    for (int64_t i = 0; i < n; ++i) out.push_back(statement(depth));
    return out;
  }

  void returned(MethodSource& m) {
    for (int64_t left = 1 + rng_.below(4); left > 0; --left) {
      auto add = [&](std::string text, const char* type) {
        m.returned.push_back(std::move(text)), m.types.emplace_back(type);
      };
      switch (rng_.below(14)) {
        case 0: add(b(2), "Tensor"); break;
        case 1: add(s(1), "Tensor"); break;
        case 2: add(w(2), "Tensor"); break;
        case 3: add(i(1), "int"); break;
        case 4: add(f(1), "float"); break;
        case 5: add("[" + a(1) + ", " + a(1) + "]", "List[Tensor]"); break;
        case 6: add(pick({"[1, 2, 3]", "self.listed"}), "List[int]"); break;
        case 7: add("self.tensors", "List[Tensor]"); break;
        case 8: add(pick({"{\"p\": " + b(1) + "}", "self.named"}), "Dict[str, Tensor]"); break;
        case 9: add(pick({"\"text\"", "self.text"}), "str"); break;
        case 10: add("self.image(" + a(1) + ")", "Tensor"); break;
        default: add(a(2), "Tensor");
      }
    }
  }

 private:
  std::string pick(std::vector<std::string> from) {
    return from[static_cast<size_t>(rng_.below(static_cast<int64_t>(from.size())))];
  }
  std::string var(char kind, const std::string& fallback) {
    auto& v = vars_[static_cast<unsigned char>(kind)];
    return v.empty() ? fallback
                     : v[static_cast<size_t>(rng_.below(static_cast<int64_t>(v.size())))];
  }
  std::string number() { return pick({"0.5", "0.25", "2", "1", "-0.5", "self.s", "k", "self.n"}); }

  std::string a(int depth) {
    if (depth <= 0 || rng_.one_in(4))
      return pick({var('A', "x"), var('A', "y"), "self.h", "self.z", var('A', "self.h")});
    switch (rng_.below(24)) {
      case 0: return "(" + a(depth - 1) + " + " + a(depth - 1) + ")";
      case 1: return "(" + a(depth - 1) + " * " + b(depth - 1) + ")";
      case 2: return "(" + a(depth - 1) + " - " + s(depth - 1) + ")";
      case 3: return "torch.relu(" + a(depth - 1) + ")";
      case 4: return "torch.cat([" + a(depth - 1) + ", " + a(depth - 1) + "])[0:2]";
      case 5: return a(depth - 1) + ".clone()";
      case 6: return a(depth - 1) + ".view(2, 3)";
      case 7: return a(depth - 1) + ".t().t()";
      case 8: return "(" + a(depth - 1) + " * " + number() + ")";
      case 9: return "(" + a(depth - 1) + " + " + number() + ")";
      case 10: return b(depth - 1) + ".expand(2, 3)";
      case 11: return "torch.stack([" + b(depth - 1) + ", " + b(depth - 1) + "])";
      case 12: return "torch.zeros([2, 3])";
      case 13:
        return "torch.where(" + a(depth - 1) + " > 0, " + a(depth - 1) + ", " + a(depth - 1) + ")";
      case 14: return pick({"self.left", "self.right"}) + "(" + a(depth - 1) + ")";
      case 15: return "(" + a(depth - 1) + " * " + pick({"self.left.w", "self.right.w"}) + ")";
      case 16: return "torch.mm(" + a(depth - 1) + ", " + w(depth - 1) + ")";
      case 17: return "torch.addmm(self.b, " + a(depth - 1) + ", self.w)";
      case 18: return a(depth - 1) + ".contiguous()";
      case 19: return a(depth - 1) + ".detach()";
      case 20: return "torch.tanh(" + a(depth - 1) + ")";
      case 21: return a(depth - 1) + "[:, :]";
      case 22: return "torch.as_strided(" + a(depth - 1) + ", [2, 3], [3, 1], 0)";
      default: return "self.forward(" + a(depth - 1) + ")";
    }
  }
  std::string b(int depth) {
    if (depth <= 0 || rng_.one_in(4))
      return pick({var('B', "self.b"), "self.b", "self.buf", "self.left.w", "self.right.b", "x[0]",
                   "self.tensors[0]", "self.named[\"p\"]"});
    switch (rng_.below(9)) {
      case 0: return a(depth - 1) + "[1]";
      case 1: return a(depth - 1) + ".sum(0)";
      case 2: return "(" + b(depth - 1) + " + " + b(depth - 1) + ")";
      case 3: return "(" + b(depth - 1) + " * " + number() + ")";
      case 4: return "torch.mv(" + w(depth - 1) + ", " + b(depth - 1) + ")";
      case 5: return w(depth - 1) + "[1]";
      case 6: return "self.buf.double().float()";
      case 7: return "torch.ones([3])";
      default:
        return "(" + pick({"self.b", "self.buf"}) + " + " + pick({"1", "self.n", "self.b"}) + ")";
    }
  }
  std::string s(int depth) {
    if (depth <= 0) return b(0) + "[0]";
    return pick({a(depth - 1) + ".sum()", b(depth - 1) + "[2]", a(depth - 1) + ".mean()",
                 b(depth - 1) + ".max()", "torch.tensor(" + f(0) + ")"});
  }
  std::string w(int depth) {
    if (depth <= 0) return "self.w";
    return pick({"self.w", "self.w.t()", "(self.w + 1)", "(self.w * self.b)", "torch.eye(3)",
                 "(" + w(depth - 1) + " * 0.5)", "(self.w + " + b(depth - 1) + ")"});
  }
  std::string i(int depth) {
    if (depth <= 0 || rng_.one_in(3))
      return pick({"1", "2", "k", "self.n", "self.left.n", "self.listed[0]", "len(self.listed)"});
    return pick({"(" + i(depth - 1) + " + 1)", "(" + i(depth - 1) + " % 3)", a(0) + ".size(0)",
                 a(0) + ".storage_offset()", "int(" + f(depth - 1) + ")", "len(self.tensors)"});
  }
  std::string f(int depth) {
    if (depth <= 0 || rng_.one_in(3)) return pick({"0.5", "1.25", "self.s", "self.left.scale"});
    return pick({"(" + f(depth - 1) + " * 0.5)", "float(" + i(depth - 1) + ")",
                 "(self.s + self.right.scale)"});
  }
  std::string c() {
    return pick({"self.flag", "k > 1", "not self.flag", f(1) + " < 1.0", i(1) + " == 2",
                 "self.training", "self.bn.training", "self.maybe is None",
                 "bool(" + a(0) + ".sum() > 0)", "len(self.listed) > 2", "self.text == \"state\""});
  }

  // A name for a new variable, or an old one again. It is known after the statement.
  std::string fresh(char kind) {
    auto& v = vars_[static_cast<unsigned char>(kind)];
    if (!v.empty() && rng_.one_in(3))
      return v[static_cast<size_t>(rng_.below(static_cast<int64_t>(v.size())))];
    std::string name(1, static_cast<char>(kind + 32));
    name += std::to_string(count_++);
    v.push_back(name);
    return name;
  }
  Statement assign(char kind, const std::string& value) {
    return {fresh(kind) + " = " + value, {}, {}};
  }

  std::string place() {
    return pick({var('A', "x"), var('A', "y"), "self.h", "self.z", "self.b", "self.buf",
                 "self.left.w", "self.right.b", var('A', "x") + "[0]", "self.h[1]",
                 var('A', "x") + "[:, 0:2]", "self.tensors[0]", "self.named[\"p\"]",
                 var('B', "self.buf"), "self.w", "self.w[0]"});
  }

  Statement statement(int depth) {
    if (depth < 2 && rng_.one_in(6)) {
      auto before = vars_save();
      Statement st{"if " + c() + ":", block(1 + rng_.below(3), depth + 1), {}};
      vars_restore(before);
      if (rng_.one_in(2)) {
        st.otherwise = block(1 + rng_.below(2), depth + 1);
        vars_restore(before);
      }
      return st;
    }
    if (depth < 2 && rng_.one_in(8)) {
      auto before = vars_save();
      Statement st{"for i" + std::to_string(count_++) + " in range(" +
                       pick({"2", "3", "min(k, 3)", "min(self.n, 3)"}) + "):",
                   block(1 + rng_.below(3), depth + 1),
                   {}};
      vars_restore(before);
      return st;
    }
    switch (rng_.below(22)) {
      case 0:
      case 1:
      case 2: {
        std::string value = a(2);
        return assign('A', value);
      }
      case 3: {
        std::string value = b(2);
        return assign('B', value);
      }
      case 4:
      case 5:
        return {place() + pick({".mul_(0.5)", ".add_(1)", ".fill_(" + f(0) + ")",
                                ".mul_(" + number() + ")", ".neg_()"}),
                {},
                {}};
      case 6:
        return {pick({"self.h", "self.z", var('A', "x")}) + pick({".add_(", ".copy_(", ".sub_("}) +
                    a(1) + ")",
                {},
                {}};
      case 7: return {pick({"self.h", "self.z"}) + " = " + a(2), {}, {}};
      case 8:
        return {pick({"self.h = self.z", "self.z = self.h", "self.left.w = self.right.w",
                      "self.b = self.buf", "self.buf = self.b", "self.left.b = self.left.w",
                      "self.h = x", "self.tensors = [self.b, self.buf]",
                      "self.named = {\"p\": self.b, \"q\": self.buf}"}),
                {},
                {}};
      case 9:
        return {pick({"self.b", "self.buf", "self.left.w", "self.right.b"}) + " = " + b(2), {}, {}};
      case 10: return {pick({"self.n", "self.left.n"}) + " = " + pick({"1", "2", "k"}), {}, {}};
      case 11: return {pick({"self.s", "self.left.scale"}) + " = " + f(1), {}, {}};
      case 12: return {"self.flag = " + c(), {}, {}};
      case 13:
        return {
            pick({"self.listed.append(k)", "self.listed[0] = " + i(1), "self.listed = [k, 2, 3]"}),
            {},
            {}};
      case 14:
        return {pick({"self.tensors[0] = " + b(1), "self.tensors[1].add_(1)",
                      "self.tensors = [" + b(1) + ", " + b(1) + "]", "self.named[\"p\"] = " + b(1),
                      "self.named[\"q\"].mul_(0.5)"}),
                {},
                {}};
      case 15: return {"self.maybe = " + pick({a(1), "None"}), {}, {}};
      case 16: {
        std::string list = "l" + std::to_string(count_++);
        return {
            "if True:",
            {{list + " = [" + a(1) + ", " + a(1) + "]", {}, {}},
             {list + "[0].mul_(0.5)", {}, {}},
             {pick({"self.h", "self.z"}) + " = " + list + "[" + pick({"0", "1"}) + "]", {}, {}}},
            {}};
      }
      case 17:
        if (!earlier_.empty()) {
          auto& m =
              earlier_[static_cast<size_t>(rng_.below(static_cast<int64_t>(earlier_.size())))];
          return {"self." + m.name + "(" + a(1) + ", " + a(1) + ", " + i(0) + ")", {}, {}};
        }
        [[fallthrough]];
      case 18: {
        std::string value = pick({"self.h", "self.z", "x", "y"});
        return assign('A', value);
      }
      case 19:
        return {pick({"self.w.mul_(0.5)", "self.w[0] = " + b(1), "self.w = self.w + 1",
                      "self.w = self.w.t()", "self.h[0] = " + b(1), "self.conv.weight.mul_(0.5)",
                      "self.bn.bias.add_(1)"}),
                {},
                {}};
      case 20: {
        std::string value = pick(
            {"self.b", "self.buf", "self.tensors[1]", "self.named[\"q\"]", var('A', "x") + "[0]"});
        return assign('B', value);
      }
      default: return {var('A', "x") + "[" + pick({"0", "1"}) + "] = " + b(1), {}, {}};
    }
  }

  std::vector<std::vector<std::string>> vars_save() const { return {vars_['A'], vars_['B']}; }
  void vars_restore(const std::vector<std::vector<std::string>>& v) {
    vars_['A'] = v[0], vars_['B'] = v[1];
  }

  Rng& rng_;
  const std::vector<MethodSource>& earlier_;
  std::vector<std::string> vars_[128];
  int count_ = 0;
};

}  // namespace

std::string MethodSource::text() const {
  std::string out = "def " + name + "(self, x: Tensor, y: Tensor, k: int) -> Tuple[", values;
  for (size_t i = 0; i < types.size(); ++i) {
    out += (i ? ", " : "") + types[i];
    values += returned[i] + (types.size() == 1 || i + 1 < types.size() ? ", " : "");
  }
  out += "]:\n";
  print(statements, 1, out);
  return out + "    return (" + values + ")\n";
}

namespace {

using Names = std::set<std::string>;

bool part_of_name(char ch) { return std::isalnum(static_cast<unsigned char>(ch)) || ch == '_'; }
void add_names(const std::string& text, Names& to) {
  for (size_t i = 0; i < text.size();) {
    size_t b = i;
    while (i < text.size() && part_of_name(text[i])) ++i;
    if (i > b)
      to.insert(text.substr(b, i - b));
    else
      ++i;
  }
}
void add_names(const std::vector<Statement>& list, Names& to) {
  for (auto& s : list) {
    add_names(s.text, to);
    add_names(s.body, to);
    add_names(s.otherwise, to);
  }
}
// The variable that the statement sets, or "".
std::string target(const std::string& text) {
  size_t end = text.find(" = ");
  std::string name = end == std::string::npos ? "" : text.substr(0, end);
  return std::all_of(name.begin(), name.end(), part_of_name) ? name : "";
}
// live: the names read behind the list; on return, before it.
void drop_dead(std::vector<Statement>& list, Names& live) {
  for (size_t i = list.size(); i-- > 0;) {
    Statement& s = list[i];
    if (s.text.back() == ':') {
      if (s.text.compare(0, 4, "for ") == 0) add_names(s.body, live);
      Names in_body = live, in_otherwise = live;
      drop_dead(s.body, in_body);
      drop_dead(s.otherwise, in_otherwise);
      live.insert(in_body.begin(), in_body.end());
      live.insert(in_otherwise.begin(), in_otherwise.end());
      if (s.body.empty() && s.otherwise.empty()) {
        list.erase(list.begin() + static_cast<long>(i));
        continue;
      }
    } else if (std::string name = target(s.text); !name.empty()) {
      if (!live.count(name)) {
        list.erase(list.begin() + static_cast<long>(i));
        continue;
      }
      live.erase(name);
    }
    add_names(s.text.substr(target(s.text).size()), live);
  }
}

}  // namespace

void drop_dead(MethodSource& m) {
  Names live;
  for (auto& r : m.returned) add_names(r, live);
  drop_dead(m.statements, live);
}

MethodSource random_method(Rng& rng, const std::string& name,
                           const std::vector<MethodSource>& earlier) {
  Maker maker(rng, earlier);
  MethodSource m;
  m.name = name;
  m.statements = maker.block(2 + rng.below(7), 0);
  maker.returned(m);
  drop_dead(m);
  return m;
}

}  // namespace sconce::random
