#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples give right answers. usage: test_examples.py SCONCE EXAMPLES PROGRAMS [TEST ...]     PROGRAMS: the folder they are built in"""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

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
            self.assertGreater(float(shares[0][2]), 25)  # chance is 6
            self.assertEqual(sorted((float(s[2]) for s in shares), reverse=True), [float(s[2]) for s in shares])

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
