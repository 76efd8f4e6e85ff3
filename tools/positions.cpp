// SPDX-License-Identifier: Apache-2.0
#include "positions.h"

namespace sconce::tool {

namespace {
bool absolute(const std::string& path) {
  return (!path.empty() && path[0] == '/') ||
         (path.size() > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/'));
}
std::string last_part(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string::npos ? path : path.substr(slash + 1);
}
// "./././../net.py" is "net.py".
std::string below_here(const std::string& path) {
  size_t at = 0;
  for (;;)
    if (path.compare(at, 2, "./") == 0)
      at += 2;
    else if (path.compare(at, 3, "../") == 0)
      at += 3;
    else
      return path.substr(at);
}
// "folder/model.pt:code/__torch__.py" without the folder; other names unchanged.
std::string without_archive_folder(const std::string& name) {
  const size_t record = name.rfind(":code/");
  return record == std::string::npos ? name
                                     : last_part(name.substr(0, record)) + name.substr(record);
}
}  // namespace

std::string without_folders(const std::string& path) {
  if (path.find(":code/") != std::string::npos) return without_archive_folder(path);
  if (!absolute(path)) return below_here(path);
  for (const char* packages : {"site-packages", "dist-packages"})
    if (const size_t at = path.rfind(packages); at != std::string::npos && at + 14 < path.size())
      return path.substr(at + 14);
  return last_part(path);
}

std::string short_position(const SourceRange& r) {
  if (!r.source) return "";
  const std::string whole = r.source->position(r.start);
  // The two numbers hold no slash: they stay with the last part.
  return without_folders(whole);
}

std::string graph_text(const Graph& g) {
  std::vector<std::pair<const Node*, size_t>> lines;
  const std::string text = print_graph(g, true, lines);
  std::string out;
  size_t done = 0;
  for (auto& [n, begin] : lines) {
    const SourceRange& r = n->range;
    if (!r.source) continue;
    const OriginalRange* o = r.source->find_original(r.start);
    if (o && !o->file_name().empty()) continue;  // the saver's own file, as PyTorch has it
    const std::string comment = " # " + r.source->position(r.start);
    const size_t at = text.find(comment + "\n", begin);
    if (at == std::string::npos) continue;
    out.append(text, done, at - done);
    out += " # " + without_archive_folder(comment.substr(3));
    done = at + comment.size();
  }
  return out.append(text, done);
}

}  // namespace sconce::tool
