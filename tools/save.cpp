// SPDX-License-Identifier: Apache-2.0
// sconce save: reads an archive and writes it again.
#include <CLI/CLI.hpp>
#include <iostream>

#include "commands.h"
#include "sconce/sconce.h"

namespace sconce::tool {

namespace {
struct SaveCommandOptions {
  std::string in, out, device;
  SaveOptions save;
};

int save(SaveCommandOptions& o) {
  if (!o.device.empty()) o.save.device = Device::parse(o.device);
  load(o.in).save(o.out, o.save);
  return kDone;
}
}  // namespace

bool names_archive(const std::string& path) {
  return path.size() > 3 && path.compare(path.size() - 3, 3, ".pt") == 0;
}

Command add_save(CLI::App& app) {
  auto o = std::make_shared<SaveCommandOptions>();
  auto* c = app.add_subcommand("save", "read an archive and write it again");
  c->add_option("model", o->in, "archive")->required();
  c->add_option("out", o->out, "file to write")->required();
  add_save_options(*c, o->save, o->device);
  c->footer("Example:\n  sconce save model.pt smaller.pt --strip-debug --dedupe");
  return [o] { return save(*o); };
}

void add_save_options(CLI::App& c, SaveOptions& o, std::string& device) {
  c.add_flag("--strip-debug", o.strip_debug, "without the lines of the original Python");
  c.add_flag("--dedupe", o.dedupe, "tensors with the same bytes are in the file once");
  c.add_option("--device", device, "where tensors are, and devices in the code, e.g. cpu");
  c.add_option("--file-version", o.file_version, "version that the file claims")
      ->check(CLI::Range(1, 1000));
}

}  // namespace sconce::tool
