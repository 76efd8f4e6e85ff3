// SPDX-License-Identifier: Apache-2.0
// Module::save: ties a module to the writer.
#include <ostream>

#include "api/runtime.h"
#include "support/replaced_file.h"
#include "writer/archive_writer.h"

namespace sconce {

namespace {

class StreamSink final : public ByteSink {
 public:
  explicit StreamSink(std::ostream& out) : out_(out) {}
  void write(const void* data, size_t size) override {
    const char* p = static_cast<const char*>(data);
    while (size) {
      const size_t n = std::min<size_t>(size, size_t{1} << 30);
      if (!out_.write(p, static_cast<std::streamsize>(n)))
        raise<Error>("cannot write the archive: the stream takes no more");
      p += n;
      size -= n;
    }
  }

 private:
  std::ostream& out_;
};

// The name of the file without its ending, as PyTorch names the folder in it.
std::string folder_of(const std::string& path) {
  std::string name = path.substr(path.find_last_of("/\\") + 1);
  name = name.substr(0, name.rfind('.'));
  for (unsigned char c : name)
    if (c < 0x20 || c >= 0x7f) return "archive";
  return name.empty() || name.size() > 255 ? "archive" : name;
}

#ifdef SCONCE_NO_WRITER
void write(ModuleImpl&, const SaveOptions&, const std::string&, ByteSink&) {
  raise<Error>("saving isn't in this build of sconce (SCONCE_WRITER=OFF)");
}
#else
void write(ModuleImpl& m, const SaveOptions& options, const std::string& folder, ByteSink& out) {
  CallScope scope(m);
  std::lock_guard<std::recursive_mutex> lock(m.archive.cu->mutex());
  writer::ArchiveContents c;
  c.root = IValue(m.object);
  if (m.archive.compiled)
    for (auto& f : m.archive.cu->functions())
      if (!f->self) c.functions.push_back(f.get());
  c.ops = &op_table();
  c.run = [&m](Function& f, std::vector<IValue> in) {
    return run_plan(*m.plan_of(f), std::move(in), m.engine).at(0);
  };
  c.folder = folder;
  c.device = options.device ? options.device : m.device;
  // Where only this machine lacks the device, the file says what it said.
  if (!options.device && m.stands_in) {
    c.device.reset();
    c.saved_on = m.archive.saved_on;
  }
  c.strip_debug = options.strip_debug;
  c.dedupe = options.dedupe;
  if (options.file_version < 0)
    raise<Error>("file version ", options.file_version, " can't be written");
  c.version = static_cast<uint64_t>(options.file_version);
  c.extra_files.insert(options.extra_files.begin(), options.extra_files.end());
  writer::write_archive(c, out);
}
#endif

}  // namespace

void Module::save(const std::string& path, const SaveOptions& options) const {
  ReplacedFile file(path);
  write(*impl_.operator->(), options, folder_of(path), file);
  file.commit();
}

void Module::save(std::ostream& out, const SaveOptions& options) const {
  StreamSink sink(out);
  write(*impl_.operator->(), options, "archive", sink);
  if (!out.flush()) raise<Error>("cannot write the archive: the stream takes no more");
}

}  // namespace sconce
