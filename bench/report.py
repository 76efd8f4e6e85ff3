# SPDX-License-Identifier: Apache-2.0
"""What compare.py measured, as lines, Markdown tables and a picture."""
import math
import pathlib

import engines

SHORT = {"sconce": "sconce", "eager": "eager", "torchscript": "TorchScript", "ts_optimized": "ts optimized", "inductor": "Inductor", "onnxruntime": "ONNX Runtime",
         "openvino": "OpenVINO f32", "openvino_default": "OpenVINO default"}
# Rows that compare interpreters rather than kernels: left out of the mean against the best rival.
NOT_KERNELS = ("mlp", "integer_loop")
COLUMNS = 13


def milliseconds(x):
    return "-" if x is None else f"{x:.4f}" if x < 0.1 else f"{x:.3f}" if x < 1 else f"{x:.2f}" if x < 10 else f"{x:.1f}"


def best_rival(row):
    """The fastest other engine, of those that compute in float32; None without one."""
    timed = {n: e["median_ms"] for n, e in row["engines"].items() if "median_ms" in e and n not in ("sconce", "openvino_default")}
    return min(timed, key=timed.get) if timed else None


def ratio(row, rival):
    return row["engines"].get(rival, {}).get("sconce_ratio") if rival else None


def spread(r):
    return "-" if r is None else f"{r['ratio']:.2f} ({r['low']:.2f}-{r['high']:.2f})"


def error(x):
    return "-" if x is None else f"{x:.1e}"


def share_of_peak(row):
    ours = row["engines"].get("sconce", {}).get("median_ms")
    return f"{100 * row['gflop'] / ours * 1e3 / row['peak_gflops']:.0f} %" if ours and row["gflop"] > 0.1 else "-"


def heading(names, threads):
    return f"\n{threads} thread{'s' * (threads > 1)}, ms" + " " * 12 + "".join(f"{SHORT[n][:COLUMNS - 1]:>{COLUMNS}}" for n in names) + "   sconce / best      error, of float32 PyTorch; share of FMA peak"


def line(row, names):
    sconce = row["engines"].get("sconce", {})
    return (f"{row['title']:24}" + "".join(f"{milliseconds(row['engines'][n].get('median_ms')):>{COLUMNS}}" for n in names) + f"   {spread(ratio(row, best_rival(row))):18}"
            + f" {error(sconce.get('output_error'))} {error(row['float32_error'])}; {share_of_peak(row)} of {row['peak_gflops']:.0f} GFLOP/s, {row['peak_gbs']:.0f} GB/s")


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def summary(rows):
    """A sentence for each number of threads and each thing to be ahead of."""
    lines = []
    for threads in sorted({r["threads"] for r in rows}):
        mine = [r for r in rows if r["threads"] == threads]
        for title, rival_of, some in (("TorchScript optimized", lambda r: "ts_optimized", mine), ("the best rival of each row", best_rival, [r for r in mine if r["network"] not in NOT_KERNELS])):
            ratios = {r["title"]: x["ratio"] for r in some if (x := ratio(r, rival_of(r)))}
            if ratios:
                worst = max(ratios, key=ratios.get)
                lines.append(f"{threads} thread{'s' * (threads > 1)}, against {title}: sconce takes {mean(ratios.values()):.2f} of its time (geometric mean of {len(ratios)}), at worst {ratios[worst]:.2f} ({worst}).")
    return "\n".join(lines)


def table(header, lines):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] + ["| " + " | ".join(x) + " |" for x in lines] + [""]


def markdown(result, names):
    rows, m = result["rows"], result["machine"]
    versions = {e["version"]: SHORT[n] for r in rows for n, e in reversed(r["engines"].items()) if "version" in e}
    by_title = {}
    for version, title in versions.items():
        by_title.setdefault(title, version)
    named = ", ".join(f"{'PyTorch' if title in ('eager', 'TorchScript', 'ts optimized', 'Inductor') else title} {version}" for title, version in by_title.items())
    out = [f"Measured {result['date']} UTC on {m['model']} ({', '.join(m['flags'])}), {m['processors']} processors; {named}.",
           f"Batch 1, medians in milliseconds of blocks of {result['seconds']} s taken in turn; the ratio's interval holds 95 % of what blocks drawn anew give; below 1 sconce is faster.", ""]
    if "onednn" in result:
        out += [f"Both are held to AVX2; oneDNN says: {result['onednn']}.", ""]
    for threads in sorted({r["threads"] for r in rows}):
        mine = [r for r in rows if r["threads"] == threads]
        peaks = [r["peak_gflops"] for r in mine]
        reads = [r["peak_gbs"] for r in mine]
        handed = [r["handed_gbs"] for r in mine]
        between = f", of what the other processor wrote {min(handed):.0f} to {max(handed):.0f}" if max(handed) else ""
        out += [f"{threads} thread{'s' * (threads > 1)} (FMA peak of the same minutes {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s, reads from memory {min(reads):.0f} to {max(reads):.0f} GB/s{between}):", ""]
        out += table(["", *(SHORT[n] for n in names), "sconce / ts optimized", "sconce / best", "share of peak"],
                     [[r["title"], *(milliseconds(r["engines"][n].get("median_ms")) for n in names), spread(ratio(r, "ts_optimized")), spread(ratio(r, best_rival(r))), share_of_peak(r)]
                      for r in mine])
    out += [*summary(rows).split("\n"), ""]
    first = [r for r in rows if r["threads"] == min(r["threads"] for r in rows)]
    shown = [n for n in names if n not in ("eager", "openvino_default")]

    def start(e):
        return f"{milliseconds(e['load_ms'])} + {milliseconds(e['first_ms'])}, {milliseconds(e['tenth_ms'])}" if "first_ms" in e else "-"

    out += ["Loading + the first run, and the tenth, in a fresh process whose library is loaded (milliseconds, 1 thread):", ""]
    out += table(["", *(SHORT[n] for n in shown)], [[r["title"], *(start(r["engines"][n]) for n in shown)] for r in first])
    out += ["Peak memory beyond the bare Python process that calls the engine (MB; PyTorch's is that of a build with CUDA), and error against float64 (norm, relative):", ""]
    out += table(["", *(SHORT[n] for n in shown), "error of sconce", "error of float32 PyTorch"],
                 [[r["title"], *(f"{r['engines'][n]['peak_mb']:.0f}" if "peak_mb" in r["engines"][n] else "-" for n in shown), error(r["engines"].get("sconce", {}).get("output_error")),
                   error(r["float32_error"])] for r in first])
    sizes = {n: e["library_mb"] for r in rows for n, e in r["engines"].items() if "library_mb" in e and n in shown}
    loads = {n: min(r["engines"][n]["library_ms"] for r in rows if "library_ms" in r["engines"].get(n, {})) for n in sizes}
    out += ["Library (MB on disk; sconce's is stripped), and what loading it takes (ms, with the Python modules around it):", ""]
    out += table(["", *(SHORT[n] for n in sizes)], [["MB", *(f"{x:.1f}" for x in sizes.values())], ["ms", *(f"{loads[n]:.0f}" for n in sizes)]])
    reasons = sorted({f"{SHORT[n]}, {r['title']}: {e['error'].splitlines()[0]}" for r in rows for n, e in r["engines"].items() if "error" in e})
    if reasons:
        out += ["What is missing, and why:", "", *(f"- {x}" for x in reasons), ""]
    return out


def write_between(path, program, lines):
    """Replaces what is between the file's two marks of a program."""
    path, begin, end = pathlib.Path(path), f"<!-- {program}: begin -->", f"<!-- {program}: end -->"
    text = path.read_text()
    if begin not in text or end not in text:
        raise SystemExit(f"{path} lacks the marks {begin} and {end}")
    before, after = text.split(begin)[0], text.split(end)[1]
    path.write_text(before + begin + "\n" + "\n".join(lines) + end + after)


def write_markdown(path, result, names):
    """Between the marks for every instruction set, or those for AVX2."""
    write_between(path, "compare.py" + ("" if result["isa"] == "all" else " " + result["isa"]), markdown(result, names))


def plot(path, result, names):
    """Each engine's time over sconce's, on a logarithmic scale; one panel for each number of threads."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    threads = sorted({r["threads"] for r in result["rows"]})
    rivals = [n for n in names if n != "sconce"]
    titles = list(dict.fromkeys(r["title"] for r in result["rows"]))
    figure, panels = pyplot.subplots(1, len(threads), figsize=(6.5 * len(threads), 0.5 * len(titles) * (1 + len(rivals) / 8) + 1.6), sharey=True, squeeze=False)
    for panel, n in zip(panels[0], threads):
        rows = [r for r in result["rows"] if r["threads"] == n and "median_ms" in r["engines"].get("sconce", {})]
        for k, name in enumerate(rivals):
            points = [(i, r["engines"][name]["median_ms"] / r["engines"]["sconce"]["median_ms"]) for i, r in enumerate(rows) if "median_ms" in r["engines"].get(name, {})]
            panel.barh([i + (k - (len(rivals) - 1) / 2) * 0.8 / len(rivals) for i, _ in points], [x - 1 for _, x in points], 0.8 / len(rivals), left=1, label=engines.ENGINES[name].title)
        panel.axvline(1, color="black", linewidth=1)
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:g}"))
        panel.set_yticks(range(len(rows)), [r["title"] for r in rows])
        panel.set_title(f"{n} thread{'s' * (n > 1)}")
        panel.set_xlabel("time / sconce's time (right of 1: sconce is faster)")
        panel.grid(axis="x", alpha=0.3)
    panels[0][0].invert_yaxis()
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize="small")
    figure.tight_layout(rect=(0, 0.7 / figure.get_figheight(), 1, 1))
    figure.savefig(path, dpi=110)
