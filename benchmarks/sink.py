"""Postfix's smtp-sink on a free loopback port, in a process of its own: it takes every mail and keeps none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running() -> Iterator[int]:
    """Its port, for as long as the block lasts. Ends the program where Postfix is not installed."""
    sink = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    if not Path(sink).exists():
        raise SystemExit("smtp-sink is not here: install Debian's package postfix")
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    port = free_port()
    process = subprocess.Popen([sink, *as_nobody, f"127.0.0.1:{port}", "500"])
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port}")
