# SPDX-License-Identifier: Apache-2.0
"""The networks that the benches time, with random weights. Entry: NETWORKS, archive(); needs torch and nothing else.

A network's answer is one tensor, its archive takes any batch, and nothing in it names a device. `small` cuts a network down
to what takes no time: the same operators, fewer and smaller.
"""
import math
import pathlib
import sys
import typing

import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fixtures"))
from make_fixtures import Mlp  # noqa: E402


class Bottleneck(nn.Module):
    def __init__(self, i, w, stride):
        super().__init__()
        o = 4 * w
        self.conv1, self.bn1 = nn.Conv2d(i, w, 1, bias=False), nn.BatchNorm2d(w)
        self.conv2, self.bn2 = nn.Conv2d(w, w, 3, stride, 1, bias=False), nn.BatchNorm2d(w)
        self.conv3, self.bn3 = nn.Conv2d(w, o, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride != 1 or i != o else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.down(x))


def resnet50(blocks=(3, 4, 6, 3)):
    """`blocks`: how many bottlenecks each stage has; a stage halves the picture, the first one excepted."""
    layers, i = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for stage, n in enumerate(blocks):
        for k in range(n):
            layers.append(Bottleneck(i, 64 << stage, 2 if k == 0 and stage > 0 else 1))
            i = 4 * (64 << stage)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, 1000)).eval()


class BertLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attended, self.attended_norm = nn.Linear(width, width), nn.LayerNorm(width, eps=1e-12)
        self.grow, self.shrink, self.norm = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def split(self, x):  # [N, T, C] -> [N, heads, T, C / heads]
        return x.view(x.size(0), x.size(1), self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.size(-1)) + mask
        y = torch.matmul(self.dropout(torch.softmax(scores, -1)), v).permute(0, 2, 1, 3).contiguous()
        x = self.attended_norm(self.dropout(self.attended(y.view(x.size(0), x.size(1), -1))) + x)
        return self.norm(self.dropout(self.shrink(nn.functional.gelu(self.grow(x)))) + x)


class Bert(nn.Module):
    """BERT's encoder with the attention written out; the answer is the hidden states with the pooled one after them."""

    def __init__(self, layers=12, width=768, heads=12, words=30522, positions=512):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(words, width), nn.Embedding(positions, width), nn.Embedding(2, width)
        self.norm, self.dropout = nn.LayerNorm(width, eps=1e-12), nn.Dropout(0.1)
        self.layers = nn.ModuleList(BertLayer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)
        self.register_buffer("position_ids", torch.arange(positions).unsqueeze(0))

    def forward(self, ids, mask, types):
        x = self.words(ids) + self.types(types) + self.positions(self.position_ids[:, :ids.size(1)])
        x = self.dropout(self.norm(x))
        mask = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, mask)
        return torch.cat((x, torch.tanh(self.pooler(x[:, 0])).unsqueeze(1)), 1)


class Lstm(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.lstm = nn.LSTM(width, width, 2)

    def forward(self, x):  # [steps, N, width]
        return self.lstm(x)[0]


class Pointwise(nn.Module):
    """Twelve operators on elements, none of which moves more than its operands."""

    def forward(self, x):
        y = torch.sigmoid(x) * x
        y = torch.tanh(y * 0.5 + 0.25)
        y = torch.relu(y - 0.1) + torch.exp(-x.abs())
        return y * x + 1.0


def bert_inputs(batch, tokens, words):
    mask = torch.ones(batch, tokens, dtype=torch.int64)
    mask[:, -tokens // 8:] = 0
    types = torch.zeros_like(mask)
    types[:, tokens // 2:] = 1
    return torch.randint(0, words, (batch, tokens)), mask, types


class Network(typing.NamedTuple):
    make: typing.Callable  # small -> module
    inputs: typing.Callable  # (batch, small) -> the arguments of forward
    scripted: bool = False  # archived by torch.jit.script, else by torch.jit.trace


NETWORKS = {
    "resnet50": Network(lambda small: resnet50((1,)) if small else resnet50(), lambda n, small: (torch.randn(n, 3, *([16, 16] if small else [224, 224])),)),
    "bert_base": Network(lambda small: Bert(1, 48, 4, 100, 32) if small else Bert(), lambda n, small: bert_inputs(n, 16, 100) if small else bert_inputs(n, 128, 30522)),
    "mlp": Network(lambda small: Mlp(), lambda n, small: (torch.randn(n, 32),)),
    "lstm": Network(lambda small: Lstm(16) if small else Lstm(), lambda n, small: (torch.randn(5, n, 16) if small else torch.randn(100, n, 256),), scripted=True),
    "pointwise": Network(lambda small: Pointwise(), lambda n, small: (torch.randn(n, 1000 if small else 1_000_000),)),
}


@torch.no_grad()
def make(name, small=False):
    """The module, always the same one; norms have weights and statistics that are neither ones nor zeros."""
    torch.manual_seed(0)
    module = NETWORKS[name].make(small)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in module.modules():
        if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm)):
            m.weight.uniform_(0.5, 1.5)
            m.bias.normal_(0, 0.1)
    if norms:  # statistics of a batch, so that the activations of deep networks keep their size
        for m in norms:
            m.momentum = None
        module.train()(*NETWORKS[name].inputs(4, small))
    return module.eval()


def inputs(name, batch, small=False):
    torch.manual_seed(batch)
    return NETWORKS[name].inputs(batch, small)


@torch.no_grad()
def archive(name, module, path, small=False):
    """Saves `module`, which make() made, as TorchScript."""
    net = NETWORKS[name]
    saved = torch.jit.script(module) if net.scripted else torch.jit.trace(module, net.inputs(1, small), check_trace=False)
    torch.jit.save(saved, str(path))
