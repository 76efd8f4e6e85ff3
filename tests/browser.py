# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, spoken to over its DevTools pipe: no other package is needed."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time


def find_chromium():
    """Its path, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


class Browser:
    """One page. Everything that it asks the network for, logs or throws is kept in requests and problems."""

    def __init__(self, width=1280, height=800, phone=False, arguments=()):
        self.folder = tempfile.mkdtemp()
        read_theirs, self._write = os.pipe()
        self._read, write_theirs = os.pipe()
        for end in (self._write, self._read):
            os.set_inheritable(end, False)

        def ends():  # it reads 3 and writes 4
            first, second = os.dup(read_theirs), os.dup(write_theirs)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            [find_chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
             f"--user-data-dir={self.folder}", "--no-first-run", "--disable-extensions", *arguments, "about:blank"],
            preexec_fn=ends, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_theirs)
        os.close(write_theirs)
        self._number, self._buffer, self._session = 0, b"", None
        self.requests, self.problems, self._loaded = [], [], False
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.size(width, height, phone)

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _next(self):
        while b"\0" not in self._buffer:
            piece = os.read(self._read, 1 << 20)
            if not piece:
                raise RuntimeError("the browser has ended")
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _event(self, m):
        method, p = m.get("method"), m.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(p["exceptionDetails"].get("exception", p)))
        elif method == "Log.entryAdded":
            self.problems.append(p["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.problems.append("console: " + str(p["args"]))
        elif method == "Page.javascriptDialogOpening":
            self.problems.append("dialog: " + p["message"])
        elif method == "Page.loadEventFired":
            self._loaded = True

    def call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            m = self._next()
            if m.get("id") == self._number:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]
            self._event(m)

    def size(self, width, height, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def open(self, path):
        """A file, or an address."""
        self.requests, self.problems, self._loaded = [], [], False
        self.call("Page.navigate", url=str(path) if "://" in str(path) else f"file://{path}")
        while not self._loaded:
            self._event(self._next())

    def js(self, expression):
        """The value of an expression of the page."""
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(str(r["exceptionDetails"]))
        return r["result"].get("value")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click_at(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def click(self, element):
        """element: a JavaScript expression. A real click in its middle."""
        r = self.js(f"(() => {{ const r = ({element}).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()")
        self.click_at(*r)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, key):
        codes = {"Enter": 13, "Escape": 27}
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes.get(key, 0), **text)

    def picture(self, path):
        time.sleep(0.2)
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
