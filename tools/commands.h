// SPDX-License-Identifier: Apache-2.0
// The subcommands: each adds itself to the parser and returns what runs when it was chosen.
#pragma once
#include <functional>

namespace CLI {
class App;
}
namespace sconce {
struct SaveOptions;
}

namespace sconce::tool {

// Exit codes.
constexpr int kDone = 0, kAnswerIsNo = 1, kUsage = 2, kBadFile = 3;

using Command = std::function<int()>;
Command add_run(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_graph(CLI::App& app);
Command add_verify(CLI::App& app);
Command add_bench(CLI::App& app);
Command add_ops(CLI::App& app);
Command add_devices(CLI::App& app);
Command add_compile(CLI::App& app);
Command add_opt(CLI::App& app);
Command add_check(CLI::App& app);
Command add_scan(CLI::App& app);
Command add_save(CLI::App& app);
// What save and opt have in common. device: of the options, as text.
void add_save_options(CLI::App& c, SaveOptions& o, std::string& device);
// Where a name ends in .pt, opt writes the whole module, put through the pipeline.
bool names_archive(const std::string& path);

}  // namespace sconce::tool
