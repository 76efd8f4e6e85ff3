# SPDX-License-Identifier: Apache-2.0
"""Twenty small networks of the usual kinds, a few thousand weights each."""
from typing import Dict, List, Optional, Tuple

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(i, o, k=3, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o))


class Residual(nn.Module):
    def __init__(self, i: int, o: int, stride: int = 1):
        super().__init__()
        self.first, self.second = conv(i, o, 3, stride), conv(o, o)
        self.shortcut = conv(i, o, 1, stride) if stride != 1 or i != o else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 5, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Residual(6, 6), Residual(6, 8, 2), Residual(8, 10, 2))
        self.head = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1), 1))


class InvertedResidual(nn.Module):
    def __init__(self, i: int, o: int, stride: int, expand: int):
        super().__init__()
        wide = i * expand
        self.squeeze, self.excite = nn.Linear(wide, 4), nn.Linear(4, wide)
        self.expand, self.depth, self.project = conv(i, wide, 1), conv(wide, wide, 3, stride, wide), conv(wide, o, 1)
        self.residual = stride == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        y = F.hardswish(self.depth(F.relu6(self.expand(x))))
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3))))))
        y = self.project(y * gate[:, :, None, None])
        return x + y if self.residual else y


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 4, 3, 2), nn.Hardswish(), InvertedResidual(4, 4, 1, 2), InvertedResidual(4, 8, 2, 3),
                                  InvertedResidual(8, 8, 1, 2))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([conv(1, 4), conv(4, 6), conv(6, 8)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(8, 6, 2, 2), nn.ConvTranspose2d(6, 4, 2, 2)])
        self.merge = nn.ModuleList([conv(12, 6), conv(8, 4)])
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept: List[Tensor] = []
        for i, layer in enumerate(self.down):
            x = F.leaky_relu(layer(x), 0.1)
            if i < 2:
                kept.append(x)
                x = F.max_pool2d(x, 2)
        for up, merge in zip(self.up, self.merge):
            x = F.relu(merge(torch.cat([up(x), kept.pop()], 1)))
        return torch.sigmoid(self.last(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        n, length, width = x.size(0), x.size(1), x.size(2)
        q, k, v = self.qkv(x).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(n, length, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2, self.attention = nn.LayerNorm(width), nn.LayerNorm(width), Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, width: int = 12):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 17, width))
        self.blocks = nn.Sequential(Block(width, 2), Block(width, 3))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.size(0), -1, -1), x], 1) + self.position
        return self.head(self.blocks(x)[:, 0])


class Bert(nn.Module):
    def __init__(self, width: int = 12):
        super().__init__()
        self.words, self.positions, self.kinds = nn.Embedding(20, width, padding_idx=0), nn.Embedding(10, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.layer = nn.TransformerEncoderLayer(width, 3, 16, 0.1, "gelu", batch_first=True)
        self.pool = nn.Linear(width, width)

    def forward(self, ids: Tensor, kinds: Tensor) -> Tuple[Tensor, Tensor]:
        x = self.words(ids) + self.positions(torch.arange(ids.size(1)))[None] + self.kinds(kinds)
        x = self.layer(self.norm(x), src_key_padding_mask=ids == 0)
        return x, torch.tanh(self.pool(x[:, 0]))


class Gpt(nn.Module):
    """A decoder that keeps the keys and values of earlier calls."""

    def __init__(self, width: int = 12, heads: int = 2, words: int = 16):
        super().__init__()
        self.heads, self.width = heads, width
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(16, width)
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 24), nn.GELU("tanh"), nn.Linear(24, width))

    def forward(self, ids: Tensor, past: Optional[Tuple[Tensor, Tensor]] = None) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:
        start = 0
        if past is not None:
            start = past[0].size(2)
        n, length = ids.shape
        x = self.words(ids) + self.positions(torch.arange(start, start + length))
        q, k, v = self.qkv(self.norm(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.width // self.heads)
        hidden = torch.ones(length, k.size(2), dtype=torch.bool).tril(start).logical_not()
        y = scores.masked_fill(hidden, -1e9).softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).reshape(n, length, self.width))
        x = x + self.mlp(x)
        return x @ self.words.weight.t(), (k, v)

    @torch.jit.export
    def generate(self, ids: Tensor, steps: int) -> Tensor:
        logits, past = self.forward(ids, None)
        for _ in range(steps):
            following = logits[:, -1].argmax(-1, keepdim=True)
            ids = torch.cat([ids, following], 1)
            logits, past = self.forward(following, past)
        return ids


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(12, 6), nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 4)

    def forward(self, ids: Tensor) -> Tuple[Tensor, Tensor]:
        y, (h, _) = self.lstm(self.embed(ids))
        return F.log_softmax(self.head(y), -1), h


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.cell, self.head = nn.GRU(5, 8), nn.GRUCell(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, state: Tensor) -> Tuple[Tensor, Tensor]:
        y, h = self.gru(x, state)
        last = self.cell(y[-1], h[0])
        return self.head(last), h


class TemporalBlock(nn.Module):
    def __init__(self, i: int, o: int, dilation: int):
        super().__init__()
        self.pad = 2 * dilation
        self.conv = nn.Conv1d(i, o, 3, dilation=dilation)
        self.norm = nn.GroupNorm(2, o)
        self.match = nn.Conv1d(i, o, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(F.pad(x, (self.pad, 0))))
        return F.elu(y + self.match(x))


class Tcn(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(TemporalBlock(2, 6, 1), TemporalBlock(6, 6, 2), TemporalBlock(6, 6, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)[:, :, -1]


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 8), nn.SiLU(), nn.Linear(8, 6))
        self.decoder = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 16), nn.Tanh())

    def forward(self, x: Tensor, sample: bool) -> Tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, -1)
        z = mean
        if sample:
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return self.decoder(z), mean, log_variance


class Detector(nn.Module):
    """Boxes and scores of a feature map; the best of each cell above a threshold."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 6, 3, 2), nn.ReLU(), conv(6, 8, 3, 2), nn.ReLU())
        self.boxes, self.scores = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 6, 1)

    def forward(self, x: Tensor, threshold: float = 0.5) -> List[Dict[str, Tensor]]:
        features = self.body(x)
        n, h, w = features.size(0), features.size(2), features.size(3)
        ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        centers = torch.stack([xs, ys], -1).view(1, h * w, 1, 2) * 4.0
        boxes = self.boxes(features).view(n, 2, 4, h * w).permute(0, 3, 1, 2)
        low = centers - F.softplus(boxes[..., :2])
        high = centers + F.softplus(boxes[..., 2:])
        corners = torch.cat([low, high], -1).clamp(0.0, float(x.size(-1)))
        scores = self.scores(features).view(n, 2, 3, h * w).permute(0, 3, 1, 2).softmax(-1)
        out: List[Dict[str, Tensor]] = []
        for i in range(n):
            best, labels = scores[i].flatten(0, 1).max(-1)
            keep = best > threshold
            order = best[keep].argsort(descending=True)
            out.append({"boxes": corners[i].flatten(0, 1)[keep][order], "scores": best[keep][order], "labels": labels[keep][order]})
        return out


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(3, 8, 1), nn.Conv1d(16, 8, 1)
        self.transform = nn.Linear(8, 9)
        self.norm, self.head = nn.BatchNorm1d(8), nn.Linear(8, 4)

    def forward(self, points: Tensor) -> Tensor:
        turn = self.transform(self.first(points).amax(2)).view(-1, 3, 3) + torch.eye(3)
        x = F.relu(self.norm(self.first(torch.bmm(turn, points))))
        whole = x.max(2, keepdim=True)[0].expand_as(x)
        return self.head(self.second(torch.cat([x, whole], 1)).max(2)[0])


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Linear(6, 8 * 4)
        self.body = nn.Sequential(nn.ConvTranspose2d(8, 6, 4, 2, 1), nn.InstanceNorm2d(6, affine=True), nn.PReLU(6),
                                  nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False), nn.ReflectionPad2d(1),
                                  nn.Conv2d(6, 3, 3), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.body(self.start(z).view(-1, 8, 2, 2))


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv1d(1, 6, 10, 5, bias=False), nn.Conv1d(6, 6, 3, 2, bias=False), nn.Conv1d(6, 6, 2, 2, bias=False)])
        self.norm = nn.GroupNorm(6, 6)
        self.position = nn.Conv1d(6, 6, 4, padding=2, groups=2)
        self.block, self.head = Block(6, 2), nn.Linear(6, 5)

    def forward(self, sound: Tensor) -> Tensor:
        x = F.layer_norm(sound, sound.shape[-1:])[:, None]
        for i, layer in enumerate(self.convs):
            x = layer(x)
            if i == 0:
                x = self.norm(x)
            x = F.gelu(x)
        x = x + F.gelu(self.position(x)[:, :, :-1])
        return F.log_softmax(self.head(self.block(x.transpose(1, 2))), -1)


class Translator(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.source, self.target = nn.Embedding(10, width), nn.Embedding(12, width)
        self.transformer = nn.Transformer(width, 2, 1, 1, 16, batch_first=True)
        self.head = nn.Linear(width, 12)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        length = target.size(1)
        mask = torch.full([length, length], -math.inf).triu(1)
        return self.head(self.transformer(self.source(source), self.target(target), tgt_mask=mask))


class Experts(nn.Module):
    def __init__(self, width: int = 6):
        super().__init__()
        self.gate = nn.Linear(width, 4)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(width, 8), nn.SiLU(), nn.Linear(8, width)) for _ in range(4)])

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows, slots = torch.where(chosen == i)
            if rows.numel() > 0:
                out.index_add_(0, rows, expert(x[rows]) * weights[rows, slots, None])
        return out


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.bags = nn.ModuleList([nn.EmbeddingBag(15, 4, mode=m) for m in ("sum", "mean", "max")])
        self.dense, self.top = nn.Linear(5, 4), nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x: Tensor, ids: List[Tensor], offsets: List[Tensor]) -> Tensor:
        parts = [self.dense(x)]
        for i, bag in enumerate(self.bags):
            parts.append(bag(ids[i], offsets[i]))
        z = torch.stack(parts, 1)
        pairs = torch.bmm(z, z.transpose(1, 2))
        i, j = torch.tril_indices(4, 4, -1).unbind(0)
        return torch.sigmoid(self.top(torch.cat([parts[0], pairs[:, i, j]], 1))).squeeze(1)


class SuperResolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Mish(), nn.Conv2d(8, 8, 3, padding=1, padding_mode="replicate"), nn.ReLU(),
                                  nn.Conv2d(8, 4, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.body(x), 2) + F.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)


class GraphConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8, bias=False), nn.Linear(8, 3, bias=False)

    def forward(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        degree = torch.zeros(x.size(0)).scatter_add_(0, target, torch.ones(target.size(0))).clamp_min(1.0)
        for i, layer in enumerate([self.first(x), self.second.weight]):
            if i == 0:
                x = layer
            else:
                x = x @ layer.t()
            sums = torch.zeros_like(x).index_add(0, target, x[source])
            x = F.relu(x + sums / degree[:, None])
        return x


class Quantised(nn.Module):
    """Weights of eight bits, prepared by PyTorch's static quantisation."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv, self.relu, self.linear = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv(self.quant(x)))
        x = F.max_pool2d(x, 2)
        return self.dequant(self.linear(torch.flatten(x, 1)))


def quantised():
    model = Quantised().eval()
    torch.backends.quantized.engine = "fbgemm"
    model = torch.ao.quantization.fuse_modules(model, [["conv", "relu"]])
    model.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    prepared = torch.ao.quantization.prepare(model)
    for i in range(4):
        prepared(torch.linspace(-1, 1 + i, 128).view(2, 1, 8, 8))
    return torch.ao.quantization.convert(prepared)


def rounded(module):
    """Weights and statistics that take few bits, so that the archive is small."""
    with torch.no_grad():
        for name, t in [*module.named_parameters(), *module.named_buffers()]:
            if t.is_floating_point():
                if "running" in name:
                    t.copy_(torch.rand(t.shape) + 0.5 if "var" in name else torch.randn(t.shape) * 0.2)
                t.copy_((t * 64).round() / 64)
    return module


def images(*shape):
    return (torch.randn(*shape) * 16).round() / 16


def ids(n, *shape):
    return torch.randint(0, n, shape)


# Name, how it is made, the arguments of its calls (method and arguments where it isn't forward), whether it can be traced.
def networks():
    bags = [ids(15, 7), ids(15, 5), ids(15, 6)]
    offsets = [torch.tensor([0, 3, 3]), torch.tensor([0, 2, 4]), torch.tensor([0, 1, 5])]
    prompt = torch.tensor([[1, 5, 2]])
    return [
        ("resnet", ResNet, [(images(1, 3, 32, 32),), (images(2, 3, 24, 20),)], True),
        ("mobilenet", MobileNet, [(images(1, 3, 16, 16),), (images(2, 3, 20, 12),)], True),
        ("unet", UNet, [(images(1, 1, 16, 16),), (images(2, 1, 8, 12),)], False),
        ("vit", VisionTransformer, [(images(1, 3, 16, 16),), (images(3, 3, 16, 16),)], True),
        ("bert", Bert, [(ids(20, 2, 7), ids(2, 2, 7)), (torch.tensor([[3, 4, 0, 0], [5, 6, 7, 0]]), ids(2, 2, 4))], False),
        ("gpt", Gpt, [(prompt,), ("generate", prompt, 6), (prompt, (images(1, 2, 4, 6), images(1, 2, 4, 6)))], False),
        ("lstm", Lstm, [(ids(12, 2, 6),), (ids(12, 1, 1),)], True),
        ("gru", Gru, [(images(4, 2, 5), torch.zeros(1, 2, 8)), (images(1, 3, 5), images(1, 3, 8))], True),
        ("tcn", Tcn, [(images(2, 2, 12),), (images(1, 2, 5),)], True),
        ("autoencoder", Autoencoder, [(images(3, 16), False), (images(2, 16), True)], False),
        ("detector", Detector, [(images(2, 3, 16, 16),), (images(1, 3, 16, 24), 0.4), (images(1, 3, 16, 16), 1.5)], False),
        ("pointnet", PointNet, [(images(2, 3, 20),), (images(1, 3, 5),)], True),
        ("generator", Generator, [(images(1, 6),), (images(3, 6),)], True),
        ("speech", Speech, [(images(1, 160),), (images(2, 100),)], False),
        ("translator", Translator, [(ids(10, 2, 5), ids(12, 2, 4)), (ids(10, 1, 3), ids(12, 1, 1))], False),
        ("experts", Experts, [(images(8, 6),), (images(1, 6),)], False),
        ("recommender", Recommender, [(images(3, 5), bags, offsets)], False),
        ("super_resolution", SuperResolution, [(images(1, 1, 8, 8),), (images(2, 1, 5, 7),)], True),
        ("graph", GraphConv, [(images(6, 4), ids(6, 10), ids(6, 10)), (images(3, 4), ids(3, 1), ids(3, 1))], False),
        ("quantised", quantised, [(images(2, 1, 8, 8),), (images(1, 1, 8, 8),)], True),
    ]
