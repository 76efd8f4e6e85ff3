#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/ops/schemas.inc: every operator schema, sorted by name, overloads in PyTorch's registration order.

Usage: make_schemas.py DATA_FOLDER > src/ops/schemas.inc
DATA_FOLDER holds schemas.txt, schemas-torchvision.txt and overload-order.txt.
"""
import re
import sys

KEPT = ("aten", "prim", "quantized", "torchaudio", "torchvision", "inductor", "_caffe2", "sparse", "static", "profiler")

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
    for lines in (open(f"{folder}/schemas.txt"), open(f"{folder}/schemas-torchvision.txt"), AUDIO.split("\n")):
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
                text = text.replace("\\", "\\\\").replace('"', '\\"')
                print(f'"{text}",')


main(sys.argv[1])
