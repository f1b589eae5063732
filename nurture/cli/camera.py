"""Pictures of mails, taken by an installed Chromium or Chrome that reaches no network.

One browser takes them all, spoken to through two pipes in its DevTools protocol: a start costs a second, a picture a
tenth; and only so is a phone as narrow as a phone, and a picture as long as its mail.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from nurture.errors import UserError
from nurture.mail.scheme import Scheme

WIDTHS = {"desktop": 700, "phone": 375}  # pixels
_LONGEST = 8_000  # pixels of a picture
_PATIENCE = 30.0  # seconds for one answer
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_ARGUMENTS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",  # nobody listens there
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def browser() -> str | None:
    """The browser there is; NURTURE_BROWSER names another."""
    if sys.platform == "win32":  # its pipes cannot be handed down by number
        return None
    named = os.environ.get("NURTURE_BROWSER")
    found = (shutil.which(name) for name in ((named,) if named else (*_NAMES, _MAC)))
    return next((path for path in found if path), None)


class Camera:
    """A browser that is running. Raises UserError where it does not answer."""

    def __init__(self, to: int, answers: int) -> None:
        self._to = to
        self._answers = answers
        self._read = b""
        self._numbers = count(1)
        self._session: str | None = None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable")
        self._ask("Emulation.setScriptExecutionDisabled", value=True)
        self._frame = self._ask("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def take(self, html: str, width: str, scheme: Scheme) -> bytes:
        """A PNG of the whole mail at one of the WIDTHS."""
        pixels, phone = WIDTHS[width], width == "phone"
        self._ask("Emulation.setDeviceMetricsOverride", width=pixels, height=600, deviceScaleFactor=1, mobile=phone)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._ask("Page.setDocumentContent", frameId=self._frame, html=html)
        height = min(_LONGEST, self._ask("Page.getLayoutMetrics")["cssContentSize"]["height"])
        clip = {"x": 0, "y": 0, "width": pixels, "height": height, "scale": 1}
        shot = self._ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        asked: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        try:
            os.write(self._to, json.dumps(asked).encode() + b"\0")
        except OSError as error:
            raise UserError("the browser has ended before it took its picture") from error
        while True:
            answer = self._next()
            if answer.get("id") != number:  # an event
                continue
            if "error" in answer:
                raise UserError(f"the browser refused {method}: {answer['error'].get('message', '')}")
            result: dict[str, Any] = answer["result"]
            return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], _PATIENCE)
            part = os.read(self._answers, 1 << 20) if ready else b""
            if not part:
                raise UserError("the browser does not answer", hint="leave pictures out with --no-pictures")
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def camera(path: str) -> Iterator[Camera]:
    """A browser for as long as this lasts, with a profile of its own that is thrown away."""
    theirs, to = os.pipe()
    answers, told = os.pipe()
    with tempfile.TemporaryDirectory(prefix="nurture-browser-", ignore_cleanup_errors=True) as profile:
        arguments = [path, *_ARGUMENTS, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # Chromium refuses root one; scripts are off, and the mails our own
        try:
            process = _started(arguments, theirs, told)
            try:
                yield Camera(to, answers)
            finally:
                os.kill(process, signal.SIGKILL)  # there is nothing it should save
                os.waitpid(process, 0)
        finally:
            os.close(to)
            os.close(answers)


def _started(arguments: list[str], reads: int, writes: int) -> int:
    """The browser's process, which reads from 3 and writes to 4 and has nothing else of ours."""
    high = [
        fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 10) for pipe in (reads, writes)
    ]  # 4 may be what 3 takes the place of
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    ours = [(os.POSIX_SPAWN_DUP2, pipe, number) for pipe, number in zip(high, (3, 4), strict=True)]
    try:
        return os.posix_spawn(arguments[0], arguments, os.environ, file_actions=[*nothing, *ours])
    finally:
        for pipe in (reads, writes, *high):
            os.close(pipe)
