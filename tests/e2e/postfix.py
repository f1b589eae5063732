"""A Postfix of one's own: its own configuration, queue, port and mailbox, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log
maillog_file_prefixes = {home}
mail_owner = postfix
setgid_group = postdrop
command_directory = {commands}
daemon_directory = {daemons}
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = inbox.test
virtual_mailbox_base = {home}
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{group}
virtual_minimum_uid = 1
message_size_limit = 20480000
smtputf8_enable = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
default_transport = error:nothing leaves this test
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


def why_not() -> str | None:
    """The reason why a private Postfix cannot be started here, or None."""
    if shutil.which("postconf", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
        return "postfix is not installed (.ci/install-peers does it)"
    if os.geteuid() != 0:
        return "a private postfix can only be started by root"
    return None


class Postfix:
    """Listens on `port` while entered; `inbox()` is what it delivered to anyone @inbox.test."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.port = 0

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="postfix-"))
        self.home.chmod(0o755)  # its daemons run as other users
        try:
            self._configure()
            self._postfix("start")
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._postfix("abort", check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def inbox(self, expected: int, seconds: float = 20.0) -> list[bytes]:
        """The messages delivered, once there are as many as expected or the time is over; with LF line ends."""
        folder, end = self.home / "inbox" / "new", time.monotonic() + seconds
        while time.monotonic() < end and len(list(folder.glob("*"))) < expected:
            time.sleep(0.05)
        return [file.read_bytes() for file in sorted(folder.glob("*"))]

    def log(self) -> str:
        """Postfix's own log."""
        file = self.home / "log"
        return file.read_text() if file.exists() else ""

    def _configure(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        nobody = pwd.getpwnam("nobody")
        for name in ("etc", "queue", "data", "inbox"):
            (self.home / name).mkdir()
        shutil.chown(self.home / "data", "postfix", "postfix")
        shutil.chown(self.home / "inbox", nobody.pw_uid, nobody.pw_gid)
        for source, name in ((self._certificate, "certificate.pem"), (self._key, "key.pem")):
            shutil.copy(source, self.home / name)
        (self.home / "key.pem").chmod(0o600)
        values = {
            "home": self.home,
            "commands": _default("command_directory"),
            "daemons": _default("daemon_directory"),
            "user": nobody.pw_uid,
            "group": nobody.pw_gid,
            "certificate": self.home / "certificate.pem",
            "key": self.home / "key.pem",
            "port": self.port,
        }
        (self.home / "etc" / "main.cf").write_text(MAIN.format(**values))
        (self.home / "etc" / "master.cf").write_text(MASTER.format(**values))

    def _postfix(self, command: str, *, check: bool = True) -> None:
        run = subprocess.run(
            [f"{_default('command_directory')}/postfix", "-c", str(self.home / "etc"), command],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and run.returncode != 0:
            raise RuntimeError(f"postfix {command}: {run.stdout}{run.stderr}{self.log()}")

    def _wait(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"postfix does not listen: {self.log()}")


def _default(name: str) -> str:
    command = shutil.which("postconf", path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert command is not None
    return subprocess.run([command, "-d", "-h", name], capture_output=True, text=True, check=True).stdout.strip()
