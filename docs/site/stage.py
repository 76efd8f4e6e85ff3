#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lays out the pages that MkDocs makes the site of: docs/*.md, README and its like, pages of examples, and references made of headers.

usage: stage.py ROOT OUT      OUT is made anew; OUT/../site_mkdocs.yml is the configuration with the C++ pages named

Pages are written for people who read them in the repository. Here links between them follow them to their new places, links
to other files of the repository become the files' names, and what Python-Markdown wants otherwise than CommonMark is set
right: an empty line in front of a list, four columns within one.
"""
import os
import pathlib
import re
import shutil
import sys

import references

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
ITEM = re.compile(r"( *)([-*]|\d+\.) +")


def places(root):
    """Where each page of the repository is in the site."""
    of = {p: pathlib.PurePath(p.name) for p in (root / "docs").glob("*.md")}
    of[root / "docs" / "start.md"] = pathlib.PurePath("index.md")
    of[root / "README.md"] = pathlib.PurePath("readme-page.md")
    of[root / "CONTRIBUTING.md"] = pathlib.PurePath("contributing.md")
    of[root / "CHANGELOG.md"] = pathlib.PurePath("changelog.md")
    of[root / "examples" / "README.md"] = pathlib.PurePath("examples.md")
    for p in (root / "examples").glob("*/README.md"):
        of[p] = pathlib.PurePath("examples") / f"{p.parent.name}.md"
    return of


def title_of(page):
    return next(line[2:].strip() for line in page.read_text().splitlines() if line.startswith("# "))


def by_letters(text):
    """The long table of operators as one for each first letter, so that the search and the contents lead to a part of it."""
    lines, out, letter = text.split("\n"), [], None
    at = next(i for i, line in enumerate(lines) if line.startswith("| operator |"))
    head = lines[at:at + 2]
    for line in lines[at + 2:]:
        m = re.match(r"\| \\?(\w)", line)
        now = letter if not m else m[1] if not m[1].isupper() else "Capital letters"
        if now != letter:
            letter = now
            title = r"\_" if letter == "_" else letter
            out += ["", f"## {title}", "", *head]
        # A narrow window may break a name where its words end.
        out.append(re.sub(r"^\| (\S+) ", lambda m: "| " + re.sub(r"(?<=\w)(?=\.)|(?<=_)(?=[a-z])", "<wbr>", m[1]) + " ", line))
    return "\n".join(lines[:at] + out)


class Page:
    def __init__(self, root, out, of, source):
        self.root, self.out, self.of, self.source, self.place = root, out, of, source, of[source]

    def link(self, picture, text, to):
        path, hash_, anchor = to.partition("#")
        if not path or "://" in path:
            return f"{picture}[{text}]({to})"
        target = pathlib.Path(os.path.normpath(self.source.parent / path))
        if not target.exists():
            raise SystemExit(f"{self.source.relative_to(self.root)}: there is no {to}")
        page = target / "README.md" if target.is_dir() else target
        if page in self.of:
            if text.strip("`") in (path, target.name):
                text = title_of(page)
            return f"{picture}[{text}]({os.path.relpath(self.of[page], self.place.parent)}{hash_}{anchor})"
        if picture:
            shutil.copy(target, self.out / target.name)
            return f"![{text}]({os.path.relpath(target.name, self.place.parent)})"
        name = str(target.relative_to(self.root))
        return f"`{name}`" if text.strip("`") in (name, target.name, path) else f"{text} (`{name}`)"

    def links(self, line):
        """Code may stand in a link's text, but what looks like a link in code is none."""
        code = []

        def put_away(m):
            code.append(m[0])
            return f"\0{len(code) - 1}\0"

        def put_back(text):
            return re.sub("\0(\\d+)\0", lambda m: code[int(m[1])], text)

        line = re.sub(r"`+[^`]*`+", put_away, line)
        return put_back(LINK.sub(lambda m: self.link(m[1], put_back(m[2]), m[3]), line))

    def written(self):
        lines, prose, fence, within, last = [], [], False, False, ""

        def end_of_paragraph():  # code and links may go from one line to the next
            if prose:
                lines.append(self.links("\n".join(prose)))
                prose.clear()

        for line in self.source.read_text().split("\n"):
            code = False
            if line.lstrip().startswith("```"):
                end_of_paragraph()
                fence = not fence
            elif not fence:
                code = line.startswith("    ") and not within
                item = None if code else ITEM.match(line)
                if item:
                    end_of_paragraph()
                    if last and not within:
                        lines.append("")
                    within = True
                    line = " " * (4 * ((len(item[1]) + 1) // 2)) + line.lstrip()
                elif line and not line.startswith(" ") and (not last or line.startswith("#")):
                    within = False
            if fence or code or not line:
                end_of_paragraph()
                lines.append(line)
            else:
                prose.append(line)
            last = line
        end_of_paragraph()
        return "\n".join(lines)


def main():
    root, out = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    of = places(root)
    for source, place in of.items():
        (out / place).parent.mkdir(exist_ok=True)
        text = Page(root, out, of, source).written()
        (out / place).write_text(by_letters(text) if source.name == "operator-table.md" else text)
    for name in ("style.css", "favicon.svg"):
        shutil.copy(root / "docs" / "site" / name, out / name)
    pages = references.write(root, out / "reference")
    config = (root / "docs" / "site" / "mkdocs.yml").read_text()
    config = config.replace("../../build/site_pages", str(out)).replace("../../build/site", str(out.parent / "site"))
    config = config.replace("REFERENCE_CPP", "[" + ", ".join(f"reference/{p}" for p in pages) + "]")
    config = config.replace("EXAMPLES", "[" + ", ".join(sorted(str(p) for p in of.values() if p.parts[0] == "examples")) + "]")
    others = sorted(str(p) for p in of.values() if str(p) not in config)
    config = re.sub(r" +- OTHERS.*\n", "".join(f"      - {p}\n" for p in others), config)
    (out.parent / "site_mkdocs.yml").write_text(config)


if __name__ == "__main__":
    main()
