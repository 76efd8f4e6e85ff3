# SPDX-License-Identifier: Apache-2.0
"""The build backend: scikit-build-core's, but a source distribution holds the library's sources too.

In the repository they lie beside this project, in a source distribution in its folder "library".
"""
import os
import pathlib
import shutil
import tempfile

from scikit_build_core.build import *  # noqa: F401,F403
from scikit_build_core.build import build_sdist as build_sdist_of_folder

LIBRARY = ["CMakeLists.txt", "LICENSE", "cmake", "include", "src"]
VERSION_HEADER = "include/sconce/version.h"


def build_sdist(sdist_directory, config_settings=None):
    here = pathlib.Path.cwd()
    if (here / "library").exists():  # of an unpacked one
        return build_sdist_of_folder(sdist_directory, config_settings)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "sconce"
        shutil.copytree(here, root, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        for name in LIBRARY:
            source, to = here.parent / name, root / "library" / name
            to.parent.mkdir(exist_ok=True)
            shutil.copytree(source, to) if source.is_dir() else shutil.copy(source, to)
        project = (root / "pyproject.toml").read_text()
        assert project.count(f'"../{VERSION_HEADER}"') == 1
        (root / "pyproject.toml").write_text(project.replace(f"../{VERSION_HEADER}", f"library/{VERSION_HEADER}"))
        sdist_directory = os.path.abspath(sdist_directory)
        os.chdir(root)
        try:
            return build_sdist_of_folder(sdist_directory, config_settings)
        finally:
            os.chdir(here)
