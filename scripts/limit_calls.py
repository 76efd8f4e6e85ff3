# SPDX-License-Identifier: Apache-2.0
"""Calls at and beyond the limits of operators, for `compare_with_torch.py --refusals`.

A call that may well be answered is taken, and one or two of its arguments are pushed: sizes 0, 1 and mismatched, dims out
of range, counts below zero, windows larger than what they slide over, probabilities outside [0, 1], numbers that a dtype
can't hold, other dtypes, indices on both sides of their range, None, zero strides, and tensors that share memory.
"""
import math

import torch

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint8, torch.bool, torch.complex64, torch.complex128]
# Tested beside the most used operators: those that refuse values.
LIMITED = """max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices avg_pool1d
avg_pool2d avg_pool3d im2col col2im unfold adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool1d
adaptive_avg_pool3d fractional_max_pool2d fractional_max_pool3d max_unpool2d max_unpool3d multinomial normal normal_
exponential_ geometric_ random_ cauchy_ log_normal_ bernoulli bernoulli_ uniform_ bincount einsum huber_loss smooth_l1_loss
mse_loss masked_fill_ masked_fill masked_scatter_ masked_scatter masked_select linspace logspace arange range randint randperm
eye one_hot repeat_interleave embedding embedding_bag gather scatter scatter_ scatter_add_ scatter_reduce_ index_select
index_copy_ index_add_ index_fill_ index_put_ put_ take take_along_dim cross_entropy_loss nll_loss nll_loss_nd
group_norm layer_norm instance_norm batch_norm rms_norm narrow select slice chunk split split_with_sizes tensor_split topk
kthvalue tril triu diag diagonal diag_embed trace cross linalg_cross pixel_shuffle pixel_unshuffle channel_shuffle grid_sampler
affine_grid_generator upsample_nearest1d upsample_nearest2d upsample_bilinear2d upsample_linear1d upsample_bicubic2d conv1d conv2d
conv3d conv_transpose1d conv_transpose2d conv_transpose3d dropout alpha_dropout feature_dropout softmax log_softmax copy_ add_
sub_ mul_ div_ cumsum_ cumprod_ clamp_ addcmul_ addcdiv_ lerp_ pow_ eq_ lt_ where cumsum cumprod logcumsumexp cummax cummin sort
argsort median mode unique_dim unique_consecutive histc bucketize searchsorted quantile flip roll rot90 movedim swapaxes
renorm renorm_ reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d constant_pad_nd pad tril_indices triu_indices
cartesian_prod combinations block_diag vander fill_diagonal_ expand view as_strided reshape squeeze unsqueeze stack cat
mm bmm matmul addmm addmv addr dot mv baddbmm outer kl_div binary_cross_entropy binary_cross_entropy_with_logits poisson_nll_loss
hinge_embedding_loss margin_ranking_loss multi_margin_loss multilabel_margin_loss triplet_margin_loss cosine_embedding_loss
soft_margin_loss cosine_similarity pairwise_distance cdist nonzero argmax argmin amax amin max min mean var std norm
logsumexp prod all any leaky_relu elu celu hardtanh threshold rrelu glu prelu hann_window hamming_window bartlett_window
blackman_window kaiser_window polygamma nan_to_num fmod remainder floor_divide bitwise_and bitwise_left_shift celu_ t
numpy_T rand randn full zeros ones new_full full_like fill_ tile repeat stft istft""".split()


def pick(c, t):
    """A dim of t, or None."""
    return c.rng.randrange(t.dim()) if t.dim() else None


def resized(c, t):
    """t with other sizes."""
    r, d = c.rng, pick(c, t)
    kind = r.random()
    if d is None or kind < 0.15:
        return t.unsqueeze(r.randrange(t.dim() + 1))
    if kind < 0.35 and t.size(d) > 0:
        return t.select(d, 0)
    if kind < 0.55:
        return t.narrow(d, 0, 0)
    if kind < 0.7 and t.size(d) > 1:
        return t.narrow(d, 0, 1)
    if kind < 0.8 and t.size(d) > 1:
        return t.narrow(d, 0, t.size(d) - 1)
    if kind < 0.85:
        return t.reshape(-1)
    if kind < 0.9:
        return torch.zeros([], dtype=t.dtype)
    return torch.cat([t, t.narrow(d, 0, min(1, t.size(d)))], d) if t.size(d) else t


def spoiled(c, t, biggest):
    """t with an element at or beyond a limit."""
    r = c.rng
    t = t.clone(memory_format=torch.contiguous_format)
    if not t.numel() or t.dtype == torch.bool:
        return t
    if t.dtype.is_floating_point or t.dtype.is_complex:
        choices = [-1.0, 0.0, 1.0, 1.5, math.nan, math.inf, -math.inf]
    else:
        choices = [-biggest - 1, -biggest, -1, 0, biggest - 1, biggest, biggest + 1]
        if t.dtype == torch.uint8:
            choices = [abs(v) for v in choices]
    if r.random() < 0.15:
        return torch.full_like(t, r.choice([v for v in choices if v == v]))
    t.view(-1)[r.randrange(t.numel())] = r.choice(choices)
    return t


def overlapping(c, t):
    """t's sizes with elements that share memory."""
    r, d = c.rng, pick(c, t)
    if d is None or not t.numel():
        return t
    if r.random() < 0.7:
        return t.narrow(d, 0, 1).expand(t.shape)
    return t.contiguous().as_strided(t.shape, [1] * t.dim())


def pushed_tensor(c, t, tensors):
    """Another tensor in t's place."""
    r = c.rng
    kind = r.random()
    if kind < 0.4:
        return resized(c, t)
    if kind < 0.6:
        try:
            return t.to(r.choice(DTYPES))
        except RuntimeError:
            return t
    if kind < 0.85:
        return spoiled(c, t, max([s for x in tensors for s in x.shape] or [1]))
    return overlapping(c, t)


def share(c, args, indices):
    """Two tensors of the call in one memory."""
    r = c.rng
    a, b = r.sample(indices, 2)
    x, y = args[a], args[b]
    if x.dtype != y.dtype or not x.numel() or not y.numel():
        y = x
    n = max(x.numel(), y.numel())
    base = c.fill([n + 2], x.dtype)
    shift = r.choice([0, 1, 1, 2])
    args[a] = base[:x.numel()].view(x.shape)
    args[b] = base[shift:shift + y.numel()].view(y.shape)
    if shift == 0 and x.dim() == 2 and x.size(0) == x.size(1) and y.shape == x.shape and r.random() < 0.5:
        args[b] = args[a].t()


def pushed_int(c, name, value, rank, biggest):
    r = c.rng
    if name.startswith("dim") or name in ("start_dim", "end_dim", "axis", "axis0", "axis1", "batch_dim"):
        return r.randrange(-rank - 2, rank + 2)
    if name == "dtype":
        return r.choice([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 15])
    if name == "memory_format":
        return value
    if name == "reduction":
        return r.choice([-1, 0, 1, 2, 3])
    near = [value - 1, value + 1] if isinstance(value, int) else []
    return r.choice(near + [-2, -1, 0, 1, 2, biggest - 1, biggest, biggest + 1, -biggest, -biggest - 1, 100, 2**31, -2**31 - 1,
                            2**63 - 1 if r.random() < 0.2 else 3])


def pushed_number(c, kind):
    r = c.rng
    if kind == "bool":
        return r.random() < 0.5
    if kind == "int":
        return r.choice([-1, 0, 1, 2, 127, 128, -128, -129, 255, 256, 32768, 70000, 2**31 - 1, 2**31, 2**63 - 1, -2**63])
    return r.choice([-1.0, -0.5, 0.0, 0.5, 1.0, 1.001, 1.5, 2.0, math.nan, math.inf, -math.inf, 1e39, -1e39, 65505.0, 300.5, 1e19])


def pushed_ints(c, name, values, rank, biggest):
    r = c.rng
    values = list(values)
    kind = r.random()
    if kind < 0.15:
        return values[:-1]
    if kind < 0.3:
        return values + [r.choice([0, 1, 2])]
    if kind < 0.35:
        return []
    if kind < 0.4:
        return values[:1]
    if not values:
        values = [1]
    if name in ("dim", "dims", "axes", "source", "destination"):
        if kind < 0.55:
            return values + values[:1]
        values[r.randrange(len(values))] = r.randrange(-rank - 2, rank + 2)
        return values
    several = r.random() < 0.3
    new = r.choice([-2, -1, -1, 0, 0, 1, 2, 3, biggest - 1, biggest, biggest + 1, biggest + 2, 2 * biggest + 1])
    if r.random() < 0.02:
        new = r.choice([2**31, 2**62])
    for i in range(len(values)) if several else [r.randrange(len(values))]:
        values[i] = new
    return values


def pushed(c, name, kind, value, args):
    """A value at or beyond a limit, in place of value."""
    r = c.rng
    tensors = [x for x in args if isinstance(x, torch.Tensor)]
    rank = tensors[0].dim() if tensors else 2
    biggest = max([s for s in tensors[0].shape] or [1]) if tensors else 4
    if kind.startswith("Optional["):
        if r.random() < 0.25:
            return None
        kind = kind[9:-1]
        if value is None:
            value = {"Tensor": None, "int": 1, "float": 0.5, "bool": False, "List[int]": [1, 1], "List[float]": [0.5, 0.5],
                     "str": "none"}.get(kind)
            if kind == "Tensor":
                return c.tensor(c.other_shape(), c.other_dtype())
            if value is None:
                return None
    if kind == "Tensor":
        return pushed_tensor(c, value, tensors)
    if kind == "int" and name not in ("value", "other", "alpha", "beta"):
        return pushed_int(c, name, value, rank, biggest)
    if kind in ("int", "float", "bool"):
        return pushed_number(c, kind)
    if kind == "List[int]":
        return pushed_ints(c, name, value, rank, biggest)
    if kind == "List[float]":
        return [pushed_number(c, "float") for _ in range(r.randrange(0, 4))]
    if kind == "List[bool]":
        return [r.random() < 0.5 for _ in range(r.randrange(0, 4))]
    if kind == "str":
        return r.choice(["", "x", "none", "mean", "ij,jk->il", "ij->ijj", "ij->iij", "i.j->i", "ij,jk", "ij->", "...->...", value])
    if kind in ("List[Tensor]", "List[Optional[Tensor]]"):
        if r.random() < 0.15 or not value:
            return []
        value = list(value)
        i = r.randrange(len(value))
        if value[i] is not None:
            value[i] = pushed_tensor(c, value[i], tensors + [x for x in value if x is not None])
        return value
    return value


def push(method, args):
    """The arguments of a call, one or two of them pushed."""
    c, r = method.calls, method.calls.rng
    args = list(args)
    indices = [i for i, x in enumerate(args) if isinstance(x, torch.Tensor)]
    mutable = any(a.alias_info is not None and a.alias_info.is_write for a in method.schema.arguments)
    if mutable and indices and r.random() < 0.25:
        if len(indices) > 1 and r.random() < 0.6:
            share(c, args, indices)
        else:
            i = r.choice(indices)
            args[i] = overlapping(c, args[i])
        return tuple(args)
    for _ in range(r.choice([0, 1, 1, 1, 1, 2])):
        if not args:
            break
        i = r.randrange(len(args))
        args[i] = pushed(c, method.given[i].name, method.kinds[i], args[i], args)
    return tuple(args)


def usual(c):
    """Arguments that PyTorch answers, by name, of operators that refuse most random ones."""
    r, name = c.rng, c.name
    n = r.choice([1, 2, 4])
    f = r.choice([torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.float16])
    if name in ("multinomial", "bernoulli", "binary_cross_entropy"):
        p = torch.rand([r.choice([1, 2, 3]), 4] if r.random() < 0.6 else [4]).to(f)
        return {"self": p, "num_samples": r.choice([1, 2, 4]), "replacement": r.random() < 0.5, "target": torch.rand(p.shape).to(f)}
    if name.rstrip("_") in ("normal", "exponential", "geometric", "random", "cauchy", "log_normal", "uniform", "bernoulli"):
        x = torch.rand([2, 3]).to(f)
        return {"self": x, "mean": x if r.random() < 0.3 else 0.5, "std": 1.0, "p": 0.5, "from": 0, "to": 3, "lambd": 1.0,
                "median": 0.0, "sigma": 1.0}
    if name == "bincount":
        x = torch.randint(0, 5, [r.choice([0, 1, 4])])
        return {"self": x, "weights": r.choice([None, torch.rand(x.shape)]), "minlength": r.choice([0, 3, 7])}
    if name == "one_hot":
        return {"self": torch.randint(0, 4, [2, 3]), "num_classes": r.choice([-1, 4, 5])}
    if name == "repeat_interleave":
        return {"self": torch.rand(3, 2).to(f), "repeats": torch.tensor([1, 0, 2]), "dim": r.choice([None, 0])}
    if name == "embedding":
        return {"weight": torch.rand(5, 3).to(f), "indices": torch.randint(0, 5, [r.choice([1, 2, 3])]), "padding_idx": -1,
                "scale_grad_by_freq": False, "sparse": False}
    if name == "embedding_bag":
        return {"weight": torch.rand(5, 3), "indices": torch.randint(0, 5, [4]), "offsets": torch.tensor([0, 2]), "mode": r.choice([0, 1, 2]),
                "sparse": False, "scale_grad_by_freq": False, "per_sample_weights": None}
    if name in ("topk", "kthvalue"):
        return {"self": torch.rand(3, 4).to(f), "k": r.choice([1, 2, 3]), "dim": r.choice([0, 1, -1])}
    if name in ("cross", "linalg_cross"):
        return {"self": torch.rand(2, 3).to(f), "other": torch.rand(2, 3).to(f), "dim": 1}
    if name == "grid_sampler":
        nd = r.choice([2, 3])
        return {"input": torch.rand([2, 3] + [3] * nd), "grid": torch.rand([2] + [2] * nd + [nd]) * 2 - 1, "interpolation_mode": r.choice([0, 1]),
                "padding_mode": r.choice([0, 1, 2]), "align_corners": False}
    if name in ("affine_grid_generator",):
        nd = r.choice([2, 3])
        return {"theta": torch.rand(2, nd, nd + 1), "size": [2, 3] + [3] * nd}
    if name == "im2col":
        return {"self": torch.rand(2, 3, 5, 5).to(f), "kernel_size": [2, 2], "dilation": [1, 1], "padding": [0, 0], "stride": [1, 1]}
    if name == "col2im":
        return {"self": torch.rand(2, 12, 16).to(f), "output_size": [5, 5], "kernel_size": [2, 2], "dilation": [1, 1], "padding": [0, 0],
                "stride": [1, 1]}
    if name == "unfold":
        return {"self": torch.rand(4, 5).to(f), "dimension": r.choice([0, 1]), "size": r.choice([1, 2, 3]), "step": r.choice([1, 2])}
    if name.startswith("fractional_max_pool"):
        nd = int(name[-2])
        return {"self": torch.rand([2, 3] + [6] * nd), "kernel_size": [2] * nd, "output_size": [3] * nd, "random_samples": torch.rand(2, 3, nd)}
    if name.startswith("max_unpool"):
        nd = int(name[-2])
        return {"self": torch.rand([2, 3] + [2] * nd), "indices": torch.randint(0, 4 ** nd, [2, 3] + [2] * nd), "output_size": [4] * nd,
                "stride": [2] * nd, "padding": [0] * nd}
    if name in ("reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "constant_pad_nd", "pad"):
        nd = 1 if "1d" in name else 2
        return {"self": torch.rand([2, 3] + [4] * nd).to(f), "padding": [r.choice([0, 1, 2])] * (2 * nd), "pad": [1, 2, 1, 0][: 2 * nd],
                "mode": r.choice(["constant", "reflect", "replicate", "circular"]), "value": None if name == "pad" else 1.0}
    if name in ("arange", "range", "linspace", "logspace", "randint", "randperm", "eye"):
        return {"start": r.choice([0, 1, -2]), "end": r.choice([4, 7]), "step": 1, "steps": r.choice([1, 3, 5]), "low": 0, "high": 5,
                "size": [2, 3], "n": n + 1, "m": n, "base": 2.0}
    if name in ("rand", "randn", "full", "zeros", "ones", "empty"):
        return {"size": [2, 3], "fill_value": r.choice([0, 1, 2])}
    if name in ("tril_indices", "triu_indices"):
        return {"row": 3, "col": 4, "offset": r.choice([-1, 0, 1])}
    if name in ("narrow", "select", "slice"):
        return {"self": torch.rand(3, 4).to(f), "dim": r.choice([0, 1]), "start": r.choice([0, 1]), "length": 2, "index": r.choice([0, 1, 2]), "end": 3,
                "step": 1}
    if name in ("huber_loss", "smooth_l1_loss", "mse_loss", "l1_loss"):
        x = torch.rand(2, 3).to(f)
        return {"self": x, "target": torch.rand_like(x), "reduction": r.choice([0, 1, 2]), "delta": 1.0, "beta": 1.0}
    if name in ("multi_margin_loss",):
        return {"self": torch.rand(3, 4), "target": torch.randint(0, 4, [3]), "p": 1, "margin": 1.0, "weight": None, "reduction": 1}
    if name in ("multilabel_margin_loss",):
        return {"self": torch.rand(3, 4), "target": torch.randint(-1, 4, [3, 4]), "reduction": 1}
    if name in ("masked_scatter_", "masked_scatter", "masked_select", "masked_fill", "masked_fill_"):
        return {"self": torch.rand(3, 4).to(f), "mask": torch.rand(3, 4) < 0.4, "source": torch.rand(12).to(f)}
    if name in ("bucketize", "searchsorted"):
        return {"sorted_sequence": torch.tensor([0.1, 0.5, 0.9]), "boundaries": torch.tensor([0.1, 0.5, 0.9]), "self": torch.rand(2), "input": torch.rand(2),
                "side": None, "sorter": None}
    if name == "quantile":
        return {"self": torch.rand(3, 4), "q": torch.rand(2), "interpolation": "linear"}
    if name in ("put_", "take"):
        return {"self": torch.rand(3, 4), "index": torch.randint(-12, 12, [3]), "source": torch.rand(3)}
    if name.endswith("_window"):
        return {"window_length": r.choice([1, 4, 7])}
    if name == "histc":
        return {"self": torch.rand(6), "bins": r.choice([1, 4]), "min": 0, "max": 1}
    if name in ("tensor_split", "split", "chunk", "split_with_sizes"):
        return {"self": torch.rand(4, 3).to(f), "dim": r.choice([0, 1]), "chunks": 2, "split_size": 2, "split_sizes": [1, 3], "sections": 2, "indices": [1]}
    if name == "stft":
        return {"self": torch.rand(2, 16), "n_fft": 8, "hop_length": 4, "win_length": r.choice([None, 8]), "window": torch.rand(8), "normalized": False,
                "onesided": True, "return_complex": True, "center": False, "pad_mode": "reflect"}
    return None
