// SPDX-License-Identifier: Apache-2.0
// Reads graph text: what print_graph writes, what PyTorch's str(graph) writes, and the spelling
// that PyTorch's own parse_ir takes (ir-format.md section 5). Values keep their names, comments
// become source positions, so that printing gives the text again. Entry: parse_graph.
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <sstream>
#include <unordered_set>

#include "ir/cleanup.h"
#include "ir/graph.h"
#include "ir/source.h"
#include "support/stack.h"

namespace sconce {

namespace {

constexpr int kMaxDepth = 200;  // of blocks and of constants in each other

// The classes, enums and interfaces that the text names; nothing but their names is known.
struct NamedTypes {
  TypeTable table;
  std::map<std::pair<TypeKind, std::string>, std::unique_ptr<Type>> types;
  TypePtr get(TypeKind kind, const std::string& name) {
    auto& slot = types[{kind, name}];
    if (!slot) {
      if (kind == TypeKind::Enum)
        slot = std::make_unique<EnumType>(name);
      else if (kind == TypeKind::Interface)
        slot = std::make_unique<InterfaceType>(name, false);
      else
        slot = std::make_unique<ClassType>(name, false);
    }
    return slot.get();
  }
};

// What all graphs of one text share.
struct Text {
  std::shared_ptr<const Source> source;
  const OpTable* ops;
  std::shared_ptr<NamedTypes> types = std::make_shared<NamedTypes>();
  std::shared_ptr<Source> comments = std::make_shared<Source>();
  size_t at = 0;
  int depth = 0;
};

class GraphParser {
 public:
  explicit GraphParser(Text& text)
      : t_(text),
        s_(text.source->text),
        declare_([&text](TypeKind k, const std::string& n) { return text.types->get(k, n); }) {}

  std::shared_ptr<Graph> graph() {
    g_ = std::make_shared<Graph>();
    g_->types = &t_.types->table;
    g_->owner = t_.types;
    Nested nested(*this);
    word("a graph");
    parameters(g_->block());
    expect(":");
    while (!keyword("return")) node(g_->block());
    expect("(");
    for (Value* v : references(")")) g_->block()->register_output(v);
    subgraphs();
    name_values();
    return g_;
  }

  void expect_end() {
    blank();
    // PyTorch's parser doesn't look at what follows either, but a second graph is surely a mistake.
    if (t_.at != s_.size()) fail("the end of the text");
  }

 private:
  // ---- characters ----

  struct Nested {
    explicit Nested(GraphParser& p) : parser(p) {
      check_stack();
      if (++p.t_.depth > kMaxDepth) p.fail("less nesting");
    }
    ~Nested() { --parser.t_.depth; }
    GraphParser& parser;
  };

  [[noreturn]] void fail(const std::string& wanted) { error("expected " + wanted); }
  [[noreturn]] void error(const std::string& what) {
    script_error(SourceRange{t_.source, static_cast<uint32_t>(t_.at), 0}, what);
  }
  char peek(size_t ahead = 0) const { return t_.at + ahead < s_.size() ? s_[t_.at + ahead] : '\0'; }
  void blank() {
    for (;;) {
      while (t_.at < s_.size() && std::isspace(static_cast<unsigned char>(s_[t_.at]))) ++t_.at;
      if (peek() != '#') return;
      while (t_.at < s_.size() && s_[t_.at] != '\n') ++t_.at;
    }
  }
  bool eat(std::string_view text) {
    blank();
    if (s_.compare(t_.at, text.size(), text) != 0) return false;
    t_.at += text.size();
    return true;
  }
  void expect(const char* text) {
    if (!eat(text)) fail(std::string("'") + text + "'");
  }
  static bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  }
  std::string_view peek_word() {
    blank();
    size_t e = t_.at;
    while (e < s_.size() && is_name(s_[e])) ++e;
    return std::string_view(s_).substr(t_.at, e - t_.at);
  }
  std::string word(const char* wanted) {
    std::string w(peek_word());
    if (w.empty()) fail(wanted);
    t_.at += w.size();
    return w;
  }
  bool keyword(std::string_view w) {
    size_t before = t_.at;
    if (peek_word() != w) {
      t_.at = before;
      return false;
    }
    t_.at += w.size();
    return true;
  }

  // ---- values ----

  // Attributes of modules, whose names values take, may have a '-'.
  std::string value_name() {
    std::string name = word("the name of a value");
    while (peek() == '-' && is_name(peek(1))) {
      ++t_.at;
      name += "-" + word("the name of a value");
    }
    return name;
  }

  struct Definition {
    std::string name;
    TypePtr type;  // null: not given
  };
  Definition definition() {
    expect("%");
    Definition d{value_name(), nullptr};
    if (eat(":")) d.type = type();
    return d;
  }
  void define(const std::string& name, Value* v) {
    values_[name] = v;
    names_.emplace_back(v, name);
  }
  Value* reference() {
    expect("%");
    std::string name = value_name();
    auto it = values_.find(name);
    if (it == values_.end()) {
      t_.at -= name.size() + 1;
      error("no value is called %" + name);
    }
    return it->second;
  }
  std::vector<Value*> references(const char* close) {
    std::vector<Value*> r;
    if (eat(close)) return r;
    do {
      r.push_back(reference());
    } while (eat(","));
    expect(close);
    return r;
  }
  TypePtr type() {
    blank();
    size_t used = 0;
    try {
      TypePtr t =
          parse_graph_type(std::string_view(s_).substr(t_.at), &used, t_.types->table, declare_);
      t_.at += used;
      return t;
    } catch (const Error&) {
      fail("a type");
    }
  }
  void parameters(Block* b) {
    expect("(");
    if (eat(")")) return;
    do {
      Definition d = definition();
      Value* v = b->add_input();
      v->type = d.type ? d.type : types::tensor();
      define(d.name, v);
    } while (eat(","));
    expect(")");
  }
  // Names are unique in a graph; a text that says one twice (in two blocks) has the second one
  // numbered.
  void name_values() {
    std::unordered_set<uint32_t> taken;
    std::unordered_set<std::string> seen;
    std::vector<Value*> unnamed;
    for (auto& [v, name] : names_) {
      bool number = name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
      if (!seen.insert(name).second)
        unnamed.push_back(v);
      else if (number && std::to_string(std::stoul(name)) == name)
        taken.insert(v->id = static_cast<uint32_t>(std::stoul(name)));
      else
        v->set_name(name);
    }
    uint32_t next = 0;
    for (uint32_t id : taken) next = std::max(next, id + 1);
    for (Value* v : unnamed) v->id = next++;
    g_->next_id = std::max(g_->next_id, next);
  }

  // ---- nodes ----

  void node(Block* b) {
    check_stack();
    Nested nested(*this);
    std::vector<Definition> outs;
    blank();
    if (peek() == '%') {
      do {
        outs.push_back(definition());
      } while (eat(","));
      expect("=");
    } else {
      eat("=");
    }
    std::string kind = kind_name();
    Node* n = g_->create(Symbol(kind), 0);
    g_->set_insert_point(b);
    g_->insert_node(n);
    for (auto& d : outs) n->add_output(d.type ? d.type : types::tensor());
    if (eat("[")) attributes(n);
    expect("(");
    for (Value* v : references(")")) n->add_input(v);
    if (n->kind == prim::Constant && outs.size() != 1) fail("one name for the constant");
    scope_and_comment(n);
    while (block_follows()) {
      Block* inner = n->add_block();
      word("a block");
      parameters(inner);
      expect(":");
      while (!eat("->")) node(inner);
      expect("(");
      for (Value* v : references(")")) inner->register_output(v);
    }
    finish(n, outs);
    for (size_t i = 0; i < outs.size(); ++i) define(outs[i].name, n->outputs[i]);
  }

  std::string kind_name() {
    std::string kind = eat("^") ? "^" : "";
    kind += word("the kind of a node");
    while (peek() == ':' && peek(1) == ':') {
      t_.at += 2;
      kind += "::" + word("the kind of a node");
    }
    return kind;
  }
  bool block_follows() {
    std::string_view w = peek_word();
    return w.size() > 5 && w.substr(0, 5) == "block" &&
           w.find_first_not_of("0123456789", 5) == std::string_view::npos && peek(w.size()) == '(';
  }
  void scope_and_comment(Node* n) {
    static constexpr std::string_view kScope = ", scope: ";
    auto rest_until = [&](const char* stop) {
      size_t e = std::min(s_.find('\n', t_.at), s_.size());
      e = std::min(e, s_.find(stop, t_.at));
      std::string r = s_.substr(t_.at, e - t_.at);
      t_.at = e;
      while (!r.empty() && (r.back() == ' ' || r.back() == '\r')) r.pop_back();
      return r;
    };
    if (s_.compare(t_.at, kScope.size(), kScope) == 0) {
      t_.at += kScope.size();
      n->scope = Symbol(rest_until(" #"));
    }
    while (peek() == ' ') ++t_.at;
    if (s_.compare(t_.at, 2, "# ") != 0) return;
    t_.at += 2;
    std::string comment = rest_until("\n");
    // file:line:column
    size_t column = comment.rfind(':');
    size_t line =
        column == std::string::npos || column == 0 ? column : comment.rfind(':', column - 1);
    auto number = [&](size_t from, size_t to, uint32_t* v) {
      std::string d = comment.substr(from, to - from);
      if (d.empty() || d.size() > 9 || d.find_first_not_of("0123456789") != std::string::npos)
        return false;
      *v = static_cast<uint32_t>(std::stoul(d));
      return true;
    };
    OriginalRange r;
    if (line == std::string::npos || line == 0 || !number(line + 1, column, &r.line) ||
        !number(column + 1, comment.size(), &r.start))
      return;
    r.file = std::make_shared<const std::string>(comment, 0, line);
    r.offset = static_cast<uint32_t>(t_.comments->originals().size());
    n->range = {t_.comments, r.offset, r.offset};
    t_.comments->add_original(std::move(r));
  }

  // The operator, and the types of outputs that have none in the text.
  void finish(Node* n, const std::vector<Definition>& outs) {
    if (t_.ops && n->blocks.empty() && n->kind != prim::Constant)
      n->op = resolve_operator(n, *t_.ops);
    for (size_t i = 0; i < outs.size(); ++i) {
      if (outs[i].type) continue;
      if (n->kind == prim::Constant) {
        const Attribute* a = n->find(Symbol("value"));
        n->outputs[i]->type =
            !a || a->kind == Attribute::Kind::Text ? types::tensor() : ivalue_type(a->value);
        continue;
      }
      if (!n->op || i >= n->op->schema().returns.size()) continue;
      TypeEnv env;
      const FunctionSchema& s = n->op->schema();
      for (size_t k = 0; k < s.arguments.size() && k < n->inputs.size(); ++k)
        match_type_variables(s.arguments[k].type, n->inputs[k]->type, env, t_.types->table,
                             nullptr);
      if (TypePtr t = eval_type_variables(s.returns[i].type, env, t_.types->table))
        n->outputs[i]->type = t;
    }
    // "prim::fork_0": the graph follows under that name.
    std::string_view kind = n->kind.view();
    std::string suffix = "_" + std::to_string(pending_.size());
    if (kind.size() > suffix.size() && kind.substr(kind.size() - suffix.size()) == suffix)
      pending_.push_back(n);
  }

  void subgraphs() {
    std::vector<Node*> pending;
    pending.swap(pending_);
    for (Node* n : pending) {
      size_t before = t_.at;
      if (!keyword("with")) return;
      if (kind_name() != n->kind.view()) {  // the text of a graph around this one
        t_.at = before;
        return;
      }
      expect("=");
      n->kind = Symbol(n->kind.view().substr(0, n->kind.view().rfind('_')));
      std::shared_ptr<Graph> sub = GraphParser(t_).graph();
      n->attributes.insert(n->attributes.begin(), Attribute());
      n->attributes[0].name = Symbol("Subgraph");
      n->attributes[0].kind = Attribute::Kind::Graph;
      n->attributes[0].graph = std::move(sub);
    }
  }

  // ---- attributes ----

  void attributes(Node* n) {
    if (eat("]")) return;
    do {
      std::string name = word("the name of an attribute");
      if (t_.at >= s_.size() || s_[t_.at] != '=')
        expect("=");
      else
        ++t_.at;
      attribute(n, name);
    } while (eat(","));
    expect("]");
  }
  void attribute(Node* n, const std::string& name) {
    TypePtr type = n->kind == prim::Constant && n->outputs.size() == 1 && name == "value"
                       ? n->outputs[0]->type
                       : nullptr;
    if (n->kind == prim::Constant && name == "value") {
      if (auto text = opaque_constant(type)) {
        IValue known = value_of_tensor_text(*text);
        Attribute& a =
            n->set(Symbol(name), known.isNone() ? Attribute::Kind::Text : Attribute::Kind::Value);
        a.value = known.isNone() ? IValue(*text) : known;
        return;
      }
    } else if (types_attribute(n, name)) {
      return;
    }
    IValue v = constant(type);
    // An attribute that is None is none: [value=None], and PyTorch reads [] so too.
    if (v.isNone()) return;
    Attribute::Kind kind = type           ? Attribute::Kind::Value
                           : v.isInt()    ? Attribute::Kind::Int
                           : v.isDouble() ? Attribute::Kind::Float
                           : v.isString() ? Attribute::Kind::String
                                          : Attribute::Kind::Value;
    n->set(Symbol(name), kind).value = std::move(v);
  }
  // [types=[int, Tensor]], [to_compile=Tensor]
  bool types_attribute(Node* n, const std::string& name) {
    bool list = peek() == '[';
    size_t start = t_.at;
    if (list) ++t_.at;
    std::string_view w = peek_word();
    bool named = !w.empty() && (std::isalpha(static_cast<unsigned char>(w[0])) || w[0] == '_') &&
                 w != "True" && w != "False" && w != "None" && w != "annotate" && w != "inf" &&
                 w != "nan" && w.substr(0, 5) != "torch";
    bool tuple = list && peek() == '(';
    if (!named && !tuple) {
      t_.at = start;
      return false;
    }
    Attribute& a = n->set(Symbol(name), list ? Attribute::Kind::Types : Attribute::Kind::Type);
    do {
      a.types.push_back(type());
    } while (list && eat(","));
    if (list) expect("]");
    return true;
  }

  // Constants that only their text tells: a tensor's elements, an object, a function.
  std::optional<std::string> opaque_constant(TypePtr type) {
    size_t start = t_.at, end = std::string::npos;
    auto starts = [&](std::string_view w) { return s_.compare(start, w.size(), w) == 0; };
    if (starts("object(") || starts("torch.Generator("))
      end = s_.find(')', start);
    else if (starts("<"))
      end = s_.find('>', start);
    else if (starts("{") && type && type->kind != TypeKind::Dict)
      end = s_.find('}', start);
    else if (type && type->kind == TypeKind::Tensor)
      end = end_of_tensor_text();
    else
      return std::nullopt;
    size_t line = ahead(line_, "\n");
    if (end == std::string::npos || line < end) fail("a constant");
    t_.at = end + 1;
    return s_.substr(start, t_.at - start);
  }
  // " 1  2 [ CPUFloatType{2} ]"; quantised tensors have more before the last bracket.
  size_t end_of_tensor_text() {
    const size_t brace = std::min(ahead(type_, "Type{"), ahead(undefined_, "(undefined)"));
    if (brace == std::string::npos) return brace;
    const size_t end = s_.find(" ]", brace);
    return end == std::string::npos ? end : end + 1;
  }
  // Where something stands next in the text, remembered: asking again and again from further places
  // looks through the text once.
  struct Next {
    size_t from = std::string::npos, at = 0;
  };
  size_t ahead(Next& n, const char* what) {
    if (t_.at < n.from || t_.at > n.at) n = {t_.at, s_.find(what, t_.at)};
    return n.at;
  }

  static Tensor tensor_of(const std::vector<double>& values, const std::vector<int64_t>& sizes,
                          ScalarType dtype) {
    Tensor t = empty(sizes, dtype);
    char* p = static_cast<char*>(t.element_address());
    auto put = [&](auto v) {
      std::memcpy(p, &v, sizeof v);
      p += sizeof v;
    };
    // What doesn't fit is 0, which isn't printed like the text.
    auto whole = [&](auto zero, double v) {
      using T = decltype(zero);
      const double beyond = std::ldexp(1.0, std::numeric_limits<T>::digits),
                   least = static_cast<double>(std::numeric_limits<T>::min());
      put(v >= least && v < beyond ? static_cast<T>(v) : zero);
    };
    for (double v : values) switch (dtype) {
        case ScalarType::Bool:
        case ScalarType::Byte: whole(uint8_t{}, v); break;
        case ScalarType::Char: whole(int8_t{}, v); break;
        case ScalarType::Short: whole(int16_t{}, v); break;
        case ScalarType::Int: whole(int32_t{}, v); break;
        case ScalarType::Long: whole(int64_t{}, v); break;
        case ScalarType::Half: put(Half(static_cast<float>(v))); break;
        case ScalarType::BFloat16: put(BFloat16(static_cast<float>(v))); break;
        case ScalarType::Float: put(static_cast<float>(v)); break;
        default: put(v);
      }
    return t;
  }

  // A tensor, when the text tells all of it.
  static IValue value_of_tensor_text(const std::string& text) {
    auto read = [&](size_t from, size_t to, std::vector<double>* values) {
      std::istringstream in(text.substr(from, to - from));
      std::string w;
      while (in >> w) {
        char* end = nullptr;
        double v = std::strtod(w.c_str(), &end);
        if (end == w.c_str() || *end) return false;
        values->push_back(v);
      }
      return true;
    };
    std::vector<double> values;
    std::vector<int64_t> sizes;
    ScalarType dtype = kDouble;
    if (text == "<Tensor>") return Tensor();
    if (text[0] == '{') {
      if (!read(1, text.size() - 1, &values) || values.size() != 1) return IValue();
      if (text.find_first_not_of("{}-0123456789") == std::string::npos && text.size() < 18)
        dtype = kLong;
    } else {
      size_t bracket = text.find("[ CPU"), brace = text.find("Type{");
      if (bracket == std::string::npos || brace == std::string::npos || brace < bracket ||
          !scalar_type_from_name(text.substr(bracket + 5, brace - bracket - 5), &dtype) ||
          is_complex(dtype) || is_quantized(dtype) || !read(0, bracket, &values))
        return IValue();
      int64_t count = 1;
      for (size_t i = brace + 5; i < text.size() && text[i] != '}';) {
        size_t used = 0;
        if (!std::isdigit(static_cast<unsigned char>(text[i])) || sizes.size() > 16)
          return IValue();
        sizes.push_back(std::stoll(text.substr(i, 9), &used));
        if (sizes.back() > 10 && count != 0) return IValue();
        count *= sizes.back();
        i += used;
        if (text[i] == ',') ++i;
      }
      if (count != static_cast<int64_t>(values.size())) return IValue();
    }
    Tensor t = tensor_of(values, sizes, dtype);
    return print_constant(t, types::tensor()) == text ? IValue(t) : IValue();
  }

  // type: of the constant, or null where nothing tells.
  IValue constant(TypePtr type) {
    check_stack();
    Nested nested(*this);
    TypePtr wanted = type ? unwrap_optional(type) : nullptr;
    if (wanted && wanted->kind == TypeKind::Tensor) {
      if (keyword("None")) return IValue();
      // Inside a container a tensor that the text doesn't tell is an undefined one.
      IValue t = value_of_tensor_text(*opaque_constant(wanted));
      return t.isNone() ? IValue(Tensor()) : t;
    }
    blank();
    char c = peek();
    if (c == '"') {
      std::string s = string();
      return wanted && wanted->kind == TypeKind::Device ? device(s) : IValue(std::move(s));
    }
    if (c == '[') return list(wanted);
    if (c == '(') return tuple(wanted);
    if (c == '{') return dict(wanted);
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+' || c == '.')
      return number(wanted);
    std::string w = word("a constant");
    if (w == "True") return true;
    if (w == "False") return false;
    if (w == "None") return IValue();
    if (w == "inf" || w == "nan") {
      t_.at -= w.size();
      return number(wanted);
    }
    if (w == "annotate") return annotated();
    if (w == "torch.device") {
      expect("(");
      blank();
      IValue d = device(string());
      expect(")");
      return d;
    }
    size_t dot = w.rfind('.');
    if (wanted && wanted->kind == TypeKind::Enum && dot != std::string::npos)
      return IValue(make_ref<EnumBox>(wanted, w.substr(dot + 1), IValue()));
    t_.at -= w.size();
    fail("a constant");
  }
  IValue device(const std::string& name) {
    try {
      return Device::parse(name);
    } catch (const Error& e) {
      error(e.what());
    }
  }
  std::string string() {
    if (peek() != '"') fail("a string");
    ++t_.at;
    std::string r;
    for (;;) {
      char c = peek();
      if (t_.at >= s_.size()) fail("the end of the string");
      ++t_.at;
      if (c == '"') return r;
      if (c != '\\') {
        r += c;
        continue;
      }
      static constexpr std::string_view kLetters = "abfnrtv\\\"'", kMeant = "\a\b\f\n\r\t\v\\\"'";
      size_t known = kLetters.find(peek());
      if (t_.at < s_.size() && known != std::string_view::npos) {
        r += kMeant[known];
        ++t_.at;
        continue;
      }
      // Three octal digits of a signed char: below '0' for bytes above 127.
      if (t_.at + 3 > s_.size()) fail("the end of the string");
      int v = 0;
      for (int i = 0; i < 3; ++i) v = v * 8 + (s_[t_.at++] - '0');
      r += static_cast<char>(v);
    }
  }
  IValue number(TypePtr wanted) {
    const char* begin = s_.c_str() + t_.at;
    char* end = nullptr;
    double v = std::strtod(begin, &end);
    if (end == begin) fail("a number");
    std::string text(begin, static_cast<size_t>(end - begin));
    t_.at += text.size();
    TypeKind kind = wanted ? wanted->kind : TypeKind::Any;
    if (peek() == 'j') {
      ++t_.at;
      return std::complex<double>(0, v);
    }
    if ((peek() == '+' || peek() == '-') && kind != TypeKind::Int && kind != TypeKind::Float) {
      begin = s_.c_str() + t_.at;
      double imaginary = std::strtod(begin, &end);
      if (end != begin && *end == 'j') {
        t_.at += static_cast<size_t>(end - begin) + 1;
        return std::complex<double>(v, imaginary);
      }
    }
    bool integral = text.find_first_not_of("+-0123456789") == std::string::npos;
    if (kind == TypeKind::Bool) return v != 0;
    if (kind == TypeKind::Float) return v;
    if (kind == TypeKind::Complex) return std::complex<double>(v, 0);
    if (!integral) return v;
    errno = 0;
    long long i = std::strtoll(text.c_str(), nullptr, 10);
    if (errno == ERANGE) error("the integer is out of range");
    return static_cast<int64_t>(i);
  }
  IValue annotated() {
    expect("(");
    TypePtr t = type();
    expect(",");
    blank();
    if (!(t->kind == TypeKind::List && peek() == '[') &&
        !(t->kind == TypeKind::Dict && peek() == '{'))
      fail("a list or a dict of the type");
    IValue v = constant(t);
    expect(")");
    return v;
  }
  IValue list(TypePtr wanted) {
    expect("[");
    TypePtr elem = wanted && wanted->kind == TypeKind::List ? wanted->elems[0] : nullptr;
    std::vector<IValue> items;
    if (eat("<Tensors>")) {
      items.emplace_back(Tensor());
      expect("]");
      return IValue(make_ref<ListBox>(types::tensor(), std::move(items)));
    }
    if (eat("]")) return elem ? IValue(make_ref<ListBox>(elem)) : IValue();
    do {
      items.push_back(constant(elem));
    } while (eat(","));
    expect("]");
    if (!elem) elem = ivalue_type(items[0]);
    return IValue(make_ref<ListBox>(elem, std::move(items)));
  }
  IValue tuple(TypePtr wanted) {
    expect("(");
    std::vector<IValue> items;
    while (peek() != ')' || !eat(")")) {
      size_t i = items.size();
      bool known = wanted && wanted->kind == TypeKind::Tuple && i < wanted->elems.size();
      // The blank after a comma isn't part of a tensor's text.
      if (i && peek() == ' ') ++t_.at;
      items.push_back(constant(known ? wanted->elems[i] : nullptr));
      if (!eat(",")) {
        expect(")");
        break;
      }
    }
    return IValue(make_ref<TupleBox>(std::move(items),
                                     wanted && wanted->is_named_tuple() ? wanted : nullptr));
  }
  IValue dict(TypePtr wanted) {
    expect("{");
    bool known = wanted && wanted->kind == TypeKind::Dict;
    TypePtr key = known ? wanted->elems[0] : nullptr, value = known ? wanted->elems[1] : nullptr;
    std::vector<std::pair<IValue, IValue>> items;
    if (!eat("}")) {
      do {
        IValue k = constant(key);
        expect(":");
        items.emplace_back(std::move(k), constant(value));
      } while (eat(","));
      expect("}");
    }
    if (!key) key = items.empty() ? types::any() : ivalue_type(items[0].first);
    if (!value) value = items.empty() ? types::any() : ivalue_type(items[0].second);
    auto box = make_ref<DictBox>(key, value);
    for (auto& [k, v] : items) {
      if (!k.isString() && !k.isInt() && !k.isDouble() && !k.isBool() && !k.isDevice() &&
          k.tag() != Tag::ComplexDouble)
        fail("a key");
      box->set(k, v);
    }
    return IValue(box);
  }

  Text& t_;
  const std::string& s_;
  DeclareType declare_;
  std::shared_ptr<Graph> g_;
  std::unordered_map<std::string, Value*> values_;
  std::vector<std::pair<Value*, std::string>> names_;
  std::vector<Node*> pending_;  // with a subgraph that follows
  Next type_, undefined_, line_;
};

}  // namespace

std::shared_ptr<Graph> parse_graph(const std::string& text, const OpTable* ops,
                                   const std::string& name) {
  auto source = std::make_shared<Source>();
  source->text = text;
  source->name = name;
  Text t;
  t.source = source;
  t.ops = ops;
  GraphParser parser(t);
  std::shared_ptr<Graph> g = parser.graph();
  parser.expect_end();
  return g;
}

}  // namespace sconce
