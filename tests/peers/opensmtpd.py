"""An OpenSMTPD of one's own. Its paths are fixed when it is compiled, so it runs in a small root directory made for it
out of the unpacked package, the libraries it is linked to and a shell: nothing of this machine is touched."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from tests.peers.ground import PEERS, Peer, free_port, mails_in, program

CONFIG = """
smtp max-message-size "20M"
smtp limit max-mails 10000
table anyone {{ "@" = "inbox" }}
action "keep" maildir "/home/inbox/Maildir" virtual <anyone>
listen on 127.0.0.1 port {port} hostname opensmtpd.test
match from any for {known} action "keep"
"""
USERS = """root:x:0:0::/:/bin/sh
opensmtpd:x:990:990::/var/lib/opensmtpd/empty:/bin/false
opensmtpq:x:991:991::/var/lib/opensmtpd/empty:/bin/false
inbox:x:65534:65534::/home/inbox:/bin/sh
"""
GROUPS = "root:x:0:\nopensmtpd:x:990:\nopensmtpq:x:991:\ninbox:x:65534:\n"


class OpenSmtpd(Peer):
    """Listens on `port` while entered; `inbox()` is what it delivered. `known` says to whom, in the words of
    smtpd.conf(5): anyone else is refused with 550."""

    name = "opensmtpd"

    def __init__(self, known: str = 'domain "inbox.test"') -> None:
        self._known = known
        self.port = 0
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.port = free_port()
        root = self.home / "root"
        _furnish(root)
        (root / "etc" / "smtpd.conf").write_text(CONFIG.format(port=self.port, known=self._known))
        with (self.home / "log").open("wb") as log:
            command = ["chroot", str(root), "/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"]
            self._running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.await_port(self.port)

    def stop(self) -> None:
        if self._running is not None:
            self._running.terminate()  # its parts see that it is gone, and end
            self._running.wait(10)

    def inbox(self, expected: int, seconds: float = 20.0) -> list[bytes]:
        """The messages delivered, once there are as many as expected or the time is over."""
        return mails_in(self.home / "root/home/inbox/Maildir", expected, seconds)


def _furnish(root: Path) -> None:
    shutil.copytree(PEERS / "opensmtpd", root, symlinks=True)
    binaries = [root / "usr/sbin/smtpd", *(root / "usr/libexec/opensmtpd").iterdir()]
    for library in {path for binary in (*map(str, binaries), "/bin/sh") for path in _linked(binary)}:
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    for name in ("bin", "dev", "tmp", "var/run", "var/lib/opensmtpd/empty", "var/spool/smtpd", "home/inbox"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/sh", root / "bin/sh")
    (root / "tmp").chmod(0o1777)
    (root / "var/spool/smtpd").chmod(0o711)
    os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(root / "dev/urandom", 0o666 | stat.S_IFCHR, os.makedev(1, 9))
    for device in ("null", "urandom"):
        (root / "dev" / device).chmod(0o666)
    (root / "etc/passwd").write_text(USERS)
    (root / "etc/group").write_text(GROUPS)
    (root / "etc/hosts").write_text("127.0.0.1 localhost opensmtpd.test\n")
    (root / "etc/mailname").write_text("opensmtpd.test\n")
    os.chown(root / "home/inbox", 65534, 65534)


def _linked(binary: str) -> list[str]:
    run = subprocess.run([program("ldd"), binary], capture_output=True, text=True)
    return re.findall(r"(/\S+)", run.stdout.replace(binary, "")) if run.returncode == 0 else []
