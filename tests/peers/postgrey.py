"""A postgrey of one's own: greylisting as a policy service for Postfix."""

from __future__ import annotations

import shutil
import subprocess

from tests.peers.ground import Peer, free_port, program


class Postgrey(Peer):
    """Answers policy questions on `port`: whoever is new has to come again after `delay` seconds, with the same
    sender and recipient."""

    name = "postgrey"

    def __init__(self, delay: int = 1) -> None:
        self._delay = delay
        self.port = 0
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.port = free_port()
        (self.home / "db").mkdir()
        shutil.chown(self.home / "db", "postgrey", "postgrey")
        (self.home / "nobody-is-known").touch()
        command = [program("postgrey"), f"--inet=127.0.0.1:{self.port}", f"--delay={self._delay}"]
        command += [f"--dbdir={self.home}/db", f"--pidfile={self.home}/pid", "--auto-whitelist-clients=0"]
        command += [f"--whitelist-{who}={self.home}/nobody-is-known" for who in ("clients", "recipients")]
        with (self.home / "log").open("wb") as log:
            self._running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.await_port(self.port)

    def stop(self) -> None:
        if self._running is not None:
            self._running.terminate()
            self._running.wait(10)
