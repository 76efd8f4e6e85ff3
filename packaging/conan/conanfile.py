# SPDX-License-Identifier: Apache-2.0
"""sconce for conan 2, from the sources around this file: conan create packaging/conan

zlib is the system's. scripts/check_packages conan runs it.
"""
import os

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load
from conan.tools.system.package_manager import Apt, Dnf, PacMan, Zypper


class Sconce(ConanFile):
    name = "sconce"
    license = "Apache-2.0"
    description = "TorchScript runtime without LibTorch and without Python"
    package_type = "shared-library"
    settings = "os", "arch", "compiler", "build_type"
    # operators_from: archives, or lists of operators, that a reduced build has to run, by their whole paths, with semicolons between.
    options = {"operators_from": ["", "ANY"], "instruction_sets": ["", "ANY"]}
    default_options = {"operators_from": "", "instruction_sets": ""}

    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        project = load(self, os.path.join(self._root(), "CMakeLists.txt"))
        self.version = project.split("project(sconce VERSION ")[1].split()[0]

    def export_sources(self):
        for part in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "tools/*", "bench/kernels.cpp"):
            copy(self, part, self._root(), self.export_sources_folder)

    def system_requirements(self):
        Apt(self).install(["zlib1g-dev"])
        Dnf(self).install(["zlib-devel"])
        PacMan(self).install(["zlib"])
        Zypper(self).install(["zlib-devel"])

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["SCONCE_BUILD_TESTS"] = False
        toolchain.cache_variables["SCONCE_BUILD_TOOLS"] = False
        if self.options.operators_from:
            toolchain.cache_variables["SCONCE_OPERATORS_FROM"] = str(self.options.operators_from)
        if self.options.instruction_sets:
            toolchain.cache_variables["SCONCE_INSTRUCTION_SETS"] = str(self.options.instruction_sets)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # The package's own sconce-config.cmake and sconce.pc are found.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs.append(os.path.join("lib", "cmake", "sconce"))
        self.cpp_info.libs = ["sconce"]
