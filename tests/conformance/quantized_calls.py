# SPDX-License-Identifier: Apache-2.0
"""Calls of operators on quantised tensors, which a file of cases can't hold: each method quantises its arguments and gives numbers back."""
import torch

import pack
from methods import CannotSay, Spelling

X = "torch.quantize_per_tensor(a0, 0.05, 3, torch.quint8)"
Y = "torch.quantize_per_tensor(a1, 0.04, 5, torch.quint8)"
SIGNED = "torch.quantize_per_tensor(a0, 0.05, 0, torch.qint8)"
WEIGHT = "torch.quantize_per_tensor(a1, 0.02, 0, torch.qint8)"
CHANNELS = "torch.quantize_per_channel(a1, torch.linspace(0.01, 0.03, a1.size(0)), torch.zeros(a1.size(0), dtype=torch.int64), 0, torch.qint8)"
Q, D = "torch.ops.quantized.", ".dequantize()"


def numbers(*shape):
    return (torch.randn(*shape) * 32).round() / 32


def convolutions():
    for n in (1, 2, 3):
        ones, size = str([1] * n), [5] * n
        for weight in (WEIGHT, CHANNELS):
            packed = f"{Q}conv{n}d_prepack({weight}, a2, {ones}, {ones}, {ones}, 1)"
            for form in ("", "_relu"):
                yield (f"conv{n}d{form}", f"{Q}conv{n}d{form}({X}, {packed}, 0.2, 4){D}", (numbers(1, 4, *size), numbers(3, 4, *[3] * n), numbers(3)))
        packed = f"{Q}conv{n}d_prepack({WEIGHT}, a2, {str([2] * n)}, {str([0] * n)}, {ones}, 2)"
        yield (f"conv{n}d", f"{Q}conv{n}d({X}, {packed}, 0.2, 4){D}", (numbers(2, 4, *size), numbers(4, 2, *[2] * n), numbers(4)))
        yield (f"conv{n}d_unpack", f"{Q}conv{n}d_unpack({packed})[0]{D}", (numbers(1), numbers(4, 2, *[2] * n), numbers(4)))
        turned = f"{Q}conv_transpose{n}d_prepack({WEIGHT}, a2, {ones}, {str([0] * n)}, {str([0] * n)}, {ones}, 1)"
        yield (f"conv_transpose{n}d", f"{Q}conv_transpose{n}d({X}, {turned}, 0.2, 4){D}", (numbers(1, 4, *size), numbers(4, 3, *[2] * n), numbers(3)))


def linears():
    for weight in (WEIGHT, CHANNELS):
        packed = f"{Q}linear_prepack({weight}, a2)"
        inputs = (numbers(3, 8), numbers(5, 8), numbers(5))
        for form in ("linear", "linear_relu"):
            yield form, f"{Q}{form}({X}, {packed}, 0.1, 3){D}", inputs
            yield form + "_dynamic", f"{Q}{form}_dynamic(a0, {packed})", inputs
        yield "linear_unpack", f"{Q}linear_unpack({packed})[0]{D}", inputs
    half = f"{Q}linear_prepack_fp16(a1, a2)"
    yield "linear_dynamic_fp16", f"{Q}linear_dynamic_fp16(a0, {half})", (numbers(3, 8), numbers(5, 8), numbers(5))


def calls():
    """(operator, expression, inputs)"""
    two = (numbers(2, 4, 6), numbers(2, 4, 6))
    image = (numbers(2, 4, 6, 6),)
    for name in ("add", "add_relu", "mul", "mul_relu"):
        yield name, f"{Q}{name}({X}, {Y}, 0.07, 2){D}", two
    for name in ("add_scalar", "add_scalar_relu", "mul_scalar", "mul_scalar_relu"):
        yield name, f"{Q}{name}({X}, 0.5){D}", two
        yield name, f"{Q}{name}({X}, -2){D}", two
    for name, more in (("relu6", ""), ("leaky_relu", ", 0.1, False, 0.07, 2"), ("elu", ", 0.07, 2"), ("celu", ", 0.07, 2, 1.5"),
                       ("hardswish", ", 0.07, 2"), ("sigmoid", ", 0.00390625, 0"), ("clamp", ", -1., 1."), ("threshold", ", 0.2, 0.1"),
                       ("softmax", ", 1, 0.00390625, 0")):
        yield name, f"{Q}{name}({X}{more}){D}", two
        yield name, f"{Q}{name}({SIGNED}{more}){D}", two
    yield "cat", f"{Q}cat([{X}, {Y}], 1, 0.07, 2){D}", two
    yield "cat_relu", f"{Q}cat_relu([{X}, {Y}], 0, 0.07, 2){D}", two
    yield "matmul", f"{Q}matmul({X}, {Y}, 0.3, 2){D}", (numbers(2, 3, 4), numbers(2, 4, 5))
    four = (numbers(4), numbers(4), numbers(4), numbers(4).abs() + 0.5)
    for n in ("1", "2", "3"):
        for form in ("", "_relu"):
            yield f"batch_norm{n}d{form}", f"{Q}batch_norm{n}d{form}({X}, a1, a2, a3, a4, 1e-5, 0.1, 3){D}", (numbers(2, 4, *[3] * int(n)), *four)
    yield "instance_norm", f"{Q}instance_norm({X}, a1, a2, 1e-5, 0.1, 3){D}", (*image, *four[:2])
    yield "layer_norm", f"{Q}layer_norm({X}, [6], a1, a2, 1e-5, 0.1, 3){D}", (*image, numbers(6), numbers(6))
    yield "group_norm", f"{Q}group_norm({X}, 2, a1, a2, 1e-5, 0.1, 3){D}", (*image, *four[:2])
    yield from linears()
    yield from convolutions()
    yield "embedding_bag_byte", f"{Q}embedding_bag_byte_rowwise_offsets({Q}embedding_bag_byte_prepack(a0), a1, a2)", (
        numbers(6, 8), torch.tensor([0, 2, 5, 1]), torch.tensor([0, 3]))
    yield "embedding_bag_4bit", f"{Q}embedding_bag_4bit_rowwise_offsets({Q}embedding_bag_4bit_prepack(a0), a1, a2)", (
        numbers(6, 8), torch.tensor([0, 2, 5, 1]), torch.tensor([0, 3]))
    for plain in ("torch.relu(%s)", "torch.max_pool2d(%s, [2, 2])", "torch.ops.aten.avg_pool2d(%s, [3, 3], [1, 1])", "torch.ops.aten.adaptive_avg_pool2d(%s, [2, 3])",
                  "torch.mean(%s, [2, 3])", "torch.ops.aten.upsample_nearest2d(%s, [9, 8])", "torch.ops.aten.upsample_bilinear2d(%s, [9, 8], False)",
                  "torch.ops.aten.hardtanh(%s, -0.5, 1.)", "torch.clamp(%s, -0.5, 0.75)", "torch.flatten(%s, 1)", "%s.permute(0, 2, 3, 1)",
                  "%s[:, 1:3]", "torch.sigmoid(%s)", "torch.tanh(%s)", "torch.ops.aten.hardsigmoid(%s)", "torch.sort(%s, 1)[0]", "torch.topk(%s, 2, 1)[0]",
                  "%s.clone()", "torch.cat([%s, %s], 1)", "torch.max(%s, 1)[0]", "torch.ops.aten.elu(%s)", "torch.ops.aten.leaky_relu(%s, 0.2)",
                  "torch.ops.aten.reflection_pad2d(%s, [1, 1, 2, 0])", "torch.ops.aten.pixel_shuffle(%s, 2)", "torch.stack([%s, %s])", "torch.squeeze(%s)"):
        for made in (X, SIGNED):
            name = plain.split("(")[0].split(".")[-1] if plain[0] == "t" else "view"
            yield name, plain.replace("%s", made) + D, image
    for whole in ("%s.int_repr()", "%s.q_scale()", "%s.q_zero_point()", "torch.equal(%s, %s)", "%s.max()%s"):
        yield "int_repr" if "int_repr" in whole else "q_scale", whole.replace("%s", X, 2) if "max" not in whole else f"{X}.max(){D}", image
    for dtype, least, most in (("qint8", -128, 127), ("quint8", 0, 255), ("qint32", -2147483648, 2147483647)):
        yield "quantize_per_tensor", f"torch.quantize_per_tensor(a0, 0.1, {3 if least else 10}, torch.{dtype}){D}", image
        yield "quantize_per_channel", f"torch.quantize_per_channel(a0, a1, a2, 1, torch.{dtype}).int_repr()", (
            *image, torch.tensor([.1, .02, .3, .05]), torch.tensor([0, 3, 1, 0]))
    yield "fake_quantize_per_tensor_affine", "torch.ops.aten.fake_quantize_per_tensor_affine(a0, 0.1, 3, 0, 255)", image
    yield "fake_quantize_per_channel_affine", "torch.ops.aten.fake_quantize_per_channel_affine(a0, a1, a2, 1, -128, 127)", (
        *image, torch.tensor([.1, .02, .3, .05]), torch.tensor([0, 3, 1, 0], dtype=torch.int32))


class Said(Spelling):
    def __init__(self, operator, expression, inputs):
        params = "".join(f", a{i}: Tensor" for i in range(len(inputs)))
        self.operator, self.callee, self.literal = operator, "", False
        self.source, self.inputs = f"(self{params}):\n    return {expression}\n", inputs


def record(group):
    torch.manual_seed(0)
    torch.backends.quantized.engine = "fbgemm"
    for operator, expression, inputs in list(calls()):
        label = "quantized." + operator
        said = Said(label, expression, pack.compact(inputs))
        try:
            method = group.methods.of(said)
        except CannotSay as e:
            group.leave_out(label, "TorchScript refuses it: " + str(e).strip().split("\n")[0][:60])
            continue
        if not group.steps.next(label):
            continue
        if not method.returns(said.inputs):
            group.leave_out(label, "PyTorch refuses it")
            continue
        group.add(label, "int8" if "qint8" in expression.split("a1")[0] else "uint8", method, said.inputs)
