// SPDX-License-Identifier: Apache-2.0
// sconce inspect: what is in a file, found out without running it. Everything is compiled; a method
// that doesn't compile is told, and is no reason to say less of the others.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "api/runtime.h"
#include "commands.h"
#include "compare.h"
#include "module_tree.h"
#include "sconce/sconce.h"
#include "text.h"
#include "support/stack.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;

// Calls of one operator by what their argument `training` is: False, True, or not a constant.
struct TrainingCalls {
  int64_t off = 0, on = 0, open = 0;
};

struct Found {
  std::map<std::string, int64_t> operators;
  std::map<std::string, TrainingCalls> training;
  bool traced = false;
  std::vector<std::pair<std::string, std::string>> errors;  // method, why it doesn't compile
};

// Which input of a node says whether it trains; -1 when none does.
int training_argument(const Node& n) {
  const FunctionSchema& schema = n.op->schema();
  for (const char* name : {"training", "train"})
    if (int i = schema.argument_index(name);
        i >= 0 && schema.arguments[static_cast<size_t>(i)].type->kind == TypeKind::Bool &&
        static_cast<size_t>(i) < n.inputs.size())
      return i;
  return -1;
}

void look_at(const Function& f, Block* b, Found& found) {
  check_stack();
  for (Node* n : b->nodes()) {
    for (Block* inner : n->blocks) look_at(f, inner, found);
    if (Graph* sub = subgraph(n)) look_at(f, sub->block(), found);
    if (!n->op || n->kind.is_prim()) continue;
    ++found.operators[std::string(n->op->full_name())];
    int i = training_argument(*n);
    if (i < 0) continue;
    // Without running statistics there are none but the batch's, in evaluation too.
    if (int mean = n->op->schema().argument_index("running_mean");
        mean >= 0 && n->input(static_cast<size_t>(mean))->node->must_be_none())
      continue;
    auto value = constant_value(n->input(static_cast<size_t>(i)));
    TrainingCalls& calls = found.training[std::string(n->op->name())];
    ++(!value ? calls.open : value->toBool() ? calls.on : calls.off);
    // torch.nn's own code passes self.training on; only a trace has a constant there (freezing
    // leaves constants too, and no attribute).
    if (value && f.self && f.self->name.find(".torch.nn.modules.") != std::string::npos &&
        f.self->find_attribute("training") >= 0)
      found.traced = true;
  }
}

Found look_at(const Module& m) {
  check_stack();
  Found found;
  auto& cu = *m.impl()->archive.cu;
  std::lock_guard<std::recursive_mutex> lock(cu.mutex());
  // By index: compiling a function may define others.
  for (size_t i = 0; i < cu.functions().size(); ++i) {
    Function& f = *cu.functions()[i];
    try {
      look_at(f, f.ensure_graph().block(), found);
    } catch (const Error& e) {
      found.errors.emplace_back(f.qualified_name, e.what());
    }
  }
  auto& zip = m.impl()->archive.zip;
  found.traced |= zip && zip->has("traced_inputs.pkl");
  return found;
}

Json count_json(const TensorCount& c) {
  return {{"tensors", c.tensors}, {"elements", c.elements}, {"bytes", c.bytes}};
}

Json tensor_json(const Named<Tensor>& p) {
  const Tensor& t = p.value;
  bool there = t.defined();
  return {{"dtype", there ? dtype_name(t.dtype()) : "undefined"},
          {"shape", there ? t.sizes().vec() : std::vector<int64_t>{}},
          {"bytes", there ? static_cast<uint64_t>(t.numel()) * element_size(t.dtype()) : 0},
          {"name", p.name}};
}

// A default value as Python writes it.
std::string literal(const IValue& v) {
  if (v.isString()) return quote_string(v.toStringRef());
  return ivalue_str(v);
}

Json method_json(const Module& m, const std::string& name) {
  Function& f = m.impl()->method(name);
  try {
    m.impl()->archive.cu->ensure_schema(f);
  } catch (const Error&) {
    // told with the errors
  }
  Json j{{"name", name}, {"schema", f.schema.str()}, {"inputs", Json::array()}};
  for (size_t i = f.self ? 1 : 0; i < f.schema.arguments.size(); ++i) {
    const Argument& a = f.schema.arguments[i];
    Json in{{"name", a.name}, {"type", a.type ? a.type->annotation_str() : "?"}};
    if (a.default_value) in["default"] = literal(*a.default_value);
    j["inputs"].push_back(in);
  }
  j["returns"] = f.schema.returns.empty() || !f.schema.returns[0].type
                     ? Json(nullptr)
                     : Json(f.schema.returns[0].type->annotation_str());
  return j;
}

std::string method_text(const Json& j) {
  std::string s = j["name"].get<std::string>() + "(", separator;
  for (auto& in : j["inputs"]) {
    s += separator + in["name"].get<std::string>() + ": " + in["type"].get<std::string>();
    if (in.contains("default")) s += " = " + in["default"].get<std::string>();
    separator = ", ";
  }
  return s + ")" + (j["returns"].is_string() ? " -> " + j["returns"].get<std::string>() : "");
}

// What each method of a trace was recorded with; the file has their shapes but not their numbers.
Json traced_with(const LoadedArchive& a) {
  Json j = Json::object();
  if (!a.zip || !a.zip->has("traced_inputs.pkl")) return j;
  try {
    PickleOptions o;
    o.what = "traced_inputs.pkl";
    o.read_storage = [&](const std::string& key, uint64_t) {
      return a.zip->read("traced_inputs/" + key);
    };
    o.parse_type = [&](const std::string& text) { return a.cu->parse_type_text(text); };
    o.types = &a.cu->types();
    o.allow_short_storage = true;
    IValue v = unpickle(a.zip->read("traced_inputs.pkl"), o);
    for (auto& kv : v.toDictRef().items) {
      Json inputs = Json::array();
      const IValue& given = kv.second;
      for (auto& x : given.isTuple() ? given.toTupleRef().items : given.toListRef().items)
        inputs.push_back(value_outline(x));
      j[kv.first.toStringRef()] = inputs;
    }
  } catch (const Error&) {
    return Json::object();  // it only serves to tell the reader
  }
  return j;
}

// Which torch wrote it, as far as the records tell.
std::string producer(const LoadedArchive& a) {
  if (!a.zip) return "";
  if (a.zip->has("model.json")) {
    Json j = Json::parse(a.zip->read_text("model.json"), nullptr, false);
    std::string name = "torch before 1.3";
    for (const char* key : {"producerName", "producerVersion"})
      if (j.is_object() && j.contains(key) && j[key].is_string())
        name += std::string(key) == "producerName" ? ", " + j[key].get<std::string>()
                                                   : " " + j[key].get<std::string>();
    return name;
  }
  return a.zip->has("byteorder") || a.zip->has(".data/serialization_id") ? "torch 2" : "torch 1";
}

Json file_json(const std::string& path, const char* kind) {
  std::error_code ignored;
  return {{"file", path}, {"kind", kind}, {"bytes", std::filesystem::file_size(path, ignored)}};
}

std::string mode_of(const Found& found, const Json& attribute) {
  bool on = false, off = false;
  for (auto& [name, calls] : found.training) on |= calls.on > 0, off |= calls.off > 0;
  bool training = attribute.is_boolean() && attribute.get<bool>();
  // What the trace holds tells more than the attribute, which may have been set since.
  if (found.traced)
    return on || (training && !off) ? "traced in training mode"
           : off                    ? "traced in evaluation mode"
                                    : "traced";
  if (attribute.is_boolean()) return training ? "training" : "evaluation";
  return "none";
}

struct Description {
  Json json;
  ModuleNode tree;
};

Description describe_archive(const std::string& path) {
  LoadOptions options;
  options.map_file = true;  // most of it is not looked at
  Module m = load(path, options);
  const LoadedArchive& a = m.impl()->archive;
  Found found = look_at(m);
  ModuleNode tree = module_tree(*m.impl()->object);

  Json j = file_json(path, "TorchScript archive");
  j["file_version"] = a.version;
  j["producer"] = producer(a);
  j["records"] = a.zip ? a.zip->records().size() : 0;
  j["byteorder"] = nullptr;
  if (a.zip && a.zip->has("byteorder")) j["byteorder"] = a.zip->read_text("byteorder");
  j["saved_on"] = a.saved_on ? a.saved_on->str() : "cpu";
  j["bytecode"] = a.zip && a.zip->has("bytecode.pkl");
  j["extra"] = Json::array();
  if (a.zip)
    for (auto& record : a.zip->records())
      if (record.compare(0, 6, "extra/") == 0) j["extra"].push_back(record.substr(6));
  j["class"] = m.class_name();

  j["traced"] = found.traced;
  IValue training = m.attr("training", IValue());
  Json attribute = training.isBool() ? Json(training.toBool()) : Json(nullptr);
  j["mode"] = mode_of(found, attribute);
  j["training"] = {{"attribute", attribute}, {"calls", Json::object()}};
  for (auto& [name, calls] : found.training)
    j["training"]["calls"][name] = {
        {"true", calls.on}, {"false", calls.off}, {"variable", calls.open}};

  j["counts"] = {{"parameters", count_json(tree.parameters)},
                 {"buffers", count_json(tree.buffers)},
                 {"other", count_json(tree.others)}};
  TensorCount constants;
  for (auto& v : a.cu->constants)
    if (v.isTensor() && v.toTensorRef().defined()) {
      ++constants.tensors;
      constants.elements += v.toTensorRef().numel();
      constants.bytes +=
          static_cast<uint64_t>(v.toTensorRef().numel()) * element_size(v.toTensorRef().dtype());
    }
  j["counts"]["constants"] = count_json(constants);
  j["tree"] = tree_json(tree);

  j["modules"] = Json::array();
  j["attributes"] = Json::array();
  for (auto& n : m.named_attributes()) {
    if (n.value.isObject() && n.value.toObjectRef().type->is_module)
      j["modules"].push_back({{"name", n.name}, {"class", n.value.toObjectRef().type->name}});
    else if (!n.value.isTensor())
      j["attributes"].push_back(
          {{"name", n.name}, {"type", ivalue_type(n.value)->annotation_str()}});
  }
  j["methods"] = Json::array();
  for (auto& name : m.method_names()) j["methods"].push_back(method_json(m, name));
  j["traced_with"] = traced_with(a);
  auto list = [&](const char* key, const std::vector<Named<Tensor>>& tensors) {
    j[key] = Json::array();
    for (auto& p : tensors) j[key].push_back(tensor_json(p));
  };
  list("parameters", m.named_parameters());
  list("buffers", m.named_buffers());
  j["operators"] = Json::object();
  for (auto& kv : found.operators) j["operators"][kv.first] = kv.second;
  j["missing"] = Json::array();
  for (auto& p : m.missing_operators())
    j["missing"].push_back({{"operator", p.first}, {"at", p.second}});
  j["errors"] = Json::array();
  for (auto& e : found.errors) j["errors"].push_back({{"method", e.first}, {"error", e.second}});
  return {j, tree};
}

// What torch.save wrote: a state dict mostly.
Description describe_saved(const std::string& path) {
  IValue v = load_pickle(path);
  Json j = file_json(path, "torch.save file");
  bool cases = v.isDict() && v.toDictRef().find(IValue("cases")) && path.size() > 6 &&
               path.compare(path.size() - 6, 6, ".io.pt") == 0;
  if (cases) {
    j["cases"] = read_cases(path).size();
    return {j, {}};
  }
  ModuleNode tree = state_tree(v);
  j["counts"] = {{"tensors", count_json(tree.others)}};
  j["tree"] = tree_json(tree);
  if (tree.others.tensors == 0) j["value"] = value_outline(v);
  return {j, tree};
}

// By the records: load() says best what is wrong with anything else.
Description describe(const std::string& path) {
  bool saved = false;
  try {
    zip::Archive z(map_file(path), path);
    saved = z.has("data.pkl") && !z.has("constants.pkl") && !z.has("model.json");
  } catch (const FormatError&) {
  }
  return saved ? describe_saved(path) : describe_archive(path);
}

std::string counted(const Json& c) {
  auto tensors = c["tensors"].get<int64_t>();
  auto elements = c["elements"].get<int64_t>();
  return with_commas(elements) + (elements == 1 ? " number in " : " numbers in ") +
         with_commas(tensors) + (tensors == 1 ? " tensor, " : " tensors, ") +
         byte_text(c["bytes"].get<uint64_t>());
}

void put(const std::string& title, const std::string& text) {
  std::cout << "  " << title << std::string(title.size() < 12 ? 12 - title.size() : 1, ' ')
            << printable_line(text) << "\n";
}

// Names and numbers, as many on a line as fit.
void put_wrapped(const std::string& title, const std::vector<std::string>& words) {
  constexpr size_t kWidth = 84;
  std::string line, label = title;
  for (auto& w : words) {
    if (!line.empty() && line.size() + 2 + w.size() > kWidth) {
      put(label, line + ",");
      label.clear();
      line.clear();
    }
    line += (line.empty() ? "" : ", ") + w;
  }
  if (!line.empty()) put(label, line);
}

void print_mode(const Json& j) {
  std::string mode = j["mode"], calls;
  for (auto& kv : j["training"]["calls"].items()) {
    auto on = kv.value()["true"].get<int64_t>();
    int64_t all = on + kv.value()["false"].get<int64_t>() + kv.value()["variable"].get<int64_t>();
    if (on)
      calls += (calls.empty() ? "" : ", ") + std::to_string(on) + " of " + std::to_string(all) +
               " " + kv.key();
  }
  put("mode", mode + (mode == "training" ? " (eval() changes it)"
                      : mode == "none"   ? ": there is no attribute training"
                                         : ""));
  if (!calls.empty())
    put("", "always training, whatever eval() says: " + calls +
                (j["traced"].get<bool>() ? "; trace it again after eval()" : ""));
}

void print_archive(const Json& j, const ModuleNode& tree, bool all) {
  put("class", j["class"]);
  print_mode(j);
  const Json& counts = j["counts"];
  put("parameters", counted(counts["parameters"]));
  for (auto& [key, title] :
       {std::pair{"buffers", "buffers"}, {"other", "other"}, {"constants", "constants"}})
    if (counts[key]["tensors"] != 0) put(title, counted(counts[key]));
  std::string label = "methods";
  for (auto& method : j["methods"]) {
    put(label, method_text(method));
    label.clear();
    std::string name = method["name"];
    if (j["traced_with"].contains(name)) {
      std::string shapes;
      for (auto& s : j["traced_with"][name])
        shapes += (shapes.empty() ? "" : ", ") + s.get<std::string>();
      put("", "  traced with " + shapes);
    }
  }
  std::vector<std::string> words;
  for (auto& kv : j["operators"].items())
    words.push_back(kv.key() + " " + std::to_string(kv.value().get<int64_t>()));
  put_wrapped("operators", words);
  label = "missing";
  for (auto& e : j["missing"]) {
    put(label, e["operator"].get<std::string>() + " (" + e["at"].get<std::string>() + ")");
    label.clear();
  }
  label = "errors";
  for (auto& e : j["errors"]) {
    std::string why = e["error"], file = j["file"].get<std::string>() + ":";
    if (why.compare(0, file.size(), file) == 0) why.erase(0, file.size());
    put(label, e["method"].get<std::string>() + ": " + why.substr(0, why.find('\n')));
    label.clear();
  }
  std::cout << tree_text(tree, all);
}

void print_header(const Json& j) {
  std::cout << j["file"].get<std::string>() << ": " << j["kind"].get<std::string>();
  if (j.contains("file_version"))
    std::cout << ", file version " << j["file_version"].get<uint64_t>() << ", "
              << j["producer"].get<std::string>();
  std::cout << ", " << byte_text(j["bytes"].get<uint64_t>());
  if (j.contains("records")) std::cout << " in " << j["records"].get<size_t>() << " records";
  if (j.contains("saved_on") && j["saved_on"] != "cpu")
    std::cout << ", saved on " << j["saved_on"].get<std::string>();
  if (j.contains("bytecode") && j["bytecode"].get<bool>()) std::cout << ", with mobile bytecode";
  std::cout << "\n";
  if (!j.contains("extra") || j["extra"].empty()) return;
  std::vector<std::string> names = j["extra"];
  put_wrapped("extra", names);
}

void print_text(const Description& d, bool all) {
  const Json& j = d.json;
  print_header(j);
  if (j.contains("class")) return print_archive(j, d.tree, all);
  if (j.contains("cases")) return put("cases", std::to_string(j["cases"].get<size_t>()));
  if (j.contains("value")) return put("value", j["value"]);
  put("tensors", counted(j["counts"]["tensors"]));
  std::cout << tree_text(d.tree, all);
}

struct InspectOptions {
  std::vector<std::string> files;
  bool json = false, all = false;
};

int inspect(const InspectOptions& o) {
  Json reports = Json::array();
  bool all_good = true;
  for (auto& file : o.files) {
    Description d;
    try {
      d = describe(file);
    } catch (const Error& e) {
      if (o.files.size() == 1) throw;
      std::cout.flush();
      std::cerr << "sconce: " << printable(e.what()) << "\n";
      all_good = false;
      continue;
    }
    if (o.json) {
      reports.push_back(std::move(d.json));
      continue;
    }
    if (&file != &o.files[0]) std::cout << "\n";
    print_text(d, o.all);
  }
  // Names in a file may be no UTF-8.
  if (o.json)
    std::cout << (o.files.size() == 1 ? reports[0] : reports)
                     .dump(1, ' ', false, Json::error_handler_t::replace)
              << "\n";
  return all_good ? kDone : kBadFile;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  auto o = std::make_shared<InspectOptions>();
  auto* c = app.add_subcommand("inspect",
                               "what is in archives: modules, methods, operators used and missing");
  c->add_option("file", o->files, "archives, or files that torch.save wrote")
      ->required()
      ->type_name("FILE");
  c->add_flag("--all", o->all, "every module and tensor on a line of its own");
  c->add_flag("--json", o->json, "as JSON, always complete: an object, of several files an array");
  c->footer(
      "A large model's modules are shown as deep as 40 lines reach; numbered neighbours of one "
      "class\n"
      "are one line. A file that doesn't load makes the exit code 3; the others are shown.\n\n"
      "Examples:\n  sconce inspect bert.pt\n  sconce inspect *.pt --json");
  return [o] { return inspect(*o); };
}

}  // namespace sconce::tool
