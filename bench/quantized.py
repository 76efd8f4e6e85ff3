#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times quantised networks on sconce and PyTorch, one thread, in blocks taken in turn in one process: int8 by calibration, and weights
alone in int8 with inputs quantised on the way. Says how far the answers are apart.

usage: quantized.py [--build FOLDER] [--blocks N] [--seconds S]      (needs torch; FOLDER has libsconce.so in it)
"""
import argparse
import ctypes
import pathlib
import statistics
import tempfile
import time
import types
import warnings

import engines


def inverted_residual(nn, functional, inputs, outputs, stride, factor):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            hidden = inputs * factor
            layers = [] if factor == 1 else [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU()]
            layers += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(),
                       nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
            self.layers, self.add, self.residual = nn.Sequential(*layers), functional(), stride == 1 and inputs == outputs

        def forward(self, x):
            return self.add.add(x, self.layers(x)) if self.residual else self.layers(x)
    return Block()


def networks(torch):
    """name -> (traced module, inputs)"""
    from torch import nn
    from torch.ao import quantization as q
    torch.backends.quantized.engine = "x86"

    class Mobile(nn.Module):
        def __init__(self):
            super().__init__()
            layers, width = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()], 32
            for factor, outputs, times, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
                for i in range(times):
                    layers.append(inverted_residual(nn, torch.ao.nn.quantized.FloatFunctional, width, outputs, stride if i == 0 else 1, factor))
                    width = outputs
            layers += [nn.Conv2d(width, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU()]
            self.layers, self.pool, self.classes = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Linear(1280, 1000)
            self.begin, self.end = q.QuantStub(), q.DeQuantStub()

        def forward(self, x):
            return self.end(self.classes(torch.flatten(self.pool(self.layers(self.begin(x))), 1)))

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = nn.LSTM(64, 256, 2), nn.Linear(256, 10)

        def forward(self, x):
            return self.out(self.lstm(x)[0])

    def fuse(model):
        for module in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
            names = list(module._modules)
            i = 0
            while i < len(names):
                group = names[i:i + 1]
                for kind in (nn.BatchNorm2d, nn.ReLU):
                    if isinstance(module[i], nn.Conv2d) and i + len(group) < len(names) and isinstance(module[i + len(group)], kind):
                        group.append(names[i + len(group)])
                if len(group) > 1:
                    q.fuse_modules(module, group, inplace=True)
                i += len(group)
        return model

    def calibrated(model, x):
        model = fuse(model.eval())
        model.qconfig = q.get_default_qconfig("x86")
        q.prepare(model, inplace=True)
        model(x)
        return torch.jit.trace(q.convert(model, inplace=True), x)

    def dynamic(model, x):
        return torch.jit.trace(q.quantize_dynamic(model.eval(), {nn.Linear, nn.LSTM}, dtype=torch.qint8), x, check_trace=False)

    torch.manual_seed(0)
    picture, rows, row, steps = torch.randn(1, 3, 224, 224), torch.randn(128, 768), torch.randn(1, 768), torch.randn(100, 1, 64)
    def layers():
        return nn.Sequential(nn.Linear(768, 3072), nn.ReLU(), nn.Linear(3072, 768))
    return {"MobileNetV2, int8": (calibrated(Mobile(), picture), picture), "two layers of 768 and 3072, 128 rows, weights int8": (dynamic(layers(), rows), rows),
            "the same, one row": (dynamic(layers(), row), row), "LSTM 2x256, 100 steps, weights int8": (dynamic(Recurrent(), steps), steps)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=pathlib.Path(__file__).resolve().parent.parent / "build" / "release")
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05)
    options = parser.parse_args()
    import torch
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("| network | sconce ms | PyTorch ms | ratio | largest difference |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for name, (module, x) in networks(torch).items():
            archive, inputs = pathlib.Path(folder, "m.pt"), pathlib.Path(folder, "m.inputs.pt")
            module.save(str(archive))
            torch.save((x,), inputs)
            module = torch.jit.load(str(archive))
            ours = engines.Sconce(options.build)
            ours.load(types.SimpleNamespace(archive=archive, inputs=inputs), 1)

            def block(run):
                run()
                times, stop = [], time.perf_counter() + options.seconds
                while not times or time.perf_counter() < stop:
                    begin = time.perf_counter()
                    run()
                    times.append(time.perf_counter() - begin)
                return statistics.median(times) * 1e3
            blocks = [(block(ours.run), block(lambda module=module, x=x: module(x))) for _ in range(options.blocks)]
            expected = module(x).contiguous()
            got = torch.frombuffer(ctypes.create_string_buffer(ours.output()), dtype=torch.float32, count=expected.numel()).reshape(expected.shape)
            a, b = (statistics.median(column) for column in zip(*blocks))
            print(f"| {name} | {a:.3g} | {b:.3g} | {statistics.median(x / y for x, y in blocks):.2f} | {(got - expected).abs().max():.2g} |", flush=True)


if __name__ == "__main__":
    main()
