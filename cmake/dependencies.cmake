# SPDX-License-Identifier: Apache-2.0
# For another platform than this machine's: what sconce needs is compiled or copied from SCONCE_DEPENDENCIES (scripts/portable_dependencies).
set(zlib ${SCONCE_DEPENDENCIES}/zlib)
if(NOT EXISTS ${zlib}/inflate.c OR NOT EXISTS ${SCONCE_DEPENDENCIES}/include/CLI)
  message(FATAL_ERROR "${SCONCE_DEPENDENCIES} isn't filled: run scripts/portable_dependencies")
endif()
add_library(sconce_zlib STATIC EXCLUDE_FROM_ALL ${zlib}/adler32.c ${zlib}/crc32.c ${zlib}/deflate.c ${zlib}/inffast.c ${zlib}/inflate.c
  ${zlib}/inftrees.c ${zlib}/trees.c ${zlib}/zutil.c)
target_include_directories(sconce_zlib SYSTEM PUBLIC $<BUILD_INTERFACE:${zlib}>)
target_compile_options(sconce_zlib PRIVATE -w)
add_library(ZLIB::ZLIB ALIAS sconce_zlib)
# Headers alone.
add_library(CLI11::CLI11 INTERFACE IMPORTED GLOBAL)
add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED GLOBAL)
foreach(headers CLI11::CLI11 nlohmann_json::nlohmann_json)
  target_include_directories(${headers} SYSTEM INTERFACE ${SCONCE_DEPENDENCIES}/include)
endforeach()
