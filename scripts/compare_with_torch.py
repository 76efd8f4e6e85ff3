#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random calls of operators, answered by PyTorch and by sconce.

usage: compare_with_torch.py SCONCE [--refusals] [--calls N] [--top N | --only NAME... | --all] [--seed S] [--report FILE]

Calls are made from the schemas that the installed PyTorch tells: dtypes, 0-dim and empty tensors, strided, channels-last
and overlapping views, NaN and infinities, numbers at the edges. Each batch becomes an archive with PyTorch's answers beside
it, which `sconce verify` replays: values, dtypes, shapes, strides, whether the result shares the first tensor's memory,
what happened to the inputs, and whether the call is refused. Differences are grouped by operator.

With --refusals the calls stand at and beyond the limits of operators (limit_calls.py), factories, random operators and
`out=` forms among them, and the differences are counted by their kind: answered here where PyTorch refuses, refused here
where PyTorch answers, another answer.
"""
import argparse
import collections
import copy as copies
import json
import math
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import warnings

import torch

import limit_calls

warnings.filterwarnings("ignore")
FLOATS = [torch.float32, torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTS = [torch.int64, torch.int64, torch.int32, torch.uint8, torch.int8, torch.int16]
TOLERANCE = {torch.float64: (1e-9, 1e-11), torch.float32: (2e-4, 1e-5), torch.float16: (4e-3, 4e-3),
             torch.bfloat16: (2e-2, 2e-2), torch.complex64: (2e-4, 2e-5), torch.complex128: (1e-9, 1e-11)}
# Answers that are not defined, or that depend on the machine; the reason stands in docs/operators.md.
UNDEFINED = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize", "resize_", "resize_as_",
             "empty_permuted", "_resize_output_", "set_", "data_ptr", "_efficientzerotensor"}
# No inference operator: autograd's own, sparse, named tensors, other devices, private helpers of PyTorch's own code.
SKIPPED = re.compile(r"backward|cudnn|miopen|mkldnn|mps|sparse|_fw_|_fused|cuda|xpu|_foreach|nested|named|_test|_assert|"
                     r"functorch|_cslt|_scaled_mm|_weight_|fbgemm|_dyn_quant|_wrapped|requires_grad|retain|autograd|"
                     r"_copy$|_validate|_unsafe|coalesce|crow|ccol|col_ind|row_ind|to_dense|_indices|_values|"
                     r"_spdiags|grad|_mixed_dtypes|_make_|_pin|pin_memory|_print|_cufft|_use_|_chunk_cat|_transform_bias|"
                     r"_triton|_thnn|_flash|_efficient|_jagged|_padded|record_stream|is_set_to|_lazy|storage|"
                     r"_segment|_masked|_histogramdd|quantize|fake_quant|q_|int_repr|choose_qparams|_convert|"
                     r"_neg_view|_conj|_reshape_alias|_shape_as|_dimV|_dimI|_nnz|_version|_functional|sym_|"
                     r"_cdist|_pdist|_debug|_local_scalar|rename|align|refine|_stack|_cat|_linalg_|_foobar|_lu_with|"
                     r"infer_|_sobol|_grouped|_int_mm|_choose|_compute|_propagate|_rowwise|_slow|_trilinear|"
                     r"_unique|_nnpack|_standard|_sample|_dirichlet|_embedding_bag|_ctc|_log_softmax|_amp_|"
                     r"lstsq|_aminmax|_batch_norm|native_|_native|_pack|_pad_pa|_rnn|_adaptive|_addmm|_add_relu|"
                     r"_prelu|_weight|_logcumsumexp|_cumm|_cum|_det|_to_cpu|_to_copy|_to_s|nonzero_static|unique_dim_con|"
                     r"_bincount|_is_|_has|_upsample|_index|_softmax|_sync|_empty|_euclid|_fft|_mha|_scaled_dot|_transformer")


GROUP = 30  # methods of one archive


class Skip(Exception):
    """No values for this schema."""


class Calls:
    """Random arguments for one overload."""

    def __init__(self, schema, rng):
        self.schema, self.rng = schema, rng
        self.name = schema.name.split("::")[1]

    def start(self):
        r = self.rng
        self.ndim = r.choice([0, 1, 1, 2, 2, 2, 3, 3, 4])
        self.shape = [r.choice([1, 2, 3, 3, 4, 5]) for _ in range(self.ndim)]
        if r.random() < 0.06 and self.ndim:
            self.shape[r.randrange(self.ndim)] = 0
        kind = r.random()
        self.dtype = (r.choice(FLOATS) if kind < 0.62 else r.choice(INTS) if kind < 0.86 else torch.bool if kind < 0.93
                      else r.choice([torch.complex64, torch.complex128]))
        self.first = True

    def fill(self, shape, dtype):
        r = self.rng
        if dtype == torch.bool:
            return torch.rand(shape) < 0.5
        if dtype.is_floating_point or dtype.is_complex:
            t = torch.randn(shape, dtype=torch.complex128 if dtype.is_complex else torch.float64)
            if r.random() < 0.3:
                t = t * 10
            if r.random() < 0.2:
                t = t.round() if not dtype.is_complex else t
            if r.random() < 0.08 and t.numel() and not dtype.is_complex:
                t.view(-1)[r.randrange(t.numel())] = r.choice([math.nan, math.inf, -math.inf, 0.0, -0.0])
            return t.to(dtype)
        low, high = r.choice([(-5, 6), (0, 4), (1, 5), (-100, 100)])
        if dtype == torch.uint8:
            low = max(low, 0)
        return torch.randint(low, high, shape, dtype=dtype)

    def layout(self, t):
        """The same values in another memory order."""
        r = self.rng
        kind = r.random()
        if kind < 0.62 or t.dim() == 0:
            return t
        if kind < 0.74:
            order = list(range(t.dim()))
            r.shuffle(order)
            inverse = [order.index(i) for i in range(t.dim())]
            return t.permute(order).contiguous().permute(inverse)
        if kind < 0.84:
            d = r.randrange(t.dim())
            return torch.stack([t, torch.zeros_like(t)], d + 1).select(d + 1, 0)
        if kind < 0.92 and t.dim() == 4:
            return t.contiguous(memory_format=torch.channels_last)
        d = r.randrange(t.dim())
        if t.size(d) > 0:
            return t.narrow(d, 0, 1).expand(t.shape)
        return t

    def tensor(self, shape=None, dtype=None):
        return self.layout(self.fill(self.shape if shape is None else shape, dtype or self.dtype))

    def other_shape(self):
        r = self.rng
        kind = r.random()
        if kind < 0.55:
            return self.shape
        if kind < 0.7:
            return []
        shape = [s if r.random() < 0.7 else 1 for s in self.shape]
        if kind < 0.85 and shape:
            shape = shape[r.randrange(len(shape)):]
        if kind > 0.97:
            shape = shape + [2]
        return shape

    def other_dtype(self):
        r = self.rng
        return self.dtype if r.random() < 0.8 else r.choice(FLOATS + INTS + [torch.bool, torch.complex64])

    def dim(self):
        r = self.rng
        if r.random() < 0.03:
            return self.ndim + 1
        return r.randrange(-max(self.ndim, 1), max(self.ndim, 1))

    def number(self, kind):
        r = self.rng
        if kind == "int":
            return r.choice([0, 1, 1, 2, 3, -1, -2, 5])
        if kind == "bool":
            return r.random() < 0.5
        return r.choice([0.5, 1.0, 2.0, -1.0, 0.0, 1.5, -0.3, 3.0] + ([math.inf, math.nan] if r.random() < 0.1 else []))

    def argument(self, name, kind, arg):
        """A value of the TorchScript type kind."""
        r = self.rng
        if kind.startswith("Optional["):
            if r.random() < 0.5:
                return None
            kind = kind[9:-1]
        if kind == "Tensor":
            if self.first:
                self.first = False
                return self.tensor()
            if name in ("index", "indices") and self.name != "index":
                n = max([self.shape[d] for d in range(self.ndim)] or [1])
                low = 0 if self.name in ("gather", "scatter", "scatter_add", "index_select", "embedding") else -1
                shape = ([r.randrange(0, 4)] if self.name.startswith("index_") else
                         [max(s - r.randrange(2), 0) for s in self.shape])
                return torch.randint(low, max(n, 1), shape)
            if name in ("mask", "condition"):
                return self.tensor(self.other_shape(), torch.bool)
            return self.tensor(self.other_shape(), self.other_dtype())
        if kind == "List[Tensor]":
            self.first = False
            shapes = [self.shape if r.random() < 0.9 else self.other_shape() for _ in range(r.randrange(1, 4))]
            return [self.tensor(s, self.other_dtype()) for s in shapes]
        if kind == "List[Optional[Tensor]]":
            out = []
            for d in range(min(self.ndim, r.randrange(1, 4))):
                if r.random() < 0.3:
                    out.append(None)
                elif r.random() < 0.2:
                    out.append(torch.rand(self.shape[d]) < 0.5)
                else:
                    out.append(torch.randint(-1, max(self.shape[d], 1), r.choice([[2], [3], [], [2, 1]])))
            return out
        if kind == "int":
            return self.integer(name)
        if kind == "float":
            if name in ("eps", "rtol", "atol"):
                return r.choice([1e-5, 1e-3, 0.1])
            if name in ("p", "momentum", "negative_slope"):
                return r.choice([0.0, 0.5, 0.1, 1.0, 2.0])
            return self.number("float")
        if kind == "bool":
            return r.random() < 0.5
        if kind == "List[int]":
            return self.integers(name, arg)
        if kind == "List[float]":
            return [r.choice([0.5, 1.0, 2.0]) for _ in range(2)]
        if kind == "str":
            choices = {"rounding_mode": ["trunc", "floor", "x"], "reduce": ["sum", "prod", "mean", "amax", "amin"],
                       "mode": ["constant", "reflect", "replicate", "circular"], "approximate": ["none", "tanh"],
                       "padding": ["same", "valid"], "indexing": ["ij", "xy"], "UPLO": ["L", "U"], "norm": ["ortho"],
                       "interpolation": ["linear", "lower", "higher", "midpoint", "nearest"], "side": ["left", "right"],
                       "ord": ["fro", "nuc"], "equation": ["ij,jk->ik", "i,i->", "...i->...", "ij->ji", "ii->i", "ij,ij->j"]}
            if name not in choices:
                raise Skip(name)
            return r.choice(choices[name])
        raise Skip(kind)

    def integer(self, name):
        r = self.rng
        if name.startswith("dim") or name in ("start_dim", "end_dim", "axis", "axis0", "axis1", "source", "destination",
                                               "batch_dim", "feature_dim"):
            return self.dim()
        if name in ("dtype",):
            return r.choice([6, 7, 4, 3, 5, 11, 0, 15, 9])
        if name == "memory_format":
            return r.choice([0, 1, 2])
        if name == "layout":
            return 0
        if name == "reduction":
            return r.choice([0, 1, 2])
        if name in ("chunks", "sections", "groups", "steps", "k", "n", "diagonal", "offset", "split_size", "size", "step"):
            return r.choice([1, 1, 2, 3, 0, -1, 4])
        if name in ("num_groups", "upscale_factor", "downscale_factor"):
            return r.choice([1, 2])
        return r.choice([0, 1, 2, 3, -1, -2])

    def integers(self, name, arg):
        r = self.rng
        if name in ("dim", "dims", "axes"):
            if self.name in ("permute",):
                order = list(range(self.ndim))
                r.shuffle(order)
                return order if r.random() < 0.95 else order[:-1]
            return r.sample(range(-self.ndim, self.ndim) or [0], min(r.randrange(0, 3), 2 * self.ndim or 1))
        n = math.prod(self.shape)
        if self.name in ("view", "reshape", "_unsafe_view"):
            return r.choice([[-1], [n], list(reversed(self.shape)), [1] + self.shape, self.shape + [1], self.shape[1:] + [-1],
                             [n, 1], [2, -1]])
        if self.name == "expand":
            return [2] * r.randrange(0, 2) + [s if s != 1 or r.random() < 0.5 else 4 for s in self.shape]
        if name in ("size", "sizes", "shape", "repeats", "reps"):
            return [r.choice([0, 1, 2, 3]) for _ in range(r.randrange(0, 4) if r.random() < 0.5 else self.ndim)]
        if name in ("pad", "padding") and self.name in ("pad", "constant_pad_nd"):
            return [r.choice([0, 1, 2, -1]) for _ in range(2 * r.randrange(0, max(self.ndim, 1)))]
        if name == "split_sizes":
            d = self.shape[0] if self.shape else 1
            cut = r.randrange(0, d + 1)
            return [cut, d - cut]
        if name in ("kernel_size", "stride", "dilation"):
            return [r.choice([1, 2, 3])] * max(arg_size(arg), 1)
        if name in ("padding", "output_padding"):
            return [r.choice([0, 0, 1])] * max(arg_size(arg), 1)
        if name == "output_size":
            return [r.choice([1, 2, 3, 5])] * max(arg_size(arg), 1)
        return [r.choice([0, 1, 2]) for _ in range(r.randrange(0, 3))]


def arg_size(arg):
    return arg.N or 0


class Special:
    """Arguments that must fit each other: {argument name: value} by operator."""

    @staticmethod
    def conv(c, nd, transposed=False):
        r = c.rng
        groups = r.choice([1, 1, 1, 2])
        cin, cout = groups * r.choice([1, 2, 3]), groups * r.choice([1, 2, 3])
        k = [r.choice([1, 2, 3]) for _ in range(nd)]
        dt = r.choice([torch.float32, torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.int64])
        shape = [r.choice([1, 2]), cin] + [r.choice([3, 4, 5, 6]) for _ in range(nd)]
        x = c.layout(c.fill(shape if r.random() < 0.85 else shape[1:], dt))
        w = c.layout(c.fill([cin, cout // groups] + k if transposed else [cout, cin // groups] + k, dt))
        out = {"input": x, "weight": w, "bias": c.fill([cout], dt) if r.random() < 0.6 else None,
               "stride": [r.choice([1, 1, 2])] * nd, "padding": [r.choice([0, 1, 2])] * nd,
               "dilation": [r.choice([1, 1, 2])] * nd, "groups": groups}
        if transposed:
            out["output_padding"] = [0 if r.random() < 0.8 else 1] * nd
        return out

    @staticmethod
    def pool(c, nd, **more):
        r = c.rng
        shape = [r.choice([1, 2]), r.choice([1, 3])] + [r.choice([4, 5, 6, 7]) for _ in range(nd)]
        dt = r.choice([torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.int64])
        x = c.layout(c.fill(shape if r.random() < 0.8 else shape[1:], dt))
        k = r.choice([1, 2, 3])
        return dict({"self": x, "kernel_size": [k] * nd, "stride": r.choice([[], [1] * nd, [2] * nd]),
                     "padding": [r.choice([0, k // 2])] * nd, "dilation": [r.choice([1, 1, 2])] * nd}, **more)

    @staticmethod
    def norm(c, training):
        r = c.rng
        ch = r.choice([2, 4, 3])
        shape = [r.choice([2, 3]), ch] + [r.choice([1, 2, 3]) for _ in range(r.randrange(0, 4))]
        dt = r.choice([torch.float32, torch.float32, torch.float64, torch.bfloat16])
        stat = (lambda: c.fill([ch], dt))
        some = r.random() < 0.8
        return {"input": c.layout(c.fill(shape, dt)), "weight": stat() if some else None, "bias": stat() if some else None,
                "running_mean": stat(), "running_var": stat().abs() + 0.5, "training": training, "use_input_stats": training,
                "num_groups": r.choice([1, ch]), "momentum": 0.1, "eps": 1e-5, "normalized_shape": shape[-1:],
                "cudnn_enabled": False}


def matmul_shapes(c):
    r = c.rng
    n, m, k, b = (r.choice([1, 2, 3, 4]) for _ in range(4))
    return n, m, k, b


def special(c):
    """Arguments by name for operators whose arguments depend on each other; the rest is random."""
    r, name = c.rng, c.name
    dt = r.choice([torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64])
    n, m, k, b = matmul_shapes(c)
    make = (lambda *s: c.layout(c.fill(list(s), dt)))
    if r.random() < 0.06:
        return {}  # shapes that don't fit
    if name in ("conv1d", "conv2d", "conv3d"):
        return Special.conv(c, int(name[4]))
    if name in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
        return Special.conv(c, int(name[14]), True)
    if name in ("convolution", "_convolution"):
        t = r.random() < 0.3
        out = Special.conv(c, 2, t)
        out.update(transposed=t, output_padding=out.get("output_padding", [0, 0]))
        return out
    pool = re.fullmatch(r"(max|avg|lp)_pool([123])d(_with_indices)?", name)
    if pool:
        return Special.pool(c, int(pool[2]), divisor_override=r.choice([None, 2]))
    adaptive = re.fullmatch(r"adaptive_(avg|max)_pool([123])d", name)
    if adaptive:
        p = Special.pool(c, int(adaptive[2]))
        return {"self": p["self"], "output_size": [r.choice([1, 2, 3]) for _ in range(int(adaptive[2]))]}
    if name in ("batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm", "native_layer_norm"):
        out = Special.norm(c, r.random() < 0.3)
        if name in ("layer_norm", "rms_norm"):
            d = r.randrange(1, out["input"].dim() + 1)
            ns = list(out["input"].shape[-d:])
            out.update(normalized_shape=ns, weight=c.fill(ns, out["input"].dtype), bias=c.fill(ns, out["input"].dtype))
        return out
    if name == "linear":
        return {"input": make(*([b] * r.randrange(0, 3) + [k])), "weight": make(n, k), "bias": r.choice([None, make(n)])}
    if name in ("mm",):
        return {"self": make(n, k), "mat2": make(k, m)}
    if name in ("bmm", "baddbmm", "addbmm"):
        return {"self": make(b, n, k) if name == "bmm" else r.choice([make(n, m), make(m)]), "batch1": make(b, n, k),
                "mat2": make(b, k, m), "batch2": make(b, k, m)}
    if name in ("addmm", "addmv"):
        return {"self": r.choice([make(n, m), make(m), make(1)]), "mat1": make(n, k), "mat2": make(k, m), "mat": make(n, k),
                "vec": make(k)}
    if name == "mv":
        return {"self": make(n, k), "vec": make(k)}
    if name in ("dot", "inner", "vdot", "outer", "ger"):
        return {"self": make(k), "other": make(k), "tensor": make(k), "vec2": make(m)}
    if name == "matmul":
        shapes = [([n, k], [k, m]), ([k], [k, m]), ([b, n, k], [k]), ([b, n, k], [b, k, m]), ([1, n, k], [b, k, m]), ([k], [k]),
                  ([b, 1, n, k], [b, k, m])]
        x, y = r.choice(shapes)
        return {"self": make(*x), "other": make(*y)}
    if name == "scaled_dot_product_attention":
        lead = [b] * r.randrange(1, 3)
        dt = r.choice([torch.float32, torch.float64, torch.bfloat16])
        q = c.fill(lead + [n, k], dt)
        return {"query": q, "key": c.fill(lead + [m, k], dt), "value": c.fill(lead + [m, k], dt), "dropout_p": 0.0,
                "attn_mask": r.choice([None, c.fill([n, m], dt)]), "is_causal": False, "enable_gqa": False}
    if name in ("embedding", "embedding_bag"):
        return {"weight": make(5, 3), "indices": torch.randint(0, 5, [r.choice([0, 2, 3])] * r.randrange(1, 3)),
                "padding_idx": -1, "sparse": False, "scale_grad_by_freq": False}
    up = re.fullmatch(r"upsample_(nearest|linear|bilinear|bicubic|trilinear)(?:_exact)?([123]d)?.*|_upsample.*", name)
    if up and up[1]:
        nd = int(up[2][0]) if up[2] else {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}[up[1]]
        dt = r.choice([torch.float32, torch.float32, torch.float64, torch.bfloat16])
        by_size = r.random() < 0.5
        return {"input": c.layout(c.fill([2, 3] + [r.choice([2, 3, 5])] * nd, dt)), "self": c.fill([2, 3] + [4] * nd, dt),
                "output_size": [r.choice([1, 3, 4, 7])] * nd if by_size else None,
                "scale_factors": None if by_size else [r.choice([0.5, 2.0, 1.7])] * nd}
    if name in ("where",):
        return {"condition": c.tensor(c.other_shape(), torch.bool)}
    if name in ("pixel_shuffle", "pixel_unshuffle"):
        return {"self": make(2, 4, 4, 2), "upscale_factor": 2, "downscale_factor": 2}
    if name in ("cross_entropy_loss", "nll_loss", "nll_loss_nd"):
        dt = r.choice([torch.float32, torch.float64])
        return {"self": c.fill([n, 4], dt), "target": torch.randint(0, 4, [n]), "weight": r.choice([None, c.fill([4], dt).abs()]),
                "ignore_index": -100}
    if name in ("cholesky", "linalg_cholesky", "inverse", "linalg_inv", "det", "logdet", "slogdet", "linalg_det", "matrix_exp",
                "linalg_eigvalsh", "linalg_solve", "linalg_slogdet"):
        a = torch.randn(n, n, dtype=r.choice([torch.float32, torch.float64]))
        a = a @ a.mT + torch.eye(n, dtype=a.dtype)
        return {"self": a, "input": a, "A": a, "B": torch.randn(n, 2, dtype=a.dtype)}
    if name in ("scatter", "scatter_", "scatter_add", "scatter_add_", "gather", "scatter_reduce", "scatter_reduce_", "take_along_dim"):
        nd = r.randrange(1, 4)
        shape = [r.choice([2, 3, 4]) for _ in range(nd)]
        d = r.randrange(nd)
        ishape = [max(s - r.randrange(2), 1) for s in shape]
        index = torch.randint(0, shape[d], ishape)
        dt = c.dtype
        return {"self": c.layout(c.fill(shape, dt)), "dim": d - r.choice([0, nd]), "index": index, "indices": index,
                "src": c.layout(c.fill(shape, dt)), "sparse_grad": False}
    if name in ("index_select", "index_add", "index_copy", "index_fill", "index_add_", "index_copy_", "index_fill_"):
        nd = r.randrange(1, 4)
        shape = [r.choice([2, 3, 4]) for _ in range(nd)]
        d, count = r.randrange(nd), r.randrange(0, 4)
        source = list(shape)
        source[d] = count
        index = torch.randint(0, shape[d], [count])
        if "copy" in name:
            index = torch.randperm(shape[d])[:count]
            source[d] = len(index)
        return {"self": c.layout(c.fill(shape, c.dtype)), "dim": d - r.choice([0, nd]), "index": index,
                "source": c.layout(c.fill(source, c.dtype))}
    return {}


def script_type(t):
    """The annotation for a schema type, or Skip."""
    s = str(t)
    for a, b in (("List[", "List["), ("number", "number")):
        s = s.replace(a, b)
    plain = {"Tensor", "int", "float", "bool", "str", "List[int]", "List[float]", "List[Tensor]", "List[Optional[Tensor]]",
             "number", "List[bool]"}
    inner = s[9:-1] if s.startswith("Optional[") else s
    if inner not in plain:
        raise Skip(s)
    return s


def unsaid(argument):
    """Whether an argument is left to its default, because a recorded call can't hold its value."""
    return argument.has_default_value() and (argument.name in ("layout", "device", "pin_memory") or
                                             re.search(r"Device|Generator|Dimname|Storage", str(argument.type)) is not None)


def holds(kind, value):
    """Whether an argument of this TorchScript type takes the value."""
    if value is None or kind.startswith("Optional["):
        return kind.startswith("Optional[") and (value is None or holds(kind[9:-1], value))
    types = {"Tensor": torch.Tensor, "int": int, "float": (int, float), "bool": bool, "str": str}
    return isinstance(value, types.get(kind, (list, tuple)))


class Method:
    """One scripted method: an overload with the kinds of its Scalar arguments chosen."""

    def __init__(self, index, schema, number, rng, refusals=False):
        self.calls = Calls(schema, rng)
        self.schema, self.name, self.refusals = schema, f"c{index}", refusals
        self.pushes = refusals
        self.kinds = []
        self.given = [a for a in schema.arguments if not (refusals and unsaid(a))]
        for a in self.given:
            kind = script_type(a.type)
            if kind == "Optional[number]":
                kind = f"Optional[{number}]"
            self.kinds.append(number if kind == "number" else kind)
        op = schema.name.split("::")[1]
        params = ", ".join(f"a{i}: {k}" for i, k in enumerate(self.kinds))
        given = ", ".join((f"{a.name}=" if a.kwarg_only else "") + f"a{i}" for i, a in enumerate(self.given))
        returns = [script_type(r.type) for r in schema.returns]
        body = f"        r = torch.ops.aten.{op}({given})\n"
        first = next((i for i, k in enumerate(self.kinds) if k == "Tensor"), None)
        if returns == ["Tensor"]:
            same = f"shares(r, a{first})" if first is not None else "False"
            body += f"        return r, strides(r), {same}\n"
        elif not returns:
            body += "        return 0\n"
        else:
            body += "        return r\n"
        self.source = f"    def {self.name}(self, {params}):\n{body}"

    def arguments(self):
        c = self.calls
        c.start()
        fixed = (limit_calls.usual(c) if self.refusals and c.rng.random() < 0.9 else None) or special(c)
        out = []
        for a, kind in zip(self.given, self.kinds):
            if a.name in fixed and holds(kind, fixed[a.name]):
                c.first = False
                out.append(float(fixed[a.name]) if kind == "float" else fixed[a.name])
            elif a.has_default_value() and c.rng.random() < 0.6 and a.name != "self":
                value = a.default_value
                if value is not None and kind == "float":
                    value = float(value)
                if value is not None and kind == "List[int]" and isinstance(value, int):
                    value = [value] * max(arg_size(a), 1)
                out.append(value)
            elif "number" not in kind and kind in ("int", "float", "bool") and str(a.type).endswith(("number", "number]")):
                out.append(c.number(kind))
            else:
                out.append(c.argument(a.name, kind, a))
        return limit_calls.push(self, out) if self.pushes else tuple(out)


def copy(v):
    if isinstance(v, torch.Tensor):
        out = torch.empty_strided(v.size(), v.stride(), dtype=v.dtype)
        base = torch.as_strided(v, (extent(v),), (1,))
        torch.as_strided(out, (extent(v),), (1,)).copy_(base)
        return out
    return type(v)(copy(x) for x in v) if isinstance(v, (list, tuple)) else v


def extent(t):
    return 0 if t.numel() == 0 else 1 + sum((n - 1) * s for n, s in zip(t.size(), t.stride()))


def tensors_of(v):
    if isinstance(v, torch.Tensor):
        yield v
    elif isinstance(v, (list, tuple)):
        for x in v:
            yield from tensors_of(x)


def equal(a, b):
    return all(x.shape == y.shape and x.dtype == y.dtype and torch.equal(torch.nan_to_num(x), torch.nan_to_num(y))
               if x.dtype.is_floating_point or x.dtype.is_complex else x.shape == y.shape and torch.equal(x, y)
               for x, y in zip(tensors_of(a), tensors_of(b)))


def overlaps(t):
    """Whether elements of t share memory."""
    return t.numel() > extent(t)


def lie_over(tensors):
    """Whether two of the tensors share memory."""
    spans = [(t.untyped_storage().data_ptr(), t.storage_offset() * t.element_size(), (t.storage_offset() + extent(t)) * t.element_size())
             for t in tensors if t.numel()]
    return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for i, a in enumerate(spans) for b in spans[:i])


def writes(schema):
    return any(a.alias_info is not None and a.alias_info.is_write for a in schema.arguments)


def answer(module, method, inputs):
    """The case as PyTorch answers it."""
    # Tensors that share memory do so in a deep copy too.
    again = copies.deepcopy if method.refusals else copy
    kept = again(inputs)
    torch.manual_seed(0)
    case = {"method": method.name, "inputs": inputs, "same_seed": 0}
    run = again(inputs)
    try:
        with torch.no_grad():
            case["output"] = getattr(module, method.name)(*run)
    except Exception as e:  # noqa: BLE001: every refusal is an answer
        text = str(e).strip().split("\n")[-1]
        if "INTERNAL ASSERT" in str(e) or "alloc" in str(e) or "backend fallback" in str(e):
            return None
        case["raises"] = f"{type(e).__name__}: {text}"
        case["check"] = "exact"
        return case
    if method.refusals and sum(t.numel() for t in tensors_of(case["output"])) > 1000000:
        return None
    dtypes = [t.dtype for t in tensors_of(case["output"])] + [t.dtype for t in tensors_of(inputs)]
    worst = max((TOLERANCE[d] for d in dtypes if d in TOLERANCE), default=(0.0, 0.0))
    undefined = method.calls.name in UNDEFINED or (method.refusals and writes(method.schema) and
                                                         (any(map(overlaps, tensors_of(inputs))) or lie_over(list(tensors_of(inputs)))))
    case.update(check="meta" if undefined else "close", rtol=worst[0], atol=worst[1])
    if not undefined and not equal(run, kept):
        case["inputs_after"] = run
    case["output"] = detach(case["output"])
    return case


def detach(v):
    """What the archive can hold: results are copies, so that later calls can't change them."""
    if isinstance(v, torch.Tensor):
        return v.clone() if v.dtype not in () else v
    return type(v)(detach(x) for x in v) if isinstance(v, (list, tuple)) else v


def describe(v):
    if isinstance(v, torch.Tensor):
        dense = v.is_contiguous()
        small = f" {v.tolist()}" if v.numel() <= 4 else ""
        return f"{str(v.dtype)[6:]}{list(v.shape)}" + ("" if dense else f" strides {list(v.stride())}") + small
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(describe(x) for x in v) + "]"
    return repr(v)


def takes_tensors(schema):
    return any("Tensor" in str(a.type) for a in [*schema.arguments, *schema.returns])


def operators(options):
    """The schemas to call."""
    wanted = None
    if options.only:
        wanted = set(options.only)
    elif not options.all:
        usage = pathlib.Path(options.usage).read_text().split("\n")
        names = [line.split("\t")[0].split("::")[1].split(".")[0] for line in usage if line.startswith("aten::")]
        names = list(dict.fromkeys(names))
        if options.refusals:
            names = [n for n in names if any(takes_tensors(s) for s in torch._C._jit_get_schemas_for_operator("aten::" + n))]
        wanted = set(names[: options.top]) | set(limit_calls.LIMITED if options.refusals else [])
    out = []
    for s in torch._C._jit_get_all_schemas():
        if not s.name.startswith("aten::") or (not options.refusals and any(a.is_out for a in s.arguments)):
            continue
        name = s.name.split("::")[1]
        if wanted is not None and name not in wanted:
            continue
        if s.overload_name.startswith("prim_"):
            continue  # PyTorch reads the arguments of these off its stack in another order, and may die of it
        if options.all and SKIPPED.search(name):
            continue
        if options.refusals:
            if takes_tensors(s) and name not in UNDEFINED and "Dimname" not in str(s):
                out.append(s)
            continue
        if not any("Tensor" in str(a.type) for a in s.arguments) or any("Generator" in str(a.type) or "Dimname" in str(a.type)
                                                                           for a in s.arguments if not a.has_default_value()):
            continue
        out.append(s)
    return out


def module_of(methods):
    """A scripted module with the methods that compile, and those methods."""
    good = list(methods)
    while good:
        module = torch.nn.Module()
        scripted = torch.jit.script(module)
        try:
            text = "".join(inline_helpers(m.source) for m in good)
            scripted.define(dedent(text))
            return scripted, good
        except Exception:  # noqa: BLE001
            pass
        kept = []
        for m in good:
            try:
                torch.jit.script(torch.nn.Module()).define(dedent(inline_helpers(m.source)))
                kept.append(m)
            except Exception:  # noqa: BLE001: no call that TorchScript can say
                continue
        if len(kept) == len(good):
            raise RuntimeError("the methods compile one by one but not together")
        good = kept
    return None, []


def dedent(text):
    return "\n".join(line[4:] for line in text.split("\n"))


def inline_helpers(source):
    """A method can't call a free function when it is defined from text: the helpers stand in it."""
    strides = ("        st: List[int] = []\n        for i in range(r.dim()):\n"
               "            st.append(r.stride(i) if r.size(i) > 1 and r.numel() > 0 else 0)\n")
    shares = re.search(r"shares\(r, (a\d+)\)", source)
    if "strides(r)" in source:
        source = source.replace("        return r,", strides + "        return r,").replace("strides(r)", "st")
    if shares:
        source = source.replace(shares[0], f"r.numel() > 0 and {shares[1]}.numel() > 0 and r.storage_offset() == {shares[1]}.storage_offset() and "
                                           f"r.as_strided([1], [1], 0).is_set_to({shares[1]}.as_strided([1], [1], 0))")
    return source


def kind_of(case, difference):
    """What a difference is, where refusals are asked."""
    if "raises" in case:
        return "answered" if difference.startswith("returned, expected") else "other"
    return "other" if re.match(r"output|inputs_after|stdout", difference) else "refused"


def crashes(cases, archive, options):
    """The cases that sconce crashes or hangs on, each asked alone."""
    found = []
    for i, case in enumerate(cases):
        one = archive.with_name("one.pt")
        one.write_bytes(archive.read_bytes())
        torch.save({"format": 1, "torch": str(torch.__version__), "cases": [case]}, one.with_suffix(".io.pt"))
        run = subprocess.run([options.sconce, "verify", str(one), "--timeout", "20"], capture_output=True, text=True, check=False)
        if re.search(r": (crashed|takes too long|the worker ended)", run.stdout):
            found.append((i, run.stdout.splitlines()[0].split(": ", 1)[1]))
    return found


def compare_group(methods, number, per_method, options, progress):
    """The answers of both to calls of some methods, in one archive."""
    rng = random.Random(options.seed * 100003 + number)
    torch.manual_seed(options.seed * 100003 + number)
    module, good = module_of(methods)
    result = {"differences": {}, "asked": collections.Counter(), "refused": 0, "crashes": 0, "lacking": 0}
    if not good:
        return result
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.keep or temporary)
        folder.mkdir(exist_ok=True)
        archive = folder / f"calls{number}.pt"
        module.save(str(archive))
        loaded = torch.jit.load(str(archive))
        cases, owners = [], []
        for m in good:
            m.calls.rng = rng
            for _ in range(per_method):
                try:
                    inputs = m.arguments()
                except Skip:
                    break
                except (RuntimeError, IndexError, ValueError):
                    continue
                if not progress.next():
                    continue
                case = answer(loaded, m, inputs)
                if case:
                    cases.append(case)
                    owners.append(m)
                    result["asked"][m.schema.name] += 1
                    result["refused"] += "raises" in case
        torch.save({"format": 1, "torch": str(torch.__version__), "cases": cases}, archive.with_suffix(".io.pt"))
        progress.done()
        run = subprocess.run([options.sconce, "verify", str(archive), "--timeout", "60" if options.refusals else "600"], capture_output=True, text=True, check=False)
        found = False
        lines = [hit.groups() for hit in (re.search(r": (c\d+) #(\d+): (.*)$", line) for line in run.stdout.splitlines()) if hit]
        if not lines and run.returncode and options.refusals:
            for i, why in crashes(cases, archive, options):
                lines.append((cases[i]["method"], i, why))
                result["crashes"] += 1
        for hit in lines:
            found = True
            i = int(hit[1])
            if options.refusals and "is not implemented in sconce" in hit[2]:
                result["lacking"] += 1
                result["asked"][owners[i].schema.name] -= 1
                continue
            schema = owners[i].schema
            name = schema.name + ("." + schema.overload_name if schema.overload_name else "")
            said = cases[i].get("raises")
            result["differences"].setdefault(name, []).append(
                {"difference": hit[2][:420], "arguments": [describe(a) for a in cases[i]["inputs"]],
                 "kind": kind_of(cases[i], hit[2]), "torch": said[:200] if said else describe(cases[i]["output"])[:300]})
        if not found and run.returncode:
            result["failed"] = f"sconce failed on {archive}: {run.stdout[-300:]} {run.stderr[-300:]}"
    return result


class Progress:
    """Which calls a worker has come to, in a file: those that PyTorch died or hung on are left out next time."""

    def __init__(self, file):
        self.file, self.count = file, 0
        self.fatal = set(json.loads(file.read_text())["fatal"]) if file.exists() else set()

    def next(self):
        """Whether to make the next call."""
        signal.setitimer(signal.ITIMER_REAL, 20)
        self.count += 1
        if self.count - 1 in self.fatal:
            return False
        self.file.write_text(json.dumps({"fatal": sorted(self.fatal), "at": self.count - 1}))
        return True

    def done(self):
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.file.unlink(missing_ok=True)

    @staticmethod
    def died(file):
        """Whether a worker that died made a call, which is then left out."""
        if not file.exists():
            return False
        said = json.loads(file.read_text())
        if said["at"] is None:
            return False
        file.write_text(json.dumps({"fatal": [*said["fatal"], said["at"]], "at": None}))
        return True


def in_workers(jobs, work):
    """Results of work(job, number, progress), each from a process of its own, two at a time: PyTorch may crash too."""
    waiting, running = list(enumerate(jobs)), {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < 2:
                number, job = waiting.pop(0)
                file, at = pathlib.Path(folder) / str(number), pathlib.Path(folder) / f"{number}.at"
                pid = os.fork()
                if pid == 0:
                    try:
                        file.write_text(json.dumps(work(job, number, Progress(at))))
                    except BaseException as e:  # noqa: BLE001
                        file.write_text(json.dumps({"failed": f"{type(e).__name__}: {str(e)[:500]}"}))
                    os._exit(0)
                running[pid] = (number, job, file, at)
            pid, status = os.wait()
            number, job, file, at = running.pop(pid)
            names = sorted({m.schema.name for m in job})
            if file.exists() and status == 0:
                yield json.loads(file.read_text())
            elif Progress.died(at):
                waiting.append((number, job))
            else:
                yield {"failed": f"PyTorch died (status {status}) on one of {names}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sconce")
    parser.add_argument("--refusals", action="store_true", help="calls at and beyond the limits of operators")
    parser.add_argument("--calls", type=int, help="20000, or 50000 with --refusals")
    parser.add_argument("--top", type=int, help="operators by use in real models: 150, or 200 with --refusals")
    parser.add_argument("--usage", default=str(pathlib.Path(__file__).resolve().parents[2] / "shared/data/op-usage.txt"))
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", help="JSON file: differences by operator")
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--known", help="file of differences that have a reason: operator, difference, reason",
                        default=str(pathlib.Path(__file__).resolve().parent.parent / "docs" / "operator-differences.txt"))
    parser.add_argument("--keep", help="folder for the archives")
    options = parser.parse_args()
    options.calls = options.calls or (50000 if options.refusals else 20000)
    options.top = options.top or (200 if options.refusals else 150)
    rng = random.Random(options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    # A call that wants all memory is refused, not fatal.
    most = (5 if options.refusals else 8) << 30
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    methods = []
    for s in operators(options):
        numbers = ["float", "int"] if any("number" in str(a.type) for a in s.arguments) else ["float"]
        for number in numbers:
            try:
                methods.append(Method(len(methods), s, number, rng, options.refusals))
            except Skip:
                pass
    print(f"{len({m.schema.name for m in methods})} operators, {len(methods)} forms", flush=True)
    per_method = max(1, options.calls // max(len(methods), 1))
    differences, asked, refused, crashed, lacking = collections.defaultdict(list), collections.Counter(), 0, 0, 0
    for result in in_workers([methods[i: i + GROUP] for i in range(0, len(methods), GROUP)],
                             lambda group, number, progress: compare_group(group, number, per_method, options, progress)):
        if "failed" in result:
            print(result["failed"], flush=True)
            continue
        for name, found in result["differences"].items():
            differences[name] += found
        asked.update(result["asked"])
        refused += result["refused"]
        crashed += result["crashes"]
        lacking += result["lacking"]
    known = [line.split("\t") for line in pathlib.Path(options.known).read_text().splitlines() if line and line[0] != "#"]
    explained = collections.Counter()
    every = collections.Counter(d["kind"] for found in differences.values() for d in found)
    for name in list(differences):
        left = []
        for d in differences[name]:
            text = d["difference"].split("Traceback")[0] + d["difference"][-160:] if "Traceback" in d["difference"] else d["difference"]
            reason = next((k[2] for k in known if re.fullmatch(k[0], name.split("::")[1]) and re.search(k[1], text)), None)
            if reason:
                explained[reason] += 1
            else:
                left.append(d)
        differences[name] = left
        if not left:
            del differences[name]
    total = sum(asked.values())
    wrong = sum(map(len, differences.values()))
    for name, found in sorted(differences.items(), key=lambda kv: -len(kv[1])):
        print(f"\n{name}: {len(found)} of {asked[name.split('.')[0]]} calls")
        for d in found[: options.examples]:
            print(f"  ({', '.join(d['arguments'])})\n    sconce: {d['difference']}\n    torch:  {d['torch']}")
    for reason, count in explained.most_common():
        print(f"known, {count} calls: {reason}")
    print(f"\n{total} calls ({refused} refused by PyTorch), {wrong} differ without a known reason, in {len(differences)} operators of {len(asked)}")
    if options.refusals and total:
        print(f"{100 * (1 - sum(every.values()) / total):.2f} % of the calls as PyTorch's; answered where PyTorch refuses: "
              f"{every['answered']} ({100 * every['answered'] / total:.2f} %), refused where PyTorch answers: {every['refused']} "
              f"({100 * every['refused'] / total:.2f} %), another answer: {every['other']}, crashes and hangs: {crashed}; of forms that sconce lacks, left out: {lacking}")
    if options.report:
        pathlib.Path(options.report).write_text(json.dumps({"calls": total, "different": wrong, "operators": differences}, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
