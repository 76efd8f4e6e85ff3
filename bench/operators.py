#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Single operators, sconce beside PyTorch's eager mode, one thread each.

usage: operators.py SCONCE [--only NAME...] [--isa all|avx2...] [--markdown FILE]

Every row is one call on a million elements, or on the sizes that networks use. The two are timed in turn, several rounds;
the ratio is of the medians. A ratio above 1: sconce is slower. --isa avx2 holds both to AVX2, in a process of its own.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch

import machine

M = (1000, 1000)
A, B = torch.randn(M), torch.randn(M)
POSITIVE, MASK, INTS = A.abs() + 0.1, A > 0, torch.randint(0, 1000, M)
IMAGE, WEIGHT = torch.randn(1, 64, 56, 56), torch.randn(64, 64, 3, 3)
TOKENS, HEADS = torch.randn(8, 128, 768), torch.randn(1, 12, 128, 64)
# name: (expression over a, b, c, their values)
CASES = {
    "linear": ("torch.linear(a, b, c)", (TOKENS, torch.randn(768, 768), torch.randn(768))),
    "add.Tensor": ("a + b", (A, B)), "add.Scalar": ("a + 2.0", (A,)), "add_.Tensor": ("a.add_(b)", (A, B * 1e-9)),
    "sub.Tensor": ("a - b", (A, B)), "mul.Tensor": ("a * b", (A, B)), "mul.Scalar": ("a * 2.0", (A,)),
    "div.Tensor": ("a / b", (A, POSITIVE)), "div.Scalar": ("a / 3.0", (A,)), "rsub.Scalar": ("1.0 - a", (A,)),
    "neg": ("-a", (A,)), "abs": ("torch.abs(a)", (A,)), "exp": ("torch.exp(a)", (A,)), "log": ("torch.log(a)", (POSITIVE,)),
    "sqrt": ("torch.sqrt(a)", (POSITIVE,)), "rsqrt": ("torch.rsqrt(a)", (POSITIVE,)), "sin": ("torch.sin(a)", (A,)),
    "cos": ("torch.cos(a)", (A,)), "tanh": ("torch.tanh(a)", (A,)), "sigmoid": ("torch.sigmoid(a)", (A,)),
    "relu": ("torch.relu(a)", (A,)), "relu_": ("torch.relu_(a)", (A,)), "gelu": ("torch.gelu(a)", (A,)), "silu": ("torch.silu(a)", (A,)),
    "hardtanh": ("torch.hardtanh(a, 0.0, 6.0)", (A,)), "clamp": ("torch.clamp(a, -1.0, 1.0)", (A,)),
    "pow.Tensor_Scalar": ("a ** 2", (A,)), "pow3": ("torch.pow(a, 2.5)", (POSITIVE,)),
    "eq.Scalar": ("a == 0.5", (A,)), "gt.Scalar": ("a > 0.5", (A,)), "eq.Tensor": ("a == b", (A, B)), "lt.Tensor": ("a < b", (A, B)),
    "where": ("torch.where(a, b, c)", (MASK, A, B)), "masked_fill": ("a.masked_fill(b, 0.0)", (A, MASK)), "__and__": ("a & b", (MASK, ~MASK)),
    "to.dtype": ("a.to(torch.float64)", (A,)), "to.int": ("a.to(torch.int64)", (A,)), "to.half": ("a.to(torch.float16)", (A,)), "clone": ("a.clone()", (A,)), "transpose+contiguous": ("a.t().contiguous()", (A,)),
    "permute+contiguous": ("a.permute([0, 2, 1, 3]).contiguous()", (torch.randn(8, 128, 12, 64),)),
    "cat": ("torch.cat([a, b], 1)", (A, B)), "stack": ("torch.stack([a, b])", (A, B)), "split": ("torch.split(a, 250)", (A,)),
    "chunk+cat": ("torch.cat(torch.chunk(a, 4, 1), 0)", (A,)), "repeat": ("a.repeat([2, 2])", (A,)), "expand+add": ("a + b", (A, torch.randn(1000))),
    "add.column": ("a + b", (A, torch.randn(1000, 1))), "flip": ("torch.flip(a, [1])", (A,)), "roll": ("torch.roll(a, [3], [1])", (A,)), "pad": ("torch.constant_pad_nd(a, [1, 1, 1, 1], 0.0)", (IMAGE,)),
    "sum": ("torch.sum(a)", (A,)), "sum.dim": ("torch.sum(a, [1])", (A,)), "sum.dim0": ("torch.sum(a, [0])", (A,)), "mean.dim": ("torch.mean(a, [1])", (A,)), "mean.spatial": ("torch.mean(a, [2, 3])", (IMAGE,)),
    "max.dim": ("torch.max(a, 1)", (A,)), "amax": ("torch.amax(a, [1])", (A,)), "argmax": ("torch.argmax(a, 1)", (A,)), "var.dim": ("torch.var(a, [1])", (A,)), "norm": ("torch.norm(a, 2.0, [1])", (A,)),
    "cumsum": ("torch.cumsum(a, 1)", (A,)), "topk": ("torch.topk(a, 10)", (A,)), "sort": ("torch.sort(a)", (A,)), "any": ("torch.any(a)", (torch.zeros(M, dtype=torch.bool),)),
    "softmax": ("torch.softmax(a, -1)", (A,)), "log_softmax": ("torch.log_softmax(a, -1)", (A,)), "layer_norm": ("torch.layer_norm(a, [768], b, c)", (TOKENS, torch.randn(768), torch.randn(768))),
    "group_norm": ("torch.group_norm(a, 8, b, c)", (IMAGE, torch.randn(64), torch.randn(64))), "batch_norm": ("torch.batch_norm(a, b, b, b, c, False, 0.1, 1e-05, False)", (IMAGE, torch.randn(64), torch.rand(64) + 0.5)),
    "embedding": ("torch.embedding(a, b)", (torch.randn(30000, 768), torch.randint(0, 30000, (8, 128)))), "gather": ("torch.gather(a, 1, b)", (A, INTS)), "index_select": ("torch.index_select(a, 0, b)", (A, torch.randint(0, 1000, (1000,)))),
    "index.Tensor": ("a[b]", (A, torch.randint(0, 1000, (1000,)))), "index.mask": ("a[b]", (A, MASK)), "index_put_": ("a.index_put_([b], c)", (A, torch.randperm(1000), B)), "scatter": ("torch.scatter(a, 1, b, c)", (A, INTS, B)), "nonzero": ("torch.nonzero(a)", (MASK,)),
    "matmul": ("torch.matmul(a, b)", (torch.randn(512, 512), torch.randn(512, 512))), "bmm": ("torch.bmm(a, b)", (torch.randn(12, 128, 64), torch.randn(12, 64, 128))), "matvec": ("torch.matmul(a, b)", (A, torch.randn(1000))),
    "addmm": ("torch.addmm(c, a, b)", (torch.randn(128, 768), torch.randn(768, 768), torch.randn(768))), "einsum": ("torch.einsum('bhid,bhjd->bhij', [a, b])", (HEADS, HEADS)),
    "sdpa": ("torch.scaled_dot_product_attention(a, b, c)", (HEADS, HEADS, HEADS)),
    "conv2d.3x3": ("torch.conv2d(a, b, None, [1, 1], [1, 1])", (IMAGE, WEIGHT)), "conv2d.1x1": ("torch.conv2d(a, b)", (IMAGE, torch.randn(256, 64, 1, 1))), "conv2d.stem": ("torch.conv2d(a, b, None, [2, 2], [3, 3])", (torch.randn(1, 3, 224, 224), torch.randn(64, 3, 7, 7))),
    "conv2d.depthwise": ("torch.conv2d(a, b, None, [1, 1], [1, 1], [1, 1], 64)", (IMAGE, torch.randn(64, 1, 3, 3))), "conv2d.grouped": ("torch.conv2d(a, b, None, [1, 1], [1, 1], [1, 1], 8)", (IMAGE, torch.randn(64, 8, 3, 3))), "conv1d": ("torch.conv1d(a, b, None, [1], [1])", (torch.randn(1, 64, 1000), torch.randn(64, 64, 3))),
    "conv3d": ("torch.conv3d(a, b, None, [1, 1, 1], [1, 1, 1])", (torch.randn(1, 16, 8, 28, 28), torch.randn(16, 16, 3, 3, 3))), "conv_transpose2d": ("torch.conv_transpose2d(a, b, None, [2, 2])", (torch.randn(1, 64, 28, 28), torch.randn(64, 32, 2, 2))),
    "max_pool2d": ("torch.max_pool2d(a, [3, 3], [2, 2], [1, 1])", (torch.randn(1, 64, 112, 112),)), "avg_pool2d": ("torch.avg_pool2d(a, [2, 2])", (IMAGE,)), "adaptive_avg_pool2d": ("torch.adaptive_avg_pool2d(a, [1, 1])", (IMAGE,)),
    "upsample_nearest2d": ("torch.upsample_nearest2d(a, None, [2.0, 2.0])", (IMAGE,)), "upsample_bilinear2d": ("torch.upsample_bilinear2d(a, None, False, [2.0, 2.0])", (IMAGE,)), "grid_sampler": ("torch.grid_sampler(a, b, 0, 0, False)", (IMAGE, torch.rand(1, 56, 56, 2) * 2 - 1)),
    "pixel_shuffle": ("torch.pixel_shuffle(a, 2)", (IMAGE,)), "arange": ("torch.arange(a)", (1000000,)), "zeros": ("torch.zeros([1000, 1000])", ()), "full": ("torch.full([1000, 1000], 2.5)", ()), "ones_like": ("torch.ones_like(a)", (A,)),
    "floor_divide": ("torch.floor_divide(a, b)", (A, POSITIVE)), "remainder": ("torch.remainder(a, 3.0)", (A,)), "floor": ("torch.floor(a)", (A,)), "round": ("torch.round(a)", (A,)), "reciprocal": ("torch.reciprocal(a)", (POSITIVE,)),
    "erf": ("torch.erf(a)", (A,)), "log1p": ("torch.log1p(a)", (POSITIVE,)), "expm1": ("torch.expm1(a)", (A,)), "leaky_relu": ("torch.leaky_relu(a, 0.1)", (A,)), "elu": ("torch.elu(a)", (A,)), "softplus": ("torch.softplus(a)", (A,)),
    "hardswish": ("torch.hardswish(a)", (A,)), "hardsigmoid": ("torch.hardsigmoid(a)", (A,)), "mish": ("torch.mish(a)", (A,)), "prelu": ("torch.prelu(a, b)", (IMAGE, torch.rand(64))), "gelu.tanh": ("torch.gelu(a, approximate='tanh')", (A,)), "log2": ("torch.log2(a)", (POSITIVE,)),
    "maximum": ("torch.maximum(a, b)", (A, B)), "ge.Scalar": ("a >= 0.5", (A,)), "le.Tensor": ("a <= b", (A, B)), "logical_not": ("torch.logical_not(a)", (MASK,)), "bitwise_not": ("torch.bitwise_not(a)", (MASK,)), "isnan": ("torch.isnan(a)", (A,)),
    "where.ScalarOther": ("torch.where(a, b, 0.0)", (MASK, A)), "add.int64": ("a + b", (INTS, INTS)), "mul.int64": ("a * b", (INTS, INTS)), "floor_divide.int64": ("torch.floor_divide(a, 7)", (INTS,)), "remainder.int64": ("torch.remainder(a, 7)", (INTS,)),
    "add.half": ("a + b", (A.half(), B.half())), "mul.bfloat16": ("a * b", (A.bfloat16(), B.bfloat16())), "gelu.half": ("torch.gelu(a)", (A.half(),)), "linear.bfloat16": ("torch.linear(a, b, c)", (TOKENS[:1].bfloat16(), torch.randn(768, 768).bfloat16(), torch.randn(768).bfloat16())), "linear.half": ("torch.linear(a, b, c)", (TOKENS[:1].half(), torch.randn(768, 768).half(), torch.randn(768).half())),
    "copy_": ("a.copy_(b)", (A.clone(), B)), "fill_": ("a.fill_(1.0)", (A.clone(),)), "tril": ("torch.tril(a)", (A,)), "triu": ("torch.triu(a, 1)", (A,)), "one_hot": ("torch.one_hot(a, 1000)", (torch.randint(0, 1000, (1000,)),)), "repeat_interleave": ("torch.repeat_interleave(a, 2, 0)", (A,)),
    "softmax.dim1": ("torch.softmax(a, 1)", (IMAGE,)), "instance_norm": ("torch.instance_norm(a, None, None, None, None, True, 0.1, 1e-05, False)", (IMAGE,)), "baddbmm": ("torch.baddbmm(c, a, b)", (torch.randn(12, 128, 64), torch.randn(12, 64, 128), torch.randn(12, 128, 128))),
    "min": ("torch.min(a)", (A,)), "max.dim0": ("torch.max(a, 0)", (A,)), "all": ("torch.all(a)", (torch.ones(M, dtype=torch.bool),)), "prod.dim": ("torch.prod(a, 1)", (A,)), "std.dim": ("torch.std(a, [1])", (A,)), "logsumexp": ("torch.logsumexp(a, [1])", (A,)), "cumsum.dim0": ("torch.cumsum(a, 0)", (A,)),
    "index_add": ("torch.index_add(a, 0, b, c)", (A, torch.randint(0, 1000, (1000,)), B)), "scatter_add": ("torch.scatter_add(a, 1, b, c)", (A, INTS, B)), "masked_select": ("torch.masked_select(a, b)", (A, MASK)), "unique": ("torch._unique2(a)", (INTS,)), "bincount": ("torch.bincount(a)", (INTS.flatten(),)),
    "im2col": ("torch.im2col(a, [3, 3], [1, 1], [1, 1], [1, 1])", (IMAGE,)), "reflection_pad2d": ("torch.reflection_pad2d(a, [1, 1, 1, 1])", (IMAGE,)), "upsample_bicubic2d": ("torch.upsample_bicubic2d(a, None, False, [2.0, 2.0])", (IMAGE,)), "conv2d.batch": ("torch.conv2d(a, b, None, [2, 2], [1, 1])", (torch.randn(4, 64, 28, 28), torch.randn(128, 64, 3, 3))), "conv2d.late": ("torch.conv2d(a, b, None, [1, 1], [1, 1])", (torch.randn(1, 512, 7, 7), torch.randn(512, 512, 3, 3))),
    "conv2d.depthwise_s2": ("torch.conv2d(a, b, None, [2, 2], [2, 2], [1, 1], 64)", (IMAGE, torch.randn(64, 1, 5, 5))), "conv2d.dilated": ("torch.conv2d(a, b, None, [1, 1], [2, 2], [2, 2])", (IMAGE, WEIGHT)), "conv_transpose2d.4x4": ("torch.conv_transpose2d(a, b, None, [2, 2], [1, 1])", (torch.randn(1, 64, 28, 28), torch.randn(64, 32, 4, 4))), "conv1d.long": ("torch.conv1d(a, b, None, [128])", (torch.randn(1, 1, 16000), torch.randn(258, 1, 256))),
    "gru": ("torch.gru(a, b, [c[0], c[1], c[2], c[3]], True, 1, 0.0, False, False, False)", (torch.randn(100, 1, 128), torch.zeros(1, 1, 128), [torch.randn(384, 128), torch.randn(384, 128), torch.randn(384), torch.randn(384)])), "rfft": ("torch.fft_rfft(a)", (torch.randn(100, 1024),)), "cdist": ("torch.cdist(a, b)", (torch.randn(300, 64), torch.randn(300, 64))),
    "lstm": ("torch.lstm(a, [b, b], [c[0], c[1], c[2], c[3]], True, 1, 0.0, False, False, False)", (torch.randn(100, 1, 128), torch.zeros(1, 1, 128), [torch.randn(512, 128), torch.randn(512, 128), torch.randn(512), torch.randn(512)])),
    # Other shapes, strides and dtypes of what models use.
    "rfft.400": ("torch.fft_rfft(a)", (torch.randn(300, 400),)), "irfft": ("torch.fft_irfft(a)", (torch.randn(100, 513, dtype=torch.complex64),)), "where.rows": ("torch.where(a, b, c)", (MASK[:, :1], A, B)), "hwc2chw": ("a.permute([2, 0, 1]).contiguous()", (torch.randn(480, 640, 3),)),
    "sum.permuted": ("torch.sum(a)", (A.t(),)), "sum.short": ("torch.sum(a, [-1])", (torch.randn(100000, 8),)), "amax.dim0": ("torch.amax(a, [0])", (A,)), "cumsum.int64": ("torch.cumsum(a, 1)", (INTS,)), "add.int32": ("a + b", (INTS.int(), INTS.int())), "neg.half": ("-a", (A.half(),)),
    "batch_norm.rows": ("torch.batch_norm(a, b, b, b, c, False, 0.1, 1e-05, False)", (torch.randn(1000, 64), torch.randn(64), torch.rand(64) + 0.5)), "embedding.short": ("torch.embedding(a, b)", (torch.randn(1000, 8), torch.randint(0, 1000, (100000,)))), "index_select.1": ("torch.index_select(a, 1, b)", (A, torch.randint(0, 1000, (1000,)))),
    "index.1d": ("a[b]", (torch.randn(1000), INTS)), "scatter.value": ("torch.scatter(a, 1, b, 1.0)", (A, INTS)), "matmul.bfloat16": ("torch.matmul(a, b)", (torch.randn(256, 256).bfloat16(), torch.randn(256, 256).bfloat16())), "unique.float": ("torch._unique2(a)", (A,)),
    "conv2d.depthwise_7x7": ("torch.conv2d(a, b, None, [1, 1], [3, 3], [1, 1], 64)", (IMAGE, torch.randn(64, 1, 7, 7))), "conv2d.depthwise_cl": ("torch.conv2d(a, b, None, [1, 1], [1, 1], [1, 1], 64)", (IMAGE.to(memory_format=torch.channels_last), torch.randn(64, 1, 3, 3))),
    "grid_sampler.nearest": ("torch.grid_sampler(a, b, 1, 0, False)", (IMAGE, torch.rand(1, 56, 56, 2) * 2 - 1)), "grid_sampler.3": ("torch.grid_sampler(a, b, 0, 0, False)", (torch.randn(1, 3, 224, 224), torch.rand(1, 224, 224, 2) * 2 - 1)), "atan2": ("torch.atan2(a, b)", (A, B)), "asin": ("torch.asin(a)", (A.clamp(-1, 1),)), "exp2": ("torch.exp2(a)", (A,)), "tan": ("torch.tan(a)", (A,)),
    # Integers, halves and doubles, and the functions that few models use.
    "add.int16": ("a + b", (INTS.short(), INTS.short())), "mul.uint8": ("a * b", (INTS.byte(), INTS.byte())), "and.int32": ("a & b", (INTS.int(), INTS.int())), "maximum.int32": ("torch.maximum(a, b)", (INTS.int(), INTS.flip(0).int())), "add.Scalar.int32": ("a + 2", (INTS.int(),)),
    "eq.uint8": ("a == b", (INTS.byte(), INTS.flip(0).byte())), "lt.int64": ("a < b", (INTS, INTS.flip(0))), "eq.bool": ("a == b", (MASK, ~MASK)), "abs.int8": ("torch.abs(a)", (INTS.char(),)), "clamp.uint8": ("torch.clamp(a, 3, 200)", (INTS.byte(),)), "neg.int32": ("-a", (INTS.int(),)),
    "uint8.float": ("a.to(torch.float32)", (INTS.byte(),)), "int32.float": ("a.to(torch.float32)", (INTS.int(),)), "int64.int32": ("a.to(torch.int32)", (INTS,)), "int32.bool": ("a.to(torch.bool)", (INTS.int(),)), "bool.int32": ("a.to(torch.int32)", (MASK,)), "double.half": ("a.to(torch.float16)", (A.double(),)),
    "cumsum.int32": ("torch.cumsum(a, 1)", (INTS.int(),)), "cumsum.bool": ("torch.cumsum(a, 1)", (MASK,)), "cumsum.double": ("torch.cumsum(a, 1)", (A.double(),)), "abs.bfloat16": ("torch.abs(a)", (A.bfloat16(),)), "sum.half": ("torch.sum(a)", (A.half(),)), "sum.dim0.half": ("torch.sum(a, [0])", (A.half(),)),
    "add.every_second": ("a[:, ::2] + b[:, ::2]", (A, B)), "expand.half": ("a.unsqueeze(2).expand([1000, 1000, 4]).contiguous()", (A.half(),)), "expand.bool": ("a.unsqueeze(2).expand([1000, 1000, 3]).contiguous()", (MASK,)), "hwc2chw.uint8": ("a.permute([2, 0, 1]).contiguous()", (torch.randint(0, 256, (480, 640, 3)).byte(),)),
    "lerp": ("torch.lerp(a, b, c)", (A, B, POSITIVE)), "lerp.Scalar": ("torch.lerp(a, b, 0.3)", (A, B)), "addcmul": ("torch.addcmul(a, b, c)", (A, B, POSITIVE)), "addcdiv": ("torch.addcdiv(a, b, c)", (A, B, POSITIVE)), "logical_and": ("torch.logical_and(a, b)", (A, B)), "hypot": ("torch.hypot(a, b)", (A, B)), "logaddexp": ("torch.logaddexp(a, b)", (A, B)),
    "sinh": ("torch.sinh(a)", (A,)), "cosh": ("torch.cosh(a)", (A,)), "atanh": ("torch.atanh(a)", (A.clamp(-0.9, 0.9),)), "logit": ("torch.logit(a)", (A.sigmoid(),)), "rand": ("torch.rand([1000, 1000])", ()), "randn": ("torch.randn([1000, 1000])", ()), "randint": ("torch.randint(0, 100, [1000, 1000])", ()), "arange.int32": ("torch.arange(1000000, dtype=torch.int32)", ()),
    **{f"{n}.double": (f"torch.{n}(a)", (POSITIVE.double(),)) for n in ("exp", "log", "log1p", "expm1", "sigmoid", "tanh", "sin", "cos", "tan", "sinh", "cosh", "silu")},
    "asin.double": ("torch.asin(a)", (A.double().clamp(-1, 1),)), "atan2.double": ("torch.atan2(a, b)", (A.double(), B.double())), "hypot.double": ("torch.hypot(a, b)", (A.double(), B.double())), "exp2.double": ("torch.exp2(a)", (A.double(),)), "amax.uint8": ("torch.amax(a, [1])", (INTS.byte(),)),
    "log_softmax.double": ("torch.log_softmax(a, -1)", (A.double(),)), "softmax.dim0.double": ("torch.softmax(a, 0)", (A.double(),)), "logsumexp.double": ("torch.logsumexp(a, [1])", (A.double(),)), "fmod.double": ("torch.fmod(a, b)", (A.double(), POSITIVE.double())), "remainder.double": ("torch.remainder(a, b)", (A.double(), POSITIVE.double())), "floor_divide.double": ("torch.floor_divide(a, b)", (A.double(), POSITIVE.double())),
    "arange.float": ("torch.arange(0.0, 1000000.0, 1.0)", ()), "linspace": ("torch.linspace(0.0, 1.0, 1000000)", ()), "softmax.double": ("torch.softmax(a, -1)", (A.double(),)), "pad.half": ("torch.constant_pad_nd(a, [1, 1, 1, 1], 0.0)", (IMAGE.half(),)),
    # Orders, choices and counts; narrow shapes; few results from much, many from little.
    "sort.flat": ("torch.sort(a)", (A.flatten(),)), "sort.int64": ("torch.sort(a)", (INTS,)), "sort.dim0": ("torch.sort(a, 0)", (A,)), "argsort.stable": ("torch.argsort(a, stable=True, dim=1)", (A,)), "topk.double": ("torch.topk(a, 10)", (A.double(),)),
    "median": ("torch.median(a)", (A,)), "median.dim": ("torch.median(a, 1)", (A,)), "nanmedian": ("torch.nanmedian(a)", (A,)), "kthvalue": ("torch.kthvalue(a, 500, 1)", (A,)), "mode": ("torch.mode(a, 1)", (INTS,)), "quantile": ("torch.quantile(a, 0.3)", (A,)), "histc": ("torch.histc(a)", (A,)),
    "unique.wide": ("torch._unique2(a)", (torch.randint(-2**40, 2**40, M),)), "unique.inverse": ("torch._unique2(a, True, True, True)", (INTS,)), "unique.bool": ("torch._unique2(a)", (MASK,)), "unique_consecutive": ("torch.unique_consecutive(a)", (INTS.flatten().sort()[0],)), "nonzero.float": ("torch.nonzero(a)", (A,)), "nonzero.int64": ("torch.nonzero(a)", (INTS,)),
    "gather.column": ("torch.gather(a, 1, b)", (torch.randn(100000, 10), torch.randint(0, 10, (100000, 1)))), "scatter_reduce.amax": ("torch.scatter_reduce(a, 0, b, c, 'amax')", (A, INTS, B)), "index_select.short": ("torch.index_select(a, 0, b)", (torch.randn(1000, 8), torch.randint(0, 1000, (100000,)))), "index_select.1d": ("torch.index_select(a, 0, b)", (torch.randn(1000), INTS.flatten())),
    "index_put_.accumulate": ("a.index_put_([b], c, True)", (torch.randn(1000), INTS.flatten(), A.flatten())), "index_fill": ("torch.index_fill(a, 1, b, 1.0)", (A, torch.randint(0, 1000, (500,)))), "masked_scatter": ("torch.masked_scatter(a, b, c)", (A, MASK, B)), "embedding_bag": ("torch.embedding_bag(a, b, c)", (torch.randn(1000, 64), torch.randint(0, 1000, (10000,)), torch.arange(0, 10000, 10))),
    "amax.short": ("torch.amax(a, [1])", (torch.randn(100000, 10),)), "max.short": ("torch.max(a, 1)", (torch.randn(100000, 10),)), "norm.short": ("torch.linalg_vector_norm(a, 2.0, [1])", (torch.randn(100000, 10),)), "norm.1": ("torch.norm(a, 1.0, [1])", (A,)), "norm.3": ("torch.linalg_vector_norm(a, 3.0, [1])", (A,)), "amax.spatial": ("torch.amax(a, [2, 3])", (IMAGE,)),
    "prod.dim0": ("torch.prod(a, 0)", (A,)), "sum.int64.dim0": ("torch.sum(a, [0])", (INTS,)), "any.int64": ("torch.any(a)", (torch.zeros(M, dtype=torch.int64),)), "any.short": ("torch.any(a, -1)", (torch.rand(100000, 10) > 0.9,)), "all.dim": ("torch.all(a, 1)", (A > -3,)), "allclose": ("torch.allclose(a, b)", (B, B.clone())), "equal": ("torch.equal(a, b)", (B, B.clone())),
    "cummax": ("torch.cummax(a, 1)", (A,)), "cummax.dim0": ("torch.cummax(a, 0)", (A,)), "cumprod": ("torch.cumprod(a, 1)", (A,)), "cumsum.double": ("torch.cumsum(a, 1)", (A.double(),)), "cumsum.short": ("torch.cumsum(a, 1)", (torch.randn(100000, 10),)),
    "upsample_linear1d": ("torch.upsample_linear1d(a, [2000], False)", (torch.randn(1, 64, 1000),)), "upsample_nearest1d": ("torch.upsample_nearest1d(a, [2000])", (torch.randn(1, 64, 1000),)), "upsample_bilinear2d.odd": ("torch.upsample_bilinear2d(a, [75, 101], False)", (IMAGE,)), "upsample_bilinear2d_aa": ("torch._upsample_bilinear2d_aa(a, [224, 224], False)", (torch.randn(1, 3, 480, 640),)), "upsample_lanczos2d_aa": ("torch._upsample_lanczos2d_aa(a, [224, 224], False)", (torch.randn(1, 3, 480, 640),)), "upsample_trilinear3d": ("torch.upsample_trilinear3d(a, [16, 32, 32], False)", (torch.randn(1, 16, 8, 16, 16),)),
    "grid_sampler.bicubic": ("torch.grid_sampler(a, b, 2, 0, False)", (IMAGE, torch.rand(1, 56, 56, 2) * 2 - 1)), "grid_sampler.3d": ("torch.grid_sampler(a, b, 0, 0, False)", (torch.randn(1, 8, 16, 32, 32), torch.rand(1, 16, 32, 32, 3) * 2 - 1)), "reflection_pad1d": ("torch.reflection_pad1d(a, [200, 200])", (torch.randn(1, 16000),)),
    "linear.narrow": ("torch.linear(a, b, c)", (torch.randn(10000, 3), torch.randn(64, 3), torch.randn(64))), "mv.t": ("torch.mv(a.t(), b)", (A, B[0])), "dot": ("torch.dot(a, b)", (A.flatten(), B.flatten())), "einsum.outer": ("torch.einsum('i,j->ij', [a, b])", (A[0], B[0])), "bmm.3x3": ("torch.bmm(a, b)", (torch.randn(1000, 3, 3), torch.randn(1000, 3, 3))), "bmm.bfloat16": ("torch.bmm(a, b)", (torch.randn(12, 128, 64).bfloat16(), torch.randn(12, 64, 128).bfloat16())),
    "conv1d.double": ("torch.conv1d(a, b, None, [1], [1])", (torch.randn(1, 64, 1000).double(), torch.randn(64, 64, 3).double())), "conv2d.double": ("torch.conv2d(a, b, None, [1, 1], [1, 1])", (torch.randn(1, 32, 28, 28).double(), torch.randn(32, 32, 3, 3).double())),
    "inverse.3x3": ("torch.inverse(a)", (torch.randn(10000, 3, 3) + 3 * torch.eye(3),)), "linalg_solve": ("torch.linalg_solve(a, b)", (torch.randn(128, 128) + 20 * torch.eye(128), torch.randn(128, 4))), "linalg_cholesky": ("torch.linalg_cholesky(a)", ((lambda x: x @ x.transpose(1, 2) + torch.eye(16))(torch.randn(500, 16, 16)),)), "fft.prime": ("torch.fft_fft(a)", (torch.randn(100, 1009, dtype=torch.complex64),)),
}


def annotation(v):
    return "List[Tensor]" if isinstance(v, list) else "int" if isinstance(v, int) else "Tensor"


def measure(sconce, only, rounds):
    """Milliseconds of sconce and of PyTorch, by the name of the form."""
    torch.set_num_threads(1)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (expression, values)) in enumerate(CASES.items()):
            if only and name not in only:
                continue
            expression = re.sub(r"torch\.(\w+)\(", r"torch.ops.aten.\1(", expression)
            parameters = "".join(f", {n}: {annotation(v)}" for n, v in zip("abc", values))
            module = torch.jit.script(torch.nn.Module())
            module.define(f"def run{number}(self{parameters}):\n    return {expression}\n")
            path = pathlib.Path(folder) / "op.pt"
            module.save(str(path))
            torch.save({"format": 1, "torch": "", "cases": [{"method": f"run{number}", "inputs": tuple(values), "check": "meta", "rtol": 0, "atol": 0, "output": 0}]}, path.with_suffix(".io.pt"))
            ours, theirs = [], []
            with torch.inference_mode():
                eager = eval("lambda a=None, b=None, c=None: " + expression)  # noqa: S307: the table above
                for _ in range(rounds):
                    run = subprocess.run([sconce, "bench", path, "--io", path.with_suffix(".io.pt"), "--json", "--min-time", "0.1"], capture_output=True, text=True, check=False)
                    if run.returncode:
                        print(f"{name}: {run.stderr.strip()[-200:]}")
                        break
                    ours.append(json.loads(run.stdout)["median_ms"])
                    times, stop = [], time.perf_counter() + 0.1
                    eager(*values)
                    while time.perf_counter() < stop or not times:
                        start = time.perf_counter()
                        eager(*values)
                        times.append((time.perf_counter() - start) * 1e3)
                    theirs.append(statistics.median(times))
            if ours:
                a, b = found[name] = statistics.median(ours), statistics.median(theirs)
                print(f"{name:24} {a:9.3f} ms {b:9.3f} ms  {a / b:5.2f}", flush=True)
    return found


def markdown(results, rounds):
    columns = {"all": "", "avx2": "AVX2: "}
    lines = ["# Single operators beside PyTorch", "",
             "Written by `bench/operators.py --markdown`: one call on a million elements or on the sizes that networks use, one",
             f"thread, medians of {rounds} rounds in turn. A ratio above 1: sconce is slower than PyTorch {torch.__version__.split('+')[0]}'s eager mode.", ""]
    for isa, found in results.items():
        ratios = [a / b for a, b in found.values()]
        lines.append(f"- {'Held to AVX2' if isa == 'avx2' else 'Every instruction set'}: {len(ratios)} forms, {sum(r > 1.5 for r in ratios)} slower than 1.5 times PyTorch, "
                     f"{sum(r > 2 for r in ratios)} than twice; the median ratio is {statistics.median(ratios):.2f}.")
    lines += ["", "| operator | " + " | ".join(f"{columns[isa]}{what}" for isa in results for what in ("sconce ms", "PyTorch ms", "ratio")) + " |",
              "|---" * (1 + 3 * len(results)) + "|"]
    for name in CASES:
        cells = [f"{a:.3f} | {b:.3f} | {a / b:.2f}" if a else "- | - | -" for a, b in (found.get(name, (0, 0)) for found in results.values())]
        if any(name in found for found in results.values()):
            lines.append(f"| {name.replace('_', chr(92) + '_') if name.startswith('_') else name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sconce")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--isa", nargs="+", choices=["all", "avx2"], default=["all"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--markdown", help="file for the table")
    options = parser.parse_args()
    results = {}
    for isa in options.isa:
        if isa == "all" or os.environ.get("SCONCE_ISA") == "avx2":
            results[isa] = measure(options.sconce, options.only, options.rounds)
            continue
        with tempfile.NamedTemporaryFile() as file:  # PyTorch looks at its environment when it is loaded
            command = [sys.executable, __file__, options.sconce, "--isa", isa, "--rounds", str(options.rounds), "--json", file.name]
            subprocess.run(command + (["--only", *options.only] if options.only else []), check=True, env={**os.environ, **machine.AVX2})
            results[isa] = json.loads(pathlib.Path(file.name).read_text())[isa]
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results))
    if options.markdown:
        pathlib.Path(options.markdown).write_text(markdown(results, options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
