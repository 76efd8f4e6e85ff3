#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples give right answers. usage: test_examples.py SCONCE EXAMPLES PROGRAMS [TEST ...]     PROGRAMS: the folder they are built in"""
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

SCONCE, EXAMPLES, PROGRAMS = (pathlib.Path(p).resolve() for p in sys.argv[1:4])


def run(*command, **options):
    r = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, **options)
    if r.returncode:
        raise AssertionError(f"{command}: code {r.returncode}: {r.stdout[-500:]}{r.stderr[-500:]}")
    return r.stdout


class Classify(unittest.TestCase):
    FOLDER = EXAMPLES / "classify"
    PICTURES = {"photo": "mug", "banana": "banana", "die": "die", "doughnut": "doughnut", "mushroom": "mushroom"}

    def test_the_command_names_what_is_in_pictures(self):
        for picture, name in self.PICTURES.items():
            lines = run(SCONCE, "run", self.FOLDER / "objects.pt", "--input", self.FOLDER / f"{picture}.png", "--top", 5).splitlines()
            self.assertEqual(len(lines), 5)
            shares = [re.fullmatch(r"  (.+?) +([\d.]+) %(  [▏▎▍▌▋▊▉█]+)?", line) for line in lines]
            self.assertTrue(all(shares), lines)
            self.assertEqual(shares[0][1], name)
            self.assertGreater(float(shares[0][2]), 80)  # chance is 6
            # What PyTorch answers; python/tests/test_examples.py compares the program in Python with the same.
            answers = json.loads((self.FOLDER / "answers.json").read_text())[picture]
            self.assertEqual([s[1] for s in shares], [name for name, _ in answers])
            for s, (_, share) in zip(shares, answers):
                self.assertLess(abs(float(s[2]) - share), 0.06)

    def test_the_program_says_what_the_command_says(self):
        for picture, name in self.PICTURES.items():
            lines = run(PROGRAMS / "classify" / "classify", self.FOLDER / "objects.pt", self.FOLDER / f"{picture}.png").splitlines()
            self.assertEqual(lines[0].split(" %  ")[1], name)
            command = run(SCONCE, "run", self.FOLDER / "objects.pt", "--input", self.FOLDER / f"{picture}.png", "--top", 5).splitlines()
            self.assertEqual([(line.split(" %  ")[1], line.split(" %")[0].strip()) for line in lines],
                             [re.match(r"  (.+?) +([\d.]+) %", line).groups() for line in command])

    def test_names_of_a_file(self):
        names = pathlib.Path(PROGRAMS) / "names.txt"
        names.write_text("".join(f"thing {i}\n" for i in range(16)))
        lines = run(SCONCE, "run", self.FOLDER / "objects.pt", "--input", self.FOLDER / "photo.png", "--labels", names).splitlines()
        self.assertEqual(len(lines), 5)
        self.assertTrue(lines[0].startswith("  thing 12 "), lines[0])  # mug is the thirteenth
        names.write_text("one\ntwo\n")
        r = subprocess.run([SCONCE, "run", self.FOLDER / "objects.pt", "--input", self.FOLDER / "photo.png", "--labels", names],
                           capture_output=True, text=True)
        self.assertEqual((r.returncode, r.stdout), (3, ""))
        self.assertIn("there are 16 classes, but 2 names", r.stderr)


def read_png(path):
    """(width, height) and rows of 8-bit RGB: [[(r, g, b), ...], ...]."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", data[at + 8:at + 21])
            assert (depth, colours, interlaced) == (8, 2, 0)
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    raw, stride, rows, before = zlib.decompress(packed), 3 * width, [], bytearray(3 * width)
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = (row[i - 3] if i >= 3 else 0), before[i], (before[i - 3] if i >= 3 else 0)
            nearest = min((left, up, corner), key=lambda v: abs(left + up - corner - v))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
        rows.append([tuple(row[i:i + 3]) for i in range(0, stride, 3)])
        before = row
    return (width, height), rows


def overlap(a, b):
    """Of two boxes: what both cover, as a part of what either does."""
    both = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


class Detect(unittest.TestCase):
    FOLDER = EXAMPLES / "detect"
    LINE = r"(\w+) +([\d.]+) %  ([\d.]+),([\d.]+) to ([\d.]+),([\d.]+)"

    @classmethod
    def setUpClass(cls):
        cls.recorded = json.loads((cls.FOLDER / "table.json").read_text())
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "boxes.png"
            cls.lines = run(PROGRAMS / "detect" / "detect", cls.FOLDER / "detector.pt", cls.FOLDER / "table.png", out).splitlines()
            cls.size, cls.before = read_png(cls.FOLDER / "table.png")
            cls.size_after, cls.after = read_png(out)
        cls.found = [(name, float(share), [float(v) for v in box]) for name, share, *box in (re.fullmatch(cls.LINE, line).groups() for line in cls.lines)]

    def test_boxes_are_where_things_are(self):
        self.assertEqual(sorted(name for name, _, _ in self.found), sorted(name for name, *_ in self.recorded["things"]))
        places = {name: box for name, *box in self.recorded["things"]}
        for name, _, box in self.found:
            self.assertGreater(overlap(box, places[name]), 0.5, name)

    def test_they_are_what_pytorch_answers(self):
        """python/tests/test_examples.py compares the program in Python with the same."""
        names = [name for name, *_ in self.recorded["things"]]
        self.assertEqual(len(self.found), len(self.recorded["scores"]))
        for (name, share, box), wanted, score in zip(self.found, self.recorded["boxes"], self.recorded["scores"]):
            self.assertIn(name, names)
            self.assertLess(abs(share - 100 * score), 0.06)
            for a, b in zip(box, wanted):
                self.assertLess(abs(a - b), 0.06)
        out = run(SCONCE, "run", self.FOLDER / "detector.pt", "--input", self.FOLDER / "table.png", "--full")
        numbers = [float(v) for v in re.findall(r"-?\d+\.\d+(?:e[+-]?\d+)?", re.sub(r"\[[^\]\n]*\]:", "", out))]
        self.assertEqual(len(numbers), 5 * len(self.found), out)
        for a, b in zip(numbers, [v for box in self.recorded["boxes"] for v in box] + self.recorded["scores"]):
            self.assertLess(abs(a - b), 2e-3 * max(1, abs(b)), out)

    def test_boxes_are_drawn(self):
        self.assertEqual(self.size_after, self.size)
        boxes = [[int(v + 0.5) for v in box] for box in self.recorded["boxes"]]
        labels = [(x0, max(y0, 14) - 14, x0 + 8 * 20, max(y0, 14)) for x0, y0, _, _ in boxes]
        changed = edges = 0
        for y in range(self.size[1]):
            for x in range(self.size[0]):
                edge = any(x0 <= x < x1 and y0 <= y < y1 and (x < x0 + 2 or x >= x1 - 2 or y < y0 + 2 or y >= y1 - 2) for x0, y0, x1, y1 in boxes)
                if edge:
                    edges += 1
                    changed += self.after[y][x] != self.before[y][x]
                elif not any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in labels):
                    self.assertEqual(self.before[y][x], self.after[y][x])
        self.assertGreater(changed, 0.99 * edges)  # a pixel may have the colour already
        # A label: white letters on the box's colour.
        for x0, top, _, bottom in labels:
            row = [pixel for line in self.after[top:bottom] for pixel in line[x0:x0 + 8]]
            self.assertIn((255, 255, 255), row)

    def test_other_input(self):
        r = subprocess.run([PROGRAMS / "detect" / "detect", self.FOLDER / "detector.pt", __file__, "out.png"], capture_output=True, text=True)
        self.assertEqual((r.returncode, r.stdout), (3, ""))
        r = subprocess.run([SCONCE, "run", self.FOLDER / "detector.pt", "--input", "zeros(3,96,128)"], capture_output=True, text=True)
        self.assertEqual(r.returncode, 3)
        self.assertIn("a picture is [1, 3, H, W]", r.stderr)
        # Nothing is found in nothing: the loop over boxes runs no time.
        self.assertEqual(re.findall(r"\d+\.\d+", run(SCONCE, "run", self.FOLDER / "detector.pt", "--input", "zeros(1,3,96,128)", "--full")), [])


class Speech(unittest.TestCase):
    def test_stretches(self):
        lines = run(PROGRAMS / "speech" / "speech", EXAMPLES / "speech" / "speech.pt", EXAMPLES / "speech" / "talk.wav").splitlines()
        found = [tuple(float(v) for v in re.fullmatch(r"([\d.]+) s to ([\d.]+) s", line).groups()) for line in lines]
        self.assertEqual(len(found), 2, found)
        for got, wanted in zip(found, [(0.6, 1.5), (2.1, 3.4)]):
            for a, b in zip(got, wanted):
                self.assertLess(abs(a - b), 0.12, found)

    def test_other_files(self):
        r = subprocess.run([PROGRAMS / "speech" / "speech", EXAMPLES / "speech" / "speech.pt", __file__], capture_output=True, text=True)
        self.assertEqual(r.returncode, 3)
        self.assertIn("no WAV file", r.stderr)


class Text(unittest.TestCase):
    SENTENCES = {
        "Please wake me at seven tomorrow": "alarm", "is it going to rain in Oslo?": "weather", "PLAY SOMETHING BY THE QUARTET": "music",
        "switch on the lamp in the garden": "lights", "we are out of milk, eggs & coffee": "shopping", "hello, who are you?": "talk",
    }

    def test_program(self):
        lines = run(PROGRAMS / "text" / "intent", EXAMPLES / "text" / "intents.pt", input="\n".join(self.SENTENCES) + "\n").splitlines()
        self.assertEqual([line.split()[0] for line in lines], list(self.SENTENCES.values()))
        self.assertEqual([line.split(" %  ")[1] for line in lines], list(self.SENTENCES))

    def test_command(self):
        out = run(SCONCE, "run", EXAMPLES / "text" / "intents.pt", "--input", "'turn the lights on'", "--top", 1)
        self.assertTrue(out.startswith("  lights "), out)
        out = run(SCONCE, "run", EXAMPLES / "text" / "intents.pt", "--method", "tokens", "--input", '"Don\'t wake me at 6:30, OK?"')
        self.assertEqual(re.findall(r"[\w']+", out.split(":")[-1]), ["don't", "wake", "me", "at", "6", "30", "ok"])


class Control(unittest.TestCase):
    def test_the_pole_stays_up(self):
        out = run(PROGRAMS / "control" / "balance", EXAMPLES / "control" / "policy.pt", 40)
        steps, worst, place = re.search(r"(\d+) steps, 40 s: never more than ([\d.]+) rad from upright, the cart is at (-?[\d.]+) m", out).groups()
        self.assertEqual(int(steps), 2000)
        self.assertLess(float(worst), 0.2)
        self.assertLess(abs(float(place)), 1)
        p50, p90, p99, p999, longest = (float(v) for v in re.search(r"p50 (.+), p90 (.+), p99 (.+), p99.9 (.+), longest (.+)", out).groups())
        self.assertTrue(0 < p50 <= p90 <= p99 <= p999 <= longest)
        self.assertEqual(sum(int(n) for n in re.findall(r" us +(\d+)  #+$", out, re.M)), 2000)


class PassStudy(unittest.TestCase):
    def test_study(self):
        with tempfile.TemporaryDirectory() as folder:
            out = run(EXAMPLES / "pass_study" / "study", SCONCE, EXAMPLES / "classify" / "objects.pt", EXAMPLES / "classify" / "photo.png", folder)
            counts = {name: (int(a), int(b)) for name, a, b in re.findall(r"^(aten::\w+) +(\d+) +(\d+)$", out, re.M)}
            self.assertEqual(counts["aten::batch_norm"], (13, 0))
            self.assertNotIn("aten::hardswish", counts)  # as many as before
            answered, most = re.search(r"(\d+) numbers answered, the largest difference is (.+)", out).groups()
            self.assertEqual(int(answered), 16)
            self.assertLess(float(most), 1e-3)
            page = (pathlib.Path(folder) / "study.html").read_text()
            self.assertIn("before: inlined", page)
            self.assertIn("fold_frozen_conv_bn", page)
            self.assertIn("fold_frozen_conv_bn", (pathlib.Path(folder) / "why.txt").read_text())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=1)
