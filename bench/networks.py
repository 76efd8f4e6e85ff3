# SPDX-License-Identifier: Apache-2.0
"""The networks that the benches time, with random weights. Entry: NETWORKS, archive(); needs torch and nothing else.

A network's answer is one tensor, its archive takes any batch, and nothing in it names a device; the integer loop, which has no
tensor at all, is the exception. `small` cuts a network down to what takes no time: the same operators, fewer and smaller.
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


class BasicBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride != 1 else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.down(x))


def resnet18(blocks=(2, 2, 2, 2)):
    layers, i = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for stage, n in enumerate(blocks):
        for k in range(n):
            layers.append(BasicBlock(i, 64 << stage, 2 if k == 0 and stage > 0 else 1))
            i = 64 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, 1000)).eval()


def conv_bn(i, o, kernel, stride=1, groups=1, act=None, eps=1e-5):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o, eps=eps), *([act()] if act else []))


class SqueezeExcite(nn.Module):
    def __init__(self, width, squeezed):
        super().__init__()
        self.shrink, self.grow = nn.Conv2d(width, squeezed, 1), nn.Conv2d(squeezed, width, 1)

    def forward(self, x):
        scale = torch.sigmoid(self.grow(nn.functional.silu(self.shrink(nn.functional.adaptive_avg_pool2d(x, 1)))))
        return x * scale


class InvertedResidual(nn.Module):
    def __init__(self, i, o, stride, grow, kernel, act, squeeze, eps):
        super().__init__()
        wide = i * grow
        layers = [conv_bn(i, wide, 1, act=act, eps=eps)] if grow != 1 else []
        layers.append(conv_bn(wide, wide, kernel, stride, wide, act, eps))
        if squeeze:
            layers.append(SqueezeExcite(wide, max(1, i // 4)))
        self.layers, self.adds = nn.Sequential(*layers, conv_bn(wide, o, 1, eps=eps)), stride == 1 and i == o

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


def inverted_residuals(stages, act, squeeze, eps=1e-5):
    """`stages`: growth, width, blocks, stride of the first, kernel. MobileNetV2's and EfficientNet's common form."""
    layers, i = [conv_bn(3, 32, 3, 2, act=act, eps=eps)], 32
    for grow, o, n, stride, kernel in stages:
        for k in range(n):
            layers.append(InvertedResidual(i, o, stride if k == 0 else 1, grow, kernel, act, squeeze, eps))
            i = o
    return nn.Sequential(*layers, conv_bn(i, 1280, 1, act=act, eps=eps), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, 1000)).eval()


MOBILENET = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3))
EFFICIENTNET = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))


class ViT(nn.Module):
    """Patches of 16 as words of an encoder that normalizes first; attention is PyTorch's module."""

    def __init__(self, layers=12, width=768, heads=12, picture=224):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.first, self.positions = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, (picture // 16) ** 2 + 1, width) * 0.02)
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for _ in range(2 * layers))
        self.attend = nn.ModuleList(nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(layers))
        self.mlps = nn.ModuleList(nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(0.0), nn.Linear(4 * width, width)) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.first.expand(x.size(0), -1, -1), x), 1) + self.positions
        for i, (attend, mlp) in enumerate(zip(self.attend, self.mlps)):
            y = self.norms[2 * i](x)
            x = x + attend(y, y, y, need_weights=False)[0]
            x = x + mlp(self.norms[2 * i + 1](x))
        return self.head(self.norm(x)[:, 0])


class Gpt2Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.attended = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, causal):
        n, t, c = x.size(0), x.size(1), x.size(2)
        q, k, v = (y.view(n, t, self.heads, -1).transpose(1, 2) for y in self.attend(self.norm1(x)).split(c, 2))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.size(-1))
        scores = torch.where(causal[:, :, :t, :t], scores, torch.full((), torch.finfo(x.dtype).min, dtype=x.dtype))
        x = x + self.attended(torch.matmul(torch.softmax(scores, -1), v).transpose(1, 2).contiguous().view(n, t, c))
        y = self.grow(self.norm2(x))
        y = 0.5 * y * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (y + 0.044715 * torch.pow(y, 3.0))))
        return x + self.shrink(y)


class Gpt2(nn.Module):
    """GPT-2's decoder, with the attention and the activation written out; the words' weights are also the last layer's."""

    def __init__(self, layers=12, width=768, heads=12, words=50257, positions=1024):
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(positions, width)
        self.layers, self.norm = nn.ModuleList(Gpt2Layer(width, heads) for _ in range(layers)), nn.LayerNorm(width)
        self.register_buffer("causal", torch.ones(positions, positions).tril().bool()[None, None])

    def forward(self, ids):
        x = self.words(ids) + self.positions.weight[:ids.size(1)]
        for layer in self.layers:
            x = layer(x, self.causal)
        return nn.functional.linear(self.norm(x), self.words.weight)


class Vad(nn.Module):
    """A voice detector of silero-vad's form: a Fourier transform as a convolution, four convolutions, one step of an LSTM; the
    rate and the state decide what runs. The answer is the probability with the new state after it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("basis", torch.randn(258, 1, 256) / 16)
        self.encoder = nn.ModuleList(nn.Conv1d(i, o, 3, stride, 1) for i, o, stride in ((129, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1)))
        self.cell, self.dropout, self.last = nn.LSTMCell(128, 128), nn.Dropout(0.1), nn.Conv1d(128, 1, 1)

    def forward(self, x, state, rate: int = 16000):  # x: [N, samples], state: [2, N, 128], or empty
        if rate != 16000:
            if rate % 16000 != 0:
                raise ValueError("the rate must be a multiple of 16000")
            x = x[:, ::rate // 16000]
        if state.numel() == 0:
            state = torch.zeros([2, x.size(0), 128], dtype=x.dtype)
        y = nn.functional.pad(x.unsqueeze(1), [0, 64], "reflect")
        y = nn.functional.conv1d(y, self.basis, None, 128)
        y = torch.sqrt(y[:, :129] ** 2 + y[:, 129:] ** 2)
        for layer in self.encoder:
            y = torch.relu(layer(y))
        h, c = self.cell(y.squeeze(-1), (state[0], state[1]))
        y = torch.sigmoid(self.last(torch.relu(self.dropout(h).unsqueeze(-1))))
        return torch.cat((y.squeeze(2).mean(1, keepdim=True), h, c), 1)


class IntegerLoop(nn.Module):
    def forward(self, n: int) -> int:
        a = 0
        b = 1
        for i in range(n):
            if (a & 1) == 0:
                a, b = b, (a + b) % 1000003
            else:
                a, b = b, (a * 3 + b) % 1000003
        return a


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


def picture(batch, small):
    return (torch.randn(batch, 3, *([16, 16] if small else [224, 224])),)


class Network(typing.NamedTuple):
    make: typing.Callable  # small -> module
    inputs: typing.Callable  # (batch, small) -> the arguments of forward
    scripted: bool = False  # archived by torch.jit.script, else by torch.jit.trace


NETWORKS = {
    "resnet50": Network(lambda small: resnet50((1,)) if small else resnet50(), lambda n, small: picture(n, small)),
    "bert_base": Network(lambda small: Bert(1, 48, 4, 100, 32) if small else Bert(), lambda n, small: bert_inputs(n, 16, 100) if small else bert_inputs(n, 128, 30522)),
    "resnet18": Network(lambda small: resnet18((1,)) if small else resnet18(), lambda n, small: picture(n, small)),
    "mobilenet_v2": Network(lambda small: inverted_residuals(MOBILENET[:2] if small else MOBILENET, nn.ReLU6, False), lambda n, small: picture(n, small)),
    "efficientnet_b0": Network(lambda small: inverted_residuals(EFFICIENTNET[:2] if small else EFFICIENTNET, nn.SiLU, True), lambda n, small: picture(n, small)),
    "vit_b16": Network(lambda small: ViT(1, 48, 4, 32) if small else ViT(), lambda n, small: (torch.randn(n, 3, *([32, 32] if small else [224, 224])),)),
    "gpt2": Network(lambda small: Gpt2(1, 48, 4, 100, 32) if small else Gpt2(), lambda n, small: (torch.randint(0, 100, (n, 16 if small else 64)),)),
    "vad": Network(lambda small: Vad(), lambda n, small: (torch.randn(n, 576), torch.zeros(2, n, 128)), scripted=True),
    "integer_loop": Network(lambda small: IntegerLoop(), lambda n, small: (1000 if small else 100_000,), scripted=True),
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
