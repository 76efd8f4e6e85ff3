// SPDX-License-Identifier: Apache-2.0
// The sconce command. Data on stdout, errors on stderr; exit codes: 0 done, 1 the answer is no, 2
// usage, 3 a bad file.
#include <iostream>
#include <new>

#include "commands.h"
#include "sconce/sconce.h"

int main(int argc, char** argv) {
  using namespace sconce::tool;
  CLI::App app{"sconce runs TorchScript archives without LibTorch", "sconce"};
  app.set_version_flag("--version", SCONCE_VERSION);
  app.require_subcommand(1);
  std::vector<std::string> plugins;
  app.add_option("--plugin", plugins, "shared library with operators of your own; may be repeated")
      ->allow_extra_args(false);
  app.fallthrough();
  const std::vector<std::pair<const char*, Command>> commands{
      {"run", add_run(app)},         {"inspect", add_inspect(app)}, {"graph", add_graph(app)},
      {"verify", add_verify(app)},   {"bench", add_bench(app)},     {"ops", add_ops(app)},
      {"compile", add_compile(app)}, {"opt", add_opt(app)},
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kDone : kUsage;
  }
  try {
    for (auto& p : plugins) sconce::load_plugin(p);
    for (auto& c : commands)
      if (app.got_subcommand(c.first)) return c.second();
  } catch (const CLI::Error& e) {
    std::cerr << "sconce: " << e.what() << "\n";
    return kUsage;
  } catch (const sconce::Error& e) {
    std::cerr << "sconce: " << e.what() << "\n";
    return kBadFile;
  } catch (const std::bad_alloc&) {
    std::cerr << "sconce: out of memory\n";
    return kBadFile;
  } catch (const std::exception& e) {
    std::cerr << "sconce: " << e.what() << "\n";
    return kBadFile;
  }
  return kUsage;
}
