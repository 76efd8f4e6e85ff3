# SPDX-License-Identifier: Apache-2.0
# embed_files(HEADER NAMESPACE FILE...): writes a header with the text of each file, `graph_js` for graph.js, and
# `graph_js_hash`, what a Content-Security-Policy calls it: "sha256-...". Configuring again when a file changes is included.
function(embed_files header namespace)
  set(text "// Made by cmake/embed.cmake.\n#pragma once\n\nnamespace ${namespace} {\n")
  foreach(file IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    get_filename_component(name "${file}" NAME)
    string(REPLACE "." "_" name "${name}")
    file(READ "${file}" content)
    file(SHA256 "${file}" hash)
    base64_of_hex("${hash}" hash)
    string(APPEND text "inline constexpr char ${name}[] = R\"embedded(${content})embedded\";\n"
      "inline constexpr char ${name}_hash[] = \"sha256-${hash}\";\n")
  endforeach()
  string(APPEND text "}  // namespace ${namespace}\n")
  file(WRITE "${header}.new" "${text}")
  configure_file("${header}.new" "${header}" COPYONLY)  # written only when it differs
endfunction()

# A hash of 32 bytes.
function(base64_of_hex hex result)
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(out "")
  foreach(at RANGE 0 60 6)  # three bytes are four digits; one byte is missing at the end
    string(SUBSTRING "${hex}00" ${at} 6 three)
    math(EXPR bits "0x${three}")
    foreach(shift 18 12 6 0)
      math(EXPR digit "(${bits} >> ${shift}) & 63")
      string(SUBSTRING "${digits}" ${digit} 1 digit)
      string(APPEND out "${digit}")
    endforeach()
  endforeach()
  string(SUBSTRING "${out}" 0 43 out)
  set(${result} "${out}=" PARENT_SCOPE)
endfunction()
