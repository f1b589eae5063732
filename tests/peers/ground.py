"""What all peers stand on: whether they are here, a folder and a port of their own, and waiting for what they do.

A test that uses one is marked `peers`: where the peer is missing it is skipped, and in CI that is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PEERS = Path(os.environ.get("NURTURE_PEERS", "/opt/nurture-peers"))
_OWN = (str(PEERS / "opensmtpd/usr/sbin"), str(PEERS / "npm/node_modules/.bin"))
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *_OWN))


def need(*programs: str, root: bool = True) -> None:
    """Skip the test where one of these is not installed, or may not be started."""
    for name in programs:
        if shutil.which(name, path=_PATH) is None:
            pytest.skip(f"{name} is not installed (.ci/install-peers does it)")
    if root and os.geteuid() != 0:
        pytest.skip("a mail server of one's own can only be started by root")


def program(name: str) -> str:
    """Where a program that `need` has found lies."""
    found = shutil.which(name, path=_PATH)
    assert found is not None
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait for it; whether it came to hold."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Peer:
    """Runs while entered, in `home`, and logs to a file there."""

    name = "peer"
    home: Path

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.home.chmod(0o755)  # its daemons run as other users
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def log(self) -> str:
        """What it has said of itself so far."""
        file = self.home / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def await_port(self, port: int) -> None:
        if not until(lambda: listens(port), 10):
            raise RuntimeError(f"{self.name} does not listen: {self.log()}")


def mails_in(maildir: Path, expected: int, seconds: float = 20.0) -> list[bytes]:
    """The messages in `new`, once there are as many as expected or the time is over; with LF line ends."""
    folder = maildir / "new"
    until(lambda: len(list(folder.glob("*"))) >= expected, seconds)
    return [file.read_bytes().replace(b"\r\n", b"\n") for file in sorted(folder.glob("*"))]
