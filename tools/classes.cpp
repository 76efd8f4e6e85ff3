// SPDX-License-Identifier: Apache-2.0
#include "classes.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ostream>
#include <sstream>

#include "text.h"

namespace sconce::tool {

const char* const kLabelRecord = "labels.txt";

namespace {

constexpr int kUsualTop = 5, kBarWidth = 30;

// A name of JSON: text, or a list whose last element is the name.
std::string name_of(const nlohmann::json& v, const std::string& file) {
  if (v.is_string()) return v.get<std::string>();
  if (v.is_array() && !v.empty() && v.back().is_string()) return v.back().get<std::string>();
  raise<FormatError>(file, ": a class name is text, not ", v.dump().substr(0, 40));
}

std::vector<std::string> json_labels(const nlohmann::json& v, const std::string& file) {
  std::vector<std::string> names;
  if (v.is_array()) {
    for (auto& name : v) names.push_back(name_of(name, file));
    return names;
  }
  if (v.contains("id2label")) return json_labels(v["id2label"], file);
  for (size_t i = 0; i < v.size(); ++i) {
    auto name = v.find(std::to_string(i));
    if (name == v.end())
      raise<FormatError>(file, ": ", v.size(), " entries, but none for class ", i);
    names.push_back(name_of(*name, file));
  }
  return names;
}

std::string read_text(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  std::ostringstream text;
  text << f.rdbuf();
  if (!f) raise<FormatError>(path, ": can't be read");
  return text.str();
}

// The tensor of scores in an answer.
Tensor scores_of(const IValue& answer) {
  if (answer.isTensor()) return answer.toTensor();
  if (answer.isTuple())
    for (auto& v : answer.toTupleRef().items)
      if (v.isTensor()) return v.toTensor();
  if (answer.isDict()) {
    const IValue* first = nullptr;
    for (auto& [key, v] : answer.toDictRef().items) {
      if (!v.isTensor()) continue;
      if (key.isString() && key.toStringRef() == "logits") return v.toTensor();
      if (!first) first = &v;
    }
    if (first) return first->toTensor();
  }
  raise<Error>("--top shows scores of classes; the method returned ", answer.tag_name());
}

bool are_probabilities(const float* p, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(p[i] >= 0)) return false;
    sum += p[i];
  }
  return std::abs(sum - 1) < 1e-3;
}

// Characters, not bytes.
size_t length(const std::string& utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// A part of kBarWidth, to an eighth of a column.
std::string bar(float part) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int n = static_cast<int>(std::lround(std::clamp(part, 0.0f, 1.0f) * kBarWidth * 8));
  std::string s;
  for (int i = 0; i < n / 8; ++i) s += "█";
  return s + kEighths[n % 8];
}

void print_row(std::ostream& os, const float* scores, const float* parts, int64_t n, int64_t top,
               const std::vector<std::string>& names) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  // What is no number comes last.
  auto better = [&](int64_t a, int64_t b) {
    if (std::isnan(scores[a]) || std::isnan(scores[b]))
      return !std::isnan(scores[a]) && std::isnan(scores[b]);
    return scores[a] > scores[b];
  };
  std::stable_sort(order.begin(), order.end(), better);
  order.resize(static_cast<size_t>(std::min(top, n)));
  auto name = [&](int64_t i) {
    return names.empty() ? "class " + std::to_string(i) : names[static_cast<size_t>(i)];
  };
  size_t widest = 0;
  for (int64_t i : order) widest = std::max(widest, length(name(i)));
  for (int64_t i : order) {
    char percent[32];
    std::snprintf(percent, sizeof percent, "%6.1f %%", 100 * static_cast<double>(parts[i]));
    std::string drawn = std::isnan(parts[i]) ? "" : bar(parts[i]);
    os << "  " << name(i) << std::string(widest - length(name(i)), ' ') << percent
       << (drawn.empty() ? "" : "  ") << drawn << "\n";
  }
}

}  // namespace

std::vector<std::string> parse_labels(const std::string& text, const std::string& file) {
  std::vector<std::string> names;
  size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string::npos && (text[start] == '{' || text[start] == '[')) {
    auto v = nlohmann::json::parse(text, nullptr, false);
    if (v.is_discarded()) raise<FormatError>(file, ": no sound JSON");
    names = json_labels(v, file);
  } else {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      line.erase(line.find_last_not_of(" \t\r") + 1);
      names.push_back(line);
    }
    while (!names.empty() && names.back().empty()) names.pop_back();
  }
  if (names.empty()) raise<FormatError>(file, ": holds no names of classes");
  // Line ends within a name would tear the rows apart.
  for (auto& name : names) {
    name = printable(name);
    std::replace(name.begin(), name.end(), '\n', ' ');
  }
  return names;
}

void print_classes(std::ostream& os, const IValue& answer, const ClassOptions& o,
                   const std::string& labels) {
  Tensor scores = scores_of(answer).cpu().to(kFloat).contiguous();
  if (scores.dim() == 1) scores = scores.unsqueeze(0);
  if (scores.dim() != 2 || scores.size(1) == 0)
    raise<Error>(
        "--top shows scores [classes] or [pictures, classes]; these are of another shape: ",
        scores.sizes());
  int64_t n = scores.size(1);
  std::vector<std::string> names;
  if (!o.labels.empty())
    names = parse_labels(read_text(o.labels), o.labels);
  else if (!labels.empty())
    names = parse_labels(labels, std::string("extra/") + kLabelRecord);
  if (!names.empty() && static_cast<int64_t>(names.size()) != n)
    raise<Error>("there are ", n, " classes, but ", names.size(), " names");
  Tensor parts = scores.softmax(1).contiguous();
  int64_t top = o.top > 0 ? o.top : kUsualTop;
  for (int64_t row = 0; row < scores.size(0); ++row) {
    const float* s = scores.const_data_ptr<float>() + row * n;
    if (scores.size(0) > 1) os << row << ":\n";
    print_row(os, s, are_probabilities(s, n) ? s : parts.const_data_ptr<float>() + row * n, n, top,
              names);
  }
}

}  // namespace sconce::tool
