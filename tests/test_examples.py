#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples give right answers. usage: test_examples.py SCONCE EXAMPLES PROGRAMS     PROGRAMS: the folder they are built in"""
import pathlib
import re
import subprocess
import sys
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
            self.assertGreater(float(shares[0][2]), 50)
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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
