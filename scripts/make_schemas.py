#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/ops/schemas.inc: every operator schema, sorted by name, overloads in PyTorch's registration order.

Usage: make_schemas.py DATA_FOLDER > src/ops/schemas.inc
DATA_FOLDER holds schemas.txt, schemas-torchvision.txt and overload-order.txt.
"""
import re
import sys

# Operators of builds with XNNPACK, which the one that wrote schemas.txt was not.
XNNPACK = "__torch__.torch.classes.xnnpack."
PREPACKED = f"""
prepacked::conv2d_clamp_prepack(Tensor W, Tensor? B, int[2] stride, int[2] padding, int[2] dilation, int groups, Scalar? output_min=None, Scalar? output_max=None) -> {XNNPACK}Conv2dOpContext
prepacked::conv2d_clamp_run(Tensor X, {XNNPACK}Conv2dOpContext W_prepack) -> Tensor Y
prepacked::conv2d_transpose_clamp_prepack(Tensor W, Tensor? B, int[2] stride, int[2] padding, int[2] output_padding, int[2] dilation, int groups, Scalar? output_min=None, Scalar? output_max=None) -> {XNNPACK}TransposeConv2dOpContext
prepacked::conv2d_transpose_clamp_run(Tensor X, {XNNPACK}TransposeConv2dOpContext W_prepack) -> Tensor Y
prepacked::linear_clamp_prepack(Tensor W, Tensor? B=None, Scalar? output_min=None, Scalar? output_max=None) -> {XNNPACK}LinearOpContext
prepacked::linear_clamp_run(Tensor X, {XNNPACK}LinearOpContext W_prepack) -> Tensor Y
prepacked::unpack_prepacked_sizes_conv2d(Any W_prepack) -> (int[], int[]?, int[], int[], int[], int)
prepacked::unpack_prepacked_sizes_linear(Any W_prepack) -> (int[], int[]?)
"""
KEPT = ("aten", "prim", "quantized", "torchaudio", "torchvision", "inductor", "_caffe2", "sparse", "static", "profiler", "prepacked", "cuda")

# torchaudio's of all versions: 2.11 has no _lfilter and no rnnt_loss any more.
AUDIO = """
torchaudio::_lfilter(Tensor waveform, Tensor a_coeffs, Tensor b_coeffs) -> Tensor
torchaudio::_lfilter_core_loop(Tensor input_signal_windows, Tensor a_coeff_flipped, Tensor(a!) padded_output_waveform) -> Tensor(a!)
torchaudio::_overdrive_core_loop(Tensor waveform, Tensor temp, Tensor(a!) last_in, Tensor(b!) last_out, Tensor(c!) output_waveform) -> (Tensor(a!), Tensor(b!), Tensor(c!))
torchaudio::forced_align(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank) -> (Tensor, Tensor)
torchaudio::rnnt_loss(Tensor logits, Tensor targets, Tensor logit_lengths, Tensor target_lengths, int blank, float clamp, bool fused_log_softmax=True) -> (Tensor, Tensor?)
torchaudio::rnnt_loss_forward(Tensor logits, Tensor targets, Tensor logit_lengths, Tensor target_lengths, int blank, float clamp, bool fused_log_softmax=True) -> (Tensor, Tensor)
"""


def main(folder):
    order = {}
    for line in open(f"{folder}/overload-order.txt"):
        if not line.startswith("#") and ": " in line:
            name, overloads = line.strip().split(": ", 1)
            order[name] = [("" if o == "<default>" else o) for o in overloads.split()]
    rows = {}
    files = [open(f"{folder}/{file}").readlines() for file in ("schemas.txt", "schemas-torchvision.txt")]
    for lines in [*files, AUDIO.splitlines(), PREPACKED.splitlines()]:
        for line in lines:
            m = re.match(r"\s*(\w+::\w+)(?:\.(\w+))?\(.*\) -> ", line)
            if m and m.group(1).split("::")[0] in KEPT:
                rows.setdefault(m.group(1), []).append((m.group(2) or "", line.strip()))
    print("// Made by scripts/make_schemas.py. Sorted by name; overloads in the order in which they are tried.")
    for name in sorted(rows):
        known = order.get(name, [])
        seen = set()
        for overload, text in sorted(rows[name], key=lambda r: known.index(r[0]) if r[0] in known else len(known)):
            if (name, overload) not in seen:
                seen.add((name, overload))
                text = re.sub(r"\bint64_t\b", "int", text).replace("\\", "\\\\").replace('"', '\\"')
                print(f'"{text}",')


main(sys.argv[1])
