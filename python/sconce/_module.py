# SPDX-License-Identifier: Apache-2.0
"""Methods of Module that are written in Python."""
import os

from . import _reload


def save(m, path=None, *, extra_files=None, strip_debug=False, dedupe=False, device=None):
    if extra_files is not None:
        extra_files = {k: v.encode() if isinstance(v, str) else bytes(v) for k, v in extra_files.items()}
    return m._save(None if path is None else os.fspath(path), extra_files, strip_debug, dedupe, device)


def graph_for(m, method="forward", *, inlined=False, passes=""):
    from .passes import Graph
    if inlined and passes:
        passes, inlined = "inline," + passes, False
    return Graph(m._graph_text(method, inlined, passes))


def reduce(m):
    recipe = m._recipe
    if recipe is None or recipe[0] is None:
        # A module that was changed, or came of another or of bytes, is its archive.
        recipe = m.save(), dict(m._last_recipe[1], map_file=False, read_all=False), False
    source, options, is_text = recipe
    if isinstance(source, str) and not is_text:
        source = os.path.abspath(source)
    return _reload, (source, options, is_text)
