// SPDX-License-Identifier: Apache-2.0
// sconce scan: what a file contains and what is odd about it, found without running any of it.
// scan_zip looks at the container, scan_pickle at opcodes and globals, scan_code at sources, and
// the loader, told to run nothing, says what it would refuse. Entry: scan_bytes().
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/platform.h"

namespace sconce::tool {

struct Finding {
  std::string rule;     // a name of kScanRules or kScanNotes
  std::string place;    // record, perhaps with line or byte; may be empty
  std::string message;  // a sentence
};

struct ScanRule {
  const char *name, *text;
};
extern const std::vector<ScanRule> kScanRules, kScanNotes;

struct ScannedClass {
  std::string name, kind;  // kind: "Module", "class", "NamedTuple", "Enum", "Interface"
  std::string place;
  std::vector<std::string> methods, hooks;
};

// What stands in the directory of a zip file.
struct ZipRecord {
  std::string name;
  uint64_t header = 0, payload = 0, compressed = 0, size = 0;
  uint32_t crc = 0, attributes = 0;
  uint16_t method = 0, flags = 0;
  bool readable = false;  // its payload lies in the file
};

struct ScanReport {
  std::string file, kind;
  std::string unreadable;  // why nothing can be said of it; then there is no more
  uint64_t bytes = 0, tensors = 0, tensor_bytes = 0;
  std::vector<ZipRecord> records;
  std::vector<ScannedClass> classes;
  std::vector<std::string> functions;
  std::map<std::string, int64_t> operators;              // calls of each
  std::set<std::string> unknown;                         // those of operators that sconce lacks
  std::map<std::string, std::set<std::string>> globals;  // of pickles: name -> records
  std::vector<std::string> at_load;                      // code of the file that load() would run
  std::vector<Finding> findings;
  std::vector<Finding> notes;  // what a file may well have, but this build of sconce lacks

  void note(const char* rule, const std::string& place, const std::string& message) {
    notes.push_back({rule, place, message});
  }
  void find(const char* rule, const std::string& place, const std::string& message) {
    findings.push_back({rule, place, message});
  }
};

// name stands in the report. Never throws for what the bytes hold.
ScanReport scan_bytes(const Bytes& bytes, const std::string& name);

// The parts.
enum class PickleKind { Script, TorchSave, Other };
void scan_zip(const Bytes& bytes, ScanReport& report);
// The record's bytes, inflated; nothing when they can't be had (scan_zip told why).
bool record_bytes(const Bytes& file, const ZipRecord& record, std::string& out);
// One pickle at the front of text; bytes after it are a finding unless more may follow. The size of
// the pickle, 0 when it is broken.
size_t scan_pickle(const std::string& text, const std::string& place, PickleKind kind,
                   bool more_follows, ScanReport& report);
// A source file of an archive; qualifier: "__torch__.a.b". methods: bare functions with self.
void scan_code(const std::string& text, const std::string& place, const std::string& qualifier,
               bool methods, ScanReport& report);
// Globals of script pickles against classes, and what code would run at load, once all records have
// been looked at.
void scan_links(ScanReport& report);

// The report's forms.
std::string scan_text(const ScanReport& report);
std::string scan_json(const std::vector<ScanReport>& reports);
std::string scan_sarif(const std::vector<ScanReport>& reports);

}  // namespace sconce::tool
