// SPDX-License-Identifier: Apache-2.0
// The forms of a scan's report: text, JSON, SARIF.
#include <cctype>
#include <cstring>
#include <nlohmann/json.hpp>

#include "scan.h"
#include "sconce/version.h"
#include "text.h"

namespace sconce::tool {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& j) {
  // Names in a file may be no UTF-8.
  return j.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// A path as a reference of RFC 3986.
std::string uri_of(const std::string& path) {
  static const char kHex[] = "0123456789ABCDEF";
  std::string r;
  for (char c : path) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 128 && (std::isalnum(u) || (c && std::strchr("-._~/", c)))) {
      r += c;
    } else {
      r += '%';
      r += kHex[u >> 4];
      r += kHex[u & 15];
    }
  }
  return r;
}

// "  title       words, words,": as many on a line as fit.
void put(std::string& out, const std::string& title, const std::vector<std::string>& words) {
  constexpr size_t kWidth = 84;
  std::string label = title, line;
  auto flush = [&](const char* tail) {
    out += "  " + label + std::string(label.size() < 12 ? 12 - label.size() : 1, ' ') +
           printable_line(line) + tail + "\n";
    label.clear();
    line.clear();
  };
  for (auto& w : words) {
    if (!line.empty() && line.size() + 2 + w.size() > kWidth) flush(",");
    line += (line.empty() ? "" : ", ") + w;
  }
  if (!line.empty()) flush("");
}

}  // namespace

std::string scan_text(const ScanReport& r) {
  std::string out =
      printable_line(r.file) + ": " + printable_line(r.kind) + ", " + byte_text(r.bytes);
  if (!r.records.empty()) out += ", " + std::to_string(r.records.size()) + " records";
  out += "\n";
  if (r.tensors)
    put(out, "tensors",
        {with_commas(static_cast<int64_t>(r.tensors)) + " with " + byte_text(r.tensor_bytes) +
         " of memory"});
  constexpr size_t kMostClasses = 20;
  std::vector<std::string> words;
  for (auto& c : r.classes) {
    if (words.size() == kMostClasses) {
      words.push_back(std::to_string(r.classes.size() - kMostClasses) + " more (--json)");
      break;
    }
    std::string methods;
    for (auto& m : c.methods) methods += (methods.empty() ? "" : " ") + m;
    words.push_back(c.name + " (" + c.kind + (methods.empty() ? "" : ": ") + methods + ")");
  }
  put(out, "classes", words);
  words.clear();
  for (auto& [name, count] : r.operators)
    words.push_back(name + (count > 1 ? " " + std::to_string(count) : "") +
                    (r.unknown.count(name) ? " (unknown)" : ""));
  put(out, "operators", words);
  words.clear();
  for (auto& [name, records] : r.globals)
    if (name.rfind("__torch__.", 0) != 0 || name.rfind("__torch__.torch.classes.", 0) == 0)
      words.push_back(name);
  put(out, "globals", words);
  if (r.at_load.empty()) put(out, "at load", {"nothing of the file runs"});
  for (size_t i = 0; i < r.at_load.size(); ++i) put(out, i ? "" : "at load", {r.at_load[i]});
  for (size_t i = 0; i < r.notes.size(); ++i)
    put(out, i ? "" : "notes",
        {r.notes[i].rule + ": " + r.notes[i].place + ": " + r.notes[i].message});
  if (r.findings.empty()) put(out, "findings", {"none"});
  for (size_t i = 0; i < r.findings.size(); ++i) {
    const Finding& f = r.findings[i];
    put(out, i ? "" : "findings",
        {f.rule + ": " + f.place + (f.place.empty() ? "" : ": ") + f.message});
  }
  return out;
}

std::string scan_json(const std::vector<ScanReport>& reports) {
  Json all = Json::array();
  for (auto& r : reports) {
    Json j{{"file", r.file}, {"bytes", r.bytes}};
    if (!r.unreadable.empty()) {
      j["error"] = r.unreadable;
      all.push_back(std::move(j));
      continue;
    }
    j["kind"] = r.kind;
    j["records"] = Json::array();
    for (auto& e : r.records)
      j["records"].push_back({{"name", e.name},
                              {"bytes", e.size},
                              {"compressed", e.compressed},
                              {"method", e.method}});
    j["tensors"] = {{"count", r.tensors}, {"bytes", r.tensor_bytes}};
    j["classes"] = Json::array();
    for (auto& c : r.classes)
      j["classes"].push_back({{"name", c.name},
                              {"kind", c.kind},
                              {"place", c.place},
                              {"methods", c.methods},
                              {"hooks", c.hooks}});
    j["functions"] = r.functions;
    j["operators"] = Json::array();
    for (auto& [name, count] : r.operators)
      j["operators"].push_back(
          {{"name", name}, {"calls", count}, {"known", !r.unknown.count(name)}});
    j["globals"] = Json::object();
    for (auto& [name, records] : r.globals) j["globals"][name] = records;
    j["at_load"] = r.at_load;
    j["findings"] = Json::array();
    for (auto& f : r.findings)
      j["findings"].push_back({{"rule", f.rule}, {"place", f.place}, {"message", f.message}});
    j["notes"] = Json::array();
    for (auto& f : r.notes)
      j["notes"].push_back({{"rule", f.rule}, {"place", f.place}, {"message", f.message}});
    all.push_back(std::move(j));
  }
  return dump(all);
}

std::string scan_sarif(const std::vector<ScanReport>& reports) {
  Json rules = Json::array(), results = Json::array();
  for (auto* list : {&kScanRules, &kScanNotes})
    for (auto& r : *list)
      rules.push_back({{"id", r.name}, {"shortDescription", {{"text", r.text}}}});
  auto result = [&](const ScanReport& r, const std::string& rule, const std::string& level,
                    const std::string& place, const std::string& message) {
    Json location{{"physicalLocation", {{"artifactLocation", {{"uri", uri_of(r.file)}}}}}};
    if (!place.empty())
      location["logicalLocations"] = Json::array({{{"fullyQualifiedName", place}}});
    results.push_back({{"ruleId", rule},
                       {"level", level},
                       {"message", {{"text", (place.empty() ? "" : place + ": ") + message}}},
                       {"locations", Json::array({location})}});
  };
  rules.push_back(
      {{"id", "unreadable"}, {"shortDescription", {{"text", "The file can't be read."}}}});
  for (auto& r : reports) {
    for (auto& f : r.findings) result(r, f.rule, "error", f.place, f.message);
    for (auto& f : r.notes) result(r, f.rule, "note", f.place, f.message);
    if (!r.unreadable.empty()) result(r, "unreadable", "warning", "", r.unreadable);
  }
  return dump(
      {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
       {"version", "2.1.0"},
       {"runs",
        Json::array(
            {{{"tool",
               {{"driver",
                 {{"name", "sconce scan"}, {"version", SCONCE_VERSION}, {"rules", rules}}}}},
              {"results", results}}})}});
}

}  // namespace sconce::tool
