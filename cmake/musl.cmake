# SPDX-License-Identifier: Apache-2.0
# A toolchain: one static program for every x86-64 Linux, by the clang and the musl of PyPI's ziglang (docs/platforms-musl.md).
# SCONCE_ZIG_PYTHON: a Python that has the package.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(SCONCE_ZIG_PYTHON "${CMAKE_CURRENT_LIST_DIR}/../build/zig/bin/python" CACHE FILEPATH "Python with the package ziglang")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SCONCE_ZIG_PYTHON)
# CMake wants archivers as one file each.
foreach(tool cc c++ ar ranlib)
  set(script ${CMAKE_BINARY_DIR}/zig-${tool})
  if(NOT EXISTS ${script})
    file(WRITE ${script} "#!/bin/sh\nexec '${SCONCE_ZIG_PYTHON}' -m ziglang ${tool} \"$@\"\n")
    file(CHMOD ${script} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
endforeach()
set(CMAKE_C_COMPILER ${CMAKE_BINARY_DIR}/zig-cc)
set(CMAKE_CXX_COMPILER ${CMAKE_BINARY_DIR}/zig-c++)
set(CMAKE_AR ${CMAKE_BINARY_DIR}/zig-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${CMAKE_BINARY_DIR}/zig-ranlib CACHE FILEPATH "")
set(CMAKE_C_COMPILER_TARGET x86_64-linux-musl)
set(CMAKE_CXX_COMPILER_TARGET x86_64-linux-musl)
# musl gives threads 128 KB of stack unless the program asks for more.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,-z,stack-size=8388608")
