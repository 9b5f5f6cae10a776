"""A Chromium, if there is one, for tests of pages.

They talk to it through the pipe of its DevTools protocol, without a driver or a package. Mouse,
fingers and keys arrive as if from a person.
"""

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or os.name != "posix", reason=f"needs one of: {', '.join(NAMES)}"
)
SECONDS = 60  # until a browser that does not answer is given up
DRAWN = "document.readyState === 'complete' && (typeof sheet === 'undefined' || sheet.complete)"


# A program that makes two open files the descriptors 3 and 4 and then becomes another program. It
# moves both away first, because each may have the other's number.
_PLACE = (
    "import os, sys; from fcntl import F_DUPFD, fcntl\n"
    "read, write = (fcntl(int(file), F_DUPFD, 10) for file in sys.argv[1:3])\n"
    "os.dup2(read, 3); os.dup2(write, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """A Chromium without a window, and one tab in it."""

    def __init__(self, profile: Path):
        theirs_in, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        options = [
            "--headless=new",
            "--no-sandbox",  # it only opens our pages, and root cannot have a sandbox
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--hide-scrollbars",  # they would be in the screenshots
            "--remote-debugging-pipe",  # which is files 3 (in) and 4 (out)
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PLACE, str(theirs_in), str(theirs_out), CHROMIUM, *options],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # its helpers end with it
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers = itertools.count(1)
        self._unread, self._session = b"", None
        self.events: list[dict] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.send(f"{domain}.enable")

    def close(self):
        os.close(self._write)
        os.close(self._read)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def send(self, method, **parameters):
        """One command of the protocol, and what it answers."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        until = time.monotonic() + SECONDS
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], max(0, until - time.monotonic()))
            part = os.read(self._read, 1 << 16) if ready else b""
            if not part:
                raise RuntimeError(f"{CHROMIUM} does not answer")
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def run(self, script):
        """The value of a script, awaited; what it throws fails the test."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path, width=1200, height=900, phone=False, dark=False, density=1):
        """Open a file on a screen of this size and colour scheme, and wait until it is drawn."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=density,
            mobile=phone,
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone, maxTouchPoints=2)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + SECONDS
        while not self.run(DRAWN):
            assert time.monotonic() < until, "the page does not finish loading"
            time.sleep(0.05)
        thrown = [e for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        assert not thrown, thrown

    def mouse(self, kind, x, y, **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def finger(self, kind, *points):
        where = [{"x": x, "y": y} for x, y in points]
        self.send("Input.dispatchTouchEvent", type=kind, touchPoints=where)
        # The page is told with its next frame, on a busy machine after we have gone on.
        self.run("new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def key(self, key, shift=False):
        code = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36}[key]
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=8 if shift else 0,
            )

    def screenshot(self, path):
        """The screen as it is, written to `path` as PNG, and as uint8 H×W×3."""
        import cv2

        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))
        return cv2.imread(str(path))[:, :, ::-1]

    # What the page shows.

    def picture(self):
        """The content of the picture's canvas: uint8 H×W×4."""
        found = self.run(
            "(() => { const c = document.getElementById('picture');"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
            "return [d.height, d.width, ...d.data]; })()"
        )
        return np.array(found[2:], np.uint8).reshape(*found[:2], 4)

    def numbers(self):
        """The coordinates in the number fields."""
        return self.run(
            "[...document.querySelectorAll('#sliders [type=number]')].map(f => +f.value)"
        )

    def set(self, z):
        """Type coordinates into the fields."""
        self.run(
            f"{list(map(float, z))}.forEach((value, axis) => {{"
            "const field = document.getElementById(`n${axis}`); field.value = value;"
            "field.dispatchEvent(new Event('input', {bubbles: true})); })"
        )

    def box(self, selector):
        """Left, top, width, height on the screen."""
        return self.run(
            f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]; })()"
        )

    def middle(self, selector):
        left, top, width, height = self.box(selector)
        return left + width / 2, top + height / 2
