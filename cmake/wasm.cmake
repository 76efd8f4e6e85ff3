# SPDX-License-Identifier: Apache-2.0
# WebAssembly by Emscripten (docs/webassembly.md): one thread, exceptions and vectors of WebAssembly's own.
set(SCONCE_FASTEST -O2)  # beyond it code grows and downloads take longer
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
add_compile_options(-fwasm-exceptions -msimd128 -mnontrapping-fptoint)
add_link_options(-fwasm-exceptions)
