// SPDX-License-Identifier: Apache-2.0
// The opcodes of Python's pickles, protocols 0 to 5: what follows each, and who reads it.
#pragma once
#include <cstdint>

namespace sconce::tool {

enum class PickleArgument : uint8_t {
  None,
  Byte,      // 1 byte
  Two,       // 2 bytes
  Four,      // 4 bytes
  Eight,     // 8 bytes
  Line,      // to the end of the line
  TwoLines,  // GLOBAL, INST
  Counted1,  // a count of 1 byte, then as many
  Counted4,  // of 4 bytes
  Counted8   // of 8 bytes
};

struct PickleOpcode {
  uint8_t code;
  const char* name;
  PickleArgument argument;
  bool script;      // the dialect of TorchScript archives has it
  bool torch_save;  // load_pickle() reads it
};

inline constexpr PickleOpcode kPickleOpcodes[] = {
    // clang-format off
    {0x80, "PROTO",            PickleArgument::Byte,     true,  true},
    {'.',  "STOP",             PickleArgument::None,     true,  true},
    {'c',  "GLOBAL",           PickleArgument::TwoLines, true,  true},
    {')',  "EMPTY_TUPLE",      PickleArgument::None,     true,  true},
    {'t',  "TUPLE",            PickleArgument::None,     true,  true},
    {0x85, "TUPLE1",           PickleArgument::None,     true,  true},
    {0x86, "TUPLE2",           PickleArgument::None,     true,  true},
    {0x87, "TUPLE3",           PickleArgument::None,     true,  true},
    {']',  "EMPTY_LIST",       PickleArgument::None,     true,  true},
    {'e',  "APPENDS",          PickleArgument::None,     true,  true},
    {'a',  "APPEND",           PickleArgument::None,     true,  true},
    {'l',  "LIST",             PickleArgument::None,     true,  true},
    {'}',  "EMPTY_DICT",       PickleArgument::None,     true,  true},
    {'u',  "SETITEMS",         PickleArgument::None,     true,  true},
    {'s',  "SETITEM",          PickleArgument::None,     true,  true},
    {'d',  "DICT",             PickleArgument::None,     true,  true},
    {'(',  "MARK",             PickleArgument::None,     true,  true},
    {0x81, "NEWOBJ",           PickleArgument::None,     true,  true},
    {'b',  "BUILD",            PickleArgument::None,     true,  true},
    {'R',  "REDUCE",           PickleArgument::None,     true,  true},
    {'Q',  "BINPERSID",        PickleArgument::None,     true,  true},
    {'N',  "NONE",             PickleArgument::None,     true,  true},
    {0x88, "NEWTRUE",          PickleArgument::None,     true,  true},
    {0x89, "NEWFALSE",         PickleArgument::None,     true,  true},
    {'K',  "BININT1",          PickleArgument::Byte,     true,  true},
    {'M',  "BININT2",          PickleArgument::Two,      true,  true},
    {'J',  "BININT",           PickleArgument::Four,     true,  true},
    {0x8a, "LONG1",            PickleArgument::Counted1, true,  true},
    {'G',  "BINFLOAT",         PickleArgument::Eight,    true,  true},
    {'X',  "BINUNICODE",       PickleArgument::Counted4, true,  true},
    {0x8d, "BINUNICODE8",      PickleArgument::Counted8, true,  true},
    {'q',  "BINPUT",           PickleArgument::Byte,     true,  true},
    {'r',  "LONG_BINPUT",      PickleArgument::Four,     true,  true},
    {'h',  "BINGET",           PickleArgument::Byte,     true,  true},
    {'j',  "LONG_BINGET",      PickleArgument::Four,     true,  true},
    {0x8c, "SHORT_BINUNICODE", PickleArgument::Counted1, false, true},
    {'U',  "SHORT_BINSTRING",  PickleArgument::Counted1, false, true},
    {'T',  "BINSTRING",        PickleArgument::Counted4, false, true},
    {'C',  "SHORT_BINBYTES",   PickleArgument::Counted1, false, true},
    {'B',  "BINBYTES",         PickleArgument::Counted4, false, true},
    {0x8e, "BINBYTES8",        PickleArgument::Counted8, false, true},
    {0x96, "BYTEARRAY8",       PickleArgument::Counted8, false, true},
    {0x8b, "LONG4",            PickleArgument::Counted4, false, true},
    {0x8f, "EMPTY_SET",        PickleArgument::None,     false, true},
    {0x90, "ADDITEMS",         PickleArgument::None,     false, true},
    {0x91, "FROZENSET",        PickleArgument::None,     false, true},
    {0x93, "STACK_GLOBAL",     PickleArgument::None,     false, true},
    {0x94, "MEMOIZE",          PickleArgument::None,     false, true},
    {0x95, "FRAME",            PickleArgument::Eight,    false, true},
    {'0',  "POP",              PickleArgument::None,     false, false},
    {'1',  "POP_MARK",         PickleArgument::None,     false, false},
    {'2',  "DUP",              PickleArgument::None,     false, false},
    {'F',  "FLOAT",            PickleArgument::Line,     false, false},
    {'I',  "INT",              PickleArgument::Line,     false, false},
    {'L',  "LONG",             PickleArgument::Line,     false, false},
    {'P',  "PERSID",           PickleArgument::Line,     false, false},
    {'S',  "STRING",           PickleArgument::Line,     false, false},
    {'V',  "UNICODE",          PickleArgument::Line,     false, false},
    {'g',  "GET",              PickleArgument::Line,     false, false},
    {'p',  "PUT",              PickleArgument::Line,     false, false},
    {'i',  "INST",             PickleArgument::TwoLines, false, false},
    {'o',  "OBJ",              PickleArgument::None,     false, false},
    {0x82, "EXT1",             PickleArgument::Byte,     false, false},
    {0x83, "EXT2",             PickleArgument::Two,      false, false},
    {0x84, "EXT4",             PickleArgument::Four,     false, false},
    {0x92, "NEWOBJ_EX",        PickleArgument::None,     false, false},
    {0x97, "NEXT_BUFFER",      PickleArgument::None,     false, false},
    {0x98, "READONLY_BUFFER",  PickleArgument::None,     false, false},
    // clang-format on
};

inline const PickleOpcode* find_pickle_opcode(uint8_t code) {
  for (auto& o : kPickleOpcodes)
    if (o.code == code) return &o;
  return nullptr;
}

}  // namespace sconce::tool
