# SPDX-License-Identifier: Apache-2.0
"""A program in C that loads a fixture with the package and runs it."""
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, cmake_layout


class SconceTest(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeToolchain", "CMakeDeps", "VirtualRunEnv"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        if can_run(self):
            model = os.path.join(self.recipe_folder, "..", "..", "..", "fixtures", "small_cnn.pt")
            self.run(f'"{os.path.join(self.cpp.build.bindir, "classify")}" "{model}"', env="conanrun")
