# SPDX-License-Identifier: Apache-2.0
# What is installed, as three packages: the shared library, what programs are built with, the command.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/sconce)

install(TARGETS sconce_shared EXPORT sconce-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
# Of its own: who links the shared library needs no zlib to build with.
install(TARGETS sconce_static EXPORT sconce-static-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
set(left_out)
if(NOT SCONCE_TORCH_HEADER)
  set(left_out REGEX "/(torch|torch\\.h|libtorch\\.h)$" EXCLUDE)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/sconce DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development ${left_out})
foreach(targets sconce-targets sconce-static-targets)
  install(EXPORT ${targets} NAMESPACE sconce:: DESTINATION ${package_folder} COMPONENT development)
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sconce-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/sconce-config.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/sconce-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sconce-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/sconce-config-version.cmake
  DESTINATION ${package_folder} COMPONENT development)

if(SCONCE_TORCH_HEADER)
  include(${PROJECT_SOURCE_DIR}/cmake/libtorch_shim.cmake)
endif()

# Relocatable: the prefix is found from where the file lies.
file(RELATIVE_PATH SCONCE_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/sconce.pc.in ${CMAKE_CURRENT_BINARY_DIR}/sconce.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sconce.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
if(TARGET sconce)
  install(TARGETS sconce RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()
if(TARGET sconce_cuda)
  install(TARGETS sconce_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cuda)
endif()

# cpack -G DEB makes the Debian packages.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sconce)
set(CPACK_PACKAGE_CONTACT "The sconce developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "TorchScript runtime without LibTorch and without Python")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development tools)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libsconce0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS libopenblas0)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsconce-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libsconce0 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME sconce)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
include(CPack)
