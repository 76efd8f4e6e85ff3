# SPDX-License-Identifier: Apache-2.0
"""Pages made of what the code itself says: the C API of the comments of sconce/c.h, C++ of the public headers, Python of the
package's docstrings and stubs. Entry: write()."""
import ast
import re
import textwrap

# In the order in which a reader meets them. Others (array_ref.h, ref.h, ...) are what these are made of.
CPP = ["module.h", "options.h", "limits.h", "error.h", "tensor.h", "ivalue.h", "scalar_type.h", "device.h", "type.h", "save.h", "op.h",
       "ir.h", "pass.h", "pass_text.h", "c.hpp"]


def escaped(text):
    return re.sub(r"([*_<>|\[\]\\])", r"\\\1", text)


def prose(text, known=()):
    """A comment as Markdown: names as code, those that the page explains as links."""
    def name(m):
        word = m[0]
        to = word.removesuffix("()").lower()
        return f"[`{word}`](#{to})" if to in known else f"`{word}`"

    pieces = re.split(r'("[^"\n]*"|\b(?:sconce_|SCONCE_|[a-z]+_)\w+(?:\(\))?|\b\w+(?:::\w+)+(?:\(\))?|\b\w+\(\)|\bNULL\b|(?<!\w)[*_]\w+)', text)
    out = []
    for i, p in enumerate(pieces):
        out.append(escaped(p) if i % 2 == 0 else f"`{p}`" if p.startswith(('"', "*", "_")) else name(re.match(r".*", p)))
    return "".join(out)


def code(text, language):
    return f"```{language}\n{text.strip(chr(10))}\n```\n"


# ---- C ----



def c_page(text):
    text = text.replace("SCONCE_C_API ", "")
    head = re.match(r"/\*.*?\*/", text, re.S)[0]
    lead = re.sub(r"^/\*.*\n|^ \*/|^ \* ?", "", head, flags=re.M)
    body = text[text.index("/* ---- "):text.index("#ifdef __cplusplus\n}")]
    blocks, comment, declaration, within = [], [], [], False
    for line in body.split("\n") + [""]:
        starts = line.startswith("/*")
        if (starts or not line) and not within and (declaration or (comment and "----" in comment[-1])):
            blocks.append((comment, declaration))
            comment, declaration = [], []
        if starts or (comment and not declaration and comment[-1].find("*/") < 0):
            comment.append(line)
        elif line:
            declaration.append(line)
            within = declaration_is_open(declaration)
    blocks = [piece for b in blocks for piece in c_pieces(*b)]
    known = {name.lower() for _, d in blocks for name in c_names(d)}
    missing = set(re.findall(r"\b(sconce_\w+)\(", re.sub(r"/\*.*?\*/", "", body, flags=re.S))) - known
    if missing:
        raise SystemExit(f"the C reference has nothing of {', '.join(sorted(missing))}")
    out = ["# C reference\n", "Made of `include/sconce/c.h` by `docs/site/references.py`; programs that use it: [the example](../examples.md).\n"]
    out += [prose(" ".join(p.split()), known) + "\n" for p in lead.split("\n\n")]
    for comment, declaration in blocks:
        words = " ".join(re.sub(r"^/\*|\*/$|^ \*", "", line).strip() for line in comment).strip()
        title = re.fullmatch(r"-+ (.*?) -+", words)
        if title:
            out.append(f"## {title[1]}\n")
            continue
        names = c_names(declaration)
        if names:
            out.append("### " + ", ".join(f"`{n}`" for n in names[:3]) + (", ..." if len(names) > 3 else "") + f" {{ #{names[0].lower()} }}\n")
            # The other names are places too.
            out += [f'<a id="{n.lower()}"></a>' for n in dict.fromkeys(names[1:]) if n.lower() != names[0].lower()]
        if words:
            out.append("\n" + prose(words, known) + "\n")
        out.append(code("\n".join(declaration), "c"))
    return "\n".join(out)


def c_pieces(comment, declaration):
    """A comment speaks of the function below it; of the next ones too where it names them by their endings ("_trace: ...") or is a type's."""
    ends = [i for i, line in enumerate(declaration) if line.endswith(";")]
    if not comment or len(ends) < 2 or not re.match(r"\w[\w *]*\bsconce_\w+\(", declaration[0]) or re.search(r"(?<!\w)_[a-z]\w*:", " ".join(comment)):
        return [(comment, declaration)]
    return [(comment, declaration[:ends[0] + 1]), ([], declaration[ends[0] + 1:])]


def declaration_is_open(lines):
    text = re.sub(r"/\*.*?\*/", "", "\n".join(lines), flags=re.S)
    return text.count("{") > text.count("}") or text.count("(") > text.count(")") or text.rstrip().endswith("\\")


def c_names(declaration):
    text = re.sub(r"/\*.*?\*/", "", "\n".join(declaration), flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    names = []
    for line in re.split(r";\s*\n?", re.sub(r"\{[^{}]*\}", "{}", text)):
        line = " ".join(line.split())
        macro = re.search(r"#define (SCONCE_\w+)", line)
        pointer = re.search(r"\(\*(sconce_\w+)\)", line)
        function = re.search(r"\b(sconce_\w+)\(", line)
        type_ = re.search(r"\b(\w+)$", line) if line.startswith("typedef") else None
        found = [m for m in (macro, pointer or function or type_) if m]
        names += [m[1] for m in sorted(found, key=lambda m: m.start())]
    if not names and (m := re.search(r"enum \{\s*(SCONCE_\w+)", text)):
        names = [m[1]]
    return names


# ---- C++ ----

def cpp_items(text):
    """Top-level declarations of namespace sconce with the comments in front of them, without what is private or detail."""
    start = re.search(r"^namespace sconce[\w:]* \{", text, re.M).end()
    items, comment, lines, depth = [], [], [], 0
    for line in text[start:].split("\n"):
        bare = re.sub(r'//.*|"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'', "", line)
        if depth == 0 and not lines:
            if line.startswith("}"):
                break
            if line.startswith("//"):
                comment.append(line[2:].removeprefix(" "))
                continue
            if not line.strip() or line.startswith("#"):
                comment = []
                continue
        lines.append(line)
        depth += bare.count("{") - bare.count("}") + bare.count("(") - bare.count(")")
        if depth == 0 and re.search(r"[;}]\s*$", bare):
            first = lines[0]
            if not re.match(r"namespace (detail|prim|\{)|(class|struct|enum class) \w+;$|friend |static_assert", first):
                items.append((comment, public(lines)))
            comment, lines = [], []
    return items


def public(lines):
    """A class without its private part."""
    kept, hidden = [], False
    for line in lines:
        label = re.fullmatch(r" (public|private|protected):", line)
        if label:
            hidden = label[1] != "public"
        if line.startswith("}"):
            hidden = False
        if line.startswith("}") and kept and not kept[-1]:
            kept.pop()
        if not hidden:
            kept.append(re.sub(r"\bSCONCE_API ", "", line))
    return kept


def cpp_name(lines):
    text = " ".join(line.strip() for line in lines)
    text = re.sub(r"^template <.*?> (?=\w|\[)|\[\[\w+\]\] ", "", re.sub(r"^template <.*?> (?=\w|\[)", "", text))
    for pattern in (r"(?:class|struct|enum class|enum)(?: \[\[\w+\]\])? (\w+)", r"using (\w+) =", r"([\w~]+|operator[^\s(]+)\s*\(", r"(\w+)\s*(?:=|\{|;)"):
        if m := re.search(pattern, text):
            return m[1]
    return None


def cpp_page(name, text):
    lead = re.search(r"^// SPDX.*\n((?://.*\n)*)", text)[1]
    lead = " ".join(re.sub(r"^// ?", "", lead, flags=re.M).split())
    out = [f"# sconce/{name}\n", prose(lead) + "\n"]
    last, group = None, []

    def flush():
        if group:
            out.append(code("\n".join(group), "cpp"))
            group.clear()

    for comment, lines in cpp_items(text):
        title = cpp_name(lines)
        if title != last:
            flush()
            out.append(f"## {title}\n".replace("_", r"\_"))
        if comment:
            flush()
            out.append(prose(" ".join(" ".join(comment).split())) + "\n")
        group += lines
        last = title
    flush()
    return "\n".join(out)


# ---- Python ----

def native_docs(sources):
    """Docstrings of classes and methods that are written in C++: {class: (text, {method: text})}."""
    docs = {}
    for text in sources:
        for part in re.split(r"(?=nb::class_<)|(?=\bm\.def\()", text):
            m = re.match(r"nb::class_<\w+>\(\s*m,\s*\"(\w+)\"", part)
            name = m[1] if m else ""
            pieces = re.split(r"(?=\.def(?:_prop_ro|_prop_rw|_rw|_ro|_static)?\()|(?=\bm\.def\()", part)
            own = docs.setdefault(name, ["", {}])
            if name:
                own[0] = last_text(pieces.pop(0))
            for piece in pieces:
                if m := re.match(r"(?:m)?\.def\w*\(\s*\"(\w+)\"", piece):
                    if doc := last_text(piece.split("\n  nb::class_")[0].split("\n}")[0]):
                        own[1][m[1]] = doc
    return docs


def last_text(piece):
    """The text literal that ends a call."""
    m = re.search(r',\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)\s*;?\s*$', piece)
    return "".join(ast.literal_eval(s) for s in re.findall(r'"(?:[^"\\]|\\.)*"', m[1])) if m else ""


def signature(f, prefix=""):
    f = ast.parse(ast.unparse(f)).body[0]
    f.body, f.decorator_list = [ast.Expr(ast.Constant(...))], []
    if f.args.args and f.args.args[0].arg in ("self", "cls"):
        f.args.args.pop(0)
    if f.args.posonlyargs and f.args.posonlyargs[0].arg in ("self", "cls"):
        f.args.posonlyargs.pop(0)
    text = ast.unparse(f).split("\n")[0].removeprefix("def ").removesuffix(":")
    for inner, public_name in (("typing.", ""), ("_os.", "os."), ("_SYS_STDOUT", "..."), ("'_sconce.Module'", "Module")):
        text = text.replace(inner, public_name)
    return prefix + text


def doc_text(text):
    """A docstring as Markdown: what is indented is code, what looks like a dialogue too."""
    out = []
    for p in re.split(r"\n\s*\n", textwrap.dedent(text or "").strip()):
        if p.lstrip().startswith(">>>"):
            out.append(code(textwrap.dedent(p), "pycon"))
        elif p.startswith("    "):
            out.append(code(textwrap.dedent(p), "python"))
        else:
            lines = p.split("\n")
            if sum(1 for line in lines if re.match(r"\w+(, \w+)*: ", line)) > 1:  # parameters
                items = re.split(r"\n(?=\w+(?:, \w+)*: )", p)
                out.append("\n".join(parameter(" ".join(i.split())) for i in items) + "\n")
            else:
                out.append(escaped(" ".join(p.split())).replace("\\`", "`") + "\n")
    return "\n".join(out)


def parameter(text):
    m = re.match(r"(\w+(?:, \w+)*): (.*)", text)
    names = ", ".join(f"`{n}`" for n in m[1].split(", ")) if m else ""
    return f"- {names}: {escaped(m[2])}" if m else escaped(text) + "\n"


def cleaned(node):
    if not isinstance(node, ast.Module):
        return ast.get_docstring(node) or ""
    return ast.get_docstring(node, clean=False) or ""  # indentation is code there


def python_class(name, node, docs, prefix="sconce."):
    about, methods = docs.get(name, ("", {}))
    bases = [ast.unparse(b) for b in node.bases]
    out = [f"### {prefix}{name} {{ #{(prefix + name).replace('.', '-').lower()} }}\n"]
    out.append((doc_text(cleaned(node) or about) or "") + ("" if not bases or bases == ["NamedTuple"] else f"\nOf: {', '.join(f'`{b}`' for b in bases)}.\n"))
    rows, fields = [], []
    for f in node.body:
        if isinstance(f, ast.FunctionDef):
            if (f.name.startswith("_") and f.name not in ("__init__", "__call__", "__array__", "__dlpack__", "__getitem__")) or \
                    any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in f.decorator_list):
                continue
            says = cleaned(f) or methods.get(f.name, "")
            property_ = any(isinstance(d, ast.Name) and d.id == "property" for d in f.decorator_list)
            if property_:
                text = f.name + (f": {ast.unparse(f.returns)}" if f.returns else "")
            else:
                static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in f.decorator_list)
                text = signature(f, f"{name}." if static else "")
            rows.append((text, says))
        elif isinstance(f, ast.AnnAssign):
            fields.append(ast.unparse(f))
    if fields:
        out.append(code("\n".join(fields), "python"))
    silent = []
    for text, says in rows:
        if says and silent:
            out.append(code("\n".join(silent), "python"))
            silent = []
        silent.append(re.sub(r"^__init__(\(.*\)) -> None$|^__init__(\(.*\))$", lambda m: name + (m[1] or m[2]), text))
        if says:
            out.append(code("\n".join(silent), "python") + "\n" + doc_text(says))
            silent = []
    if silent:
        out.append(code("\n".join(silent), "python"))
    return "\n".join(out)


def python_page(folder, sources):
    tree = {p: ast.parse((folder / p).read_text()) for p in
            ("__init__.py", "_errors.py", "_bench.py", "_verify.py", "_values.py", "passes.py", "_sconce.pyi")}
    docs = native_docs(sources)
    names = next(ast.literal_eval(n.value) for n in tree["__init__.py"].body
                 if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__")
    of = {}
    for t in tree.values():
        for n in t.body:
            if isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                of.setdefault(n.name, n)
    out = ["# Python reference\n", "Made of the docstrings and stubs in `python/sconce` by `docs/site/references.py`; how things go together: [Python](../python.md).\n",
           doc_text(cleaned(tree["__init__.py"])), "## Functions\n"]
    errors = [n.name for n in tree["_errors.py"].body if isinstance(n, ast.ClassDef)]
    for name in names:
        n = of.get(name)
        if isinstance(n, ast.FunctionDef):
            says = cleaned(n) or docs.get("", ("", {}))[1].get(name, "")
            out.append(f"### sconce.{name} {{ #sconce-{name} }}\n\n" + code(signature(n, "sconce."), "python") + "\n" + doc_text(says))
    out.append("## Classes\n")
    for name in names:
        n = of.get(name)
        if isinstance(n, ast.ClassDef) and name not in errors and name != "Graph":
            out.append(python_class(name, n, docs))
    out.append("## Exceptions\n")
    for name in errors:
        out.append(python_class(name, of[name], docs))
    out.append("## sconce.passes\n")
    out.append(doc_text(cleaned(tree["passes.py"])))
    for n in tree["passes.py"].body:
        if isinstance(n, ast.FunctionDef) and not n.name.startswith("_"):
            out.append(f"### sconce.passes.{n.name} {{ #sconce-passes-{n.name} }}\n\n" + code(signature(n, "sconce.passes."), "python") + "\n" + doc_text(cleaned(n)))
        elif isinstance(n, ast.ClassDef):
            out.append(python_class(n.name, n, docs, "sconce.passes."))
    missing = [n for n in names if n not in of and n != "passes"]
    if missing:
        raise SystemExit(f"the Python reference has nothing of {', '.join(missing)}")
    return "\n".join(out)


def write(root, out):
    """Writes the pages; gives the names of the C++ ones."""
    out.mkdir(parents=True)
    headers = root / "include" / "sconce"
    (out / "c.md").write_text(c_page((headers / "c.h").read_text()))
    sources = [p.read_text() for p in sorted((root / "python" / "src").glob("*.cpp"))]
    (out / "python.md").write_text(python_page(root / "python" / "sconce", sources))
    pages = []
    for name in CPP:
        page = f"cpp-{name.replace('.', '-').replace('_', '-')}.md"
        (out / page).write_text(cpp_page(name, (headers / name).read_text()))
        pages.append(page)
    return pages
