// SPDX-License-Identifier: Apache-2.0
// The sconce command. Data on stdout, errors on stderr; the exit codes stand in kExitCodes.
#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>
#include <numeric>

#include "commands.h"
#include "limit_options.h"
#include "sconce/sconce.h"
#include "text.h"
#include "usage.h"

namespace {

using namespace sconce::tool;

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0  done; verify: every case passed and at least one ran; run --io: the same answer\n"
    "  1  the answer is no: verify: a case failed or none ran; run --io: another answer\n"
    "  2  wrong usage: an unknown command or option, an --input that can't be understood\n"
    "  3  a file that is missing or bad, a model that raises, lacks an operator or refuses its "
    "inputs\n"
    "Answers go to stdout, errors to stderr. sconce COMMAND --help shows a command's options.";

// Changes of a letter between a and b.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t corner = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t change = corner + (a[i] != b[j]);
      corner = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// "; did you mean X?", or nothing when no name is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  std::string nearest;
  size_t least = std::max<size_t>(2, word.size() / 2) + 1;
  for (auto& name : names) {
    size_t d = distance(word, name);
    bool starts = !word.empty() && name.compare(0, word.size(), word) == 0;
    if (starts) d = 0;
    if (d < least) least = d, nearest = name;
  }
  return nearest.empty() ? "" : "; did you mean " + nearest + "?";
}

// The first word that should have been a command.
std::string command_word(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "--plugin" || (word.rfind("--max-", 0) == 0 && word.find('=') == std::string::npos))
      ++i;
    else if (word.empty() || word[0] != '-')
      return word;
  }
  return "";
}

int usage(const std::string& who, const std::string& what) {
  std::cerr << who << ": " << printable(what) << "\nsee " << who << " --help\n";
  return kUsage;
}

int usage_error(const CLI::App& app, const CLI::ParseError& e, int argc, char** argv) {
  auto chosen = app.get_subcommands();
  if (chosen.empty()) {
    std::vector<std::string> names;
    for (auto* s : app.get_subcommands(nullptr)) names.push_back(s->get_name());
    std::string word = command_word(argc, argv);
    if (!word.empty())
      return usage("sconce", "there is no command '" + word + "'" + suggestion(word, names));
    if (dynamic_cast<const CLI::RequiredError*>(&e)) return usage("sconce", "a command is wanted");
    return usage("sconce", e.what());
  }
  const CLI::App& command = *chosen[0];
  std::string who = "sconce " + command.get_name();
  if (dynamic_cast<const CLI::ExtrasError*>(&e)) {
    std::vector<std::string> names;
    auto collect = [&](const CLI::App& a) {
      for (const CLI::Option* option : a.get_options())
        for (auto& name : option->get_lnames()) names.push_back("--" + name);
    };
    collect(app);
    collect(command);
    for (auto* group : command.get_subcommands(nullptr)) collect(*group);
    for (auto& word : app.remaining(true))
      return usage(
          who, "'" + word + "' is not expected" + (word[0] == '-' ? suggestion(word, names) : ""));
  }
  return usage(who, e.what());
}

int run_command(int argc, char** argv, LimitOptions& limits) {
  CLI::App app{"sconce runs TorchScript archives without LibTorch", "sconce"};
  app.set_version_flag("--version", "sconce " SCONCE_VERSION);
  app.require_subcommand(1);
  app.footer(kExitCodes);
  std::vector<std::string> plugins;
  app.add_option("--plugin", plugins, "shared library with operators of your own; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add_limit_options(app, limits);
  app.fallthrough();
  const std::vector<std::pair<const char*, Command>> commands{
      {"run", add_run(app)},         {"inspect", add_inspect(app)}, {"graph", add_graph(app)},
      {"verify", add_verify(app)},   {"bench", add_bench(app)},     {"ops", add_ops(app)},
      {"compile", add_compile(app)}, {"opt", add_opt(app)},         {"devices", add_devices(app)},
      {"scan", add_scan(app)},       {"save", add_save(app)},       {"check", add_check(app)},
  };
  for (CLI::App* command : app.get_subcommands(nullptr))
    command->footer(command->get_footer() + kLimitHelp);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return usage_error(app, e, argc, argv);
    app.exit(e);  // --help, --version
    return kDone;
  }
  for (auto& c : commands) {
    if (!app.got_subcommand(c.first)) continue;
    try {
      for (auto& p : plugins) sconce::load_plugin(p);
      LimitScope scope(limits);
      return c.second();
    } catch (const UsageError& e) {
      return usage(std::string("sconce ") + c.first, e.what());
    } catch (const CLI::Error& e) {
      return usage(std::string("sconce ") + c.first, e.what());
    }
  }
  return kUsage;
}

// Files that are only looked at are mapped.
void file_was_cut(int) {
  constexpr char kText[] =
      "sconce: a file was cut, or can't be read any more, while it was in use\n";
  if (write(STDERR_FILENO, kText, sizeof kText - 1) < 0) _exit(kBadFile);
  _exit(kBadFile);
}

}  // namespace

int main(int argc, char** argv) {
  // Whoever reads the output may stop at any time, e.g. head: no error, no message.
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGBUS, file_was_cut);
  int code = kBadFile;
  LimitOptions limits;
  try {
    code = run_command(argc, argv, limits);
  } catch (const std::bad_alloc&) {
    if (limits.megabytes)
      std::cerr << "sconce: the limit of " << limits.megabytes << " MB of memory is reached\n";
    else
      std::cerr << "sconce: out of memory\n";
  } catch (const std::exception& e) {
    std::cerr << "sconce: " << printable(e.what()) << "\n";
  }
  std::cout.flush();
  if (!std::cout && code != kBadFile) {
    std::cerr << "sconce: the output can't be written\n";
    return kBadFile;
  }
  return code;
}
