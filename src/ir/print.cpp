// SPDX-License-Identifier: Apache-2.0
// Graph text in PyTorch's form (ir-format.md). Entry: print_graph.
#include <cmath>
#include <map>

#include "core/device.h"
#include "ir/graph.h"
#include "ir/source.h"
#include "support/stack.h"

namespace sconce {

std::string quote_string(const std::string& s) {
  std::string r = "\"";
  for (unsigned char c : s) {
    switch (c) {
      case '\\': r += "\\\\"; break;
      case '\'': r += "\\'"; break;
      case '"': r += "\\\""; break;
      case '\a': r += "\\a"; break;
      case '\b': r += "\\b"; break;
      case '\f': r += "\\f"; break;
      case '\n': r += "\\n"; break;
      case '\r': r += "\\r"; break;
      case '\t': r += "\\t"; break;
      case '\v': r += "\\v"; break;
      default:
        if (c >= 0x20 && c < 0x7f) {
          r += static_cast<char>(c);
        } else {
          // PyTorch counts octal digits on a signed char: bytes above 127 get characters below '0'.
          int v = static_cast<signed char>(c);
          char digits[3] = {'0', '0', '0'};
          for (int i = 2; i >= 0; --i, v /= 8) digits[i] = static_cast<char>('0' + v % 8);
          r += '\\';
          r.append(digits, 3);
        }
    }
  }
  return r + "\"";
}

namespace {

std::string tensor_constant(const Tensor& original) {
  if (!original.defined() || original.device().type == DeviceType::Meta) return "<Tensor>";
  const Tensor t = copy_extent(original, nullptr);
  if (t.numel() == 1) {
    std::ostringstream os;
    if (is_complex(t.dtype())) {
      const char* p = static_cast<const char*>(t.const_raw_data());
      if (t.dtype() == kComplexDouble)
        os << *reinterpret_cast<const std::complex<double>*>(p);
      else
        os << *reinterpret_cast<const std::complex<float>*>(p);
    } else if (is_floating(t.dtype())) {
      os << t.item<double>();
    } else {
      os << t.item<int64_t>();
    }
    return "{" + os.str() + "}";
  }
  if (t.numel() > 10) return "<Tensor>";
  std::ostringstream os;
  os << t;
  std::string s = os.str();
  for (char& c : s)
    if (c == '\n') c = ' ';
  return s;
}

// A container's elements tell that this is their type.
bool tells_itself(TypePtr element) {
  return element->kind != TypeKind::Optional && element->kind != TypeKind::Union &&
         element->kind != TypeKind::Interface && element->kind != TypeKind::Any;
}

// Inside a container.
std::string inner(const IValue& v, TypePtr type) {
  auto seq = [&](const std::vector<IValue>& items, auto elem_type) {
    std::string s;
    for (size_t i = 0; i < items.size(); ++i) s += (i ? ", " : "") + inner(items[i], elem_type(i));
    return s;
  };
  switch (v.tag()) {
    case Tag::None: return "None";
    case Tag::Bool: return v.toBool() ? "True" : "False";
    case Tag::String: return quote_string(v.toStringRef());
    case Tag::Device: return "torch.device(\"" + v.toDevice().str() + "\")";
    case Tag::Tuple: {
      auto& items = v.toTupleRef().items;
      return "(" +
             seq(items,
                 [&](size_t i) {
                   return type && type->kind == TypeKind::Tuple && i < type->elems.size()
                              ? type->elems[i]
                              : nullptr;
                 }) +
             (items.size() == 1 ? ",)" : ")");
    }
    case Tag::List: {
      auto& l = v.toListRef();
      TypePtr e = type && type->kind == TypeKind::List ? type->elems[0] : l.elem_type;
      if (e->kind == TypeKind::Tensor) return "[<Tensors>]";  // though there be none
      std::string s = "[" + seq(l.items, [&](size_t) { return e; }) + "]";
      if (l.items.empty() || !tells_itself(e))
        s = "annotate(List[" + e->annotation_str() + "], " + s + ")";
      return s;
    }
    case Tag::Dict: {
      auto& d = v.toDictRef();
      std::string s = "{";
      for (size_t i = 0; i < d.items.size(); ++i)
        s += (i ? ", " : "") + inner(d.items[i].first, nullptr) + ": " +
             inner(d.items[i].second, nullptr);
      s += "}";
      if (d.items.empty() || !tells_itself(d.value_type))
        s = "annotate(Dict[" + d.key_type->annotation_str() + ", " +
            d.value_type->annotation_str() + "]," + s + ")";
      return s;
    }
    default: return print_constant(v, type);
  }
}

}  // namespace

std::string print_constant(const IValue& v, TypePtr type) {
  switch (v.tag()) {
    case Tag::Int: return std::to_string(v.toInt());
    case Tag::Bool: return v.toBool() ? "1" : "0";
    case Tag::Double:  // str(-0.0) is "0.", a graph keeps the sign
      return (v.toDouble() == 0 && std::signbit(v.toDouble()) ? "-" : "") + float_str(v.toDouble());
    case Tag::ComplexDouble: return complex_str(v.toComplexDouble());
    case Tag::String: return quote_string(v.toStringRef());
    case Tag::Device: return quote_string(v.toDevice().str());
    case Tag::Tensor: return v.box() ? tensor_constant(v.toTensorRef()) : "<Tensor>";
    case Tag::Enum: return v.toEnumRef().type->name + "." + v.toEnumRef().name;
    case Tag::Object: {
      std::ostringstream os;
      os << "object(" << static_cast<const void*>(&v.toObjectRef()) << ")";
      return os.str();
    }
    case Tag::Generator:
      return "torch.Generator(device=\"cpu\", seed=" + std::to_string(v.toGeneratorRef().seed()) +
             ")";
    case Tag::Function: return "<Function>";
    case Tag::Future: return "<Future>";
    case Tag::None: return "None";
    default: return inner(v, type);
  }
}

namespace {

class Printer {
 public:
  explicit Printer(bool comments, std::vector<std::pair<const Node*, size_t>>* lines = nullptr)
      : comments_(comments), lines_(lines) {}

  void graph(const Graph& g, std::string& out) {
    check_stack();
    out += "graph(";
    auto& ins = g.inputs();
    for (size_t i = 0; i < ins.size(); ++i) out += (i ? ",\n      " : "") + def(ins[i]);
    out += "):\n";
    std::vector<const Node*> groups;
    for (Node* n = g.block()->first(); n != g.block()->ret; n = n->next) node(n, 1, out, &groups);
    out += "  return (" + refs(g.outputs()) + ")\n";
    size_t i = 0;
    for (const Node* n : groups) {
      out += "with " + std::string(n->kind.str()) + "_" + std::to_string(i++) + " = ";
      graph(*subgraph(n), out);
    }
  }

 private:
  static std::string name(const Value* v) {
    return "%" + (v->name.empty() ? std::to_string(v->id) : v->name);
  }
  static std::string def(const Value* v) { return name(v) + " : " + v->type->str(); }
  static std::string refs(const std::vector<Value*>& vs) {
    std::string s;
    for (size_t i = 0; i < vs.size(); ++i) s += (i ? ", " : "") + name(vs[i]);
    return s;
  }

  static std::string attribute(const Attribute& a, const Node* n) {
    std::string s = std::string(a.name.str()) + "=";
    switch (a.kind) {
      case Attribute::Kind::Type: return s + a.types[0]->str();
      case Attribute::Kind::Types: {
        s += "[";
        for (size_t i = 0; i < a.types.size(); ++i) s += (i ? ", " : "") + a.types[i]->str();
        return s + "]";
      }
      case Attribute::Kind::Graph: return s + "<Graph>";
      case Attribute::Kind::Text: return s + a.value.toStringRef();
      default:
        return s + print_constant(a.value, n->kind == prim::Constant ? n->output()->type : nullptr);
    }
  }

  void node(const Node* n, size_t level, std::string& out, std::vector<const Node*>* groups) {
    check_stack();
    if (lines_) lines_->emplace_back(n, out.size());
    out.append(2 * level, ' ');
    for (size_t i = 0; i < n->outputs.size(); ++i) out += (i ? ", " : "") + def(n->outputs[i]);
    out += " = ";
    const Attribute* sub = n->find(Symbol("Subgraph"));
    out += n->kind.str();
    if (sub) {
      out += "_" + std::to_string(groups->size());
      groups->push_back(n);
    }
    if (n->attributes.size() > (sub ? 1u : 0u)) {
      out += "[";
      bool first = true;
      for (auto& a : n->attributes) {
        if (sub && &a == sub) continue;
        out += (first ? "" : ", ") + attribute(a, n);
        first = false;
      }
      out += "]";
    }
    out += "(" + refs(n->inputs) + ")";
    if (n->scope) out += std::string(", scope: ") + n->scope.str();
    if (comments_ && n->range.source) out += " # " + n->range.source->position(n->range.start);
    out += "\n";
    for (size_t i = 0; i < n->blocks.size(); ++i) {
      Block* b = n->blocks[i];
      out.append(2 * (level + 1), ' ');
      out += "block" + std::to_string(i) + "(";
      for (size_t k = 0; k < b->inputs().size(); ++k) out += (k ? ", " : "") + def(b->inputs()[k]);
      out += "):\n";
      for (Node* m = b->first(); m != b->ret; m = m->next) node(m, level + 2, out, groups);
      out.append(2 * (level + 2), ' ');
      out += "-> (" + refs(b->outputs()) + ")\n";
    }
  }

  bool comments_;
  std::vector<std::pair<const Node*, size_t>>* lines_;
};

}  // namespace

std::string print_graph(const Graph& g, bool comments) {
  std::string out;
  Printer(comments).graph(g, out);
  return out;
}
std::string print_graph(const Graph& g, bool comments,
                        std::vector<std::pair<const Node*, size_t>>& lines) {
  std::string out;
  Printer(comments, &lines).graph(g, out);
  return out;
}

}  // namespace sconce
