# SPDX-License-Identifier: Apache-2.0
"""A progress bar on stderr: tqdm's where that is installed, else a line now and then."""
import sys
import time


class _Plain:
    def __init__(self, total, what, unit):
        self.total, self.what, self.unit, self.done = total, what, unit, 0
        self.start = self.told = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def update(self, n=1):
        self.done += n
        now = time.monotonic()
        if now - self.told >= 2 and self.done:
            left = (now - self.start) / self.done * (self.total - self.done)
            print(f"{self.what}: {self.done:.0f} of {self.total:.0f} {self.unit}, {left:.0f} s left", file=sys.stderr)
            self.told = now

    def set_postfix_str(self, text, refresh=False):
        pass

    def write(self, text):
        print(text)


class _None(_Plain):
    def update(self, n=1):
        pass


def bar(wanted, total, what, unit):
    if not wanted:
        return _None(total, what, unit)
    try:
        from tqdm import tqdm
    except ImportError:
        return _Plain(total, what, unit)
    return tqdm(total=total, desc=what, unit=unit)
